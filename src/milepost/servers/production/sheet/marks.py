"""Marks as geometry: markers at points and along lines, and patterns of polygons, in sheet metres."""

import math
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray

from milepost.servers.production.sheet.paths import Path
from milepost.servers.production.sheet.symbols import Marker, Pattern

Ring = tuple[tuple[float, float], ...]


def _circle(radius: float) -> Ring:
    corners = [math.tau * each / 32 for each in range(32)]
    return tuple((radius * math.cos(each), radius * math.sin(each)) for each in corners)


def _box(left: float, bottom: float, right: float, top: float) -> Ring:
    return ((left, bottom), (right, bottom), (right, top), (left, top))


SHAPES: Final[dict[str, tuple[Ring, ...]]] = {
    "circle": (_circle(0.5),),
    "square": (_box(-0.5, -0.5, 0.5, 0.5),),
    "triangle": (((-0.5, -0.4), (0.5, -0.4), (0.0, 0.5)),),
    "cross": (_box(-0.5, -0.08, 0.5, 0.08), _box(-0.08, -0.5, 0.08, 0.5)),
    "saddle": (
        ((-0.5, 0.5), (-0.32, 0.5), (-0.1, 0.0), (-0.32, -0.5), (-0.5, -0.5), (-0.28, 0.0)),
        ((0.5, 0.5), (0.32, 0.5), (0.1, 0.0), (0.32, -0.5), (0.5, -0.5), (0.28, 0.0)),
    ),
    "chapel": (
        _box(-0.3, -0.5, 0.3, 0.1),
        _box(-0.06, 0.1, 0.06, 0.5),
        _box(-0.2, 0.24, 0.2, 0.36),
    ),
    "tower": (_box(-0.14, -0.5, 0.14, 0.3), _box(-0.24, 0.3, 0.24, 0.5)),
    "spring": (_circle(0.3),),
    "mast": (((-0.28, -0.5), (0.28, -0.5), (0.05, 0.2), (0.05, 0.5), (-0.05, 0.5), (-0.05, 0.2)),),
}
"""The shapes of markers as rings in a box from -0.5 to 0.5, upwards positive; the foot of none is cut off."""

_TREE: Final = _circle(0.36)
_MARSH: Final = (_box(-0.5, -0.05, 0.5, 0.05), _box(-0.25, 0.2, 0.25, 0.3))


def marker_shapes(points: Iterable[Any], marker: Marker, scale: int) -> list[Any]:
    """A polygon, or several in one, for each point."""
    size = marker.size * scale / 1000
    return [_placed(SHAPES[marker.shape], point.x, point.y, size) for point in points]


def points_along(lines: Iterable[Any], spacing: float) -> list[Any]:
    """Points along lines, so many metres apart; with 0, one in the middle of each."""
    found = []
    for line in lines:
        count = max(1, int(line.length / spacing)) if spacing else 1
        path = Path.of(line)
        found += list(shapely.points(path.many((np.arange(count) + 0.5) / count * path.length)))
    return found


def pattern_shapes(polygons: Sequence[Any] | NDArray[Any], pattern: Pattern, scale: int) -> list[Any]:
    """The marks of a pattern within polygons: lines of a hatch, else polygons.

    The marks stand in rows that are the same for all polygons, so that neighbours look alike. None is cut
    by the edge of its polygon, except for the lines of a hatch.
    """
    if not len(polygons):
        return []
    spacing = pattern.spacing * scale / 1000
    area = shapely.union_all(np.asarray(polygons, dtype=object))
    if pattern.kind == "hatch":
        lines = _hatch(area.bounds, spacing, math.radians(pattern.angle))
        return [each for each in shapely.get_parts(shapely.intersection(lines, area)) if each.length]
    rings = {"dots": (_circle(0.5),), "trees": (_TREE,), "marsh": _MARSH}[pattern.kind]
    size = {"dots": max(pattern.width * 2, 0.2), "trees": 0.9, "marsh": 1.6}[pattern.kind] * scale / 1000
    shapely.prepare(area)
    places = np.column_stack(_staggered(area.bounds, spacing))
    places = places[shapely.contains_xy(area, *places.T)]
    groups = [shapely.polygons(places[:, None] + size * np.array(ring)) for ring in rings]
    whole = np.all([shapely.contains(area, shapes) for shapes in groups], axis=0)
    return [shape for shapes in groups for shape in shapes[whole]]


def _placed(rings: Sequence[Ring], x: float, y: float, size: float) -> Any:
    moved = [shapely.Polygon([(x + size * a, y + size * b) for a, b in ring]) for ring in rings]
    return moved[0] if len(moved) == 1 else shapely.MultiPolygon(moved)


def _hatch(bounds: tuple[float, float, float, float], spacing: float, angle: float) -> Any:
    left, bottom, right, top = bounds
    reach = math.hypot(right - left, top - bottom) / 2 + spacing
    x, y = (left + right) / 2, (bottom + top) / 2
    dx, dy = math.cos(angle), math.sin(angle)
    # Lines lie at whole multiples of the spacing from the origin, whatever the bounds.
    middle = round((-x * dy + y * dx) / spacing)
    count = int(reach / spacing) + 1
    along = x * dx + y * dy
    lines = []
    for number in range(middle - count, middle + count + 1):
        foot_x, foot_y = -dy * number * spacing, dx * number * spacing
        lines.append(
            [
                (foot_x + dx * (along - reach), foot_y + dy * (along - reach)),
                (foot_x + dx * (along + reach), foot_y + dy * (along + reach)),
            ]
        )
    return shapely.MultiLineString(lines)


def _staggered(
    bounds: tuple[float, float, float, float], spacing: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Places in rows, every other row moved by half a step."""
    left, bottom, right, top = bounds
    rows = np.arange(math.floor(bottom / spacing), math.ceil(top / spacing) + 1, dtype=np.float64)
    columns = np.arange(math.floor(left / spacing) - 1, math.ceil(right / spacing) + 1)
    row, column = np.meshgrid(rows, columns, indexing="ij")
    return ((column + (row % 2) / 2) * spacing).ravel(), (row * spacing).ravel()
