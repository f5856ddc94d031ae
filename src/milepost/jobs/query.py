"""Which jobs someone asks for, and the pages they come in."""

from collections.abc import Sequence

import msgspec

from milepost.jobs.job import Job
from milepost.jobs.status import Status


class JobFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What a job must match; an empty field matches every job.

    Times are UTC milliseconds since the epoch, both ends included.
    """

    statuses: frozenset[Status] = frozenset()
    deleted: bool = False
    """Whether jobs that are deleted count, when no statuses are named."""
    owner: str = ""
    service: str = ""
    service_type: str = ""
    """Such as ``GPServer``."""
    operation: str = ""
    worker: str = ""
    """Name of the machine of the last attempt."""
    submitted_from: int | None = None
    submitted_to: int | None = None
    ended_to: int | None = None
    """Only jobs that have ended, by this time."""

    def matches(self, job: Job) -> bool:
        """Whether ``job`` is one of those asked for: the rule that every store must agree with."""
        return (
            (job.status in self.statuses if self.statuses else self.deleted or job.status != Status.DELETED)
            and (not self.owner or job.owner == self.owner)
            and (not self.service or job.service == self.service)
            and (not self.service_type or type_of_service(job.service) == self.service_type)
            and (not self.operation or job.operation == self.operation)
            and (not self.worker or job.worker == self.worker)
            and (self.submitted_from is None or job.submitted_at >= self.submitted_from)
            and (self.submitted_to is None or job.submitted_at <= self.submitted_to)
            and (self.ended_to is None or (job.status.ended and job.ended_at <= self.ended_to))
        )


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a list: ``limit`` jobs after skipping ``offset``.

    Newest submissions come first, unless ``oldest_first``.
    """

    limit: int = 25
    offset: int = 0
    oldest_first: bool = False


class JobPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of a list of jobs."""

    jobs: Sequence[Job]
    more: bool
    """Whether jobs follow after this page."""


def type_of_service(service: str) -> str:
    """The type that the full name of a service ends with, such as ``GPServer``."""
    return service.rpartition(".")[2]
