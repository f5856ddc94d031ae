import itertools
import math
import random
from datetime import UTC, datetime

import mgrs
import pyproj
import pytest
import shapely

from milepost.servers.production.sheet.definition import Contours
from milepost.servers.production.sheet.frame.declination import DeclinationBlock, North, turned
from milepost.servers.production.sheet.frame.figures import GridFigure, degrees, grid_figure, minutes, nice
from milepost.servers.production.sheet.frame.pen import load_fonts, text_width, wrap
from milepost.servers.production.sheet.frame.references import (
    letters_at,
    squares,
    worked_example,
    zone_designations,
)
from milepost.servers.production.sheet.frame.scale import UNITS, ScaleBlock, bar_within, contour_note
from milepost.servers.production.sheet.frame.type import Paragraph
from milepost.servers.production.sheet.geometry import SheetGeometry
from milepost.servers.production.sheet.grids import grid_at
from milepost.servers.production.sheet.relief import contour_layer
from milepost.servers.production.sheet.symbols import Label
from tests.servers.production.sheet import sheets

load_fonts()
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def test_the_letters_of_a_square_are_those_of_mgrs_everywhere():
    peer, chance = mgrs.MGRS(), random.Random(6)
    for _ in range(300):
        latitude = chance.choice(
            [chance.uniform(-80, 84), chance.uniform(84.1, 89.9), chance.uniform(-89.9, -80.1)]
        )
        longitude = chance.uniform(-180, 180)
        grid = grid_at(longitude, latitude)
        east, north = pyproj.Transformer.from_crs(4326, grid.epsg, always_xy=True).transform(
            longitude, latitude
        )
        assert letters_at(grid, east, north) == peer.toMGRS(latitude, longitude, MGRSPrecision=0)[-2:]


@pytest.mark.parametrize(("interval", "precision"), [(1000, 3), (10_000, 2)])
@pytest.mark.parametrize(
    ("longitude", "latitude"),
    [(1.5218, 42.5063), (-70.65, -33.44), (5.32, 60.39), (179.95, -16.9), (20.6, 84.6)],
)
def test_the_worked_example_agrees_with_mgrs(longitude, latitude, interval, precision):
    sheet = SheetGeometry.of(
        shapely.box(longitude - 0.1, latitude - 0.05, longitude + 0.1, latitude + 0.05), 50_000
    )
    example = worked_example(sheet, longitude, latitude, interval)
    whole = mgrs.MGRS().toMGRS(latitude, longitude, MGRSPrecision=precision)
    (zone,) = zone_designations(sheet)
    assert zone + example.reference.replace(" ", "") == whole


def test_a_sheet_across_squares_and_bands_names_them_all():
    sheet = SheetGeometry.of(shapely.box(1.5, 47.9, 1.9, 48.1), 100_000)
    assert zone_designations(sheet) == ["31T", "31U"]
    found = squares(sheet)
    assert len({square.letters for square in found}) == len(found) >= 2
    areas = [square.part.area for square in found]
    assert areas == sorted(areas, reverse=True)
    assert sum(areas) == pytest.approx(sheet.neatline.area, rel=0.02)


@pytest.mark.parametrize(
    ("value", "interval", "figure"),
    [
        (377_000, 1000, GridFigure("3", "77", "", "000")),
        (4_701_000, 1000, GridFigure("47", "01", "", "000")),
        (5_000, 1000, GridFigure("", "05", "", "000")),
        (377_500, 500, GridFigure("3", "77", "5", "00")),
        (460_000, 10_000, GridFigure("4", "6", "", "0000")),
        (400_000, 100_000, GridFigure("4", "", "", "00000")),
        (-3_000, 1000, GridFigure("99", "97", "", "000")),
    ],
)
def test_the_principal_figures_of_a_grid_line_are_large(value, interval, figure):
    assert grid_figure(value, interval) == figure
    joined = figure.before + figure.large + figure.after + figure.rest
    assert int(joined) == value % 10_000_000


def test_angles_are_printed_as_on_maps():
    assert degrees(42.45, "NS") == "42°27\N{PRIME}00\N{DOUBLE PRIME}N"
    assert degrees(-0.5, "EW", seconds=False) == "0°30\N{PRIME}W"
    assert degrees(180.1, "EW", seconds=False) == "179°54\N{PRIME}W"
    assert degrees(180, "EW", seconds=False) == "180°00\N{PRIME}E"
    assert degrees(59.99999999, "NS") == "60°00\N{PRIME}00\N{DOUBLE PRIME}N"
    assert minutes(-1.9999) == "2°00\N{PRIME}"


@pytest.mark.parametrize("width", [165, 200, 330, 480])
@pytest.mark.parametrize("scale", [5_000, 25_000, 50_000, 250_000, 1_000_000])
def test_scale_bars_have_round_steps_and_the_length_that_the_scale_gives_them(width, scale):
    for unit in UNITS:
        bar = bar_within(width, scale, unit)
        metres = {unit[0]: unit[1], unit[2]: unit[3]}[bar.unit]
        assert bar.length == pytest.approx(bar.step * metres / scale / 0.0254 * 72)
        assert bar.step == nice(bar.step)
        name = text_width(f"{bar.count * bar.step:g} {bar.unit}", "sans", 6.2)
        assert (bar.count + 1) * bar.length + name <= width
        assert (bar.count + 1) * bar.length > width * 0.2


@pytest.mark.parametrize(
    ("grid", "magnetic"),
    [
        (-0.96, 1.98),
        (0.96, -1.98),
        (1.2, 4.0),
        (-1.2, -4.0),
        (4.0, 1.2),
        (0, 2),
        (2, 0),
        (2, 2),
        (-92, -60),
        (20.5, 22.1),
    ],
)
def test_the_arrows_of_the_declination_diagram_stand_in_their_true_order(grid, magnetic):
    drawn = turned(grid, magnetic)
    truth = {"true": 0.0, "grid": grid, "magnetic": magnetic}
    for one, other in itertools.combinations(truth, 2):
        difference, shown = truth[one] - truth[other], drawn[one] - drawn[other]
        assert (difference > 0, difference < 0) == (shown > 0, shown < 0)
        assert shown == 0 or abs(shown) >= 10
    north = North(grid, magnetic, 0.1, "WMM-2025", NOW, doubtful=False, outdated=False)
    pen = sheets.InkPen()
    DeclinationBlock(north).draw(pen, 0, 0, 170)
    names = {text: box for text, box in pen.words if text in ("GN", "MN")}
    if len(names) == 2:
        left, bottom, right, top = names["GN"]
        assert not sheets.overlap((left - 1.5, bottom, right + 1.5, top), names["MN"])


def test_the_declination_is_that_of_the_magnetic_model_and_the_rules_fit_it():
    north = North.at(SheetGeometry.of(shapely.box(1.45, 42.45, 1.7, 42.65), 50_000), 1800, NOW)
    assert minutes(north.grid) == "0°58\N{PRIME}"
    assert 1.8 < north.magnetic < 2.2
    assert north.grid_magnetic == pytest.approx(north.magnetic - north.grid, abs=0.02)
    assert "2025" in north.model
    rows = dict(DeclinationBlock(north).rows())
    assert rows["Grid convergence"].endswith(" W")
    assert rows["Declination"].endswith(" E")
    # Magnetic north is east of grid north: a bearing from it is smaller than one from grid north.
    rules = {rule.title: rule.text for rule in DeclinationBlock(north).rules()}
    assert rules["Magnetic to grid:"].startswith("add")
    assert rules["Grid to magnetic:"].startswith("subtract")
    bearing = 100.0
    true = bearing + north.magnetic
    assert true - north.grid == pytest.approx(bearing + north.grid_magnetic, abs=0.02)


def test_where_and_when_the_magnetic_model_does_not_hold_is_said():
    arctic = North.at(SheetGeometry.of(shapely.box(120, 86, 121, 86.1), 50_000), 0, NOW)
    assert "do not trust a compass" in " ".join(rule.text for rule in DeclinationBlock(arctic).rules())
    late = North.at(
        SheetGeometry.of(shapely.box(1, 42, 1.2, 42.2), 50_000), 0, datetime(2041, 1, 1, tzinfo=UTC)
    )
    assert "not made for this date" in " ".join(rule.text for rule in DeclinationBlock(late).rules())


def test_lines_fit_their_width_and_lose_no_word():
    text = "Boundaries and names are those of the sources, Porté-Puymorens and Donaudampfschifffahrtsgesellschaft"
    for width in (30, 60, 120, 400):
        lines = wrap(text, "sans", 6, width)
        assert all(text_width(line, "sans", 6) <= width for line in lines)
        assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert math.isclose(text_width("", "sans", 6), 0)


@pytest.mark.parametrize(
    ("interval", "said", "index"), [(200, "200", "1 000"), (1250, "1 250", "6 250"), (2.5, "2.5", "12.5")]
)
def test_intervals_of_contours_are_written_as_all_numbers_are(interval, said, index):
    line = sheets.LINE
    contours = Contours(interval=interval, line=line, index=line, label=Label())
    first, second, _ = contour_layer(sheets.product(), contours).rules
    frame = ScaleBlock(sheets.product(), heights=True, contours=contours)
    pen = sheets.InkPen()
    frame.draw(pen, 0, 0, 400)
    words = " ".join(text for text, _ in pen.words).replace("\N{NO-BREAK SPACE}", " ")
    assert f"CONTOUR INTERVAL {said} METRES" in words
    assert f"Index contours every {index} m." in words
    legend = [rule.legend.replace("\N{NO-BREAK SPACE}", " ") for rule in (first, second)]
    assert legend == [f"Index contour, every {index} m", f"Contour, every {said} m"]


def test_a_figure_and_its_unit_stand_on_one_line():
    text = "Index contours every 100\N{NO-BREAK SPACE}m. Heights in metres."
    for width in range(60, 140, 4):
        for title in ("", "Relief"):
            lines = Paragraph(text, title).lines(width)
            assert any("100\N{NO-BREAK SPACE}m." in line for line in lines)
    note = contour_note(Contours(interval=20, line=sheets.LINE, index=sheets.LINE, label=Label()))
    assert "100\N{NO-BREAK SPACE}m." in note
