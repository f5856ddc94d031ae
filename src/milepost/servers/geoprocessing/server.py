"""The URLs of geoprocessing services, and what stands behind each."""

import asyncio
import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import msgspec
from starlette.datastructures import UploadFile
from starlette.responses import FileResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from milepost.http import (
    Answer,
    Call,
    ClientGone,
    Endpoint,
    Resources,
    ServiceError,
    Shortcut,
    not_found,
    plain,
    read_job_id,
    save_upload,
)
from milepost.jobs import IllegalMove, Job, Kept, Status
from milepost.manager import JobManager, UnknownJob
from milepost.operations import InputError, Parameter
from milepost.servers.geoprocessing import pages, wire
from milepost.servers.geoprocessing.access import find_job, find_service, find_task, may_see
from milepost.servers.geoprocessing.environment import environment_of
from milepost.servers.geoprocessing.poll import JobPoll

METHODS: Final = ["GET", "POST"]

EXECUTE_LIMIT: Final = 3600.0
"""Seconds that a synchronous request may last."""

MAX_UPLOAD: Final = 2 * 2**30
"""Bytes an uploaded file may have."""

_DONE: Final = "Invalid or missing input parameters"
"""What the documents say to a cancel that comes too late."""


class Geoprocessing:
    """The geoprocessing dialect over the jobs of one manager."""

    def __init__(self, manager: JobManager, resources: Resources):
        """With what all dialects share."""
        self._manager = manager
        self._resources = resources

    def in_front(self, base_path: str, server: ASGIApp) -> ASGIApp:
        """``server`` with what is asked for most, polls and submissions, taken in front of it."""
        task = (
            re.escape(base_path)
            + "/rest/services/(?:(?P<folder>[^/]+)/)?(?P<service>[^/]+)/GPServer/(?P<task>[^/]+)"
        )
        submit = self._resources.endpoint(self.submit, acts=True)
        return JobPoll(
            self._manager, self._resources.gate, task, Shortcut(f"{task}/submitJob", submit, server)
        )

    def routes(self) -> list[BaseRoute]:
        """The routes, below the context."""
        make = self._resources.endpoint

        def act(function: Endpoint, max_file: int = 0) -> ASGIApp:
            return make(function, acts=True, max_file=max_file)

        routes: list[BaseRoute] = []
        for base in ("/rest/services/{folder}/{service}/GPServer", "/rest/services/{service}/GPServer"):
            one = base + "/{task}/jobs/{job}"
            routes += [
                Route(one, make(self.job), methods=METHODS),
                Route(one + "/cancel", act(self.cancel), methods=METHODS),
                Route(one + "/results", make(self.results), methods=METHODS),
                Route(one + "/results/{name}", make(self.result), methods=METHODS),
                Route(one + "/inputs", make(self.inputs), methods=METHODS),
                Route(one + "/inputs/{name}", make(self.input), methods=METHODS),
                Route(one + "/log", make(self.log), methods=METHODS),
                Route(base + "/uploads/upload", act(self.upload, MAX_UPLOAD), methods=METHODS),
                Route(base + "/uploads/{upload}", make(self.upload_item), methods=METHODS),
                Route(base + "/uploads/{upload}/delete", act(self.delete_upload), methods=METHODS),
                Route(base + "/{task}/submitJob", act(self.submit), methods=METHODS),
                Route(base + "/{task}/execute", act(self.execute), methods=METHODS),
                Route(base + "/{task}", make(self.task), methods=METHODS),
                Route(base, make(self.service), methods=METHODS),
            ]
        routes.append(
            Route("/rest/directories/jobs/{job}/{file}", make(self.result_file), methods=["GET", "POST"])
        )
        return routes

    # -- services and tasks ------------------------------------------------------------------

    async def service(self, call: Call) -> Answer:
        """The service: its tasks."""
        about = find_service(self._manager, call)
        tasks = self._manager.catalog.of(about.name)
        return Answer(
            wire.service(about, tasks),
            title=f"{about.title} ({about.type})",
            crumbs=pages.above_service(call, about),
            links={each.name: f"{call.path}/{each.name}" for each in tasks},
        )

    async def task(self, call: Call) -> Answer:
        """The task: its parameters."""
        operation = find_task(self._manager, call)
        return Answer(
            wire.task(operation),
            title=operation.name,
            crumbs=pages.above_task(call, operation),
            forms=[pages.submit_form(call.path, operation)],
        )

    # -- submitting --------------------------------------------------------------------------

    async def submit(self, call: Call) -> Answer | Response:
        """Accept a job."""
        job, _ = await self._submit(call)
        if call.parameters.get("f", "html") == "html":
            return RedirectResponse(f"{call.path.rpartition('/')[0]}/jobs/{plain(job.id)}", 303)
        return Answer(wire.submitted(job))

    async def execute(self, call: Call) -> Answer:
        """Run a job and answer with its results; cancelled when the client hangs up."""
        job, is_new = await self._submit(call)
        job = await self._finished(call, job, ours=is_new)
        operation = find_task(self._manager, call)
        if job.status is not Status.SUCCEEDED:
            raise ServiceError(
                400,
                f"Error executing tool {operation.name}: {job.error or wire.STATUS[job.status]}",
                [each.text for each in job.messages],
            )
        results = [await self._value(call, job, each, job.results) for each in operation.outputs]
        return Answer(
            {"results": results, "messages": wire.messages(job)},
            title="Execute",
            crumbs=pages.above_job(call, operation),
        )

    async def _finished(self, call: Call, job: Job, *, ours: bool) -> Job:
        """The job once it has ended, as long as the client waits for it.

        Args:
            call: whose client waits.
            job: as it was submitted.
            ours: whether this call submitted it; with an idempotency key another one may have.

        Raises:
            ClientGone: it does not any more.
            ServiceError: the job takes too long.
        """
        finished = asyncio.ensure_future(self._manager.finished(job.id))
        hung_up = asyncio.ensure_future(call.hung_up())
        try:
            await asyncio.wait(
                {finished, hung_up}, timeout=EXECUTE_LIMIT, return_when=asyncio.FIRST_COMPLETED
            )
            if finished.done():
                return finished.result()
            if hung_up.done():
                raise ClientGone
            raise ServiceError(400, "The execution took too long; submit it as a job with submitJob")
        finally:
            hung_up.cancel()
            # Nobody can ask for the job any more: a synchronous answer has no id.
            if not finished.done() and ours:
                await self._cancel_quietly(job.id, call)
            finished.cancel()

    async def _submit(self, call: Call) -> tuple[Job, bool]:
        """The job, and whether it is a new one."""
        operation = find_task(self._manager, call)
        values: dict[str, Any] = call.parameters.as_dict()
        attributes = environment_of(call.parameters, operation)
        uploads: list[str] = []
        submission = None
        try:
            for parameter in operation.inputs:
                sent = call.parameters.files(parameter.name)
                if sent and parameter.kind not in ("raster", "file"):
                    # A form with a file whose content is the value, such as a feature set.
                    values[parameter.name] = _text_of(await sent[-1].read(), parameter)
                elif sent:
                    kept = [await self._save(call, each) for each in sent]
                    uploads += kept
                    files = [{"itemID": upload_id} for upload_id in kept]
                    values[parameter.name] = files if parameter.multiple else files[-1]
            submission = await self._manager.submit(
                operation,
                values,
                owner=call.person.username,
                size=call.size,
                key=_key_of(call),
                request=call.request_id,
                attributes=attributes,
            )
        finally:
            if submission is None or not submission.created:
                for upload_id in uploads:
                    self._manager.remove_upload(upload_id)
        return submission.job, submission.created

    async def _cancel_quietly(self, job_id: str, call: Call) -> None:
        try:
            await self._manager.cancel(job_id, call.person.username)
        except IllegalMove:
            return

    # -- jobs --------------------------------------------------------------------------------

    async def job(self, call: Call) -> Answer:
        """The state of a job."""
        job, operation = await find_job(self._manager, call)
        with_messages = call.parameters.flag("returnMessages", True)
        with_stages = call.parameters.flag("milepost:stages", False)
        return Answer(
            wire.job(job, operation, with_messages=with_messages, with_stages=with_stages),
            title=f"Job {plain(job.id)}",
            crumbs=pages.above_job(call, operation),
            links=pages.job_links(call.path, job),
            forms=[] if job.status.ended else [pages.cancel_form(call.path)],
        )

    async def cancel(self, call: Call) -> Answer:
        """Ask for the end of a job."""
        job, operation = await find_job(self._manager, call)
        try:
            job = await self._manager.cancel(job.id, call.person.username)
        except IllegalMove:
            job = await self._manager.get(job.id)
            if job.status is not Status.CANCELLING:
                raise ServiceError(
                    400, _DONE, [f"The job has ended ({wire.STATUS[job.status]}) and cannot be cancelled"]
                ) from None
        return Answer(
            {"jobId": plain(job.id), "jobStatus": "esriJobCancelling"},
            title="Cancel",
            crumbs=pages.below_job(call, operation),
        )

    async def results(self, call: Call) -> Answer:
        """All results."""
        job, operation = await find_job(self._manager, call)
        if job.status is not Status.SUCCEEDED:
            raise ServiceError(
                400, "The results are not available", [f"The job is {wire.STATUS[job.status]}"]
            )
        values = [
            await self._value(call, job, each, job.results)
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
            await self._value(call, job, about, job.results),
            title=about.name,
            crumbs=pages.below_job(call, operation),
        )

    async def inputs(self, call: Call) -> Answer:
        """All inputs, with the values they had."""
        job, operation = await find_job(self._manager, call)
        values = [await self._value(call, job, each, job.inputs) for each in operation.inputs]
        return Answer(values, title="Inputs", crumbs=pages.below_job(call, operation))

    async def input(self, call: Call) -> Answer:
        """One input."""
        job, operation = await find_job(self._manager, call)
        about = _named(operation.inputs, call.part("name"))
        if about is None:
            raise not_found(f"Input {call.part('name')[:60]}")
        return Answer(
            await self._value(call, job, about, job.inputs),
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
        if job is None or path is None or not may_see(call.person, job):
            raise not_found(f"File {call.part('file')[:120]}")
        return FileResponse(path, filename=path.name, headers=_FILE_HEADERS)

    async def _value(self, call: Call, job: Job, about: Parameter, values: dict[str, Kept]) -> dict[str, Any]:
        kept = values.get(about.name)
        if kept is None or (kept.value is None and not kept.payload):
            return wire.value(about, _nothing(about))
        if about.kind in ("raster", "file") and values is job.results:
            plain_value = await self._manager.value(job, kept)
            return wire.value(about, self._with_urls(call, job, about, plain_value))
        try:
            return wire.value(about, msgspec.Raw(await self._manager.encoded(job, kept)))
        except LookupError:
            raise not_found(f"The value of {about.name}") from None

    def _with_urls(self, call: Call, job: Job, about: Parameter, value: Any) -> Any:
        if isinstance(value, list):
            return [self._with_urls(call, job, about, each) for each in value]
        if not isinstance(value, dict) or "file" not in value:
            return value
        url = f"{call.base}/rest/directories/jobs/{plain(job.id)}/{quote(value['file'])}"
        return wire.file_value(about, value, url)

    # -- uploads -----------------------------------------------------------------------------

    async def upload(self, call: Call) -> Answer:
        """Take a file for later jobs."""
        about = find_service(self._manager, call)
        sent = call.parameters.files("file")
        if not sent:
            raise ServiceError(400, "Parameter 'file': send the file as multipart/form-data")
        upload_id = await self._save(call, sent[-1], call.parameters.get("description")[:1000])
        return Answer(
            {"success": True, "item": self._item(call, upload_id)},
            title="Upload",
            crumbs=pages.above_service(call, about),
        )

    async def upload_item(self, call: Call) -> Answer:
        """What is known about an upload."""
        about = find_service(self._manager, call)
        return Answer(
            self._item(call, call.part("upload")), title="Upload", crumbs=pages.above_service(call, about)
        )

    async def delete_upload(self, call: Call) -> Answer:
        """Remove an upload."""
        item = self._item(call, call.part("upload"))
        self._manager.remove_upload(item["itemID"])
        return Answer({"success": True}, title="Delete")

    def _item(self, call: Call, upload_id: str) -> dict[str, Any]:
        found = self._manager.upload(upload_id)
        if found is None or found.owner != call.person.username:
            raise not_found(f"Upload {upload_id[:60]}")
        return {
            "itemID": found.id,
            "itemName": found.name,
            "description": found.description,
            "date": found.uploaded_at,
            "size": found.size,
            "committed": True,
        }

    async def _save(self, call: Call, sent: UploadFile, description: str = "") -> str:
        upload_id, path = self._manager.start_upload(sent.filename or "")
        try:
            await save_upload(sent, path)
            self._manager.finish_upload(upload_id, path, owner=call.person.username, description=description)
        except BaseException:
            self._manager.remove_upload(upload_id)
            raise
        return upload_id


_FILE_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-cache",
    # What an operation wrote must not act as a page of this server.
    "Content-Security-Policy": "default-src 'none'; sandbox",
}


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


def _text_of(content: bytes, parameter: Parameter) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError([f"Parameter '{parameter.name}': the file sent for it is not UTF-8 text"]) from None


def _key_of(call: Call) -> str:
    """The idempotency key, from the header or the parameter of this server."""
    for name, value in call.scope["headers"]:
        if name == b"idempotency-key":
            return str(value.decode("latin-1").strip()[:200])
    return call.parameters.get("milepost:key")[:200]
