"""The jobs of geoprocessing services in the admin API, in one of its two flavours."""

import asyncio
import time
from contextlib import suppress
from typing import Any, Final

from starlette.routing import BaseRoute

from milepost.http import Answer, Call, Field, Form, Resources, ServiceError, plain
from milepost.jobs import IllegalMove, Job, JobFilter, Page, Status
from milepost.manager import JobManager
from milepost.operations import Service
from milepost.servers.administering import (
    Flavour,
    cancel,
    errors_of,
    find_job,
    require_post,
    service_id,
)
from milepost.servers.geoprocessing import admin_wire
from milepost.servers.geoprocessing.access import find_service
from milepost.servers.geoprocessing.job_query import DEFAULT_PAGE, PAGE_LIMIT, PARAMETERS, echo, read_filter

DELETE_LIMIT: Final = 60.0
"""Seconds that a deletion waits for the end of a job that was at work."""

_CHUNK: Final = 500

_QUEUED: Final = frozenset({Status.NEW, Status.SUBMITTED, Status.WAITING})


class Administration:
    """The jobs of geoprocessing services, as those who administer them see them."""

    def __init__(self, manager: JobManager, resources: Resources, flavour: Flavour):
        """With what all dialects share."""
        self._manager = manager
        self._server = flavour == "server"
        self._resources = resources.with_errors(errors_of(flavour))

    def routes(self) -> list[BaseRoute]:
        """The routes, below the context."""
        at = self._resources.at
        name = "[{folder}/]{service}.GPServer/jobs"
        base = f"/admin/services/{name}"
        routes = [
            *at(base, self.jobs, document="Service jobs"),
            *at(f"{base}/query", self.query, document="Query service jobs", parameters=PARAMETERS),
        ]
        if self._server:
            routes += [
                *at(f"{base}/statistics", self.statistics, document="Job statistics"),
                *at(f"{base}/purgeQueue", self.purge_queue, acts=True, document="Purge job queue"),
                *at(f"{base}/{{job}}/cancel", self.cancel, acts=True, document="Cancel job"),
                *at(f"{base}/{{job}}/delete", self.delete, acts=True, document="Delete job"),
            ]
        return [
            *routes,
            *at(f"{base}/{{job}}", self.job, document="Service job"),
            # The document spells it this way once.
            *at(f"/rest/services/{name}/{{job}}", self.job, document="Service job"),
        ]

    # -- reading -----------------------------------------------------------------------------

    async def jobs(self, call: Call) -> Answer:
        """What there is about the jobs of the service."""
        about = find_service(self._manager, call)
        forms = [Form(action=f"{call.path}/query", title="Query", fields=_QUERY, method="get")]
        links = {}
        if self._server:
            links["statistics"] = f"{call.path}/statistics"
            forms.append(Form(action=f"{call.path}/purgeQueue", title="Purge queue"))
        return Answer(
            {"resources": list(links)},
            title=f"Jobs of {about.title}",
            crumbs=_above_jobs(call, about),
            links=links,
            forms=forms,
        )

    async def query(self, call: Call) -> Answer:
        """One page of the jobs that match."""
        about = find_service(self._manager, call)
        given = call.parameters
        wanted = read_filter(given, about.name, null_is_nobody=self._server)
        number = given.number("number", DEFAULT_PAGE, least=1, most=PAGE_LIMIT)
        start = given.number("start", 1, least=1, most=10_000_000)
        total, found, more = 0, [], False
        if wanted is not None:
            page = await self._manager.find(wanted, Page(limit=number, offset=start - 1))
            total, found, more = await self._manager.count(wanted), list(page.jobs), page.more
        jobs = _jobs_path(call, about)
        return Answer(
            {
                "total": total,
                "query": echo(given, about.title, about.folder),
                "num": number,
                "start": start,
                "nextStart": start + len(found) if more else -1,
                "results": {plain(each.id): self._shown(call, each) for each in found},
            },
            title="Query",
            crumbs=[*_above_jobs(call, about), (f"Jobs of {about.title}", jobs)],
            links={plain(each.id): f"{jobs}/{plain(each.id)}" for each in found[:50]},
            forms=[Form(action=call.path, title="Query", fields=_QUERY, method="get")],
        )

    async def job(self, call: Call) -> Answer:
        """One job."""
        job = await self._find(call)
        about = find_service(self._manager, call)
        jobs = _jobs_path(call, about)
        forms = []
        if self._server:
            here = f"{jobs}/{plain(job.id)}"
            if not job.status.ended:
                forms.append(Form(action=f"{here}/cancel", title="Cancel"))
            forms.append(Form(action=f"{here}/delete", title="Delete"))
        return Answer(
            self._shown(call, job),
            title=f"Job {plain(job.id)}",
            crumbs=[*_above_jobs(call, about), (f"Jobs of {about.title}", jobs)],
            forms=forms,
        )

    async def statistics(self, call: Call) -> Answer:
        """How many jobs there are, and how they ended."""
        about = find_service(self._manager, call)
        kinds: dict[str, frozenset[Status]] = {
            "total": frozenset(),
            "cancelled": frozenset({Status.CANCELLED}),
            "failed": frozenset({Status.FAILED, Status.TIMED_OUT}),
            "succeeded": frozenset({Status.SUCCEEDED}),
        }
        return Answer(
            {
                kind: await self._manager.count(JobFilter(service=about.name, statuses=statuses))
                for kind, statuses in kinds.items()
            },
            title="Statistics",
            crumbs=[*_above_jobs(call, about), (f"Jobs of {about.title}", _jobs_path(call, about))],
        )

    # -- acting ------------------------------------------------------------------------------

    async def cancel(self, call: Call) -> Answer:
        """Ask for the end of a job; its record stays."""
        job = await self._find(call)
        if form := require_post(call, "Cancel"):
            return form
        await cancel(self._manager, job, call.person.username, code=500)
        return self._success(call, "Cancel")

    async def delete(self, call: Call) -> Answer:
        """Remove a job, which is cancelled first when it has not ended."""
        job = await self._find(call)
        if form := require_post(call, "Delete"):
            return form
        refusal = f"Unable to delete job :[{plain(job.id)}]"
        by = call.person.username
        if not job.status.ended:
            await self._cancel_quietly(job, by)
            try:
                await asyncio.wait_for(self._manager.finished(job.id), DELETE_LIMIT)
            except TimeoutError:
                raise ServiceError(
                    400, refusal, ["The job is still being cancelled; delete it once it has ended"]
                ) from None
        # Somebody else may delete it at the same time.
        with suppress(IllegalMove):
            await self._manager.delete(job.id, by)
        return self._success(call, "Delete")

    async def purge_queue(self, call: Call) -> Answer:
        """Cancel every job of the service that waits."""
        about = find_service(self._manager, call)
        if form := require_post(call, "Purge queue"):
            return form
        # Those that come in later are not meant; without this limit there might be no end.
        wanted = JobFilter(service=about.name, statuses=_QUEUED, submitted_to=time.time_ns() // 1_000_000)
        while True:
            page = await self._manager.find(wanted, Page(limit=_CHUNK))
            for each in page.jobs:
                # It may have been taken up since the page was read.
                if (await self._manager.get(each.id)).status in _QUEUED:
                    await self._cancel_quietly(each, call.person.username)
            if not page.more:
                return self._success(call, "Purge queue")

    # -- shared ------------------------------------------------------------------------------

    async def _find(self, call: Call) -> Job:
        about = find_service(self._manager, call)
        return await find_job(self._manager, call.part("job"), about.name)

    async def _cancel_quietly(self, job: Job, by: str) -> None:
        with suppress(IllegalMove):
            await self._manager.cancel(job.id, by)

    def _shown(self, call: Call, job: Job) -> dict[str, Any]:
        if self._server:
            return admin_wire.server_job(job, base=call.base)
        return admin_wire.kubernetes_job(job, base=call.base, service_id=service_id(job.service))

    def _success(self, call: Call, title: str) -> Answer:
        about = find_service(self._manager, call)
        crumbs = [*_above_jobs(call, about), (f"Jobs of {about.title}", _jobs_path(call, about))]
        return Answer({"status": "success"}, title=title, crumbs=crumbs)


_QUERY: Final = (
    Field(name="startTime", title="From", help="UTC, such as 2026-03-01T12:00:00"),
    Field(name="endTime", title="To"),
    Field(name="jobStatus", title="Statuses", help="Such as esriJobFailed,esriJobCancelled; all when empty"),
    Field(name="userName", title="Submitted by"),
    Field(name="machineName", title="Machine", help="The one that a job ran on last"),
    Field(name="number", title="Jobs in a page", value=str(DEFAULT_PAGE)),
    Field(name="start", title="Number of the first one", value="1"),
)


def _jobs_path(call: Call, about: Service) -> str:
    return f"{call.home}/admin/services/{about.name}/jobs"


def _above_jobs(call: Call, about: Service) -> list[tuple[str, str]]:
    root = f"{call.home}/admin"
    crumbs = [("Administration", root), ("Services", f"{root}/services")]
    if about.folder:
        crumbs.append((about.folder, f"{root}/services/{about.folder}"))
    return crumbs
