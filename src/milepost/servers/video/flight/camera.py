"""The flight of a camera over flat ground, and what it sees at each moment."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np

from milepost.servers.video.flight.ground import Floats, Ground

LAP: Final = 120.0
"""Seconds for a circle."""
BEGINS: Final = 35.0
FIELD_OF_VIEW: Final = 36.0
"""Degrees across the picture."""

_RADIUS: Final = 0.40
_HEIGHT: Final = 0.42
"""Radius of the circle and height above the ground, in sides of the ground."""

Position = tuple[float, float, float]
"""Longitude and latitude in degrees, and metres above the ellipsoid."""
Corner = tuple[float, float]
"""Longitude and latitude in degrees."""


@dataclass(frozen=True)
class Moment:
    """Where the camera is at one time, where it looks, and what it sees: the truth about a frame."""

    time: float
    """Seconds since the beginning of the video."""
    sensor: Position
    heading: float
    """Of the aircraft, in degrees from true north; as pitch and roll after ST 0601."""
    pitch: float
    roll: float
    relative_azimuth: float
    relative_elevation: float
    relative_roll: float
    """Degrees from the aircraft to the line of sight."""
    slant_range: float
    """Metres from the camera to the centre of the frame."""
    center: Position
    corners: tuple[Corner, Corner, Corner, Corner]
    """Upper left, upper right, lower right, lower left of the picture."""
    pixels: tuple[tuple[float, float], ...]
    """The same corners as columns and rows of the picture of the ground."""
    target_width: float
    """Metres across the ground that the picture shows, through its middle."""


@dataclass(frozen=True)
class Flight:
    """A flight: what the camera sees at any time, and the moments that have telemetry."""

    ground: Ground
    start: datetime
    """UTC at the beginning of the video."""
    horizontal_view: float
    vertical_view: float
    """Degrees across and down the picture."""
    begins: float = BEGINS
    """Degrees from north, clockwise: where on the circle the camera is at the beginning."""
    moments: tuple[Moment, ...] = ()

    def at(self, seconds: float) -> Moment:
        """The truth at a time since the beginning of the video."""
        along = math.radians(360 * seconds / LAP + self.begins)
        side = self.ground.side
        position = np.array([math.sin(along), math.cos(along), 0.0]) * _RADIUS * side
        position[2] = _HEIGHT * side
        target = np.array([math.sin(seconds / 7), math.cos(seconds / 9), 0.0]) * 0.03 * side
        heading = math.degrees(along) + 90
        pitch, roll = 3 + math.sin(seconds), 12 + 2 * math.sin(seconds / 2)

        forward = (target - position) / np.linalg.norm(target - position)
        right = np.cross(forward, [0, 0, 1])
        right /= np.linalg.norm(right)
        tilt = math.radians(2 * math.sin(seconds / 3))  # a mount is never quite level
        up = np.cross(right, forward)
        right, up = math.cos(tilt) * right + math.sin(tilt) * up, math.cos(tilt) * up - math.sin(tilt) * right

        tan_x, tan_y = (
            math.tan(math.radians(each / 2)) for each in (self.horizontal_view, self.vertical_view)
        )
        rays = [forward + x * tan_x * right + y * tan_y * up for x, y in ((-1, 1), (1, 1), (1, -1), (-1, -1))]
        seen = _on_ground(position, [forward, forward - tan_x * right, forward + tan_x * right, *rays])
        degrees = self.ground.to_degrees(np.vstack([position, seen])[:, :2])
        longitude, latitude = degrees[0]
        camera = np.column_stack([_north_east_down(each) for each in (forward, right, -up)])
        azimuth, elevation, turn = _angles(_attitude(heading, pitch, roll).T @ camera)
        pixels = self.ground.to_pixels(seen[3:, :2])
        corners = [(float(x), float(y)) for x, y in degrees[4:]]
        return Moment(
            time=seconds,
            sensor=(float(longitude), float(latitude), float(position[2]) + self.ground.elevation),
            heading=(heading + self.ground.convergence(longitude, latitude)) % 360,
            pitch=pitch,
            roll=roll,
            relative_azimuth=azimuth % 360,
            relative_elevation=elevation,
            relative_roll=turn % 360,
            slant_range=float(np.linalg.norm(seen[0] - position)),
            center=(float(degrees[1, 0]), float(degrees[1, 1]), self.ground.elevation),
            corners=(corners[0], corners[1], corners[2], corners[3]),
            pixels=tuple((float(x), float(y)) for x, y in pixels),
            target_width=float(np.linalg.norm(seen[2] - seen[1])),
        )


def _on_ground(position: Floats, rays: Sequence[Floats]) -> Floats:
    return np.array([position - ray * position[2] / ray[2] for ray in rays])


def _north_east_down(vector: Floats) -> Floats:
    east, north, up = vector
    return np.array([north, east, -up])


def _attitude(heading: float, pitch: float, roll: float) -> Floats:
    """The axes of a body (forward, right, down) as columns of north, east, down."""
    h, p, r = np.radians([heading, pitch, roll])
    about_down = np.array([[np.cos(h), -np.sin(h), 0], [np.sin(h), np.cos(h), 0], [0, 0, 1]])
    about_right = np.array([[np.cos(p), 0, np.sin(p)], [0, 1, 0], [-np.sin(p), 0, np.cos(p)]])
    about_forward = np.array([[1, 0, 0], [0, np.cos(r), -np.sin(r)], [0, np.sin(r), np.cos(r)]])
    axes: Floats = about_down @ about_right @ about_forward
    return axes


def _angles(axes: Floats) -> tuple[float, float, float]:
    """Degrees of heading, pitch and roll of what ``_attitude`` makes."""
    heading = math.degrees(math.atan2(axes[1, 0], axes[0, 0]))
    return heading, math.degrees(-math.asin(axes[2, 0])), math.degrees(math.atan2(axes[2, 1], axes[2, 2]))
