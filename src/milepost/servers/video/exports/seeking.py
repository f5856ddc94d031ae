"""Where to begin reading a video so that a picture in the middle of it can be decoded.

FFmpeg looks for a time in a transport stream among all packets, and then begins at the next key frame: after
the time that was asked for. So it is told to begin before the key frame that comes before that time.
"""

from contextlib import closing
from pathlib import Path
from typing import Any, Final

import av

from milepost.servers.video.ingest.probing import DEMUXERS, Source
from milepost.servers.video.ingest.reading import packets

_BACK: Final = (5.0, 30.0, 180.0)
"""Seconds before the time at which is looked for a key frame, one after the other; then the beginning."""
_MARGIN: Final = 1.0
"""Seconds that reading begins before the key frame, and goes on after the time: pictures are not in order."""


def open_source(source: Source) -> Any:
    """The container of a video, in which nothing but its own file is opened."""
    path = Path(source.path).resolve()
    options = {"protocol_whitelist": "file"}
    return av.open(f"file:{path}", format=DEMUXERS[source.container], options=options)


def beginning_for(source: Source, seconds: float) -> float:
    """Where FFmpeg is to begin reading, so that it has all that is shown from a time on.

    Args:
        source: the video.
        seconds: since the first picture.

    Returns:
        Seconds since the beginning of the file, as FFmpeg's ``-ss`` before an input counts.
    """
    time = source.video.start + seconds
    with closing(open_source(source)) as container:
        stream = container.streams[source.video.index]
        for back in _BACK:
            begin = time - back
            if begin <= source.video.start:
                break
            key = _key_frame(container, stream, begin, time)
            if key is not None:
                return max(0.0, key - _MARGIN - source.origin)
    return 0.0


def reading(source: Source, seconds: float) -> tuple[list[str], float]:
    """FFmpeg's options by which it reads a video so that it has all that is shown from a time on.

    Its times must not depend on which streams of the file it uses: for a transport stream 0 would be where the first
    of those begins. So it keeps the clock of the file, but moved, as FFmpeg 5 does not keep one that begins at 0.

    Args:
        source: the video.
        seconds: since the first picture.

    Returns:
        The options, the input among them, and the time that filters see at the first picture of the video.
    """
    demuxer = DEMUXERS[source.container]
    moved = abs(source.origin) + 1.0
    options = [
        # Nothing but the one file is opened, whatever stands in it.
        *("-format_whitelist", demuxer, "-protocol_whitelist", "file", "-f", demuxer),
        *("-copyts", "-itsoffset", f"{moved:.6f}", "-ss", f"{beginning_for(source, seconds):.6f}"),
        *("-i", f"file:{Path(source.path).resolve()}"),
    ]
    return options, source.video.start + moved


def _key_frame(container: Any, stream: Any, begin: float, time: float) -> float | None:
    """The last key frame that is shown from ``begin`` to ``time``, on the clock of the file."""
    container.seek(int(begin / stream.time_base), stream=stream)
    found = None
    for packet in packets(container, stream):
        if packet.pts is None:
            continue
        shown = float(packet.pts * stream.time_base)
        if shown > time + _MARGIN:
            break
        if packet.is_keyframe and shown <= time:
            found = shown
    return found
