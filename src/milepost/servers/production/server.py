"""The URLs of a Topographic Production Server's jobs."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

from starlette.routing import BaseRoute

from milepost.features import FeatureServices
from milepost.http import Answer, Call, Endpoint, Resources, ServiceError, not_found
from milepost.jobs import IllegalMove, Job, JobPage
from milepost.manager import JobManager
from milepost.servers.crumbs import above_service
from milepost.servers.jobs_of_type import PAGING, JobsOfType, following, page_of, sees_all
from milepost.servers.production import pages, query, wire
from milepost.servers.production.catalog import ProductResources
from milepost.servers.production.extent import Extents
from milepost.servers.production.finding import MAKER, TYPE, Finder
from milepost.servers.production.generating import Generating
from milepost.servers.production.products import Products
from milepost.servers.production.sources import SAMPLE, Sources, problems

VERSION: Final = 11.5
"""Release of the Topographic Production Server that these answers follow."""

_SHOWN_INPUTS: Final = ("aoiLayer", "aoiFeatureId", "productName", "productVersion", "outputType")
"""The inputs that the job resource tells."""

Act = Callable[[Call, Job], Awaitable[tuple[bool, str]]]
"""Does something with a job: whether it worked, and a message that says so."""


def job_path(job: Job) -> str:
    """Where a job is, below the context."""
    service = job.service.removesuffix(f".{TYPE}")
    return f"/rest/services/{service}/{TYPE}/jobs/job/{wire.job_id(job)}"


class Production:
    """The production dialect over the jobs of one manager."""

    def __init__(
        self,
        products: Products,
        features: FeatureServices,
        sources: Sources,
        manager: JobManager,
        resources: Resources,
    ):
        """The resources of Topographic Production Servers.

        Args:
            products: of the site.
            features: the feature services with areas.
            sources: what sheets are made from.
            manager: of the jobs.
            resources: what all dialects share.
        """
        self._manager = manager
        self._jobs = JobsOfType(manager, TYPE)
        self._sources = sources
        self._resources = resources
        self._finder = Finder(manager, products)
        self._products = ProductResources(products, self._finder, resources)
        self._generating = Generating(manager, features, self._finder, resources)
        self._extents = Extents(features, self._finder, resources)

    def routes(self) -> list[BaseRoute]:
        """The routes, below the context."""
        at = self._resources.at
        service = "/rest/services/[{folder}/]{service}/" + TYPE
        base = service + "/jobs"
        filters = (*query.FILTERS, *PAGING)
        acts: list[tuple[str, Endpoint]] = [
            ("cancel", self.cancel),
            ("delete", self.delete),
            ("pause", self.pause),
            ("resume", self.resume),
        ]
        return [
            *at(service, self.service, document="Topographic production service"),
            *self._products.routes(service),
            *self._generating.routes(service),
            *self._extents.routes(service),
            # The documents' own examples query the list itself.
            *at(base, self.query, parameters=filters, document="Production jobs"),
            *at(base + "/query", self.query, parameters=filters, document="Query production jobs"),
            *at(base + "/job", self.job, parameters=("jobId", "msgLevel"), document="Production job"),
            *at(base + "/job/{job}", self.job, parameters=("msgLevel",), document="Production job"),
            *(
                route
                for name, function in acts
                for route in at(
                    f"{base}/{name}",
                    function,
                    acts=True,
                    parameters=("jobId",),
                    document=f"{name.capitalize()} production jobs",
                )
            ),
        ]

    async def service(self, call: Call) -> Answer:
        """The service: what it is, and its resources."""
        about = self._finder.service(call)
        said: dict[str, Any] = {
            "currentVersion": VERSION,
            "serviceName": about.name.rpartition(".")[0],
            "serviceDescription": about.description,
            "resources": ["jobs"],
        }
        links = {"Jobs": f"{call.path}/jobs"}
        wrong: list[str] = []
        if about.name == MAKER:
            wrong = await asyncio.to_thread(problems, self._sources)
            said["resources"] = ["jobs", "products"]
            said["sources"] = [each.credit for each in self._sources.credits()] or [SAMPLE]
            said["problems"] = wrong
            links["Products"] = f"{call.path}/products"
        return Answer(
            said,
            title=f"{about.title} ({TYPE})",
            crumbs=above_service(call, about.name),
            links=links,
            notice="; ".join(wrong),
        )

    # -- reading -----------------------------------------------------------------------------

    async def query(self, call: Call) -> Answer:
        """The jobs that match, oldest first as in the documents."""
        service = self._finder.service(call)
        wanted = query.job_filter(call, service.name)
        level = query.message_level(call)
        page = JobPage(jobs=(), more=False)
        if wanted and (wanted.owner in ("", call.person.username) or sees_all(call)):
            page = await self._jobs.page(call, wanted, oldest_first=True)
        records = []
        for job in page.jobs:
            with suppress(LookupError):  # it was deleted meanwhile
                records.append(await self._record(call, job, level))
        path = pages.jobs_path(call, service)
        links = {str(each["jobId"]): f"{path}/job/{each['jobId']}" for each in records}
        after = None
        if page.more:
            links["Newer"] = following(call, query.FILTERS)
            after = sum(page_of(call))
        return Answer(
            wire.query(records, after),
            title="Jobs",
            crumbs=pages.above_jobs(call, service),
            links=links,
            forms=[pages.query_form(path)],
        )

    async def job(self, call: Call) -> Answer:
        """The state of a job, named in the path or by ``jobId``."""
        service = self._finder.service(call)
        spelled = call.part("job") or call.parameters.get("jobId")
        if not spelled:
            raise ServiceError(400, "Parameter 'jobId' is missing: send the id of a job")
        level = query.message_level(call)
        job = await self._jobs.get(call, spelled, service=service.name)
        try:
            record = await self._record(call, job, level)
        except LookupError:
            raise not_found(f"Job {spelled[:60]}") from None
        return Answer(
            record,
            title=wire.job_id(job),
            crumbs=pages.below_jobs(call, service),
            forms=pages.job_forms(pages.jobs_path(call, service), job),
        )

    # -- changing ----------------------------------------------------------------------------

    async def cancel(self, call: Call) -> Answer:
        """Ask for the end of jobs."""
        items = await self._each(call, self._cancel)
        answer = {"count": len(items), "name": "canceled", "items": items, "success": _all(items)}
        return self._done(call, answer, "Cancel")

    async def delete(self, call: Call) -> Answer:
        """Remove jobs that have ended."""
        results = await self._each(call, self._delete)
        answer = {"count": len(results), "results": results, "success": _all(results)}
        return self._done(call, answer, "Delete")

    async def pause(self, call: Call) -> Answer:
        """Have jobs hold still; they give their slots to others."""
        items = await self._each(call, self._pause)
        return self._done(call, {"count": len(items), "items": items, "success": _all(items)}, "Pause")

    async def resume(self, call: Call) -> Answer:
        """Have paused jobs go on, as soon as their service has slots for them."""
        items = await self._each(call, self._resume)
        return self._done(call, {"count": len(items), "items": items, "success": _all(items)}, "Resume")

    async def _cancel(self, call: Call, job: Job) -> tuple[bool, str]:
        if await self._jobs.cancel(job, call.person.username) is None:
            return False, "The job has ended and cannot be canceled"
        return True, "Job canceled"

    async def _delete(self, call: Call, job: Job) -> tuple[bool, str]:
        try:
            await self._manager.delete(job.id, call.person.username)
        except IllegalMove:
            if job.status.ended:
                return False, "The job is being deleted already"
            return False, "The job has not ended; cancel it first"
        return True, "Job deleted"

    async def _pause(self, call: Call, job: Job) -> tuple[bool, str]:
        try:
            await self._manager.pause(job.id, call.person.username)
        except IllegalMove:
            return False, wire.why_not_paused(await self._manager.get(job.id))
        return True, "The job is being paused"

    async def _resume(self, call: Call, job: Job) -> tuple[bool, str]:
        try:
            await self._manager.resume(job.id, call.person.username)
        except IllegalMove:
            return False, wire.why_not_resumed(await self._manager.get(job.id))
        return True, "The job is being resumed"

    async def _each(self, call: Call, act: Act) -> list[dict[str, Any]]:
        """Do something with each job that the call names; one that fails keeps no other from it."""
        service = self._finder.service(call)
        items = []
        for spelled in query.job_ids(call):
            try:
                job = await self._jobs.get(call, spelled, service=service.name)
            except ServiceError as error:
                items.append(
                    {"id": spelled[:60], "success": False, "message": (error.details or [error.message])[0]}
                )
                continue
            worked, message = await act(call, job)
            items.append({"id": wire.job_id(job), "success": worked, "message": message})
        return items

    def _done(self, call: Call, answer: dict[str, Any], title: str) -> Answer:
        return Answer(answer, title=title, crumbs=pages.below_jobs(call, self._finder.service(call)))

    async def _record(self, call: Call, job: Job, level: wire.MessageLevel) -> dict[str, Any]:
        inputs = await self._jobs.inputs(job, _SHOWN_INPUTS)
        product = await self._jobs.product_url(call, job)
        return wire.job(job, inputs=inputs, output_url=product, level=level)


def _all(items: list[dict[str, Any]]) -> bool:
    return all(each["success"] for each in items)
