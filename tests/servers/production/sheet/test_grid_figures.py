"""Figures within the map stand on the lines that they name, in even rows, and may be left out."""

import numpy as np
import pytest
import shapely

from milepost.servers.production.sheet.definition import Grid
from milepost.servers.production.sheet.geometry import SheetGeometry
from milepost.servers.production.sheet.grid_figures import grid_figures
from milepost.servers.production.sheet.labels import place_labels

SHEET = SheetGeometry.of(shapely.box(1.4, 42.4, 1.65, 42.6), 50_000)


def test_every_line_has_its_figure_on_it():
    layer, frame = grid_figures(Grid(interval=1000, figures=160), SHEET)
    placed = place_labels([(layer, frame)], SHEET.neatline, SHEET.scale).placed
    found = {True: set(), False: set()}
    for each in placed:
        east, north = (float(value) for value in SHEET.grid_of_sheet(*each.at))
        off = [abs(value - round(value / 1000) * 1000) for value in (east, north)]
        # In the middle of its piece of a line, which runs either way.
        assert min(off) < 1
        value = (east, north)[int(np.argmin(off))]
        assert each.text == f"{round(value / 1000) % 100:02d}"
        assert all(piece.angle == 0 for piece in each.pieces)
        found[off[0] < off[1]].add(each.text)
    ring = np.asarray(SHEET.neatline.exterior.coords)
    for axis, values in enumerate(SHEET.grid_of_sheet(ring[:, 0], ring[:, 1])):
        lines = (np.floor(values.max() / 1000) - np.ceil(values.min() / 1000)) + 1
        # Those that only cut a corner of the sheet may have none.
        assert len(found[axis == 0]) >= lines - 2


def test_a_product_may_do_without():
    assert grid_figures(Grid(figures=0), SHEET)[1].empty


@pytest.mark.parametrize("interval", [10_000, 100_000])
def test_wide_grids_have_what_there_is(interval):
    _, frame = grid_figures(Grid(interval=interval), SHEET)
    assert set(frame["value"].dropna()) <= set("0123456789")
