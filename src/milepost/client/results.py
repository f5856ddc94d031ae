"""What came out of a job: fetched where a dialect only gives addresses, and told in a few words."""

from typing import Any, Final

import msgspec

from milepost.client.errors import ClientError
from milepost.client.session import Session
from milepost.client.views import JobView, Result, clean, one_line

_SHORT: Final = 120
"""Characters of a value that are shown."""


def fetch_results(session: Session, view: JobView) -> tuple[Result, ...]:
    """The results of a finished job with their values.

    A value that cannot be had leaves its result with the address alone.
    """
    found: list[Result] = []
    for result in view.results:
        if not result.url or view.dialect not in ("geoprocessing", "processes"):
            found.append(result)
            continue
        try:
            body = session.get(result.url)
        except (ClientError, ValueError):
            found.append(result)
            continue
        if view.dialect == "processes" and isinstance(body, dict):
            found += [Result(clean(name), value, result.url) for name, value in body.items()]
        else:
            value = body.get("value") if isinstance(body, dict) and "paramName" in body else body
            found.append(Result(result.name, value, result.url))
    return tuple(found)


def summary(value: Any) -> str:
    """A value in a few words, on one line."""
    if value is None:
        return ""
    if isinstance(value, str):
        return _cut(one_line([value]))
    if isinstance(value, dict):
        features = value.get("features")
        if isinstance(features, list):
            kind = value.get("geometryType", "")
            word = kind.removeprefix("esriGeometry").lower() if isinstance(kind, str) else ""
            noun = "feature" if len(features) == 1 else "features"
            return f"{len(features):,} {one_line([word])} {noun}".replace("  ", " ")
        if isinstance(value.get("url"), str) and len(value) <= 2:
            return _cut(one_line([value["url"]]))
    if isinstance(value, list):
        return f"{len(value):,} values" if len(value) > 5 else _json(value)
    return _json(value)


def _json(value: Any) -> str:
    # Decoded from JSON, so it has a JSON form again; only its depth may be too much.
    try:
        return _cut(one_line([msgspec.json.encode(value).decode()]))
    except RecursionError:
        return "(deeply nested)"


def _cut(text: str) -> str:
    return text if len(text) <= _SHORT else text[: _SHORT - 1] + "…"
