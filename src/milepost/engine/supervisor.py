"""One job's life, from the moment it is its turn until it has ended or must wait again."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable
from typing import Any, Final

import structlog

from milepost.engine import messages as m
from milepost.engine.accounts import ending, how_it_ended, interruption
from milepost.engine.attempt import Attempt, Orders, Reconfigure, time_spent
from milepost.engine.instances import Instance, StartError
from milepost.engine.pool import Pool, Slot
from milepost.engine.processes import kill_leftovers
from milepost.jobs import IllegalMove, Job, Outcome, Status
from milepost.jobs import events as ev
from milepost.operations import OUTPUT_REFERENCE, Catalog, Operation
from milepost.store import FileStore, JobStore, keep_encoded, read_encoded

log = structlog.get_logger("milepost.engine")

MAX_LOSSES: Final = 10
"""How often a server or machine may be lost with a job until it is given up: it may be what kills them."""

NODE: Final = socket.gethostname()

_UNDO_TRIES: Final = 3
"""How often a rollback is run whose process dies."""

_END_LIMIT: Final = 2.0
"""Seconds in which a process that closed its pipe must have ended, or else it closed it on purpose."""


class Supervisor:
    """Runs one job: gives it to an instance, records what that says, and ends it properly."""

    def __init__(
        self,
        job_id: str,
        pool: Pool,
        store: JobStore,
        files: FileStore,
        catalog: Catalog,
        slot_given: Callable[[], None],
        reconfigure: Reconfigure,
    ):
        """For one job of the pool's service.

        Args:
            job_id: of the job.
            pool: gives instances.
            store: where events go.
            files: of the jobs.
            catalog: the operations.
            slot_given: called when others may have its slot.
            reconfigure: called when its operation asks for it.
        """
        self.job_id: Final = job_id
        self.pool: Final = pool
        self.slot: Final = Slot(pool, slot_given)
        self._store = store
        self._files = files
        self._catalog = catalog
        self._instance: Instance | None = None
        self._orders = Orders()
        self._reconfigure = reconfigure

    def stop(self, outcome: Outcome, reason: str) -> None:
        """Ask for the end of the work; the first who asks decides how it is called, but a cancel wins."""
        self._orders.end(outcome, reason)

    def hold(self) -> None:
        """Ask the work to hold still."""
        self._orders.hold = self._orders.pausing = True
        self._orders.changed()

    def resume(self) -> None:
        """Ask the work to go on; if others have its slot, once it is given one."""
        self._orders.hold = False
        self._orders.changed()

    @property
    def waits_for_slot(self) -> bool:
        """Whether the work holds still only because others have its slot."""
        return not (self.slot.taken or self._orders.hold)

    def take_slot(self) -> None:
        """Give the work a slot again."""
        self.slot.take()
        self._orders.changed()

    def shut_down(self) -> None:
        """The server stops: kill the instance; the job goes on after the restart."""
        self._orders.shut_down = True
        self._orders.changed()
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
            elif job.status in (Status.PAUSE_PENDING, Status.PAUSED):
                return  # in the moment when its turn came
            elif operation is None:
                gone = f"the operation {job.operation!r} of {job.service} is no longer offered here"
                await self._end(job, "failed", gone)
            else:
                await self._attempt(job, operation)
        except StartError as error:
            if not self._orders.shut_down:
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
            if self._orders.shut_down:
                return
        instance = await self._take()
        started = ev.Started(
            at=_now(), attempt=job.attempt + 1, worker=NODE, pid=instance.pid, born=instance.born
        )
        try:
            job = await self._store.append(job.id, started)
        except IllegalMove:
            return  # cancelled or paused between its turn and its start; whoever takes it up sees which
        answer = None
        if not self._orders.ending:
            await self._perform(instance, job)
            spent = time_spent(await self._store.history(job.id)) if job.attempt > 1 else 0.0
            attempt = Attempt(job, instance, self.slot, self._store, self._orders, self._reconfigure)
            answer = await attempt.run(spent)
        await self._conclude(answer, operation)

    async def _perform(self, instance: Instance, job: Job) -> None:
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

    async def _conclude(self, answer: m.FromInstance | None, operation: Operation[..., Any]) -> None:
        """What the end of an attempt means for the job."""
        silent = answer is None and not self._orders.ending
        end = await self._see_end() if silent else ""
        lost = self._instance is not None and self._instance.lost
        if silent and self._instance is not None and self._instance.still:
            # What stands still cannot end by itself: it was killed, and that does not undo the pause.
            log.warning("the instance of a paused job ended", job=self.job_id, reason=end)
            return
        await self._let_go()
        job = await self._store.get(self.job_id)
        if isinstance(answer, m.Returned) and await self._succeeded(job, answer.results):
            return
        job = await self._store.get(self.job_id)
        if job.status is Status.CANCELLING:
            await self._end(job, "cancelled", "")
        elif self._orders.stop is not None:
            await self._end(job, *self._orders.stop)
        elif self._orders.shut_down and job.status in (Status.PAUSE_PENDING, Status.PAUSED):
            return
        elif self._orders.shut_down:
            reason = "the server was stopped while the job ran"
            if operation.resume:
                await self._try_again(interruption(job, _now(), reason, stop=True))
            else:
                await self._end(job, "failed", reason)
        elif isinstance(answer, m.Raised):
            await self._end(job, "failed", answer.error)
        elif isinstance(answer, m.Stopped):
            await self._end(job, "failed", "the operation stopped although nobody asked it to")
        else:
            reason = f"the instance that ran the job {end}"
            if lost and operation.resume and job.losses + 1 < MAX_LOSSES:
                # Not the fault of the operation, no more than the end of the server would be.
                reason = "the process that instances are forked from died while the job ran"
                await self._try_again(interruption(job, _now(), reason))
            elif job.crashes < operation.retries:
                await self._try_again(interruption(job, _now(), reason, crash=True))
            else:
                await self._end(job, "failed", reason)

    async def _succeeded(self, job: Job, results: dict[str, bytes]) -> bool:
        """Record the success; False when a cancel or the time limit came before it."""
        if self._orders.stop is not None:
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

    async def _try_again(self, events: list[ev.Event]) -> None:
        # Refused when it was cancelled or paused in between; whoever takes it up sees which.
        with contextlib.suppress(IllegalMove):
            await self._store.append(self.job_id, *events)

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
                job = await self._store.append(job.id, *ending(job, outcome, reason))
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
            if self._orders.shut_down and error:
                return job
            job = await self._store.append(
                job.id, ev.RolledBack(at=_now(), attempt=job.attempt, number=number, error=error)
            )
            if error:
                log.warning("rollback failed", job=job.id, function=entry.function, reason=error)
        return job

    async def _undo_one(self, task: m.Undo) -> str:
        """Why a rollback could not be run; empty when it was."""
        limit = self.slot.service.rollback_time
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
            if self._orders.shut_down:
                break
        return error

    async def _take(self) -> Instance:
        """An instance for the next task of this job; the one before it is gone for good."""
        await self._let_go()
        self._instance = await self.pool.take()
        if self._orders.shut_down:
            self._instance.kill()
        return self._instance

    async def _see_end(self) -> str:
        """How the instance ended that said no more."""
        assert self._instance is not None
        try:
            async with asyncio.timeout(_END_LIMIT):
                return how_it_ended(await self._instance.ended())
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
                left = [await self._store.get(self.job_id)]
                await asyncio.to_thread(kill_leftovers, left, self._files.root)
        finally:
            self.pool.give_back()


def _now() -> int:
    return time.time_ns() // 1_000_000
