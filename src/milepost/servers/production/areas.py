"""Layers of the feature services of this server, by their URLs and for those who may read them."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
import numpy as np
import shapely

from milepost.features import (
    FeatureError,
    FeatureLayer,
    FeatureService,
    FeatureServices,
    GeometryType,
    Selection,
    number_of,
    transform,
)
from milepost.operations.geometries import Geometries, from_esri

_LAYER: Final = re.compile(
    r"/rest/services/((?:[\w-]+/)?[\w-]+)/(?:FeatureServer|MapServer|TopographicProductionServer)/(\d{1,6})/?",
    re.ASCII,
)
"""Clients name a layer as that of the map service it is published in, or of the production service beside that."""

_WGS84: Final = 4326

_MOST: Final = 100_000
"""Features that an ancillary layer may add to a sheet."""

_NEAR: Final = 1e-6
"""Degrees around a place in which areas are looked for."""
_MOST_AT: Final = 1000
"""Areas at one place that are looked at."""


class LayerName(msgspec.Struct, frozen=True):
    """A layer of a feature service of this server."""

    service: str
    layer: int


class Area(msgspec.Struct, frozen=True):
    """An area that a sheet is to show, with what is known of it."""

    geometry: dict[str, Any]
    """A GeoJSON Polygon or MultiPolygon in longitude and latitude."""
    attributes: dict[str, Any] = {}


def layer_of(url: str, base: str) -> LayerName:
    """The layer that a URL names.

    Args:
        url: as a client sent it.
        base: the URL of the context of this server.

    Raises:
        ValueError: it is the URL of something else; the text says what it should be.
    """
    split, own = urlsplit(url.strip()), urlsplit(base)
    found = _LAYER.fullmatch(split.path.removeprefix(own.path))
    if split.netloc and split.netloc.lower() != own.netloc.lower():
        raise ValueError(
            f"{without_query(url)[:200]!r} is on another server, from which nothing is fetched; publish the layer in"
            f" a feature service of this one and send {base}/rest/services/NAME/FeatureServer/0"
        )
    if not found:
        raise ValueError(
            f"{without_query(url)[:200]!r} is no layer of a feature service of this server;"
            f" send {base}/rest/services/NAME/FeatureServer/0"
        )
    return LayerName(found[1], int(found[2]))


def without_query(url: str) -> str:
    """A URL as it may be kept and shown: what clients add to it, such as a token, and a password are left out."""
    split = urlsplit(url.strip())
    return split._replace(netloc=split.netloc.rpartition("@")[2], query="", fragment="").geturl()


def opened(
    services: FeatureServices, name: LayerName, username: str, *, sees_all: bool
) -> tuple[FeatureService, FeatureLayer]:
    """A layer, for somebody.

    Args:
        services: those of the site.
        name: of the layer.
        username: who wants to read it.
        sees_all: whether they may read services that are private.

    Raises:
        FeatureError: there is none that they may read.
    """
    service = services.open(name.service)
    if not sees_all and not service.definition.may_read(username):
        raise FeatureError(f"there is no feature service {name.service!r}")  # nor is it told that there is
    if name.layer >= len(service.layers):
        raise FeatureError(f"feature service {name.service!r} has no layer {name.layer}")
    return service, service.layers[name.layer]


def areas_of_features(
    service: FeatureService, layer: FeatureLayer, features: Sequence[int]
) -> dict[int, Area]:
    """The areas that features cover, by their object ids.

    Raises:
        FeatureError, ValueError: there is no such feature, or it is no area; the text says what helps.
    """
    definition = layer.definition
    found = layer.features(Selection(object_ids=tuple(features)))
    if found.geometries is None:
        raise ValueError(f"the features of layer {definition.name} cover no areas")
    shapes = transform(found.geometries, service.definition.wkid, _WGS84)
    there = {row[definition.object_id]: (shape, row) for shape, row in zip(shapes, found.rows, strict=True)}
    missing = [str(each) for each in features if each not in there]
    if missing:
        raise ValueError(
            f"layer {definition.name} of {service.name} has no feature {', '.join(missing[:10])};"
            " send the object ids of its features"
        )
    return {
        each: _area(*there[each], f"feature {each} of layer {definition.name}")
        for each in dict.fromkeys(features)
    }


def area_at(service: FeatureService, layer: FeatureLayer, longitude: float, latitude: float) -> Area | None:
    """The area of a layer in which a place lies, the smallest of several; None when it lies in none.

    Raises:
        FeatureError, ValueError: the layer cannot be read, or has no areas.
    """
    if not is_area(layer):
        raise ValueError(f"the features of layer {layer.definition.name} cover no areas")
    here = shapely.Point(longitude, latitude)
    rows, shapes, _ = features_within(service, layer, here.buffer(_NEAR).bounds, _MOST_AT)
    around = [
        (float(shape.area), number)
        for number, shape in enumerate(shapes)
        if shape is not None and any(shapely.intersects(shape, each) for each in _turned(here))
    ]
    if not around:
        return None
    _, number = min(around)
    return _area(shapes[number], rows[number], f"the area of layer {layer.definition.name} around the point")


def _turned(point: shapely.Point) -> Iterator[shapely.Point]:
    """A place with its longitude, and whole turns from it: an area may go on beyond 180 degrees."""
    for turn in (0.0, -360.0, 360.0):
        yield shapely.Point(point.x + turn, point.y)


def area_drawn(feature: dict[str, Any]) -> Area:
    """The area of a feature that a client drew.

    Args:
        feature: Esri's JSON of a polygon or an envelope, longitude and latitude unless it says otherwise.

    Raises:
        FeatureError, ValueError: it is no area; the text says what helps.
    """
    form = feature.get("geometry")
    if not isinstance(form, dict) or not ({"rings", "xmin"} & form.keys()):
        raise ValueError(
            "The feature in 'customAoi' has no polygon; send"
            ' {"geometry": {"rings": [[[x, y], ...]], "spatialReference": {"wkid": 4326}}}'
        )
    kind = "esriGeometryPolygon" if "rings" in form else "esriGeometryEnvelope"
    try:
        shapes = from_esri(kind, [form])
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"The polygon in 'customAoi' is broken ({error}); draw it anew") from None
    for low, high in (("xmin", "xmax"), ("ymin", "ymax")) if kind == "esriGeometryEnvelope" else ():
        if float(form[low]) > float(form[high]):
            turned = "; add 360 to it where the area crosses the antimeridian" if high == "xmax" else ""
            raise ValueError(
                f"The envelope in 'customAoi' has a {low!r} of {form[low]} and a {high!r} of {form[high]}, which must be"
                f" the larger one: exchange them{turned}"
            )
    reference = form.get("spatialReference")
    try:
        wkid = number_of(reference) if reference else _WGS84
        [drawn], [shape] = shapes, transform(shapes, wkid, _WGS84)
    except FeatureError as error:
        raise ValueError(f"The polygon in 'customAoi': {error}; draw it in degrees, wkid 4326") from None
    _check_degrees(drawn, shape, wkid)
    attributes = feature.get("attributes")
    return _area(shape, attributes if isinstance(attributes, dict) else {}, "The polygon in 'customAoi'")


def _check_degrees(drawn: shapely.Geometry | None, shape: shapely.Geometry | None, wkid: int) -> None:
    """Refuse coordinates that are metres where they should be degrees, or the other way round.

    Args:
        drawn: as the client sent it.
        shape: the same in longitude and latitude.
        wkid: of the spatial reference that the client named.

    Raises:
        ValueError: they are; the text says what to send.
    """
    if drawn is None or shape is None or drawn.is_empty or shape.is_empty:
        return
    if not _on_earth(shape):
        west, south, east, north = shape.bounds
        raise ValueError(
            f"The polygon in 'customAoi' reaches from {west:g} to {east:g} degrees of longitude and {south:g} to"
            f" {north:g} of latitude, which is not on the Earth; if its coordinates are no degrees, send the wkid of"
            " their 'spatialReference'"
        )
    least = 1e-3 * (drawn.bounds[2] - drawn.bounds[0])
    if wkid != _WGS84 and _on_earth(drawn) and shape.bounds[2] - shape.bounds[0] < least:
        raise ValueError(
            f"The coordinates of the polygon in 'customAoi' are degrees, but those of its spatial reference {wkid} are"
            " lengths; send the wkid 4326"
        )


def _on_earth(shape: shapely.Geometry) -> bool:
    """Whether coordinates may be degrees; longitudes may go on beyond 180."""
    west, south, east, north = shape.bounds
    return bool(west >= -360 and east <= 360 and south >= -90 and north <= 90)


def _area(shape: shapely.Geometry | None, attributes: dict[str, Any], what: str) -> Area:
    if shape is None:
        raise ValueError(f"{what} has no geometry that lies on the Earth; draw it anew")
    shape = shapely.force_2d(shape)
    if shape.is_empty or shape.geom_type not in ("Polygon", "MultiPolygon") or shape.area == 0:
        raise ValueError(f"{what} covers no area; it must be a polygon")
    if not shape.is_valid:
        reason = shapely.is_valid_reason(shape)
        raise ValueError(f"The outline of an area must not cross itself. {what}: {reason}; draw it anew")
    return Area(msgspec.json.decode(shapely.to_geojson(shape)), attributes)


def bounds(area: Area) -> tuple[float, float, float, float]:
    """West, south, east and north of an area, in degrees; east is beyond 180 where it crosses the antimeridian."""
    shape = shapely.from_geojson(msgspec.json.encode(area.geometry))
    west, south, east, north = shape.bounds
    if east - west > 180:  # parts on both sides
        longitudes = shapely.get_coordinates(shape)[:, 0] % 360
        west, east = float(longitudes.min()), float(longitudes.max())
    return west, south, east, north


def features_within(
    service: FeatureService, layer: FeatureLayer, bounds: tuple[float, float, float, float], limit: int
) -> tuple[list[dict[str, Any]], Geometries, bool]:
    """The features of a layer that lie in a part of the world, in longitude and latitude.

    Args:
        service: of the layer.
        layer: the layer.
        bounds: west, south, east and north in degrees, also beyond 180.
        limit: how many at most.

    Returns:
        Their fields, their geometries, and whether there are more.

    Raises:
        FeatureError: they cannot be read.
    """
    wkid = service.definition.wkid
    parts = transform(array_of(*(shapely.segmentize(each, 0.1) for each in _boxes(*bounds))), _WGS84, wkid)
    window = shapely.union_all([each for each in parts if each is not None])
    found = layer.features(Selection(geometry=window), limit=limit)
    shapes = transform(found.geometries, wkid, _WGS84) if found.geometries is not None else array_of()
    return found.rows, shapes, found.more


def _boxes(west: float, south: float, east: float, north: float) -> Iterator[shapely.Geometry]:
    """A part of the world as boxes of longitudes from -180 to 180: two across the antimeridian."""
    for turn in (-360.0, 0.0, 360.0):
        left, right = max(west + turn, -180.0), min(east + turn, 180.0)
        if left < right:
            yield shapely.box(left, max(south, -90.0), right, min(north, 90.0))


def write_features(
    service: FeatureService, layer: FeatureLayer, bounds: tuple[float, float, float, float], path: Path
) -> int:
    """Write the features of a layer that lie in a part of the world to a GeoJSON file; how many there are.

    Args:
        service: of the layer.
        layer: the layer.
        bounds: west, south, east and north in degrees, also beyond 180.
        path: of the file.

    Raises:
        FeatureError, ValueError: they cannot be read, or are too many.
    """
    rows, shapes, more = features_within(service, layer, bounds, _MOST)
    if more:
        raise ValueError(f"layer {layer.definition.name} has more than {_MOST} features there")
    features = [
        {"type": "Feature", "properties": row, "geometry": msgspec.Raw(shapely.to_geojson(shape).encode())}
        for row, shape in zip(rows, shapes, strict=True)
        if shape is not None
    ]
    path.write_bytes(msgspec.json.encode({"type": "FeatureCollection", "features": features}))
    return len(features)


def array_of(*shapes: shapely.Geometry) -> Geometries:
    """An array of some geometries."""
    found = np.empty(len(shapes), dtype=object)
    found[:] = shapes
    return found


def is_area(layer: FeatureLayer) -> bool:
    """Whether the features of a layer cover areas."""
    return layer.definition.geometry is GeometryType.POLYGON
