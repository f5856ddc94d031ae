"""Where to begin reading a video so that a picture in the middle of it can be decoded.

FFmpeg looks for a time in a transport stream among all packets, and then begins at the next key frame: after
the time that was asked for. So it is told to begin before the key frame that comes before that time.
"""

from contextlib import closing
from pathlib import Path
from typing import Any, Final

import av

from milepost.servers.video.ingest.probing import DEMUXERS, Source

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


def _key_frame(container: Any, stream: Any, begin: float, time: float) -> float | None:
    """The last key frame that is shown from ``begin`` to ``time``, on the clock of the file."""
    container.seek(int(begin / stream.time_base), stream=stream)
    found = None
    for packet in container.demux(stream):
        if packet.pts is None:
            continue
        shown = float(packet.pts * stream.time_base)
        if shown > time + _MARGIN:
            break
        if packet.is_keyframe and shown <= time:
            found = shown
    return found
