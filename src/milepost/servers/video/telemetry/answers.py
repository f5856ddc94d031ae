"""What a server answers about telemetry: pure functions of what is in the folder of a layer."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
import numpy as np
import shapely
from numpy.typing import NDArray

from milepost.servers.video.telemetry.planar import WGS84
from milepost.servers.video.telemetry.track import FIELDS, Place, Track

Numbers = NDArray[np.float64]

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
    places = np.array(track.samples, float).reshape(-1, len(FIELDS))
    times = [float(each) / 1000 for each in places[:, 0]]
    first, last = (None, None) if time is None else time
    if (first is not None or last is not None) and track.start is None:
        raise ValueError("the telemetry of this video tells no time of day; ask by geometry alone")
    # Times of day run along with the video from its first sample on.
    zero = 0.0 if track.start is None or not times else track.start - times[0] * 1000
    met = _meets(places, geometry)
    found: list[Interval] = []
    for number, since in enumerate(times):
        if not met[number]:
            continue
        end = min(times[number + 1] if number + 1 < len(times) else since, since + track.hold * track.every)
        begin = since if first is None else max(since, (first - zero) / 1000)
        end = end if last is None else min(end, (last - zero) / 1000)
        if begin > end:
            continue
        if found and begin <= found[-1].end:
            found[-1] = Interval(found[-1].start, max(end, found[-1].end))
        else:
            found.append(Interval(begin, end))
    return found


def _meets(places: Numbers, geometry: shapely.Geometry | None) -> list[bool]:
    """Whether each sample sees a geometry; in bulk, as hours of video have thousands."""
    if geometry is None:
        return [True] * len(places)
    if geometry.is_empty or not len(places):
        return [False] * len(places)
    west, _, east, _ = geometry.bounds
    sensor, center, corners = places[:, 1:3], places[:, 4:6], places[:, 7:].reshape(-1, 4, 2)
    spots = np.where(np.isnan(center[:, :1]), sensor, center)
    reference = np.full(len(places), (west + east) / 2)
    spots = _near(spots[:, None], reference)[:, 0]
    met = np.zeros(len(places), bool)
    outlined = ~np.isnan(corners).any(axis=(1, 2))
    placed = ~outlined & ~np.isnan(spots).any(axis=1)
    shapely.prepare(geometry)
    met[placed] = shapely.intersects(geometry, shapely.points(spots[placed]))
    # A footprint is unrolled around its first corner, so that one across the antimeridian stays small.
    firsts = _near(corners[outlined][:, :1], reference[outlined])
    hulls = shapely.convex_hull(shapely.polygons(_near(corners[outlined], firsts[:, 0, 0])))
    met[outlined] = shapely.intersects(geometry, hulls)
    return [bool(each) for each in met]


def _near(points: Numbers, reference: Numbers) -> Numbers:
    """Points of the shape (n, m, 2) with longitudes at most half a turn from those of the shape (n,)."""
    moved = points.copy()
    moved[..., 0] -= 360 * np.round((points[..., 0] - reference[:, None]) / 360)
    return moved


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
