"""Geometries: between Esri's JSON form and arrays of Shapely geometries, many at a time.

Esri's polygons are lists of rings: exterior rings run clockwise, holes against the clock, in any
order. Points carry ``z`` and ``m`` by name; in the other types they follow x and y in each point.
"""

import struct
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import GeometryType

Geometries = NDArray[np.object_]
"""Shapely geometries; None where there is none."""
Coordinates = NDArray[np.float64]

_PARTS: Final = {
    "esriGeometryMultipoint": "points",
    "esriGeometryPolyline": "paths",
    "esriGeometryPolygon": "rings",
}
_EMPTY: Final = {
    "esriGeometryPoint": shapely.Point(),
    "esriGeometryMultipoint": shapely.MultiPoint(),
    "esriGeometryPolyline": shapely.LineString(),
    "esriGeometryPolygon": shapely.Polygon(),
    "esriGeometryEnvelope": shapely.Polygon(),
}
_KIND_OF: Final = {
    GeometryType.POINT: "esriGeometryPoint",
    GeometryType.MULTIPOINT: "esriGeometryMultipoint",
    GeometryType.LINESTRING: "esriGeometryPolyline",
    GeometryType.LINEARRING: "esriGeometryPolyline",
    GeometryType.MULTILINESTRING: "esriGeometryPolyline",
    GeometryType.POLYGON: "esriGeometryPolygon",
    GeometryType.MULTIPOLYGON: "esriGeometryPolygon",
}

_BROKEN: Final = (KeyError, TypeError, ValueError, shapely.GEOSException)


def from_esri(
    kind: str, geometries: Sequence[dict[str, Any] | None], *, has_z: bool = False, has_m: bool = False
) -> Geometries:
    """Shapely geometries of Esri's.

    Polygons whose rings run the wrong way round are put together by which ring lies within which.
    Envelopes become polygons. Values of z beyond x and y are kept even where ``has_z`` was not set.

    Args:
        kind: the ``geometryType`` of all of them.
        geometries: their JSON forms; None where a feature has no geometry.
        has_z: whether points have a z, where a geometry does not say so itself.
        has_m: whether points have a measure, likewise.

    Raises:
        ValueError: a geometry is broken, or has true curves; the text names it.
    """
    found: Geometries = np.full(len(geometries), None, dtype=object)
    groups: dict[tuple[bool, bool], list[int]] = {}
    for number, geometry in enumerate(geometries):
        if geometry is None:
            continue
        if "curvePaths" in geometry or "curveRings" in geometry:
            raise ValueError(
                f"the geometry of feature {number} has true curves; ask for it with returnTrueCurves=false"
            )
        if _is_empty(kind, geometry):
            found[number] = _EMPTY[kind]
        else:
            flags = bool(geometry.get("hasZ", has_z)), bool(geometry.get("hasM", has_m))
            groups.setdefault(flags, []).append(number)
    for (with_z, with_m), numbers in groups.items():
        group = [geometries[number] for number in numbers]
        try:
            found[numbers] = _build(kind, group, with_z, with_m)
        except _BROKEN:
            _name_the_broken(kind, geometries, numbers, with_z, with_m)
            raise
    return found


def to_esri(geometries: Geometries) -> tuple[str | None, list[dict[str, Any] | None], bool, bool]:
    """Esri's JSON form of geometries of one type, single and multiple ones mixed.

    Returns:
        The ``geometryType`` (None when there is no geometry at all), the forms, ``hasZ`` and ``hasM``.

    Raises:
        ValueError: the geometries are of types that one feature set cannot hold together.
    """
    present = ~shapely.is_missing(geometries)
    types = {GeometryType(number) for number in np.unique(shapely.get_type_id(geometries[present]))}
    kinds = {_KIND_OF.get(each, "") for each in types}
    if kinds == {"esriGeometryPoint", "esriGeometryMultipoint"}:
        kinds = {"esriGeometryMultipoint"}
    if len(kinds) > 1 or "" in kinds:
        names = ", ".join(sorted(each.name.capitalize() for each in types))
        raise ValueError(f"a feature set holds geometries of one type, but these are {names}")
    if not kinds:
        return None, [None] * len(geometries), False, False
    (kind,) = kinds
    filled = present & ~shapely.is_empty(geometries)
    has_z = bool(shapely.has_z(geometries[filled]).any())
    has_m = bool(shapely.has_m(geometries[filled]).any())
    forms: list[dict[str, Any] | None] = [None] * len(geometries)
    for number in np.flatnonzero(present & ~filled):
        if kind == "esriGeometryPoint":
            forms[number] = {"x": None, "y": None}
        else:
            forms[number] = {_PARTS[kind]: []}
    for number, form in zip(
        np.flatnonzero(filled), _forms(kind, geometries[filled], has_z, has_m), strict=True
    ):
        forms[number] = form
    return kind, forms, has_z, has_m


def _is_empty(kind: str, geometry: dict[str, Any]) -> bool:
    if kind in _PARTS:
        return not geometry.get(_PARTS[kind], True)
    key = "x" if kind == "esriGeometryPoint" else "xmin"
    return key in geometry and (geometry[key] is None or geometry[key] == "NaN")


def _name_the_broken(
    kind: str, geometries: Sequence[Any], numbers: list[int], has_z: bool, has_m: bool
) -> None:
    """Build one at a time, to say which geometry it is."""
    for number in numbers:
        try:
            _build(kind, [geometries[number]], has_z, has_m)
        except _BROKEN as error:
            cause = f"it has no {error}" if isinstance(error, KeyError) else str(error).strip()
            raise ValueError(
                f"the geometry of feature {number} is no {kind.removeprefix('esriGeometry').lower()}: {cause}"
            ) from error


def _build(kind: str, geometries: Sequence[Any], has_z: bool, has_m: bool) -> Geometries:
    if kind == "esriGeometryEnvelope":
        corners = np.array([[g[key] for key in ("xmin", "ymin", "xmax", "ymax")] for g in geometries], float)
        boxes: Geometries = shapely.box(*corners.T)
        return boxes
    if kind == "esriGeometryPoint":
        rows = [[g["x"], g["y"], g.get("z"), g.get("m")] for g in geometries]
        table = np.array(rows, dtype=np.float64)
        has_z = has_z or not np.isnan(table[:, 2]).all()
        has_m = has_m or not np.isnan(table[:, 3]).all()
    else:
        lists = [g[_PARTS[kind]] for g in geometries]
        parts = lists if kind == "esriGeometryMultipoint" else list(chain.from_iterable(lists))
        table, has_z, has_m = _ordinates(list(chain.from_iterable(parts)), has_z, has_m)
    if not np.isfinite(table[:, :2]).all():
        raise ValueError("a coordinate is not a finite number")
    # Shapely makes no geometries with measures, and closes no ring where z is NaN: there the number
    # of the row takes the place of z, and what the row holds comes in after.
    numbered = has_m or (has_z and bool(np.isnan(table[:, 2]).any()))
    flat = (
        np.column_stack([table[:, :2], np.arange(len(table))]) if numbered else table[:, : 3 if has_z else 2]
    )
    if kind == "esriGeometryPoint":
        built: Geometries = shapely.points(flat)
    elif kind == "esriGeometryMultipoint":
        built = shapely.multipoints(shapely.points(flat), indices=_repeat(parts))
    elif kind == "esriGeometryPolyline":
        built = _polylines(shapely.linestrings(flat, indices=_repeat(parts)), _repeat(lists), len(lists))
    else:
        rings = shapely.linearrings(_close(flat, parts), indices=_repeat(parts))
        built = _polygons(rings, _repeat(lists), len(lists))
    return _with_ordinates(built, table, has_z, has_m) if numbered else built


def _close(points: Coordinates, rings: list[list[Any]]) -> Coordinates:
    """The points, with the last of a closed ring the same as its first in z too."""
    ends = np.cumsum([len(ring) for ring in rings]) - 1
    starts = np.concatenate([[0], ends[:-1] + 1])
    closed = (points[starts, :2] == points[ends, :2]).all(axis=1)
    points[ends[closed]] = points[starts[closed]]
    return points


def _ordinates(points: list[Any], has_z: bool, has_m: bool) -> tuple[Coordinates, bool, bool]:
    """Rows of x, y, z and m, NaN where one is missing, and which of z and m there are."""
    try:
        given = np.array(points, dtype=np.float64)
    except ValueError:
        width = max(map(len, points))
        given = np.array([[*point, *[np.nan] * (width - len(point))] for point in points], dtype=np.float64)
    width = given.shape[1] if given.ndim == 2 else 0
    if width < 2:
        raise ValueError("a point needs x and y")
    table = np.full((len(given), 4), np.nan)
    table[:, :2] = given[:, :2]
    if has_m and not has_z:
        table[:, 3] = given[:, 2] if width > 2 else np.nan
        return table, False, True
    table[:, 2 : min(width, 4)] = given[:, 2:4]
    return table, has_z or width > 2, has_m or width > 3


def _repeat(lists: Sequence[Sequence[Any]]) -> NDArray[np.intp]:
    """For each member of the lists, in order, the number of the list that it is in."""
    return np.repeat(np.arange(len(lists)), [len(each) for each in lists])


def _polylines(lines: Geometries, owner: NDArray[np.intp], count: int) -> Geometries:
    multiple = np.bincount(owner, minlength=count) > 1
    built: Geometries = np.empty(count, dtype=object)
    single = ~multiple[owner]
    built[owner[single]] = lines[single]
    shapely.multilinestrings(lines[~single], indices=owner[~single], out=built)
    return built


def _polygons(rings: Geometries, owner: NDArray[np.intp], count: int) -> Geometries:
    built: Geometries = np.empty(count, dtype=object)
    sizes = np.bincount(owner, minlength=count)
    single = sizes[owner] == 1
    built[owner[single]] = shapely.polygons(rings[single])
    holes = shapely.is_ccw(rings)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    for number in np.flatnonzero(sizes > 1):
        members = slice(starts[number], starts[number + 1])
        built[number] = _assemble(rings[members], holes[members])
    return built


def _assemble(rings: Geometries, holes: NDArray[np.bool_]) -> shapely.Geometry:
    """One polygon, or several, of the rings of one feature."""
    areas = shapely.polygons(rings)
    size = shapely.area(areas)
    tree = shapely.STRtree(areas)
    inner, outer = tree.query(areas, predicate="covered_by")
    nested = (size[inner] < size[outer]) | ((size[inner] == size[outer]) & (inner > outer))
    inner, outer = inner[nested], outer[nested]
    homes = _homes(holes, inner, outer, size)
    stray = np.flatnonzero([hole and number not in homes for number, hole in enumerate(holes)])
    if len(stray):
        # A hole that sticks out of its shell is still its hole; the polygon can be repaired.
        number, other = tree.query(areas[stray], predicate="overlaps")
        homes |= _homes(holes, stray[number], other, size)
        if len(homes) < holes.sum():
            # Rings that run the wrong way round: a ring within one, or within three, others is a hole.
            holes = np.bincount(inner, minlength=len(rings)) % 2 == 1
            homes = _homes(holes, inner, outer, size)
    polygons = [
        shapely.polygons(rings[shell], holes=[rings[hole] for hole in homes if homes[hole] == shell] or None)
        for shell in np.flatnonzero(~holes).tolist()
    ]
    return polygons[0] if len(polygons) == 1 else shapely.multipolygons(polygons)


def _homes(
    holes: NDArray[np.bool_], inner: NDArray[np.intp], outer: NDArray[np.intp], size: NDArray[np.float64]
) -> dict[int, int]:
    """For each hole among ``inner`` the smallest shell among those in ``outer`` beside it."""
    homes: dict[int, int] = {}
    for hole, shell in zip(inner.tolist(), outer.tolist(), strict=True):
        if holes[hole] and not holes[shell] and (hole not in homes or size[shell] < size[homes[hole]]):
            homes[hole] = shell
    return homes


def _with_ordinates(built: Geometries, table: Coordinates, has_z: bool, has_m: bool) -> Geometries:
    """The geometries with the ordinates of the rows that their z names."""
    columns = [0, 1, *[2] * has_z, *[3] * has_m]
    offset = 1000 * has_z + 2000 * has_m

    def body(points: shapely.Geometry) -> bytes:
        rows = shapely.get_coordinates(points, include_z=True)[:, 2].astype(int)
        return bytes(table[rows][:, columns].astype("<f8").tobytes())

    def encode(geometry: shapely.Geometry) -> bytes:
        kind = shapely.get_type_id(geometry)
        # The numbers of well-known binary are those of Shapely but for rings, which are lines there.
        code = {0: 1, 1: 2, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6}[kind] + offset
        if kind == GeometryType.POINT:
            return struct.pack("<BI", 1, code) + body(geometry)
        if kind in (GeometryType.LINESTRING, GeometryType.LINEARRING):
            return struct.pack("<BII", 1, code, shapely.get_num_coordinates(geometry)) + body(geometry)
        if kind == GeometryType.POLYGON:
            parts = [
                struct.pack("<I", shapely.get_num_coordinates(ring)) + body(ring)
                for ring in shapely.get_rings(geometry)
            ]
        else:
            parts = [encode(part) for part in shapely.get_parts(geometry)]
        return struct.pack("<BII", 1, code, len(parts)) + b"".join(parts)

    return np.array(shapely.from_wkb([encode(geometry) for geometry in built]), dtype=object)


def _forms(kind: str, geometries: Geometries, has_z: bool, has_m: bool) -> Iterator[dict[str, Any]]:
    """The forms of geometries of which none is missing or empty."""
    if kind == "esriGeometryPolygon":
        geometries = shapely.orient_polygons(geometries, exterior_cw=True)
    parts, part_owner = shapely.get_parts(geometries, return_index=True)
    if kind == "esriGeometryPolygon":
        rings, ring_owner = shapely.get_rings(parts, return_index=True)
        parts, part_owner = rings, part_owner[ring_owner]
    filled = ~shapely.is_empty(parts)
    parts, part_owner = parts[filled], part_owner[filled]
    coordinates, owner = shapely.get_coordinates(parts, include_z=has_z, include_m=has_m, return_index=True)
    rows = iter(_rows(coordinates))
    if kind == "esriGeometryPoint":
        names = ["x", "y", *["z"] * has_z, *["m"] * has_m]
        return (dict(zip(names, row, strict=True)) for row in rows)
    points = iter([list(islice(rows, int(size))) for size in np.bincount(owner, minlength=len(parts))])
    sizes = np.bincount(part_owner, minlength=len(geometries))
    if kind == "esriGeometryMultipoint":
        return ({"points": [row for part in islice(points, int(size)) for row in part]} for size in sizes)
    return ({_PARTS[kind]: list(islice(points, int(size)))} for size in sizes)


def _rows(coordinates: Coordinates) -> list[list[float | None]]:
    if not np.isnan(coordinates).any():
        return coordinates.tolist()  # type: ignore[no-any-return]
    return [[None if value != value else value for value in row] for row in coordinates.tolist()]
