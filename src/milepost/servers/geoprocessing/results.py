"""What went into a job and what came out of it: values, files and the log."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, Final

import msgspec
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import BaseRoute

from milepost.http import Answer, Call, Resources, ServiceError, not_found, read_job_id
from milepost.jobs import Job, Kept, Status
from milepost.manager import JobManager, UnknownJob
from milepost.operations import Parameter
from milepost.servers.geoprocessing import pages, wire
from milepost.servers.geoprocessing.access import find_job, may_see
from milepost.servers.results import file_url

_FILE_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-cache",
    # What an operation wrote must not act as a page of this server.
    "Content-Security-Policy": "default-src 'none'; sandbox",
}


class Results:
    """The resources below a job."""

    def __init__(self, manager: JobManager, resources: Resources):
        """With what all dialects share."""
        self._manager = manager
        self._resources = resources

    def routes(self, job: str) -> list[BaseRoute]:
        """The routes below the path of a job."""
        at = self._resources.at
        return [
            *at(job + "/results", self.results, document="GP results"),
            *at(job + "/results/{name}", self.result, parameters=("outSR",), document="GP result"),
            *at(job + "/inputs", self.inputs, document="GP inputs"),
            *at(job + "/inputs/{name}", self.input, document="GP input"),
            *at(job + "/log", self.log),
        ]

    def file_routes(self) -> list[BaseRoute]:
        """Where the files lie that came out of jobs."""
        return self._resources.at("/rest/directories/jobs/{job}/{file}", self.result_file)

    async def results(self, call: Call) -> Answer:
        """All results."""
        job, operation = await find_job(self._manager, call)
        if job.status is not Status.SUCCEEDED:
            raise ServiceError(
                400, "The results are not available", [f"The job is {wire.STATUS[job.status]}"]
            )
        values = [
            await self.value(call, job, each, job.results)
            for each in operation.outputs
            if each.name in job.results
        ]
        return Answer(values, title="Results", crumbs=pages.below_job(call, operation))

    async def result(self, call: Call) -> Answer:
        """One result."""
        job, operation = await find_job(self._manager, call)
        about = _named(operation.outputs, call.part("name"))
        if about is None:
            names = ", ".join(each.name for each in operation.outputs) or "none"
            raise ServiceError(
                404, f"Result {call.part('name')[:60]} not found", [f"The results of this task are: {names}"]
            )
        if about.name not in job.results:
            raise ServiceError(
                400, f"Result {about.name} is not available", [f"The job is {wire.STATUS[job.status]}"]
            )
        return Answer(
            await self.value(call, job, about, job.results),
            title=about.name,
            crumbs=pages.below_job(call, operation),
        )

    async def inputs(self, call: Call) -> Answer:
        """All inputs, with the values they had."""
        job, operation = await find_job(self._manager, call)
        values = [await self.value(call, job, each, job.inputs) for each in operation.inputs]
        return Answer(values, title="Inputs", crumbs=pages.below_job(call, operation))

    async def input(self, call: Call) -> Answer:
        """One input."""
        job, operation = await find_job(self._manager, call)
        about = _named(operation.inputs, call.part("name"))
        if about is None:
            raise not_found(f"Input {call.part('name')[:60]}")
        return Answer(
            await self.value(call, job, about, job.inputs),
            title=about.name,
            crumbs=pages.below_job(call, operation),
        )

    async def log(self, call: Call) -> Response:
        """What the operation printed: an addition of this server."""
        job, _ = await find_job(self._manager, call)
        path = self._manager.log_file(job.id)
        if path is None:
            return Response("", media_type="text/plain", headers=_FILE_HEADERS)
        # Of no announced length: it may grow while it is sent.
        return StreamingResponse(_lines(path), media_type="text/plain", headers=_FILE_HEADERS)

    async def result_file(self, call: Call) -> Response:
        """A file that came out of a job."""
        job_id = read_job_id(call.part("job"))
        try:
            job = await self._manager.get(job_id) if job_id else None
        except UnknownJob:
            job = None
        path = self._manager.result_file(job.id, call.part("file")) if job else None
        # Who may list the jobs of everybody, as publishers may, reads no more of what came out of them.
        if job is None or path is None or not may_see(call.person, job):
            raise not_found(f"File {call.part('file')[:120]}")
        return FileResponse(path, filename=path.name, headers=_FILE_HEADERS)

    async def value(self, call: Call, job: Job, about: Parameter, values: dict[str, Kept]) -> dict[str, Any]:
        """One of the inputs or results of a job, as clients get it.

        Raises:
            ServiceError: 404, it was removed.
        """
        kept = values.get(about.name)
        if kept is None or (kept.value is None and not kept.payload):
            return wire.value(about, _nothing(about))
        try:
            if about.kind in ("raster", "file") and values is job.results:
                files = await self._manager.value(job, kept)
                return wire.value(about, self._with_urls(call, job, about, files))
            return wire.value(about, msgspec.Raw(await self._manager.encoded(job, kept)))
        except LookupError:
            raise not_found(f"The value of {about.name}") from None

    def _with_urls(self, call: Call, job: Job, about: Parameter, value: Any) -> Any:
        if isinstance(value, list):
            return [self._with_urls(call, job, about, each) for each in value]
        if not isinstance(value, dict) or "file" not in value:
            return value
        return wire.file_value(about, value, file_url(call, job, value["file"]))


def _named(parameters: list[Parameter], name: str) -> Parameter | None:
    return next((each for each in parameters if each.name == name), None)


def _nothing(about: Parameter) -> Any:
    """The value of what is not there: clients take a null set or list for a fault."""
    if about.multiple:
        return []
    if about.kind == "features":
        return {"geometryType": "esriGeometryPoint", "spatialReference": {}, "fields": [], "features": []}
    return {"fields": [], "features": []} if about.kind == "records" else None


async def _lines(path: Path) -> AsyncGenerator[bytes, None]:
    with await asyncio.to_thread(path.open, "rb") as file:
        while chunk := await asyncio.to_thread(file.read, 1 << 18):
            yield chunk
