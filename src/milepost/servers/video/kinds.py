"""What uploaded files are, told by their content: a name proves nothing."""

import csv
import re
from pathlib import Path
from typing import Final

from milepost.servers.video.ingest.containers import is_text, video_in

TYPES: Final = {
    "mpegts": "video/mp2t",
    "mp4": "video/mp4",
    "mov": "video/quicktime",
    "avi": "video/x-msvideo",
    "mpegps": "video/mpeg",
}
"""Content types by the name of the container."""

TEXTS: Final = ("text/csv", "application/gpx+xml", "text/plain")
"""Of files with telemetry beside a video."""

_HEAD: Final = 64 * 1024
_SEPARATORS: Final = ",;\t|"


def content_type(path: Path) -> str:
    """The content type of a file.

    Raises:
        ValueError: it is nothing that can be published; the text says what it is instead.
    """
    if not is_text(path):
        return TYPES[video_in(path)]
    with path.open("rb") as file:
        head = file.read(_HEAD).decode("utf-8-sig", errors="replace")
    if re.search(r"<(?:\w+:)?gpx[\s>]", head[:4096]):
        return "application/gpx+xml"
    return "text/csv" if _is_table(head) else "text/plain"


def _is_table(head: str) -> bool:
    """Whether the lines are divided into as many columns each, two at least."""
    lines = [each for each in head.splitlines()[:20] if each.strip()]
    if len(lines) < 2:
        return False
    for separator in _SEPARATORS:
        try:
            widths = {len(row) for row in csv.reader(lines[:-1], delimiter=separator)}
        except csv.Error:
            continue
        if len(widths) == 1 and widths.pop() > 1:
            return True
    return False
