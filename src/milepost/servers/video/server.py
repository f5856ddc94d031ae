"""The URLs of a Video Server's jobs."""

from collections.abc import Callable
from typing import Any, Final

from starlette.routing import BaseRoute

from milepost.http import Answer, Call, Form, Resources, not_found
from milepost.jobs import Job, JobFilter
from milepost.manager import JobManager
from milepost.servers.jobs_of_type import PAGING, JobsOfType, following
from milepost.servers.video import wire
from milepost.servers.video.playing import Player

TYPE: Final = "VideoServer"
ROOT: Final = "/video/rest"

VERSION: Final = 12.0
"""Release of the Video Server that these answers follow."""


def job_path(job: Job) -> str:
    """Where a job is, below the context."""
    return f"{ROOT}/jobs/job/{wire.job_id(job)}"


class Video:
    """The video dialect over the jobs of one manager."""

    def __init__(
        self, manager: JobManager, resources: Resources, authentication: Callable[[Call], dict[str, Any]]
    ):
        """With what all dialects share; ``authentication`` gives what clients must know to sign in."""
        self._authentication = authentication
        self._jobs = JobsOfType(manager, TYPE)
        self._resources = resources

    def routes(self) -> list[BaseRoute]:
        """The routes, below the context."""
        at = self._resources.at
        routes = [
            *at(ROOT, self.root, document="Catalog"),
            *at(ROOT + "/info", self.root, document="Info"),
        ]
        # The shorter path is an addition of this server.
        for one in (ROOT + "/jobs/job/{job}", ROOT + "/jobs/{job}"):
            routes += at(one + "/cancel", self.cancel, acts=True)
            routes += at(one, self.job, document="Video job")
        routes += Player(self._resources).routes()
        return [*routes, *at(ROOT + "/jobs", self.jobs, parameters=PAGING, document="Video jobs")]

    async def root(self, call: Call) -> Answer:
        """Version, and how to sign in."""
        about = {"currentVersion": VERSION, "fullVersion": f"{VERSION}.0", **self._authentication(call)}
        return Answer(about, title="Video Server", links={"Jobs": f"{call.path.removesuffix('/info')}/jobs"})

    async def jobs(self, call: Call) -> Answer:
        """The jobs, newest first. Their pages are an addition of this server."""
        page = await self._jobs.page(call, JobFilter())
        links = {wire.job_id(each): f"{call.path}/job/{wire.job_id(each)}" for each in page.jobs}
        if page.more:
            links["Older"] = following(call)
        return Answer(wire.jobs(page.jobs), title="Jobs", crumbs=_above_jobs(call), links=links)

    async def job(self, call: Call) -> Answer:
        """The state of a job."""
        job = await self._jobs.get(call, call.part("job"))
        try:
            inputs = await self._jobs.inputs(job)
            results = await self._jobs.results(call, job)
        except LookupError:
            raise not_found(f"Job {call.part('job')[:60]}") from None
        return Answer(
            wire.job(job, inputs=inputs, results=results),
            title=wire.job_id(job),
            crumbs=_above_job(call),
            forms=[] if job.status.ended else [Form(action=f"{call.path}/cancel", title="Cancel")],
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
    return [("Video Server", call.home + ROOT)]


def _above_job(call: Call) -> list[tuple[str, str]]:
    return [*_above_jobs(call), ("Jobs", f"{call.home}{ROOT}/jobs")]
