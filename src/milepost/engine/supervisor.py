"""One job's life, from the moment it is its turn until it has ended or must wait again."""

import asyncio
import contextlib
import signal
import socket
import time
from typing import Any, Final

import structlog

from milepost.engine import messages as m
from milepost.engine.instances import Instance, StartError
from milepost.engine.pool import Pool
from milepost.jobs import IllegalMove, Job, Outcome, Status
from milepost.jobs import events as ev
from milepost.operations import Catalog, Operation
from milepost.store import FileStore, JobStore, keep, read

log = structlog.get_logger("milepost.engine")

MAX_ATTEMPTS: Final = 10
"""Attempts after which a job that keeps being interrupted is given up: it may be what stops the server."""

NODE: Final = socket.gethostname()

_IN_FLIGHT: Final = 64
"""Events of an instance that may wait for their commit before more are taken from it."""


class Supervisor:
    """Runs one job: gives it to an instance, records what that says, and ends it properly."""

    def __init__(self, job_id: str, pool: Pool, store: JobStore, files: FileStore, catalog: Catalog):
        """For one job of the pool's service."""
        self.job_id: Final = job_id
        self.pool: Final = pool
        self._store = store
        self._files = files
        self._catalog = catalog
        self._instance: Instance | None = None
        self._stop: tuple[Outcome, str] | None = None
        self._stopping = asyncio.Event()
        self._shut_down = False

    def stop(self, outcome: Outcome, reason: str) -> None:
        """Ask for the end of the work; the first who asks decides how it is called, but a cancel wins."""
        if self._stop is None or outcome == "cancelled":
            self._stop = (outcome, reason)
            self._stopping.set()

    def shut_down(self) -> None:
        """The server stops: kill the instance; the job goes on after the restart."""
        self._shut_down = True
        self._stopping.set()
        if self._instance is not None:
            self._instance.kill()

    async def run(self) -> bool:
        """See the job through; True when it must wait for another attempt."""
        job = await self._store.get(self.job_id)
        operation = self._catalog.get(job.service, job.operation)
        try:
            if operation is None:
                await self._end(
                    job,
                    "failed",
                    f"the operation {job.operation!r} of {job.service} is no longer offered here",
                )
                return False
            if job.rolling_back:  # the server stopped while effects were being undone
                await self._end(job, job.rolling_back, job.reason)
                return False
            if job.status is Status.CANCELLING:
                await self._end(job, "cancelled", "")
                return False
            return await self._attempt(job, operation)
        finally:
            await self._let_go()

    async def _attempt(self, job: Job, operation: Operation[..., Any]) -> bool:
        try:
            instance = await self._take()
        except StartError as error:
            await self._end(job, "failed", f"no instance could be started: {error}")
            return False
        try:
            started = ev.Started(
                at=_now(), attempt=job.attempt + 1, worker=NODE, pid=instance.pid, born=instance.born
            )
            job = await self._store.append(job.id, started)
            again = job.undo_list(since_last_step=True)
            if job.attempt > 1 and again:
                job = await self._undo(job, again)
                instance = await self._take()
            inputs = {name: await read(self._store, job, kept) for name, kept in job.inputs.items()}
            steps = {name: await read(self._store, job, kept) for name, kept in job.steps.items()}
        except IllegalMove:  # cancelled between its turn and its start
            await self._end(await self._store.get(job.id), "cancelled", "")
            return False
        await instance.send(
            m.Perform(
                job_id=job.id,
                service=job.service,
                operation=job.operation,
                attempt=job.attempt,
                inputs=inputs,
                steps=steps,
                rollbacks=[(each.function, list(each.arguments)) for each in job.rollbacks if not each.done],
            )
        )
        answer = await self._converse(instance, job)
        return await self._conclude(answer, operation)

    async def _converse(self, instance: Instance, job: Job) -> m.FromInstance | None:
        """Record what the instance says until it says how the work ended; None when it ended without a word."""
        watch = asyncio.create_task(self._watch(instance, job))
        in_flight: list[asyncio.Task[Job]] = []
        loop = asyncio.get_running_loop()
        try:
            async for message in instance.messages():
                match message:
                    case m.Tell(event=event):
                        in_flight.append(loop.create_task(self._record(event)))
                        if len(in_flight) >= _IN_FLIGHT:
                            await asyncio.gather(*in_flight)
                            in_flight.clear()
                    case m.Record(event=event):
                        await self._record(event)
                        await instance.send(m.Recorded())
                    case _:
                        await asyncio.gather(*in_flight)
                        return message
            await asyncio.gather(*in_flight)
            return None
        finally:
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch

    async def _record(self, event: ev.Event) -> Job:
        if isinstance(event, ev.StepFinished):
            kept, payloads = keep({event.name: event.result.value}, "steps")
            event = ev.StepFinished(
                at=event.at, attempt=event.attempt, name=event.name, result=kept[event.name]
            )
            return await self._store.append(self.job_id, event, payloads=payloads)
        return await self._store.append(self.job_id, event)

    async def _watch(self, instance: Instance, job: Job) -> None:
        """Stop the work when its time is up or someone asks: first with words, then by force."""
        service = self.pool.service
        left = None
        if service.max_usage_time:
            left = service.max_usage_time - (_now() - job.started_at) / 1000
        try:
            async with asyncio.timeout(left):
                await self._stopping.wait()
        except TimeoutError:
            self.stop(
                "timed_out", f"the job ran longer than the {service.max_usage_time:g} s its service allows"
            )
        if self._shut_down or self._stop is None:
            instance.kill()
            return
        await instance.send(m.StopWork(self._stop[1] or self._stop[0]))
        await asyncio.sleep(service.grace_time)
        instance.kill()

    async def _conclude(self, answer: m.FromInstance | None, operation: Operation[..., Any]) -> bool:
        """What the end of an attempt means for the job; True when it must wait for another attempt."""
        status = await self._let_go()
        job = await self._store.get(self.job_id)
        if self._shut_down and not isinstance(answer, m.Returned) and self._stop is None:
            return await self._interrupted(job, operation)
        if isinstance(answer, m.Returned) and await self._succeeded(job, answer.results):
            return False
        job = await self._store.get(self.job_id)
        if job.status is Status.CANCELLING:
            await self._end(job, "cancelled", "")
        elif self._stop is not None:
            await self._end(job, *self._stop)
        elif isinstance(answer, m.Raised):
            await self._end(job, "failed", answer.error)
        elif isinstance(answer, m.Stopped):
            await self._end(job, "failed", "the operation stopped although nobody asked it to")
        else:
            reason = f"the instance that ran the job {_how_it_ended(status)}"
            if job.crashes >= operation.retries:
                await self._end(job, "failed", reason)
                return False
            return await self._try_again(job, f"{reason}; the job is tried again", crash=True)
        return False

    async def _succeeded(self, job: Job, results: dict[str, Any]) -> bool:
        """Record the success; False when a cancel or the time limit came before it."""
        if self._stop is not None and self._stop[0] == "timed_out" and job.status is not Status.CANCELLING:
            return False
        kept, payloads = keep(results, "results")
        try:
            await self._store.append(
                job.id, ev.Succeeded(at=_now(), attempt=job.attempt, results=kept), payloads=payloads
            )
        except IllegalMove:
            return False
        await asyncio.to_thread(self._files.clean, job.id)
        return True

    async def _interrupted(self, job: Job, operation: Operation[..., Any]) -> bool:
        if not job.status.running:
            return job.status.queued
        if not operation.resume:
            await self._end(job, "failed", "the server was stopped while the job ran")
            return False
        return await self._try_again(
            job, "the server was stopped; the job goes on after its restart", crash=False
        )

    async def _try_again(self, job: Job, reason: str, *, crash: bool) -> bool:
        now = _now()
        try:
            await self._store.append(
                job.id,
                ev.MessageAdded(at=now, attempt=job.attempt, level="warning", text=_sentence(reason)),
                ev.Interrupted(at=now, attempt=job.attempt, reason=reason, crash=crash),
            )
        except IllegalMove:  # a cancel came in between
            await self._end(await self._store.get(job.id), "cancelled", "")
            return False
        return True

    async def _end(self, job: Job, outcome: Outcome, reason: str) -> None:
        """Undo what the job did, then say how it ended."""
        if job.status.ended:
            return
        if job.undo_list():
            if not job.rolling_back:
                event = ev.RollbackStarted(at=_now(), attempt=job.attempt, outcome=outcome, reason=reason)
                job = await self._store.append(job.id, event)
            job = await self._undo(job, job.undo_list())
            if self._shut_down and job.undo_list():
                return  # it goes on after the restart
        if job.status is Status.CANCELLING:
            outcome, reason = "cancelled", reason if outcome == "cancelled" else ""
        not_undone = [
            f"{each.function.rpartition(':')[2]} ({each.error})" for each in job.rollbacks if each.error
        ]
        if not_undone:
            trouble = "it could not be undone what the job did: " + ", ".join(not_undone)
            reason = f"{reason}; {trouble}" if reason else f"the job was cancelled, but {trouble}"
            if outcome == "cancelled":
                outcome = "failed"
        # The cleaning comes first: after the last word nothing of the job may change any more.
        await asyncio.to_thread(self._files.clean, job.id)
        await self._say_the_end(job, outcome, reason)

    async def _say_the_end(self, job: Job, outcome: Outcome, reason: str) -> None:
        now = _now()
        ending: ev.Event
        match outcome:
            case "cancelled":
                ending = ev.Cancelled(at=now)
            case "timed_out":
                ending = ev.TimedOut(at=now, error=reason)
            case "failed":
                ending = ev.Failed(at=now, error=reason)
        events: list[ev.Event] = [ending]
        if outcome != "cancelled":
            said = ev.MessageAdded(at=now, attempt=job.attempt, level="error", text=_sentence(reason))
            events.insert(0, said)
        try:
            await self._store.append(job.id, *events)
        except IllegalMove:
            # A cancel arrived in this very moment; what was to be undone is undone already.
            await self._store.append(job.id, ev.Cancelled(at=_now()))

    async def _undo(self, job: Job, numbers: list[int]) -> Job:
        """Run these rollbacks, each in a process that is not the one that did the work.

        That the process of the work is still alive cannot be relied on; so it never is.
        """
        for number in numbers:
            entry = job.rollbacks[number]
            error = await self._undo_one(m.Undo(job.id, entry.function, list(entry.arguments)))
            if self._shut_down and error:
                return job
            job = await self._store.append(
                job.id, ev.RolledBack(at=_now(), attempt=job.attempt, number=number, error=error)
            )
            if error:
                log.warning("rollback failed", job=job.id, function=entry.function, reason=error)
        return job

    async def _undo_one(self, task: m.Undo) -> str:
        """Why a rollback could not be run; empty when it was."""
        await self._let_go()
        limit = self.pool.service.rollback_time
        try:
            instance = await self._take()
            await instance.send(task)
            async with asyncio.timeout(limit):
                async for answer in instance.messages():
                    match answer:
                        case m.Returned():
                            return ""
                        case m.Raised(error=error):
                            return error
                        case _:
                            continue
        except StartError as error:
            return str(error)
        except TimeoutError:
            return f"it took longer than {limit:g} s"
        return f"its process {_how_it_ended(await self._let_go())}"

    async def _take(self) -> Instance:
        """An instance for the next task of this job; the one before it is gone for good."""
        await self._let_go()
        self._instance = await self.pool.take()
        if self._shut_down:
            self._instance.kill()
        return self._instance

    async def _let_go(self) -> int:
        """End the instance and all that it started; its exit code."""
        instance, self._instance = self._instance, None
        if instance is None:
            return 0
        try:
            return await instance.retire()
        finally:
            self.pool.give_back()


def _how_it_ended(status: int) -> str:
    if status < 0:
        with contextlib.suppress(ValueError):
            return f"was killed by {signal.Signals(-status).name}"
        return f"was killed by signal {-status}"
    return f"ended without a word, with exit status {status}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _now() -> int:
    return time.time_ns() // 1_000_000
