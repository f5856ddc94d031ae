"""Geometries as a GeoPackage holds them, and the functions over them that its spatial index calls.

A geometry is a header, ``GP``, with the number of its spatial reference and mostly its bounds,
and then well-known binary (OGC 12-128r19, 2.1.3).
"""

import struct
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray

from milepost.features.definition import GeometryType, Layer
from milepost.features.errors import FeatureError
from milepost.operations.geometries import Geometries, from_esri

_ENVELOPES: Final = (0, 32, 48, 48, 64)
"""Bytes of the bounds, by the code in the flags."""
_POINT: Final = (1, 1001)
_BROKEN: Final = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, shapely.GEOSException)
"""What comes of geometries that are none."""

_FARTHEST: Final = 1e12
"""Ordinates that a geometry may have. Computing with much larger ones overflows."""

Bounds = tuple[float, float, float, float]
"""minx, miny, maxx, maxy."""


def blobs(geometries: Geometries, srs_id: int) -> list[bytes | None]:
    """Shapely geometries as the file holds them; None where there is none, or an empty one."""
    points = bool(np.isin(shapely.get_type_id(geometries), (-1, 0)).all())
    binary = shapely.to_wkb(geometries, flavor="iso", byte_order=1)
    nothing = shapely.is_missing(geometries) | shapely.is_empty(geometries)
    if points:  # a point is its own bounds
        head = b"GP\x00\x01" + struct.pack("<i", srs_id)
        return [None if none else head + wkb for none, wkb in zip(nothing, binary, strict=True)]
    head = b"GP\x00\x03" + struct.pack("<i", srs_id)
    # minx, maxx, miny, maxy
    bounds: NDArray[np.float64] = shapely.bounds(geometries)[:, [0, 2, 1, 3]].astype("<f8")
    return [
        None if none else head + box.tobytes() + wkb
        for none, box, wkb in zip(nothing, bounds, binary, strict=True)
    ]


def wkb(blob: bytes) -> bytes:
    """The well-known binary of a geometry."""
    return blob[8 + _ENVELOPES[blob[3] >> 1 & 7] :]


def geometries(column: Sequence[bytes | None]) -> Geometries:
    """Shapely geometries of what the file holds."""
    read = shapely.from_wkb([None if blob is None else wkb(blob) for blob in column])
    return np.asarray(read, dtype=object)


def geometry(blob: bytes) -> shapely.Geometry:
    """The Shapely geometry of one."""
    return shapely.from_wkb(wkb(blob))


def bounds(blob: bytes) -> Bounds:
    """The bounds of a geometry that is not empty."""
    order = "<" if blob[3] & 1 else ">"
    if blob[3] >> 1 & 7:
        minx, maxx, miny, maxy = struct.unpack_from(f"{order}4d", blob, 8)
        return minx, miny, maxx, maxy
    order = "<" if blob[8] else ">"
    if struct.unpack_from(f"{order}I", blob, 9)[0] in _POINT:
        x, y = struct.unpack_from(f"{order}2d", blob, 13)
        return x, y, x, y
    box: Bounds = tuple(shapely.bounds(geometry(blob)).tolist())
    return box


def _is_empty(blob: bytes | None) -> int | None:
    return None if blob is None else blob[3] >> 4 & 1


def _bound(place: int) -> Any:
    def of(blob: bytes | None) -> float | None:
        return None if blob is None else bounds(blob)[place]

    return of


FUNCTIONS: Final = {
    "ST_IsEmpty": _is_empty,
    "ST_MinX": _bound(0),
    "ST_MinY": _bound(1),
    "ST_MaxX": _bound(2),
    "ST_MaxY": _bound(3),
}
"""What the triggers of the spatial index call, by name; each takes one geometry."""


def read(layer: Layer, forms: Sequence[dict[str, Any] | None]) -> Geometries:
    """Shapely geometries of Esri's, of the one type and dimension that the layer holds.

    Raises:
        FeatureError: one is broken, or of another type.
    """
    assert layer.geometry is not None
    found = shapes(layer.geometry, forms)
    found = shapely.force_3d(found) if layer.has_z else shapely.force_2d(found)
    return many(layer.geometry, found)


def shapes(kind: str, forms: Sequence[dict[str, Any] | None]) -> Geometries:
    """Shapely geometries of Esri's.

    Raises:
        FeatureError: one is broken.
    """
    try:
        with np.errstate(all="ignore"):
            found = from_esri(kind, forms)
    except _BROKEN as error:
        text = str(error).replace("the geometry of feature 0", "the geometry")
        raise FeatureError(text) from None
    ordinates = np.abs(shapely.get_coordinates(found, include_z=True))
    if (ordinates > _FARTHEST).any():
        raise FeatureError(f"the geometry has coordinates beyond {_FARTHEST:g}, which are nowhere")
    return found


def many(kind: GeometryType, found: Geometries) -> Geometries:
    """The geometries, lines and polygons as ones of several parts."""
    collect, single = {
        GeometryType.POLYLINE: (shapely.multilinestrings, shapely.GeometryType.LINESTRING),
        GeometryType.POLYGON: (shapely.multipolygons, shapely.GeometryType.POLYGON),
    }.get(kind, (None, None))
    if collect is None:
        return found
    for number in np.flatnonzero(shapely.get_type_id(found) == single):
        found[number] = collect([found[number]])
    return found
