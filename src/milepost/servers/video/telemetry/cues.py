"""Telemetry as subtitles: WebVTT whose cues are JSON, cut where the segments of the video are cut."""

import json
import math
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

from milepost.servers.video.telemetry.klv import NAMES, SECURITY_NAMES
from milepost.servers.video.telemetry.planar import WGS84, ring
from milepost.servers.video.telemetry.samples import Sample
from milepost.servers.video.telemetry.table import cell, name_of

PLAYLIST: Final = "index.m3u8"
SOURCE: Final = "EsriVideoServer"
SHORTEST: Final = 0.095
"""Seconds from a cue to the next: ten a second move smoothly on a map, and a file of more would only be larger."""

_LOCAL_SET: Final = 10_000
_SECURITY: Final = 20_000
_CENTER: Final = (90_050, 90_051)
_CORNERS: Final = range(90_052, 90_060)
_OUTLINE: Final = 90_060
_SENSOR: Final = 90_061
_HORIZON: Final = 90_063
_HORIZON_TAG: Final = 81
_WHOLE_HORIZON: Final = 8
"""Numbers of a horizon whose ends are known on the ground, too: players take no other."""

_ESCAPES: Final = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})
_CLOCK: Final = 90_000


def cue_text(sample: Sample, utc: int | None) -> str:
    """What players of ArcGIS read from a cue, on one line, without a character that WebVTT gives a meaning.

    Args:
        sample: what is known.
        utc: its time in microseconds since the epoch; left out when None.
    """
    entries = [] if utc is None else [_entry(_LOCAL_SET + 2, NAMES[2], utc)]
    for tag, value in sample.values.items():
        whole = tag == _HORIZON_TAG and isinstance(value, dict) and len(value) == _WHOLE_HORIZON
        entries.append(_entry(_HORIZON if whole else _LOCAL_SET + tag, name_of(tag), _one(value)))
    for tag, value in sample.security.items():
        entries.append(_entry(_SECURITY + tag, SECURITY_NAMES[tag], value))
    entries += _computed(sample)
    told = _entry(_LOCAL_SET, "UAS Datalink Local Set", entries)
    text = json.dumps({"source": SOURCE, "data": [told]}, separators=(",", ":"), allow_nan=False)
    return text.translate(_ESCAPES)


def _computed(sample: Sample) -> Iterator[dict[str, Any]]:
    """Middle, corners, outline and sensor as players show them first."""
    if sample.center is not None:
        yield _entry(_CENTER[0], "Frame Center Latitude (computed)", sample.center[1])
        yield _entry(_CENTER[1], "Frame Center Longitude (computed)", sample.center[0])
    if sample.corners is not None:
        for number, (x, y) in enumerate(sample.corners):
            yield _entry(_CORNERS[2 * number], f"Corner Latitude Point {number + 1} (computed)", y)
            yield _entry(_CORNERS[2 * number + 1], f"Corner Longitude Point {number + 1} (computed)", x)
        outline = {"rings": [ring(sample.corners, sample.corners[0][0])], "spatialReference": WGS84}
        yield _entry(_OUTLINE, "Frame Outline", {"geometry": outline})
    if sample.sensor is not None:
        x, y, z = sample.sensor
        place = {"x": x, "y": y, **({} if z is None else {"z": z}), "spatialReference": WGS84}
        yield _entry(_SENSOR, "Sensor Position", {"geometry": place})


def _one(value: Any) -> Any:
    """A value as players take it: they look for entries in every list, and so lists are text, as in the table."""
    return cell(value) if isinstance(value, list) else value


def _entry(tag: int, name: str, value: Any) -> dict[str, Any]:
    return {"tagId": tag, "name": name, "value": value}


class CueFiles:
    """Writes cues to one file a segment, while samples come in order."""

    def __init__(self, folder: Path, segments: Sequence[float], hold: float, media_start: float = 0.0):
        """Into a folder that is there.

        Args:
            folder: where the files go.
            segments: seconds of every segment of the video.
            hold: seconds after which a sample no longer says what is seen.
            media_start: seconds that the video's own clock shows at its first picture.
        """
        self._folder, self._hold = folder, hold
        self._segments = list(segments)
        # In milliseconds, as cues count.
        self._ends = [round(each * 1000) for each in accumulate(self._segments)]
        # Cues count from the first picture; players lay that onto the clock of the video's segments by this line.
        self._head = f"WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:{round(media_start * _CLOCK)},LOCAL:00:00:00.000\n\n"
        self._number = 0
        self._lines: list[str] = []
        self._last: tuple[float, str] | None = None
        self.count = 0

    def add(self, time: float, sample: Sample, utc: int | None) -> None:
        """Show a sample from its time until the next one."""
        time = max(0.0, time)
        if self._last is not None:
            if 0 < time - self._last[0] < SHORTEST:
                return
            self._show(*self._last, min(time, self._last[0] + self._hold))
        self._last = (time, cue_text(sample, utc))

    def finish(self) -> None:
        """Show the last sample to its end, and write the playlist and the segments that are left."""
        if self._last is not None:
            self._show(*self._last, self._last[0] + self._hold)
        while self._number < len(self._segments):
            self._close()
        longest = math.ceil(max(self._segments, default=1))
        lines = ["#EXTM3U", "#EXT-X-VERSION:6", f"#EXT-X-TARGETDURATION:{longest}", "#EXT-X-MEDIA-SEQUENCE:0"]
        lines.append("#EXT-X-PLAYLIST-TYPE:VOD")
        for number, seconds in enumerate(self._segments):
            lines += [f"#EXTINF:{seconds:.6f},", _name(number)]
        (self._folder / PLAYLIST).write_text("\n".join([*lines, "#EXT-X-ENDLIST", ""]), encoding="ascii")

    def _show(self, begin: float, text: str, end: float) -> None:
        """A cue belongs into every segment that it is seen in."""
        since, until = round(begin * 1000), round(end * 1000)
        while self._number < len(self._ends) and self._ends[self._number] <= since:
            self._close()
        if until <= since or self._number == len(self._ends):
            return
        self.count += 1
        cue = f"{_stamp(since)} --> {_stamp(min(until, self._ends[-1]))}\n{text}\n\n"
        self._lines.append(cue)
        while self._number + 1 < len(self._ends) and self._ends[self._number] < until:
            self._close()
            self._lines.append(cue)

    def _close(self) -> None:
        content = self._head + "".join(self._lines)
        (self._folder / _name(self._number)).write_text(content, encoding="ascii", newline="\n")
        self._lines.clear()
        self._number += 1


def _name(number: int) -> str:
    return f"segment_{number:05d}.vtt"


def _stamp(milliseconds: int) -> str:
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}.{rest % 1000:03d}"
