"""``telemetry.json``: where the camera was and what it saw, dense enough to follow it at any time."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from milepost.servers.video.telemetry.planar import near
from milepost.servers.video.telemetry.samples import Corners, Position, Sample

FILE: Final = "telemetry.json"
FIELDS: Final = (
    *("time", "sensorX", "sensorY", "sensorZ", "centerX", "centerY", "centerZ"),
    *("upperLeftX", "upperLeftY", "upperRightX", "upperRightY"),
    *("lowerRightX", "lowerRightY", "lowerLeftX", "lowerLeftY"),
)
"""What the numbers of a sample mean: milliseconds since the first picture, degrees (WGS 84), metres."""
MOST: Final = 20_000
"""Samples that the file may have; of more telemetry every second, third ... one."""

Numbers = list[float | None]


class Place(msgspec.Struct, frozen=True):
    """Where the camera is at a time and what it sees; None for what is not known."""

    time: float
    """Seconds since the first picture."""
    sensor: Position | None
    center: Position | None
    corners: Corners | None


class Track(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What ``telemetry.json`` says."""

    source: str
    """Where the telemetry is from, in words."""
    time_system: str
    """``UTC``, or ``MISP`` when the telemetry does not tell its leap seconds; times are then taken as UTC."""
    start: int | None
    end: int | None
    """Milliseconds since the epoch of the first and last sample."""
    extent: tuple[float, float, float, float] | None
    sets: int
    """How many samples the telemetry has."""
    every: int
    """One of so many is here."""
    hold: float
    """Seconds after which a sample no longer says what is seen."""
    about: dict[str, str] = {}
    """Mission, platform, sensor and security markings, by name."""
    warnings: tuple[str, ...] = ()
    fields: tuple[str, ...] = FIELDS
    samples: list[Numbers] = []

    def at(self, seconds: float) -> Place | None:
        """Where the camera is, between the two samples around a time; None when there is none near it."""
        after = bisect_right(self.samples, seconds * 1000, key=lambda each: each[0] or 0.0)
        before = place_of(self.samples[after - 1]) if after else None
        following = place_of(self.samples[after]) if after < len(self.samples) else None
        reach = self.hold * self.every
        if before is not None and following is not None and following.time - before.time <= reach:
            return _between(before, following, seconds)
        for one in (before, following):
            if one is not None and abs(one.time - seconds) <= reach:
                return Place(seconds, one.sensor, one.center, one.corners)
        return None


def load(file: Path) -> Track:
    """Read ``telemetry.json``.

    Raises:
        FileNotFoundError: the layer has no telemetry.
        msgspec.DecodeError: the file is damaged.
    """
    return msgspec.json.decode(file.read_bytes(), type=Track)


def numbers_of(sample: Sample) -> Numbers:
    """A sample as ``FIELDS`` has it."""
    corners = [None] * 8 if sample.corners is None else [each for corner in sample.corners for each in corner]
    return [
        round(sample.time * 1000),
        *(sample.sensor or (None, None, None)),
        *(sample.center or (None, None, None)),
        *corners,
    ]


def place_of(numbers: Sequence[float | None]) -> Place:
    """The reverse of ``numbers_of``."""
    time, *rest = numbers
    sensor, center, corners = rest[:3], rest[3:6], rest[6:]
    return Place((time or 0.0) / 1000, _position(sensor), _position(center), _four(corners))


def _position(told: Sequence[float | None]) -> Position | None:
    x, y, z = told
    return None if x is None or y is None else (x, y, z)


def _four(told: Sequence[float | None]) -> Corners | None:
    known = [each for each in told if each is not None]
    if len(known) < 8:
        return None
    a, b, c, d = ((known[2 * each], known[2 * each + 1]) for each in range(4))
    return a, b, c, d


def _between(before: Place, after: Place, seconds: float) -> Place:
    whole = after.time - before.time
    share = (seconds - before.time) / whole if whole > 0 else 0.0
    corners = None
    if before.corners is not None and after.corners is not None:
        a, b, c, d = (_mix(*each, share) for each in zip(before.corners, after.corners, strict=True))
        corners = ((a[0], a[1]), (b[0], b[1]), (c[0], c[1]), (d[0], d[1]))
    return Place(
        seconds,
        _moved(before.sensor, after.sensor, share),
        _moved(before.center, after.center, share),
        corners,
    )


def _moved(before: Position | None, after: Position | None, share: float) -> Position | None:
    if before is None or after is None:
        return None
    x, y = _mix(before[:2], after[:2], share)
    height = None if before[2] is None or after[2] is None else before[2] + share * (after[2] - before[2])
    return x, y, height


def _mix(before: tuple[float, float], after: tuple[float, float], share: float) -> tuple[float, float]:
    x = before[0] + share * (near(after[0], before[0]) - before[0])
    return round(math.remainder(x, 360), 9), round(before[1] + share * (after[1] - before[1]), 9)


def encode(track: Track) -> bytes:
    """The content of ``telemetry.json``."""
    return msgspec.json.encode(track)
