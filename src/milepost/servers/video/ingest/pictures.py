"""The poster and the previews, taken from key frames of what was made: the source is not read again."""

import io
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from milepost.servers.video.facts import POSTER, PREVIEW
from milepost.servers.video.ingest.fragments import INIT, Rendition, Segment

if TYPE_CHECKING:
    from av import VideoFrame
    from PIL.Image import Image

PREVIEWS: Final = 100
"""Small pictures of one video at most."""

COLUMNS: Final = 10
LONGER_SIDE: Final = 160
"""Pixels of a small picture."""

POSTER_SIDE: Final = 1920
"""Pixels of the poster at most."""

CANDIDATES: Final = 8
"""Pictures from which the poster is chosen."""

SPRITE: Final = "preview.jpg"
"""The picture that holds all small ones, beside its description."""


def make_poster(rungs: Sequence[Rendition], folder: Path) -> None:
    """The picture of the greatest contrast from the middle half of a video: not the titles, not the fade.

    Args:
        rungs: ascending; the picture is chosen in the smallest one and taken from the best.
        folder: of the layer.
    """
    small, best = rungs[0], rungs[-1]
    segments = small.segments
    middle = segments[len(segments) // 4 : -(len(segments) // 4) or None]
    chosen = middle[:: max(1, len(middle) // CANDIDATES)][:CANDIDATES]
    times = [each.start for each in chosen]
    _, time = max(
        (_contrast(frame), time) for time, frame in zip(times, _at_times(small, times, folder), strict=True)
    )
    (frame,) = _at_times(best, [time], folder)
    poster = _image(frame, best.width, best.height)
    poster.thumbnail((POSTER_SIDE, POSTER_SIDE))
    poster.save(folder / POSTER, quality=85)


def make_previews(rendition: Rendition, gop_seconds: float, folder: Path) -> None:
    """A sheet of small pictures at even distances, and its description.

    Args:
        rendition: from which they are taken; a small one is enough.
        gop_seconds: from one key frame to the next.
        folder: of the layer.
    """
    from PIL import Image

    gops = max(1, math.ceil(rendition.duration / gop_seconds - 0.01))
    step = -(-gops // PREVIEWS)
    count = -(-gops // step)
    columns = min(COLUMNS, count)
    rows = -(-count // columns)
    shrink = LONGER_SIDE / max(rendition.width, rendition.height)
    size = max(2, round(rendition.width * shrink)), max(2, round(rendition.height * shrink))
    sheet = Image.new("RGB", (columns * size[0], rows * size[1]))
    interval = step * gop_seconds
    for number, frame in enumerate(_at_times(rendition, [k * interval for k in range(count)], folder)):
        sheet.paste(_image(frame, *size), (number % columns * size[0], number // columns * size[1]))
    description = {
        "preview": SPRITE,
        "frameCount": count,
        "frameInterval": round(interval * 1000),
        "frames": [{"offset": round(number * interval * 1000)} for number in range(count)],
        "width": size[0],
        "height": size[1],
        "nCol": columns,
        "nRow": rows,
    }
    target = folder / PREVIEW
    target.parent.mkdir(exist_ok=True)
    sheet.save(target.with_name(SPRITE), quality=80)
    target.write_text(json.dumps(description))


def _at_times(rendition: Rendition, times: Sequence[float], folder: Path) -> "Iterator[VideoFrame]":
    """The key frames nearest to some times, ascending."""
    wanted = list(times)
    for number, segment in enumerate(rendition.segments):
        last = number == len(rendition.segments) - 1
        here = [each for each in wanted if last or each < segment.start + segment.duration - 0.001]
        if not here:
            continue
        wanted = wanted[len(here) :]
        found = _key_frames(folder / rendition.name, segment)
        for each in here:
            yield min(found, key=lambda frame: abs((frame.time or 0.0) - each))


def _key_frames(place: Path, segment: Segment) -> "list[VideoFrame]":
    import av

    data = io.BytesIO((place / INIT).read_bytes() + (place / segment.name).read_bytes())
    # All that a decoder must know stands in the init segment: nothing need be decoded to find it out.
    with av.open(data, mode="r", format="mov", options={"analyzeduration": "0"}) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1  # for two pictures, threads cost more than they save
        keys = (each for each in container.demux(stream) if each.is_keyframe or not each.size)
        return [frame for packet in keys for frame in stream.decode(packet)]


def _contrast(frame: "VideoFrame") -> float:
    """How much the brightness of a picture varies."""
    from PIL import ImageStat

    return ImageStat.Stat(_image(frame, LONGER_SIDE, LONGER_SIDE).convert("L")).stddev[0]


def _image(frame: "VideoFrame", width: int, height: int) -> "Image":
    image: Image = frame.to_image(width=width, height=height)  # type: ignore[no-untyped-call]
    return image
