"""The one door to jobs: submit, get, find, watch, pause, resume, cancel, delete."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Sequence, Set
from pathlib import Path
from typing import Any, Final

import structlog

from milepost.engine import Engine
from milepost.jobs import IllegalMove, Job, JobFilter, JobPage, Kept, Page, Status
from milepost.jobs import events as ev
from milepost.operations import Catalog, InputError, Operation
from milepost.store import (
    FileStore,
    JobStore,
    Recorded,
    StoreError,
    Submission,
    UnknownJob,
    Upload,
    keep,
    no_upload,
    read,
    read_encoded,
    result_of_url,
    safe_name,
)

log = structlog.get_logger("milepost.jobs")

BIG_INPUT: Final = 256 * 1024
"""Bytes of inputs from which checking them leaves the event loop to others."""


class JobManager:
    """What servers may do with jobs. They see no store and no engine."""

    def __init__(self, store: JobStore, engine: Engine, catalog: Catalog, files: FileStore):
        """Over a store and the engine that runs its jobs."""
        self.catalog: Final = catalog
        self._store = store
        self._engine = engine
        self._files = files
        self._watchers: dict[str, set[asyncio.Event]] = {}
        store.listen(self._committed)

    # -- submitting --------------------------------------------------------------------------

    async def submit(
        self,
        operation: Operation[..., Any],
        values: dict[str, Any],
        *,
        owner: str,
        size: int = 0,
        priority: int | None = None,
        key: str = "",
        request: str = "",
        attributes: dict[str, Any] | None = None,
    ) -> Submission:
        """Accept a job; returns once it can no longer be lost.

        Args:
            operation: what to run.
            values: the inputs as a client sent them, as text or JSON; unknown names are ignored.
            owner: who submits.
            size: bytes of the inputs, as far as known.
            priority: instead of the operation's own.
            key: idempotency key: the same owner and key give the same job again.
            request: id of the HTTP request.
            attributes: what the dialect wants to find again.

        Raises:
            InputError: names every input that is missing or does not fit, or says that the service takes
                no jobs; there is no job.
            StoreError: it could not be made durable; there is no job.
        """
        if closed := self._engine.closed(operation.service.name):
            raise InputError([f"Service {operation.service.name} is {closed}"])
        if size > BIG_INPUT:
            checked, inputs, payloads = await asyncio.to_thread(_prepare, operation, values)
        else:
            checked, inputs, payloads = _prepare(operation, values)
        await self._check_files(operation, checked, owner)
        now = _now()
        service = operation.service.name
        history: list[ev.Event] = [
            ev.Submitted(
                at=now,
                owner=owner,
                service=service,
                operation=operation.name,
                inputs=inputs,
                priority=operation.priority if priority is None else priority,
                key=key,
                request=request,
                attributes=attributes or {},
            )
        ]
        if self._engine.waits(service):
            history.append(ev.Waiting(at=now, reason="all instances of the service are at work"))
        submission = await self._store.submit(uuid.uuid4().hex, *history, payloads=payloads)
        if submission.created:  # and the engine, which listens to the store, knows of it
            log.info(
                "submitted",
                job=submission.job.id,
                service=service,
                operation=operation.name,
                owner=owner,
                request=request,
            )
        return submission

    async def _check_files(self, operation: Operation[..., Any], checked: dict[str, Any], owner: str) -> None:
        problems = []
        for parameter in operation.inputs:
            if parameter.kind in ("raster", "file") and parameter.name in checked:
                value = checked[parameter.name]
                for reference in value if parameter.multiple else [value]:
                    try:
                        await self._check_file(reference, owner)
                    except ValueError as error:
                        problems.append(f"Parameter '{parameter.name}': {error}")
        if problems:
            raise InputError(problems)

    async def _check_file(self, reference: dict[str, Any], owner: str) -> None:
        """A client may name its own files only; that others exist is not told."""
        self._files.resolve(reference)
        if "itemID" in reference:
            upload = self._files.upload(reference["itemID"])
            if upload is None or upload.owner != owner:
                raise ValueError(no_upload(reference["itemID"]))
            return
        found = result_of_url(reference["url"])
        try:
            theirs = found is None or (await self._store.get(found[0])).owner != owner
        except UnknownJob:
            theirs = True
        if theirs:
            raise ValueError(f"{reference['url']!r} is no result file of a job of yours")

    # -- reading -----------------------------------------------------------------------------

    def seen(self, job_id: str) -> Job | None:
        """The job when it is at hand in memory; never stale."""
        return self._store.seen(job_id)

    async def get(self, job_id: str) -> Job:
        """The job.

        Raises:
            UnknownJob: there is no such job.
        """
        return await self._store.get(job_id)

    async def find(self, wanted: JobFilter, page: Page) -> JobPage:
        """One page of the jobs that match, newest first unless the page says otherwise."""
        return await self._store.find(wanted, page)

    async def count(self, wanted: JobFilter) -> int:
        """How many jobs match."""
        return await self._store.count(wanted)

    async def history(self, job_id: str, after: int = 0) -> Sequence[Recorded]:
        """The events of a job with a sequence above ``after``.

        Raises:
            UnknownJob: there is no such job.
        """
        return await self._store.history(job_id, after)

    async def value(self, job: Job, kept: Kept) -> Any:
        """The JSON value of an input or a result.

        Raises:
            LookupError: it was removed with its job.
        """
        return await read(self._store, job, kept)

    async def encoded(self, job: Job, kept: Kept) -> bytes:
        """The same as ``value``, as JSON text; a large one is not decoded for it."""
        return await read_encoded(self._store, job, kept)

    def result_file(self, job_id: str, name: str) -> Path | None:
        """A file that came out of a job, or None."""
        return self._files.result(job_id, name)

    def log_file(self, job_id: str) -> Path | None:
        """The log of a job, or None as long as nothing ran."""
        path = self._files.log(job_id)
        return path if path.is_file() else None

    async def watch(self, job_id: str) -> AsyncIterator[Job]:
        """The job now and after each change, until it has ended. Changes in quick succession come as one.

        Raises:
            UnknownJob: there is no such job.
        """
        changed = asyncio.Event()
        self._watchers.setdefault(job_id, set()).add(changed)
        try:
            while True:
                changed.clear()
                job = await self._store.get(job_id)
                yield job
                if job.status.ended:
                    return
                await changed.wait()
        finally:
            watchers = self._watchers[job_id]
            watchers.discard(changed)
            if not watchers:
                del self._watchers[job_id]

    async def finished(self, job_id: str) -> Job:
        """The job once it has ended."""
        async for job in self.watch(job_id):
            if job.status.ended:
                return job
        raise UnknownJob(job_id)

    # -- changing: the engine, which listens to the store, does what is asked for --------------

    async def cancel(self, job_id: str, by: str) -> Job:
        """Ask for the end of a job; it is CANCELLING then, and CANCELLED once all is undone.

        Raises:
            UnknownJob: there is no such job.
            IllegalMove: it has ended, or is being cancelled already.
        """
        job = await self._store.append(job_id, ev.CancelRequested(at=_now(), by=by))
        log.info("cancel requested", job=job_id, by=by)
        return job

    async def pause(self, job_id: str, by: str) -> Job:
        """Ask a job to hold still; it is PAUSE_PENDING then, and PAUSED once nothing of it runs.

        Raises:
            UnknownJob: there is no such job.
            IllegalMove: it holds still already, or is ending, or has ended.
        """
        job = await self._store.append(job_id, ev.PauseRequested(at=_now(), by=by))
        log.info("pause requested", job=job_id, by=by)
        return job

    async def resume(self, job_id: str, by: str) -> Job:
        """Ask a paused job to go on; it is RESUME_PENDING then, until its service has a slot for it.

        Raises:
            UnknownJob: there is no such job.
            IllegalMove: it is not paused.
        """
        job = await self._store.append(job_id, ev.ResumeRequested(at=_now(), by=by))
        log.info("resume requested", job=job_id, by=by)
        return job

    async def delete(self, job_id: str, by: str) -> Job:
        """Remove the files and values of an ended job; its history stays.

        Raises:
            UnknownJob: there is no such job.
            IllegalMove: it has not ended, or is deleted already.
        """
        await self._store.append(job_id, ev.DeleteRequested(at=_now(), by=by))
        return await self.finish_deletion(job_id)

    async def finish_deletion(self, job_id: str) -> Job:
        """Remove what is left of a job that is being deleted."""
        await asyncio.to_thread(self._files.remove, job_id)
        await self._store.drop_payloads(job_id)
        job = await self._store.append(job_id, ev.Deleted(at=_now()))
        log.info("deleted", job=job_id)
        return job

    async def finish_deletions(self) -> None:
        """Finish the deletions that an earlier server process began."""
        while True:
            page = await self._store.find(JobFilter(statuses=frozenset({Status.DELETING})), Page(limit=100))
            for job in page.jobs:
                await self.finish_deletion(job.id)
            if not page.more:
                return

    def running(self, service: str) -> bool:
        """Whether a service is started, and not only to be so; while it is being stopped it still is."""
        return self._engine.running(service)

    async def problems(self) -> list[str]:
        """What keeps jobs from being accepted or run; empty when all is well."""
        found = []
        try:
            await self._store.count(JobFilter(statuses=frozenset({Status.EXECUTING})))
        except StoreError as error:
            found.append(str(error))
        if not self._engine.ready:
            found.append("no instances can be started")
        return found

    async def try_instances(self) -> dict[str, str]:
        """Start an instance of each service and let it go again; by service, why none could be started, or nothing."""
        return await self._engine.try_instances()

    # -- uploads -----------------------------------------------------------------------------

    def start_upload(self, name: str) -> tuple[str, Path]:
        """A new upload id and the path to write its file to."""
        upload_id, folder = self._files.new_upload()
        (folder / "file").mkdir()
        return upload_id, folder / "file" / safe_name(name)

    def upload_folder(self, upload_id: str) -> Path:
        """The folder that ``start_upload`` made; the file of the upload lies in ``file`` below it."""
        return self._files.root / "uploads" / upload_id

    def finish_upload(
        self, upload_id: str, path: Path, *, owner: str, service_type: str, description: str = ""
    ) -> Upload:
        """Make a written upload known; it can no longer be lost when this returns, which may take seconds.

        Args:
            upload_id: as ``start_upload`` gave it.
            path: likewise.
            owner: who sent it.
            service_type: of the services that it was sent to.
            description: in the words of the owner.

        Raises:
            OSError: it cannot be written, such as on a full disk.
        """
        upload = Upload(
            id=upload_id,
            name=path.name,
            owner=owner,
            description=description,
            size=path.stat().st_size,
            uploaded_at=_now(),
            service_type=service_type,
        )
        self._files.finish_upload(upload)
        return upload

    def upload(self, upload_id: str) -> Upload | None:
        """What is known about an upload, or None."""
        return self._files.upload(upload_id)

    def remove_upload(self, upload_id: str) -> None:
        """Remove an upload, finished or not."""
        self._files.remove_upload(upload_id)

    def discard_uploads(self, known: Set[str]) -> None:
        """Remove what was being uploaded when an earlier server was killed, but what has one of these ids."""
        self._files.discard_uploads(known)

    def _committed(self, job: Job, recorded: Sequence[Recorded]) -> None:
        for each in recorded:
            match each.event:
                case ev.Started(attempt=attempt, pid=pid):
                    log.info("started", job=job.id, operation=job.operation, attempt=attempt, pid=pid)
                case ev.Interrupted(attempt=attempt, reason=reason):
                    log.warning("interrupted", job=job.id, attempt=attempt, reason=reason)
                case ev.Failed(error=error) | ev.TimedOut(error=error):
                    log.warning(job.status.name.lower(), job=job.id, operation=job.operation, error=error)
                case ev.Succeeded() | ev.Cancelled():
                    log.info(job.status.name.lower(), job=job.id, operation=job.operation)
        for changed in self._watchers.get(job.id, ()):
            changed.set()


def _prepare(
    operation: Operation[..., Any], values: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Kept], dict[str, bytes]]:
    """The inputs checked, what of them is kept with the job, and what beside it."""
    checked = operation.check(values)
    try:
        return checked, *keep(checked, "inputs")
    except UnicodeEncodeError as error:
        raise InputError(["a text holds half of a surrogate pair, which is no character"]) from error


def _now() -> int:
    return time.time_ns() // 1_000_000


__all__ = ["IllegalMove", "InputError", "JobManager", "UnknownJob"]
