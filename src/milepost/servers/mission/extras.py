"""What belongs to a mission beside itself: its reports, its channel, and its items in the portal."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from starlette.responses import Response
from starlette.routing import BaseRoute

from milepost.features import FeatureServices, NoSuchServiceError
from milepost.http import Answer, Call, Resources, ServiceError, wrong
from milepost.manager import JobManager
from milepost.security import Tokens
from milepost.servers.mission import describing
from milepost.servers.mission.parameters import APP, APP_FORM
from milepost.servers.mission.records import Mission, Missions
from milepost.servers.mission.reports import ADD, read_report
from milepost.servers.mission.services import (
    ALIAS,
    ONE,
    SERVICES,
    MissionResources,
    above,
    may_see,
    require_owner,
)
from milepost.servers.mission.starting import Starter, accepted

ITEM: Final = "/sharing/rest/content/items/{item}"
FOLDER: Final = "/sharing/rest/content/users/{username}/{folder}"

OtherItems = Callable[[Call, str], Awaitable[dict[str, Any] | None]]
"""Tells the item of an id, if it is one of another server that the person who calls may see."""

DEFAULT_APP: Final = "arcgisMissionClient"


class MissionExtras:
    """Reports, connection and items of missions."""

    def __init__(
        self,
        missions: Missions,
        finder: MissionResources,
        services: FeatureServices,
        manager: JobManager,
        resources: Resources,
        tokens: Tokens,
        others: OtherItems,
    ):
        """With what tells missions and their layers, what all dialects share, and the items of others."""
        self._missions = missions
        self._finder = finder
        self._services = services
        self._starter = Starter(manager)
        self._resources = resources
        self._tokens = tokens
        self._others = others

    def routes(self) -> list[BaseRoute]:
        """The routes, below the context."""
        at = self._resources.at
        adding = (f"{ONE}/reports/add", f"{ONE}/addReport", f"{ALIAS}/addReport")
        return [
            *(
                route
                for path in adding
                for route in at(path, self.add_report, acts=True, parameters=ADD, document="Add Report")
            ),
            *at(f"{ONE}/reports", self.reports, document="Reports"),
            *at(f"{ONE}/connectionInfo", self.connection, parameters=("appId",), document="Connection Info"),
            *at(FOLDER, self.folder, document="User content"),
            *at(ITEM, self.item, document="Item"),
            *at(f"{ITEM}/data", self.data, document="Item Data"),
        ]

    async def reports(self, call: Call) -> Answer:
        """The reports of a mission and where their layers are."""
        about = await self._finder.find(call)
        home = call.home
        return Answer(
            describing.reports(about, call.base),
            title="Reports",
            crumbs=_below(call, about),
            links={
                each.name: f"{home}/rest/services/{each.service}/FeatureServer/{each.layer}"
                for each in about.reports
            },
        )

    async def add_report(self, call: Call) -> Answer | Response:
        """Add a report to a mission: a layer whose fields are the questions."""
        about = await self._finder.find(call)
        require_owner(call.person, about)
        report = read_report(call.parameters, about.id)
        try:
            await asyncio.to_thread(self._services.open, report.service)
        except NoSuchServiceError:
            pass
        else:
            name = report.service.rpartition("/")[2]
            raise wrong("serviceName", f"there is a service {name!r}; choose another name")
        values = {"mission_id": about.id, "report": msgspec.json.encode(report).decode()}
        waits = not call.parameters.flag("async", False)
        job = await self._starter.start(call, "add_report", values, kind="addReport", mission_id=about.id)
        if not waits:
            return accepted(call, job)
        await self._starter.finished(job)
        found = await asyncio.to_thread(self._missions.get, about.id)
        said = [describing.layer(each, call.base) for each in (found or about).reports]
        mine = next((each for each in said if f"/{report.service}/" in each["serviceUrl"]), {})
        return Answer({"success": True, **mine}, title="Add report", crumbs=_below(call, about))

    async def connection(self, call: Call) -> Answer:
        """Where the channel of a mission is, and a token for it."""
        about = await self._finder.find(call)
        app = call.parameters.get("appId", DEFAULT_APP).strip()
        if not APP.fullmatch(app):
            raise wrong("appId", f"{app[:40]!r} is not {APP_FORM}")
        scheme, _, rest = call.base.partition("://")
        token, expires = self._tokens.issue(call.person)
        said = {
            "url": f"{'wss' if scheme == 'https' else 'ws'}://{rest}{SERVICES}/{about.id}/MissionServer/channel",
            "missionId": about.id,
            "token": token,
            "expires": expires,
        }
        return Answer(said, title="Connection", crumbs=_below(call, about))

    async def item(self, call: Call) -> Answer:
        """An item of the portal: a mission, its web map or its layers, or a video service."""
        if told := await self._others(call, call.part("item").strip().lower()):
            return Answer(told, title=str(told["title"]), links={"Service": str(told["url"])})
        about, item = await self._item(call)
        said = describing.item(about, item, call.base)
        links = {"Data": f"{call.path}/data"} if item == about.map_item else {}
        return Answer(said, title=about.plan.title, crumbs=_below(call, about), links=links)

    async def folder(self, call: Call) -> Answer:
        """The items of a mission, in the folder of its owner that it names."""
        name = call.part("folder").strip().lower()
        about = await asyncio.to_thread(self._missions.get, name)
        owner = call.part("username").lower()
        if (
            about is None
            or about.folder_id != name
            or about.owner.lower() != owner
            or not may_see(call.person, about)
        ):
            raise ServiceError(400, "Folder does not exist or is inaccessible.")
        links = {
            each["type"]: f"{call.home}/sharing/rest/content/items/{each['id']}"
            for each in describing.items(about, call.base)
        }
        return Answer(
            describing.folder(about, call.base),
            title=about.plan.title,
            crumbs=_below(call, about),
            links=links,
        )

    async def data(self, call: Call) -> Answer:
        """What an item holds: of a web map its layers and where it begins."""
        if await self._others(call, call.part("item").strip().lower()):
            return Answer({}, title="Data", crumbs=[("Item", call.path.rpartition("/")[0])])
        about, item = await self._item(call)
        said = {}
        if item == about.map_item:
            content = await asyncio.to_thread(self._missions.map, about.id)
            said = describing.web_map(content, call.base)
        crumbs = [*_below(call, about), ("Item", call.path.rpartition("/")[0])]
        return Answer(said, title="Data", crumbs=crumbs)

    async def _item(self, call: Call) -> tuple[Mission, str]:
        item = call.part("item").strip().lower()
        about = await asyncio.to_thread(self._missions.get, item)
        if about is None or item == about.group_id or not may_see(call.person, about):
            # In these words, by which clients tell that there is none.
            raise ServiceError(400, "Item does not exist or is inaccessible.")
        return about, item


def _below(call: Call, about: Mission) -> list[tuple[str, str]]:
    home = call.home
    return [*above(call), (about.plan.title, f"{home}{SERVICES}/{about.id}/MissionServer")]
