"""Whether and when a layer shows a place: a query over what the camera saw."""

from typing import Any, Final

import msgspec
import shapely

from milepost.features import shapes
from milepost.http import Field, Parameters, ServiceError
from milepost.servers.video.records import Layer, Service
from milepost.servers.video.telemetry import Interval, Track, seen

QUERY: Final = ("id", "layerId", "geometryType", "geometry", "spatialRel", "time")

_INTERSECTS: Final = "esriSpatialRelIntersects"
_TYPES: Final = (
    "esriGeometryPoint",
    "esriGeometryMultipoint",
    "esriGeometryPolyline",
    "esriGeometryPolygon",
    "esriGeometryEnvelope",
)


def query_fields() -> tuple[Field, ...]:
    """The form that people ask a layer with."""
    return (
        Field("geometryType", "Type of the geometry", value="esriGeometryPoint", choices=_TYPES),
        Field("geometry", "Geometry", help='Esri JSON in degrees, such as {"x": 1.5, "y": 42.5}'),
        Field("time", "Time", help="Start and end, in milliseconds since 1970 UTC"),
    )


def answer_query(given: Parameters, service: Service, layer: Layer, track: Track | None) -> dict[str, Any]:
    """When a layer shows a place within a time.

    Args:
        given: the parameters.
        service: whose layer it is.
        layer: the layer.
        track: its telemetry; None when there is none.

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
    place, times = _geometry(given), _time(given)
    try:
        stretches = seen(track, place, times) if track is not None else []
    except ValueError as error:
        raise ServiceError(400, f"Parameter 'time': {error}") from None
    return {
        "serviceName": service.name,
        "layerId": layer.id,
        "intersects": bool(stretches),
        "timeRanges": [_told(each, track) for each in stretches if track is not None],
    }


def _told(stretch: Interval, track: Track) -> dict[str, Any]:
    """A stretch of a video, in seconds since its beginning and, if that is known, in times of day."""
    said: dict[str, Any] = {"startOffset": round(stretch.start, 3), "endOffset": round(stretch.end, 3)}
    if track.start is not None and track.samples:
        zero = track.start - (track.samples[0][0] or 0)
        said |= {"start": round(zero + stretch.start * 1000), "end": round(zero + stretch.end * 1000)}
    return said


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


def _time(given: Parameters) -> tuple[float | None, float | None]:
    """The first and the last moment, in milliseconds since 1970 UTC; None for no bound."""
    text = given.get("time").strip()
    if not text:
        return None, None
    parts = [each.strip().lower() for each in text.split(",")]
    try:
        bounds = [None if each in ("", "null") else float(int(each)) for each in parts]
    except (ValueError, OverflowError):
        bounds = []
    if not 1 <= len(bounds) <= 2:
        raise ServiceError(400, "Parameter 'time': it must be start,end in milliseconds since 1970 UTC")
    return bounds[0], bounds[-1]
