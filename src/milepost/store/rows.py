"""A job as rows: the statements that write and read one, and the fold of what was read."""

import sqlite3
from itertools import groupby
from typing import Any, Final

from milepost.jobs import Job, fold
from milepost.jobs.events import decode
from milepost.store.protocol import UnknownJob

_AT_ONCE: Final = 500
"""Jobs read with one statement; SQLite limits the parameters of a statement."""

INSERT_JOB: Final = """
INSERT INTO jobs (id, sequence, status, owner, service, operation, priority, key, submitted_at, updated_at, ended_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
UPDATE_JOB: Final = "UPDATE jobs SET sequence = ?, status = ?, updated_at = ?, ended_at = ? WHERE id = ?"
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


def row(job: Job) -> tuple[Any, ...]:
    """What ``INSERT_JOB`` stores of a job."""
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


def load(connection: sqlite3.Connection, job_id: str) -> Job:
    """One job.

    Raises:
        UnknownJob: there is no such job.
    """
    found = connection.execute(NUMBER, (job_id,)).fetchone()
    if found is None:
        raise UnknownJob(job_id)
    ((_, job),) = load_many(connection, [found[0]])
    return job


def load_many(connection: sqlite3.Connection, numbers: list[int]) -> list[tuple[int, Job]]:
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
