"""The telemetry of a video, read once from beginning to end into a file of samples."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from milepost.servers.video.telemetry.clock import Clock
from milepost.servers.video.telemetry.demuxing import Picture, find, payloads
from milepost.servers.video.telemetry.geometry import Seen
from milepost.servers.video.telemetry.klv import BrokenSetError, Decoded, Splitter, decode
from milepost.servers.video.telemetry.planar import Bounds
from milepost.servers.video.telemetry.samples import KlvStream, Sample, Spool, Telemetry
from milepost.servers.video.telemetry.sides import SideFileError, rows

_KEPT: Final = 30.0
"""Seconds for which a value holds that is not told again: items are sent when they change, and at least this often."""
_KEPT_PLACES: Final = 2.0
_PLACES: Final = frozenset(
    {13, 14, 15, *range(18, 34), 40, 41, 42, 73, 74, 75, 78, *range(82, 90), 95, *range(97, 103), 104}
)
"""Tags of places, angles and what was found in a picture: what a camera saw long ago is not what it sees."""
_LEAP_SECONDS: Final = 136
_CORRECTION: Final = 137
_CLOSEST: Final = 0.004
"""Seconds between two samples: sets that are closer are one, however many a stream has at a moment."""
_EVERY: Final = 50
"""Packets or rows between two reports."""

Tell = Callable[[float], object]


def read(
    source: Path,
    side_files: Mapping[str, Path] | Sequence[Path] = (),
    *,
    workspace: Path,
    tell: Tell | None = None,
) -> Telemetry | None:
    """The telemetry of a video, with the footprints computed that it does not tell.

    Args:
        source: the video.
        side_files: files with telemetry beside it, perhaps with the names they were uploaded by; they count when the
            video itself has none.
        workspace: a folder for the file of samples, which must outlive what is returned.
        tell: called now and then with the fraction that is done.

    Returns:
        The telemetry; None when there is none.

    Raises:
        SideFileError: a file beside the video cannot be read as telemetry, and no other has any.
        ValueError: there is no picture in the video.
        av.FFmpegError: the video cannot be read.
    """
    beside = dict(side_files if isinstance(side_files, Mapping) else {each.name: each for each in side_files})
    picture = Picture(source)
    notes = Counter[str]()
    stream = find(source)
    with Spool(workspace / "telemetry.samples") as spool:
        log = _Log(spool, picture.aspect)
        told = _Telling(picture.duration, tell)
        origin = ""
        if stream is not None:
            origin = f"{stream.carriage} KLV"
            log.take(_of_stream(source, stream, picture, notes, told), notes)
        refused: list[SideFileError] = []
        while not log.count and beside:
            origin = next(iter(beside))
            log.ahead = 0
            try:
                log.take(_of_file(beside.pop(origin), origin, notes, told), notes)
            except SideFileError as error:
                refused.append(error)
    if not log.count and refused:
        raise refused[0]
    if not log.count and not notes:
        return None
    warnings = [
        *_said(notes, log.count),
        *(str(each) for each in refused),
        *(f"{name} was not used: telemetry is from {origin}" for name in beside),
    ]
    return log.telemetry(workspace / "telemetry.samples", origin, warnings)


class _Telling:
    """Tells now and then how far it is."""

    def __init__(self, duration: float, tell: Tell | None):
        self.duration, self._tell, self._count = duration, tell, 0

    def at(self, time: float) -> None:
        self._count += 1
        if self._tell is not None and self._count % _EVERY == 1:
            self._tell(max(0.0, min(1.0, time / self.duration)) if self.duration else 0.0)


def _of_stream(
    source: Path, stream: KlvStream, picture: Picture, notes: Counter[str], told: _Telling
) -> Iterator[tuple[float, Decoded]]:
    """Every set that can be used, with its time."""
    splitter, clock = Splitter(), Clock()
    for time, shown, payload in payloads(source, stream, picture.start):
        told.at(shown)
        for begun, packet in splitter.feed(payload, time) if payload else ():
            try:
                decoded = decode(packet)
            except BrokenSetError as error:
                notes["checksum" if error.checksum else "broken"] += 1
                continue
            notes["items"] += decoded.unreadable
            yield clock.time(begun, shown, decoded.stamp), decoded
    notes["broken"] += splitter.torn


def _of_file(path: Path, name: str, notes: Counter[str], told: _Telling) -> Iterator[tuple[float, Decoded]]:
    """Every row, counted from the first: it is taken to belong to the first picture."""
    first: int | None = None
    for stamp, values in rows(path, name, lambda: notes.update(rows=1)):
        first = stamp if first is None else first
        time = (stamp - first) / 1e6
        told.at(time)
        if time <= told.duration or not told.duration:
            yield time, Decoded(stamp, values, {}, 0)


class _Known:
    """What is known at a time: the items of a set, and those of earlier ones that still hold."""

    def __init__(self) -> None:
        self._values: dict[int, tuple[float, Any]] = {}
        self._security: tuple[float, dict[int, Any]] = (-math.inf, {})

    def update(self, time: float, told: Decoded) -> tuple[dict[int, Any], dict[int, Any]]:
        """Values and security items that hold at a time at which a set tells some of them."""
        for tag, value in told.values.items():
            self._values[tag] = (time, value)
        if told.security:
            self._security = (time, told.security)
        values = {
            tag: value
            for tag, (since, value) in sorted(self._values.items())
            if value is not None and time - since <= (_KEPT_PLACES if tag in _PLACES else _KEPT)
        }
        since, security = self._security
        return values, security if time - since <= _KEPT else {}


class _Log:
    """Writes samples down, and what is true of all of them together."""

    def __init__(self, spool: Spool, aspect: float):
        self.count = 0
        self._spool, self._aspect = spool, aspect
        self._times = (0.0, 0.0)
        self._stamps: tuple[int, int] | None = None
        self.ahead: int | None = None
        """Microseconds by which the stamps are ahead of UTC, where that is known."""
        self._bounds = Bounds()

    def take(self, told: Iterator[tuple[float, Decoded]], notes: Counter[str]) -> None:
        known = _Known()
        for time, decoded in told:
            if self.count and time < self._times[1]:
                notes["order"] += 1
                continue
            values, security = known.update(time, decoded)
            if self.count and time - self._times[1] < _CLOSEST:
                continue
            values.pop(2, None)
            seen = Seen(values, self._aspect)
            notes["ground"] += seen.assumed_ground
            notes["nowhere"] += seen.corners is None
            self._spool.add(
                Sample(
                    time=round(time, 6),
                    stamp=decoded.stamp,
                    values=values,
                    security=security,
                    sensor=seen.sensor,
                    center=seen.center,
                    corners=seen.corners,
                )
            )
            self._note(time, decoded, seen)

    def _note(self, time: float, decoded: Decoded, seen: Seen) -> None:
        self._times = (self._times[0] if self.count else time, time)
        self.count += 1
        if decoded.stamp is not None:
            self._stamps = (self._stamps[0] if self._stamps else decoded.stamp, decoded.stamp)
        if self.ahead is None and isinstance(leaps := decoded.values.get(_LEAP_SECONDS), int):
            self.ahead = leaps * 1_000_000 - int(decoded.values.get(_CORRECTION) or 0)
        for x, y, *_ in seen.corners or [each for each in (seen.center, seen.sensor) if each][:1]:
            self._bounds.add(float(x or 0), float(y or 0))

    def telemetry(self, path: Path, origin: str, warnings: list[str]) -> Telemetry:
        ahead = self.ahead or 0
        if self._stamps and self.ahead is None:
            warnings.append(
                "The telemetry counts in MISP time and does not tell its leap seconds (tag 136); its times are taken as UTC"
            )
        start, end = ((each - ahead) // 1000 for each in self._stamps) if self._stamps else (None, None)
        return Telemetry(
            path=str(path),
            source=origin,
            count=self.count,
            interval=round((self._times[1] - self._times[0]) / max(1, self.count - 1), 6),
            time_system="MISP" if self.ahead is None else "UTC",
            ahead=ahead,
            start=start,
            end=end,
            extent=self._bounds.extent,
            warnings=tuple(warnings),
        )


def _said(notes: Counter[str], count: int) -> Iterator[str]:
    """What happened, in words."""
    texts = {
        "checksum": "{} of the telemetry's sets had a wrong checksum and were left out",
        "broken": "{} of the telemetry's sets could not be decoded and were left out",
        "items": "{} items of the telemetry could not be decoded and were left out",
        "order": "{} of the telemetry's sets came out of order and were left out",
        "rows": "{} rows of the telemetry have no readable time or position and were left out",
        "ground": "{} footprints were computed for ground at height 0: the telemetry tells no height of the ground",
        "nowhere": "{} of the telemetry's sets have no footprint: it is neither told nor can it be computed",
    }
    for key, text in texts.items():
        if notes[key]:
            yield text.format(notes[key])
    if not count:
        yield "The telemetry has nothing that can be used"
