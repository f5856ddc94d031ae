"""Layers of the feature services of this server, by their URLs and for those who may read them."""

import re
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

_LAYER: Final = re.compile(r"/rest/services/((?:[\w-]+/)?[\w-]+)/FeatureServer/(\d{1,6})/?", re.ASCII)

_WGS84: Final = 4326

_MOST: Final = 100_000
"""Features that an ancillary layer may add to a sheet."""


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
    if not found or (split.netloc and split.netloc.lower() != own.netloc.lower()):
        raise ValueError(
            f"{url[:200]!r} is no layer of a feature service of this server;"
            f" send {base}/rest/services/NAME/FeatureServer/0, or draw the area yourself with 'customAoi'"
        )
    return LayerName(found[1], int(found[2]))


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


def area_of_feature(service: FeatureService, layer: FeatureLayer, feature: int) -> Area:
    """The area that a feature covers.

    Raises:
        FeatureError, ValueError: there is no such feature, or it is no area; the text says what helps.
    """
    found = layer.features(Selection(object_ids=(feature,)), limit=1)
    if not found.rows or found.geometries is None:
        raise ValueError(
            f"Layer {layer.definition.name} of {service.name} has no feature {feature};"
            " send 'aoiFeatureId' with the object id of one of its features"
        )
    [shape] = transform(found.geometries, service.definition.wkid, _WGS84)
    return _area(shape, found.rows[0], f"Feature {feature} of layer {layer.definition.name}")


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
    reference = form.get("spatialReference")
    wkid = number_of(reference) if reference else _WGS84
    [shape] = transform(shapes, wkid, _WGS84)
    attributes = feature.get("attributes")
    return _area(shape, attributes if isinstance(attributes, dict) else {}, "The polygon in 'customAoi'")


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
    """West, south, east and north of an area, in degrees."""
    west, south, east, north = shapely.from_geojson(msgspec.json.encode(area.geometry)).bounds
    return west, south, east, north


def write_features(
    service: FeatureService, layer: FeatureLayer, bounds: tuple[float, float, float, float], path: Path
) -> int:
    """Write the features of a layer that lie in a part of the world to a GeoJSON file; how many there are.

    Args:
        service: of the layer.
        layer: the layer.
        bounds: west, south, east and north in degrees.
        path: of the file.

    Raises:
        FeatureError, ValueError: they cannot be read, or are too many.
    """
    wkid = service.definition.wkid
    [window] = transform(array_of(shapely.segmentize(shapely.box(*bounds), 0.1)), _WGS84, wkid)
    found = layer.features(Selection(geometry=window), limit=_MOST)
    if found.more:
        raise ValueError(f"layer {layer.definition.name} has more than {_MOST} features there")
    shapes = transform(found.geometries, wkid, _WGS84) if found.geometries is not None else array_of()
    features = [
        {"type": "Feature", "properties": row, "geometry": msgspec.Raw(shapely.to_geojson(shape).encode())}
        for row, shape in zip(found.rows, shapes, strict=True)
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
