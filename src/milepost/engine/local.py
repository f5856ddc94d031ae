"""The embedded engine: runs the jobs of one store on this machine."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

import structlog
from msgspec.structs import asdict

from milepost.configuration import Configuration, ConfigurationError, Configurations, restore
from milepost.engine.accounts import interruption
from milepost.engine.attempt import ReconfigureError
from milepost.engine.instances import StartError, Template
from milepost.engine.pool import TEND_EVERY, Pool
from milepost.engine.processes import kill_leftovers
from milepost.engine.queue import Queue
from milepost.engine.supervisor import MAX_ATTEMPTS, Supervisor
from milepost.jobs import UNFINISHED, IllegalMove, Job, JobFilter, Page, Status
from milepost.jobs import events as ev
from milepost.operations import Catalog, Service, function_name
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
    """Gives every job its turn and a supervisor, and takes up what a stopped server left.

    It listens to the store: what is durable is run, and what is to be cancelled is stopped, whoever
    asked for it and whether or not they waited for the answer. The queues are in memory only.
    """

    def __init__(self, store: JobStore, files: FileStore, catalog: Catalog, sources: Sequence[str]):
        """For the operations of ``catalog``, which instances load from ``sources``."""
        self._store = store
        self._files = files
        self._catalog = catalog
        self._template = Template(files.root, sources)
        self._pools = {name: Pool(service, self._template) for name, service in catalog.services.items()}
        self._queues = {name: Queue() for name in catalog.services}
        self._configurations = Configurations(files.root)
        self._reading = asyncio.Lock()
        self._running: dict[str, bool] = {}
        """Whether each service is started, as far as that has been brought about."""
        self._changes = {name: asyncio.Event() for name in catalog.services}
        """Set whenever a service has fewer jobs at work, or other settings."""
        self._supervisors: dict[str, Supervisor] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._tender: asyncio.Task[None] | None = None
        self._open = False
        """Whether jobs are run: between start and stop."""
        store.listen(self._committed)

    async def start(self) -> None:
        """Take up every unfinished job and start the instances to keep ready.

        Raises:
            StartError: the operations cannot be loaded in a process of their own.
            ConfigurationError: what is configured of the services cannot be read.
        """
        jobs = await self._store.unfinished()
        await self._take_configurations()
        await asyncio.gather(self._template.start(), asyncio.to_thread(self._tidy, jobs))
        self._open = True
        self._tender = self._start(self._tend())
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
        queue, pool = self._queues.get(service), self._pools.get(service)
        return bool(queue) or (pool is not None and pool.full)

    async def stop(self) -> None:
        """Stop in good order: what runs is interrupted and goes on when the server is started again."""
        self._open = False
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        for supervisor in list(self._supervisors.values()):
            supervisor.shut_down()
        if self._tender is not None:
            self._tender.cancel()
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        for pool in self._pools.values():
            await pool.close()
        await self._template.stop()

    def _committed(self, job: Job, recorded: Sequence[Recorded]) -> None:
        """What the store made durable becomes what is done."""
        for each in recorded:
            match each.event:
                case ev.Submitted():
                    self._put(job)
                case ev.CancelRequested(by=by):
                    self._stop_work(job, by)
                case ev.PauseRequested():
                    self._hold(job)
                case ev.ResumeRequested():
                    self._resume(job)
                case ev.RolledBack(number=number) if job.rollbacks[number].function == RESTORE:
                    self._start(self._go_back(str(job.rollbacks[number].arguments[0])))

    def _stop_work(self, job: Job, by: str) -> None:
        supervisor = self._supervisors.get(job.id)
        if supervisor is not None:
            supervisor.stop("cancelled", f"cancelled by {by}")
            return
        self._take_out(job)
        # Also a job that waits may have done something in an earlier attempt.
        self._supervise(job)

    def _hold(self, job: Job) -> None:
        supervisor = self._supervisors.get(job.id)
        if supervisor is not None:
            supervisor.hold()
        else:
            self._take_out(job)
            self._start(self._go_on(job.id, _OWN_FAULT))

    def _resume(self, job: Job) -> None:
        supervisor = self._supervisors.get(job.id)
        if supervisor is not None:
            supervisor.resume()
            self._dispatch(job.service)
        else:
            self._start(self._go_on(job.id, _OWN_FAULT))

    def _take_out(self, job: Job) -> None:
        """A job that waits must not have its turn."""
        if job.service in self._queues:
            self._queues[job.service].remove(job.id)
        self._cancel_timer(job.id)

    # -- the turn of each job ----------------------------------------------------------------

    def _put(self, job: Job, *, front: bool = False) -> None:
        """Let a job have its turn."""
        queue = self._queues.get(job.service)
        if queue is None:  # the service is no longer offered; its supervisor says so
            self._supervise(job)
            return
        if job.id in self._supervisors:
            return
        queue.push(job.id, job.owner, job.priority, front=front)
        self._limit_wait(job)
        self._dispatch(job.service)

    def _limit_wait(self, job: Job) -> None:
        """Let a job wait as long as its service allows."""
        limit = self._pools[job.service].service.max_wait_time
        self._cancel_timer(job.id)
        if limit and not job.attempt:
            left = max(0.0, (job.submitted_at + job.paused_for) / 1000 + limit - time.time())
            self._later(job.id, left, lambda: self._time_out(job, limit))

    def _dispatch(self, service: str) -> None:
        """Let as many jobs work as the service has places: first those that hold still and are to go on."""
        if not self._open or service not in self._queues:
            return
        self._changes[service].set()
        queue, pool = self._queues[service], self._pools[service]
        if not pool.started:
            return
        seen_to = [each for each in self._supervisors.values() if each.pool is pool]
        free = pool.service.max_instances - sum(each.place.taken for each in seen_to)
        for supervisor in seen_to:
            if free > 0 and supervisor.waits_for_place:
                supervisor.take_place()
                free -= 1
        while free > 0 and (job_id := queue.pop()):
            self._cancel_timer(job_id)
            self._begin(job_id, pool)
            free -= 1

    def _supervise(self, job: Job) -> None:
        """Have a job seen through without waiting for its turn."""
        if self._open and job.id not in self._supervisors:
            pool = self._pools.get(job.service)
            self._begin(job.id, pool or Pool(Service(name=job.service, min_instances=0), self._template))

    def _begin(self, job_id: str, pool: Pool) -> None:
        supervisor = Supervisor(
            job_id,
            pool,
            self._store,
            self._files,
            self._catalog,
            place_given=lambda: self._dispatch(pool.service.name),
            reconfigure=self.reconfigure,
        )
        self._supervisors[job_id] = supervisor
        self._start(self._see_through(supervisor))

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
        if failed:
            self._take_up_later(job_id)
        else:
            await self._go_on(job_id, _OWN_FAULT)
        self._dispatch(supervisor.pool.service.name)

    async def _give_up(self, job_id: str) -> None:
        """A fault of ours. The job must not hang for ever in front of its owner, nor leave its effects behind."""
        reason = "the server met an error of its own; its log tells more"
        job = await self._store.get(job_id)
        event: ev.Event = ev.Failed(at=_now(), error=reason)
        if job.undo_list() and not job.rolling_back:
            event = ev.RollbackStarted(at=_now(), attempt=job.attempt, outcome="failed", reason=reason)
        with contextlib.suppress(IllegalMove):  # it has ended
            await self._store.append(job_id, event)

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
            self._take_up_later(job.id)

    def _later(self, job_id: str, delay: float, what: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do something about a job after ``delay`` seconds, unless its turn or a cancel comes before."""

        def now() -> None:
            del self._timers[job_id]
            self._start(what())

        self._cancel_timer(job_id)
        self._timers[job_id] = asyncio.get_running_loop().call_later(delay, now)

    def _take_up_later(self, job_id: str) -> None:
        if self._open:
            reason = "the store could not be written while the job ran"
            self._later(job_id, STORE_RETRY, lambda: self._go_on(job_id, reason))

    def _cancel_timer(self, job_id: str) -> None:
        timer = self._timers.pop(job_id, None)
        if timer is not None:
            timer.cancel()

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _tend(self) -> None:
        while True:
            await asyncio.sleep(TEND_EVERY)
            for pool in self._pools.values():
                pool.tend()

    # -- settings of services ----------------------------------------------------------------

    def closed(self, service: str) -> str:
        """Why a service takes no jobs; empty when it does."""
        pool = self._pools.get(service)
        if pool is None or pool.started:
            return ""
        return "stopped" if service in self._catalog.services else "deleted"

    def running(self, service: str) -> bool:
        """Whether a service is started, and not only to be so; while it is being stopped it still is."""
        return self.ready and self._running.get(service, False)

    async def reconfigure(self, name: str) -> dict[str, Any]:
        """Do as is configured of a service; returns once that is so.

        Jobs that are at work go on with the settings under which they began. Those that wait go by the
        new ones. A service that is stopped is so once nothing of it is at work any more.

        Returns:
            The settings in force, by name.

        Raises:
            ReconfigureError: it cannot be done, or something else was configured in between.
        """
        pool = self._pools.get(name)
        if pool is None:
            raise ReconfigureError(f"the service {name} is not there: no code declares it")
        try:
            async with self._reading:
                wanted = await asyncio.to_thread(self._configurations.read, name)
                self._configure(wanted)
                revision = pool.revision
            self._dispatch(name)
            await pool.renew()
        except (ConfigurationError, StartError) as error:
            raise ReconfigureError(str(error)) from error
        if wanted.deleted:
            await self._until_idle(pool, revision)
            await self._end_all(name, wanted.changed_by)
        if not pool.started:
            await self._until_idle(pool, revision)
        if pool.revision != revision:
            raise ReconfigureError(f"the service {name} was changed again before this change was done")
        self._running[name] = pool.started
        self._catalog.configure(pool.service, offered=not wanted.deleted)
        log.info("reconfigured", service=name, revision=wanted.revision, started=pool.started)
        return asdict(pool.service)

    def _configure(self, wanted: Configuration) -> None:
        """Go by what is configured from now on."""
        name = wanted.service
        service = wanted.of(self._catalog.declared[name])
        self._pools[name].configure(service, started=wanted.state == "STARTED" and not wanted.deleted)
        # One that is to be deleted stays on offer until it has ended its work.
        self._catalog.configure(service, offered=not wanted.deleted or name in self._catalog.services)
        self._changes[name].set()
        for job_id in self._queues[name].jobs():
            if (job := self._store.seen(job_id)) is not None:
                self._limit_wait(job)

    async def _take_configurations(self) -> None:
        for name, wanted in (await asyncio.to_thread(self._configurations.all)).items():
            if name not in self._pools:
                log.warning("a configured service is not there: no code declares it", service=name)
                continue
            self._configure(wanted)
            self._catalog.configure(self._pools[name].service, offered=not wanted.deleted)
        self._running = {name: pool.started for name, pool in self._pools.items()}

    async def _go_back(self, name: str) -> None:
        try:
            await self.reconfigure(name)
        except ReconfigureError as error:
            log.error("a service is not as it is configured", service=name, reason=str(error))

    async def _until_idle(self, pool: Pool, revision: int) -> None:
        """Wait until nothing of a service is at work, or something else is configured."""
        changed = self._changes[pool.service.name]
        while self._open and pool.revision == revision and self._at_work(pool):
            changed.clear()
            await changed.wait()

    def _at_work(self, pool: Pool) -> bool:
        return any(each.pool is pool and each.place.taken for each in self._supervisors.values())

    async def _end_all(self, service: str, by: str) -> None:
        """Cancel what waits or is paused, for it would never have its turn."""
        wanted, found = JobFilter(service=service, statuses=UNFINISHED), set[str]()
        more = True
        while more:
            page = await self._store.find(wanted, Page(limit=500, offset=len(found)))
            found.update(job.id for job in page.jobs)
            more = page.more
        for job_id in found:
            with contextlib.suppress(IllegalMove):
                await self._store.append(job_id, ev.CancelRequested(at=_now(), by=by))

    # -- jobs that nobody sees to ------------------------------------------------------------

    async def _go_on(self, job_id: str, reason: str) -> None:
        """Take up a job, if it has not ended and nobody does: after an attempt, a failure, a restart.

        Args:
            job_id: of the job.
            reason: why an attempt that seems to be at work is not.
        """
        try:
            job = await self._store.get(job_id)
            if job.status.ended or job_id in self._supervisors:
                return
            if job.status is Status.CANCELLING or job.rolling_back:
                self._supervise(job)
            elif job.status is Status.PAUSE_PENDING:
                # Dated as an interruption would be, for the sake of the time limit.
                await self._store.append(job.id, ev.Paused(at=job.updated_at, attempt=job.attempt))
            elif job.status is Status.PAUSED:
                return
            elif not job.under_way:
                # Before the owner's other jobs, if it waited before: it came before them then.
                self._put(job, front=job.attempt > 0 or job.status is Status.RESUME_PENDING)
            elif self._open:
                held = job.status in (Status.RESUME_PENDING, Status.RESUMED)
                await self._interrupt(
                    job, "the instance that held the paused job is gone" if held else reason
                )
        except IllegalMove:
            pass  # cancelled or resumed in this very moment, and taken up for that
        except StoreError as error:
            log.error("a job cannot be taken up", job=job_id, reason=str(error))
            self._take_up_later(job_id)

    async def _interrupt(self, job: Job, reason: str) -> None:
        operation = self._catalog.get(job.service, job.operation)
        if operation is not None and operation.resume and job.attempt < MAX_ATTEMPTS:
            # Dated to its last sign of life: the time that nobody worked is not the job's.
            events = interruption(job, job.updated_at, reason, crash=False)
            self._put(await self._store.append(job.id, *events), front=True)
            return
        if job.attempt >= MAX_ATTEMPTS:
            reason = f"{reason}, and it was tried {job.attempt} times"
        undo = ev.RollbackStarted(at=_now(), attempt=job.attempt, outcome="failed", reason=reason)
        self._supervise(await self._store.append(job.id, undo))


def _now() -> int:
    return time.time_ns() // 1_000_000
