"""Where the pages of a service are, and the way up from them: the same in every dialect."""

from typing import Final

from milepost.http import Call

Crumbs = list[tuple[str, str]]
"""Titles and paths of the pages above one, from the top."""

_SERVICES: Final = "/rest/services"


def service_path(call: Call, name: str) -> str:
    """Path of the service with a full name, such as ``Analysis/Proximity.GPServer``."""
    place, _, kind = name.rpartition(".")
    return f"{_services(call)}/{place}/{kind}"


def above_service(call: Call, name: str) -> Crumbs:
    """The pages above the service with a full name."""
    crumbs = [("Services", _services(call))]
    folder = name.rpartition("/")[0]
    if folder:
        crumbs.append((folder, f"{_services(call)}/{folder}"))
    return crumbs


def _services(call: Call) -> str:
    return call.path[: call.path.index(_SERVICES)] + _SERVICES
