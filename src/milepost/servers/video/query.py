"""Whether and when a layer shows a place: a query over what the camera saw."""

from typing import Any, Final

import shapely

from milepost.http import Field, Parameters, wrong
from milepost.servers.places import read_geometry, read_time
from milepost.servers.video.records import Layer, Service
from milepost.servers.video.telemetry import Interval, Track, seen

QUERY: Final = ("id", "layerId", "geometryType", "geometry", "inSR", "spatialRel", "time")

_INTERSECTS: Final = "esriSpatialRelIntersects"
_DEGREES: Final = 4326
"""The spatial reference of all telemetry."""
_FARTHEST: Final = 360.0
"""Degrees of longitude that maps count up to where they go on over the antimeridian."""
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
        Field("geometry", "Geometry", help='Esri JSON such as {"x": 1.5, "y": 42.5}, or 1.5,42.5'),
        Field("inSR", "Spatial reference", help="Of a geometry that names none; 4326, degrees, by default"),
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
        raise wrong("id", f"{named[:60]!r} is not the service {service.name}")
    number = given.get("layerId").strip()
    if number and number.lstrip("0") != str(layer.id).lstrip("0"):
        raise wrong("layerId", f"{number[:20]!r} is not layer {layer.id}")
    relation = given.get("spatialRel", _INTERSECTS).strip()
    if relation != _INTERSECTS:
        raise wrong("spatialRel", f"{relation[:40]!r} is not {_INTERSECTS}")
    place, times = _read_place(given), _read_times(given)
    try:
        stretches = seen(track, place, times) if track is not None else []
    except ValueError as error:
        raise wrong("time", str(error)) from None
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


def _read_place(given: Parameters) -> shapely.Geometry | None:
    """The geometry that is asked for, in degrees."""
    found = read_geometry(given, _DEGREES)
    if found is None:
        return None
    west, south, east, north = found.bounds
    if south < -90 or north > 90 or west < -_FARTHEST or east > _FARTHEST:
        raise wrong(
            "geometry",
            "it lies beyond the degrees that there are; name its spatial reference there or as inSR",
        )
    return found


def _read_times(given: Parameters) -> tuple[float | None, float | None] | None:
    """The first and the last moment, in milliseconds since 1970 UTC; None for no bound."""
    found = read_time(given.get("time"))
    first, last = found or (None, None)
    if first is not None and last is not None and last < first:
        raise wrong("time", "it ends before it begins")
    return found
