"""A job as rows: the statements that write and read one, and the fold of what was read."""

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from milepost.jobs import Job, fold
from milepost.jobs.events import decode
from milepost.jobs.query import type_of_service
from milepost.store.protocol import UnknownJob

_AT_ONCE: Final = 500
"""Jobs read with one statement; SQLite limits the parameters of a statement."""

INSERT_JOB: Final = """
INSERT INTO jobs (sequence, status, worker, updated_at, ended_at, id,
    owner, service, service_type, operation, priority, key, submitted_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
UPDATE_JOB: Final = (
    "UPDATE jobs SET sequence = ?, status = ?, worker = ?, updated_at = ?, ended_at = ? WHERE id = ?"
)
INSERT_EVENT: Final = "INSERT INTO events (job, sequence, body) VALUES (?, ?, ?)"
INSERT_PAYLOAD: Final = "INSERT OR REPLACE INTO payloads (job, name, body) VALUES (?, ?, ?)"
DROP_PAYLOADS: Final = "DELETE FROM payloads WHERE job = (SELECT number FROM jobs WHERE id = ?)"
NUMBER: Final = "SELECT number FROM jobs WHERE id = ?"
BY_KEY: Final = "SELECT id FROM jobs WHERE owner = ? AND key = ? AND key <> ''"
HISTORY: Final = """
SELECT sequence, body FROM events
WHERE job = (SELECT number FROM jobs WHERE id = ?) AND sequence > ? ORDER BY sequence
"""
PAYLOAD: Final = "SELECT body FROM payloads WHERE job = (SELECT number FROM jobs WHERE id = ?) AND name = ?"


def new_row(job: Job) -> tuple[Any, ...]:
    """The values of ``INSERT_JOB``."""
    return (
        *changed_row(job),
        job.owner,
        job.service,
        type_of_service(job.service),
        job.operation,
        job.priority,
        job.key,
        job.submitted_at,
    )


def changed_row(job: Job) -> tuple[Any, ...]:
    """The values of ``UPDATE_JOB``: all that events after the first can change."""
    return job.sequence, job.status, job.worker, job.updated_at, job.ended_at, job.id


def load(connection: sqlite3.Connection, job_id: str) -> Job:
    """One job.

    Raises:
        UnknownJob: there is no such job.
    """
    found = connection.execute(NUMBER, (job_id,)).fetchone()
    if found is None:
        raise UnknownJob(job_id)
    (job,) = load_many(connection, [found[0]])
    return job


def load_many(
    connection: sqlite3.Connection, numbers: Sequence[int], at_hand: Mapping[str, Job] | None = None
) -> list[Job]:
    """The jobs of these row numbers, in their order, as the transaction of the connection sees them.

    Args:
        connection: in a transaction.
        numbers: of rows that exist.
        at_hand: jobs by id, older or newer ones too. One with as many events as are stored need
            not be folded again: events never change, so it is the same.
    """
    jobs: dict[int, Job] = {}
    for start in range(0, len(numbers), _AT_ONCE):
        some = numbers[start : start + _AT_ONCE]
        ids: dict[int, str] = {}
        heads = f"SELECT number, id, sequence FROM jobs WHERE number IN ({_marks(some)})"  # noqa: S608
        for number, job_id, sequence in connection.execute(heads, some):
            known = at_hand.get(job_id) if at_hand else None
            if known is not None and known.sequence == sequence:
                jobs[number] = known
            else:
                ids[number] = job_id
        events = f"SELECT job, body FROM events WHERE job IN ({_marks(ids)}) ORDER BY job, sequence"  # noqa: S608
        for number, bodies in groupby(connection.execute(events, list(ids)), key=itemgetter(0)):
            jobs[number] = fold(ids[number], (decode(body) for _, body in bodies))
    return [jobs[each] for each in numbers]


def _marks(values: Collection[int]) -> str:
    return ",".join("?" * len(values))
