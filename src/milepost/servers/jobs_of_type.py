"""The jobs of all services of one type, for the dialects whose resources name no service or no task."""

from collections.abc import Iterable, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from msgspec.structs import replace

from milepost.http import Call, no_job_id, not_found, read_job_id
from milepost.jobs import IllegalMove, Job, JobFilter, JobPage, Page, Status
from milepost.jobs.query import type_of_service
from milepost.manager import JobManager, UnknownJob
from milepost.security import Role
from milepost.servers.results import file_results, result_value

PAGING: Final = ("start", "num")
"""Parameters of every list."""

PAGE_LIMIT: Final = 1000
"""Jobs that one answer lists at most."""


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
            ServiceError: 404; 400, it is no id.
        """
        job_id = read_job_id(spelled)
        if not job_id:
            raise no_job_id(spelled)
        try:
            job = await self._manager.get(job_id)
        except UnknownJob:
            job = None
        if job is None or not self._of_type(call, JobFilter(service=service)).matches(job):
            raise not_found(f"Job {spelled[:60]}")
        return job

    async def page(self, call: Call, wanted: JobFilter, *, oldest_first: bool = False) -> JobPage:
        """The page of jobs that the call asks for: one's own jobs, or everybody's for administrators.

        Args:
            call: who asks, and with ``start`` and ``num`` for which part of the list.
            wanted: what the jobs must match; its owner counts for administrators only.
            oldest_first: whether the list begins with the oldest job instead of the newest.

        Raises:
            ServiceError: 400, ``start`` or ``num`` is no number or too large.
        """
        start, limit = page_of(call)
        return await self._manager.find(
            self._of_type(call, wanted), Page(limit=limit, offset=start - 1, oldest_first=oldest_first)
        )

    def _of_type(self, call: Call, wanted: JobFilter) -> JobFilter:
        """Of the jobs that are wanted, those of the type that the person who asks may see."""
        # The name of a service tells its type, and the store need not compare both.
        if type_of_service(wanted.service) != self._type:
            wanted = replace(wanted, service_type=self._type)
        return wanted if sees_all(call) else replace(wanted, owner=call.person.username)

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
        return {name: await result_value(self._manager, call, job, name) for name in job.results}

    async def product_url(self, call: Call, job: Job) -> str:
        """The URL of the first file among the results; empty when there is none.

        Raises:
            LookupError: it was removed with the job.
        """
        for name in file_results(self._manager, job):
            if name in job.results:
                url = await result_value(self._manager, call, job, name)
                if isinstance(url, list):
                    url = url[0] if url else ""
                if isinstance(url, str) and url:
                    return url
        return ""


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
