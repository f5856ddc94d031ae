"""The portal as such: what it is, its roles, and the servers that belong to it."""

from collections.abc import Sequence
from typing import Final

from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from milepost.http import Answer, Call, Resources, not_found
from milepost.security import Role
from milepost.servers.sharing import wire

PORTAL: Final = "/sharing/rest/portals/{portal}"
PAGING: Final = ("start", "num")

MOST: Final = 100
"""People or roles on a page, and what clients ask for."""


class Portal:
    """``portals/self``, which is what the clients of a portal ask for first."""

    def __init__(
        self, resources: Resources, servers: Sequence[wire.FederatedServer], *, kubernetes: bool
    ) -> None:
        """A portal to these servers.

        Args:
            resources: what all dialects share.
            servers: that clients find by asking the portal.
            kubernetes: whether clients should use the admin API of ArcGIS Enterprise on Kubernetes.
        """
        self._resources = resources
        self._servers = servers
        self._kubernetes = kubernetes

    def routes(self) -> list[BaseRoute]:
        """The routes, below the context."""
        at = self._resources.at
        return [
            *at("/sharing/rest/portals/languages", self.languages, document="Languages"),
            *at("/sharing/rest/portals/regions", self.regions, document="Regions"),
            *(each for server in self._servers if server.path for each in at(server.path, self.front)),
            *at(PORTAL, self.portal, document="Portal self"),
            *at(f"{PORTAL}/servers", self.servers, document="Servers"),
            *at(f"{PORTAL}/roles", self.roles, parameters=PAGING, document="Roles"),
            *at(f"{PORTAL}/roles/{{role}}/privileges", self.privileges, document="Role privileges"),
            *at(f"{PORTAL}/purchases", self.purchases, document="Purchases"),
            *at(f"{PORTAL}/appBundles", self.bundles, parameters=PAGING, document="App bundles"),
            *at("/portaladmin", self.administration, document="Portal administrator API"),
            *at("/portaladmin/security", self.security, document="Security"),
            *at("/portaladmin/security/config", self.configuration, document="Security configuration"),
            *at(f"{PORTAL}/userDefaultSettings", self.new_people, document="User default settings"),
        ]

    async def portal(self, call: Call) -> Answer:
        """What the portal is; with a token, also who asks."""
        require_own(call)
        about = wire.portal(call.base, kubernetes=self._kubernetes, who=call.caller)
        links = {name: f"{call.path}/{name}" for name in ("servers", "roles", "users")} if call.caller else {}
        return Answer(about, title="Portal", links=links)

    async def servers(self, call: Call) -> Answer:
        """The servers of each kind, and where they are."""
        require_own(call)
        return Answer({"servers": [wire.server(each, call.base) for each in self._servers]}, title="Servers")

    async def front(self, call: Call) -> Response:
        """Lead people who open the address of a server to its front page."""
        return RedirectResponse(f"{call.path}/rest", 303)

    async def roles(self, call: Call) -> Answer:
        """The roles beyond those that every client knows."""
        require_own(call)
        return Answer(wire.page("roles", [wire.role(Role.VIEWER)], *paging(call)), title="Roles")

    async def privileges(self, call: Call) -> Answer:
        """What comes with a role."""
        require_own(call)
        for each in Role:
            about = wire.role(each)
            if call.part("role") in (about["id"], each.identifier):
                return Answer({"privileges": about["privileges"]}, title=about["name"])
        raise not_found(f"Role {call.part('role')[:60]}")

    async def new_people(self, call: Call) -> Answer:
        """What somebody who is let in becomes when nothing is said about it."""
        require_own(call)
        return Answer({"role": Role.USER.identifier, "userLicenseType": "creatorUT", "groups": []})

    async def administration(self, call: Call) -> Answer:
        """The portal's own administrator API, as far as clients need it: people are let in there."""
        return Answer(
            {"version": wire.PORTAL_VERSION, "resources": ["security"]},
            title="Portal administration",
            links={"security": f"{call.path}/security"},
        )

    async def security(self, call: Call) -> Answer:
        """Who may come in."""
        return Answer(
            {"resources": ["config", "users"]},
            title="Security",
            crumbs=[("Portal administration", call.path.rpartition("/")[0])],
            links={"config": f"{call.path}/config"},
        )

    async def configuration(self, _: Call) -> Answer:
        """What somebody who is let in becomes when nothing is said about it."""
        about = {"defaultRoleForUser": Role.USER.identifier, "defaultUserTypeIdForUser": "creatorUT"}
        return Answer(about, title="Security configuration")

    async def purchases(self, call: Call) -> Answer:
        """Licences: nobody needs any here. Clients ask before they remove somebody."""
        require_own(call)
        return Answer({"purchases": []}, title="Licences")

    async def bundles(self, call: Call) -> Answer:
        """Bundles of licences, of which there are none either."""
        require_own(call)
        return Answer(wire.page("appBundles", [], *paging(call)), title="Bundles of licences")

    async def languages(self, _: Call) -> Answer:
        """The languages that the server speaks."""
        return Answer([{"language": "English", "culture": "en"}], title="Languages")

    async def regions(self, _: Call) -> Answer:
        """The regions that people may choose: the server makes no difference between any."""
        return Answer([{"name": "World", "region": "WO", "localizedName": "World"}], title="Regions")


def require_own(call: Call) -> None:
    """Nothing, if the path names the portal of this server.

    Raises:
        ServiceError: 404, it names another one.
    """
    if call.part("portal") not in ("self", wire.PORTAL_ID):
        raise not_found(f"Portal {call.part('portal')[:60]}")


def paging(call: Call) -> tuple[int, int]:
    """From which one on, counted from 1, and how many. Clients ask for -1 when nothing follows.

    Raises:
        ServiceError: one of them is no such number.
    """
    given = call.parameters
    start = given.number("start", 1, least=-1, most=2**31)
    return start, min(MOST, given.number("num", 10, least=0, most=2**31))
