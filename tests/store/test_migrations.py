"""Data folders of earlier releases are brought up to date, and nothing in them is lost."""

import sqlite3
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import pytest

from milepost.jobs import Job, JobFilter, Page, fold
from milepost.jobs import events as ev
from milepost.jobs.events import encode
from milepost.store import SQLiteStore
from tests.store.histories import REACHED, message, new_id, path_to, started, submitted

pytestmark = pytest.mark.anyio

SERVICES = ("A/B.GPServer", "Missions.MissionServer", "A/B.v2.VideoServer", "untyped", "x.", "")
INTERRUPTED = ev.Interrupted(at=1600, attempt=1, reason="gone")
HISTORIES: Sequence[Sequence[ev.Event]] = [
    *(path_to(status) for status in REACHED),
    [started(), INTERRUPTED],
    [started(), INTERRUPTED, ev.Started(at=1700, attempt=2, worker="there", pid=2), message(attempt=2)],
]


def write_with_schema_1(path: Path) -> list[Job]:
    """A database as the first release wrote it, with jobs in every status and of every type."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    script = resources.files("milepost.store").joinpath("migrations", "0001_jobs.sql").read_text()
    connection.executescript(f"BEGIN;\n{script}\nPRAGMA user_version = 1;\nCOMMIT;")
    jobs = []
    for service in SERVICES:
        for history in HISTORIES:
            events = [submitted(service=service, at=len(jobs)), *history]
            job = fold(new_id(), events)
            jobs.append(job)
            connection.execute(
                "INSERT INTO jobs (number, id, sequence, status, owner, service, operation, priority, key,"
                " submitted_at, updated_at, ended_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(len(jobs), job.id, job.sequence, job.status, job.owner, job.service, job.operation),
                    *(job.priority, job.key, job.submitted_at, job.updated_at, job.ended_at),
                ),
            )
            connection.executemany(
                "INSERT INTO events (job, sequence, body) VALUES (?, ?, ?)",
                [(len(jobs), number, encode(each).decode()) for number, each in enumerate(events, 1)],
            )
    connection.close()
    return jobs


async def test_a_store_of_the_first_release_answers_every_question(tmp_path: Path) -> None:
    jobs = write_with_schema_1(tmp_path / "jobs.sqlite")
    asked = [JobFilter(deleted=True), JobFilter(deleted=True, ended_to=4000)]
    asked += [JobFilter(deleted=True, worker=name) for name in ("here", "there")]
    for kind in ("GPServer", "MissionServer", "VideoServer", "untyped", "v2"):
        asked += [
            JobFilter(deleted=True, service_type=kind),
            JobFilter(deleted=True, service_type=kind, owner="ann"),
        ]
    asked += [JobFilter(deleted=True, service=name, owner="ann", worker="here") for name in SERVICES]
    store = SQLiteStore(tmp_path / "jobs.sqlite")
    try:
        for wanted in asked:
            expected = [job for job in jobs if wanted.matches(job)]
            found = await store.find(wanted, Page(limit=1000, oldest_first=True))
            assert list(found.jobs) == expected
            assert await store.count(wanted) == len(expected)
        job = next(each for each in jobs if each.worker == "there")
        await store.append(job.id, ev.Succeeded(at=9000, attempt=2, results={}))
        assert await store.count(JobFilter(worker="there", ended_to=9000)) == 1
    finally:
        await store.close()
