"""What a part of a video consists of: its pictures, and whether they can be taken over as they are."""

from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

from milepost.servers.video.exports.plans import Cut
from milepost.servers.video.exports.seeking import open_source
from milepost.servers.video.ingest.probing import Source
from milepost.servers.video.ingest.reading import packets

_BEFORE: Final = 1.0
"""Seconds before a part from where its packets are read, and after it to where: pictures are not in order."""
_ROUNDING: Final = 0.001
"""Seconds by which a time that is half a frame after a picture counts as one after the middle."""


@dataclass(frozen=True)
class Part:
    """A part of a video, from the first of its pictures to where the picture begins that is no longer in it."""

    begin: float
    end: float
    """Seconds since the first picture of the video."""
    pictures: int | None
    """How many there are; None when the file does not tell."""
    whole: bool
    """Whether they are whole groups of pictures, of which none needs another one."""


def survey(source: Source, wanted: Cut) -> Part:
    """The pictures of a part, each of which belongs to it that begins nearer to it than to what is beside it.

    So a part has as many pictures as it lasts, and parts that follow each other have each picture once.

    Args:
        source: the video.
        wanted: the part that was asked for.
    """
    with closing(open_source(source)) as container:
        packets = _packets(container, source, wanted)
    half = float(1 / source.video.rate) / 2 - _ROUNDING
    inside = [each for each in packets or () if wanted.start - half <= each[0] < wanted.end - half]
    if packets is None or not inside:
        rate = float(source.video.rate)
        begin, end = (int(each * rate + 0.5 - _ROUNDING) / rate for each in (wanted.start, wanted.end))
        return Part(begin, max(end, begin + 1 / rate), None, whole=False)
    after = [time for time, _ in packets if time >= wanted.end - half]
    begin, last = min(inside)[0], max(inside)[0]
    end = min(after, default=last + float(1 / source.video.rate))
    return Part(begin, end, len(inside), whole=_whole(packets, inside))


def _packets(container: Any, source: Source, wanted: Cut) -> list[tuple[float, bool]] | None:
    """When the pictures around a part are shown, and whether they are key frames, in the order of decoding.

    None when the file does not tell of all, or tells of fields instead.
    """
    video = container.streams[source.video.index]
    if source.video.interlaced:
        return None
    begin, end = wanted.start + source.video.start - _BEFORE, wanted.end + source.video.start + _BEFORE
    container.seek(max(0, int(begin / video.time_base)), stream=video)
    found: list[tuple[float, bool]] = []
    for packet in packets(container, video):
        if not packet.size or packet.is_discard:
            continue
        if packet.pts is None or packet.dts is None:
            return None
        found.append((float(packet.pts * video.time_base) - source.video.start, bool(packet.is_keyframe)))
        if packet.dts * video.time_base > end:
            break
    return found


def _whole(packets: list[tuple[float, bool]], inside: list[tuple[float, bool]]) -> bool:
    """Whether the pictures of a part follow each other in the file from a key frame to before another one."""
    first = packets.index(inside[0])
    after = first + len(inside)
    return (
        inside[0] == min(inside)
        and inside[0][1]
        and packets[first:after] == inside
        and (after == len(packets) or packets[after][1])
    )
