"""Longitudes and latitudes as a plane, which goes on over the antimeridian."""

from collections.abc import Iterable, Sequence
from typing import Any

from milepost.servers.video.telemetry.samples import Corner

WGS84 = {"wkid": 4326}


def near(longitude: float, reference: float) -> float:
    """The same longitude, at most half a turn from another; it may then be beyond 180 degrees."""
    return longitude - 360 * round((longitude - reference) / 360)


class Bounds:
    """The smallest box around places, taken as near to the first one."""

    def __init__(self) -> None:
        self._box: list[float] | None = None
        self._first = 0.0

    def add(self, longitude: float, latitude: float) -> None:
        """Make room for a place."""
        if self._box is None:
            self._first = longitude
            self._box = [longitude, latitude, longitude, latitude]
            return
        x, box = near(longitude, self._first), self._box
        box[0], box[1], box[2], box[3] = (
            min(box[0], x),
            min(box[1], latitude),
            max(box[2], x),
            max(box[3], latitude),
        )

    @property
    def extent(self) -> tuple[float, float, float, float] | None:
        """West, south, east, north; None when nothing was added."""
        return None if self._box is None else (self._box[0], self._box[1], self._box[2], self._box[3])


def ring(corners: Sequence[Corner], reference: float) -> list[list[float]]:
    """A closed ring of corners, clockwise as Esri's JSON wants exteriors."""
    points = [[round(near(x, reference), 9), y] for x, y in corners]
    twice_area = sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(points, points[1:] + points[:1], strict=True))
    if twice_area > 0:
        points.reverse()
    return [*points, points[0]]


def polygon(corners: Sequence[Corner], reference: float) -> dict[str, Any]:
    """A footprint as Esri's JSON."""
    return {"rings": [ring(corners, reference)], "spatialReference": WGS84}


def point(place: Iterable[float | None], reference: float) -> dict[str, Any]:
    """A place as Esri's JSON."""
    x, y, *z = place
    found: dict[str, Any] = {"x": round(near(x or 0.0, reference), 9), "y": y}
    if z and z[0] is not None:
        found["z"] = z[0]
    return {**found, "spatialReference": WGS84}
