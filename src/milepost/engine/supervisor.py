"""One job's life, from the moment it is its turn until it has ended or must wait again."""

import asyncio
import contextlib
import signal
import socket
import time
from collections.abc import Sequence
from typing import Any, Final

import structlog
from msgspec.structs import replace

from milepost.engine import messages as m
from milepost.engine.instances import Instance, StartError, kill_leftovers
from milepost.engine.pool import Pool
from milepost.jobs import IllegalMove, Job, JobError, Outcome, Status
from milepost.jobs import events as ev
from milepost.operations import OUTPUT_REFERENCE, Catalog, Operation
from milepost.store import FileStore, JobStore, Recorded, keep_encoded, read_encoded

log = structlog.get_logger("milepost.engine")

MAX_ATTEMPTS: Final = 10
"""Attempts after which a job that keeps being interrupted is given up: it may be what stops the server."""

NODE: Final = socket.gethostname()

_UNDO_TRIES: Final = 3
"""How often a rollback is run whose process dies."""

_END_LIMIT: Final = 2.0
"""Seconds in which a process that closed its pipe must have ended, or else it closed it on purpose."""

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
        self._spent = 0.0
        """Seconds that earlier attempts were at work."""

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

    async def run(self) -> None:
        """Take the job as far as it goes: to its end, or back into the queue."""
        job = await self._store.get(self.job_id)
        operation = self._catalog.get(job.service, job.operation)
        try:
            if job.rolling_back:  # the server stopped while effects were being undone
                await self._end(job, job.rolling_back, job.reason)
            elif job.status is Status.CANCELLING:
                await self._end(job, "cancelled", "")
            elif operation is None:
                gone = f"the operation {job.operation!r} of {job.service} is no longer offered here"
                await self._end(job, "failed", gone)
            else:
                await self._attempt(job, operation)
        except StartError as error:
            if not self._shut_down:
                job = await self._store.get(self.job_id)
                await self._end(job, "failed", f"no instance could be started: {error}")
        finally:
            await self._let_go()

    async def _attempt(self, job: Job, operation: Operation[..., Any]) -> None:
        # First of all: what the attempt before did after its last finished step will be done again.
        again = job.undo_list(since_last_step=True)
        if again:
            job = await self._undo(job, again)
            if any(job.rollbacks[number].error for number in again):
                await self._end(job, "failed", "the job could not be tried again")
                return
            if self._shut_down:
                return
        instance = await self._take()
        started = ev.Started(
            at=_now(), attempt=job.attempt + 1, worker=NODE, pid=instance.pid, born=instance.born
        )
        try:
            job = await self._store.append(job.id, started)
        except IllegalMove:  # cancelled between its turn and its start
            await self._end(await self._store.get(job.id), "cancelled", "")
            return
        answer = None
        if self._stop is None and not self._shut_down:
            await self._perform(instance, job)
            answer = await self._converse(instance)
        await self._conclude(answer, operation)

    async def _perform(self, instance: Instance, job: Job) -> None:
        if job.attempt > 1:
            self._spent = _spent(await self._store.history(job.id))
        perform = m.Perform(
            job_id=job.id,
            service=job.service,
            operation=job.operation,
            attempt=job.attempt,
            inputs={name: await read_encoded(self._store, job, kept) for name, kept in job.inputs.items()},
            steps={name: await read_encoded(self._store, job, kept) for name, kept in job.steps.items()},
            rollbacks=[(each.function, list(each.arguments)) for each in job.rollbacks if not each.done],
            output_reference=job.attributes.get(OUTPUT_REFERENCE),
        )
        await instance.send(perform)

    async def _converse(self, instance: Instance) -> m.FromInstance | None:
        """Record what the instance says until it says how the work ended; None when it ended without a word."""
        watch = asyncio.create_task(self._watch(instance))
        in_flight: list[asyncio.Task[Job]] = []
        answer: m.FromInstance | None = None
        try:
            async for message in instance.messages():
                if not isinstance(message, m.Tell | m.Record):
                    answer = message
                    break
                # Tasks begin in the order they are made, and so the events are recorded.
                in_flight.append(asyncio.create_task(self._record(message)))
                if isinstance(message, m.Record):
                    await in_flight[-1]
                    await instance.send(m.Recorded())
                if len(in_flight) >= _IN_FLIGHT:
                    await asyncio.gather(*in_flight)
                    in_flight.clear()
            await asyncio.gather(*in_flight)
        except JobError as error:
            # The operation said what cannot be, such as the end of a stage that has ended.
            answer = m.Raised(str(error))
        finally:
            await asyncio.gather(*in_flight, return_exceptions=True)
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch
        return answer

    async def _record(self, message: m.Tell | m.Record) -> Job:
        event: ev.Event = message.event
        payloads: dict[str, bytes] = {}
        if isinstance(event, ev.StepFinished) and isinstance(message, m.Record):
            kept, payloads = keep_encoded({event.name: message.value}, "steps")
            event = replace(event, result=kept[event.name])
        return await self._store.append(self.job_id, event, payloads=payloads)

    async def _watch(self, instance: Instance) -> None:
        """Stop the work when its time is up or someone asks: first with words, then by force."""
        service = self.pool.service
        left = service.max_usage_time - self._spent if service.max_usage_time else None
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

    async def _conclude(self, answer: m.FromInstance | None, operation: Operation[..., Any]) -> None:
        """What the end of an attempt means for the job."""
        silent = answer is None and self._stop is None and not self._shut_down
        ending = await self._see_end() if silent else ""
        lost = self._instance is not None and self._instance.lost
        await self._let_go()
        job = await self._store.get(self.job_id)
        if isinstance(answer, m.Returned) and await self._succeeded(job, answer.results):
            return
        job = await self._store.get(self.job_id)
        if job.status is Status.CANCELLING:
            await self._end(job, "cancelled", "")
        elif self._stop is not None:
            await self._end(job, *self._stop)
        elif self._shut_down:
            reason = "the server was stopped while the job ran"
            if operation.resume:
                await self._try_again(job, reason, crash=False)
            else:
                await self._end(job, "failed", reason)
        elif isinstance(answer, m.Raised):
            await self._end(job, "failed", answer.error)
        elif isinstance(answer, m.Stopped):
            await self._end(job, "failed", "the operation stopped although nobody asked it to")
        else:
            reason = f"the instance that ran the job {ending}"
            if lost and operation.resume and job.attempt < MAX_ATTEMPTS:
                # Not the fault of the operation, no more than the end of the server would be.
                reason = "the process that instances are forked from died while the job ran"
                await self._try_again(job, reason, crash=False)
            elif job.crashes < operation.retries:
                await self._try_again(job, reason, crash=True)
            else:
                await self._end(job, "failed", reason)

    async def _succeeded(self, job: Job, results: dict[str, bytes]) -> bool:
        """Record the success; False when a cancel or the time limit came before it."""
        if self._stop is not None:
            return False
        kept, payloads = keep_encoded(results, "results")
        try:
            await self._store.append(
                job.id, ev.Succeeded(at=_now(), attempt=job.attempt, results=kept), payloads=payloads
            )
        except IllegalMove:
            return False
        await asyncio.to_thread(self._files.clean, job.id)
        return True

    async def _try_again(self, job: Job, reason: str, *, crash: bool) -> None:
        try:
            await self._store.append(job.id, *interruption(job, _now(), reason, crash=crash))
        except IllegalMove:  # a cancel came in between
            await self._end(await self._store.get(job.id), "cancelled", "")

    async def _end(self, job: Job, outcome: Outcome, reason: str) -> None:
        """Undo what the job did, then say how it ended."""
        while not job.status.ended:
            if job.undo_list():
                if not job.rolling_back:
                    event = ev.RollbackStarted(at=_now(), attempt=job.attempt, outcome=outcome, reason=reason)
                    job = await self._store.append(job.id, event)
                job = await self._undo(job, job.undo_list())
                if job.undo_list():
                    return  # the server is being stopped; it goes on after the restart
            # The cleaning comes first: after the last word nothing of the job may change any more.
            await asyncio.to_thread(self._files.clean, job.id)
            try:
                job = await self._store.append(job.id, *_ending(job, outcome, reason))
            except IllegalMove:
                newer = await self._store.get(job.id)
                if newer.sequence == job.sequence:
                    raise
                job = newer  # a cancel came in between

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
        limit = self.pool.service.rollback_time
        error = ""
        # One whose process died did not fail: something else may have killed it, and it may run twice.
        for _ in range(_UNDO_TRIES):
            try:
                instance = await self._take()
                async with asyncio.timeout(limit):
                    await instance.send(task)
                    async for answer in instance.messages():
                        match answer:
                            case m.Returned():
                                return ""
                            case m.Raised(error=error):
                                return error
                error = f"its process {await self._see_end()}"
            except StartError as reason:
                error = str(reason)
            except TimeoutError:
                return f"it took longer than {limit:g} s"
            finally:
                await self._let_go()  # at once: after the last word nothing may go on
            if self._shut_down:
                break
        return error

    async def _take(self) -> Instance:
        """An instance for the next task of this job; the one before it is gone for good."""
        await self._let_go()
        self._instance = await self.pool.take()
        if self._shut_down:
            self._instance.kill()
        return self._instance

    async def _see_end(self) -> str:
        """How the instance ended that said no more."""
        assert self._instance is not None
        try:
            async with asyncio.timeout(_END_LIMIT):
                return _how_it_ended(await self._instance.ended())
        except TimeoutError:
            return "closed the pipe between its process and the server"

    async def _let_go(self) -> None:
        """End the instance and all that it started."""
        instance, self._instance = self._instance, None
        if instance is None:
            return
        try:
            await instance.retire()
            if instance.lost:
                await asyncio.to_thread(kill_leftovers, [await self._store.get(self.job_id)])
        finally:
            self.pool.give_back()


def interruption(job: Job, at: int, reason: str, *, crash: bool) -> list[ev.Event]:
    """The events after which the job waits for another attempt.

    Args:
        job: as it is now.
        at: when the attempt was at work for the last time.
        reason: why it ended.
        crash: whether it counts against the retries of the operation.
    """
    then = f"goes on after its last finished step ({len(job.steps)} kept)" if job.steps else "is tried again"
    said = _sentence(f"{reason}; the job {then}")
    return [
        ev.Interrupted(at=at, attempt=job.attempt, reason=reason, crash=crash),
        ev.MessageAdded(at=_now(), attempt=job.attempt, level="warning", text=said),
    ]


def _ending(job: Job, outcome: Outcome, reason: str) -> list[ev.Event]:
    """The last words of a job, of which nothing is left to undo."""
    now = _now()
    if job.status is Status.CANCELLING and outcome != "cancelled":
        outcome, reason = "cancelled", ""
    not_undone = [
        f"{each.function.rpartition(':')[2]} ({each.error})" for each in job.rollbacks if each.error
    ]
    if not_undone:
        trouble = "it could not be undone what the job did: " + ", ".join(not_undone)
        reason = f"{reason}; {trouble}" if reason else f"the job was cancelled, but {trouble}"
        outcome = "failed" if outcome == "cancelled" else outcome
    if outcome == "cancelled":
        return [ev.Cancelled(at=now)]
    said = ev.MessageAdded(at=now, attempt=job.attempt, level="error", text=_sentence(reason))
    return [said, (ev.Failed if outcome == "failed" else ev.TimedOut)(at=now, error=reason)]


def _spent(history: Sequence[Recorded]) -> float:
    """Seconds that earlier attempts of a job were at work."""
    total = begun = 0
    for each in history:
        match each.event:
            case ev.Started(at=at):
                begun = at
            case ev.Interrupted(at=at):
                total += max(0, at - begun)
    return total / 1000


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
