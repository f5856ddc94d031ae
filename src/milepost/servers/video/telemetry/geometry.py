"""Where a camera looks: its footprint on the earth, from what telemetry tells.

Angles follow ST 0601: heading clockwise from true north, then pitch, then roll of the platform, and in its
frame azimuth, elevation and roll of the sensor. The ground is the WGS 84 ellipsoid raised
to the height that the telemetry tells for the middle of the picture.
"""

import math
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import numpy as np
import pyproj
from numpy.typing import NDArray

from milepost.servers.video.telemetry.samples import Corner, Corners, Position

Floats = NDArray[np.float64]

_EQUATOR: Final = 6_378_137.0
_POLE: Final = 6_356_752.314245
_FARTHEST: Final = 500_000.0
"""Metres from the sensor to the farthest corner: beyond, the picture shows the horizon."""


class Seen:
    """Where the sensor is, and what it sees; None for what cannot be known."""

    def __init__(self, values: Mapping[int, Any], aspect: float):
        """Out of values by tag.

        Args:
            values: numbers by tag of ST 0601.
            aspect: width over height of the picture.
        """
        get = values.get
        height, ground = _heights(values)
        self.sensor: Position | None = _position(get(14), get(13), height)
        self.center: Position | None = _position(get(24), get(23), ground)
        self.corners: Corners | None = _full(values) or _offset(values)
        self.assumed_ground = False
        """Whether the height of the ground was not told and taken as 0."""
        if self.sensor is None or height is None or (self.center and self.corners):
            return
        turned = _attitude(values)
        if ground is None:
            ground = _height_of_ground(self.sensor, self.center, turned, get(21))
        unsure, ground = ground is None, ground or 0.0
        axes = turned if self.center is None else _towards((*self.center[:2], ground), self.sensor, turned)
        if axes is None:
            return
        if self.center is None and (met := _on_ground(self.sensor, axes[:, :1].T, ground)):
            self.center, self.assumed_ground = (*met[0], ground), unsure
        rays = _rays(axes, get(16), get(17), aspect)
        if self.corners is None and rays is not None and (met := _on_ground(self.sensor, rays, ground)):
            self.corners, self.assumed_ground = _corners(met), unsure


def _heights(values: Mapping[int, Any]) -> tuple[float | None, float | None]:
    """Metres of the sensor and of the ground, above the same zero where that can be had."""
    get = values.get
    ellipsoid = get(104) if get(104) is not None else get(75)
    if ellipsoid is not None and get(78) is not None:
        return ellipsoid, get(78)
    if get(15) is not None and get(25) is not None:
        return get(15), get(25)
    return (get(15) if ellipsoid is None else ellipsoid), (get(25) if get(78) is None else get(78))


def _position(longitude: float | None, latitude: float | None, height: float | None) -> Position | None:
    return None if longitude is None or latitude is None else (longitude, latitude, height)


def _full(values: Mapping[int, Any]) -> Corners | None:
    """Corners as tags 82 to 89 tell them."""
    told = [(values.get(83 + 2 * each), values.get(82 + 2 * each)) for each in range(4)]
    return _told(told)


def _offset(values: Mapping[int, Any]) -> Corners | None:
    """Corners as tags 26 to 33 tell them, from the middle of the picture."""
    x, y = values.get(24), values.get(23)
    if x is None or y is None:
        return None
    offsets = [(values.get(27 + 2 * each), values.get(26 + 2 * each)) for each in range(4)]
    return _told([(None if u is None else x + u, None if v is None else y + v) for u, v in offsets])


def _told(points: list[tuple[float | None, float | None]]) -> Corners | None:
    found: list[Corner] = []
    for x, y in points:
        if x is None or y is None or abs(y) > 90:
            return None
        found.append((round(x, 9), round(y, 9)))
    # Four times the same point is what some systems write while they know no corners.
    return (found[0], found[1], found[2], found[3]) if len(set(found)) > 2 else None


def _attitude(values: Mapping[int, Any]) -> Floats | None:
    """The camera's axes (forward, right, down) as columns of north, east, down, from the angles that are told."""
    get = values.get
    heading, azimuth, elevation = get(5), get(18), get(19)
    if heading is None or azimuth is None or elevation is None:
        return None
    pitch, roll = (get(wide) if get(wide) is not None else get(narrow) for wide, narrow in ((90, 6), (91, 7)))
    platform = _turned(heading, pitch or 0.0, roll or 0.0)
    axes: Floats = np.matmul(platform, _turned(azimuth, elevation, get(20) or 0.0))
    return axes


def _towards(center: Position, sensor: Position, turned: Floats | None) -> Floats | None:
    """The axes of a camera that looks at a place.

    The middle of the picture is told more truly than angles are: of those only the roll around the line of
    sight is taken. Without them the horizon is level.
    """
    way = _local(sensor).T @ (_earth([center])[0] - _earth([sensor])[0])
    forward = way / (np.linalg.norm(way) or 1.0)
    right = np.array([-forward[1], forward[0], 0.0]) if turned is None else turned[:, 1]
    right = right - forward * (forward @ right)
    if np.linalg.norm(right) < 1e-6:
        return None  # straight down, and nothing tells what is up in the picture
    right /= np.linalg.norm(right)
    return np.column_stack([forward, right, np.cross(forward, right)])


def _turned(heading: float, pitch: float, roll: float) -> Floats:
    """The axes of a body (forward, right, down) as columns of the frame that it is turned in; in degrees."""
    (ch, cp, cr), (sh, sp, sr) = (
        [f(math.radians(each)) for each in (heading, pitch, roll)] for f in (math.cos, math.sin)
    )
    return np.array(
        [
            [ch * cp, ch * sp * sr - sh * cr, ch * sp * cr + sh * sr],
            [sh * cp, sh * sp * sr + ch * cr, sh * sp * cr - ch * sr],
            [-sp, cp * sr, cp * cr],
        ]
    )


def _rays(axes: Floats, across: float | None, down: float | None, aspect: float) -> Floats | None:
    """Directions to the four corners, as rows of north, east, down."""
    if not across or not 0 < across < 170:
        return None
    x = math.tan(math.radians(across / 2))
    y = math.tan(math.radians(down / 2)) if down and 0 < down < 170 else x / aspect
    ways = np.array([[1, -x, -y], [1, x, -y], [1, x, y], [1, -x, y]])
    found: Floats = ways @ axes.T
    return found


def _on_ground(sensor: Position, rays: Floats, ground: float) -> list[Corner] | None:
    """Where rays from the sensor meet the ground; None when one of them does not."""
    squeeze = np.array([1.0, 1.0, (_EQUATOR + ground) / (_POLE + ground)])
    from_here = _earth([sensor])[0] * squeeze
    ways = (rays @ _local(sensor).T) * squeeze
    a = (ways * ways).sum(axis=1)
    b = ways @ from_here
    c = from_here @ from_here - (_EQUATOR + ground) ** 2
    root = b * b - a * c
    if c < 0 or (root < 0).any() or (b >= 0).any():
        return None
    met = (from_here + ways * ((-b - np.sqrt(root)) / a)[:, None]) / squeeze
    if np.linalg.norm(met - from_here / squeeze, axis=1).max() > _FARTHEST:
        return None
    longitudes, latitudes, _ = _geocentric().transform(*met.T, direction="INVERSE")
    return [(round(float(x), 9), round(float(y), 9)) for x, y in zip(longitudes, latitudes, strict=True)]


def _height_of_ground(
    sensor: Position, center: Position | None, turned: Floats | None, slant_range: float | None
) -> float | None:
    """Metres of height at the end of the line of sight, which has a length, and a direction or a place below its end."""
    if not slant_range:
        return None
    if center is not None:
        across = np.linalg.norm(_earth([(*center[:2], sensor[2])])[0] - _earth([sensor])[0])
        return round((sensor[2] or 0.0) - math.sqrt(max(0.0, slant_range**2 - float(across) ** 2)), 3)
    if turned is None:
        return None
    end = _earth([sensor])[0] + _local(sensor) @ turned[:, 0] * slant_range
    return round(float(_geocentric().transform(*end, direction="INVERSE")[2]), 3)


def _corners(found: list[Corner]) -> Corners:
    return found[0], found[1], found[2], found[3]


def _earth(positions: list[Position]) -> Floats:
    """Metres from the middle of the earth."""
    x, y, z = zip(*positions, strict=True)
    heights = [0.0 if each is None else each for each in z]
    return np.column_stack(_geocentric().transform(list(x), list(y), heights))


def _local(sensor: Position) -> Floats:
    """North, east and down at a place, as columns of the earth's axes."""
    x, y = math.radians(sensor[0]), math.radians(sensor[1])
    return np.array(
        [
            [-math.sin(y) * math.cos(x), -math.sin(x), -math.cos(y) * math.cos(x)],
            [-math.sin(y) * math.sin(x), math.cos(x), -math.cos(y) * math.sin(x)],
            [math.cos(y), 0.0, -math.sin(y)],
        ]
    )


@cache
def _geocentric() -> Any:
    return pyproj.Transformer.from_crs("EPSG:4979", "EPSG:4978", always_xy=True)
