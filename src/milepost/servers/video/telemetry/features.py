"""``telemetry.geojson``: the way of the camera and what it saw, to be looked at in any GIS."""

import math
from collections.abc import Iterable, Sequence
from typing import Any, Final

from milepost.servers.video.telemetry.klv import SECURITY_NAMES
from milepost.servers.video.telemetry.planar import near
from milepost.servers.video.telemetry.samples import Corner, Position, Sample
from milepost.servers.video.telemetry.table import PLACES, name_of
from milepost.servers.video.telemetry.track import Place, Track, place_of

MOST: Final = 2000
"""Footprints that the file may have; more are too many to draw."""
_NO_ATTRIBUTES: Final = frozenset({*PLACES.values(), *range(26, 34)})
"""Tags that tell the shape itself."""


def as_geojson(track: Track, samples: Iterable[Sample] = (), most: int = MOST) -> dict[str, Any]:
    """Track, line of the frame centres, and footprints as GeoJSON.

    The collection says beside its features what the video is about, and how many of its footprints are there.

    Args:
        track: the telemetry.
        samples: its samples, of which those that are shown give their attributes.
        most: how many footprints there may be.
    """
    places = [place_of(each) for each in track.samples]
    reference = track.extent[0] if track.extent else 0.0  # lines go on over the antimeridian
    features = []
    for role in ("sensor", "center"):
        told = [found for each in places if (found := getattr(each, role)) is not None]
        line = [_coordinates(each, reference) for each in told]
        if len(line) > 1:
            features.append(_feature({"type": "LineString", "coordinates": line}, {"role": f"{role} track"}))
    seen = [each for each in places if each.corners is not None]
    step = max(1, math.ceil(len(seen) / most))
    shown = seen[::step]
    attributes = _attributes(samples, {each.time for each in shown})
    for each in shown:
        corners = [_coordinates(corner, reference) for corner in each.corners or ()]
        properties = _when(track, places[0], each) | attributes.get(each.time, {})
        outline = {"type": "Polygon", "coordinates": [_counterclockwise(corners)]}
        features.append(_feature(outline, properties))
    return {
        "type": "FeatureCollection",
        "about": track.about,
        "timeSystem": track.time_system,
        "footprints": {"shown": len(shown), "every": step * track.every, "sets": track.sets},
        "features": features,
    }


def _when(track: Track, first: Place, place: Place) -> dict[str, Any]:
    properties: dict[str, Any] = {"role": "footprint", "time": place.time}
    if track.start is not None:
        name = "utc" if track.time_system == "UTC" else "mispTime"
        properties[name] = track.start + round((place.time - first.time) * 1000)
    return properties


def _attributes(samples: Iterable[Sample], times: set[float]) -> dict[float, dict[str, Any]]:
    """What is told at given times, by the names of the items."""
    found: dict[float, dict[str, Any]] = {}
    for sample in samples:
        time = round(sample.time * 1000) / 1000
        if time in times:
            values = {
                name_of(tag): value for tag, value in sample.values.items() if tag not in _NO_ATTRIBUTES
            }
            found[time] = values | {SECURITY_NAMES[tag]: value for tag, value in sample.security.items()}
    return found


def _coordinates(position: Position | Corner, reference: float) -> list[float]:
    x, *others = position
    return [round(near(x, reference), 9), *(each for each in others if each is not None)]


def _feature(geometry: dict[str, Any], properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def _counterclockwise(corners: Sequence[list[float]]) -> list[list[float]]:
    turned = zip(corners, [*corners[1:], corners[0]], strict=True)
    points = list(corners) if sum(a[0] * b[1] - b[0] * a[1] for a, b in turned) > 0 else list(corners[::-1])
    return [*points, points[0]]
