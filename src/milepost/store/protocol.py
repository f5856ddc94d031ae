"""What every store of jobs offers. One behavioural test suite is run against each of them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from milepost.jobs import Job, JobFilter, JobPage, Page
from milepost.jobs.events import AnyEvent, Event


class StoreError(Exception):
    """The store cannot do its work now; the text says why. Nothing of the request was kept."""


class UnknownJob(LookupError):  # noqa: N818 - reads as the answer it is
    """There is no job of that id."""

    def __init__(self, job_id: str):
        super().__init__(f"there is no job {job_id}")
        self.job_id = job_id


class Recorded(msgspec.Struct, frozen=True):
    """An event as it stands in the history of a job; the first has sequence 1."""

    sequence: int
    event: AnyEvent


class Submission(msgspec.Struct, frozen=True):
    """What became of a submission."""

    job: Job
    created: bool
    """False when the same owner had used the same key before: ``job`` is that earlier job."""


Listener = Callable[[Job, Sequence[Recorded]], None]
"""Called in the event loop after a commit, with the job and the events that were new."""


class JobStore(Protocol):
    """Where jobs live. Every change is appended events; nothing is seen before it is durable.

    Changes that arrive together share a transaction. All methods may be called from any task of
    the event loop that opened the store.
    """

    async def submit(
        self,
        job_id: str,
        *events: Event,
        payloads: Mapping[str, bytes] | None = None,
    ) -> Submission:
        """Begin a job with a ``Submitted`` event and what follows it; returns once it is durable.

        Raises:
            StoreError: it could not be made durable; there is no job.
        """

    async def append(self, job_id: str, *events: Event, payloads: Mapping[str, bytes] | None = None) -> Job:
        """Append events to a job, all or none; returns the job they lead to once it is durable.

        Raises:
            UnknownJob: there is no such job.
            IllegalMove, StaleAttempt: an event does not fit; nothing is appended.
            StoreError: it could not be made durable.
        """

    def seen(self, job_id: str) -> Job | None:
        """The job when it is at hand in memory: never stale, touches no database."""

    async def get(self, job_id: str) -> Job:
        """The job as last committed.

        Raises:
            UnknownJob: there is no such job.
        """

    async def find(self, wanted: JobFilter, page: Page) -> JobPage:
        """One page of the jobs that match."""

    async def count(self, wanted: JobFilter) -> int:
        """How many jobs match."""

    async def unfinished(self) -> Sequence[Job]:
        """Every job that has not ended, oldest first: what an engine takes up when it starts."""

    async def history(self, job_id: str, after: int = 0) -> Sequence[Recorded]:
        """The events of a job with a sequence above ``after``.

        Raises:
            UnknownJob: there is no such job.
        """

    async def payload(self, job_id: str, name: str) -> bytes:
        """A value kept beside the job.

        Raises:
            LookupError: there is none of that name.
        """

    async def drop_payloads(self, job_id: str) -> None:
        """Remove the values kept beside a job that is being deleted."""

    def listen(self, listener: Listener) -> None:
        """Have ``listener`` called after every commit."""

    async def close(self) -> None:
        """Finish what was accepted and let go of the database."""
