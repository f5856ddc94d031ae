"""The members of a mission: the portal group whose people see it, write in its layers and join its channel."""

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec
from starlette.routing import BaseRoute

from milepost.features import FeatureServices, NoSuchServiceError
from milepost.http import Answer, Call, Field, Form, Resources, ServiceError, missing, not_found, wrong
from milepost.security import People
from milepost.servers.mission.records import Mission, Missions
from milepost.servers.mission.services import SERVICES, above, may_change, may_see, require_owner

GROUP: Final = "/sharing/rest/community/groups/{group}"

MOST: Final = 1000
"""Members that a mission may have."""


class MissionMembers:
    """The groups of missions, as the clients of portals know groups."""

    def __init__(self, missions: Missions, services: FeatureServices, people: People, resources: Resources):
        """With what tells missions, their layers and people."""
        self._missions = missions
        self._services = services
        self._people = people
        self._resources = resources

    def routes(self) -> list[BaseRoute]:
        """The routes, below the context."""
        at = self._resources.at
        add, remove = f"{GROUP}/addUsers", f"{GROUP}/removeUsers"
        return [
            *at(GROUP, self.group, document="Group"),
            *at(f"{GROUP}/users", self.users, document="Group users"),
            *at(add, self.add, acts=True, parameters=("users",), document="Add users to group"),
            *at(remove, self.remove, acts=True, parameters=("users",), document="Remove users from group"),
        ]

    async def group(self, call: Call) -> Answer:
        """The group of a mission's members."""
        about = await self._find(call)
        forms = []
        if may_change(call.person, about):
            people = (Field(name="users", title="Usernames", help="Several with commas.", required=True),)
            forms = [
                Form(f"{call.path}/addUsers", "Add users", people),
                Form(f"{call.path}/removeUsers", "Remove users", people),
            ]
        return Answer(
            {
                "id": about.group_id,
                "title": about.plan.title,
                "owner": about.owner,
                "created": about.created,
                "access": "private",
                "isInvitationOnly": True,
                "protected": False,
            },
            title=f"Group of {about.plan.title}",
            crumbs=_below(call, about),
            links={"Users": f"{call.path}/users"},
            forms=forms,
        )

    async def users(self, call: Call) -> Answer:
        """Who is in the group of a mission."""
        about = await self._find(call)
        said = {"owner": about.owner, "admins": [about.owner], "users": list(about.members)}
        crumbs = [*_below(call, about), ("Group", call.path.rpartition("/")[0])]
        return Answer(said, title="Users", crumbs=crumbs)

    async def add(self, call: Call) -> Answer:
        """Let people take part in a mission; those who do not exist are told."""
        about, names = await self._asked(call)
        known = {name: await asyncio.to_thread(self._people.get, name) for name in names}
        wanted = [person.username for person in known.values() if person]
        unknown = [name for name, person in known.items() if person is None]

        def with_them(mission: Mission) -> tuple[str, ...]:
            added = [name for name in wanted if not mission.is_for(name)]
            return (*mission.members, *dict.fromkeys(added))

        await self._change(about, with_them)
        return Answer({"notAdded": unknown}, title="Add users", crumbs=_below(call, about))

    async def remove(self, call: Call) -> Answer:
        """Let people take part in a mission no longer; those who did not are told."""
        about, names = await self._asked(call)
        gone = {name.lower() for name in names}
        members = {each.lower() for each in about.members}

        def without_them(mission: Mission) -> tuple[str, ...]:
            return tuple(each for each in mission.members if each.lower() not in gone)

        await self._change(about, without_them)
        unknown = [name for name in names if name.lower() not in members]
        return Answer({"notRemoved": unknown}, title="Remove users", crumbs=_below(call, about))

    async def _change(self, about: Mission, members_of: Callable[[Mission], tuple[str, ...]]) -> None:
        def change() -> None:
            changed = self._missions.change(
                about.id, lambda mission: msgspec.structs.replace(mission, members=members_of(mission))
            )
            if changed is None:
                raise not_found(f"Group {about.group_id}")
            # Said again it does no harm, so whoever is interrupted here asks once more.
            for service in {changed.service, *(each.service for each in changed.reports)}:
                self._services.change(service, editors=changed.members)

        try:
            await asyncio.to_thread(change)
        except NoSuchServiceError:
            raise ServiceError(400, "The mission is being deleted") from None

    async def _asked(self, call: Call) -> tuple[Mission, list[str]]:
        """The mission, for who may change it, and the usernames that are sent.

        Raises:
            ServiceError: 404; 403; 400, nobody is named, or too many.
        """
        about = await self._find(call)
        require_owner(call.person, about)
        names = [each.strip() for each in call.parameters.get("users").split(",") if each.strip()]
        if not names:
            raise missing("users", "send usernames, several with commas")
        if len(names) + len(about.members) > MOST:
            raise wrong("users", f"a mission may have {MOST} members")
        return about, list(dict.fromkeys(names))

    async def _find(self, call: Call) -> Mission:
        """The mission whose group the path names.

        Raises:
            ServiceError: 404; whether there is one is told only to those whom it is for.
        """
        name = call.part("group").strip().lower()
        about = await asyncio.to_thread(self._missions.get, name)
        if about is None or about.group_id != name or not may_see(call.person, about):
            raise not_found(f"Group {name[:60]}")
        return about


def _below(call: Call, about: Mission) -> list[tuple[str, str]]:
    return [*above(call), (about.plan.title, f"{call.home}{SERVICES}/{about.id}/MissionServer")]
