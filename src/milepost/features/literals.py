"""Values in a where clause: what a literal stands for, by its kind."""

from typing import Any, NamedTuple

from milepost.features.errors import WhereError
from milepost.features.fields import day_of_text, guid, moment_of_text

NUMBER, TEXT, GUID, MOMENT, DAY, NOTHING = (
    "a number",
    "text",
    "a GUID",
    "a date with time",
    "a day",
    "NULL",
)


class Clause(NamedTuple):
    """A condition for SQLite, and the values to bind."""

    sql: str
    values: tuple[Any, ...]


class Value(NamedTuple):
    """An expression: its SQL, what to bind, its kind, and what it is if that is known already."""

    sql: str
    values: tuple[Any, ...]
    kind: str
    known: Any = None


def bound(value: Any, kind: str) -> Value:
    """A value that is known and gets bound."""
    return Value("?", (value,), kind, value)


def text_value(text: str) -> Value:
    """A text in quotes."""
    return bound(text, TEXT)


def number_value(text: str) -> Value:
    """A number, or the number that a text in quotes stands for.

    Raises:
        WhereError: it is none.
    """
    try:
        number: float = int(text)
        if not -(2**63) <= number < 2**63:
            number = float(number)
    except ValueError:
        try:
            number = float(text)
        except ValueError:
            raise WhereError(f"the where clause has {text[:60]!r} where a number belongs") from None
    except OverflowError:
        raise WhereError(f"the where clause has a number that is too large: {text[:60]}") from None
    return bound(number, NUMBER)


def as_guid(text: str) -> Value:
    """The GUID that a text in quotes stands for.

    Raises:
        WhereError: it is none.
    """
    try:
        return bound(guid(text), GUID)
    except ValueError:
        raise WhereError(f"the where clause has {text[:60]!r} where a GUID belongs") from None


def as_moment(text: str) -> Value:
    """The moment that a text in quotes stands for.

    Raises:
        WhereError: it is none.
    """
    try:
        return bound(moment_of_text(text), MOMENT)
    except (ValueError, OverflowError):
        raise WhereError(
            f"the where clause has {text[:60]!r} where a date belongs, such as TIMESTAMP '2026-09-21 08:30:00'"
        ) from None


def as_day(text: str) -> Value:
    """The day that a text in quotes stands for.

    Raises:
        WhereError: it is none.
    """
    try:
        return bound(day_of_text(text), DAY)
    except ValueError:
        raise WhereError(
            f"the where clause has {text[:60]!r} where a day belongs, such as DATE '2026-09-21'"
        ) from None


def beginning(part: Value) -> Value:
    """A day as the moment at which it begins."""
    if part.kind != DAY:
        return part
    if part.known is not None:
        return bound(f"{part.known}T00:00:00.000Z", MOMENT)
    return Value(f"({part.sql} || 'T00:00:00.000Z')", part.values, MOMENT)


def glob(pattern: str, escape: str) -> str:
    """The pattern of LIKE as one of GLOB."""
    parts, letters = [], iter(pattern)
    for letter in letters:
        if letter == escape:
            letter = next(letters, letter)
        elif letter in "%_":
            parts.append("*" if letter == "%" else "?")
            continue
        parts.append(f"[{letter}]" if letter in "*?[" else letter)
    return "".join(parts)
