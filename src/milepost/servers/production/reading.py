"""JSON in parameters, read with errors that name the parameter, and the small objects that several of them hold."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable
from typing import Any, Final, ParamSpec, TypeVar

import structlog

from milepost.http import ServiceError, wrong
from milepost.servers.production.products import AncillaryLayer, Override, Version

LONGEST_NAME: Final = 64
MOST: Final = 100
"""Members of a list that a client sends."""

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger("milepost.production")

BASE_MAP: Final = "BaseMap"

_OF_VERSION: Final = (
    "name",
    "template",
    "operationOverrides",
    "excludedOperations",
    "excludeOperations",
    "extractionDatabase",
)
_OF_OVERRIDE: Final = ("id", "parameters")
_OF_ANCILLARY: Final = ("layer", "featureClass", "map", "layerIndex")


async def reading(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What a function reads of the features, in a thread.

    Raises:
        ServiceError: 500, the server cannot read them now.
    """
    try:
        return await asyncio.to_thread(function, *args, **kwargs)
    except (sqlite3.Error, OSError) as error:
        log.error("features cannot be read", reason=str(error))
        raise ServiceError(500, "The server cannot read features now; nothing was begun") from None


def member(name: str, value: dict[str, Any], key: str) -> str:
    """A text in an object; empty when it is not there.

    Raises:
        ServiceError: 400, it is something else than a text.
    """
    found = value.get(key)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise wrong(name, f"{key!r} must be a text")
    return found.strip()


def members(name: str, value: Any, what: str) -> list[Any]:
    """A list, or its only member without one around it.

    Raises:
        ServiceError: 400, there are too many.
    """
    found = value if isinstance(value, list) else [] if value in (None, "") else [value]
    if len(found) > MOST:
        raise wrong(name, f"it has {len(found)} {what}; {MOST} are allowed")
    return found


def only(name: str, value: dict[str, Any], known: Iterable[str], what: str) -> None:
    """Refuse an object with members that mean nothing, such as misspelled ones.

    Args:
        name: of the parameter.
        value: the object.
        known: the members that it may have.
        what: the object is, as in "a version".

    Raises:
        ServiceError: 400, the message names one of them and those that there are.
    """
    for key in value:
        if key not in known:
            raise wrong(name, f"{what} takes no {key[:40]!r}; there are {', '.join(known)}")


def texts(name: str, value: Any, what: str) -> tuple[str, ...]:
    """A list of texts.

    Raises:
        ServiceError: 400, it is something else.
    """
    found = members(name, value, what)
    if not all(isinstance(each, str) and each.strip() for each in found):
        raise wrong(name, f"every one of its {what} must be a text")
    return tuple(each.strip() for each in found)


def read_version(name: str, value: Any) -> Version:
    """A version of a product: its name, or an object that says more.

    Args:
        name: of the parameter.
        value: of the version.

    Raises:
        ServiceError: 400.
    """
    if isinstance(value, str):
        value = {"name": value}
    if not isinstance(value, dict):
        raise wrong(name, 'a version is a name, or an object such as {"name": "1.0"}')
    only(name, value, _OF_VERSION, "a version")
    called = member(name, value, "name")
    if not 0 < len(called) <= LONGEST_NAME:
        raise wrong(name, f"a version needs a 'name' of at most {LONGEST_NAME} characters")
    if member(name, value, "extractionDatabase"):
        raise wrong(
            name,
            "'extractionDatabase': nothing is extracted from databases here; sheets are made from the sources"
            " in the settings of the server, so leave it out",
        )
    return Version(
        name=called,
        template=member(name, value, "template"),
        operation_overrides=_overrides(name, value.get("operationOverrides")),
        # The client of the vendor documents the other spelling.
        excluded_operations=texts(
            name, value.get("excludedOperations") or value.get("excludeOperations"), "excluded operations"
        ),
    )


def _overrides(name: str, value: Any) -> tuple[Override, ...]:
    found = []
    for each in members(name, value, "overrides"):
        if not isinstance(each, dict) or not member(name, each, "id"):
            raise wrong(
                name, 'an override is an object such as {"id": "contours", "parameters": {"interval": 10}}'
            )
        only(name, each, _OF_OVERRIDE, "an override")
        found.append(Override(id=member(name, each, "id"), parameters=_values(name, each.get("parameters"))))
    return tuple(found)


def _values(name: str, value: Any) -> dict[str, Any]:
    """Values by name: of pairs of ``name`` and ``value``, of one such pair, or of an object as it is."""
    pairs = members(name, value, "parameters")
    found: dict[str, Any] = {}
    for each in pairs:
        if not isinstance(each, dict):
            raise wrong(name, 'a parameter is an object such as {"name": "interval", "value": 10}')
        if each.keys() == {"name", "value"} and isinstance(each["name"], str):
            found[each["name"]] = each["value"]
        else:
            found.update(each)
    return found


def read_ancillary(name: str, value: Any) -> tuple[AncillaryLayer, ...]:
    """Ancillary layers.

    Raises:
        ServiceError: 400.
    """
    found = []
    for each in members(name, value, "layers"):
        if not isinstance(each, dict) or not member(name, each, "layer"):
            raise wrong(name, 'a layer is an object such as {"layer": "https://.../FeatureServer/0"}')
        only(name, each, _OF_ANCILLARY, "an ancillary layer")
        if member(name, each, "map") not in ("", BASE_MAP):
            raise wrong(name, f"'map': a sheet has one map, which is called {BASE_MAP}")
        if each.get("layerIndex") not in (None, 0):
            raise wrong(
                name,
                "'layerIndex': the features are drawn with those of 'featureClass'; leave it out, or give 0",
            )
        found.append(
            AncillaryLayer(
                layer=member(name, each, "layer"), feature_class=member(name, each, "featureClass")
            )
        )
    return tuple(found)
