"""The parameters of createMission, read into a plan: what does not fit is refused before there is a job."""

import math
import re
from typing import Any, Final

import msgspec

from milepost.http import Field, Parameters, ServiceError
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

_LONGEST: Final = {"title": 250, "snippet": 2048, "tags": 4000, "appId": 100}
_LONGEST_TEXT: Final = 64 * 1024
_MOST_TAGS: Final = 128

_LOCALE: Final = re.compile(r"[A-Za-z]{2,8}(?:[-_][A-Za-z0-9]{1,8}){0,8}")
_APP: Final = re.compile(r"[A-Za-z0-9]+")


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
    return _Reader(given).plan()


class _Reader:
    """Reads one parameter after the other and gathers what is wrong with them."""

    def __init__(self, given: Parameters):
        self._given = given
        self._problems: list[str] = []

    def plan(self) -> Plan:
        plan = Plan(
            title=self._text("title"),
            summary=self._text("snippet"),
            description=self._text("description"),
            license=self._text("licenseInfo"),
            tags=self._tags(),
            capabilities=self._capabilities(),
            extent=self._extent(),
            locale=self._matching("locale", _LOCALE, "a language tag such as en or de-CH") or "en",
            app_id=self._matching("appId", _APP, "letters and digits only"),
            base_map=self._base_map(),
            map_description=self._text("webMapDescription"),
        )
        if not plan.title:
            self._problems.insert(0, "Parameter 'title' is required")
        if self._problems:
            raise ServiceError(400, "; ".join(self._problems), self._problems)
        return plan

    def _wrong(self, name: str, why: str) -> None:
        self._problems.append(f"Parameter '{name}': {why}")

    def _text(self, name: str) -> str:
        text = self._given.get(name).strip()
        longest = _LONGEST.get(name, _LONGEST_TEXT)
        if len(text) > longest:
            self._wrong(name, f"it has {len(text)} characters; {longest} are allowed")
        elif any(ord(each) < 32 and each not in "\t\r\n" for each in text) or not _is_unicode(text):
            self._wrong(name, "it holds control characters, which no text has")
        else:
            return text
        return ""

    def _words(self, name: str) -> list[str]:
        """A list with commas, or a JSON array, as some clients send one."""
        text = self._text(name)
        if text.startswith("["):
            try:
                return [each.strip() for each in msgspec.json.decode(text, type=list[str]) if each.strip()]
            except msgspec.DecodeError:
                self._wrong(name, "it must be words with commas between them")
                return []
        return [each.strip() for each in text.split(",") if each.strip()]

    def _tags(self) -> tuple[str, ...]:
        tags = tuple(dict.fromkeys(self._words("tags")))
        if len(tags) > _MOST_TAGS:
            self._wrong("tags", f"there are {len(tags)}; {_MOST_TAGS} are allowed")
        return tags

    def _capabilities(self) -> tuple[str, ...]:
        named = tuple(dict.fromkeys(each.upper() for each in self._words("capabilities")))
        for each in named:
            if each not in CAPABILITIES:
                self._wrong(
                    "capabilities", f"{each[:40]!r} is no capability; use some of {', '.join(CAPABILITIES)}"
                )
        return named or CAPABILITIES

    def _extent(self) -> tuple[float, float, float, float]:
        text = self._given.get("extent").strip()
        if not text:
            return WORLD
        try:
            west, south, east, north = (float(each) for each in text.split(","))
        except ValueError:
            west = math.nan
        if math.isnan(west) or not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
            self._wrong(
                "extent", f"{text[:60]!r} is no west,south,east,north in degrees, such as {_written(WORLD)}"
            )
            return WORLD
        return west, south, east, north

    def _matching(self, name: str, pattern: re.Pattern[str], what: str) -> str:
        text = self._text(name)
        if text and not pattern.fullmatch(text):
            self._wrong(name, f"{text[:40]!r} is not {what}")
            return ""
        return text

    def _base_map(self) -> dict[str, Any]:
        text = self._given.get("baseMap").strip()
        if not text:
            return {}
        why = 'it must be a JSON object such as {"title": "Streets", "baseMapLayers": [...]}'
        try:
            read = msgspec.json.decode(text, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            self._wrong("baseMap", why)
            return {}
        layers = read.get("baseMapLayers")
        if not isinstance(layers, list) or not all(isinstance(each, dict) for each in layers):
            self._wrong("baseMap", why)
        elif len(text) > _LONGEST_TEXT:
            self._wrong("baseMap", f"it has more than {_LONGEST_TEXT} characters")
        return read


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _written(extent: tuple[float, ...]) -> str:
    return ",".join(f"{each:g}" for each in extent)
