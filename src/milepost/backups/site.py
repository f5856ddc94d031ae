"""Whether what came out of a backup is a whole site: its databases, its jobs, and their files."""

import asyncio
import contextlib
import re
import sqlite3
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

import msgspec

from milepost.backups import databases
from milepost.backups.archive import About, BackupError
from milepost.backups.contents import JOBS
from milepost.jobs import Job, JobError, Kept, Status, fold
from milepost.jobs import events as ev
from milepost.store import FileStore, SQLiteStore, StoreError, UnknownJob
from milepost.store.database import open_database

_FILES: Final = re.compile(rb'\[?\{"file":')
"""How the JSON of a result begins that is a file, or a list of files."""


class SiteReport(msgspec.Struct, frozen=True):
    """What was found in a restored site."""

    jobs: int
    unfinished: int
    """Jobs that a server takes up when it starts."""
    files: int
    """Files that came out of jobs."""
    databases: int


def check_site(data: Path, look: databases.Look) -> SiteReport:
    """See that a data folder, which nobody uses, is that of a whole site.

    Args:
        data: the folder.
        look: called now and then; may raise to stop the work.

    Raises:
        BackupError: a database is damaged or of a newer release, a job makes no sense, or a file is missing.
    """
    if not (data / JOBS).is_file():
        raise BackupError("the jobs are missing; use another backup")
    checked = 0
    for path in sorted(each for each in data.rglob("*") if each.is_file()):
        if databases.is_database(path):
            with databases.opened(path) as connection:
                if wrong := databases.faults(connection, look):
                    raise BackupError(f"{path.name} is damaged: {wrong}; use another backup")
            checked += 1
    try:
        open_database(data / JOBS).close()  # brought up to date, as a server does
    except StoreError as error:
        raise BackupError(f"the jobs cannot be used: {error}") from error
    jobs = unfinished = files = 0
    store = FileStore(data)
    with databases.opened(data / JOBS) as connection:
        for job in _jobs(connection):
            look()
            jobs += 1
            unfinished += not job.status.ended
            if job.status is Status.SUCCEEDED:
                files += _check_results(job, store, connection)
    return SiteReport(jobs=jobs, unfinished=unfinished, files=files, databases=checked)


def _jobs(connection: sqlite3.Connection) -> Iterator[Job]:
    """Every job, folded from its events."""
    heads = connection.execute("SELECT number, id, sequence, status FROM jobs ORDER BY number")
    bodies = groupby(
        connection.execute("SELECT job, body FROM events ORDER BY job, sequence"), key=itemgetter(0)
    )
    for number, job_id, sequence, status in heads:
        owner, events = next(bodies, (None, iter(())))
        job = None
        if owner == number:
            with contextlib.suppress(JobError, msgspec.DecodeError):
                job = fold(job_id, (ev.decode(body) for _, body in events))
        if job is None or (job.sequence, job.status) != (sequence, status):
            raise BackupError(
                f"the events of job {job_id} do not lead to where it stands; use another backup"
            )
        yield job
    if next(bodies, None) is not None:
        raise BackupError("there are events that belong to no job; use another backup")


def _check_results(job: Job, store: FileStore, connection: sqlite3.Connection) -> int:
    """How many files came out of a job.

    Raises:
        BackupError: one is missing, or a value is.
    """
    names: list[str] = []
    for kept in job.results.values():
        names += _file_names(_value(job, kept, connection))
    for name in names:
        if store.result(job.id, name) is None:
            raise BackupError(f"the file {name!r} of job {job.id} is missing; use another backup")
    return len(names)


def _value(job: Job, kept: Kept, connection: sqlite3.Connection) -> Any:
    if not kept.payload:
        return kept.value
    row = connection.execute(
        "SELECT body FROM payloads WHERE job = (SELECT number FROM jobs WHERE id = ?) AND name = ?",
        (job.id, kept.payload),
    ).fetchone()
    if row is None or len(row[0]) != kept.size:
        raise BackupError(f"the value {kept.payload!r} of job {job.id} is missing; use another backup")
    return msgspec.json.decode(row[0]) if _FILES.match(row[0]) else None


def _file_names(value: Any) -> Iterable[str]:
    members = value if isinstance(value, list) else [value]
    return [
        each["file"]
        for each in members
        if isinstance(each, dict) and each.keys() == {"file", "size"} and isinstance(each["file"], str)
    ]


def end_own_job(data: Path, about: About) -> None:
    """Let the job that made a backup have succeeded: in its own backup it is still at work."""
    if about.job:
        asyncio.run(_end(data / JOBS, about.job))


async def _end(path: Path, job_id: str) -> None:
    store = SQLiteStore(path)
    try:
        job = await store.get(job_id)
        said = ev.MessageAdded(
            at=job.updated_at,
            attempt=job.attempt,
            text="The site was restored from the backup that this job made",
        )
        # It may have been asked to pause or to end at that very moment; then it is as after a crash.
        with contextlib.suppress(JobError):
            await store.append(job_id, said, ev.Succeeded(at=job.updated_at, attempt=job.attempt))
    except UnknownJob:
        raise BackupError(
            f"the job {job_id} that made the backup is missing in it; use another backup"
        ) from None
    finally:
        await store.close()
