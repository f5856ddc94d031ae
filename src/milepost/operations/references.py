"""Spatial references: between Esri's JSON form and coordinate reference systems.

Esri numbers systems with a ``wkid``, which is an EPSG code or one of Esri's own, or describes them
in well-known text. A number that was changed has its present form in ``latestWkid``: Web Mercator
is ``{"wkid": 102100, "latestWkid": 3857}``.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec
from pyproj import CRS
from pyproj.exceptions import CRSError

WGS84: Final = 4326
"""What is meant when no spatial reference is given."""

_WEB_MERCATOR: Final = 3857
_NAMES_OF_WEB_MERCATOR: Final = frozenset({102100, 102113, 3785, 900913, _WEB_MERCATOR})
_LONGEST_TEXT: Final = 20_000
# These make PROJ open files that the text names.
_NAMES_FILES: Final = re.compile(
    r"\b(EXTENSION|PARAMETERFILE|BOUNDCRS|ABRIDGEDTRANSFORMATION)\s*[\[(]|GRIDS\s*=", re.IGNORECASE
)


def crs_of(reference: Mapping[str, Any]) -> CRS:
    """The coordinate reference system of an Esri ``spatialReference``; WGS 84 of an empty one.

    Only the horizontal part counts: ``vcsWkid`` and tolerances are left alone.

    Raises:
        ValueError: the reference is not known; the text names it.
    """
    for key in ("latestWkid", "wkid"):
        number = reference.get(key)
        if number is not None and number != "":
            if isinstance(number, bool) or not re.fullmatch(r"\s*\d{1,9}(\.0)?\s*", str(number)):
                raise ValueError(f"{key} {str(number)[:40]!r} of the spatial reference is not a whole number")
            return _numbered(int(float(number)))
    for key in ("wkt2", "wkt"):
        text = reference.get(key)
        if text:
            return _described(str(text))
    return _numbered(WGS84)


def reference_of(crs: CRS) -> dict[str, Any]:
    """The Esri ``spatialReference`` of a coordinate reference system: by number, or else in its WKT.

    Raises:
        ValueError: Esri's well-known text cannot express the system.
    """
    found = crs.to_authority(min_confidence=100)
    if found and found[0] in ("EPSG", "ESRI") and found[1].isdigit():
        number = int(found[1])
        if number in _NAMES_OF_WEB_MERCATOR:
            return {"wkid": 102100, "latestWkid": _WEB_MERCATOR}
        return {"wkid": number, "latestWkid": number}
    try:
        return {"wkt": crs.to_wkt("WKT1_ESRI")}
    except CRSError as error:
        raise ValueError(f"the coordinate system {crs.name!r} has no form in Esri JSON") from error


def crs_of_text(text: str) -> CRS:
    """The system that a person named: ``25832``, ``EPSG:25832``, ``{"wkid": 25832}`` or well-known text.

    Raises:
        ValueError: it is none of these, or not known.
    """
    plain = text.strip()
    code = re.fullmatch(r"(?:(?:EPSG|ESRI):)?(\d{1,9})", plain, re.IGNORECASE)
    if code:
        return _numbered(int(code[1]))
    if plain.startswith("{"):
        try:
            reference = msgspec.json.decode(plain)
        except msgspec.DecodeError as error:
            raise ValueError(f"the spatial reference is not valid JSON ({error})") from error
        if not {"wkid", "latestWkid", "wkt", "wkt2"} & reference.keys():
            raise ValueError('the spatial reference has neither a "wkid" nor a "wkt"')
        return crs_of(reference)
    return _described(plain)


@lru_cache(maxsize=256)
def _numbered(number: int) -> CRS:
    if number in _NAMES_OF_WEB_MERCATOR:
        number = _WEB_MERCATOR
    for authority in ("EPSG", "ESRI"):
        try:
            return CRS.from_authority(authority, number)
        except CRSError:
            continue
    raise ValueError(
        f"spatial reference {number} is not known; give an EPSG code or a wkid of Esri's, such as 4326 or 102100"
    )


@lru_cache(maxsize=64)
def _described(text: str) -> CRS:
    if len(text) > _LONGEST_TEXT or _NAMES_FILES.search(text):
        raise ValueError("the well-known text of the spatial reference holds more than a coordinate system")
    try:
        return CRS.from_wkt(text)
    except CRSError as error:
        short = text if len(text) <= 60 else text[:57] + "..."
        raise ValueError(
            f"spatial reference {short!r} is not understood; give a wkid such as 25832, or well-known text"
        ) from error
