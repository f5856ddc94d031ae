"""The files of telemetry in the folder of a layer, made in one pass over the samples."""

import csv
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from milepost.servers.video.telemetry import coverage, track
from milepost.servers.video.telemetry.cues import CueFiles
from milepost.servers.video.telemetry.klv import NAMES, SECURITY_NAMES
from milepost.servers.video.telemetry.samples import Sample, Telemetry
from milepost.servers.video.telemetry.track import Numbers, Track, numbers_of

_ABOUT: Final = (3, 4, 10, 11, 12, 59, 70, 94)
_COLUMNS: Final = {
    "Sensor Latitude": 13,
    "Sensor Longitude": 14,
    "Sensor Ellipsoid Height Extended": 104,
    "Sensor True Altitude": 15,
    "Platform Heading Angle": 5,
    "Platform Pitch Angle": 6,
    "Platform Roll Angle": 7,
    "Sensor Relative Roll Angle": 20,
    "Sensor Relative Elevation Angle": 19,
    "Sensor Relative Azimuth Angle": 18,
    "Sensor Horizontal Field of View": 16,
    "Sensor Vertical Field of View": 17,
}
"""The fields of video metadata as ArcGIS documents them, beside the time."""
_SAME: Final = {104: 75, 6: 90, 7: 91}
"""Tags that tell the same in another range."""
_SHORTEST_HOLD: Final = 5.0
_EVERY: Final = 50


class Summary(msgspec.Struct, frozen=True):
    """What those who publish the video want to know of its telemetry."""

    start: int | None
    end: int | None
    """Milliseconds since the epoch of the first and last sample; None when nobody knows."""
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
    with (folder / "telemetry.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["Precision Timestamp", *_COLUMNS, *_PLACES])
        for number, sample in enumerate(found.samples()):
            utc = found.utc(sample)
            cues.add(sample.time, sample, utc)
            table.writerow(_row(sample, utc))
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
    _write_json(folder / "telemetry.geojson", track.as_geojson(made))
    _write_json(folder / coverage.FILE, coverage.coverage(made))
    return Summary(found.start, found.end, found.extent, found.warnings)


_PLACES: Final = (
    "Frame Center Latitude",
    "Frame Center Longitude",
    "Frame Center Elevation",
    *(f"Corner {axis} Point {number}" for number in range(1, 5) for axis in ("Latitude", "Longitude")),
)


def _row(sample: Sample, utc: int | None) -> list[Any]:
    values = sample.values
    told = [values.get(tag, values.get(_SAME.get(tag, 0), "")) for tag in _COLUMNS.values()]
    x, y, z = sample.center or ("", "", None)
    corners = [each for x, y in sample.corners for each in (y, x)] if sample.corners else [""] * 8
    return ["" if utc is None else utc, *told, y, x, "" if z is None else z, *corners]


def _remember(about: dict[str, str], sample: Sample) -> None:
    for tag in _ABOUT:
        if value := sample.values.get(tag):
            about.setdefault(NAMES[tag], str(value))
    for tag, value in sample.security.items():
        about.setdefault(SECURITY_NAMES[tag], str(value))


def _write_json(file: Path, content: dict[str, Any]) -> None:
    file.write_text(json.dumps(content, separators=(",", ":"), allow_nan=False), encoding="ascii")
