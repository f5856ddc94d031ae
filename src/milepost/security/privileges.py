"""Roles and privileges: what people may do, in the words and identifiers that GIS clients know."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

import msgspec

from milepost.security.errors import SecurityError


class PrivilegeError(SecurityError):
    """A role or a privilege that does not exist; the text lists those that do."""


class Role(StrEnum):
    """What a person may do, from everything to looking on."""

    ADMINISTRATOR = "administrator"
    PUBLISHER = "publisher"
    USER = "user"
    VIEWER = "viewer"

    @property
    def identifier(self) -> str:
        """As the ArcGIS clients know it: ``org_admin``, ``org_publisher``, ``org_user`` or ``org_viewer``."""
        return "org_admin" if self is Role.ADMINISTRATOR else f"org_{self}"


class Privilege(StrEnum):
    """One thing that somebody may be allowed to do, by the identifier that ArcGIS clients know."""

    UPDATE_CONTENT = "portal:admin:updateItems"
    DELETE_CONTENT = "portal:admin:deleteItems"
    SECURITY = "portal:admin:manageSecurity"
    SERVERS = "portal:admin:manageServers"
    WEBSITE = "portal:admin:manageWebsite"
    LICENSES = "portal:admin:manageLicenses"
    ENTERPRISE_GROUPS = "portal:admin:manageEnterpriseGroups"
    GP_WEBHOOKS = "portal:admin:createGPWebhook"
    FEATURE_WEBHOOKS = "portal:publisher:createFeatureWebhook"
    PUBLISH_SERVICES = "portal:publisher:publishServerServices"
    CREATE_CONTENT = "portal:user:createItem"
    VIEW_CONTENT = "portal:user:viewOrgItems"
    VIEW_MEMBERS = "portal:user:viewOrgUsers"
    EDIT_FEATURES = "features:user:edit"

    @property
    def printed(self) -> str:
        """The name that administrators know it by."""
        return _PRINTED[self]


_PRINTED: Final[dict[Privilege, str]] = {
    Privilege.UPDATE_CONTENT: "Content: Update",
    Privilege.DELETE_CONTENT: "Content: Delete",
    Privilege.SECURITY: "Portal settings: Security and infrastructure",
    Privilege.SERVERS: "Portal settings: Servers",
    Privilege.WEBSITE: "Portal settings: Organization website",
    Privilege.LICENSES: "Members: Manage licenses",
    Privilege.ENTERPRISE_GROUPS: "Groups: Links to organization-specific group",
    Privilege.GP_WEBHOOKS: "Webhooks: Geoprocessing",
    Privilege.FEATURE_WEBHOOKS: "Webhooks: Feature layer",
    Privilege.PUBLISH_SERVICES: "Content: Publish server-based layers",
    Privilege.CREATE_CONTENT: "Content: Create, update, and delete",
    Privilege.VIEW_CONTENT: "Content: View content shared with organization",
    Privilege.VIEW_MEMBERS: "Members: View",
    Privilege.EDIT_FEATURES: "Features: Edit",
}

_VIEWER: Final = frozenset({Privilege.VIEW_CONTENT, Privilege.VIEW_MEMBERS})
_USER: Final = _VIEWER | {Privilege.CREATE_CONTENT, Privilege.EDIT_FEATURES}
_PUBLISHER: Final = _USER | {Privilege.PUBLISH_SERVICES, Privilege.FEATURE_WEBHOOKS}

PRIVILEGES_OF: Final[dict[Role, frozenset[Privilege]]] = {
    Role.ADMINISTRATOR: frozenset(Privilege),
    Role.PUBLISHER: _PUBLISHER,
    Role.USER: _USER,
    Role.VIEWER: _VIEWER,
}
"""What comes with each role; people may be granted more than that."""


class Access(msgspec.Struct, frozen=True):
    """Who may use a resource: one matching privilege or role is enough, and administrators always may."""

    privileges: frozenset[Privilege] = frozenset()
    roles: frozenset[Role] = frozenset()
    without_token: bool = False
    """Somebody without a token may, too."""
    ignores_token: bool = False
    """A token is not even looked at: with one that has expired, a client must still be able to get the next."""

    def admits(self, role: Role, privileges: Iterable[Privilege]) -> bool:
        """Whether somebody with this role and these privileges may use the resource."""
        return (
            self.without_token
            or role is Role.ADMINISTRATOR
            or role in self.roles
            or not self.privileges.isdisjoint(privileges)
        )


ANYBODY: Final = Access(without_token=True, ignores_token=True)
VISITORS: Final = Access(without_token=True)
"""With a token, which must be good, or without."""
SIGNED_IN: Final = Access(roles=frozenset(Role))
ADMINISTRATORS: Final = Access()


def read_role(name: str) -> Role:
    """The role of that name or identifier.

    Raises:
        PrivilegeError: there is no such role.
    """
    for role in Role:
        if name in (role, role.identifier):
            return role
    raise PrivilegeError(f"there is no role {name[:60]!r}; choose one of {', '.join(Role)}")


def read_privileges(names: Iterable[str]) -> frozenset[Privilege]:
    """The privileges of these identifiers.

    Raises:
        PrivilegeError: there is no such privilege.
    """
    try:
        return frozenset(Privilege(name) for name in names)
    except ValueError as error:
        raise PrivilegeError(f"{error}; the privileges are {', '.join(Privilege)}") from None
