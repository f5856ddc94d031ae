"""What segments of fragmented MP4 (CMAF) hold, read from their boxes: the measures that playlists tell."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

INIT: Final = "init.mp4"
"""The name of what a player reads before any segment."""

SEGMENT: Final = "*.m4s"

_CONTAINERS: Final = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl", b"mvex", b"moof", b"traf"})

_MOST: Final = 16 << 20
"""Bytes of boxes other than media data in one segment; far more than any segment of ours has."""


class Segment(msgspec.Struct, frozen=True):
    """One segment of a rendition."""

    name: str
    start: float
    """Seconds from the beginning of the rendition."""
    duration: float
    """Seconds."""
    size: int
    """Bytes."""
    frames: int


class Rendition(msgspec.Struct, frozen=True):
    """A rung or the audio, as it lies in its folder."""

    name: str
    codec: str
    """As playlists name it, such as ``avc1.64001f``."""
    width: int
    height: int
    """Pixels; 0 of audio."""
    segments: tuple[Segment, ...]

    @property
    def duration(self) -> float:
        """Seconds."""
        return sum(each.duration for each in self.segments)

    @property
    def frames(self) -> int:
        """How many frames it has."""
        return sum(each.frames for each in self.segments)


class _Track(NamedTuple):
    timescale: int
    default_duration: int
    codec: str
    width: int
    height: int


def measure(folder: Path) -> Rendition:
    """Measure the rendition in a folder, named after it.

    Raises:
        ValueError: it is not whole.
    """
    names = sorted(each.name for each in folder.glob(SEGMENT))
    if not names or not (folder / INIT).is_file():
        raise ValueError(f"the rendition {folder.name} has no segments")
    track = _track((folder / INIT).read_bytes())
    segments = tuple(_segment(folder / name, track) for name in names)
    return Rendition(folder.name, track.codec, track.width, track.height, segments)


def _track(data: bytes) -> _Track:
    """What the init segment tells of its one track."""
    timescale = default = width = height = 0
    codec = ""
    for kind, body in _boxes(data):
        if kind == b"mdhd":
            timescale = _number(body, 20 if body[0] else 12)
        elif kind == b"trex":
            default = _number(body, 12)
        elif kind == b"stsd":
            entry = body[8:]
            if entry[4:8] == b"avc1":
                width, height = struct.unpack_from(">HH", entry, 32)
                avcc = entry.index(b"avcC") + 4
                codec = f"avc1.{entry[avcc + 1 : avcc + 4].hex()}"
            else:
                codec = "mp4a.40.2"  # AAC-LC: no other audio is made
    if not timescale or not codec:
        raise ValueError("an init segment does not tell its codec or clock")
    return _Track(timescale, default, codec, width, height)


def _segment(path: Path, track: _Track) -> Segment:
    start, ticks, frames = None, 0, 0
    default = track.default_duration
    for kind, body in _boxes(_without_media(path)):
        if kind == b"tfhd":
            default = _default_duration(body, track.default_duration)
        elif kind == b"tfdt" and start is None:
            start = struct.unpack_from(">Q", body, 4)[0] if body[0] else _number(body, 4)
        elif kind == b"trun":
            count, length = _run(body, default)
            frames, ticks = frames + count, ticks + length
    if start is None or not frames:
        raise ValueError(f"the segment {path.parent.name}/{path.name} is empty")
    return Segment(path.name, start / track.timescale, ticks / track.timescale, path.stat().st_size, frames)


def _without_media(path: Path) -> bytes:
    """The boxes of a segment that describe its media.

    Raises:
        ValueError: the segment is cut off.
    """
    kept, at, size = b"", 0, path.stat().st_size
    with path.open("rb") as file:
        while at < size and len(kept) < _MOST:
            file.seek(at)
            head = file.read(16)
            if len(head) < 8:
                break
            length, kind = struct.unpack_from(">I4s", head)
            if length == 1 and len(head) == 16:
                length = struct.unpack_from(">Q", head, 8)[0]
            if length < 8:
                break
            if kind == b"moof" and length <= _MOST:
                file.seek(at)
                kept += file.read(length)
            at += length
    if at != size:
        raise ValueError(f"the segment {path.parent.name}/{path.name} is cut off; is the disk full?")
    return kept


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """All boxes that hold no others, in order."""
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if size < 8:
            return
        body = data[at + 8 : at + size]
        if kind in _CONTAINERS:
            yield from _boxes(body)
        else:
            yield kind, body
        at += size


def _default_duration(body: bytes, otherwise: int) -> int:
    """The duration of a sample in a track fragment whose samples do not tell theirs."""
    flags = _number(body, 0) & 0xFFFFFF
    at = 8 + (8 if flags & 0x1 else 0) + (4 if flags & 0x2 else 0)
    return _number(body, at) if flags & 0x8 else otherwise


def _run(body: bytes, default: int) -> tuple[int, int]:
    """Samples of a track run, and the ticks that they last."""
    flags, count = _number(body, 0) & 0xFFFFFF, _number(body, 4)
    if not flags & 0x100:
        return count, count * default
    at = 8 + (4 if flags & 0x1 else 0) + (4 if flags & 0x4 else 0)
    step = 4 * (flags & 0xF00).bit_count()
    return count, sum(_number(body, at + number * step) for number in range(count))


def _number(data: bytes, at: int) -> int:
    return int(struct.unpack_from(">I", data, at)[0])
