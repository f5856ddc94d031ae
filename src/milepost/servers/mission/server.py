"""The URLs of a Mission Server: its front page, its missions and its jobs."""

from collections.abc import Callable
from typing import Any, Final

from starlette.routing import BaseRoute

from milepost.features import FeatureServices
from milepost.http import Answer, Call, Form, Resources
from milepost.jobs import Job, JobFilter
from milepost.manager import JobManager
from milepost.security import People, Tokens
from milepost.servers.jobs_of_type import PAGING, JobsOfType, following
from milepost.servers.mission import wire
from milepost.servers.mission.extras import MissionExtras, OtherItems
from milepost.servers.mission.members import MissionMembers
from milepost.servers.mission.records import Missions
from milepost.servers.mission.services import MissionResources
from milepost.servers.mission.starting import ROOT

TYPE: Final = "MissionServer"

VERSION: Final = 11.4
"""Release of the Mission Server that these answers follow."""


def job_path(job: Job) -> str:
    """Where a job is, below the context."""
    return f"{ROOT}/jobs/{wire.job_id(job)}"


class Mission:
    """The mission dialect over the jobs of one manager."""

    def __init__(
        self,
        missions: Missions,
        services: FeatureServices,
        manager: JobManager,
        tokens: Tokens,
        people: People,
        resources: Resources,
        authentication: Callable[[Call], dict[str, Any]],
        other_items: OtherItems,
    ):
        """The resources of a Mission Server.

        Args:
            missions: of the site.
            services: with their layers.
            manager: of the jobs.
            tokens: for the channels of missions.
            people: who may become members.
            resources: what all dialects share.
            authentication: gives what clients must know to sign in, for a call.
            other_items: tells items of the portal that are no missions.
        """
        self._missions = MissionResources(missions, manager, resources)
        self._extras = MissionExtras(
            missions, self._missions, services, manager, resources, tokens, other_items
        )
        self._members = MissionMembers(missions, services, people, resources)
        self._authentication = authentication
        self._jobs = JobsOfType(manager, TYPE)
        self._resources = resources

    def routes(self) -> list[BaseRoute]:
        """The routes, below the context."""
        at = self._resources.at
        return [
            *at(ROOT, self.root, document="Mission Server root"),
            *at(ROOT + "/info", self.root, document="Info"),
            *at(ROOT + "/jobs/{job}/cancel", self.cancel, acts=True),
            *at(ROOT + "/jobs/{job}", self.job, document="Mission job"),
            *at(ROOT + "/jobs", self.jobs, parameters=PAGING, document="Mission jobs"),
            *self._extras.routes(),
            *self._members.routes(),
            *self._missions.routes(),
        ]

    async def root(self, call: Call) -> Answer:
        """Version, and how to sign in."""
        about = {"currentVersion": VERSION, "fullVersion": f"{VERSION}.0", **self._authentication(call)}
        above = call.path.removesuffix("/info")
        links = {"Missions": f"{above}/services", "Jobs": f"{above}/jobs"}
        return Answer(about, title="Mission Server", links=links)

    async def jobs(self, call: Call) -> Answer:
        """The jobs, newest first. Their pages are an addition of this server."""
        page = await self._jobs.page(call, JobFilter())
        links = {wire.job_id(each): f"{call.path}/{wire.job_id(each)}" for each in page.jobs}
        if page.more:
            links["Older"] = following(call)
        return Answer(wire.jobs(page.jobs), title="Jobs", crumbs=_above_jobs(call), links=links)

    async def job(self, call: Call) -> Answer:
        """The state of a job."""
        job = await self._jobs.get(call, call.part("job"))
        forms = [] if job.status.ended else [Form(action=f"{call.path}/cancel", title="Cancel")]
        return Answer(
            wire.job(job),
            title=wire.job_id(job),
            crumbs=_above_job(call),
            forms=forms,
        )

    async def cancel(self, call: Call) -> Answer:
        """Ask for the end of a job: an addition of this server."""
        job = await self._jobs.get(call, call.part("job"))
        answer: dict[str, object] = {"success": True}
        if await self._jobs.cancel(job, call.person.username) is None:
            answer = {"success": False, "message": "The job has ended and cannot be cancelled"}
        above = (wire.job_id(job), call.path.rpartition("/")[0])
        return Answer(answer, title="Cancel", crumbs=[*_above_job(call), above])


def _above_jobs(call: Call) -> list[tuple[str, str]]:
    return [("Mission Server", call.home + ROOT)]


def _above_job(call: Call) -> list[tuple[str, str]]:
    return [*_above_jobs(call), ("Jobs", f"{call.home}{ROOT}/jobs")]
