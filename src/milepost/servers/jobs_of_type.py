"""The jobs of all services of one type, for the dialects whose resources name no service or no task."""

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from typing import Any, Final
from urllib.parse import quote, urlencode

from msgspec.structs import replace

from milepost.http import Call, not_found, plain, read_job_id
from milepost.jobs import IllegalMove, Job, JobFilter, JobPage, Page, Status
from milepost.manager import JobManager, UnknownJob
from milepost.operations import Operation
from milepost.security import Role

PAGING: Final = ("start", "num")
"""Parameters of every list."""

PAGE_LIMIT: Final = 1000
"""Jobs that one answer lists at most."""

_CHUNK: Final = 200
"""Jobs that are read at a time."""


class JobsOfType:
    """Finds jobs whose service has one type, and ends them, for the person who asks."""

    def __init__(self, manager: JobManager, service_type: str):
        """``service_type``: such as ``MissionServer``."""
        self._manager = manager
        self._type: Final = service_type

    async def get(self, call: Call, spelled: str, *, service: str = "") -> Job:
        """The job with an id as clients spell it.

        A job of somebody else, of another type or deleted is not there: its existence is not told.

        Args:
            call: who asks.
            spelled: the id, in the spelling of any dialect.
            service: the full name of its service, when that is asked for too.

        Raises:
            ServiceError: 404.
        """
        job_id = read_job_id(spelled)
        try:
            job = await self._manager.get(job_id) if job_id else None
        except UnknownJob:
            job = None
        if (
            job is None
            or job.status is Status.DELETED
            or job.service.rpartition(".")[2] != self._type
            or (service and job.service != service)
            or not (job.owner == call.person.username or sees_all(call))
        ):
            raise not_found(f"Job {spelled[:60]}")
        return job

    async def page(
        self,
        call: Call,
        wanted: JobFilter,
        *,
        services: Sequence[str] | None = None,
        matches: Callable[[Job], bool] | None = None,
        oldest_first: bool = False,
    ) -> JobPage:
        """The page of jobs that the call asks for: one's own jobs, or everybody's for administrators.

        Args:
            call: who asks, and with ``start`` and ``num`` for which part of the list.
            wanted: what the jobs must match; its owner counts for administrators only.
            services: full names; every service of the type without them.
            matches: what they must match beyond that.
            oldest_first: whether the list begins with the oldest job instead of the newest.

        Raises:
            ServiceError: 400, ``start`` or ``num`` is no number or too large.
        """
        start, limit = page_of(call)
        if not sees_all(call):
            wanted = replace(wanted, owner=call.person.username)
        names = self._services() if services is None else services
        if len(names) == 1 and matches is None:
            wanted = replace(wanted, service=names[0])
            return await self._manager.find(
                wanted, Page(limit=limit, offset=start - 1, oldest_first=oldest_first)
            )
        found: list[Job] = []
        number = 0
        async with aclosing(self._merged(wanted, names, oldest_first)) as jobs:
            async for job in jobs:
                if matches is not None and not matches(job):
                    continue
                if len(found) == limit:
                    return JobPage(jobs=found, more=True)
                number += 1
                if number >= start:
                    found.append(job)
        return JobPage(jobs=found, more=False)

    def _services(self) -> list[str]:
        return [name for name, each in self._manager.catalog.services.items() if each.type == self._type]

    async def _merged(
        self, wanted: JobFilter, services: Sequence[str], oldest_first: bool
    ) -> AsyncGenerator[Job, None]:
        """The jobs of several services in one order, read as they are taken."""
        streams = [self._of_service(replace(wanted, service=name), oldest_first) for name in services]
        heads = [(job, stream) for stream in streams if (job := await anext(stream, None))]
        first = min if oldest_first else max
        while heads:
            index = first(range(len(heads)), key=lambda each: heads[each][0].submitted_at)
            job, stream = heads[index]
            yield job
            after = await anext(stream, None)
            if after is None:
                del heads[index]
            else:
                heads[index] = after, stream

    async def _of_service(self, wanted: JobFilter, oldest_first: bool) -> AsyncGenerator[Job, None]:
        offset = 0
        before: set[str] = set()
        while True:
            page = await self._manager.find(
                wanted, Page(limit=_CHUNK, offset=offset, oldest_first=oldest_first)
            )
            for job in page.jobs:
                # New jobs move the older ones on: the first of this page may be the last of the one before.
                if job.id not in before:
                    yield job
            if not page.more:
                return
            before = {job.id for job in page.jobs}
            offset += len(page.jobs)

    async def cancel(self, job: Job, by: str) -> Job | None:
        """Ask for the end of a job; None when it has ended already.

        Args:
            job: the job.
            by: who asks.
        """
        try:
            return await self._manager.cancel(job.id, by)
        except IllegalMove:
            job = await self._manager.get(job.id)
            return job if job.status is Status.CANCELLING else None

    async def inputs(self, job: Job, names: Iterable[str] | None = None) -> dict[str, Any]:
        """The values of the inputs, by name; only of ``names`` when given.

        Raises:
            LookupError: they were removed with the job.
        """
        wanted = job.inputs if names is None else [name for name in names if name in job.inputs]
        return {name: await self._manager.value(job, job.inputs[name]) for name in wanted}

    async def results(self, call: Call, job: Job) -> dict[str, Any]:
        """The values of the results, by name; of a file its URL.

        Raises:
            LookupError: they were removed with the job.
        """
        files = self._files(job)
        values = {}
        for name, kept in job.results.items():
            value = await self._manager.value(job, kept)
            values[name] = _url(call, job, value) if name in files else value
        return values

    async def product_url(self, call: Call, job: Job) -> str:
        """The URL of the first file among the results; empty when there is none.

        Raises:
            LookupError: it was removed with the job.
        """
        for name in self._files(job):
            if name in job.results:
                url = _url(call, job, await self._manager.value(job, job.results[name]))
                if isinstance(url, list):
                    url = url[0] if url else ""
                if url:
                    return str(url)
        return ""

    def _files(self, job: Job) -> list[str]:
        operation: Operation[..., Any] | None = self._manager.catalog.get(job.service, job.operation)
        return (
            [each.name for each in operation.outputs if each.kind in ("raster", "file")] if operation else []
        )


def sees_all(call: Call) -> bool:
    """Whether the person who asks may see the jobs of others."""
    return call.person.role is Role.ADMINISTRATOR


def page_of(call: Call) -> tuple[int, int]:
    """Which page is asked for: the number of its first job, from 1, and how many jobs at most.

    Raises:
        ServiceError: 400, a parameter is no number or too large.
    """
    given = call.parameters
    start = given.number("start", 1, least=1, most=10_000_000)
    return start, given.number("num", PAGE_LIMIT, least=1, most=PAGE_LIMIT)


def following(call: Call, kept: Sequence[str] = ()) -> str:
    """The URL of the page after this one; the parameters in ``kept`` stay as they are."""
    start, limit = page_of(call)
    pairs = [(name, call.parameters.get(name)) for name in kept if call.parameters.get(name)]
    return f"{call.path}?{urlencode([*pairs, ('start', start + limit), ('num', limit)])}"


def _url(call: Call, job: Job, value: Any) -> Any:
    if isinstance(value, list):
        return [_url(call, job, each) for each in value]
    if not isinstance(value, dict):
        return value
    return f"{call.base}/rest/directories/jobs/{plain(job.id)}/{quote(value['file'])}"
