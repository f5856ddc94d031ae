"""The health of the site, below ``/admin/healthCheck``."""

from pathlib import Path
from typing import Any, Final

import msgspec
from starlette.responses import Response
from starlette.routing import BaseRoute

from milepost.http import Answer, Call, Resources, ServiceError, not_found
from milepost.jobs import Job, JobFilter, Page, Status
from milepost.manager import JobManager
from milepost.servers.administering import error_object, find_job, require_post
from milepost.servers.enterprise import wire
from milepost.servers.enterprise.operations.health import HEALTH, run_health_check
from milepost.servers.enterprise.starting import run_as_job

LISTED: Final = 100
"""Reports in the list, the newest."""

_HEALTH: Final = "/admin/healthCheck"
_SETTINGS: Final = ("free_gib", "backup_days")


class Health:
    """Health checks, which run as jobs, and their reports, which are the results of these jobs."""

    def __init__(self, manager: JobManager, resources: Resources, certificate: Path | None):
        """With what all dialects share, and the certificate that the server shows; None without TLS."""
        self._manager = manager
        self._resources = resources.with_errors(error_object)
        self._certificate = certificate

    def routes(self) -> list[BaseRoute]:
        """The routes, below the context."""
        at = self._resources.at
        return [
            *at(_HEALTH, self.reports, document="Health check"),
            *at(
                f"{_HEALTH}/run",
                self.run,
                acts=True,
                parameters=("async", *_SETTINGS),
                document="Run health check",
            ),
            *at(f"{_HEALTH}/{{report}}", self.report, document="Health check report"),
        ]

    async def reports(self, call: Call) -> Answer:
        """The reports, newest first."""
        wanted = JobFilter(service=HEALTH.name, operation=run_health_check.name)
        found = (await self._manager.find(wanted, Page(limit=LISTED))).jobs
        return Answer(
            {"reports": [await self._about(each) for each in found]},
            title="Health check",
            crumbs=_above(call)[:1],
            links={wire.job_id(each): f"{call.path}/{wire.job_id(each)}" for each in found}
            | {"Run a health check": f"{call.path}/run"},
        )

    async def run(self, call: Call) -> Answer | Response:
        """Look at everything that the server needs to do its work."""
        if form := require_post(call, "Run health check"):
            return msgspec.structs.replace(form, crumbs=_above(call))
        started: list[Job] = []
        answer = await run_as_job(
            self._manager,
            call,
            run_health_check,
            {
                # Only this process can tell; the job comes right after.
                "instances": msgspec.json.encode(await self._manager.try_instances()).decode(),
                "certificate": str(self._certificate.absolute()) if self._certificate else "",
                **{name: call.parameters.get(name) for name in _SETTINGS},
            },
            name="runHealthCheck",
            resource="healthCheck",
            accepted=started.append,
        )
        if isinstance(answer, Response) or "jobsUrl" in answer.data:
            return answer
        report = await self._report(await self._manager.get(started[0].id))
        url = f"{call.base}{_HEALTH}/{report['id']}"
        return Answer(
            {"status": "success", "reportUrl": url, "report": report},
            title="Health check",
            crumbs=_above(call),
            links={"Report": url},
        )

    async def report(self, call: Call) -> Answer:
        """One report."""
        name = call.part("report")
        job = await find_job(self._manager, name, service=HEALTH.name)
        if job.operation != run_health_check.name:
            raise not_found(f"Report {name[:60]}")
        root = f"{call.home}/admin"
        return Answer(
            await self._report(job),
            title=f"Report {wire.job_id(job)}",
            crumbs=_above(call),
            links={"Job": f"{root}/jobs/{wire.job_id(job)}"},
        )

    async def _about(self, job: Job) -> dict[str, Any]:
        state = job.results.get("state")
        return {
            "id": wire.job_id(job),
            "status": wire.status(job),
            "state": await self._manager.value(job, state) if state else None,
            "started": job.started_at or job.submitted_at,
            "ended": job.ended_at,
            "username": job.owner,
        }

    async def _report(self, job: Job) -> dict[str, Any]:
        """A report as clients get it.

        Raises:
            ServiceError: 404, it was removed.
        """
        about = await self._about(job)
        checks = job.results.get("checks")
        if job.status is Status.SUCCEEDED and checks:
            try:
                table = await self._manager.value(job, checks)
            except LookupError:
                raise ServiceError(404, f"The report of job {wire.job_id(job)} was removed") from None
            about["checks"] = [each["attributes"] for each in table["features"]]
        else:
            about["checks"] = []
        return about


def _above(call: Call) -> list[tuple[str, str]]:
    root = f"{call.home}/admin"
    return [("Administration", root), ("Health check", f"{root}/healthCheck")]
