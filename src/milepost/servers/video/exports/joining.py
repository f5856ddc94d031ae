"""Pictures and sound that are encoded already, put into a file as they are."""

import heapq
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av

from milepost.servers.video.exports.plans import Format
from milepost.servers.video.ingest.reading import packets

_MUXERS: Final[dict[Format, str]] = {"mov": "mov", "ts": "mpegts", "mp4": "mp4"}
_OPTIONS: Final[dict[Format, dict[str, str]]] = {
    "mov": {"movflags": "faststart"},
    # Microseconds that decoders of a transport stream have to gather a picture before it is due.
    "ts": {"max_delay": "700000"},
    "mp4": {"movflags": "faststart"},
}
_BEFORE: Final = 1.0
"""Seconds before its beginning from where a stream is read: packets are not in the order of their times."""
_ROUNDING: Final = 0.001
"""Seconds by which clocks differ that tell the same."""


class Strand:
    """The packets of one stream of a file from a time on."""

    def __init__(
        self, path: Path, demuxer: str, index: int, begin: float, *, end: float = 0.0, packets: int = 0
    ):
        """Of a file.

        Args:
            path: the file.
            demuxer: what FFmpeg calls its format.
            index: of the stream.
            begin: seconds on the clock of the file that become 0.
            end: seconds on that clock before which the last packet is shown.
            packets: how many there are to be from the first key frame on, instead of up to a time.
        """
        self._path, self._demuxer, self._index = path, demuxer, index
        self._begin, self._end, self._count = begin, end, packets

    def open(self, stack: ExitStack) -> Any:
        """The stream; ``stack`` closes its file."""
        options = {"protocol_whitelist": "file"}
        container = av.open(f"file:{self._path.resolve()}", format=self._demuxer, options=options)
        return stack.enter_context(container).streams[self._index]

    def packets(self, stream: Any) -> Iterator[tuple[float, Any]]:
        """Each packet with the second at which it is decoded; 0 is where the strand begins."""
        zero = round(Fraction(self._begin) / stream.time_base)
        stream.container.seek(max(0, int((self._begin - _BEFORE) / stream.time_base)), stream=stream)
        taken, last = 0, None
        for packet in packets(stream.container, stream):
            if not packet.size or packet.pts is None or packet.dts is None:
                continue
            shown = float(packet.pts * stream.time_base)
            if not taken and (shown < self._begin - _ROUNDING or (self._count and not packet.is_keyframe)):
                continue
            if taken == self._count if self._count else shown >= self._end - _ROUNDING:
                break
            if last is not None and packet.dts <= last and not self._count:
                continue  # sound that a damaged file has twice
            taken, last = taken + 1, packet.dts
            packet.pts, packet.dts = packet.pts - zero, packet.dts - zero
            yield float(packet.dts * stream.time_base), packet


def join(strands: list[Strand], kind: Format, target: Path, tell: Callable[[float], object]) -> int:
    """Write streams to a file; how many packets the first of them has, which are its pictures.

    Args:
        strands: the streams.
        kind: of the file.
        target: the file.
        tell: called for every packet with the second that is reached.

    Raises:
        av.FFmpegError: the file cannot have what they are.
    """
    pictures = 0
    with ExitStack() as stack:
        sources = [each.open(stack) for each in strands]
        output = stack.enter_context(av.open(str(target), "w", format=_MUXERS[kind], options=_OPTIONS[kind]))
        outputs = [output.add_stream_from_template(each, opaque=True) for each in sources]
        ways = [
            _numbered(number, strand.packets(source))
            for number, (strand, source) in enumerate(zip(strands, sources, strict=True))
        ]
        for time, number, packet in heapq.merge(*ways, key=lambda each: each[:2]):
            packet.stream = outputs[number]
            output.mux(packet)
            pictures += number == 0
            tell(time)
    return pictures


def _numbered(number: int, packets: Iterator[tuple[float, Any]]) -> Iterator[tuple[float, int, Any]]:
    for time, packet in packets:
        yield time, number, packet
