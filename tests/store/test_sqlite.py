"""What the SQLite store promises beyond ``JobStore``: its file, its disk, its indexes."""

import asyncio
import itertools
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from milepost.jobs import Job, JobFilter, Page, Status
from milepost.store import Recorded, SQLiteStore, StoreError, rows
from milepost.store.database import migrate
from milepost.store.queries import count_query, page_query
from tests.store.histories import message, new_id, started, submitted

pytestmark = pytest.mark.anyio


def run_python(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = textwrap.dedent(program)
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=60
    )


async def test_what_was_answered_survives_the_death_of_the_process(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite"
    done = run_python(
        """
        import asyncio, os, sys
        from pathlib import Path
        from milepost.store import SQLiteStore
        from tests.store.histories import message, new_id, started, submitted

        async def main():
            store = SQLiteStore(Path(sys.argv[1]))
            answers = await asyncio.gather(*(store.submit(new_id(), submitted(), started()) for _ in range(100)))
            for each in answers[:10]:
                await store.append(each.job.id, message("last words"), payloads={"p": b"1"})
            print(*(each.job.id for each in answers), flush=True)
            os._exit(9)

        asyncio.run(main())
        """,
        str(path),
    )
    assert done.returncode == 9, done.stderr
    ids = done.stdout.split()
    store = SQLiteStore(path)
    try:
        assert await store.count(JobFilter(statuses=frozenset({Status.EXECUTING}))) == len(ids) == 100
        for job_id in ids[:10]:
            assert [each.text for each in (await store.get(job_id)).messages] == ["last words"]
            assert await store.payload(job_id, "p") == b"1"
    finally:
        await store.close()


async def test_a_listener_hears_nothing_that_is_not_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite"
    store = SQLiteStore(path)
    other = sqlite3.connect(path)
    missing: list[Any] = []

    def listener(job: Job, recorded: Sequence[Recorded]) -> None:
        query = "SELECT max(events.sequence) FROM events JOIN jobs ON number = job WHERE id = ?"
        (newest,) = other.execute(query, (job.id,)).fetchone()
        if newest is None or newest < recorded[-1].sequence:
            missing.append((job.id, newest, recorded))

    try:
        store.listen(listener)
        answers = await asyncio.gather(*(store.submit(new_id(), submitted(), started()) for _ in range(50)))
        await asyncio.gather(*(store.append(each.job.id, message()) for each in answers for _ in range(4)))
    finally:
        await store.close()
        other.close()
    assert not missing


# -- the file ----------------------------------------------------------------------------------


async def test_a_file_of_a_newer_release_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite"
    await SQLiteStore(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    with pytest.raises(StoreError, match=r"schema 999.*use a newer release of Milepost"):
        SQLiteStore(path)


async def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite"
    path.write_text("Dear diary, " * 1000)
    with pytest.raises(
        StoreError, match=r"jobs\.sqlite cannot be used as the store of jobs: file is not a database"
    ):
        SQLiteStore(path)
    assert path.read_text().startswith("Dear diary")


async def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be used as the store of jobs"):
        SQLiteStore(tmp_path / "file" / "jobs.sqlite")
    (tmp_path / "folder.sqlite").mkdir()
    with pytest.raises(StoreError, match="cannot be used as the store of jobs"):
        SQLiteStore(tmp_path / "folder.sqlite")


async def test_migrations_are_applied_once_each(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "jobs.sqlite", isolation_level=None)
    migrate(connection)
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    migrate(connection)
    assert connection.execute("PRAGMA user_version").fetchone() == (version,)
    assert version >= 1
    connection.close()


async def test_commits_reach_the_disk(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "jobs.sqlite")
    try:
        assert store._writer._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert store._writer._connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    finally:
        await store.close()


# -- no space left -----------------------------------------------------------------------------


async def test_a_full_disk_refuses_what_does_not_fit_and_loses_nothing_else(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "jobs.sqlite")
    try:
        before = (await store.submit(new_id(), submitted(), started())).job
        (pages,) = store._writer._connection.execute("PRAGMA page_count").fetchone()
        store._writer._connection.execute(f"PRAGMA max_page_count = {pages + 20}")
        small = [store.append(before.id, message(str(number))) for number in range(20)]
        big = new_id()
        *others, refused = await asyncio.gather(
            *small, store.submit(big, submitted(), payloads={"p": bytes(2**20)}), return_exceptions=True
        )
        assert isinstance(refused, StoreError)
        assert "full" in str(refused)
        assert {type(each) for each in others} == {Job}
        assert store.seen(big) is None
        assert await store.count(JobFilter()) == 1
        store._writer._connection.execute("PRAGMA max_page_count = 1000000")
        assert (await store.submit(big, submitted(), payloads={"p": bytes(2**20)})).created
        assert len((await store.append(before.id, message("after"))).messages) == 21
    finally:
        await store.close()


async def test_a_file_that_cannot_grow_refuses_changes_until_it_can(tmp_path: Path) -> None:
    """The limit of the size of files stands for a disk that has no space left for the log of SQLite."""
    done = run_python(
        """
        import asyncio, resource, signal, sys
        from pathlib import Path
        from milepost.jobs import JobFilter
        from milepost.store import SQLiteStore, StoreError
        from tests.store.histories import message, new_id, started, submitted

        async def main():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            store = SQLiteStore(Path(sys.argv[1]))
            job = (await store.submit(new_id(), submitted(), started())).job
            _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            size = Path(sys.argv[1] + "-wal").stat().st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100_000, hard))
            kept = refused = 0
            for number in range(200):
                try:
                    await store.append(job.id, message("x" * 2000))
                    kept += 1
                except StoreError as error:
                    refused += 1
                    assert "could not be stored" in str(error)
            assert kept and refused, (kept, refused)
            assert len((await store.get(job.id)).messages) == kept
            assert len(await store.history(job.id)) == kept + 2
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
            await store.append(job.id, message("room again"))
            await store.close()
            store = SQLiteStore(Path(sys.argv[1]))
            assert len((await store.get(job.id)).messages) == kept + 1
            await store.close()

        asyncio.run(main())
        """,
        str(tmp_path / "jobs.sqlite"),
    )
    assert done.returncode == 0, done.stderr


async def test_a_file_that_another_program_holds_refuses_changes_until_it_lets_go(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "jobs.sqlite")
    other = sqlite3.connect(tmp_path / "jobs.sqlite", isolation_level=None)
    try:
        store._writer._connection.execute("PRAGMA busy_timeout = 50")
        job = (await store.submit(new_id(), submitted(), started())).job
        other.execute("BEGIN IMMEDIATE")
        answers = await asyncio.gather(
            *(store.append(job.id, message()) for _ in range(100)), return_exceptions=True
        )
        assert {str(each) for each in answers} == {"the change could not be stored: database is locked"}
        assert await store.count(JobFilter()) == 1  # reading goes on
        other.execute("ROLLBACK")
        assert len((await store.append(job.id, message("after"))).messages) == 1
    finally:
        other.close()
        await store.close()


# -- indexes -----------------------------------------------------------------------------------


def filters() -> list[JobFilter]:
    some = [frozenset[Status](), frozenset({Status.SUCCEEDED}), frozenset({Status.EXECUTING, Status.DELETED})]
    return [
        JobFilter(
            statuses=statuses, submitted_from=since, ended_to=until, **dict(zip(columns, values, strict=True))
        )
        for columns in [("owner", "service", "service_type", "operation", "worker")]
        for statuses, since, until, values in itertools.product(
            some, (None, 5), (None, 9), itertools.product(("", "x"), repeat=len(columns))
        )
    ]


def index_for(wanted: JobFilter) -> str:
    """The index on all columns that are given, as far as there is one."""
    if wanted.owner:
        return "owner" + ("_and_service" if wanted.service else "_and_type" if wanted.service_type else "")
    return (
        (wanted.operation and "operation")
        or (wanted.service and "service")
        or (wanted.service_type and "type")
        or "status"
    )


def test_every_list_and_count_is_searched_on_an_index() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)
    for wanted in filters():
        index = index_for(wanted)
        for query, arguments in (
            page_query(wanted, Page()),
            page_query(wanted, Page(oldest_first=True)),
            count_query(wanted),
        ):
            plan = connection.execute(f"EXPLAIN QUERY PLAN {query}", arguments).fetchall()
            assert not [step for *_, step in plan if step.startswith("SCAN jobs")], (wanted, plan)
            searched = {parent: step for _, parent, _, step in plan if step.startswith("SEARCH jobs")}
            assert searched
            assert all(f"INDEX jobs_by_{index} " in step for step in searched.values()), (wanted, plan)
            # What is sorted are pages that are cut already, never all that match.
            assert not [each for each in plan if "TEMP B-TREE" in each[3] and each[1] in searched], plan
    connection.close()


def test_reading_one_job_searches_on_keys() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)
    for statement, values in (
        (rows.NUMBER, ("x",)),
        (rows.BY_KEY, ("x", "y")),
        (rows.HISTORY, ("x", 0)),
        (rows.PAYLOAD, ("x", "y")),
        (rows.UPDATE_JOB, (1, 1, "", 1, 1, "x")),
        (rows.DROP_PAYLOADS, ("x",)),
    ):
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
        assert not [step for step in plan if step.startswith("SCAN")], (statement, plan)
    connection.close()
