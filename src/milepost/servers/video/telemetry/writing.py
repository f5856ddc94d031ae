"""The files of telemetry in the folder of a layer, made in one pass over the samples."""

import csv
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from milepost.servers.video.facts import TABLE
from milepost.servers.video.telemetry import coverage, track
from milepost.servers.video.telemetry.cues import CueFiles
from milepost.servers.video.telemetry.features import as_geojson
from milepost.servers.video.telemetry.klv import NAMES, SECURITY_NAMES
from milepost.servers.video.telemetry.samples import Sample, Telemetry
from milepost.servers.video.telemetry.table import Columns
from milepost.servers.video.telemetry.track import Numbers, Track, numbers_of

_ABOUT: Final = (3, 4, 10, 11, 12, 59, 70, 94)
_SHORTEST_HOLD: Final = 5.0
_EVERY: Final = 50


class Summary(msgspec.Struct, frozen=True):
    """What those who publish the video want to know of its telemetry."""

    start: int | None
    end: int | None
    """Milliseconds since the epoch of the first and last sample; None when nobody knows."""
    time_system: str
    """``UTC`` or ``MISP``, whose times are taken for UTC."""
    extent: tuple[float, float, float, float] | None
    """West, south, east, north in degrees of all that is seen."""
    warnings: tuple[str, ...]


def write(
    found: Telemetry,
    folder: Path,
    segments: Sequence[float],
    *,
    media_start: float = 0.0,
    tell: Callable[[float], object] | None = None,
) -> Summary:
    """Write ``telemetry/``, ``telemetry.json``, ``telemetry.geojson``, ``telemetry.csv`` and ``coverage.json``.

    Args:
        found: what ``read`` returned.
        folder: the folder of the layer.
        segments: seconds of every segment of the video.
        media_start: seconds that the clock of the segments shows at the first picture; 0 for segments that
            begin at 0, as FFmpeg makes them.
        tell: called now and then with the fraction that is done.
    """
    hold = max(_SHORTEST_HOLD, 2 * found.interval)
    every = max(1, math.ceil(found.count / track.MOST))
    subtitles = folder / "telemetry"
    subtitles.mkdir(parents=True, exist_ok=True)
    cues = CueFiles(subtitles, segments, hold, media_start)
    about: dict[str, str] = {}
    kept: list[Numbers] = []
    columns = Columns(found)
    with (folder / TABLE).open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(columns.names)
        for number, sample in enumerate(found.samples()):
            utc = found.utc(sample)
            cues.add(sample.time, sample, utc)
            table.writerow(columns.row(sample, utc))
            _remember(about, sample)
            if number % every == 0:
                kept.append(numbers_of(sample))
            if tell is not None and number % _EVERY == 0:
                tell(number / found.count)
    cues.finish()
    made = Track(
        source=found.source,
        time_system=found.time_system,
        start=found.start,
        end=found.end,
        extent=found.extent,
        sets=found.count,
        every=every,
        hold=hold,
        about=about,
        warnings=found.warnings,
        samples=kept,
    )
    (folder / track.FILE).write_bytes(track.encode(made))
    _write_json(folder / "telemetry.geojson", as_geojson(made, found.samples()))
    _write_json(folder / coverage.FILE, coverage.coverage(made))
    return Summary(found.start, found.end, found.time_system, found.extent, found.warnings)


def _remember(about: dict[str, str], sample: Sample) -> None:
    for tag in _ABOUT:
        if value := sample.values.get(tag):
            about.setdefault(NAMES[tag], str(value))
    for tag, value in sample.security.items():
        about.setdefault(SECURITY_NAMES[tag], str(value))


def _write_json(file: Path, content: dict[str, Any]) -> None:
    file.write_text(json.dumps(content, separators=(",", ":"), allow_nan=False), encoding="ascii")
