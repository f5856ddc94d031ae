"""The embedded engine: runs the jobs of one store on this machine."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Final

import structlog

from milepost.configuration import Configurations, restore
from milepost.engine.accounts import interruption
from milepost.engine.instances import StartError, Template
from milepost.engine.pool import TEND_EVERY, Pool
from milepost.engine.processes import kill_leftovers
from milepost.engine.services import Services
from milepost.engine.supervisor import MAX_LOSSES
from milepost.engine.turns import Turns
from milepost.jobs import IllegalMove, Job, Status
from milepost.jobs import events as ev
from milepost.operations import Catalog, function_name
from milepost.store import FileStore, JobStore, Recorded, StoreError

log = structlog.get_logger("milepost.engine")


_OWN_FAULT: Final = "the server met an error of its own"

RESTORE: Final = function_name(restore)
"""The rollback after which what is configured of a service is as it was before."""

TRY_LIMIT: Final = 20.0
"""Seconds in which an instance must start when one is started to see whether it can."""

STORE_RETRY: Final = 5.0
"""Seconds until a job is taken up again that the store failed."""


class Engine:
    """Has every job run, and takes up what a stopped server left.

    It listens to the store: what is durable is run, and what is to be cancelled is stopped, whoever
    asked for it and whether or not they waited for the answer.
    """

    def __init__(self, store: JobStore, files: FileStore, catalog: Catalog, sources: Sequence[str]):
        """For the operations of ``catalog``, which instances load from ``sources``."""
        self._store = store
        self._files = files
        self._catalog = catalog
        self._template = Template(files.root, sources)
        self._pools = {name: Pool(service, self._template) for name, service in catalog.services.items()}
        self._turns = Turns(
            store,
            files,
            catalog,
            self._template,
            self._pools,
            reconfigure=self.reconfigure,
            over=self._over,
        )
        self._services = Services(store, catalog, Configurations(files.root), self._pools, self._turns)
        self._tender: asyncio.Task[None] | None = None
        store.listen(self._committed)

    async def start(self) -> None:
        """Take up every unfinished job and start the instances to keep ready.

        Raises:
            StartError: the operations cannot be loaded in a process of their own.
            ConfigurationError: what is configured of the services cannot be read.
        """
        jobs = await self._store.unfinished()
        await self._services.start()
        await asyncio.gather(self._template.start(), asyncio.to_thread(self._tidy, jobs))
        self._turns.open = True
        self._tender = self._turns.start(self._tend())
        # Those that ran come before those that waited.
        for job in sorted(jobs, key=lambda job: job.status.queued):
            await self._go_on(job.id, "the server stopped while the job ran")
        for pool in self._pools.values():
            pool.refill()

    def _tidy(self, jobs: Sequence[Job]) -> None:
        """Remove what an earlier server process left: first of all, nothing may run twice at the same time."""
        ran = [job for job in jobs if job.attempt]
        if ran:
            kill_leftovers(ran, self._files.root)
        for job_id in set(self._files.workspaces()).difference(job.id for job in jobs):
            self._files.clean(job_id)

    @property
    def ready(self) -> bool:
        """Whether instances can be started."""
        return self._template.ready

    async def try_instances(self) -> dict[str, str]:
        """Start an instance of each service and let it go again; by service, why none could be started, or nothing."""
        found = {}
        for name, pool in self._pools.items():
            found[name] = ""
            try:
                async with asyncio.timeout(TRY_LIMIT):
                    instance = await self._template.fork(pool.service.memory_limit)
            except StartError as error:
                found[name] = str(error)
            except TimeoutError:
                found[name] = f"no instance had started after {TRY_LIMIT:g} s"
            else:
                instance.discard()
        return found

    def waits(self, service: str) -> bool:
        """Whether a job that is submitted now has to wait for others."""
        return self._turns.waits(service)

    def closed(self, service: str) -> str:
        """Why a service takes no jobs; empty when it does."""
        return self._services.closed(service)

    def running(self, service: str) -> bool:
        """Whether a service is started, and not only to be so; while it is being stopped it still is."""
        return self.ready and self._services.running(service)

    async def reconfigure(self, name: str) -> dict[str, Any]:
        """Do as is configured of a service; see ``Services.reconfigure``."""
        return await self._services.reconfigure(name)

    async def stop(self) -> None:
        """Stop in good order: what runs is interrupted and goes on when the server is started again."""
        self._turns.shut_down()
        if self._tender is not None:
            self._tender.cancel()
        await self._turns.finish()
        for pool in self._pools.values():
            await pool.close()
        await self._template.stop()

    async def _tend(self) -> None:
        while True:
            await asyncio.sleep(TEND_EVERY)
            for pool in self._pools.values():
                pool.tend()

    # -- what the store made durable becomes what is done ------------------------------------

    def _committed(self, job: Job, recorded: Sequence[Recorded]) -> None:
        for each in recorded:
            match each.event:
                case ev.Submitted():
                    self._turns.put(job)
                case ev.CancelRequested(by=by):
                    self._stop_work(job, by)
                case ev.PauseRequested():
                    self._hold(job)
                case ev.ResumeRequested():
                    self._resume(job)
                case ev.RolledBack(number=number) if job.rollbacks[number].function == RESTORE:
                    self._turns.start(self._services.go_back(str(job.rollbacks[number].arguments[0])))

    def _stop_work(self, job: Job, by: str) -> None:
        supervisor = self._turns.supervisor(job.id)
        if supervisor is not None:
            supervisor.stop("cancelled", f"cancelled by {by}")
            return
        self._turns.take_out(job)
        # Also a job that waits may have done something in an earlier attempt.
        self._turns.supervise(job)

    def _hold(self, job: Job) -> None:
        supervisor = self._turns.supervisor(job.id)
        if supervisor is not None:
            supervisor.hold()
        else:
            self._turns.take_out(job)
            self._turns.start(self._go_on(job.id, _OWN_FAULT))

    def _resume(self, job: Job) -> None:
        supervisor = self._turns.supervisor(job.id)
        if supervisor is not None:
            supervisor.resume()
            self._turns.dispatch(job.service)
        else:
            self._turns.start(self._go_on(job.id, _OWN_FAULT))

    # -- jobs that nobody sees to ------------------------------------------------------------

    async def _over(self, job_id: str, failed: bool) -> None:
        """A supervisor has done what it could."""
        if failed:
            self._take_up_later(job_id)
        else:
            await self._go_on(job_id, _OWN_FAULT)

    async def _go_on(self, job_id: str, reason: str) -> None:
        """Take up a job, if it has not ended and nobody does: after an attempt, a failure, a restart.

        Args:
            job_id: of the job.
            reason: why an attempt that seems to be at work is not.
        """
        try:
            job = await self._store.get(job_id)
            if job.status.ended or self._turns.supervisor(job_id) is not None:
                return
            if job.status is Status.CANCELLING or job.rolling_back:
                self._turns.supervise(job)
            elif job.status is Status.PAUSE_PENDING:
                # Dated as an interruption would be, for the sake of the time limit.
                await self._store.append(job.id, ev.Paused(at=job.updated_at, attempt=job.attempt))
            elif job.status is Status.PAUSED:
                return
            elif not job.under_way:
                # Before the owner's other jobs, if it waited before: it came before them then.
                self._turns.put(job, front=job.attempt > 0 or job.status is Status.RESUME_PENDING)
            elif self._turns.open:
                await self._interrupt(job, reason)
        except IllegalMove:
            pass  # cancelled or resumed in this very moment, and taken up for that
        except StoreError as error:
            log.error("a job cannot be taken up", job=job_id, reason=str(error))
            self._take_up_later(job_id)

    def _take_up_later(self, job_id: str) -> None:
        if self._turns.open:
            reason = "the store could not be written while the job ran"
            self._turns.later(job_id, STORE_RETRY, lambda: self._go_on(job_id, reason))

    async def _interrupt(self, job: Job, reason: str) -> None:
        operation = self._catalog.get(job.service, job.operation)
        # What stood still has killed nothing.
        held = job.status in (Status.RESUME_PENDING, Status.RESUMED)
        if held:
            reason = "the instance that held the paused job is gone"
        resumes = operation is not None and operation.resume
        if resumes and (held or job.losses + 1 < MAX_LOSSES):
            # Dated to its last sign of life: the time that nobody worked is not the job's.
            events = interruption(job, job.updated_at, reason, stop=held)
            self._turns.put(await self._store.append(job.id, *events), front=True)
            return
        if resumes:
            reason = f"{reason}, as it did {job.losses} times before"
        undo = ev.RollbackStarted(at=_now(), attempt=job.attempt, outcome="failed", reason=reason)
        self._turns.supervise(await self._store.append(job.id, undo))


def _now() -> int:
    return time.time_ns() // 1_000_000
