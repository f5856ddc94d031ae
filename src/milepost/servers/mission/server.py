"""The URLs of a Mission Server's jobs."""

from typing import Final

from starlette.routing import BaseRoute

from milepost.http import Answer, Call, Form, Resources
from milepost.jobs import JobFilter
from milepost.manager import JobManager
from milepost.servers.jobs_of_type import PAGING, JobsOfType, following
from milepost.servers.mission import wire

TYPE: Final = "MissionServer"
ROOT: Final = "/mission/rest"


class Mission:
    """The mission dialect over the jobs of one manager."""

    def __init__(self, manager: JobManager, resources: Resources):
        """With what all dialects share."""
        self._jobs = JobsOfType(manager, TYPE)
        self._resources = resources

    def routes(self) -> list[BaseRoute]:
        """The routes, below the context."""
        at = self._resources.at
        return [
            *at(ROOT + "/jobs/{job}/cancel", self.cancel, acts=True),
            *at(ROOT + "/jobs/{job}", self.job, document="Mission job"),
            *at(ROOT + "/jobs", self.jobs, parameters=PAGING, document="Mission jobs"),
        ]

    async def jobs(self, call: Call) -> Answer:
        """The jobs, newest first. Their pages are an addition of this server."""
        page = await self._jobs.page(call, JobFilter())
        links = {wire.job_id(each): f"{call.path}/{wire.job_id(each)}" for each in page.jobs}
        if page.more:
            links["Older"] = following(call)
        return Answer(wire.jobs(page.jobs), title="Jobs", links=links)

    async def job(self, call: Call) -> Answer:
        """The state of a job."""
        job = await self._jobs.get(call, call.part("job"))
        forms = [] if job.status.ended else [Form(action=f"{call.path}/cancel", title="Cancel")]
        return Answer(
            wire.job(job),
            title=wire.job_id(job),
            crumbs=[("Jobs", call.path.rpartition("/")[0])],
            forms=forms,
        )

    async def cancel(self, call: Call) -> Answer:
        """Ask for the end of a job: an addition of this server."""
        job = await self._jobs.get(call, call.part("job"))
        answer: dict[str, object] = {"success": True}
        if await self._jobs.cancel(job, call.person.username) is None:
            answer = {"success": False, "message": "The job has ended and cannot be cancelled"}
        above = call.path.rpartition("/")[0]
        return Answer(
            answer,
            title="Cancel",
            crumbs=[("Jobs", above.rpartition("/")[0]), (wire.job_id(job), above)],
        )
