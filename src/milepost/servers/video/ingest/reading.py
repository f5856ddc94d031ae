"""A program that looks into a video file and prints what is in it, as JSON: run by ``probing``.

A process of its own, because a file from anywhere may make a reader crash, hang, or take all memory. It
may write no file, and opens none but the one it is given.
"""

import itertools
import json
import math
import os
import re
import resource
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, Final

import av

SMALLEST: Final = 16
"""Pixels of the shorter side of a picture."""

MEMORY: Final = 4 << 30
CPU_SECONDS: Final = 90
BYTES_A_CPU_SECOND: Final = 8 << 20
"""Of a large file, for which it may take longer; any machine reads several times as many."""

JUMP: Final = 10.0
"""Seconds by which the clock of a transport or program stream jumps when it was reset or the recorder was off. FFmpeg
is told the same: it goes on as if nothing had been between."""

STILL: Final = 10.0
"""Seconds after which a picture that is not followed by another one counts as standing still."""

_DISCONTINUOUS: Final = 0x200
"""FFmpeg's flag of formats whose clocks may jump (AVFMT_TS_DISCONT)."""

_TELL_EVERY: Final = 16 << 20
"""Bytes from one sign of life to the next."""

_TELL_LOST: Final = 256
"""Stretches without packets from one sign of life to the next."""

FRAMES: Final = 12
"""Decoded to see whether and how the picture can be read."""

_HIGH_RANGES: Final = {16: "smpte2084", 18: "arib-std-b67"}
"""FFmpeg's names of the transfer functions of a high dynamic range, by their numbers in H.273."""

_RGB: Final = 0
"""In H.273, the matrix of pictures that are red, green and blue already."""

_MOST_JUMPS: Final = 8
"""Jumps of the clock that are told with their times."""

_SEARCHED: Final = 32 << 10
"""Bytes of a transport stream that FFmpeg surely passes over before it says that it finds no packet in them."""

_STREAM: Final = re.compile(r"\s*Stream #\d+:(\d+)")
"""How FFmpeg describes the streams of a program."""

BYTES: Final = 64 << 20
"""Read at most to find a picture and a sound that can be decoded."""


class UnreadableError(Exception):
    """The file cannot be made into a layer; the text says why and what helps."""


def main() -> None:
    """Print what is in the file that is named, or ``{"error": ...}``."""
    path, demuxer, side, pixels, streams = sys.argv[1:6]
    _confine(os.stat(path).st_size)
    av.logging.set_level(av.logging.PANIC)
    try:
        found = read(path, demuxer, side=int(side), pixels=int(pixels), streams=int(streams))
    except UnreadableError as error:
        found = {"error": str(error)}
    except (av.error.FFmpegError, ValueError, MemoryError) as error:
        found = {"error": f"it cannot be read ({_words(error)}): it is damaged or cut off; send it again"}
    print(json.dumps(found))  # noqa: T201 - this is how it answers


def _confine(size: int) -> None:
    """Have the kernel end this process when it takes too much for a file of a size, or writes anything but its answer."""
    for kind, most in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CPU, CPU_SECONDS + size // BYTES_A_CPU_SECOND),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))


def read(path: str, demuxer: str, *, side: int, pixels: int, streams: int) -> dict[str, Any]:
    """What is in a file, as the fields of ``probing.Source``.

    Raises:
        UnreadableError: nothing can be made of it.
    """
    with _opened(path, demuxer, streams) as container:
        if len(container.streams) > streams:
            raise UnreadableError(
                f"it has more than {streams} streams; send one that has only what is needed"
            )
        video = main_video(container)
        if video is None:
            raise UnreadableError(
                "it has no video stream that can be read; send a file that has a moving picture"
            )
        if not video.codec_context.width:
            raise UnreadableError(
                f"no picture of its {video.codec_context.name} video is found in it: it is damaged; send it again, or in "
                "another format"
            )
        _check_size(video.codec_context.width, video.codec_context.height, side, pixels)
        video.codec_context.options = {"max_pixels": str(pixels)}
        own, programs = belonging(container, video)
        sounds = [each for each in container.streams.audio if each.index in own]
        # What the program says is its own comes before what says nothing.
        audio = min(
            (each for each in sounds if each.codec_context), key=lambda each: own[each.index], default=None
        )
        course = Course(container, video)
        pictures, sound, sound_end = _read_through(container, video, audio, course, side, pixels)
        if not pictures:
            raise UnreadableError(
                f"no picture of its {video.codec_context.name} video can be decoded: it is damaged; "
                "send it again, or in another format"
            )
        return {
            **_told(course, container, video),
            "bit_rate": container.bit_rate or 0,
            "origin": float((container.start_time or 0) / Fraction(av.time_base)),
            "programs": programs,
            "video": _about_video(video, pictures),
            "audio": _about_audio(
                audio,
                decoded=sound,
                tracks=len(sounds),
                ends=0.0 if course.jumped or course.first is None else max(0.0, sound_end - course.first),
            ),
        }


def _opened(path: str, demuxer: str, streams: int) -> av.container.InputContainer:
    options = {"protocol_whitelist": "file", "max_streams": str(streams)}
    try:
        return av.open(f"file:{path}", format=demuxer, options=options)
    except (av.error.MemoryError, MemoryError):  # as too many streams are told too
        raise UnreadableError(
            f"it has more than {streams} streams, or needs more memory than its reader gets; "
            "send one that has only what is needed"
        ) from None


def main_video(container: av.container.InputContainer) -> av.VideoStream | None:
    """The largest moving picture, the first of those that are as large; None when there is none."""
    found = [
        each
        for each in container.streams.video
        if each.codec_context and not each.disposition & av.stream.Disposition.attached_pic
    ]
    return max(found, key=lambda each: each.codec_context.width * each.codec_context.height, default=None)


def belonging(container: Any, video: av.VideoStream) -> tuple[dict[int, int], int]:
    """The streams that may belong to a picture, and how many programs with pictures of their own there are.

    Returns:
        By the index of a stream 0 when it is of the program of the picture, else 1; those that belong to a program with
        another picture are not among them.
    """
    before = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)  # only here the library tells of programs, and only when it may log
    try:
        lines = container.dumps_format().splitlines()
    finally:
        av.logging.set_level(before)
    programs: list[set[int]] = []
    for line in lines:
        if line.startswith("  Program "):
            programs.append(set())
        elif line.startswith("  No Program"):
            break
        elif programs and (found := _STREAM.match(line)):
            programs[-1].add(int(found[1]))
    pictures = {each.index for each in container.streams.video}
    mine = next((each for each in programs if video.index in each), {video.index})
    shown = [each for each in programs if each & pictures]
    others = set[int]().union(*shown) - mine
    streams = [each.index for each in container.streams if each.index not in others]
    return {each: int(each not in mine) for each in streams}, max(1, len(shown))


def packets(
    container: av.container.InputContainer, *streams: Any, lost: Callable[[], object] = lambda: None
) -> Iterator[Any]:
    """The packets of streams, or of all, to the end of a file.

    Where a transport stream holds none for long, as when a recorder has filled its file with zeros, FFmpeg says that it
    be tried again: then it looks further on.

    Args:
        container: the file.
        streams: of it.
        lost: called for every stretch without packets.
    """
    for _ in range(2 + container.size // _SEARCHED):
        try:
            yield from container.demux(*streams)
        except av.error.BlockingIOError:
            lost()
        else:
            return


def _check_size(width: int, height: int, side: int, pixels: int) -> None:
    if max(width, height) > side or width * height > pixels:
        raise UnreadableError(
            f"its picture has {width} x {height} pixels; send one of at most {side} a side, "
            f"and {pixels / 1e6:.0f} million in all"
        )
    if min(width, height) < SMALLEST:
        raise UnreadableError(
            f"its picture has {width} x {height} pixels; send one of at least {SMALLEST} x {SMALLEST}"
        )


def _read_through(
    container: av.container.InputContainer,
    video: av.VideoStream,
    audio: av.AudioStream | None,
    course: "Course",
    side: int,
    most: int,
) -> tuple[list[av.VideoFrame], bool, float]:
    """The first pictures, whether any sound can be decoded, and when it ends on the clock of the file.

    Of what comes later only the course is noted.
    """
    pictures: list[av.VideoFrame] = []
    sound, passed, told = False, 0, 0
    sound_end = -math.inf

    def lose() -> None:
        course.lost += 1
        if course.lost % _TELL_LOST == 0:
            print(flush=True)  # noqa: T201 - it gets on, too

    for packet in packets(container, video, *([audio] if audio else []), lost=lose):
        if packet.size and packet.stream is video:
            course.note(packet)
        elif packet.stream is audio and packet.pts is not None and packet.time_base is not None:
            sound_end = max(sound_end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        passed += packet.size
        if passed < BYTES and (len(pictures) < FRAMES or (audio and not sound)):
            try:
                for frame in packet.decode():
                    if isinstance(frame, av.VideoFrame):
                        _check_size(frame.width, frame.height, side, most)
                        pictures.append(frame)
                    else:
                        sound = True
            except av.error.FFmpegError:
                pass  # what comes later may be sound
            del pictures[FRAMES:]
        if passed - told > _TELL_EVERY:
            told = passed
            print(flush=True)  # noqa: T201 - an empty line says that it gets on
    return pictures, sound, sound_end


class Course:
    """How the pictures of a video follow each other: the times that its packets tell, without the jumps of its clock.

    Packets are noted in the order in which they come. A jump is told as FFmpeg finds it, which goes on with the
    time that would have been next.
    """

    def __init__(self, container: av.container.InputContainer, video: av.VideoStream):
        """Of a stream, before its packets are read."""
        self._base = float(video.time_base or 0)
        self._frame = float(1 / (video.guessed_rate or video.average_rate or 25))
        self._jumps = bool(int(container.format.flags) & _DISCONTINUOUS)
        self._next: float | None = None
        self._latest: float | None = None
        self.shift = 0.0
        """Seconds by which the times of the file are moved now, so that they go on."""
        self.first: float | None = None
        """Seconds on the clock of the file of the earliest picture, and"""
        self.end = -math.inf
        """where the last one ends, without the jumps."""
        self.jumps: list[tuple[float, float]] = []
        """Seconds since the first picture, and seconds by which the clock jumps there: the first few jumps."""
        self.jumped = 0
        """How many jumps there are in all."""
        self.damaged = 0
        """Pictures that are incomplete, as far as the container tells."""
        self._lately = [0, 0]
        """Which of the last two pictures are."""
        self.still = 0.0
        """Seconds during which a picture stands still."""
        self.lost = 0
        """Stretches of the file in which there is no packet."""

    def note(self, packet: Any) -> float | None:
        """The time at which the picture of a packet is shown, in seconds on the clock of the file as if it never jumped."""
        decoded: float | None = None
        jumped = self.jumped
        if packet.dts is not None:
            decoded = self._follow(packet.dts * self._base + self.shift)
            self._next = decoded + ((packet.duration or 0) * self._base or self._frame)
            self._latest = decoded if self._latest is None else max(self._latest, decoded)
        if self.jumped > jumped:
            # Where a recording was joined to another one, packets are not in order: nothing is damaged by that.
            self.damaged -= sum(self._lately)
            self._lately = [0, 0]
        self._lately = [self._lately[1], int(packet.is_corrupt)]
        self.damaged += packet.is_corrupt
        stamp = packet.pts if packet.pts is not None else packet.dts
        if stamp is None or packet.is_discard:  # it is read for others, and never shown
            return None
        shown: float = stamp * self._base + self.shift
        if decoded is not None and abs(shown - decoded) > JUMP:
            return None  # no picture waits so long to be shown: its time is wrong
        self.first = shown if self.first is None else min(self.first, shown)
        self.end = max(self.end, shown + self._frame)
        return shown

    def _follow(self, decoded: float) -> float:
        """The time of a packet after those before it, with what it jumps noted."""
        if self._latest is None or self._next is None:
            return decoded
        ahead = decoded - self._next
        if self._jumps and (abs(ahead) > JUMP or decoded + 0.1 < self._latest):
            self.shift -= ahead
            self.jumped += 1
            if len(self.jumps) < _MOST_JUMPS:
                self.jumps.append((round(self._next - (self.first or 0.0), 3), round(ahead, 3)))
            return self._next
        if decoded - self._latest > STILL:
            self.still += decoded - self._latest
        return decoded


def _told(course: Course, container: av.container.InputContainer, video: av.VideoStream) -> dict[str, Any]:
    """What is known of the time that a video takes.

    What the file says of its duration counts, as edits may leave pictures out; but where its clock jumps, the
    difference of its first and last time means nothing.
    """
    if course.first is None:
        raise UnreadableError("it has no times, so its duration is unknown; convert it to MP4 or MPEG-TS")
    lasts = course.end - course.first
    told = video.duration * video.time_base if video.duration and video.time_base else None
    if told is None and container.duration:
        told = Fraction(container.duration, av.time_base)
    return {
        "duration": lasts if told is None or course.jumped else float(told),
        "lasts": lasts,
        "still": course.still,
        "jumps": course.jumps,
        "jumped": course.jumped,
        "damaged": course.damaged,
        "lost": course.lost,
    }


def _about_video(video: av.VideoStream, pictures: list[av.VideoFrame]) -> dict[str, Any]:
    rate = video.guessed_rate or video.average_rate or video.base_rate or _rate_of(pictures)
    first = pictures[0]
    aspect = video.sample_aspect_ratio or Fraction(1)
    start = video.start_time * video.time_base if video.start_time is not None and video.time_base else 0
    return {
        "index": video.index,
        "codec": video.codec_context.name,
        "profile": video.profile or "",
        "width": first.width,
        "height": first.height,
        "sample_aspect": [aspect.numerator, aspect.denominator] if aspect > 0 else [1, 1],
        "rotation": round(first.rotation) % 360,
        "frame_rate": [rate.numerator, rate.denominator],
        "pixel_format": first.format.name,
        "interlaced": any(frame.interlaced_frame for frame in pictures),
        "start": float(start),
        "high_range": _HIGH_RANGES.get(first.color_trc, ""),
        "matrix": _RGB if first.format.is_rgb or first.format.has_palette else int(first.colorspace),
    }


def _rate_of(pictures: list[av.VideoFrame]) -> Fraction:
    """Frames a second, by the times of the first pictures; 25 when they tell none."""
    times = [frame.pts * frame.time_base for frame in pictures if frame.pts is not None and frame.time_base]
    gaps = sorted(later - earlier for earlier, later in itertools.pairwise(sorted(times)) if later > earlier)
    return 1 / gaps[len(gaps) // 2] if gaps else Fraction(25)


def _about_audio(
    audio: av.AudioStream | None, *, decoded: bool, tracks: int, ends: float
) -> dict[str, Any] | None:
    if audio is None:
        return None
    return {
        "index": audio.index,
        "codec": audio.codec_context.name,
        "rate": audio.rate or 0,
        "channels": audio.channels or 0,
        "language": audio.language or "",
        "decoded": decoded,
        "tracks": tracks,
        "ends": ends,
    }


def _words(error: Exception) -> str:
    if isinstance(error, BlockingIOError):
        return "no packet is found in it"
    return (getattr(error, "strerror", "") or str(error) or type(error).__name__).lower()


if __name__ == "__main__":
    main()
