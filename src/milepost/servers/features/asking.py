"""The parameters of a query, read into what the layers can be asked."""

import re
from typing import Final

import msgspec

from milepost.features import Order, Relation, Selection, Statistic
from milepost.http import Parameters, wrong
from milepost.servers.places import read_geometry, read_json, read_time

_MOST_IDS: Final = 200_000


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
        geometry=read_geometry(given, wkid),
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
