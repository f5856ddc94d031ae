"""The URLs of missions: the catalog, making one, the mission itself and its end."""

import asyncio
from typing import Final
from urllib.parse import urlencode

import msgspec
from starlette.responses import Response
from starlette.routing import BaseRoute

from milepost.http import Answer, Call, Form, Resources, ServiceError, not_found, wrong
from milepost.manager import JobManager
from milepost.security import Person, Role
from milepost.servers.mission import describing
from milepost.servers.mission.parameters import CREATE, create_fields, read_plan, report_fields
from milepost.servers.mission.records import Mission, Missions, Plan, new_id
from milepost.servers.mission.starting import ROOT, Starter, accepted

SERVICES: Final = f"{ROOT}/services"
ONE: Final = f"{SERVICES}/{{mission}}/MissionServer"
ALIAS: Final = f"{ROOT}/missions/{{mission}}"
"""Where a client of one maker looks for a mission that it has made."""

PAGE_LIMIT: Final = 100


class MissionResources:
    """Missions, for those whom they are for."""

    def __init__(self, missions: Missions, manager: JobManager, resources: Resources):
        """With what all dialects share."""
        self._missions = missions
        self._starter = Starter(manager)
        self._resources = resources

    def routes(self) -> list[BaseRoute]:
        """The routes, below the context."""
        at = self._resources.at
        return [
            *at(
                f"{SERVICES}/createMission",
                self.create,
                acts=True,
                parameters=CREATE,
                document="Create Mission",
            ),
            *at(f"{SERVICES}/addMission", self.create, acts=True, parameters=CREATE),
            *at(SERVICES, self.catalog, parameters=("start", "num"), document="Service Catalog"),
            *(
                route
                for path in (f"{ONE}/delete", f"{SERVICES}/{{mission}}/delete", f"{ALIAS}/delete")
                for route in at(
                    path, self.delete, acts=True, parameters=("async",), document="Delete Mission Service"
                )
            ),
            *(route for path in (ONE, ALIAS) for route in at(path, self.mission, document="Mission Service")),
        ]

    async def catalog(self, call: Call) -> Answer:
        """The missions that one owns or is a member of, newest first; everybody's for administrators."""
        given = call.parameters
        start = given.number("start", 1, least=1, most=10_000_000)
        limit = given.number("num", PAGE_LIMIT, least=1, most=PAGE_LIMIT)
        whose = "" if call.person.role is Role.ADMINISTRATOR else call.person.username
        missions, total = await asyncio.to_thread(self._missions.page, whose, start=start, limit=limit)
        said = describing.catalog(missions, start=start, limit=limit, total=total)
        links = {
            f"{each.plan.title} ({each.id[:8]})": f"{call.path}/{each.id}/MissionServer" for each in missions
        }
        if said["nextStart"] > 0:
            links["Older"] = f"{call.path}?{urlencode({'start': said['nextStart'], 'num': limit})}"
        create = f"{SERVICES}/createMission"
        forms = []
        if call.person.may_use(self._resources.access[create]):
            forms.append(Form(f"{call.path}/createMission", "Create mission", create_fields()))
        return Answer(said, title="Missions", crumbs=above(call)[:1], links=links, forms=forms)

    async def create(self, call: Call) -> Answer | Response:
        """Make a mission: its layers, its map, and itself. Before release 11.0 it was called addMission."""
        plan = read_plan(call.parameters)
        waits = not call.parameters.flag("async", call.parameters.get("f", "html") == "html")
        template = call.parameters.get("templateWebMapId").strip()
        if template:
            plan = await self._with_map_of(call.person, plan, template)
        mission_id = new_id()
        values = {
            "mission_id": mission_id,
            "username": call.person.username,
            "plan": msgspec.json.encode(plan).decode(),
        }
        old = call.path.endswith("/addMission")
        kind = "addMission" if old else "createNewMissionService"
        job = await self._starter.start(call, "create_mission", values, kind=kind, mission_id=mission_id)
        if not waits:
            return accepted(call, job)
        await self._starter.finished(job)
        return Answer(
            {"success": True, "missionId": mission_id, "itemId": mission_id}, title="Create mission"
        )

    async def mission(self, call: Call) -> Answer:
        """A mission: who it is for, what it offers, and where its layers are."""
        about = await self.find(call)
        forms = []
        if may_change(call.person, about):
            forms.append(Form(f"{call.path}/addReport", "Add report", report_fields()))
            forms.append(Form(f"{call.path}/delete", "Delete mission"))
        layers = {
            f"{each.name} layer": f"{call.home}/rest/services/{each.service}/FeatureServer/{each.layer}"
            for channel in about.channels
            for each in channel.layers
        }
        home = call.home
        links = {
            **layers,
            "Members": f"{home}/sharing/rest/community/groups/{about.group_id}",
            "Reports": f"{home}{SERVICES}/{about.id}/MissionServer/reports",
            "Connection": f"{home}{SERVICES}/{about.id}/MissionServer/connectionInfo",
            "Web map": f"{home}/sharing/rest/content/items/{about.map_item}",
        }
        return Answer(
            describing.mission(about, call.base),
            title=about.plan.title,
            crumbs=above(call),
            links=links,
            forms=forms,
        )

    async def delete(self, call: Call) -> Answer | Response:
        """Delete a mission with all that it has; its job is followed unless ``async`` is false."""
        about = await self.find(call)
        require_owner(call.person, about)
        waits = not call.parameters.flag("async", True)
        job = await self._starter.start(
            call,
            "delete_mission",
            {"mission_id": about.id},
            kind="deleteMissionService",
            mission_id=about.id,
        )
        if not waits:
            return accepted(call, job)
        await self._starter.finished(job)
        return Answer({"success": True}, title="Delete mission", crumbs=above(call))

    async def find(self, call: Call) -> Mission:
        """The mission that the path names.

        Raises:
            ServiceError: 404; whether there is one is told only to those whom it is for.
        """
        name = call.part("mission")
        about = await asyncio.to_thread(self._missions.get, name.strip().lower())
        if about is None or about.id != name.strip().lower() or not may_see(call.person, about):
            raise not_found(f"Mission {name[:60]}")
        return about

    async def _with_map_of(self, person: Person, plan: Plan, template: str) -> Plan:
        """The plan with the base map of a web map that is a mission's."""
        about = await asyncio.to_thread(self._missions.get, template.lower())
        if about is None or about.map_item != template.lower() or not may_see(person, about):
            raise wrong("templateWebMapId", f"there is no web map {template[:60]!r} that you may see")
        return plan if plan.base_map else msgspec.structs.replace(plan, base_map=about.plan.base_map)


def may_see(person: Person, about: Mission) -> bool:
    """Whether a mission is there for somebody."""
    return person.role is Role.ADMINISTRATOR or about.is_for(person.username)


def may_change(person: Person, about: Mission) -> bool:
    """Whether somebody may change or delete a mission."""
    return person.role is Role.ADMINISTRATOR or about.owner.lower() == person.username.lower()


def require_owner(person: Person, about: Mission) -> None:
    """Nothing, if somebody may change a mission.

    Raises:
        ServiceError: 403.
    """
    if not may_change(person, about):
        raise ServiceError(
            403,
            "You do not have permissions to access this resource or perform this operation.",
            ["A mission is changed by its owner and by administrators"],
        )


def above(call: Call) -> list[tuple[str, str]]:
    """The pages above a mission."""
    root = call.home + ROOT
    return [("Mission Server", root), ("Missions", f"{root}/services")]
