"""rest/info, rest/services, the list of jobs, and /health."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final
from urllib.parse import urlencode

from starlette.routing import BaseRoute

from milepost import __version__
from milepost.features import FeatureServices
from milepost.http import Answer, Call, Parameters, Resources, not_found, plain, wrong
from milepost.jobs import Job, JobFilter, Page, Status
from milepost.manager import JobManager
from milepost.security import Role

CURRENT_VERSION: Final = 11.4
FULL_VERSION: Final = "11.4.0"
PAGE_LIMIT: Final = 1000

_FILTERS: Final = ("status", "owner", "service", "operation", "from", "to")
"""Parameters that narrow the list of jobs."""

JobPath = Callable[[Job], str]
"""Gives the path of a job, below the context."""


class Directory:
    """The resources above all services."""

    def __init__(
        self,
        manager: JobManager,
        features: FeatureServices,
        resources: Resources,
        authentication: Callable[[Call], dict[str, Any]],
        *,
        listed: Collection[str],
        job_paths: Mapping[str, JobPath],
        roots: Mapping[str, str],
    ):
        """The resources above those of the dialects.

        Args:
            manager: of the jobs.
            features: the feature services.
            resources: what all dialects share.
            authentication: gives what clients must know to sign in, for a call.
            listed: the types of services that lie below ``rest/services``.
            job_paths: where the jobs of a type of services are.
            roots: the other systems that are spoken here, and their paths below the context.
        """
        self._manager = manager
        self._features = features
        self._resources = resources
        self._authentication = authentication
        self._types = listed
        self._job_paths = job_paths
        self._roots = roots

    def routes(self) -> list[BaseRoute]:
        """The routes, below the context."""
        at = self._resources.at
        return [
            *at("/rest/info", self.info, document="Server info"),
            *at("/rest/services", self.services, document="Catalog"),
            *at("/rest/services/{folder}", self.services, document="Catalog"),
            *at("/rest/jobs", self.jobs, parameters=(*_FILTERS, "start", "num")),
            *at("/rest", self.root),
        ]

    async def root(self, call: Call) -> Answer:
        """Where to go."""
        above = call.path.removesuffix("/rest")
        links = {
            "Services": f"{call.path}/services",
            "Jobs": f"{call.path}/jobs",
            "Server information": f"{call.path}/info",
            **{title: f"{above}{path}" for title, path in self._roots.items()},
            "Sign in": f"{above}/login",
        }
        return Answer(
            {"currentVersion": CURRENT_VERSION, "milepostVersion": __version__}, title="Milepost", links=links
        )

    async def info(self, call: Call) -> Answer:
        """Version, and how to sign in."""
        about = {
            "currentVersion": CURRENT_VERSION,
            "fullVersion": FULL_VERSION,
            **self._authentication(call),
        }
        return Answer(about, title="Server information")

    async def services(self, call: Call) -> Answer:
        """The services of a folder, and the folders."""
        here = call.part("folder")
        known = [each for each in self._manager.catalog.services.values() if each.type in self._types]
        folders = {each.folder for each in known if each.folder}
        folders |= {*await asyncio.to_thread(self._features.folders)}
        who = call.person
        if here and here not in folders:
            raise not_found(f"Folder {here[:60]}")
        found = sorted((each for each in known if each.folder == here), key=lambda each: each.name)
        root = call.path.rpartition("/")[0] if here else call.path
        links = {} if here else {f"{name}/": f"{root}/{name}" for name in sorted(folders)}
        services = [
            {"name": each.name.rpartition(".")[0], "type": each.type, "description": each.description}
            for each in found
        ]
        for name, about in await asyncio.to_thread(self._features.described, here):
            if who.role is Role.ADMINISTRATOR or about.may_read(who.username):
                services.append({"name": name, "type": "FeatureServer", "description": about.description})
        for service in services:
            links[f"{service['name']}.{service['type']}"] = f"{root}/{service['name']}/{service['type']}"
        return Answer(
            {
                "currentVersion": CURRENT_VERSION,
                "folders": [] if here else sorted(folders),
                "services": services,
            },
            title=here or "Services",
            crumbs=[("Services", root)] if here else [],
            links=links,
        )

    async def jobs(self, call: Call) -> Answer:
        """Jobs of all services, newest first: one's own, or everybody's for administrators."""
        given = call.parameters
        owner = given.get("owner")
        if call.person.role is not Role.ADMINISTRATOR:
            owner = call.person.username
        start = given.number("start", 1, least=1, most=10_000_000)
        limit = given.number("num", 25, least=1, most=PAGE_LIMIT)
        page = await self._manager.find(
            JobFilter(
                statuses=frozenset(_status(text) for text in given.all("status")),
                owner=owner,
                service=given.get("service"),
                operation=given.get("operation"),
                submitted_from=_time(given, "from"),
                submitted_to=_time(given, "to"),
            ),
            Page(limit=limit, offset=start - 1),
        )
        listed = [self._listed(call, job) for job in page.jobs]
        links = {}
        if page.more:
            kept = [(name, text) for name in _FILTERS for text in given.all(name)]
            links["Older"] = f"{call.path}?{urlencode([*kept, ('start', start + limit), ('num', limit)])}"
        return Answer(
            {"jobs": listed, "start": start, "num": limit, "more": page.more}, title="Jobs", links=links
        )

    def _listed(self, call: Call, job: Job) -> dict[str, Any]:
        kind = job.service.rpartition(".")[2]
        listed = {
            "jobId": plain(job.id),
            "jobStatus": job.status.name.lower(),
            "service": job.service,
            "operation": job.operation,
            "owner": job.owner,
            "submitted": job.submitted_at,
            "started": job.started_at or None,
            "ended": job.ended_at or None,
            "progress": job.fraction,
            "attempt": job.attempt,
            "error": job.error or None,
        }
        if kind in self._job_paths:
            listed["url"] = f"{call.base}{self._job_paths[kind](job)}"
        return listed


def _status(text: str) -> Status:
    name = text.strip().upper().removeprefix("ESRIJOB").replace("TIMEDOUT", "TIMED_OUT")
    if name in Status.__members__:
        return Status[name]
    known = ", ".join(each.name.lower() for each in Status)
    raise wrong("status", f"{text[:40]!r} is no status; use one of {known}")


def _time(given: Parameters, name: str) -> int | None:
    """Milliseconds since 1970 UTC, None when not given."""
    return given.number(name, 0, least=0, most=2**53) if given.get(name) else None
