"""The URLs of geoprocessing services, and what stands behind each."""

import asyncio
import re
from typing import Any, Final

from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from milepost.http import Answer, Call, ClientGone, Resources, ServiceError, Shortcut, plain
from milepost.jobs import IllegalMove, Job, Status
from milepost.manager import JobManager
from milepost.operations import InputError, Parameter
from milepost.servers.crumbs import above_service
from milepost.servers.geoprocessing import pages, wire
from milepost.servers.geoprocessing.access import TYPE, belongs, find_job, find_service, find_task
from milepost.servers.geoprocessing.environment import environment_of
from milepost.servers.geoprocessing.poll import JobPoll
from milepost.servers.geoprocessing.results import Results
from milepost.servers.geoprocessing.uploads import Uploads

EXECUTE_LIMIT: Final = 3600.0
"""Seconds that a synchronous request may last."""

_SERVICE: Final = "/rest/services/[{folder}/]{service}/GPServer"
_TASK: Final = _SERVICE + "/{task}"
_SUBMIT: Final = _TASK + "/submitJob"

SUBMIT_PARAMETERS: Final = ("(inputs of the task)", "context", "env:outSR", "env:processSR", "milepost:key")

_LONGEST_KEY: Final = 200

_DONE: Final = "Invalid or missing input parameters"
"""What the documents say to a cancel that comes too late."""


def job_path(job: Job) -> str:
    """Where a job is, below the context."""
    service = job.service.removesuffix(f".{TYPE}")
    return f"/rest/services/{service}/{TYPE}/{job.operation}/jobs/{plain(job.id)}"


class Geoprocessing:
    """The geoprocessing dialect over the jobs of one manager."""

    def __init__(self, manager: JobManager, resources: Resources):
        """With what all dialects share."""
        self._manager = manager
        self._resources = resources
        self._results = Results(manager, resources)
        self._uploads = Uploads(manager, resources)

    def in_front(self, base_path: str, server: ASGIApp) -> ASGIApp:
        """``server`` with what is asked for most, polls and submissions, taken in front of it."""
        task = (
            re.escape(base_path)
            + "/rest/services/(?:(?P<folder>[^/]+)/)?(?P<service>[^/]+)/GPServer/(?P<task>[^/]+)"
        )
        submit = self._resources.endpoint(_SUBMIT, self.submit, acts=True)
        return JobPoll(
            self._manager, self._resources.gate, task, Shortcut(f"{task}/submitJob", submit, server)
        )

    def routes(self) -> list[BaseRoute]:
        """The routes, below the context."""
        at = self._resources.at
        # Last those without a task, so that "jobs" may be the name of one.
        jobs = [*self._job_routes(f"{_TASK}/jobs/{{job}}"), *self._job_routes(f"{_SERVICE}/jobs/{{job}}")]
        return [
            *self._uploads.routes(_SERVICE),
            *at(_SUBMIT, self.submit, acts=True, parameters=SUBMIT_PARAMETERS, document="Submit GP job"),
            *at(
                f"{_TASK}/execute",
                self.execute,
                acts=True,
                parameters=SUBMIT_PARAMETERS,
                document="Execute GP task",
            ),
            *at(_TASK, self.task, document="GP task"),
            *at(_SERVICE, self.service, document="GP service"),
            *jobs,
            *self._results.file_routes(),
        ]

    def _job_routes(self, one: str) -> list[BaseRoute]:
        at = self._resources.at
        return [
            *at(one, self.job, parameters=("returnMessages", "milepost:stages"), document="GP job"),
            *at(f"{one}/cancel", self.cancel, acts=True, document="Cancel GP job"),
            *self._results.routes(one),
        ]

    # -- services and tasks ------------------------------------------------------------------

    async def service(self, call: Call) -> Answer:
        """The service: its tasks."""
        about = find_service(self._manager, call)
        tasks = self._manager.catalog.of(about.name)
        return Answer(
            wire.service(about, tasks),
            title=f"{about.title} ({about.type})",
            crumbs=above_service(call, about.name),
            links={each.name: f"{call.path}/{each.name}" for each in tasks},
            forms=[pages.upload_form(call.path)],
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
        results = [await self._results.value(call, job, each, job.results) for each in operation.outputs]
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
                    kept = [await self._uploads.save(call, each) for each in sent]
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
        if not belongs(submission.job, operation):
            raise ServiceError(400, "The idempotency key was used before, for a job of another task")
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


def _text_of(content: bytes, parameter: Parameter) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError([f"Parameter '{parameter.name}': the file sent for it is not UTF-8 text"]) from None


def _key_of(call: Call) -> str:
    """The idempotency key, from the header or the parameter of this server."""
    key = call.parameters.get("milepost:key")
    for name, value in call.scope["headers"]:
        if name == b"idempotency-key":
            key = value.decode("latin-1").strip()
    if len(key) > _LONGEST_KEY:
        raise ServiceError(400, f"The idempotency key is longer than {_LONGEST_KEY} characters")
    return key
