"""The parameters of a query, read into what the layers can be asked."""

import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec
import shapely

from milepost.features import (
    FeatureError,
    Order,
    Relation,
    Selection,
    Statistic,
    number_of,
    read_reference,
    shapes,
    transform,
)
from milepost.http import Parameters, wrong

T = TypeVar("T")

_KINDS: Final = {
    "x": "esriGeometryPoint",
    "points": "esriGeometryMultipoint",
    "paths": "esriGeometryPolyline",
    "rings": "esriGeometryPolygon",
    "xmin": "esriGeometryEnvelope",
}
"""What a geometry is, by a member that no other kind has."""

_MOST_IDS: Final = 200_000


def told(name: str, read: Callable[[], T]) -> T:
    """What ``read`` gives, with its error as that of a parameter."""
    try:
        return read()
    except FeatureError as error:
        raise wrong(name, str(error)) from None


def read_json(given: Parameters, name: str, kind: type[Any] | Any) -> Any:
    """The JSON of a parameter; None when it is not given.

    Raises:
        ServiceError: it is no JSON, or something else than a ``kind``.
    """
    text = given.get(name)
    if not text:
        return None
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise wrong(name, f"it is not the JSON that belongs there ({error})") from None


def read_ids(text: str) -> tuple[int, ...] | None:
    """Object ids, separated by commas or as JSON; None when there are none.

    Raises:
        ServiceError: one is no whole number, or there are too many.
    """
    if not text.strip():
        return None
    parts = [each.strip() for each in text.strip().removeprefix("[").removesuffix("]").split(",")]
    if len(parts) > _MOST_IDS:
        raise wrong("objectIds", f"there are more than {_MOST_IDS}; ask for fewer at a time")
    try:
        return tuple(int(each) for each in parts if each)
    except ValueError:
        raise wrong("objectIds", "it must be whole numbers, separated by commas") from None


def read_selection(given: Parameters, wkid: int) -> Selection:
    """Which features a query or a deletion means.

    Args:
        given: the parameters.
        wkid: spatial reference of the service.

    Raises:
        ServiceError: one of them does not do.
    """
    if given.get("distance") and given.get("distance").strip() not in ("0", "0.0"):
        raise wrong("distance", "the layer is not queried by distance; send the geometry of a buffer")
    if given.get("relationParam"):
        raise wrong("relationParam", "it is not supported; use one of the other spatialRel")
    return Selection(
        where=given.get("where"),
        object_ids=read_ids(given.get("objectIds")),
        geometry=_read_geometry(given, wkid),
        relation=_read_relation(given.get("spatialRel")),
        # Some releases of the package arcgis send it by the second name.
        time=read_time(given.get("time") or given.get("timeFilter")),
    )


def _read_relation(text: str) -> Relation:
    for each in Relation:
        if text.strip().lower() in (each.lower(), each.removeprefix("esriSpatialRel").lower()):
            return each
    if text.strip():
        raise wrong("spatialRel", f"{text[:60]!r} is not one of {', '.join(Relation)}")
    return Relation.INTERSECTS


def read_time(text: str) -> tuple[float | None, float | None] | None:
    """A moment, or the first and the last one, in milliseconds since 1970; None when it is not given.

    Raises:
        ServiceError: it is something else.
    """
    parts = [each.strip().lower() for each in text.strip().strip("[]").split(",")]
    if parts == [""]:
        return None
    try:
        limits = [None if each in ("null", "") else float(each) for each in parts]
    except ValueError:
        limits = []
    if not 1 <= len(limits) <= 2:
        raise wrong("time", "it must be milliseconds since 1970, one number or two with a comma between")
    return limits[0], limits[-1]


def _read_geometry(given: Parameters, wkid: int) -> shapely.Geometry | None:
    """The geometry of a query, in the spatial reference of the service."""
    text = given.get("geometry").strip()
    if not text:
        return None
    if text.startswith("{"):
        form = read_json(given, "geometry", dict[str, Any])
        kind = next((each for member, each in _KINDS.items() if member in form), None)
        kind = kind or given.get("geometryType") or "esriGeometryEnvelope"
    else:
        kind, form = _read_numbers(text, given.get("geometryType"))
    if kind not in _KINDS.values():
        raise wrong("geometryType", f"{kind[:60]!r} is not one of {', '.join(_KINDS.values())}")
    [geometry] = found = told("geometry", lambda: shapes(kind, [form]))
    if geometry is None or geometry.is_empty:
        raise wrong("geometry", "it has no coordinates")
    named = form.get("spatialReference")
    if given.get("inSR"):
        source = told("inSR", lambda: read_reference(given.get("inSR")))
    elif named:
        source = told("geometry", lambda: number_of(named))
    else:
        source = wkid
    [moved] = told("inSR", lambda: transform(found, source, wkid))
    if moved is None:
        raise wrong("geometry", f"it lies where spatial reference {wkid} of the layer has no coordinates")
    return moved


def _read_numbers(text: str, kind: str) -> tuple[str, dict[str, Any]]:
    """A point or an envelope without JSON: ``x,y`` or ``xmin,ymin,xmax,ymax``."""
    try:
        numbers = [float(each) for each in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) == 2 and kind in ("", "esriGeometryPoint"):
        return "esriGeometryPoint", dict(zip("xy", numbers, strict=True))
    if len(numbers) == 4 and kind in ("", "esriGeometryEnvelope"):
        names = ("xmin", "ymin", "xmax", "ymax")
        return "esriGeometryEnvelope", dict(zip(names, numbers, strict=True))
    raise wrong("geometry", "it must be JSON, or x,y of a point, or xmin,ymin,xmax,ymax of an envelope")


def read_names(text: str) -> list[str] | None:
    """The names of fields, separated by commas; None for all of them."""
    names = [each.strip().strip('"') for each in text.split(",") if each.strip()]
    return None if "*" in names else names


def read_order(text: str) -> list[Order]:
    """The fields to sort by, each with ASC or DESC or neither.

    Raises:
        ServiceError: it is something else.
    """
    found = []
    for each in text.split(","):
        if not each.strip():
            continue
        match = re.fullmatch(r"\s*\"?(\w+)\"?(?:\s+(asc|desc))?\s*", each, re.IGNORECASE)
        if not match:
            raise wrong(
                "orderByFields", f"{each[:60]!r} is not the name of a field with ASC or DESC or neither"
            )
        found.append(Order(match[1], (match[2] or "").lower() == "desc"))
    return found


class _Statistic(msgspec.Struct, rename="camel"):
    statistic_type: str
    on_statistic_field: str
    out_statistic_field_name: str = ""


def read_statistics(given: Parameters) -> list[Statistic]:
    """The statistics that are asked for.

    Raises:
        ServiceError: the parameter is not understood.
    """
    return [
        Statistic(
            each.statistic_type.lower(),
            each.on_statistic_field,
            each.out_statistic_field_name or f"{each.statistic_type}_{each.on_statistic_field}",
        )
        for each in read_json(given, "outStatistics", list[_Statistic]) or []
    ]
