"""What a server answers about telemetry: pure functions of what is in the folder of a layer."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
import shapely

from milepost.servers.video.telemetry.planar import WGS84, near, ring
from milepost.servers.video.telemetry.track import Place, Track, place_of

_PARTS: Final = {"area": "area", "sensorpoints": "sensorPoints", "telemetry": "telemetry"}


class Interval(msgspec.Struct, frozen=True):
    """A stretch of a video."""

    start: float
    end: float
    """Seconds since the first picture."""


def part_of_coverage(coverage: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """What ``coverage?type=`` answers.

    Args:
        coverage: the content of ``coverage.json``.
        kind: ``area``, ``sensorPoints`` or ``telemetry``; everything when empty.

    Raises:
        ValueError: there is no such part.
    """
    if not kind:
        return dict(coverage)
    part = _PARTS.get(kind.lower())
    if part is None:
        raise ValueError(f"no coverage of type {kind[:40]!r}; use one of {', '.join(_PARTS.values())}")
    return {part: coverage[part]}


def seen(
    track: Track,
    geometry: shapely.Geometry | None = None,
    time: tuple[float | None, float | None] | None = None,
) -> list[Interval]:
    """When a video shows a place: the stretches in which its footprint meets a geometry.

    Where there is no footprint, the middle of the picture counts, else the sensor.

    Args:
        track: the telemetry.
        geometry: in degrees (WGS 84); everywhere when None.
        time: from and to in milliseconds since the epoch, either of them None for no bound; always when None.

    Raises:
        ValueError: a time is asked for, and the telemetry tells none.
    """
    places = [place_of(each) for each in track.samples]
    first, last = (None, None) if time is None else time
    if (first is not None or last is not None) and track.start is None:
        raise ValueError("the telemetry of this video tells no time of day; ask by geometry alone")
    # Times of day run along with the video from its first sample on.
    zero = 0.0 if track.start is None or not places else track.start - places[0].time * 1000
    met = _meets(places, geometry)
    found: list[Interval] = []
    for number, place in enumerate(places):
        following = places[number + 1].time if number + 1 < len(places) else place.time
        end = min(following, place.time + track.hold * track.every)
        if not met[number]:
            continue
        begin = place.time if first is None else max(place.time, (first - zero) / 1000)
        end = end if last is None else min(end, (last - zero) / 1000)
        if begin > end:
            continue
        if found and begin <= found[-1].end:
            found[-1] = Interval(found[-1].start, max(end, found[-1].end))
        else:
            found.append(Interval(begin, end))
    return found


def _meets(places: list[Place], geometry: shapely.Geometry | None) -> list[bool]:
    if geometry is None:
        return [True] * len(places)
    if geometry.is_empty or not places:
        return [False] * len(places)
    west, _, east, _ = geometry.bounds
    shapes = [_shape(each, (west + east) / 2) for each in places]
    return [bool(each) for each in shapely.intersects(shapes, geometry)]


def _shape(place: Place, reference: float) -> shapely.Geometry:
    if place.corners is not None:
        middle = near(place.corners[0][0], reference)
        return shapely.convex_hull(shapely.Polygon(ring(place.corners, middle)))
    spot = place.center or place.sensor
    return shapely.Point() if spot is None else shapely.Point(near(spot[0], reference), spot[1])


def corners_at(track: Track, times: Iterable[float]) -> list[dict[str, Any]]:
    """The corners of the picture at given times, as the frames of a frameset have them.

    Args:
        track: the telemetry.
        times: seconds since the first picture.

    Returns:
        For every time ``{"topLeft": {x, y, z, spatialReference}, "topRight", "bottomRight", "bottomLeft"}``; an empty
        object where nobody knows. z is the height of the ground in metres, as for the middle of the picture.
    """
    return [_named(track.at(each)) for each in times]


def _named(place: Place | None) -> dict[str, Any]:
    if place is None or place.corners is None:
        return {}
    height = 0.0 if place.center is None or place.center[2] is None else place.center[2]
    names = ("topLeft", "topRight", "bottomRight", "bottomLeft")
    return {
        name: {"x": x, "y": y, "z": height, "spatialReference": WGS84}
        for name, (x, y) in zip(names, place.corners, strict=True)
    }
