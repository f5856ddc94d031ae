"""What clients send, as text or as JSON, brought into the one JSON form of each kind of value."""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

import msgspec

from milepost.operations.types import FeatureSet, LinearUnit, RecordSet, check_features, shown

Kind = Literal[
    "string",
    "long",
    "double",
    "boolean",
    "date",
    "linear_unit",
    "features",
    "records",
    "raster",
    "file",
]
"""What a value is; each dialect has one small dictionary from these to its own words."""

MAX_DEPTH: Final = 64
"""Levels of arrays and objects in a value. What is deeper could be read here and break what comes after."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_FIRST_DATE: Final = -62_135_596_800_000  # 0001-01-01
_LAST_DATE: Final = 253_402_300_799_999  # 9999-12-31


def to_milliseconds(moment: datetime) -> int:
    """A time as milliseconds since 1970; one without a time zone is UTC."""
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // _MILLISECOND


def from_milliseconds(milliseconds: int) -> datetime:
    """The UTC time, milliseconds since 1970."""
    return _EPOCH + milliseconds * _MILLISECOND


def json_of(text: str, wanted: str) -> Any:
    """The JSON value in a text.

    Raises:
        ValueError: it is no JSON; the text says so, and what was wanted.
    """
    try:
        return msgspec.json.decode(text)
    except RecursionError:
        reason = "it is nested too deeply"
    except UnicodeError:
        reason = "it holds what is no character"
    except msgspec.DecodeError as error:
        reason = str(error)
    raise ValueError(f"it must be {wanted}, but it is not valid JSON ({reason})")


def _object_of(raw: Any, wanted: str) -> dict[str, Any]:
    value = json_of(raw, wanted) if isinstance(raw, str) else raw
    if not isinstance(value, dict):
        raise ValueError(f"it must be {wanted}")
    return value


def _tree_of(raw: Any, wanted: str) -> dict[str, Any]:
    """An object of any size, as a fresh copy that surely has a JSON form; a null in it counts as not there."""
    if isinstance(raw, dict):
        try:
            raw = msgspec.json.encode(raw).decode()
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise ValueError(f"it must be {wanted}, but it has no JSON form") from error
    value = _object_of(raw, wanted)
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for each in level
            for inner in (each.values() if type(each) is dict else each)
            if type(inner) is dict or type(inner) is list
        ]
        if not level:
            return {key: inner for key, inner in value.items() if inner is not None}
    raise ValueError(f"it must be {wanted}, but it is nested more than {MAX_DEPTH} levels deep")


def _check_string(raw: Any) -> str:
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        raise ValueError("it must be a text")
    try:
        text = str(raw)
        text.encode()
    except ValueError as error:
        raise ValueError("it must be a text of valid characters") from error
    if "\x00" in text:
        raise ValueError("it contains a null character")
    return text


def _check_long(raw: Any) -> int:
    number = _check_double(raw)
    if number != int(number):
        raise ValueError(f"{shown(raw)} is not a whole number")
    # A text is read again as an integer: a double has only 53 bits for it.
    try:
        whole = int(str(raw).strip())
    except ValueError:
        whole = int(number)
    if not -(2**63) <= whole < 2**63:
        raise ValueError("it must fit into 64 bits")
    return whole


def _check_double(raw: Any) -> float:
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        raise ValueError("it must be a number")
    try:
        number = float(raw)
    except OverflowError:
        number = math.inf
    except ValueError as error:
        raise ValueError(f"{shown(raw)} is not a number") from error
    if not math.isfinite(number):
        raise ValueError("it must be a finite number, not NaN or infinity")
    return number


def _check_boolean(raw: Any) -> bool:
    if isinstance(raw, int | float) and raw in (0, 1):
        return bool(raw)
    match raw.strip().lower() if isinstance(raw, str) else raw:
        case "true" | "1":
            return True
        case "false" | "0":
            return False
        case _:
            raise ValueError(f"{shown(raw)} is neither true nor false")


def _check_date(raw: Any) -> int:
    if isinstance(raw, str) and not raw.strip().lstrip("+-").replace(".", "", 1).isdigit():
        try:
            moment = datetime.fromisoformat(raw.strip())
        except ValueError as error:
            raise ValueError(
                f"{shown(raw)} is no date; give milliseconds since 1970 or ISO 8601, such as 2026-11-22T10:00:00Z"
            ) from error
        milliseconds = to_milliseconds(moment)
    else:
        milliseconds = int(_check_double(raw))
    if not _FIRST_DATE <= milliseconds <= _LAST_DATE:
        raise ValueError("it must lie between the years 1 and 9999")
    return milliseconds


def _check_linear_unit(raw: Any) -> dict[str, Any]:
    wanted = 'a distance such as {"distance": 100, "units": "esriMeters"}'
    if isinstance(raw, str) and not raw.lstrip().startswith("{"):
        distance = LinearUnit(raw)
    elif isinstance(raw, int | float):
        distance = LinearUnit(_check_double(raw))
    else:
        value = _object_of(raw, wanted)
        units = value.get("units") or ""
        if "distance" not in value or not isinstance(units, str):
            raise ValueError(f"it must be {wanted}")
        distance = LinearUnit(_check_double(value["distance"]), units)
    return {"distance": distance.distance, "units": "esri" + distance.units}


def _check_feature_set(raw: Any) -> dict[str, Any]:
    value = _tree_of(raw, "a feature set: an object with geometryType, spatialReference and features")
    if "features" not in value and "url" in value:
        raise ValueError("features behind a URL are not fetched by this server; send the features themselves")
    kind = check_features(value)
    _check_members(value, FeatureSet)
    _check_reference(value.get("spatialReference"))
    return {**value, "geometryType": kind} if kind else value


def _check_reference(reference: dict[str, Any] | None) -> None:
    """Refuse a spatial reference that nobody knows, where the library that knows them is installed."""
    if not reference:
        return
    try:
        from milepost.operations.references import crs_of
    except ImportError:
        return
    crs_of(reference)


def _check_record_set(raw: Any) -> dict[str, Any]:
    value = _tree_of(raw, "a record set: an object with fields and features")
    check_features(value, geometry=False)
    _check_members(value, RecordSet)
    return value


def _check_members(value: dict[str, Any], hint: type[FeatureSet | RecordSet]) -> None:
    """See that what stands beside the features can be loaded."""
    try:
        msgspec.convert({key: each for key, each in value.items() if key != "features"}, hint, strict=False)
    except msgspec.ValidationError as error:
        raise ValueError(f"one of its members does not fit: {error}") from error


def _check_file(raw: Any) -> dict[str, Any]:
    wanted = 'a file: {"itemID": ...} of an upload or {"url": ...} of a result of this server'
    if isinstance(raw, str) and not raw.lstrip().startswith("{"):
        raw = {"url": raw.strip()} if "/" in raw else {"itemID": raw.strip()}
    value = _object_of(raw, wanted)
    known = {key: value[key] for key in ("itemID", "url") if value.get(key)}
    if len(known) != 1 or not all(isinstance(each, str) for each in known.values()):
        raise ValueError(f"it must be {wanted}")
    return {key: _check_string(each) for key, each in known.items()}


CHECKS: Final[dict[Kind, Callable[[Any], Any]]] = {
    "string": _check_string,
    "long": _check_long,
    "double": _check_double,
    "boolean": _check_boolean,
    "date": _check_date,
    "linear_unit": _check_linear_unit,
    "features": _check_feature_set,
    "records": _check_record_set,
    "raster": _check_file,
    "file": _check_file,
}
"""For each kind a function that returns the JSON form of what was sent, or raises ValueError saying why not."""
