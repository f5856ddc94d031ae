"""Taking values out of JSON that may hold anything: what has an unexpected type is as good as none."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from milepost.client.views import clean

MILLISECONDS_FROM: Final = 100_000_000_000
"""Whole numbers below are seconds since the epoch: the documents disagree about the unit."""


def text(value: Any) -> str:
    """A text that is fit to print; numbers are written out, anything compound is no text."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, int | float):
        return clean(str(value)) if abs(value) < 1e300 else ""
    return ""


def mapping(value: Any) -> Mapping[str, Any]:
    """An object; an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def items(value: Any) -> list[Any]:
    """The members of an array; none for anything else."""
    return value if isinstance(value, list) else []


def moment(value: Any) -> int:
    """UTC milliseconds from a number of seconds or milliseconds, or from ISO 8601; 0 for none."""
    if isinstance(value, str):
        try:
            when = datetime.fromisoformat(value)
            return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1000)
        except (OverflowError, ValueError):
            return 0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e16:
        return 0
    return int(value if value >= MILLISECONDS_FROM else value * 1000)
