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


def make_poster(rendition: Rendition, folder: Path) -> None:
    """The picture of the greatest contrast from the middle half of a video: not the titles, not the fade."""
    from PIL import ImageStat

    segments = rendition.segments
    middle = segments[len(segments) // 4 : -(len(segments) // 4) or None]
    chosen = middle[:: max(1, len(middle) // CANDIDATES)][:CANDIDATES]
    pictures = (picture for each in chosen for _, picture in _key_frames(rendition, each, folder))
    best = max(pictures, key=lambda picture: ImageStat.Stat(picture.convert("L")).stddev[0])
    best.thumbnail((POSTER_SIDE, POSTER_SIDE))
    best.save(folder / POSTER, quality=85)


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
    for number, picture in enumerate(_at_times(rendition, [k * interval for k in range(count)], folder)):
        place = number % columns * size[0], number // columns * size[1]
        sheet.paste(picture.resize(size, Image.Resampling.LANCZOS), place)
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


def _at_times(rendition: Rendition, times: Sequence[float], folder: Path) -> "Iterator[Image]":
    """The key frames nearest to some times, ascending."""
    wanted = list(times)
    for number, segment in enumerate(rendition.segments):
        last = number == len(rendition.segments) - 1
        here = [each for each in wanted if last or each < segment.start + segment.duration - 0.001]
        if not here:
            continue
        wanted = wanted[len(here) :]
        found = list(_key_frames(rendition, segment, folder))
        for each in here:
            yield min(found, key=lambda frame: abs(frame[0] - each))[1]


def _key_frames(rendition: Rendition, segment: Segment, folder: Path) -> "Iterator[tuple[float, Image]]":
    """The key frames of a segment, each with its time in seconds."""
    import av

    place = folder / rendition.name
    data = io.BytesIO((place / INIT).read_bytes() + (place / segment.name).read_bytes())
    with av.open(data, mode="r", format="mov") as container:
        stream = container.streams.video[0]
        stream.codec_context.skip_frame = "NONKEY"
        for frame in container.decode(stream):
            image: Image = frame.to_image()  # type: ignore[no-untyped-call]
            yield frame.time or 0.0, image
