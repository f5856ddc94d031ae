"""Features as clients want them: Esri's JSON or GeoJSON, in the spatial reference they ask for."""

from typing import Any, Final

import msgspec
import numpy as np
import shapely

from milepost.features import Features, Layer, form_of, transform
from milepost.operations.geometries import Geometries, to_esri
from milepost.servers.features import wire

GEOJSON: Final = "application/geo+json"


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """How geometries are wanted."""

    wkid: int
    """Spatial reference."""
    with_z: bool = False
    precision: int | None = None
    """Digits after the decimal point; all if None."""
    tolerance: float = 0.0
    """How far lines may be off, in units of the spatial reference."""


def esri(layer: Layer, found: Features, source: int, shape: Shape) -> bytes:
    """The answer to a query as Esri's JSON.

    Args:
        layer: that was asked.
        found: what it answered.
        source: spatial reference of the service.
        shape: how geometries are wanted.

    Raises:
        FeatureError: there is no way into the spatial reference.
    """
    answer: dict[str, Any] = {
        "objectIdFieldName": layer.object_id,
        "uniqueIdField": {"name": layer.object_id, "isSystemMaintained": True},
        "globalIdFieldName": layer.global_id,
    }
    forms: list[Any] = [None] * len(found.rows)
    if layer.geometry and found.geometries is not None:
        geometries = _shaped(found.geometries, layer, source, shape)
        _, forms, has_z, _ = to_esri(geometries)
        answer |= {
            "hasZ": has_z,
            "geometryType": layer.geometry,
            "spatialReference": form_of(shape.wkid),
        }
    answer["fields"] = [wire.field(each) for each in found.fields]
    answer["features"] = [
        {"attributes": row} if form is None else {"attributes": row, "geometry": form}
        for row, form in zip(found.rows, forms, strict=True)
    ]
    if found.more:
        answer["exceededTransferLimit"] = True
    return msgspec.json.encode(answer)


def table(found: Features) -> bytes:
    """Statistics, or distinct values: rows that are no features."""
    answer: dict[str, Any] = {
        "displayFieldName": "",
        "fields": [wire.field(each) for each in found.fields],
        "fieldAliases": {each.name: each.title for each in found.fields},
        "features": [{"attributes": row} for row in found.rows],
    }
    if found.more:
        answer["exceededTransferLimit"] = True
    return msgspec.json.encode(answer)


def geojson(layer: Layer, found: Features, source: int, shape: Shape) -> bytes:
    """The answer to a query as GeoJSON (RFC 7946), with a ``crs`` where it is not WGS 84.

    Raises:
        FeatureError: there is no way into the spatial reference.
    """
    forms: list[Any] = [None] * len(found.rows)
    if layer.geometry and found.geometries is not None:
        geometries = _single(_shaped(found.geometries, layer, source, shape))
        if layer.geometry == "esriGeometryPolygon":
            geometries = shapely.orient_polygons(geometries, exterior_cw=False)
        forms = [
            None if each is None else msgspec.Raw(each.encode()) for each in shapely.to_geojson(geometries)
        ]
    features = []
    for row, form in zip(found.rows, forms, strict=True):
        feature = {"type": "Feature", "geometry": form, "properties": row}
        if layer.object_id in row:
            feature["id"] = row[layer.object_id]
        features.append(feature)
    answer: dict[str, Any] = {"type": "FeatureCollection"}
    if shape.wkid != 4326:
        answer["crs"] = {"type": "name", "properties": {"name": f"EPSG:{shape.wkid}"}}
    if found.more:
        answer |= {"properties": {"exceededTransferLimit": True}, "exceededTransferLimit": True}
    answer["features"] = features
    return msgspec.json.encode(answer)


def _shaped(geometries: Geometries, layer: Layer, source: int, shape: Shape) -> Geometries:
    moved = transform(geometries, source, shape.wkid)
    if layer.has_z and not shape.with_z:
        moved = shapely.force_2d(moved)
    if shape.tolerance > 0 and layer.geometry in ("esriGeometryPolyline", "esriGeometryPolygon"):
        thinner = shapely.simplify(moved, shape.tolerance)
        moved = np.where(shapely.is_empty(thinner), moved, thinner)
    if shape.precision is not None:
        digits = shape.precision
        moved = shapely.transform(
            moved, lambda points: np.round(points, digits), include_z=layer.has_z and shape.with_z
        )
    return np.asarray(moved, dtype=object)


def _single(geometries: Geometries) -> Geometries:
    """Lines and polygons of one part as such."""
    found = geometries.copy()
    collections = np.isin(shapely.get_type_id(found), (5, 6))
    for number in np.flatnonzero(collections & (shapely.get_num_geometries(found) == 1)):
        found[number] = shapely.get_geometry(found[number], 0)
    return found
