"""Jobs in one SQLite file: the embedded store."""

import asyncio
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import structlog

from milepost.jobs import Job, JobFilter, JobPage, Page
from milepost.jobs.events import Event, Submitted, decode
from milepost.store import queries, rows
from milepost.store.database import connect, open_database
from milepost.store.protocol import Listener, Recorded, StoreError, Submission, UnknownJob
from milepost.store.writer import Change, Writer, remember

log = structlog.get_logger("milepost.store")

T = TypeVar("T")

_READERS: Final = 2

_LONG: Final = 500
"""Events from which on a job in a list is kept at hand: folding them takes milliseconds."""


class SQLiteStore:
    """A ``JobStore`` in a file, in WAL mode with synchronous=FULL.

    One thread writes. Reads use connections of their own and never wait for it.
    """

    def __init__(self, path: Path):
        """Open the file, made if missing, and bring its schema up to date. Call it in the event loop.

        Raises:
            StoreError: the file is no database, or was written by a newer release.
        """
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._listeners: list[Listener] = []
        self._seen: OrderedDict[str, Job] = OrderedDict()
        self._gathered: list[Change] = []
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="store-reader")
        self._reader = threading.local()
        self._reader_connections: list[sqlite3.Connection] = []
        self._closed = False
        self._writer = Writer(open_database(path), self._committed)

    # -- changes -----------------------------------------------------------------------------

    async def submit(
        self, job_id: str, *events: Event, payloads: Mapping[str, bytes] | None = None
    ) -> Submission:
        """See ``JobStore.submit``."""
        if not events or not isinstance(events[0], Submitted):
            raise ValueError("a job begins with a Submitted event")
        submission: Submission = await self._change("submit", job_id, events, payloads or {})
        return submission

    async def append(self, job_id: str, *events: Event, payloads: Mapping[str, bytes] | None = None) -> Job:
        """See ``JobStore.append``."""
        job: Job = await self._change("append", job_id, events, payloads or {})
        return job

    async def drop_payloads(self, job_id: str) -> None:
        """See ``JobStore.drop_payloads``."""
        await self._change("drop payloads", job_id, (), {})

    def _change(
        self,
        kind: Literal["submit", "append", "drop payloads"],
        job_id: str,
        events: tuple[Event, ...],
        payloads: Mapping[str, bytes],
    ) -> "asyncio.Future[Any]":
        self._check_open()
        future: asyncio.Future[Any] = self._loop.create_future()
        if not self._gathered:
            self._loop.call_soon(self._hand_over)
        self._gathered.append(Change(future, kind, job_id, events, payloads))
        return future

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError("the store is closed")

    def _hand_over(self) -> None:
        """At the end of a turn of the event loop: give the writer what came in during it.

        Were each change given at once, the two threads would take the interpreter's lock from each
        other at every statement, which costs more than the statements do.
        """
        changes, self._gathered = self._gathered, []
        if changes:
            self._writer.put(changes)

    def _committed(self, batch: list[Change]) -> None:
        """In the writer's thread: once a batch, not once a change, since waking the loop costs a system call."""
        self._loop.call_soon_threadsafe(self._publish, batch)

    def _publish(self, batch: list[Change]) -> None:
        """In the event loop: make a committed batch visible, then answer those who wait."""
        for change in batch:
            if change.job is not None:
                remember(self._seen, change.job)
                for listener in self._listeners:
                    try:
                        listener(change.job, change.recorded)
                    except Exception:
                        # The others must learn of their commits all the same.
                        log.exception("a listener failed", job=change.job_id)
        for change in batch:
            if change.future.done():  # the one who waited was cancelled; the change stands
                continue
            if isinstance(change.outcome, Exception):
                change.future.set_exception(change.outcome)
            else:
                change.future.set_result(change.outcome)

    # -- reads -------------------------------------------------------------------------------

    def seen(self, job_id: str) -> Job | None:
        """See ``JobStore.seen``."""
        return self._seen.get(job_id)

    async def get(self, job_id: str) -> Job:
        """See ``JobStore.get``."""
        job = self._seen.get(job_id)
        return job or self._newest(await self._read(lambda connection: rows.load(connection, job_id)))

    async def find(self, wanted: JobFilter, page: Page) -> JobPage:
        """See ``JobStore.find``."""

        def read(connection: sqlite3.Connection) -> list[Job]:
            numbers = [row[0] for row in connection.execute(*queries.page_query(wanted, page))]
            return rows.load_many(connection, numbers, self._seen)

        # Not as they are by now: a page must show its jobs as they matched.
        jobs = await self._read(read)
        self._keep_long(jobs)
        return JobPage(jobs=jobs[: page.limit], more=len(jobs) > page.limit)

    async def count(self, wanted: JobFilter) -> int:
        """See ``JobStore.count``."""
        sql, values = queries.count_query(wanted)
        found: int = await self._read(lambda connection: connection.execute(sql, values).fetchone()[0])
        return found

    async def unfinished(self) -> Sequence[Job]:
        """See ``JobStore.unfinished``."""

        def read(connection: sqlite3.Connection) -> list[Job]:
            numbers = [row[0] for row in connection.execute(*queries.unfinished_query())]
            return rows.load_many(connection, numbers)

        jobs = await self._read(read)
        self._keep_long(jobs)
        return jobs

    async def history(self, job_id: str, after: int = 0) -> Sequence[Recorded]:
        """See ``JobStore.history``."""

        def read(connection: sqlite3.Connection) -> list[Recorded]:
            if not connection.execute(rows.NUMBER, (job_id,)).fetchone():
                raise UnknownJob(job_id)
            found = connection.execute(rows.HISTORY, (job_id, after))
            return [Recorded(sequence, decode(body)) for sequence, body in found]

        return await self._read(read)

    async def payload(self, job_id: str, name: str) -> bytes:
        """See ``JobStore.payload``."""
        row = await self._read(lambda connection: connection.execute(rows.PAYLOAD, (job_id, name)).fetchone())
        if row is None:
            raise LookupError(f"job {job_id} has no payload {name!r}")
        body: bytes = row[0]
        return body

    def listen(self, listener: Listener) -> None:
        """See ``JobStore.listen``."""
        self._listeners.append(listener)

    async def close(self) -> None:
        """See ``JobStore.close``."""
        if self._closed:
            return
        self._closed = True
        self._hand_over()
        await asyncio.to_thread(self._writer.finish)
        await asyncio.to_thread(self._readers.shutdown)
        for connection in self._reader_connections:
            connection.close()

    async def _read(self, function: Callable[[sqlite3.Connection], T]) -> T:
        def call() -> T:
            try:
                connection: sqlite3.Connection | None = getattr(self._reader, "connection", None)
                if connection is None:
                    connection = self._reader.connection = connect(self._path)
                    self._reader_connections.append(connection)
                # Several statements of one read must see one state.
                connection.execute("BEGIN")
                try:
                    return function(connection)
                finally:
                    connection.execute("ROLLBACK")
            except sqlite3.Error as error:
                raise StoreError(f"the store cannot be read: {error}") from error

        self._check_open()
        return await self._loop.run_in_executor(self._readers, call)

    def _newest(self, job: Job) -> Job:
        """What is at hand when a commit overtook the read, else ``job``, from now on at hand."""
        at_hand = self._seen.get(job.id)
        if at_hand is not None and at_hand.sequence >= job.sequence:
            return at_hand
        remember(self._seen, job)
        return job

    def _keep_long(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            if job.sequence >= _LONG:
                self._newest(job)
