"""Whether and when a layer shows a place: a query over what the camera saw."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec
import shapely

from milepost.features import shapes
from milepost.http import Field, Parameters, ServiceError
from milepost.servers.video.records import Layer, Service

QUERY: Final = ("id", "layerId", "geometryType", "geometry", "spatialRel", "time")

_INTERSECTS: Final = "esriSpatialRelIntersects"
_TYPES: Final = (
    "esriGeometryPoint",
    "esriGeometryMultipoint",
    "esriGeometryPolyline",
    "esriGeometryPolygon",
    "esriGeometryEnvelope",
)
_GAP: Final = 2000
"""Milliseconds between two looks at a place that count as one."""


def query_fields() -> tuple[Field, ...]:
    """The form that people ask a layer with."""
    return (
        Field("geometryType", "Type of the geometry", value="esriGeometryPoint", choices=_TYPES),
        Field("geometry", "Geometry", help='Esri JSON in degrees, such as {"x": 1.5, "y": 42.5}'),
        Field("time", "Time", help="Start and end, in milliseconds since 1970 UTC"),
    )


def answer_query(
    given: Parameters, service: Service, layer: Layer, footprints: bytes | None
) -> dict[str, Any]:
    """When a layer shows a place within a time.

    Args:
        given: the parameters.
        service: whose layer it is.
        layer: the layer.
        footprints: what the camera saw, as GeoJSON; None when nobody knows.

    Raises:
        ServiceError: 400, a parameter does not fit.
    """
    named = given.get("id").strip()
    if named and named.lower() not in (service.name.lower(), service.item):
        raise ServiceError(400, f"Parameter 'id': {named[:60]!r} is not the service {service.name}")
    number = given.get("layerId").strip()
    if number and number.lstrip("0") != str(layer.id).lstrip("0"):
        raise ServiceError(400, f"Parameter 'layerId': {number[:20]!r} is not layer {layer.id}")
    relation = given.get("spatialRel", _INTERSECTS).strip()
    if relation != _INTERSECTS:
        raise ServiceError(400, f"Parameter 'spatialRel': {relation[:40]!r} is not {_INTERSECTS}")
    place = _geometry(given)
    begin, end = _time(given)
    ranges: list[list[int]] = []
    for moment, seen in _footprints(footprints):
        if begin <= moment <= end and (place is None or seen.intersects(place)):
            if ranges and moment - ranges[-1][1] <= _GAP:
                ranges[-1][1] = moment
            else:
                ranges.append([moment, moment])
    first = layer.facts.start or 0
    return {
        "serviceName": service.name,
        "layerId": layer.id,
        "intersects": bool(ranges),
        "timeRanges": [
            {
                "start": start,
                "end": stop,
                "startOffset": round((start - first) / 1000, 3),
                "endOffset": round((stop - first) / 1000, 3),
            }
            for start, stop in ranges
        ],
    }


def _geometry(given: Parameters) -> shapely.Geometry | None:
    text = given.get("geometry").strip()
    if not text:
        return None
    kind = given.get("geometryType", "esriGeometryPolygon").strip()
    if kind not in _TYPES:
        raise ServiceError(400, f"Parameter 'geometryType': {kind[:40]!r} is none of {', '.join(_TYPES)}")
    try:
        form = msgspec.json.decode(text, type=dict[str, Any])
        reference = form.get("spatialReference") or {}
        if not isinstance(reference, dict) or reference.get("wkid", 4326) != 4326:
            raise ServiceError(400, "Parameter 'geometry': send it in degrees, spatial reference 4326")
        [found] = shapes(kind, [form])
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise ServiceError(400, "Parameter 'geometry': it must be Esri JSON") from None
    except ValueError as error:
        raise ServiceError(400, f"Parameter 'geometry': {error}") from None
    if found is None or shapely.is_empty(found):
        raise ServiceError(400, "Parameter 'geometry': it is empty")
    shapely.prepare(found)
    return found


def _time(given: Parameters) -> tuple[float, float]:
    """The first and the last moment, in milliseconds since 1970 UTC."""
    text = given.get("time").strip()
    if not text:
        return float("-inf"), float("inf")
    parts = [each.strip() for each in text.split(",")]
    try:
        if len(parts) > 2:
            raise ValueError
        bounds = [
            ends if each.lower() in ("", "null") else float(int(each))
            for each, ends in zip(parts, (float("-inf"), float("inf")), strict=False)
        ]
    except (ValueError, OverflowError):
        raise ServiceError(
            400, "Parameter 'time': it must be start,end in milliseconds since 1970 UTC"
        ) from None
    return bounds[0], bounds[-1]


def _footprints(content: bytes | None) -> Iterator[tuple[int, shapely.Geometry]]:
    """What the camera saw, by the time in milliseconds since 1970 UTC."""
    features = msgspec.json.decode(content).get("features", ()) if content else ()
    for each in features:
        form, moment = each.get("geometry"), each.get("properties", {}).get("time")
        if form and form["type"].endswith("Polygon") and isinstance(moment, int | float):
            yield int(moment), shapely.from_geojson(msgspec.json.encode(form))
