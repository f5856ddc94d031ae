"""The telemetry of a flight as ST 0601 sets."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any, Final, Literal
from uuid import NAMESPACE_URL, uuid5

from stanag4609.st0102 import decode_security_local_set, encode_security_local_set
from stanag4609.st0601 import encode_uas_local_set
from stanag4609.st1204 import IdentifierQuality, MIISCoreIdentifier

from milepost.servers.video.flight.camera import Flight, Moment

Corners = Literal["full", "offset", "none"]
"""How the corners of the picture are told: by tags 82 to 89, by tags 26 to 33, or not at all."""


def encode_set(
    flight: Flight, moment: Moment, corners: Corners, leap_seconds: int | None, omit: Collection[int]
) -> bytes:
    """The set that describes a moment.

    Args:
        flight: the flight.
        moment: the moment of it.
        corners: how the corners are told.
        leap_seconds: tag 136, by which MISP time is ahead of UTC; None leaves it out, and UTC is tag 2.
        omit: tags to leave out.
    """
    longitude, latitude, height = moment.sensor
    time = flight.start + timedelta(seconds=moment.time + (leap_seconds or 0))
    values: dict[int, Any] = {
        2: time,
        3: "Synthetic",
        5: moment.heading,
        6: moment.pitch,
        7: moment.roll,
        10: "Synthetic <UAS> & camera",
        11: "EO",
        12: "Geodetic WGS84",
        13: latitude,
        14: longitude,
        15: height,
        16: flight.horizontal_view,
        17: flight.vertical_view,
        18: moment.relative_azimuth,
        19: moment.relative_elevation,
        20: moment.relative_roll,
        21: moment.slant_range,
        22: moment.target_width,
        23: moment.center[1],
        24: moment.center[0],
        25: moment.center[2],
        48: _security(),
        65: 19,
        75: height,
        78: moment.center[2],
        94: _IDENTIFIER,
    }
    if leap_seconds is not None:
        values[136] = leap_seconds
    for number, (x, y) in enumerate(moment.corners if corners != "none" else ()):
        if corners == "full":
            values |= {82 + 2 * number: y, 83 + 2 * number: x}
        else:
            values |= {26 + 2 * number: y - moment.center[1], 27 + 2 * number: x - moment.center[0]}
    return encode_uas_local_set({tag: value for tag, value in values.items() if tag not in omit})


_IDENTIFIER: Final = MIISCoreIdentifier(
    version=1,
    sensor_quality=IdentifierQuality.VIRTUAL,
    platform_quality=IdentifierQuality.VIRTUAL,
    sensor_id=uuid5(NAMESPACE_URL, "synthetic sensor"),
    platform_id=uuid5(NAMESPACE_URL, "synthetic platform"),
)


def break_checksum(encoded: bytes) -> bytes:
    """The same set with a wrong checksum."""
    return encoded[:-1] + bytes([encoded[-1] ^ 0x55])


def _security() -> Any:
    """Unclassified, and of no country: a set of ST 0102."""
    marks = {1: 1, 2: 1, 3: "//XZ", 12: 1, 13: "XZ", 22: 12}
    return decode_security_local_set(encode_security_local_set(marks), standalone=False)
