"""The parameters of createMission, read into a plan: what does not fit is refused before there is a job."""

import math
import re
from typing import Any, Final

from milepost.http import LONGEST_TEXT, Field, Parameters, Reader
from milepost.servers.mission.records import CAPABILITIES, WORLD, Plan

CREATE: Final = (
    "title",
    "snippet",
    "description",
    "licenseInfo",
    "capabilities",
    "appId",
    "tags",
    "extent",
    "templateWebMapId",
    "baseMap",
    "webMapDescription",
    "locale",
    "async",
)

_LONGEST_SUMMARY: Final = 2048
_LONGEST_TAGS: Final = 4000
_MOST_TAGS: Final = 128

_LOCALE: Final = re.compile(r"[A-Za-z]{2,8}(?:[-_][A-Za-z0-9]{1,8}){0,8}")
APP: Final = re.compile(r"[A-Za-z0-9]{1,100}")
APP_FORM: Final = "an id of an app: up to 100 letters and digits"
_BASE_MAP: Final = '{"title": "Streets", "baseMapLayers": [...]}'


def create_fields() -> tuple[Field, ...]:
    """The form that people create a mission with."""
    return (
        Field("title", "Title", required=True),
        Field("snippet", "Summary"),
        Field("description", "Description", kind="long"),
        Field("tags", "Tags", help="Separated by commas"),
        Field(
            "capabilities", "Capabilities", help=f"Some of {', '.join(CAPABILITIES)}; all of them if empty"
        ),
        Field("extent", "Extent", help="West, south, east and north in degrees; the world if empty"),
    )


def report_fields() -> tuple[Field, ...]:
    """The form that people add a report with."""
    return (
        Field("title", "Title", required=True),
        Field("serviceName", "Name of the service", required=True, help="Letters, digits, _ and -"),
        Field("questions", "Questions", kind="long", help="A JSON array; a subject and notes if empty"),
    )


def read_plan(given: Parameters) -> Plan:
    """What a mission is to be; the template of its map is looked up by others.

    Raises:
        ServiceError: 400; the message names every parameter that does not fit.
    """
    reader = Reader(given)
    plan = Plan(
        title=reader.required("title"),
        summary=reader.text("snippet", _LONGEST_SUMMARY),
        description=reader.text("description", LONGEST_TEXT),
        license=reader.text("licenseInfo", LONGEST_TEXT),
        tags=_tags(reader),
        capabilities=_capabilities(reader),
        extent=_extent(reader),
        locale=reader.matching("locale", _LOCALE, "a language tag such as en or de-CH") or "en",
        app_id=reader.matching("appId", APP, APP_FORM),
        base_map=_base_map(reader),
        map_description=reader.text("webMapDescription", LONGEST_TEXT),
    )
    reader.end()
    return plan


def _tags(reader: Reader) -> tuple[str, ...]:
    tags = tuple(dict.fromkeys(reader.words("tags", _LONGEST_TAGS)))
    if len(tags) > _MOST_TAGS:
        reader.wrong("tags", f"there are {len(tags)}; {_MOST_TAGS} are allowed")
    return tags


def _capabilities(reader: Reader) -> tuple[str, ...]:
    named = tuple(dict.fromkeys(each.upper() for each in reader.words("capabilities")))
    for each in named:
        if each not in CAPABILITIES:
            reader.wrong(
                "capabilities", f"{each[:40]!r} is no capability; use some of {', '.join(CAPABILITIES)}"
            )
    return named or CAPABILITIES


def _extent(reader: Reader) -> tuple[float, float, float, float]:
    text = reader.text("extent")
    if not text:
        return WORLD
    try:
        west, south, east, north = (float(each) for each in text.split(","))
    except ValueError:
        west = math.nan
    if math.isnan(west) or not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        reader.wrong(
            "extent", f"{text[:60]!r} is no west,south,east,north in degrees, such as {_written(WORLD)}"
        )
        return WORLD
    return west, south, east, north


def _base_map(reader: Reader) -> dict[str, Any]:
    base_map = reader.object("baseMap", _BASE_MAP)
    layers = base_map.get("baseMapLayers")
    if base_map and not (isinstance(layers, list) and all(isinstance(each, dict) for each in layers)):
        reader.wrong("baseMap", f"it must be a JSON object such as {_BASE_MAP}")
    return base_map


def _written(extent: tuple[float, ...]) -> str:
    return ",".join(f"{each:g}" for each in extent)
