"""The JSON of people, roles, servers and the portal, as the sharing API writes it."""

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from milepost.http import wrong
from milepost.security import PRIVILEGES_OF, Person, PrivilegeError, Role, read_role

PORTAL_ID: Final = "0123456789ABCDEF"
"""Every ArcGIS Enterprise portal has this id, and clients have it built in."""

PORTAL_VERSION: Final = "2024.1"

VIEWER_ID: Final = "iAAAAAAAAAAAAAAA"
"""What clients send to make somebody a viewer: in their eyes the only role that is not built in."""

_DESCRIPTIONS: Final = {
    Role.ADMINISTRATOR: "Everything, the people included",
    Role.PUBLISHER: "All jobs, and publishing",
    Role.USER: "Own jobs",
    Role.VIEWER: "Looking on",
}


class FederatedServer(msgspec.Struct, frozen=True):
    """A server that clients find by asking the portal."""

    type: str
    """Such as ``ARCGIS_MISSION_SERVER``."""
    function: str
    """Such as ``MissionServer``; empty for plain services."""
    path: str
    """Below the context; clients put ``/rest`` and ``/admin`` after it."""


def role_id(role: Role) -> str:
    """The id of a role, as clients send it back to give the role to somebody."""
    return VIEWER_ID if role is Role.VIEWER else role.identifier


def read_role_id(text: str) -> Role:
    """The role with an id, an identifier or a name.

    Raises:
        ServiceError: 400, there is no such role.
    """
    if text == VIEWER_ID:
        return Role.VIEWER
    try:
        return read_role(text.strip().lower())
    except PrivilegeError as error:
        raise wrong("role", str(error)) from None


def license_type(role: Role) -> str:
    """The type of licence that clients expect of somebody with that role."""
    return "viewerUT" if role is Role.VIEWER else "creatorUT"


def person(who: Person) -> dict[str, Any]:
    """Somebody, with what they may do. What this server does not keep of people is null."""
    first, _, last = who.full_name.partition(" ")
    return {
        "username": who.username,
        "id": None,  # clients that get one use it in the place of the name
        "fullName": who.full_name,
        "firstName": first,
        "lastName": last,
        "email": None,
        "description": None,
        "tags": [],
        "role": who.role.identifier,
        "roleId": role_id(who.role),
        "privileges": sorted(who.privileges),
        "grantedPrivileges": sorted(who.granted),
        "userLicenseTypeId": license_type(who.role),
        "level": "1" if who.role is Role.VIEWER else "2",
        "access": "org",
        "orgId": PORTAL_ID,
        "provider": "arcgis",
        "disabled": False,
        "created": who.created_at,
        "groups": [],
    }


def role(which: Role) -> dict[str, Any]:
    """A role."""
    return {
        "id": role_id(which),
        "name": which.value.capitalize(),
        "description": _DESCRIPTIONS[which],
        "privileges": sorted(PRIVILEGES_OF[which]),
    }


def server(which: FederatedServer, base: str) -> dict[str, Any]:
    """A server; ``base`` is the public URL of the context."""
    url = f"{base}{which.path}"
    return {
        "id": which.type.lower(),
        "name": urlsplit(base).netloc,
        "url": url,
        "adminUrl": url,
        "isHosted": False,
        "serverKey": None,
        "serverType": which.type,
        "serverRole": "FEDERATED_SERVER",
        "serverFunction": which.function,
    }


def portal(base: str, *, kubernetes: bool, who: Person | None) -> dict[str, Any]:
    """The portal, and who asks when that is known.

    Args:
        base: public URL of the context.
        kubernetes: whether clients should use the admin API of ArcGIS Enterprise on Kubernetes.
        who: whose token came with the request.
    """
    url = urlsplit(base)
    about: dict[str, Any] = {
        "id": PORTAL_ID,
        "name": "Milepost",
        "portalName": "Milepost",
        "description": "Long GIS operations as jobs people can trust",
        "isPortal": True,
        "portalMode": "singletenant",
        "portalHostname": f"{url.netloc}{url.path}",
        "currentVersion": PORTAL_VERSION,
        "access": "private",
        "allSSL": url.scheme == "https",
        "supportsOAuth": True,
        "supportsHostedServices": False,
        "culture": "en",
        "units": "metric",
        "helperServices": {},
        "portalProperties": {},
        "authorizedCrossOriginDomains": [],
    }
    if kubernetes:
        about["portalDeploymentType"] = "ArcGISEnterpriseOnKubernetes"
    if who:
        about["user"] = person(who)
    return about


def page(name: str, found: Sequence[Any], start: int, number: int) -> dict[str, Any]:
    """A page of what was found, under this name.

    Args:
        name: of the member that holds the page.
        found: everything.
        start: number of the first on the page, from 1; nothing is on the page before that one.
        number: how many there may be on the page.
    """
    shown = list(found[start - 1 : start - 1 + number]) if start > 0 else []
    following = start + number
    return {
        "total": len(found),
        "start": start,
        "num": len(shown),
        "nextStart": following if shown and following <= len(found) else -1,
        name: shown,
    }
