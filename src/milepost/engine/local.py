"""The embedded engine: runs the jobs of one store on this machine."""

import asyncio
import contextlib
import time
from collections.abc import Sequence

import structlog

from milepost.engine.instances import Template, kill_leftovers
from milepost.engine.pool import TEND_EVERY, Pool
from milepost.engine.queue import Queue
from milepost.engine.supervisor import MAX_ATTEMPTS, Supervisor
from milepost.jobs import IllegalMove, Job, Status
from milepost.jobs import events as ev
from milepost.operations import Catalog, Service
from milepost.store import FileStore, JobStore, UnknownJob

log = structlog.get_logger("milepost.engine")


class Engine:
    """Gives every job its turn and a supervisor, and takes up what a stopped server left.

    The queues are in memory only: what waits is told by the store.
    """

    def __init__(self, store: JobStore, files: FileStore, catalog: Catalog, sources: Sequence[str]):
        """For the operations of ``catalog``, which instances load from ``sources``."""
        self._store = store
        self._files = files
        self._catalog = catalog
        self._template = Template(files.root, sources)
        self._pools = {name: Pool(service, self._template) for name, service in catalog.services.items()}
        self._queues = {name: Queue() for name in catalog.services}
        self._supervisors: dict[str, Supervisor] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._stopping = False
        self._tender: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take up every unfinished job and start the instances to keep ready.

        Raises:
            StartError: the operations cannot be loaded in a process of their own.
        """
        starting = asyncio.create_task(self._template.start())
        try:
            await self._recover(await self._store.unfinished())
        finally:
            await starting
        self._tender = asyncio.create_task(self._tend())
        for name, pool in self._pools.items():
            pool.refill()
            self._dispatch(name)

    @property
    def ready(self) -> bool:
        """Whether instances can be started."""
        return self._template.ready

    def waits(self, service: str) -> bool:
        """Whether a job that is submitted now has to wait for others."""
        queue, pool = self._queues.get(service), self._pools.get(service)
        return bool(queue) or (pool is not None and pool.full)

    def put(self, job: Job, *, front: bool = False) -> None:
        """Let a submitted job have its turn."""
        queue = self._queues.get(job.service)
        if queue is None:  # the service is no longer offered; its supervisor says so
            self._supervise(job.id, self._pool(job.service))
            return
        queue.push(job.id, job.owner, job.priority, front=front)
        limit = self._pools[job.service].service.max_wait_time
        if limit and not job.attempt:
            left = max(0.0, job.submitted_at / 1000 + limit - time.time())
            loop = asyncio.get_running_loop()
            self._timers[job.id] = loop.call_later(left, self._waited_too_long, job.id, job.service, limit)
        self._dispatch(job.service)

    async def cancel(self, job_id: str, by: str) -> Job:
        """Ask for the end of a job; returns it as it is once the request is durable.

        Raises:
            UnknownJob: there is no such job.
            IllegalMove: it has ended, or is being cancelled already.
        """
        job = await self._store.append(job_id, ev.CancelRequested(at=_now(), by=by))
        supervisor = self._supervisors.get(job_id)
        if supervisor is not None:
            supervisor.stop("cancelled", f"cancelled by {by}")
        else:
            self._leave_queue(job_id, job.service)
            # Also a job that waits may have done something in an earlier attempt.
            self._supervise(job_id, self._pool(job.service))
        return job

    async def stop(self) -> None:
        """Stop in good order: what runs is interrupted and goes on when the server is started again."""
        self._stopping = True
        if self._tender is not None:
            self._tender.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._tender
        for timer in self._timers.values():
            timer.cancel()
        for supervisor in list(self._supervisors.values()):
            supervisor.shut_down()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for pool in self._pools.values():
            await pool.close()
        await self._template.stop()

    # -- the turn of each job ----------------------------------------------------------------

    def _dispatch(self, service: str) -> None:
        """Start as many jobs as instances may be at work."""
        queue, pool = self._queues[service], self._pools[service]
        running = sum(1 for each in self._supervisors.values() if each.pool is pool)
        while not self._stopping and len(queue) and running < pool.service.max_instances:
            job_id = queue.pop()
            assert job_id is not None
            self._cancel_timer(job_id)
            self._supervise(job_id, pool)
            running += 1

    def _supervise(self, job_id: str, pool: Pool) -> None:
        supervisor = Supervisor(job_id, pool, self._store, self._files, self._catalog)
        self._supervisors[job_id] = supervisor
        task = asyncio.get_running_loop().create_task(self._see_through(supervisor))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _see_through(self, supervisor: Supervisor) -> None:
        job_id = supervisor.job_id
        again = False
        try:
            again = await supervisor.run()
        except Exception:
            # A fault of ours or of the disk. The job must not hang for ever in front of its owner.
            log.exception("supervising failed", job=job_id)
            await self._give_up(job_id)
        finally:
            del self._supervisors[job_id]
        if again and not self._stopping:
            self.put(await self._store.get(job_id), front=True)
        elif supervisor.pool.service.name in self._queues:
            self._dispatch(supervisor.pool.service.name)

    async def _give_up(self, job_id: str) -> None:
        try:
            await self._store.append(
                job_id, ev.Failed(at=_now(), error="the server met an error of its own; its log tells more")
            )
        except Exception:
            # The store is gone, then. After a restart the job is taken up like any other.
            log.exception("the failure could not be recorded", job=job_id)

    def _waited_too_long(self, job_id: str, service: str, limit: float) -> None:
        self._timers.pop(job_id, None)
        if self._queues[service].remove(job_id):
            reason = f"the job waited longer than the {limit:g} s its service allows"
            task = asyncio.get_running_loop().create_task(self._time_out(job_id, reason))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _time_out(self, job_id: str, reason: str) -> None:
        with contextlib.suppress(IllegalMove):  # cancelled in this very moment
            job = await self._store.get(job_id)
            await self._store.append(
                job_id,
                ev.MessageAdded(
                    at=_now(), attempt=job.attempt, level="error", text=reason[0].upper() + reason[1:]
                ),
                ev.TimedOut(at=_now(), error=reason),
            )

    def _leave_queue(self, job_id: str, service: str) -> None:
        if service in self._queues:
            self._queues[service].remove(job_id)
        self._cancel_timer(job_id)

    def _cancel_timer(self, job_id: str) -> None:
        timer = self._timers.pop(job_id, None)
        if timer is not None:
            timer.cancel()

    def _pool(self, service: str) -> Pool:
        return self._pools.get(service) or Pool(Service(name=service, min_instances=0), self._template)

    async def _tend(self) -> None:
        while True:
            await asyncio.sleep(TEND_EVERY)
            for pool in self._pools.values():
                pool.tend()

    # -- after a restart ---------------------------------------------------------------------

    async def _recover(self, jobs: Sequence[Job]) -> None:
        """Take up jobs that an earlier server process left unfinished."""
        for job in jobs:
            if job.pid:
                # First of all: nothing of a job may run twice at the same time.
                await asyncio.to_thread(kill_leftovers, job.pid, job.born, job.id)
            try:
                await self._take_up(job)
            except (IllegalMove, UnknownJob):
                log.exception("not taken up", job=job.id)

    async def _take_up(self, job: Job) -> None:
        if job.status.queued:
            self.put(job)
        elif job.status is Status.CANCELLING or job.rolling_back:
            self._supervise(job.id, self._pool(job.service))
        elif job.status is Status.PAUSED:
            return
        else:
            await self._take_up_running(job)

    async def _take_up_running(self, job: Job) -> None:
        operation = self._catalog.get(job.service, job.operation)
        now = _now()
        reason = "the server stopped while the job ran"
        if operation is not None and operation.resume and job.attempt < MAX_ATTEMPTS:
            said = f"The server stopped while the job ran; it goes on from its last finished step ({len(job.steps)} kept)"
            job = await self._store.append(
                job.id,
                ev.MessageAdded(at=now, attempt=job.attempt, level="warning", text=said),
                ev.Interrupted(at=now, attempt=job.attempt, reason=reason, crash=False),
            )
            self.put(job, front=True)
            return
        if job.attempt >= MAX_ATTEMPTS:
            reason = f"{reason}, and it was tried {job.attempt} times"
        await self._store.append(
            job.id, ev.RollbackStarted(at=now, attempt=job.attempt, outcome="failed", reason=reason)
        )
        self._supervise(job.id, self._pool(job.service))


def _now() -> int:
    return time.time_ns() // 1_000_000
