"""Telemetry that comes in a file of its own beside the video: a table (.csv, .txt) or a track (.gpx)."""

import csv
import re
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from xml.parsers import expat

from milepost.servers.video.telemetry.klv import NAMES, TEXTS

Row = tuple[int, dict[int, Any]]
"""Microseconds since the epoch, UTC, and values by tag of ST 0601."""

_TIME: Final = 2
_LATITUDE: Final = 13
_LONGITUDE: Final = 14
_ALTITUDE: Final = 15
_HEADING: Final = 5
_LONGEST: Final = 64 * 1024
"""Characters of a line."""
_DELIMITERS: Final = ",;\t|"
_TEXT: Final = TEXTS | {94}

_ALIASES: Final = {
    "Precision Timestamp": 2,
    "TimeStamp": 2,
    "Unix Time Stamp": 2,
    "Latitude": 13,
    "Longitude": 14,
    "Altitude": 15,
    "Sensor Altitude": 15,
    "Heading": 5,
    "Pitch": 6,
    "Roll": 7,
    "Platform Heading": 5,
    "Platform Pitch": 6,
    "Platform Roll": 7,
    "Platform True Air Speed": 8,
    "Sensor Relative Azimuth": 18,
    "Sensor Relative Elevation": 19,
    "Sensor Relative Roll": 20,
    "Sensor Horizontal FOV": 16,
    "Sensor Vertical FOV": 17,
    "Horizontal FOV": 16,
    "Vertical FOV": 17,
    "LDSVer": 65,
    **{
        f"Corner {axis} Point {number + 1}": 82 + 2 * number + at
        for number in range(4)
        for at, axis in enumerate(("Latitude", "Longitude"))
    },
}
"""What columns are called beside the names of ST 0601, which hold too."""


class SideFileError(ValueError):
    """A file beside the video that cannot be read as telemetry; the text names the cause and the cure."""


def rows(file: Path, name: str, bad: Callable[[], object]) -> Iterator[Row]:
    """What a file beside a video tells, in its order.

    Args:
        file: the file.
        name: what it was called when it was uploaded.
        bad: called for every row that cannot be read.

    Raises:
        SideFileError: there is no telemetry in it.
    """
    with file.open("rb") as opened:
        head = opened.read(100).removeprefix(BOM_UTF8).lstrip()
    return _track(file, name, bad) if head.startswith(b"<") else _table(file, name, bad)


def _table(path: Path, name: str, bad: Callable[[], object]) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        lines = _lines(file, name)
        head = next(lines, "")
        delimiter = max(_DELIMITERS, key=head.count)
        columns = [_TAGS.get(_key(each)) for each in next(csv.reader([head], delimiter=delimiter), [])]
        for tag, example in (
            (_TIME, "Precision Timestamp"),
            (_LATITUDE, "Sensor Latitude"),
            (_LONGITUDE, "Sensor Longitude"),
        ):
            if tag not in columns:
                raise SideFileError(
                    f"{name} has no column {example!r} in its first line; "
                    "name the columns of telemetry as ArcGIS documents them"
                )
        try:
            for cells in csv.reader(lines, delimiter=delimiter):
                if any(cells):
                    row = _row(dict(zip(columns, cells, strict=False)))
                    if row is None:
                        bad()
                    else:
                        yield row
        except csv.Error as error:
            raise SideFileError(f"{name} cannot be read as a table: {error}") from error


def _lines(file: Any, name: str) -> Iterator[str]:
    while line := file.readline(_LONGEST):
        if len(line) == _LONGEST:
            raise SideFileError(f"{name} has a line of more than {_LONGEST} characters; give a table of text")
        yield line.replace("\0", "")


def _row(cells: Mapping[int | None, str]) -> Row | None:
    stamp = _stamp(cells.get(_TIME, ""))
    values: dict[int, Any] = {}
    for tag, cell in cells.items():
        if tag is None or tag == _TIME or not cell.strip():
            continue
        if tag in _TEXT:
            values[tag] = cell.strip()
        elif (number := _number(cell)) is not None:
            values[tag] = number
    return None if stamp is None or not _on_earth(values) else (stamp, values)


def _number(cell: str) -> float | None:
    try:
        number = float(cell)
    except ValueError:
        return None
    return round(number, 9) if abs(number) < 1e9 else None


def _on_earth(values: Mapping[int, Any]) -> bool:
    latitude, longitude = values.get(_LATITUDE), values.get(_LONGITUDE)
    return latitude is not None and longitude is not None and abs(latitude) <= 90 and abs(longitude) <= 180


def _stamp(cell: str) -> int | None:
    """Microseconds out of microseconds, milliseconds or seconds since the epoch, or a date in ISO 8601."""
    try:
        number = float(cell)
    except ValueError:
        return _iso(cell)
    for least, unit in ((1e14, 1), (1e11, 1_000), (1e8, 1_000_000)):
        if least <= number < 1e17:
            return int(cell) if unit == 1 and cell.strip().isdigit() else round(number * unit)
    return None


def _iso(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return round(moment.timestamp() * 1_000) * 1_000
    except (OverflowError, ValueError):
        return None


def _track(path: Path, name: str, bad: Callable[[], object]) -> Iterator[Row]:
    reader = _Gpx(bad)
    broken = ""
    with path.open("rb") as file:
        chunk = b"-"
        while chunk and not broken:
            chunk = file.read(_LONGEST)
            try:
                reader.parser.Parse(chunk, not chunk)
            except expat.ExpatError as error:
                broken = f"{name} is no sound GPX: {error}; write it again with the program it is from"
            yield from reader.taken()
    if broken:
        raise SideFileError(broken)
    if not reader.points:
        raise SideFileError(
            f"{name} has no point of a track (trkpt); give the GPX that was recorded with the video"
        )


class _Gpx:
    """Gathers the points of tracks while they are parsed."""

    def __init__(self, bad: Callable[[], object]):
        self.points = 0
        self._bad = bad
        self._rows: list[Row] = []
        self._point: dict[str, str] | None = None
        self._text = ""
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters
        self.parser.EntityDeclHandler = self._entity

    def taken(self) -> list[Row]:
        rows, self._rows = self._rows, []
        return rows

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._text = ""
        if _local_name(tag) == "trkpt":
            self.points += 1
            self._point = {key: attributes.get(key, "") for key in ("lat", "lon")}

    def _characters(self, text: str) -> None:
        if len(self._text) < 100:
            self._text += text[:100]

    def _end(self, tag: str) -> None:
        name = _local_name(tag)
        if self._point is None:
            return
        if name in {"ele", "time", "course"}:
            self._point[name] = self._text.strip()
        elif name == "trkpt":
            point, self._point = self._point, None
            told = {_LATITUDE: "lat", _LONGITUDE: "lon", _ALTITUDE: "ele", _HEADING: "course"}
            found = {tag: _number(point.get(key, "")) for tag, key in told.items()}
            values = {tag: value for tag, value in found.items() if value is not None}
            stamp = _iso(point.get("time", ""))
            if stamp is None or not _on_earth(values):
                self._bad()
            else:
                self._rows.append((stamp, values))

    def _entity(self, *_: Any) -> None:
        raise SideFileError("the GPX declares entities, which no track needs; remove its DOCTYPE")


def _local_name(tag: str) -> str:
    return tag.rpartition(" ")[2]


def _key(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


_TAGS: Final = {
    **{_key(name): tag for tag, name in NAMES.items() if tag not in {1, 48}},
    **{_key(name): tag for name, tag in _ALIASES.items()},
}
