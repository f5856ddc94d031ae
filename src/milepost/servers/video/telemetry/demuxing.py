"""KLV out of a video file, whichever way it is carried there.

The library that decodes it is not needed for that, and takes longer to import than most videos to be looked through.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import av

from milepost.servers.video.ingest.reading import JUMP, Course, belonging, main_video, packets
from milepost.servers.video.telemetry.samples import KlvStream

KEY: Final = bytes.fromhex("060E2B34020B01010E01030101000000")
"""How every ST 0601 set begins."""
_OPTIONS: Final = {
    # A playlist, or a file that names others, must not make us read what the client does not own.
    "format_whitelist": "mpegts,mpeg,mov,mp4,m4a,3gp,3g2,mj2,avi",
    "protocol_whitelist": "file",
}
_OTHERS: Final = frozenset({"video", "audio", "subtitle"})
_LOOK: Final = 64 * 1024 * 1024
"""Bytes of all streams to look through for a first set, when nothing says that there is some."""
_CHECK: Final = 4 * 1024 * 1024
"""Bytes that are looked through between two checks."""
_STREAMED: Final = ("mpegts", "mpeg")
"""Formats in which a stream may begin anywhere."""
_DECLARED: Final = "klv"


def find(source: Path, check: Callable[[], None] = lambda: None) -> KlvStream | None:
    """The stream of a video that has ST 0601 telemetry of its main picture; None when there is none.

    Found by what is in it, as its name proves little: players' own muxers call it ``bin_data``. All of a transport
    or program stream is looked through, as is any stream that is called KLV; other files have what they have of it from
    their beginning, so that the first 64 MiB tell.

    Args:
        source: the video.
        check: called now and then; what it raises ends the work.

    Raises:
        av.FFmpegError: the file is no video that can be opened.
    """
    with _open(source) as container:
        video = main_video(container)
        own = belonging(container, video)[0] if video is not None else range(len(container.streams))
        streams = {each.index for each in container.streams if each.type not in _OTHERS and each.index in own}
        whole = container.format.name in _STREAMED or any(
            container.streams[each].name == _DECLARED for each in streams
        )
        passed = looked = 0
        # Packets of all streams, since one with a single packet of data would be read to its end for another.
        for packet in packets(container, lost=check) if streams else ():
            passed += packet.size
            if packet.stream.index in streams and packet.size and KEY in bytes(packet):
                return KlvStream(packet.stream.index, "asynchronous" if packet.pts is None else "synchronous")
            if passed > _LOOK and not whole:
                break
            if passed - looked > _CHECK:
                looked = passed
                check()
    return None


class Picture:
    """What must be known of the pictures of a video: when they begin, how long they go on, and their shape."""

    def __init__(self, source: Path):
        """Of the stream of a file that an ingest takes."""
        with _open(source) as container:
            video = main_video(container)
            if video is None:
                raise ValueError(f"{source.name} has no picture; give a file with a video stream")
            start = _seconds(video.start_time, video.time_base)
            self.start: Final = start if start is not None else (container.start_time or 0) / av.time_base
            self.duration: Final = max(0.0, (container.duration or 0) / av.time_base)
            height = video.height or 1
            shape = video.display_aspect_ratio
            self.aspect: Final = float(shape) if shape else (video.width or 1) / height


def payloads(source: Path, stream: KlvStream, start: float) -> Iterator[tuple[float | None, float, bytes]]:
    """Every packet of a stream, and of the pictures beside it: its time, the time of the picture, its bytes.

    Where the clock of the file jumps, times go on as those of the layer's pictures do.

    Args:
        source: the video.
        stream: what ``find`` found.
        start: the time of the first picture, which times are counted from.

    Yields:
        Seconds (None for a packet without a time stamp, or with one of another time than the picture beside it),
        seconds of the last picture, payload (empty for a picture).
    """
    with _open(source) as container:
        data, video = container.streams[stream.index], main_video(container)
        if video is None:
            raise ValueError(f"{source.name} has no picture; give a file with a video stream")
        course, shown = Course(container, video), 0.0
        for packet in packets(container, data, video):
            if packet.stream.index != data.index:
                seconds = course.note(packet) if packet.size else None
                shown = shown if seconds is None else seconds - start
                yield shown, shown, b""
            elif packet.size:
                told = _seconds(packet.pts, packet.time_base)
                time = None if told is None else told + course.shift - start
                # A set of what comes after a jump may come before the picture that tells of it, and one from before after it.
                yield (None if time is None or abs(time - shown) > JUMP else time), shown, bytes(packet)


def _seconds(count: int | None, base: Any) -> float | None:
    return None if count is None or base is None else float(count * base)


def _open(source: Path) -> Any:
    # "file:" keeps a colon in the name from being taken for a protocol.
    return av.open(f"file:{source}", options=dict(_OPTIONS), metadata_errors="replace")
