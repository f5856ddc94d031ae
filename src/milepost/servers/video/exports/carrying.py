"""Telemetry of a part of a video, carried over into the transport stream that was cut out of it."""

from pathlib import Path
from typing import Final

import av

from milepost.servers.video.exports.surveying import Part
from milepost.servers.video.flight.transport import insert_klv
from milepost.servers.video.ingest.probing import Source
from milepost.servers.video.telemetry.demuxing import payloads
from milepost.servers.video.telemetry.klv import Splitter
from milepost.servers.video.telemetry.samples import KlvStream

_LATE: Final = 5.0
"""Seconds after the end of a part within which a set may come that belongs to it."""


def carry_klv(source: Source, stream: KlvStream, part: Part, pictures: Path, target: Path) -> int:
    """Copy a transport stream with the sets of telemetry that were told during a part; how many they are.

    They become synchronous metadata, byte by byte as they were: whichever way they came, each then has the time of
    the picture that it was beside.

    Args:
        source: the video that the part was cut out of.
        stream: its telemetry.
        part: the part.
        pictures: the transport stream with the part.
        target: the file to write.
    """
    splitter, sets = Splitter(), []
    for time, shown, payload in payloads(Path(source.path), stream, source.video.start):
        for begun, packet in splitter.feed(payload, time):
            told = shown if begun is None else begun
            # A set that came with the first picture belongs to it, however its time was rounded.
            if part.begin - 0.001 <= told < part.end - 0.001:
                sets.append((max(0.0, told - part.begin), packet))
        if shown > part.end + _LATE:
            break
    sets.sort(key=lambda each: each[0])
    delay = _delay(pictures)
    insert_klv(pictures, target, [(time + delay, packet) for time, packet in sets], "synchronous")
    return len(sets)


def _delay(path: Path) -> float:
    """Seconds by which the first picture is shown later than it is decoded."""
    with av.open(str(path), format="mpegts") as container:
        for packet in container.demux(video=0):
            if packet.pts is not None and packet.dts is not None:
                return float((packet.pts - packet.dts) * packet.time_base)
    return 0.0
