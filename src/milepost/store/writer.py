"""The one thread that writes: it commits together what arrives together."""

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

import msgspec

from milepost.jobs import IllegalMove, Job, JobError, apply
from milepost.jobs.events import Event, Submitted, encode
from milepost.jobs.job import submit as begin
from milepost.store import rows
from milepost.store.protocol import Recorded, StoreError, Submission, UnknownJob

BATCH: Final = 256
"""Changes that share a transaction at most; more would only make the first of them wait."""

AT_HAND: Final = 20_000
"""Jobs kept in memory."""


class Change(msgspec.Struct):
    """A request to the writer and the future that waits for it."""

    future: "asyncio.Future[Any]"
    kind: Literal["submit", "append", "drop payloads"]
    job_id: str
    events: tuple[Event, ...] = ()
    payloads: Mapping[str, bytes] = {}
    outcome: Any = None
    """What the future is to be given once the change is committed or refused."""
    job: Job | None = None
    recorded: list[Recorded] = []


class Writer:
    """Takes all changes that wait, applies them to the jobs they belong to, and commits them together.

    Being alone it needs no lock and no retry.
    """

    def __init__(self, connection: sqlite3.Connection, committed: Callable[[list[Change]], None]):
        """Start the thread.

        Args:
            connection: the only one that writes; the thread closes it at its end.
            committed: called in the thread with each batch, once it is durable or refused.
        """
        self._connection: Final = connection
        self._committed = committed
        self._changes: queue.SimpleQueue[list[Change] | None] = queue.SimpleQueue()
        self._heads: OrderedDict[str, Job] = OrderedDict()
        self._thread = threading.Thread(target=self._write, name="store-writer", daemon=True)
        self._thread.start()

    def put(self, changes: list[Change]) -> None:
        """Have these changes written."""
        self._changes.put(changes)

    def finish(self) -> None:
        """Wait until all is written; nothing can be put afterwards."""
        self._changes.put(None)
        self._thread.join()

    def _write(self) -> None:
        """The writer's life: take what waits, commit it, tell about it."""
        running = True
        while running:
            waiting: list[Change] = []
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
                self._committed(batch)
        self._connection.close()

    def _commit(self, batch: list[Change]) -> None:
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
        for job in fresh.values():
            remember(self._heads, job)

    def _perform(self, change: Change, fresh: dict[str, Job]) -> None:
        """Apply one change inside the open transaction; refused events leave nothing behind."""
        events = change.events
        if change.kind == "drop payloads":
            self._connection.execute(rows.DROP_PAYLOADS, (change.job_id,))
            return
        job: Job
        if change.kind == "submit":
            first = events[0]
            assert isinstance(first, Submitted)
            if self._connection.execute(rows.NUMBER, (change.job_id,)).fetchone():
                raise IllegalMove(f"job {change.job_id} was submitted already")
            if first.key:
                row = self._connection.execute(rows.BY_KEY, (first.owner, first.key)).fetchone()
                if row:
                    change.outcome = Submission(self._head(row[0], fresh), created=False)
                    return
            job = begin(change.job_id, first)
            for event in events[1:]:
                job = apply(job, event)
            number = self._connection.execute(rows.INSERT_JOB, rows.new_row(job)).lastrowid
            start = 0
            change.outcome = Submission(job, created=True)
        else:
            job = head = self._head(change.job_id, fresh)
            for event in events:
                job = apply(job, event)
            self._connection.execute(rows.UPDATE_JOB, rows.changed_row(job))
            (number,) = self._connection.execute(rows.NUMBER, (change.job_id,)).fetchone()
            start = head.sequence
            change.outcome = job
        change.recorded = [Recorded(start + 1 + i, event) for i, event in enumerate(events)]  # type: ignore[arg-type]
        self._connection.executemany(
            rows.INSERT_EVENT,
            [(number, each.sequence, encode(each.event).decode()) for each in change.recorded],
        )
        if change.payloads:
            self._connection.executemany(
                rows.INSERT_PAYLOAD, [(number, name, body) for name, body in change.payloads.items()]
            )
        change.job = fresh[change.job_id] = job

    def _head(self, job_id: str, fresh: dict[str, Job]) -> Job:
        """The job as the open transaction sees it."""
        job = fresh.get(job_id) or self._heads.get(job_id)
        return job or rows.load(self._connection, job_id)


def remember(memory: OrderedDict[str, Job], job: Job) -> None:
    """Keep a job at hand, and let go of the one that changed or was read longest ago."""
    memory[job.id] = job
    memory.move_to_end(job.id)
    if len(memory) > AT_HAND:
        memory.popitem(last=False)
