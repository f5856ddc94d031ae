"""The URLs of the Enterprise Administrator's jobs: the jobs of every dialect in one list."""

from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec
from starlette.routing import BaseRoute

from milepost.http import Answer, Call, Form, Resources
from milepost.jobs import Job, JobFilter, Page, Status
from milepost.manager import JobManager
from milepost.servers.administering import (
    Flavour,
    cancel,
    error_object,
    find_job,
    require_post,
)
from milepost.servers.enterprise import wire
from milepost.servers.enterprise.backups import Backups
from milepost.servers.enterprise.fixed import Fixed
from milepost.servers.enterprise.health import Health
from milepost.servers.enterprise.operations.services import SERVICES
from milepost.servers.enterprise.registries import Registries
from milepost.servers.enterprise.registry.edits import RegistryEdits
from milepost.servers.enterprise.service_changes import ServiceChanges
from milepost.servers.enterprise.services import Services
from milepost.servers.enterprise.starting import SYNCHRONOUS
from milepost.servers.enterprise.system import System
from milepost.servers.results import result_value

VERSION: Final = "11.4.0"
"""Release of the administrator API that these answers follow. Clients split the text at its dots."""

LISTED: Final = 10_000
"""Jobs in the list, the newest: the document knows no pages of it."""

_RESOURCES: Final = ("jobs", "services", "system", "healthCheck")
_CHUNK: Final = 1000
_LINKS: Final = 50


class Enterprise:
    """The Enterprise Administrator dialect over the jobs of one manager."""

    def __init__(
        self,
        manager: JobManager,
        resources: Resources,
        flavour: Flavour,
        data: Path,
        certificate: Path | None,
        registry: RegistryEdits,
    ):
        """With what all dialects share.

        Args:
            manager: of the jobs.
            resources: makes the resources.
            flavour: of the services' part of the admin API.
            data: the data folder of the site.
            certificate: the file of the certificate that the server shows; None without TLS.
            registry: edits the container registry.
        """
        self._manager = manager
        self._resources = resources.with_errors(error_object)
        self._services = Services(manager, resources, flavour, ServiceChanges(manager, data))
        self._fixed = Fixed(manager, resources, flavour)
        self._system = System(resources)
        self._backups = Backups(manager, resources, data)
        self._health = Health(manager, resources, certificate)
        self._registries = Registries(resources, registry)

    def routes(self) -> list[BaseRoute]:
        """The routes, below the context."""
        at = self._resources.at
        return [
            *at("/admin", self.root, document="Administrator directory"),
            *at("/admin/jobs", self.jobs, document="Jobs"),
            *at("/admin/jobs/{job}", self.job, document="Job"),
            *at("/admin/jobs/{job}/cancel", self.cancel, acts=True),
            *self._fixed.routes(),
            *self._services.routes(),
            *self._system.routes(),
            *self._backups.routes(),
            *self._health.routes(),
            *self._registries.routes(),
        ]

    async def root(self, call: Call) -> Answer:
        """Version, and what is administered."""
        return Answer(
            {"currentVersion": VERSION, "fullVersion": VERSION, "resources": list(_RESOURCES)},
            title="Administration",
            links={name: f"{call.path}/{name}" for name in _RESOURCES},
        )

    async def jobs(self, call: Call) -> Answer:
        """The jobs of everybody, newest first."""
        # By id: a job that comes in while pages are read pushes others to the next one.
        found: dict[str, Job] = {}
        for offset in range(0, LISTED, _CHUNK):
            page = await self._manager.find(JobFilter(), Page(limit=_CHUNK, offset=offset))
            found.update((each.id, each) for each in page.jobs if SYNCHRONOUS not in each.attributes)
            if not page.more:
                break
        newest = islice(found.values(), _LINKS)
        return Answer(
            wire.jobs(found.values()),
            title="Jobs",
            crumbs=[("Administration", call.path.removesuffix("/jobs"))],
            links={wire.job_id(each): f"{call.path}/{wire.job_id(each)}" for each in newest},
        )

    async def job(self, call: Call) -> Answer:
        """One job, whichever dialect took it in."""
        job = await find_job(self._manager, call.part("job"))
        results = await self._results(call, job) if job.status is Status.SUCCEEDED else {}
        return Answer(
            wire.job(job, results=results, defaults=_defaults(call, job)),
            title=f"Job {wire.job_id(job)}",
            crumbs=_above_job(call),
            forms=[] if job.status.ended else [Form(action=f"{call.path}/cancel", title="Cancel")],
        )

    async def cancel(self, call: Call) -> Answer:
        """Ask for the end of a job: an addition of this server."""
        job = await find_job(self._manager, call.part("job"))
        if form := require_post(call, "Cancel"):
            return form
        await cancel(self._manager, job, call.person.username, code=400)
        return Answer({"status": "success"}, title="Cancel", crumbs=_above_job(call))

    async def _results(self, call: Call, job: Job) -> dict[str, Any]:
        """The values of the results by name, without those that were removed meanwhile."""
        values: dict[str, Any] = {}
        for name in job.results:
            with suppress(LookupError):
                value = await result_value(self._manager, call, job, name)
                # Operations return texts, and this one returns a service.
                is_service = (job.service, name) == (SERVICES.name, "service")
                values[name] = msgspec.Raw(msgspec.json.decode(value, type=str)) if is_service else value
        return values


def _above_job(call: Call) -> list[tuple[str, str]]:
    root = f"{call.home}/admin"
    return [("Administration", root), ("Jobs", f"{root}/jobs")]


def _defaults(call: Call, job: Job) -> dict[str, str]:
    """What this dialect tells of a job that another one took in."""
    service, _, kind = job.service.rpartition(".")
    path = f"{call.home}/rest/services/{service}/{kind}/{job.operation}"
    first, *words = job.operation.split("_")
    return {
        "operationURI": f"{path}/submitJob" if kind == "GPServer" else path,
        "name": first + "".join(each[:1].upper() + each[1:] for each in words),
        "resource": f"{service.rpartition('/')[2]}.{kind}",
    }
