"""Fields of a layer: Esri's types, the columns of a GeoPackage that hold them, and their values.

Dates are milliseconds since 1970 in UTC for clients, and text of one fixed form in the file, such as
``2026-09-21T08:30:00.000Z``, which sorts as the moments do.
"""

import math
import uuid
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import msgspec

from milepost.features.errors import FeatureError

LONGEST_TEXT: Final = 1_000_000
"""Characters that a text field may be made for."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_MOMENT: Final = -62_135_596_800_000  # 0001-01-01
_LAST_MOMENT: Final = 253_402_300_799_999  # 9999-12-31


class FieldType(StrEnum):
    """What a field holds, by the name that ArcGIS clients know."""

    OBJECT_ID = "esriFieldTypeOID"
    GLOBAL_ID = "esriFieldTypeGlobalID"
    GUID = "esriFieldTypeGUID"
    TEXT = "esriFieldTypeString"
    SHORT = "esriFieldTypeSmallInteger"
    LONG = "esriFieldTypeInteger"
    BIG = "esriFieldTypeBigInteger"
    SINGLE = "esriFieldTypeSingle"
    DOUBLE = "esriFieldTypeDouble"
    MOMENT = "esriFieldTypeDate"
    DAY = "esriFieldTypeDateOnly"

    @property
    def sql_name(self) -> str:
        """How a GeoPackage calls it."""
        return _SQL_NAMES[self]

    @property
    def label(self) -> str:
        """What messages call it."""
        return _LABELS[self]


_SQL_NAMES: Final = {
    FieldType.OBJECT_ID: "INTEGER",
    FieldType.GLOBAL_ID: "TEXT(38)",
    FieldType.GUID: "TEXT(38)",
    FieldType.TEXT: "TEXT",
    FieldType.SHORT: "SMALLINT",
    FieldType.LONG: "MEDIUMINT",
    FieldType.BIG: "INTEGER",
    FieldType.SINGLE: "FLOAT",
    FieldType.DOUBLE: "DOUBLE",
    FieldType.MOMENT: "DATETIME",
    FieldType.DAY: "DATE",
}
_LABELS: Final = {
    FieldType.OBJECT_ID: "a whole number",
    FieldType.GLOBAL_ID: "a GUID",
    FieldType.GUID: "a GUID",
    FieldType.TEXT: "text",
    FieldType.SHORT: "a whole number of 16 bits",
    FieldType.LONG: "a whole number of 32 bits",
    FieldType.BIG: "a whole number of 64 bits",
    FieldType.SINGLE: "a number",
    FieldType.DOUBLE: "a number",
    FieldType.MOMENT: "a date in milliseconds since 1970",
    FieldType.DAY: "a day such as 2026-09-21",
}
_BITS: Final = {FieldType.SHORT: 16, FieldType.LONG: 32, FieldType.BIG: 64}


class Field(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One field of a layer."""

    name: str
    type: FieldType = FieldType.TEXT
    alias: str = ""
    """What people call it; its name if empty."""
    length: int = 255
    """Characters that text may have."""
    nullable: bool = True
    editable: bool = True
    """Whether clients may set it."""
    default: Any = None
    """The value of a new feature that says nothing about it, as clients would send it."""

    @property
    def title(self) -> str:
        """What people call it."""
        return self.alias or self.name


def stored(field: Field, value: Any) -> Any:
    """A value that a client sent, as the file holds it.

    Raises:
        FeatureError: it does not fit the field; the text names both.
    """
    if value is None or (value == "" and field.type is not FieldType.TEXT):
        if field.nullable:
            return None
        raise FeatureError(f"field {field.name!r} must have a value")
    try:
        return _stored(field, value)
    except (TypeError, ValueError, OverflowError):
        shown = repr(value) if len(repr(value)) <= 60 else repr(value)[:57] + "..."
        kind = field.type.label
        if field.type is FieldType.TEXT and isinstance(value, str) and len(value) > field.length:
            kind = f"longer than the {field.length} characters of the field"
            raise FeatureError(f"field {field.name!r}: {shown} is {kind}") from None
        raise FeatureError(f"field {field.name!r}: {shown} is not {kind}") from None


def _stored(field: Field, value: Any) -> Any:
    kind = field.type
    if kind is FieldType.TEXT:
        text = value if isinstance(value, str) else str(value) if isinstance(value, int | float) else None
        if text is None or len(text) > field.length or "\x00" in text:
            raise ValueError
        text.encode()  # or else it is no valid Unicode, which cannot be stored
        return text
    if kind in (FieldType.GUID, FieldType.GLOBAL_ID):
        return guid(value)
    if kind is FieldType.MOMENT:
        return moment_text(value) if not isinstance(value, str) else moment_of_text(value)
    if kind is FieldType.DAY:
        return day_of_text(value)
    if isinstance(value, bool | str):
        raise TypeError
    if kind in (FieldType.SINGLE, FieldType.DOUBLE):
        number = float(value)
        if not math.isfinite(number):
            raise ValueError
        return number
    whole = int(value)
    limit = 2 ** (_BITS[kind] - 1)
    if whole != value or not -limit <= whole < limit:
        raise ValueError
    return whole


def told(kind: FieldType, value: Any) -> Any:
    """A value of the file, as clients get it."""
    if value is not None and kind is FieldType.MOMENT:
        return milliseconds(value)
    return value


def guid(value: Any) -> str:
    """A GUID in the one form that is stored: ``{9C5F...}`` in capitals.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, str):
        raise TypeError("a GUID is text")
    return f"{{{uuid.UUID(value.strip())}}}".upper()


def new_guid() -> str:
    """A GUID that nothing else has."""
    return f"{{{uuid.uuid4()}}}".upper()


def moment_text(value: float) -> str:
    """Milliseconds since 1970 UTC as the file holds them.

    Raises:
        TypeError, ValueError: it is no such number, or beyond the years 1 to 9999.
    """
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not _FIRST_MOMENT <= value <= _LAST_MOMENT
    ):
        raise ValueError("a date is given in milliseconds since 1970, within the years 1 to 9999")
    return written(_EPOCH + timedelta(milliseconds=int(value)))


def moment_of_text(text: str) -> str:
    """A moment in ISO 8601, in UTC unless it says otherwise, as the file holds it.

    Raises:
        ValueError, OverflowError: it is none.
    """
    moment = datetime.fromisoformat(text.strip())
    return written(moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC))


def day_of_text(text: str) -> str:
    """A day in ISO 8601 as the file holds it.

    Raises:
        TypeError, ValueError: it is none.
    """
    return date.fromisoformat(text.strip() if isinstance(text, str) else text).isoformat()


def written(moment: datetime) -> str:
    """A moment in UTC as the file holds it."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z".rjust(24, "0")


def milliseconds(text: str) -> int:
    """Milliseconds since 1970 UTC of a moment as a file holds it, also one that another program wrote."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(milliseconds=1)
