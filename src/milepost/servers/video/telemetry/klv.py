"""ST 0601 sets out of bytes: where they begin and end, and what they tell.

Only ``decode`` and ``nested`` know the library that decodes; everything else sees tags and plain values.
"""

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from stanag4609.errors import ChecksumError, Stanag4609Error
from stanag4609.klv.local_set import parse_local_set
from stanag4609.st0601 import (
    FIELD_DEFINITIONS,
    FieldDecodingMode,
    decode_uas_local_set,
)

from milepost.servers.video.telemetry.demuxing import KEY
from milepost.servers.video.telemetry.nested import hexadecimal, plain

NAMES: Final[dict[int, str]] = {tag: each.name for tag, each in FIELD_DEFINITIONS.items()}
"""What the tags of ST 0601 are called."""

STRUCTURED: Final = frozenset(
    tag
    for tag, each in FIELD_DEFINITIONS.items()
    if each.kind not in ("uint", "sint", "mapped", "imap", "text", "timestamp", "security", "horizon")
)
"""Tags whose values are sets or packs of their own."""

TEXTS: Final = frozenset(tag for tag, each in FIELD_DEFINITIONS.items() if each.kind == "text")
"""Tags whose values are text."""

SECURITY_NAMES: Final[dict[int, str]] = {
    1: "Security Classification",
    2: "Classifying Country Coding Method",
    3: "Classifying Country",
    4: "Security-SCI/SHI Information",
    5: "Caveats",
    6: "Releasing Instructions",
    7: "Classified By",
    8: "Derived From",
    9: "Classification Reason",
    10: "Declassification Date",
    11: "Classification and Marking System",
    12: "Object Country Coding Method",
    13: "Object Country Codes",
    14: "Classification Comments",
    22: "Security Metadata Version",
    23: "Country Coding Method Version Date",
    24: "Object Country Coding Method Version Date",
}
"""What the tags of ST 0102 are called."""

_CLASSIFICATIONS: Final = ("", "UNCLASSIFIED", "RESTRICTED", "CONFIDENTIAL", "SECRET", "TOP SECRET")
_NUMBERS: Final = frozenset({2, 12, 22})
_SECURITY: Final = 48
_LARGEST: Final = 64 * 1024
"""Bytes that a set may have. Real ones have hundreds."""
_LATEST: Final = 253_402_300_800_000_000
"""Microseconds up to the year 10000: later times are noise."""


class BrokenSetError(Exception):
    """A set that cannot be used; ``checksum`` tells whether its checksum is wrong."""

    def __init__(self, reason: str, *, checksum: bool):
        super().__init__(reason)
        self.checksum = checksum


class Decoded(msgspec.Struct, frozen=True):
    """What a set tells."""

    stamp: int | None
    """Tag 2: microseconds since the epoch of MISP time."""
    values: dict[int, Any]
    """Numbers, text, and objects of more than one value, by tag, without the security set; None for what is said to be
    unknown."""
    security: dict[int, Any]
    unreadable: int
    """How many items could not be read."""


def decode(packet: bytes) -> Decoded:
    """What a set tells.

    Items that break their rules are left out and counted; recorded telemetry is full of them. Of those that have a
    structure of their own, and those that the standard does not know, the bytes are kept as hexadecimal text.

    Raises:
        BrokenSetError: the set is no set, or its checksum is wrong.
    """
    try:
        found = decode_uas_local_set(
            packet,
            require_timestamp=False,
            require_version=False,
            field_decoding=FieldDecodingMode.PRESERVE,
        )
    except ChecksumError as error:
        raise BrokenSetError(str(error), checksum=True) from error
    except (Stanag4609Error, ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise BrokenSetError(str(error), checksum=False) from error
    values: dict[int, Any] = {}
    for each in found.fields:
        if each.definition.multiple:
            values.setdefault(each.definition.tag, []).append(plain(each.value))
        else:
            values[each.definition.tag] = plain(each.value)
    unreadable = 0
    for issue in found.issues:
        if issue.tag in STRUCTURED:
            values.setdefault(issue.tag, hexadecimal(issue.raw))
        elif issue.tag != _SECURITY:
            unreadable += 1
    for item in found.local_set.items:
        if item.tag not in NAMES:
            values[item.tag] = hexadecimal(item.value)
    security: dict[int, Any] = {}
    for item in found.local_set.getall(_SECURITY):
        try:
            security = _security(item.value)
        except Stanag4609Error:
            unreadable += 1
    for hidden in (1, _SECURITY):
        values.pop(hidden, None)
    stamp = found.misp_timestamp_microseconds
    return Decoded(stamp if stamp and stamp < _LATEST else None, values, security, unreadable)


def _security(raw: bytes) -> dict[int, Any]:
    """The items of a security set. Rules on which of them must be there are not ours to enforce."""
    found: dict[int, Any] = {}
    for item in parse_local_set(raw).items:
        if not item.value or item.tag not in SECURITY_NAMES:
            continue
        number = int.from_bytes(item.value[:8], "big")
        if item.tag == 1:
            found[1] = _CLASSIFICATIONS[number] if 0 < number < len(_CLASSIFICATIONS) else number
        elif item.tag in _NUMBERS:
            found[item.tag] = number
        else:
            encoding = "utf-16-be" if item.tag == 13 else "ascii"
            found[item.tag] = item.value.decode(encoding, "replace").strip("\0 ")
    return found


class Splitter:
    """Finds the sets in the payload of a stream, whatever is between them.

    Headers of access units, other sets and rubbish are passed over; a set may go on in the next payload.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._time: float | None = None
        self.torn = 0
        """How many sets had no sensible length."""

    def feed(self, payload: bytes, time: float | None = None) -> Iterator[tuple[float | None, bytes]]:
        """The sets that are complete now, each with the time of the payload in which it began.

        Args:
            payload: the bytes of a packet.
            time: the time of that packet.
        """
        begun, data = self._time, self._rest + payload
        carried = len(self._rest)
        at = data.find(KEY)
        while at >= 0:
            end, following = _end(data, at + len(KEY)), data.find(KEY, at + len(KEY))
            if end == 0 or 0 <= following < (end or len(data)):
                self.torn += 1
                at = following
                continue
            if end is None or end > len(data):
                break  # it may go on in the next payload
            yield (begun if at < carried else time), data[at:end]
            at = following
        self._time = begun if 0 <= at < carried else time
        self._rest = data[at:] if at >= 0 else data[-(len(KEY) - 1) :]


def _end(data: bytes, at: int) -> int | None:
    """Where a set ends whose length begins at ``at``; None when more must be seen, 0 when it makes no sense."""
    if at >= len(data):
        return None
    first = data[at]
    if first < 0x80:
        return at + 1 + first
    count = first & 0x7F
    if not 1 <= count <= 4:
        return 0
    if at + 1 + count > len(data):
        return None
    length = int.from_bytes(data[at + 1 : at + 1 + count], "big")
    return at + 1 + count + length if length <= _LARGEST else 0
