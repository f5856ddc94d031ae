"""Figures of the grid within the map, by which a reader need not go to the border, nor unfold the sheet."""

from typing import Final

import geopandas as gpd
import numpy as np
import shapely

from milepost.servers.production.sheet.definition import Grid, Layer, Rule
from milepost.servers.production.sheet.frame.figures import grid_figure
from milepost.servers.production.sheet.geometry import SheetGeometry
from milepost.servers.production.sheet.symbols import Label

_WITHIN: Final = (0.2, 0.8)
"""Where on a line from one crossing line to the next a figure may stand."""


def grid_figures(grid: Grid, geometry: SheetGeometry) -> tuple[Layer, gpd.GeoDataFrame]:
    """The pieces of grid lines on which their principal figures may stand, as a layer that has only labels.

    The figures of all lines of one direction stand in the same rows of squares, as a reader expects.
    """
    label = Label(
        text="{value}",
        face="sans-bold",
        size=6.0,
        color=grid.color,
        halo=0.35,
        placement="line",
        distance=-1,
        importance=450,
        level=True,
    )
    layer = Layer(name="Grid figures", theme="Grid figures", geometry="line", rules=(Rule(symbols=(label,)),))
    step, every = grid.interval, grid.figures * geometry.scale / 1000
    rows: list[tuple[str, shapely.LineString]] = []
    ring = np.asarray(geometry.neatline.exterior.coords)
    bounds = [(each.min(), each.max()) for each in geometry.grid_of_sheet(ring[:, 0], ring[:, 1])]
    for axis in (0, 1) if every else ():
        squares = _squares(*bounds[1 - axis], step, every)
        for value in np.arange(np.ceil(bounds[axis][0] / step), np.floor(bounds[axis][1] / step) + 1) * step:
            for square in squares:
                along = square + step * np.array(_WITHIN)
                fixed = np.full(2, value)
                x, y = geometry.sheet_of_grid(*((fixed, along) if axis == 0 else (along, fixed)))
                rows.append(
                    (grid_figure(float(value), step).large, shapely.LineString(np.column_stack([x, y])))
                )
    frame = gpd.GeoDataFrame(
        {"value": [text or None for text, _ in rows], "rule": 0, "level": 0},
        geometry=[line for _, line in rows],
    )
    return layer, frame


def _squares(low: float, high: float, step: int, every: float) -> list[float]:
    """Where the squares begin that have figures: spread evenly, the outermost not at the border, which has its own."""
    first, last = int(np.ceil(low / step)), int(np.floor(high / step)) - 1
    if last < first:
        return []
    count = max(1, round((high - low) / every) - 1)
    places = np.linspace(first, last, count + 2)[1:-1]
    return sorted({float(round(each)) * step for each in places})
