"""Items of ST 0601 that are more than a number or text, as what JSON has: objects by the names of their items."""

import dataclasses
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from fractions import Fraction
from typing import Any, Final

from stanag4609.imap import IMAPSpecialValue
from stanag4609.st0601 import ImageHorizonPixelPack, SpecialValue
from stanag4609.st0903 import VMTILocalSet, VTarget
from stanag4609.st1204 import MIISCoreIdentifier, format_miis_core_identifier

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_HIDDEN: Final = frozenset(
    {"packet", "local_set", "fields", "raw", "item", "standalone", "issues", "length_octets"}
)
"""What the library keeps beside values: the bytes that they came from."""
_TARGETS: Final = 101
"""The item of a VMTI set with its targets."""
_LINE: Final = tuple(
    f"{end}_{axis}" for end in ("start", "end") for axis in ("x", "y", "latitude", "longitude")
)
"""What a horizon is told by."""


def plain(value: Any) -> Any:
    """A value as JSON has it; None for what is said to be unknown.

    Text stays, times become microseconds since the epoch, bytes of which no standard is known become
    hexadecimal text, and sets become objects whose items have the names that their standards give them.
    """
    match value:
        case SpecialValue() | IMAPSpecialValue() | None:
            return None
        case datetime():
            return (value - _EPOCH) // _MICROSECOND
        case Enum():
            return plain(value.value)
        case bool() | int():
            return int(value)
        case float() | Fraction():
            number = float(value)
            return round(number, 8) if math.isfinite(number) else None
        case str():
            return value.strip("\0 ")
        case bytes():
            return hexadecimal(value)
        case ImageHorizonPixelPack():
            return _horizon(value)
        case MIISCoreIdentifier():
            return format_miis_core_identifier(value)
        case VMTILocalSet():
            return _detections(value)
        case VTarget():
            return {"targetId": value.target_id, **_items(value.fields)}
        case Mapping():
            return {str(plain(key)): plain(each) for key, each in value.items()}
        case tuple() | list() | set() | frozenset():
            return [plain(each) for each in value]
    return _structure(value)


def hexadecimal(raw: bytes) -> str:
    """Bytes as text: ``0x`` and two digits for each."""
    return f"0x{raw.hex().upper()}"


def _horizon(pack: ImageHorizonPixelPack) -> dict[str, Any]:
    """A line in the picture, in percent of its width and height, and where on the ground its ends are if that is known."""
    told = {each: plain(getattr(pack, each)) for each in _LINE}
    return {_camel(name): value for name, value in told.items() if value is not None}


def _detections(found: VMTILocalSet) -> dict[str, Any]:
    """A set of detections, with how many targets it really has and each of them."""
    told = [each for each in found.fields if each.tag != _TARGETS]
    return {
        **_items(told),
        "targets": len(found.targets),
        "vTargetSeries": [plain(each) for each in found.targets],
    }


def _structure(value: Any) -> Any:
    """An object of the library: the items of a set by their names, else what it is made of."""
    fields = getattr(value, "fields", None)
    if fields:
        return _items(fields)
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return str(value)
    told = {
        each.name: getattr(value, each.name)
        for each in dataclasses.fields(value)
        if each.name not in _HIDDEN and not each.name.startswith("_")
    }
    if set(told) == {"data"}:
        return plain(told["data"])
    # What is not there is left out, as in the sets themselves.
    return {_camel(name): plain(each) for name, each in told.items() if each not in (None, (), {})}


def _items(fields: Any) -> dict[str, Any]:
    """Items by name; those that are told several times are a list."""
    told: dict[str, list[Any]] = {}
    for each in fields:
        name = getattr(each, "name", None) or each.definition.name
        told.setdefault(name, []).append(plain(each.value))
    return {name: values[0] if len(values) == 1 else values for name, values in told.items()}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(each.capitalize() for each in rest)
