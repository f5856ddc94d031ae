"""``coverage.json``: the ground that a video shows, the way of its sensor, and where it begins."""

import math
from typing import Any, Final

import shapely

from milepost.servers.video.telemetry.planar import WGS84, near, point, polygon, ring
from milepost.servers.video.telemetry.track import Place, Track, place_of

FILE: Final = "coverage.json"
_FOOTPRINTS: Final = 2_000
"""How many footprints the area is made of at most."""
_POINTS: Final = 5_000
"""How many points the way of the sensor has at most."""
_DETAIL: Final = 500
"""How many of the steps that the outline of the area may neglect go into its extent."""


def coverage(track: Track) -> dict[str, Any]:
    """The content of ``coverage.json``.

    The beginning is told twice: as players read it (``start``), and as the documents print it,
    ``framCenter`` included.
    """
    places = [place_of(each) for each in track.samples]
    reference = _reference(track)
    begin = next((each for each in places if each.corners and each.sensor), None)
    begin = begin or next((each for each in places if each.center or each.sensor or each.corners), None)
    return {
        "area": {"rings": _area(places, reference), "spatialReference": WGS84},
        "sensorPoints": _way(places, reference),
        "telemetry": _begin(begin, reference) if begin else {},
    }


def _begin(place: Place, reference: float) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    if place.center is not None:
        parts["frameCenter"] = point(place.center, reference)
    if place.corners is not None:
        parts["frameOutline"] = polygon(place.corners, reference)
    if place.sensor is not None:
        parts["sensor"] = point(place.sensor, reference)
    flat = {"framCenter" if key == "frameCenter" else key: value for key, value in parts.items()}
    return {"start": parts, **flat}


def _reference(track: Track) -> float:
    return track.extent[0] if track.extent else 0.0


def _area(places: list[Place], reference: float) -> list[list[list[float]]]:
    """Rings of the union of all footprints: exteriors clockwise, holes not."""
    seen = [each.corners for each in places if each.corners is not None]
    some = seen[:: max(1, math.ceil(len(seen) / _FOOTPRINTS))]
    if not some:
        return []
    # The hull mends footprints whose corners were told in a wrong order.
    hulls = shapely.convex_hull(shapely.polygons([ring(each, reference) for each in some]))
    union = shapely.union_all(hulls[shapely.area(hulls) > 0])
    if union.is_empty:
        return []
    west, south, east, north = union.bounds
    union = shapely.simplify(union, max(east - west, north - south) / _DETAIL)
    rings = []
    for part in shapely.get_parts(shapely.orient_polygons(union, exterior_cw=True)):
        rings += [_rounded(each) for each in (part.exterior, *part.interiors)]
    return rings


def _rounded(line: Any) -> list[list[float]]:
    return [[round(float(x), 8), round(float(y), 8)] for x, y in line.coords]


def _way(places: list[Place], reference: float) -> dict[str, Any]:
    """Where the sensor was; m is milliseconds since the first picture."""
    some = [each for each in places if each.sensor is not None]
    points = []
    for each in some[:: max(1, math.ceil(len(some) / _POINTS))]:
        x, y, z = each.sensor or (0.0, 0.0, None)
        points.append([round(near(x, reference), 9), y, z or 0.0, round(each.time * 1000)])
    return {"hasZ": True, "hasM": True, "spatialReference": WGS84, "points": points}
