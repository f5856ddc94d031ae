"""Spot heights: summits of the elevation model that no layer names."""

from typing import Any, Final

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from milepost.servers.production.sheet.definition import SpotHeights
from milepost.servers.production.sheet.terrain import Heights

_AROUND: Final = 12
"""Directions in which the ground around a summit is looked at."""


def spot_heights(
    heights: Heights, spots: SpotHeights, neatline: Any, known: Any, scale: int
) -> gpd.GeoDataFrame:
    """Points at summits, the highest first, that keep their distance from each other and from known heights.

    Args:
        heights: of the ground.
        spots: how many, and how prominent.
        neatline: of the sheet, in sheet metres.
        known: points of heights that the sheet has already.
        scale: of the sheet, the denominator.

    Returns:
        Points in sheet metres with ``height`` in metres.
    """
    apart = spots.apart * scale / 1000
    reach = max(2, int(apart / 3 / heights.step))
    z = np.where(np.isnan(heights.values), -np.inf, heights.values)
    rows, columns = np.nonzero((z == _highest_around(z, reach)) & np.isfinite(z))
    order = np.argsort(-z[rows, columns], kind="stable")
    x, y = heights.x[columns[order]], heights.y[rows[order]]
    top = z[rows[order], columns[order]]
    around = np.stack(
        [
            heights.at(x + apart / 3 * np.cos(angle), y + apart / 3 * np.sin(angle))
            for angle in np.linspace(0, 2 * np.pi, _AROUND, endpoint=False)
        ]
    )
    # A summit falls off on all sides, at least a little, and on most of them by the prominence.
    falls = top - around
    prominent = (np.median(falls, axis=0) >= spots.prominence) & (np.nanmin(falls, axis=0) >= 0)
    inside = shapely.contains_xy(neatline, x, y)
    taken = [(point.x, point.y) for point in known]
    found: list[tuple[float, float, float]] = []
    for number in np.flatnonzero(prominent & inside):
        here = (float(x[number]), float(y[number]))
        if all((here[0] - a) ** 2 + (here[1] - b) ** 2 >= apart**2 for a, b in taken):
            taken.append(here)
            found.append((*here, float(top[number])))
    return gpd.GeoDataFrame(
        {"height": [str(round(each[2])) for each in found]},
        geometry=[shapely.Point(each[0], each[1]) for each in found],
    )


def _highest_around(z: NDArray[Any], reach: int) -> NDArray[Any]:
    """The highest value in the square around each node."""
    for axis in (0, 1):
        padding = [(reach, reach) if each == axis else (0, 0) for each in (0, 1)]
        padded = np.pad(z, padding, constant_values=-np.inf)
        highest = z
        for shift in range(2 * reach + 1):
            window = slice(shift, shift + z.shape[axis])
            highest = np.maximum(highest, padded[window] if axis == 0 else padded[:, window])
        z = highest
    return z
