"""Buildings: large enough to be seen, and not hidden by each other or by roads."""

from typing import Any, Final

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from milepost.servers.production.sheet.paths import Numbers

_HIDDEN: Final = 0.35
"""Share of a building that may lie under the symbol of a line; of more of it nothing can be made out."""
_FARTHEST: Final = 0.6
"""Millimetres that a building is moved out of a symbol at most."""
_CLEAR: Final = 0.08
"""Millimetres that are left between the symbol and the building."""


def seen(frame: gpd.GeoDataFrame, side: float) -> gpd.GeoDataFrame:
    """Buildings with no side too short to be seen; those hidden by a larger one are left out."""
    shapes = [_as_seen(each, side) for each in frame.geometry]
    order = np.argsort([-each.area for each in shapes], kind="stable")
    kept: list[int] = []
    tree = shapely.STRtree(np.asarray(shapes, dtype=object))
    dropped = np.zeros(len(shapes), dtype=bool)
    for number in order:
        if dropped[number]:
            continue
        kept.append(int(number))
        for other in tree.query(shapes[number], predicate="intersects"):
            if other != number and not dropped[other]:
                hidden = shapes[number].intersection(shapes[other]).area / shapes[other].area
                dropped[other] |= hidden > 0.5
    chosen = sorted(kept)
    return frame.iloc[chosen].set_geometry(
        gpd.GeoSeries([shapes[each] for each in chosen], index=frame.index[chosen])
    )


def _as_seen(shape: Any, side: float) -> Any:
    """A building as it is, or as an upright rectangle of its direction with sides that can be seen."""
    box = shape.minimum_rotated_rectangle
    if box.geom_type != "Polygon":
        return shape.centroid.buffer(side / 2, cap_style="square")
    corners = shapely.get_coordinates(box)[:4]
    u, v = corners[1] - corners[0], corners[3] - corners[0]
    long, short = np.hypot(*u), np.hypot(*v)
    if min(long, short) >= side:
        return shape
    u, v = u / max(long, 1e-9) * max(long, side), v / max(short, 1e-9) * max(short, side)
    middle = corners.mean(axis=0)
    return shapely.Polygon([middle + (a * u + b * v) / 2 for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))])


def cleared(shapes: NDArray[Any], lines: NDArray[Any], widths: Numbers, millimetre: float) -> NDArray[Any]:
    """Buildings moved out of the symbols of lines; those that stay hidden are empty.

    Args:
        shapes: polygons in sheet metres.
        lines: in sheet metres.
        widths: of the symbol of each line, in sheet metres.
        millimetre: of paper, in sheet metres.
    """
    found = shapes.copy()
    if not len(lines) or not len(shapes):
        return found
    tree = shapely.STRtree(lines)
    half = widths / 2 + _CLEAR * millimetre
    for _ in range(2):
        which, line = tree.query(found, predicate="dwithin", distance=float(half.max()))
        near = shapely.distance(found[which], lines[line]) < half[line]
        for number, other in zip(which[near].tolist(), line[near].tolist(), strict=True):
            found[number] = _beside(found[number], lines[other], half[other], _FARTHEST * millimetre)
    which, line = tree.query(found, predicate="dwithin", distance=float(half.max()))
    for number in np.unique(which).tolist():
        symbols = shapely.buffer(lines[line[which == number]], widths[line[which == number]] / 2)
        hidden = shapely.union_all(symbols).intersection(found[number]).area
        if hidden > _HIDDEN * found[number].area:
            found[number] = shapely.Polygon()
    return found


def _beside(shape: Any, line: Any, half: float, farthest: float) -> Any:
    """A building moved away from a line, until it is half a width away from its middle."""
    middle = shape.centroid
    foot = line.interpolate(line.project(middle))
    away = np.array([middle.x - foot.x, middle.y - foot.y])
    length = float(np.hypot(*away))
    if length < 1e-6:
        return shape
    away /= length
    reach = ((shapely.get_coordinates(shape) - (foot.x, foot.y)) @ away).min()
    step = half - float(reach)
    if not 0 < step <= farthest:
        return shape
    return shapely.set_coordinates(shape, shapely.get_coordinates(shape) + away * step)
