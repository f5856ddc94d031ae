"""What administrators configure of services, brought about while jobs run."""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from typing import Any

import structlog
from msgspec.structs import asdict

from milepost.configuration import Configuration, ConfigurationError, Configurations
from milepost.engine.attempt import ReconfigureError
from milepost.engine.instances import StartError
from milepost.engine.pool import Pool
from milepost.engine.turns import Turns
from milepost.jobs import UNFINISHED, IllegalMove, JobFilter, Page
from milepost.jobs import events as ev
from milepost.operations import Catalog
from milepost.store import JobStore

log = structlog.get_logger("milepost.engine")


class Services:
    """Lets the services of a catalog be as they are configured."""

    def __init__(
        self,
        store: JobStore,
        catalog: Catalog,
        configurations: Configurations,
        pools: Mapping[str, Pool],
        turns: Turns,
    ):
        """Of an engine.

        Args:
            store: where the jobs are.
            catalog: the operations; it is told the settings in force.
            configurations: what is configured.
            pools: by service.
            turns: of the jobs.
        """
        self._store = store
        self._catalog = catalog
        self._configurations = configurations
        self._pools = pools
        self._turns = turns
        self._reading = asyncio.Lock()
        self._running: dict[str, bool] = {}
        """Whether each service is started, as far as that has been brought about."""

    async def start(self) -> None:
        """Go by what is configured before any job runs.

        Raises:
            ConfigurationError: it cannot be read.
        """
        for name, wanted in (await asyncio.to_thread(self._configurations.all)).items():
            if name not in self._pools:
                log.warning("a configured service is not there: no code declares it", service=name)
                continue
            self._configure(wanted)
            self._catalog.configure(self._pools[name].service, offered=not wanted.deleted)
        self._running = {name: pool.started for name, pool in self._pools.items()}

    def closed(self, service: str) -> str:
        """Why a service takes no jobs; empty when it does."""
        pool = self._pools.get(service)
        if pool is None or pool.started:
            return ""
        return "stopped" if service in self._catalog.services else "deleted"

    def running(self, service: str) -> bool:
        """Whether a service is started, and not only to be so; while it is being stopped it still is."""
        return self._running.get(service, False)

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
            self._turns.dispatch(name)
            await pool.renew()
        except (ConfigurationError, StartError) as error:
            raise ReconfigureError(str(error)) from error
        if wanted.deleted:
            await self._turns.until_idle(pool, revision)
            await self._end_all(name, wanted.changed_by)
        if not pool.started:
            await self._turns.until_idle(pool, revision)
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
        self._turns.settings_changed(name)

    async def go_back(self, name: str) -> None:
        """Do as is configured of a service again, after a change of it was undone."""
        try:
            await self.reconfigure(name)
        except ReconfigureError as error:
            log.error("a service is not as it is configured", service=name, reason=str(error))

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


def _now() -> int:
    return time.time_ns() // 1_000_000
