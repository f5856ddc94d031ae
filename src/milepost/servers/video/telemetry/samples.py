"""What is known at one moment of a video, and a stretch of such moments in a file."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import msgspec

Position = tuple[float, float, float | None]
"""Longitude and latitude in degrees (WGS 84), and metres of height where they are known."""
Corner = tuple[float, float]
"""Longitude and latitude in degrees."""
Corners = tuple[Corner, Corner, Corner, Corner]
"""Upper left, upper right, lower right, lower left of the picture."""


class Sample(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known at one moment."""

    time: float
    """Seconds since the first picture."""
    stamp: int | None = None
    """Microseconds since the epoch, as the telemetry tells them."""
    values: dict[int, Any] = {}
    """Values by their tag of ST 0601: numbers and text."""
    security: dict[int, Any] = {}
    """Values by their tag of ST 0102."""
    sensor: Position | None = None
    center: Position | None = None
    """The middle of the picture, on the ground."""
    corners: Corners | None = None


class KlvStream(msgspec.Struct, frozen=True):
    """The stream of a video that has telemetry."""

    index: int
    """Of the stream in its file."""
    carriage: str
    """``synchronous`` when every set has the time stamp of a picture, else ``asynchronous``."""


class Telemetry(msgspec.Struct, frozen=True, kw_only=True):
    """All telemetry of a video; the samples themselves are in a file, one JSON text a line."""

    path: str
    """The file of the samples."""
    source: str
    """Where they are from, in words."""
    count: int
    interval: float
    """Seconds from one sample to the next, as a rule."""
    time_system: str
    """``UTC``, or ``MISP`` when nobody told how far the time stamps are ahead of UTC."""
    ahead: int = 0
    """Microseconds by which the time stamps are ahead of UTC."""
    start: int | None = None
    end: int | None = None
    """Milliseconds since the epoch of the first and last sample; None when the telemetry tells no time."""
    extent: tuple[float, float, float, float] | None = None
    """West, south, east, north in degrees of all that is seen."""
    warnings: tuple[str, ...] = ()
    """What those who publish the video should know of its telemetry."""

    def samples(self) -> Iterator[Sample]:
        """The samples, in order of their time."""
        decoder = msgspec.json.Decoder(Sample)
        with open(self.path, "rb") as file:
            for line in file:
                yield decoder.decode(line)

    def utc(self, sample: Sample) -> int | None:
        """UTC of a sample in microseconds since the epoch."""
        return None if sample.stamp is None else sample.stamp - self.ahead


class Spool(AbstractContextManager["Spool"]):
    """Writes samples to a file, so that hours of telemetry need no memory."""

    _AT_ONCE: Final = 256

    def __init__(self, path: Path):
        self._file = path.open("wb")
        self._encoder = msgspec.json.Encoder()
        self._waiting: list[bytes] = []

    def add(self, sample: Sample) -> None:
        """Write a sample."""
        self._waiting.append(self._encoder.encode(sample))
        if len(self._waiting) >= self._AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        self._file.writelines(each + b"\n" for each in self._waiting)
        self._waiting.clear()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._flush()
        self._file.close()
