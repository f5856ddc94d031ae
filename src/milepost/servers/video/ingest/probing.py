"""What is in a source: its streams, read by a process of its own."""

import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Final

import msgspec

from milepost.servers.video.ingest.containers import Container, video_in
from milepost.servers.video.ingest.limits import Limits
from milepost.servers.video.ingest.watching import Died, Hung, watch

DEMUXERS: Final[dict[Container, str]] = {
    "mpegts": "mpegts",
    "mp4": "mov",
    "mov": "mov",
    "avi": "avi",
    "mpegps": "mpeg",
}
"""FFmpeg's name for what reads a container. None of these opens another file."""

_PROGRAM: Final = Path(__file__).with_name("reading.py")


class Video(msgspec.Struct, frozen=True, kw_only=True):
    """The video stream of a source."""

    index: int
    codec: str
    profile: str
    width: int
    height: int
    """Pixels as they are stored."""
    sample_aspect: tuple[int, int]
    """Width to height of one stored pixel."""
    rotation: int
    """Degrees by which the picture is to be turned for showing."""
    frame_rate: tuple[int, int]
    """Frames a second, as a fraction."""
    pixel_format: str
    interlaced: bool
    start: float
    """Seconds on the clock of the file at which the first picture is shown."""
    high_range: str = ""
    """The transfer function of a high dynamic range, ``smpte2084`` or ``arib-std-b67``; empty for the standard one."""

    matrix: int = 2
    """By which brightness and colours become red, green and blue: the number in H.273, with 2 when the file does not tell
    and 0 when they are these already."""

    @property
    def shown(self) -> tuple[int, int]:
        """Width and height of the picture as it is shown: with square pixels, turned upright."""
        across, down = self.sample_aspect
        width, height = self.width, self.height
        # Stretched, never squeezed: that keeps every line.
        if across > down:
            width = round(width * across / down)
        elif down > across:
            height = round(height * down / across)
        return (height, width) if self.rotation % 180 == 90 else (width, height)

    @property
    def rate(self) -> Fraction:
        """Frames a second."""
        return Fraction(*self.frame_rate)


class Audio(msgspec.Struct, frozen=True, kw_only=True):
    """The audio stream of a source."""

    index: int
    codec: str
    rate: int
    channels: int
    language: str
    decoded: bool
    """Whether any of it could be decoded."""
    tracks: int = 1
    """How many of such streams of its program there are; this is the first one of its program."""
    ends: float = 0.0
    """Seconds after the first picture at which it ends; 0 where the clock of the source jumps."""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A video file and what is in it."""

    path: str
    container: Container
    duration: float
    """Seconds, as the file tells; those of its pictures where its clock jumps."""
    lasts: float
    """Seconds from its first picture to where its last one ends, without the jumps of its clock."""
    still: float
    """Seconds of them during which a picture stands still."""
    jumps: tuple[tuple[float, float], ...]
    """Seconds since the first picture at which its clock jumps, and by how many: the first few."""
    jumped: int
    """How many times it jumps."""
    damaged: int = 0
    """Pictures that are incomplete, as far as the container tells."""
    lost: int = 0
    """Stretches of the file in which there is no packet: zeros, or what is of another kind."""
    programs: int = 1
    """How many programs with pictures there are; streams of others than that of the picture are left out."""
    bit_rate: int
    origin: float
    """Seconds on the clock of the file at which the first of its streams begins."""
    video: Video
    audio: Audio | None

    @property
    def empty(self) -> float:
        """Seconds that FFmpeg may need for what holds no packet: it rests for a hundredth after each stretch of that."""
        return 0.05 * self.lost


class _Refusal(msgspec.Struct, forbid_unknown_fields=True):
    error: str


def probe(path: Path, *, check: Callable[[], None], limits: Limits) -> Source:
    """Look into a file.

    Args:
        path: of the file.
        check: called often; what it raises ends the work.
        limits: what is taken.

    Raises:
        ValueError: nothing can be made of it; the text says why and what helps.
    """
    container = video_in(path)
    # -P: the folder of the program holds modules that may be named like those of the language.
    command = [sys.executable, "-P", str(_PROGRAM), str(path.resolve()), DEMUXERS[container]]
    command += [str(limits.side), str(limits.pixels), str(limits.streams)]
    printed: list[bytes] = []

    def keep(line: bytes) -> bool:
        printed.append(line)
        return True

    try:
        watch(command, line=keep, check=check, patience=limits.patience)
    except (Hung, Died) as error:
        how = "takes too long to read" if isinstance(error, Hung) else "makes its reader crash"
        raise ValueError(f"{path.name} {how}: it is damaged; send it again, or in another format") from error
    answer = b"".join(printed)
    try:
        refusal = msgspec.json.decode(answer, type=_Refusal)
    except msgspec.ValidationError:
        fields = msgspec.json.decode(answer)
        source = msgspec.convert({"path": str(path), "container": container, **fields}, Source)
    else:
        raise ValueError(f"{path.name}: {refusal.error}")
    lasts = max(source.duration, source.lasts)
    if lasts > limits.longest:
        raise ValueError(
            f"{path.name} lasts {lasts / 3600:,.0f} hours as it says itself, and a layer may last "
            f"{limits.longest / 3600:g}; send it in parts"
        )
    if source.still > limits.still:
        raise ValueError(
            f"the pictures of {path.name} stand still for {source.still / 3600:,.1f} hours in all, because so long none "
            f"follows, and may do so for {limits.still / 3600:g}; cut out what has no pictures, and send the rest"
        )
    return source
