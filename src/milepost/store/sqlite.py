"""Jobs in one SQLite file: the embedded store."""

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from itertools import groupby
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import msgspec
import structlog

from milepost.jobs import (
    UNFINISHED,
    IllegalMove,
    Job,
    JobError,
    JobFilter,
    JobPage,
    Page,
    Status,
    apply,
    fold,
)
from milepost.jobs.events import Event, Submitted, decode, encode
from milepost.jobs.job import submit as begin
from milepost.store.protocol import Listener, Recorded, StoreError, Submission, UnknownJob

log = structlog.get_logger("milepost.store")

T = TypeVar("T")

BATCH: Final = 256
"""Changes that share a transaction at most; more would only make the first of them wait."""

AT_HAND: Final = 20_000
"""Jobs kept in memory."""

_READERS: Final = 2

_AT_ONCE: Final = 500
"""Jobs read with one statement; SQLite limits the parameters of a statement."""


class _Change(msgspec.Struct):
    """A request to the writer and the future that waits for it."""

    future: "asyncio.Future[Any]"
    kind: Literal["submit", "append", "drop payloads"]
    job_id: str
    events: tuple[Event, ...] = ()
    payloads: Mapping[str, bytes] = {}
    outcome: Any = None
    job: Job | None = None
    recorded: list[Recorded] = []


class SQLiteStore:
    """A ``JobStore`` in a file, in WAL mode with synchronous=FULL.

    One thread writes: it takes all changes that wait, applies them to the jobs they
    belong to, and commits them together. Being alone it needs no lock and no retry. Reads use
    connections of their own and never wait for it.
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
        self._changes: queue.SimpleQueue[list[_Change] | None] = queue.SimpleQueue()
        self._gathered: list[_Change] = []
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="store-reader")
        self._reader = threading.local()
        self._reader_connections: list[sqlite3.Connection] = []
        self._connection = _open(path)
        self._heads: OrderedDict[str, Job] = OrderedDict()
        self._closed = False
        self._writer = threading.Thread(target=self._write, name="store-writer", daemon=True)
        self._writer.start()

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
        self._gathered.append(_Change(future, kind, job_id, events, payloads))
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
            self._changes.put(changes)

    def _write(self) -> None:
        """The writer's life: take what waits, commit it, tell about it."""
        running = True
        while running:
            waiting: list[_Change] = []
            changes = self._changes.get()
            while changes:
                waiting += changes
                try:
                    changes = self._changes.get_nowait() if len(waiting) < BATCH else []
                except queue.Empty:
                    break
            running = changes is not None
            for start in range(0, len(waiting), BATCH):
                batch = waiting[start : start + BATCH]
                self._commit(batch)
                # Once a batch, not once a change: waking the event loop costs a system call.
                self._loop.call_soon_threadsafe(self._publish, batch)
        self._connection.close()

    def _commit(self, batch: list[_Change]) -> None:
        fresh: dict[str, Job] = {}
        begun = False
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            begun = True
            for change in batch:
                try:
                    self._perform(change, fresh)
                except (JobError, UnknownJob) as error:
                    change.outcome = error
            self._connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - whatever went wrong, those who wait must learn it
            with contextlib.suppress(sqlite3.Error):
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
            for change in batch:
                change.outcome = StoreError(f"the change could not be stored: {error}")
                change.job, change.recorded = None, []
                if begun and len(batch) > 1:
                    # What one of them met, as too little room for its payload, need not concern the others.
                    self._commit([change])
            return
        for job_id, job in fresh.items():
            _remember(self._heads, job_id, job)

    def _perform(self, change: _Change, fresh: dict[str, Job]) -> None:
        """Apply one change inside the open transaction; refused events leave nothing behind."""
        events = change.events
        if change.kind == "drop payloads":
            self._connection.execute(_DROP_PAYLOADS, (change.job_id,))
            return
        job: Job
        if change.kind == "submit":
            first = events[0]
            assert isinstance(first, Submitted)
            if self._connection.execute(_NUMBER, (change.job_id,)).fetchone():
                raise IllegalMove(f"job {change.job_id} was submitted already")
            if first.key:
                row = self._connection.execute(_BY_KEY, (first.owner, first.key)).fetchone()
                if row:
                    change.outcome = Submission(self._head(row[0], fresh), created=False)
                    return
            job = begin(change.job_id, first)
            for event in events[1:]:
                job = apply(job, event)
            number = self._connection.execute(_INSERT_JOB, _row(job)).lastrowid
            start = 0
            change.outcome = Submission(job, created=True)
        else:
            job = head = self._head(change.job_id, fresh)
            for event in events:
                job = apply(job, event)
            self._connection.execute(
                _UPDATE_JOB, (job.sequence, job.status, job.updated_at, job.ended_at, change.job_id)
            )
            (number,) = self._connection.execute(_NUMBER, (change.job_id,)).fetchone()
            start = head.sequence
            change.outcome = job
        change.recorded = [Recorded(start + 1 + i, event) for i, event in enumerate(events)]  # type: ignore[arg-type]
        self._connection.executemany(
            _INSERT_EVENT, [(number, each.sequence, encode(each.event).decode()) for each in change.recorded]
        )
        if change.payloads:
            self._connection.executemany(
                _INSERT_PAYLOAD, [(number, name, body) for name, body in change.payloads.items()]
            )
        change.job = fresh[change.job_id] = job

    def _head(self, job_id: str, fresh: dict[str, Job]) -> Job:
        """The job as the open transaction sees it."""
        job = fresh.get(job_id) or self._heads.get(job_id)
        return job or _load(self._connection, job_id)

    def _publish(self, batch: list[_Change]) -> None:
        """In the event loop: make a committed batch visible, then answer those who wait."""
        for change in batch:
            if change.job is not None:
                _remember(self._seen, change.job_id, change.job)
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
        return job or self._newest(await self._read(lambda connection: _load(connection, job_id)))

    async def find(self, wanted: JobFilter, page: Page) -> JobPage:
        """See ``JobStore.find``."""

        def read(connection: sqlite3.Connection) -> list[Job]:
            sql, values = _page_query(wanted, page)
            numbers = [row[0] for row in connection.execute(sql, values)]
            jobs = dict(_load_many(connection, numbers))
            return [jobs[number] for number in numbers]

        # Not through what is at hand: a page must show its jobs as they matched.
        jobs = await self._read(read)
        return JobPage(jobs=jobs[: page.limit], more=len(jobs) > page.limit)

    async def count(self, wanted: JobFilter) -> int:
        """See ``JobStore.count``."""
        where, values = _where(wanted, _statuses(wanted))
        sql = f"SELECT count(*) FROM jobs {where}"  # noqa: S608 - the text is made of constants
        found: int = await self._read(lambda connection: connection.execute(sql, values).fetchone()[0])
        return found

    async def unfinished(self) -> Sequence[Job]:
        """See ``JobStore.unfinished``."""

        def read(connection: sqlite3.Connection) -> list[Job]:
            where, values = _where(JobFilter(), sorted(UNFINISHED))
            sql = f"SELECT number FROM jobs {where} ORDER BY number"  # noqa: S608
            numbers = [row[0] for row in connection.execute(sql, values)]
            return [job for _, job in _load_many(connection, numbers)]

        return await self._read(read)

    async def history(self, job_id: str, after: int = 0) -> Sequence[Recorded]:
        """See ``JobStore.history``."""

        def read(connection: sqlite3.Connection) -> list[Recorded]:
            if not connection.execute(_NUMBER, (job_id,)).fetchone():
                raise UnknownJob(job_id)
            rows = connection.execute(_HISTORY, (job_id, after))
            return [Recorded(sequence, decode(body)) for sequence, body in rows]

        return await self._read(read)

    async def payload(self, job_id: str, name: str) -> bytes:
        """See ``JobStore.payload``."""
        row = await self._read(lambda connection: connection.execute(_PAYLOAD, (job_id, name)).fetchone())
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
        self._changes.put(None)
        await asyncio.to_thread(self._writer.join)
        await asyncio.to_thread(self._readers.shutdown)
        for connection in self._reader_connections:
            connection.close()

    async def _read(self, function: Callable[[sqlite3.Connection], T]) -> T:
        def call() -> T:
            try:
                connection: sqlite3.Connection | None = getattr(self._reader, "connection", None)
                if connection is None:
                    connection = self._reader.connection = _connect(self._path)
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
        _remember(self._seen, job.id, job)
        return job


_INSERT_JOB: Final = """
INSERT INTO jobs (id, sequence, status, owner, service, operation, priority, key, submitted_at, updated_at, ended_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_UPDATE_JOB: Final = "UPDATE jobs SET sequence = ?, status = ?, updated_at = ?, ended_at = ? WHERE id = ?"
_INSERT_EVENT: Final = "INSERT INTO events (job, sequence, body) VALUES (?, ?, ?)"
_INSERT_PAYLOAD: Final = "INSERT OR REPLACE INTO payloads (job, name, body) VALUES (?, ?, ?)"
_DROP_PAYLOADS: Final = "DELETE FROM payloads WHERE job = (SELECT number FROM jobs WHERE id = ?)"
_NUMBER: Final = "SELECT number FROM jobs WHERE id = ?"
_BY_KEY: Final = "SELECT id FROM jobs WHERE owner = ? AND key = ? AND key <> ''"
_HISTORY: Final = """
SELECT sequence, body FROM events
WHERE job = (SELECT number FROM jobs WHERE id = ?) AND sequence > ? ORDER BY sequence
"""
_PAYLOAD: Final = "SELECT body FROM payloads WHERE job = (SELECT number FROM jobs WHERE id = ?) AND name = ?"


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the schema of a database up to date, one numbered file after another.

    Raises:
        StoreError: the database was written by a newer release.
    """
    scripts = sorted(
        (
            each
            for each in resources.files("milepost.store").joinpath("migrations").iterdir()
            if each.name.endswith(".sql")
        ),
        key=lambda each: each.name,
    )
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(scripts):
        raise StoreError(
            f"the store has schema {version}, this release knows {len(scripts)}: use a newer release of Milepost"
        )
    for number, script in enumerate(scripts[version:], version + 1):
        connection.executescript(f"BEGIN;\n{script.read_text()}\nPRAGMA user_version = {number};\nCOMMIT;")


def _open(path: Path) -> sqlite3.Connection:
    """The connection that writes, to a database with the newest schema."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = _connect(path)
        try:
            migrate(connection)
        except BaseException:
            connection.close()
            raise
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"{path} cannot be used as the store of jobs: {error}") from error
    return connection


def _connect(path: Path) -> sqlite3.Connection:
    # Each connection is used by one thread at a time, but opened or closed by another.
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA cache_size = -32768")
    except BaseException:
        connection.close()
        raise
    return connection


def _row(job: Job) -> tuple[Any, ...]:
    return (
        job.id,
        job.sequence,
        job.status,
        job.owner,
        job.service,
        job.operation,
        job.priority,
        job.key,
        job.submitted_at,
        job.updated_at,
        job.ended_at,
    )


def _load(connection: sqlite3.Connection, job_id: str) -> Job:
    row = connection.execute(_NUMBER, (job_id,)).fetchone()
    if row is None:
        raise UnknownJob(job_id)
    (found,) = _load_many(connection, [row[0]])
    return found[1]


def _load_many(connection: sqlite3.Connection, numbers: list[int]) -> list[tuple[int, Job]]:
    """The jobs of these row numbers, given in rising order or few enough for one statement."""
    jobs: list[tuple[int, Job]] = []
    for start in range(0, len(numbers), _AT_ONCE):
        some = numbers[start : start + _AT_ONCE]
        rows = connection.execute(
            "SELECT jobs.number, jobs.id, events.body FROM events JOIN jobs ON jobs.number = events.job"  # noqa: S608
            f" WHERE events.job IN ({','.join('?' * len(some))}) ORDER BY events.job, events.sequence",
            some,
        )
        jobs += [
            (number, fold(job_id, (decode(body) for _, _, body in bodies)))
            for (number, job_id), bodies in groupby(rows, key=lambda row: (row[0], row[1]))
        ]
    return jobs


def _statuses(wanted: JobFilter) -> list[Status]:
    """All statuses that match, so that no filter has to ask for what a status is not."""
    if wanted.statuses:
        return sorted(wanted.statuses)
    return [each for each in Status if wanted.deleted or each is not Status.DELETED]


def _where(wanted: JobFilter, statuses: Sequence[Status]) -> tuple[str, list[Any]]:
    """The condition of a query, made so that the most telling index is used.

    Every index begins with a column that is compared here and goes on with the status.
    """
    terms = [f"status IN ({','.join('?' * len(statuses))})"]
    values: list[Any] = [*statuses]
    by = ""
    for column in ("owner", "operation", "service"):
        value = getattr(wanted, column)
        if value:
            # The plus keeps SQLite, which knows nothing of the values, from choosing another index.
            terms.append(f"{'+' if by else ''}{column} = ?")
            values.append(value)
            by = by or column
    for comparison, time in ((">=", wanted.submitted_from), ("<=", wanted.submitted_to)):
        if time is not None:
            terms.append(f"submitted_at {comparison} ?")
            values.append(max(-(2**63), min(time, 2**63 - 1)))  # SQLite knows no larger numbers
    return f"INDEXED BY jobs_by_{by or 'status'} WHERE {' AND '.join(terms)}", values


def _page_query(wanted: JobFilter, page: Page) -> tuple[str, list[Any]]:
    """The row numbers of one page and of one job more, which tells whether a page follows.

    One part for each status: within one, an index gives the jobs in order, and SQLite merges the
    parts as it goes, so that a page costs what it shows and skips, and not what is stored.
    """
    order = "ASC" if page.oldest_first else "DESC"
    parts, values = [], []
    for status in _statuses(wanted):
        where, some = _where(wanted, [status])
        parts.append(f"SELECT number, submitted_at FROM jobs {where}")  # noqa: S608
        values += some
    sql = f"{' UNION ALL '.join(parts)} ORDER BY 2 {order}, 1 {order} LIMIT ? OFFSET ?"
    return sql, [*values, page.limit + 1, page.offset]


def _remember(memory: OrderedDict[str, Job], job_id: str, job: Job) -> None:
    memory[job_id] = job
    memory.move_to_end(job_id)
    if len(memory) > AT_HAND:
        memory.popitem(last=False)
