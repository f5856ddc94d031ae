"""Changes of services that are under way: of one service one at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Set
from pathlib import Path
from typing import Any, Final

from starlette.responses import Response

from milepost.configuration import Configuration, ConfigurationError, Configurations
from milepost.http import Answer, Call, ServiceError
from milepost.jobs import UNFINISHED, Job, JobFilter, Page
from milepost.manager import JobManager
from milepost.operations import Operation
from milepost.servers.enterprise import wire
from milepost.servers.enterprise.operations.services import SERVICES
from milepost.servers.enterprise.starting import run_as_job

PATIENCE: Final = 3.0
"""Seconds that a change waits for the end of another one: clients often go on before that."""


class ServiceChanges:
    """Hands changes of services to the operations that carry them out."""

    def __init__(self, manager: JobManager, data: Path):
        """For the services of one site."""
        self._manager = manager
        self._configurations: Final = Configurations(data)
        self._submitting: set[str] = set()
        """Services of which a change is about to become a job."""

    async def configured(self) -> dict[str, Configuration]:
        """What is configured of all services that were ever changed, by name.

        Raises:
            ServiceError: 500, it cannot be read.
        """
        try:
            return await asyncio.to_thread(self._configurations.all)
        except ConfigurationError as error:
            raise ServiceError(500, str(error)) from None

    async def of(self, service: str) -> Configuration:
        """What is configured of one service.

        Raises:
            ServiceError: 500, it cannot be read.
        """
        try:
            return await asyncio.to_thread(self._configurations.read, service)
        except ConfigurationError as error:
            raise ServiceError(500, str(error)) from None

    async def carry_out(
        self,
        call: Call,
        operation: Operation[..., Any],
        services: Collection[str],
        values: Callable[[], Awaitable[Mapping[str, Any]]],
        *,
        name: str,
        resource: str,
    ) -> Answer | Response:
        """Run an operation that changes services as a job.

        Args:
            call: what the client sent.
            operation: to run.
            services: full names of those that it changes.
            values: gives its inputs, but for who wants it; called when nothing else changes the services any
                more, so that they go by what is configured then.
            name: of the operation in the admin API.
            resource: what it works on.

        Raises:
            ServiceError: 400, one of them is being changed already; 500, the job did not succeed.
        """
        claimed = set(services)
        if taken := claimed & self._submitting:
            raise _busy(min(taken), "another request")
        self._submitting |= claimed

        def release(_: Job | None = None) -> None:
            nonlocal claimed
            self._submitting -= claimed
            claimed = set()

        try:
            await self._refuse_changing(claimed)
            inputs = {**await values(), "by": call.person.username}
            return await run_as_job(
                self._manager,
                call,
                operation,
                inputs,
                name=name,
                resource=resource,
                accepted=release,
            )
        finally:
            release()

    async def _refuse_changing(self, services: Set[str]) -> None:
        """Wait a moment for the end of jobs that change one of the services."""
        wanted = JobFilter(service=SERVICES.name, statuses=UNFINISHED)
        for job in (await self._manager.find(wanted, Page(limit=1000))).jobs:
            if changed := services & await self._changed_by(job):
                try:
                    await asyncio.wait_for(self._manager.finished(job.id), PATIENCE)
                except TimeoutError:
                    raise _busy(min(changed), f"the job {wire.job_id(job)}") from None

    async def _changed_by(self, job: Job) -> set[str]:
        changed = await self._manager.value(job, job.inputs.get("service") or job.inputs["services"])
        return {changed} if isinstance(changed, str) else set(changed)


def _busy(service: str, by: str) -> ServiceError:
    return ServiceError(
        400, f"The service {service} is being changed by {by}; wait for its end, or cancel it"
    )
