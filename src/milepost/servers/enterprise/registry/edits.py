"""Edits of the registry that are under way: one at a time, and nothing of it is left after its end."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog
from starlette.responses import Response

from milepost.http import Answer, Call, ServiceError
from milepost.jobs import UNFINISHED, Job, JobFilter, Page
from milepost.manager import JobManager
from milepost.servers.enterprise import wire
from milepost.servers.enterprise.operations.registries import SERVICE, edit_container_registry
from milepost.servers.enterprise.registry.asking import read_change
from milepost.servers.enterprise.registry.configuration import NAME, Configuration, Registry
from milepost.servers.enterprise.starting import run_as_job

log = structlog.get_logger("milepost.enterprise")


class _Edit:
    """An edit under way."""

    def __init__(self) -> None:
        self.change = ""
        """Id of the change; empty until it is written down."""
        self.job: Job | None = None
        """As it was accepted; None before."""
        self.settled: asyncio.Task[None] | None = None
        """Ends when nothing of the edit is left."""


class RegistryEdits:
    """Hands changes to the operation that carries them out, and removes their secrets once it has ended."""

    def __init__(self, data: Path, manager: JobManager, networks: Sequence[str] = ()):
        """For the registry of a data folder; ``networks`` are those where private addresses are allowed."""
        self._configuration: Final = Configuration(data)
        self._manager = manager
        self._networks = tuple(networks)
        self._current: _Edit | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Take up the edit that an earlier process left, or remove what is left of one."""
        wanted = JobFilter(service=SERVICE.name, statuses=UNFINISHED)
        jobs = {
            await self._manager.value(job, job.inputs["change"]): job
            for job in (await self._manager.find(wanted, Page())).jobs
        }
        for change in await asyncio.to_thread(self._configuration.changes):
            if change in jobs:
                self._current = _Edit()
                self._current.change = change
                self._follow(self._current, jobs[change])
            else:
                await asyncio.to_thread(self._configuration.remove_change, change)

    async def stop(self) -> None:
        """Leave the rest to the next process."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def registry(self) -> Registry:
        """The registry as it is.

        Raises:
            SecurityError: it cannot be read.
        """
        return await asyncio.to_thread(self._configuration.registry)

    async def edit(self, call: Call, text: str) -> Answer | Response:
        """Have the registry edited, and answer as the documents do.

        Args:
            call: what the client sent.
            text: the JSON of the registry as it is to be.

        Raises:
            InputError: it does not fit; there is no job.
            ServiceError: 400, another edit is under way; 500, the job did not succeed.
            SecurityError: the files of the registry cannot be used.
        """
        edit = await self._begin()
        try:
            registry = await self.registry()
            change = read_change(text, registry, self._networks)
            edit.change = await asyncio.to_thread(self._configuration.add_change, change)
            return await run_as_job(
                self._manager,
                call,
                edit_container_registry,
                {"change": edit.change},
                name="editContainerRegistry",
                resource=f"{NAME} (id: {registry.id})",
                always_async=not change.credentials_only,
                accepted=lambda job: self._follow(edit, job),
            )
        finally:
            if edit.settled is None:
                await self._forget(edit)
            elif edit.job is not None and (await self._manager.get(edit.job.id)).status.ended:
                # Who waited for the end finds nothing left, and may edit again at once.
                await asyncio.shield(edit.settled)

    async def _begin(self) -> _Edit:
        """Be the only edit.

        Raises:
            ServiceError: 400, there is another one.
        """
        other = self._current
        if other is not None and other.job and (await self._manager.get(other.job.id)).status.ended:
            await self._forget(other)
        if self._current is not None:
            what = f"the job {wire.job_id(self._current.job)}" if self._current.job else "another request"
            raise ServiceError(
                400, f"The container registry is being edited by {what}; wait for its end, or cancel it"
            )
        self._current = _Edit()
        return self._current

    def _follow(self, edit: _Edit, job: Job) -> None:
        """Forget the edit once its job has ended, whether or not anybody waits for that."""
        edit.job = job
        edit.settled = asyncio.get_running_loop().create_task(self._settle(edit, job))
        self._tasks.add(edit.settled)
        edit.settled.add_done_callback(self._tasks.discard)

    async def _settle(self, edit: _Edit, job: Job) -> None:
        ended = await self._manager.finished(job.id)
        await self._forget(edit)
        log.info("container registry edit ended", job=job.id, status=ended.status.name.lower())

    async def _forget(self, edit: _Edit) -> None:
        """Remove what is kept of an edit; it does no harm twice."""
        if edit.change:
            await asyncio.to_thread(self._configuration.remove_change, edit.change)
        if self._current is edit:
            self._current = None
