"""A program that looks into a video file and prints what is in it, as JSON: run by ``probing``.

A process of its own, because a file from anywhere may make a reader crash, hang, or take all memory. It
may write no file, and opens none but the one it is given.
"""

import itertools
import json
import resource
import sys
from fractions import Fraction
from typing import Any, Final

import av

SMALLEST: Final = 16
"""Pixels of the shorter side of a picture."""

MEMORY: Final = 4 << 30
CPU_SECONDS: Final = 90

FRAMES: Final = 12
"""Decoded to see whether and how the picture can be read."""

BYTES: Final = 64 << 20
"""Read at most to find a picture and a sound that can be decoded."""


class UnreadableError(Exception):
    """The file cannot be made into a layer; the text says why and what helps."""


def main() -> None:
    """Print what is in the file that is named, or ``{"error": ...}``."""
    path, demuxer, side, streams = sys.argv[1:5]
    _confine()
    av.logging.set_level(av.logging.PANIC)
    try:
        found = read(path, demuxer, side=int(side), streams=int(streams))
    except UnreadableError as error:
        found = {"error": str(error)}
    except (av.error.FFmpegError, ValueError, MemoryError) as error:
        found = {"error": f"it cannot be read ({_words(error)}): it is damaged or cut off; send it again"}
    print(json.dumps(found))  # noqa: T201 - this is how it answers


def _confine() -> None:
    """Have the kernel end this process when it takes too much, or writes anything but its answer."""
    for kind, most in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))


def read(path: str, demuxer: str, *, side: int, streams: int) -> dict[str, Any]:
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
        _check_size(video.codec_context.width, video.codec_context.height, side)
        video.codec_context.options = {"max_pixels": str(side**2)}
        audio = next((each for each in container.streams.audio if each.codec_context), None)
        pictures, sound = _decode(container, video, audio, side)
        if not pictures:
            raise UnreadableError(
                f"no picture of its {video.codec_context.name} video can be decoded: it is damaged; "
                "send it again, or in another format"
            )
        duration = video.duration * video.time_base if video.duration and video.time_base else None
        if duration is None and container.duration:
            duration = Fraction(container.duration, av.time_base)
        if duration is None:
            duration = _measured(container, video)
        return {
            "duration": float(duration),
            "bit_rate": container.bit_rate or 0,
            "origin": float((container.start_time or 0) / Fraction(av.time_base)),
            "video": _about_video(video, pictures),
            "audio": _about_audio(audio, decoded=sound),
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


def _check_size(width: int, height: int, side: int) -> None:
    if max(width, height) > side:
        raise UnreadableError(
            f"its picture has {width} x {height} pixels; send one of at most {side} x {side}"
        )
    if min(width, height) < SMALLEST:
        raise UnreadableError(
            f"its picture has {width} x {height} pixels; send one of at least {SMALLEST} x {SMALLEST}"
        )


def _decode(
    container: av.container.InputContainer, video: av.VideoStream, audio: av.AudioStream | None, side: int
) -> tuple[list[av.VideoFrame], bool]:
    """The first pictures, and whether any sound can be decoded."""
    pictures: list[av.VideoFrame] = []
    sound, passed = False, 0
    for packet in container.demux([video, audio] if audio else [video]):
        passed += packet.size
        try:
            for frame in packet.decode():
                if isinstance(frame, av.VideoFrame):
                    _check_size(frame.width, frame.height, side)
                    pictures.append(frame)
                else:
                    sound = True
        except av.error.FFmpegError:
            pass  # what comes later may be sound
        if passed > BYTES or (len(pictures) >= FRAMES and (sound or not audio)):
            break
    return pictures[:FRAMES], sound


def _measured(container: av.container.InputContainer, video: av.VideoStream) -> Fraction:
    """The duration in seconds of a file that does not tell it."""
    times = [packet.pts for packet in container.demux(video) if packet.pts is not None]
    if not times or not video.time_base:
        raise UnreadableError("it has no times, so its duration is unknown; convert it to MP4 or MPEG-TS")
    return (max(times) - min(times)) * video.time_base


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
    }


def _rate_of(pictures: list[av.VideoFrame]) -> Fraction:
    """Frames a second, by the times of the first pictures; 25 when they tell none."""
    times = [frame.pts * frame.time_base for frame in pictures if frame.pts is not None and frame.time_base]
    gaps = sorted(later - earlier for earlier, later in itertools.pairwise(sorted(times)) if later > earlier)
    return 1 / gaps[len(gaps) // 2] if gaps else Fraction(25)


def _about_audio(audio: av.AudioStream | None, *, decoded: bool) -> dict[str, Any] | None:
    if audio is None:
        return None
    return {
        "index": audio.index,
        "codec": audio.codec_context.name,
        "rate": audio.rate or 0,
        "channels": audio.channels or 0,
        "language": audio.language or "",
        "decoded": decoded,
    }


def _words(error: Exception) -> str:
    return (getattr(error, "strerror", "") or str(error) or type(error).__name__).lower()


if __name__ == "__main__":
    main()
