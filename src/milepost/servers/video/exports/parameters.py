"""What somebody wants exported: what does not fit is refused before there is a job."""

import math
import re
from typing import Any, Final, cast

from milepost.http import Field, Parameters, ServiceError, missing, object_of, required, wrong
from milepost.servers.video.exports.plans import Cut, Format
from milepost.servers.video.facts import RESOLUTIONS, Facts
from milepost.servers.video.ingest.ladder import own_quality, qualities_within
from milepost.servers.video.records import Layer

CLIP: Final = ("timeRange", "expiry", "quality", "async", "name", "format")
FRAMESET: Final = ("timestamps", "timeRange", "expiry", "async")

FORMATS: Final = ("mov", "ts", "mp4")
SOURCE: Final = "native"
MOST_FRAMES: Final = 500
_LONGEST_EXPIRY: Final = 999_999_999
"""Seconds of a clip, as documented; a frameset has the same time in minutes."""


def read_clip(given: Parameters, layer: Layer) -> tuple[Cut, int, str]:
    """The part that is wanted, for how many seconds, and under which name without a suffix.

    Raises:
        ServiceError: 400.
    """
    limits = _object(given, "timeRange")
    start, end = (_seconds("timeRange", limits.get(each), each) for each in ("start", "end"))
    duration = layer.facts.duration
    if start >= duration:
        raise wrong("timeRange", f"it starts at {start:g} s, and the video ends at {duration:g} s")
    end = min(end, duration)
    if end <= start:
        raise wrong("timeRange", f"it ends at {end:g} s, which is not after its start")
    kind = given.get("format").strip().lower().removeprefix(".")
    if kind not in FORMATS:
        known = f"use one of {', '.join(FORMATS)}"
        raise wrong("format", f"{kind[:20]!r} is none; {known}") if kind else missing("format", known)
    cut = Cut(start=start, end=end, quality=_quality(given, layer), format=cast(Format, kind))
    # The document names 0 too, by which a clip is gone as soon as it is there.
    return cut, _expiry(given, 0, _LONGEST_EXPIRY, "seconds"), _name(given, layer)


def read_frameset(given: Parameters, layer: Layer) -> tuple[tuple[float, ...], int]:
    """The times of the frames that are wanted, in seconds, and for how many seconds they are.

    Raises:
        ServiceError: 400.
    """
    listed = given.get("timestamps").strip()
    if bool(listed) == bool(given.get("timeRange").strip()):
        raise ServiceError(400, "Send either 'timestamps' or 'timeRange': which frames are wanted")
    name = "timestamps" if listed else "timeRange"
    times = _listed(listed) if listed else _spread(_object(given, "timeRange"), layer)
    if len(times) > MOST_FRAMES:
        raise wrong(name, f"it asks for {len(times)} frames; {MOST_FRAMES} are allowed at once")
    late = next((each for each in times if each > layer.facts.duration), None)
    if late is not None:
        raise wrong(
            name,
            f"{late:g} s is after the end of the video at {layer.facts.duration:g} s; times are in seconds",
        )
    return times, _expiry(given, 1, _LONGEST_EXPIRY // 60, "minutes") * 60


def clip_fields(facts: Facts) -> tuple[Field, ...]:
    """The form that people export a clip of a layer with."""
    end = f"{min(10.0, facts.duration):g}"
    lower = qualities_within(facts.width, facts.height)
    return (
        Field(
            "timeRange",
            "Part",
            value=f'{{"start": 0, "end": {end}}}',
            help="In seconds, as JSON",
            required=True,
        ),
        Field("format", "Format", value="mp4", choices=FORMATS, required=True),
        Field("quality", "Quality", help="That of the source if empty", choices=lower),
        Field("expiry", "Kept for", value="3600", help="Seconds", required=True),
        Field("name", "File name"),
    )


def frameset_fields() -> tuple[Field, ...]:
    """The form that people export frames with."""
    return (
        Field("timestamps", "Times", value="0", help="In seconds, with commas between them"),
        Field("timeRange", "Or a part", help='Such as {"start": 0, "end": 10, "interval": 2}, in seconds'),
        Field("expiry", "Kept for", value="60", help="Minutes", required=True),
    )


def _quality(given: Parameters, layer: Layer) -> str:
    """The name of a resolution, by the rules of the ladder: whatever a layer tells of itself does."""
    name, facts = given.get("quality").strip().lower(), layer.facts
    size = facts.width, facts.height
    if name in ("", "source", SOURCE, own_quality(*size)):
        return SOURCE
    if name not in RESOLUTIONS:
        raise wrong("quality", f"{name[:20]!r} is none; use one of {', '.join((SOURCE, *RESOLUTIONS))}")
    if name in qualities_within(*size):
        return name
    if name == facts.source_quality:
        return SOURCE  # of a picture below the lowest resolution, which goes by its name
    source = f"{facts.width} x {facts.height} pixels"
    raise wrong(
        "quality", f"{name} is above that of the source, {source}; leave it out for the best there is"
    )


def _name(given: Parameters, layer: Layer) -> str:
    """Letters, digits, ``_``, ``-`` and ``.`` of what was asked for, or of the name of the layer."""
    wanted = given.get("name").strip() or layer.name
    for suffix in FORMATS:
        wanted = wanted.removesuffix(f".{suffix}")
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", wanted).strip("_")[:80]
    return plain or "clip"


def _expiry(given: Parameters, least: int, most: int, unit: str) -> int:
    text = required(given, "expiry", f"send the {unit} for which the export is kept")
    if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) or not least <= int(text) <= most:
        what = f"{text[:20]!r} is no whole number from {least} to {most}"
        raise wrong("expiry", f"{what}: the {unit} for which the export is kept")
    return int(text)


def _listed(text: str) -> tuple[float, ...]:
    return tuple(_seconds("timestamps", each, "a timestamp") for each in text.strip("[] ").split(","))


def _spread(limits: dict[str, Any], layer: Layer) -> tuple[float, ...]:
    start, end, interval = (
        _seconds("timeRange", limits.get(each), each) for each in ("start", "end", "interval")
    )
    if interval <= 0:
        raise wrong("timeRange", "its interval must be more than 0 seconds")
    if start > layer.facts.duration:
        raise wrong(
            "timeRange",
            f"it starts at {start:g} s, and the video ends at {layer.facts.duration:g} s; times are in seconds",
        )
    if end < start:
        raise wrong("timeRange", "it ends before its start")
    count = int((min(end, layer.facts.duration) - start) / interval + 1e-9) + 1
    if count > MOST_FRAMES:
        raise wrong("timeRange", f"it asks for {count} frames; {MOST_FRAMES} are allowed at once")
    return tuple(round(start + number * interval, 6) for number in range(count))


def _object(given: Parameters, name: str) -> dict[str, Any]:
    example = '{"start": 0, "end": 10}, in seconds'
    return object_of(name, required(given, name, f"send a JSON object such as {example}"), example)


def _seconds(name: str, value: Any, part: str) -> float:
    """Seconds, which clients write as numbers and as text."""
    try:
        number = (
            float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else math.nan
        )
    except (ValueError, OverflowError):
        number = math.nan
    if not 0 <= number < 10**9:
        what = "is missing" if value is None else f"is no number of seconds: {str(value)[:20]!r}"
        raise wrong(name, f"{part} {what}")
    return number
