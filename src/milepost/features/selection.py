"""Which features of a layer are meant: the conditions of a query as one of SQLite."""

import math
import sqlite3
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final

import msgspec
import shapely

from milepost.features import blobs
from milepost.features.definition import Layer
from milepost.features.errors import FeatureError
from milepost.features.fields import moment_text
from milepost.features.geopackage import SHAPE
from milepost.features.literals import Clause


class Relation(StrEnum):
    """How a feature lies to the geometry of a query, by the name that ArcGIS clients know."""

    INTERSECTS = "esriSpatialRelIntersects"
    CONTAINS = "esriSpatialRelContains"
    """The geometry of the query contains the feature."""
    WITHIN = "esriSpatialRelWithin"
    """The geometry of the query lies within the feature."""
    ENVELOPE_INTERSECTS = "esriSpatialRelEnvelopeIntersects"
    INDEX_INTERSECTS = "esriSpatialRelIndexIntersects"
    CROSSES = "esriSpatialRelCrosses"
    OVERLAPS = "esriSpatialRelOverlaps"
    TOUCHES = "esriSpatialRelTouches"


_PREDICATES: Final[dict[Relation, Callable[[Any, Any], Any]]] = {
    Relation.INTERSECTS: shapely.intersects,
    Relation.CONTAINS: shapely.covers,  # also what lies on its edge, as with GIS clients
    Relation.WITHIN: shapely.covered_by,
    Relation.CROSSES: shapely.crosses,
    Relation.OVERLAPS: shapely.overlaps,
    Relation.TOUCHES: shapely.touches,
}


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """The features that all of these apply to."""

    where: str = ""
    """SQL, as in Esri's standardized queries."""
    object_ids: tuple[int, ...] | None = None
    geometry: shapely.Geometry | None = None
    """In the spatial reference of the service."""
    relation: Relation = Relation.INTERSECTS
    time: tuple[float | None, float | None] | None = None
    """First and last moment, in milliseconds since 1970; None where it is open. Both count."""


def condition(selection: Selection, layer: Layer, connection: sqlite3.Connection) -> Clause:
    """The condition for one connection, which gets to know the geometry.

    Raises:
        FeatureError: the layer cannot be asked that.
    """
    # Its parser takes longer to load than all else here, and most processes never read a condition.
    from milepost.features.where import read_where

    parts = [read_where(selection.where, layer)]
    if selection.object_ids is not None:
        wanted = msgspec.json.encode([each for each in selection.object_ids if abs(each) < 2**63]).decode()
        parts.append(Clause(f'"{layer.object_id}" IN (SELECT value FROM json_each(?))', (wanted,)))
    if selection.time is not None:
        parts += _in_time(selection.time, layer)
    if selection.geometry is not None:
        parts.append(_in_place(selection.geometry, selection.relation, layer, connection))
    values = tuple(value for each in parts for value in each.values)
    return Clause(" AND ".join(each.sql for each in parts), values)


def _in_time(time: tuple[float | None, float | None], layer: Layer) -> list[Clause]:
    if not layer.time_field:
        return []  # as with layers that know no time
    try:
        return [
            Clause(f'"{layer.time_field}" {sign} ?', (moment_text(limit),))
            for sign, limit in zip((">=", "<="), time, strict=True)
            if limit is not None
        ]
    except ValueError as error:
        raise FeatureError(f"the time is not understood: {error}") from None


def _in_place(
    geometry: shapely.Geometry, relation: Relation, layer: Layer, connection: sqlite3.Connection
) -> Clause:
    if layer.geometry is None:
        raise FeatureError(f"layer {layer.name!r} has no geometry, and so cannot be asked for a place")
    minx, miny, maxx, maxy = geometry.bounds
    if math.isnan(minx):
        return Clause("0", ())
    if relation in (Relation.ENVELOPE_INTERSECTS, Relation.INDEX_INTERSECTS):
        connection.create_function("lies_so", 1, _in_box(geometry.bounds), deterministic=True)
    else:
        connection.create_function("lies_so", 1, _in_relation(geometry, relation), deterministic=True)
    return Clause(
        f'"{layer.object_id}" IN (SELECT id FROM "rtree_{layer.name}_{SHAPE}"'
        f' WHERE maxx >= ? AND minx <= ? AND maxy >= ? AND miny <= ?) AND lies_so("{SHAPE}")',
        (minx, maxx, miny, maxy),
    )


def _in_box(box: blobs.Bounds) -> Callable[[bytes], bool]:
    def lies_so(blob: bytes) -> bool:
        minx, miny, maxx, maxy = blobs.bounds(blob)
        return minx <= box[2] and maxx >= box[0] and miny <= box[3] and maxy >= box[1]

    return lies_so


def _in_relation(geometry: shapely.Geometry, relation: Relation) -> Callable[[bytes], bool]:
    if not geometry.is_valid:
        geometry = shapely.make_valid(geometry)
    shapely.prepare(geometry)
    predicate = _PREDICATES[relation]

    def lies_so(blob: bytes) -> bool:
        feature = blobs.geometry(blob)
        try:
            return bool(predicate(geometry, feature))
        except shapely.GEOSException:  # features may be drawn so that they cross themselves
            return bool(predicate(geometry, shapely.make_valid(feature)))

    return lies_so
