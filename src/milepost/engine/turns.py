"""Whose turn it is: the queues of the services, and the supervisors of the jobs that left them."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

import structlog

from milepost.engine.attempt import Reconfigure
from milepost.engine.instances import Template
from milepost.engine.pool import Pool
from milepost.engine.queue import Queue
from milepost.engine.supervisor import Supervisor
from milepost.jobs import IllegalMove, Job
from milepost.jobs import events as ev
from milepost.operations import Catalog, Service
from milepost.store import FileStore, JobStore, StoreError

log = structlog.get_logger("milepost.engine")


class Turns:
    """Gives every job its turn and a supervisor. The queues are in memory only."""

    def __init__(
        self,
        store: JobStore,
        files: FileStore,
        catalog: Catalog,
        template: Template,
        pools: Mapping[str, Pool],
        *,
        reconfigure: Reconfigure,
        over: Callable[[str, bool], Awaitable[None]],
    ):
        """Of a store.

        Args:
            store: where the jobs are.
            files: their files.
            catalog: the operations.
            template: starts the instances.
            pools: by service.
            reconfigure: what supervisors ask for when an operation does, with a service.
            over: told the job that nobody sees to any more, which may not have ended, and whether that is
                because the store failed.
        """
        self._store = store
        self._files = files
        self._catalog = catalog
        self._template = template
        self._pools = pools
        self._reconfigure = reconfigure
        self._over = over
        self._queues = {name: Queue() for name in pools}
        self._changes = {name: asyncio.Event() for name in pools}
        """Set whenever a service has fewer jobs at work, or other settings."""
        self._supervisors: dict[str, Supervisor] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self.open = False
        """Whether jobs are run."""

    def shut_down(self) -> None:
        """Give no more turns, and interrupt what runs; ``finish`` waits until it has."""
        self.open = False
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        for supervisor in list(self._supervisors.values()):
            supervisor.shut_down()

    async def finish(self) -> None:
        """Wait for all that was started."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def waits(self, service: str) -> bool:
        """Whether a job that is submitted now has to wait for others."""
        queue, pool = self._queues.get(service), self._pools.get(service)
        return bool(queue) or (pool is not None and pool.full)

    def supervisor(self, job_id: str) -> Supervisor | None:
        """Who sees a job through."""
        return self._supervisors.get(job_id)

    # -- jobs that wait ----------------------------------------------------------------------

    def put(self, job: Job, *, front: bool = False) -> None:
        """Let a job have its turn."""
        queue = self._queues.get(job.service)
        if queue is None:  # the service is no longer offered; its supervisor says so
            self.supervise(job)
            return
        if job.id in self._supervisors:
            return
        queue.push(job.id, job.owner, job.priority, front=front)
        self._limit_wait(job)
        self.dispatch(job.service)

    def take_out(self, job: Job) -> None:
        """A job that waits must not have its turn."""
        if job.service in self._queues:
            self._queues[job.service].remove(job.id)
        self._cancel_timer(job.id)

    def dispatch(self, service: str) -> None:
        """Let as many jobs work as the service has slots: first those that hold still and are to go on."""
        if not self.open or service not in self._queues:
            return
        self._changes[service].set()
        queue, pool = self._queues[service], self._pools[service]
        if not pool.started:
            return
        seen_to = [each for each in self._supervisors.values() if each.pool is pool]
        free = pool.service.max_instances - sum(each.slot.taken for each in seen_to)
        for supervisor in seen_to:
            if free > 0 and supervisor.waits_for_slot:
                supervisor.take_slot()
                free -= 1
        while free > 0 and (job_id := queue.pop()):
            self._cancel_timer(job_id)
            self._begin(job_id, pool)
            free -= 1

    def _limit_wait(self, job: Job) -> None:
        """Let a job wait as long as its service allows."""
        limit = self._pools[job.service].service.max_wait_time
        self._cancel_timer(job.id)
        if limit and not job.attempt:
            left = max(0.0, (job.submitted_at + job.paused_for) / 1000 + limit - time.time())
            self.later(job.id, left, lambda: self._time_out(job, limit))

    async def _time_out(self, job: Job, limit: float) -> None:
        if not self._queues[job.service].remove(job.id):
            return
        reason = f"the job waited longer than the {limit:g} s its service allows"
        said = ev.MessageAdded(at=_now(), attempt=0, level="error", text=reason[0].upper() + reason[1:])
        try:
            await self._store.append(job.id, said, ev.TimedOut(at=_now(), error=reason))
        except IllegalMove:
            pass  # cancelled in this very moment
        except StoreError:
            await self._over(job.id, True)

    # -- jobs at work ------------------------------------------------------------------------

    def supervise(self, job: Job) -> None:
        """Have a job seen through without waiting for its turn."""
        if self.open and job.id not in self._supervisors:
            pool = self._pools.get(job.service)
            self._begin(job.id, pool or Pool(Service(name=job.service, min_instances=0), self._template))

    def _begin(self, job_id: str, pool: Pool) -> None:
        supervisor = Supervisor(
            job_id,
            pool,
            self._store,
            self._files,
            self._catalog,
            slot_given=lambda: self.dispatch(pool.service.name),
            reconfigure=self._reconfigure,
        )
        self._supervisors[job_id] = supervisor
        self.start(self._see_through(supervisor))

    async def _see_through(self, supervisor: Supervisor) -> None:
        job_id = supervisor.job_id
        failed = False
        try:
            try:
                await supervisor.run()
            except StoreError:
                raise
            except Exception:
                log.exception("supervising failed", job=job_id)
                await self._give_up(job_id)
        except StoreError as error:
            log.error("the store failed a job; it is taken up again", job=job_id, reason=str(error))
            failed = True
        finally:
            del self._supervisors[job_id]
        await self._over(job_id, failed)
        self.dispatch(supervisor.pool.service.name)

    async def _give_up(self, job_id: str) -> None:
        """A fault of ours. The job must not hang for ever in front of its owner, nor leave its effects behind."""
        reason = "the server met an error of its own; its log tells more"
        job = await self._store.get(job_id)
        event: ev.Event = ev.Failed(at=_now(), error=reason)
        if job.undo_list() and not job.rolling_back:
            event = ev.RollbackStarted(at=_now(), attempt=job.attempt, outcome="failed", reason=reason)
        with contextlib.suppress(IllegalMove):  # it has ended
            await self._store.append(job_id, event)

    # -- other settings ----------------------------------------------------------------------

    def settings_changed(self, service: str) -> None:
        """Let those that wait do so as long as the service allows now."""
        self._changes[service].set()
        for job_id in self._queues[service].jobs():
            if (job := self._store.seen(job_id)) is not None:
                self._limit_wait(job)

    async def until_idle(self, pool: Pool, revision: int) -> None:
        """Wait until nothing of a service is at work, or something else is configured.

        Args:
            pool: of the service.
            revision: of its settings.
        """
        changed = self._changes[pool.service.name]
        while self.open and pool.revision == revision and self._at_work(pool):
            changed.clear()
            await changed.wait()

    def _at_work(self, pool: Pool) -> bool:
        return any(each.pool is pool and each.slot.taken for each in self._supervisors.values())

    # -- what is done meanwhile, and later ---------------------------------------------------

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Let something be done beside all else; ``finish`` waits for it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def later(self, job_id: str, delay: float, what: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do something about a job after ``delay`` seconds, unless its turn or a cancel comes before."""

        def now() -> None:
            del self._timers[job_id]
            self.start(what())

        self._cancel_timer(job_id)
        self._timers[job_id] = asyncio.get_running_loop().call_later(delay, now)

    def _cancel_timer(self, job_id: str) -> None:
        timer = self._timers.pop(job_id, None)
        if timer is not None:
            timer.cancel()


def _now() -> int:
    return time.time_ns() // 1_000_000
