"""Stopping in good order, dying, and going on afterwards."""

import asyncio
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from milepost.jobs import JobFilter, Status
from milepost.jobs import events as ev
from milepost.store import SQLiteStore, StoreError
from tests.engine.conftest import House, appears, children, lines, open_house

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120, method="thread")]


def nothing_runs() -> bool:
    return children(recursive=True) == []


async def test_what_ran_is_resumed_and_no_step_is_done_twice(tmp_path: Path, place: Path) -> None:
    async with open_house(tmp_path / "data") as house:
        job = await house.submit("resumable", place=str(place))
        await appears(place / "ready")
    assert nothing_runs()
    async with open_house(tmp_path / "data") as house:
        (place / "go").touch()
        job = await house.manager.finished(job.id)
        assert (job.status, await house.result(job)) == (Status.SUCCEEDED, 42)
        assert (job.attempt, job.crashes) == (2, 0)
        assert (
            "The server was stopped while the job ran; the job goes on after its last finished step (1 kept)"
            in [each.text for each in job.messages]
        )
    assert lines(place, "steps") == ["counted"]


async def test_what_waited_is_run(tmp_path: Path, place: Path) -> None:
    async with open_house(tmp_path / "data") as house:
        jobs = [await house.submit("take_turn", place=str(place), name=str(number)) for number in range(4)]
        await appears(place / "turns")
    (place / "go").touch()
    async with open_house(tmp_path / "data") as house:
        ends = [await house.manager.finished(job.id) for job in jobs]
        assert {job.status for job in ends} == {Status.SUCCEEDED}
    assert lines(place, "turns") == ["0", "0", "1", "2", "3"]


async def test_what_cannot_be_resumed_is_undone_and_fails(tmp_path: Path, place: Path) -> None:
    async with open_house(tmp_path / "data") as house:
        job = await house.submit("not_resumable", place=str(place))
        await appears(place / "ready")
    async with open_house(tmp_path / "data") as house:
        job = await house.manager.finished(job.id)
        assert (job.status, job.attempt) == (Status.FAILED, 1)
        assert job.error == "the server was stopped while the job ran"
    assert lines(place, "undone") == ["effect"]


async def test_a_submission_while_the_server_stops_is_kept_or_refused(tmp_path: Path, place: Path) -> None:
    async with open_house(tmp_path / "data") as house:
        running = await house.submit("wait", place=str(place), how="native")
        await appears(place / "ready")
        stopping = asyncio.ensure_future(house.engine.stop())
        kept = []
        while not stopping.done():
            kept.append((await house.submit("add", a=1)).id)
        await stopping
        await house.store.close()
        with pytest.raises(StoreError, match="closed"):
            await house.submit("add", a=1)
        assert nothing_runs()
    async with open_house(tmp_path / "data") as house:
        for job_id in kept:
            assert (await house.manager.finished(job_id)).status is Status.SUCCEEDED
        await house.manager.cancel(running.id, "ann")
        await house.manager.finished(running.id)
        assert await house.manager.count(JobFilter()) == len(kept) + 1


async def test_cancelling_while_the_server_stops_is_finished_by_the_next(tmp_path: Path, place: Path) -> None:
    async with open_house(tmp_path / "data") as house:
        job = await house.submit("wait", place=str(place), how="native")
        await appears(place / "ready")
        _, asked = await asyncio.gather(house.engine.stop(), house.manager.cancel(job.id, "ann"))
        assert asked.status is Status.CANCELLING
        assert children(recursive=True) == []
    async with open_house(tmp_path / "data") as house:
        job = await house.manager.finished(job.id)
        assert job.status is Status.CANCELLED
    assert [each for each in lines(place, "undone") if each] == ["effect 1", "effect 0"]


async def test_operations_that_are_no_longer_offered(tmp_path: Path, place: Path) -> None:
    async with open_house(tmp_path / "data") as house:
        ran = await house.submit("wait", place=str(place))
        await appears(place / "ready")
        waited = [await house.submit("take_turn", place=str(place), name="x") for _ in range(2)]
    other = tmp_path / "other.py"
    other.write_text(
        "from milepost import operation, Run\n@operation(service='Other.GPServer')\ndef other(run: Run) -> int:\n    return 1\n"
    )
    async with open_house(tmp_path / "data", str(other)) as house:
        for job in (ran, *waited):
            job = await house.manager.finished(job.id)
            assert job.status is Status.FAILED
            assert job.error == f"the operation '{job.operation}' of {job.service} is no longer offered here"
    # Undoing needs the function, not the operation.
    assert lines(place, "undone") == ["effect 1", "effect 0"]


async def test_a_workspace_that_was_left_behind_is_removed(tmp_path: Path) -> None:
    async with open_house(tmp_path / "data") as house:
        job = await house.run("add", a=1)
        house.files.workspace(job.id).mkdir(parents=True, exist_ok=True)
        (house.files.workspace(job.id) / "file").write_text("left when the server died")
    async with open_house(tmp_path / "data") as house:
        assert house.files.workspaces() == []


# -- dying -------------------------------------------------------------------------------------

_DYING = """
import asyncio, sys
from pathlib import Path
from tests.engine.conftest import open_house, appears

async def main():
    data, place, operation, how = sys.argv[1:]
    async with open_house(Path(data)) as house:
        values = {"how": how} if how else {}
        job = await house.submit(operation, place=place, **values)
        await appears(Path(place) / "ready")
        print(job.id, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


def die_with_a_job(data: Path, place: Path, operation: str, how: str = "") -> str:
    """Run a job in a server process, kill that with -9, and return the id of the job."""
    command = [sys.executable, "-c", _DYING, str(data), str(place), operation, how]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        job_id = ""
        while len(job_id) != 32 or " " in job_id:  # between lines of the log
            job_id = process.stdout.readline().strip()
            assert process.poll() is None
        process.kill()
    return job_id


@pytest.mark.parametrize("how", ["native", "grandchild", "setsid grandchild", "daemon"])
async def test_a_server_that_died_leaves_nothing_that_runs(tmp_path: Path, place: Path, how: str) -> None:
    job_id = die_with_a_job(tmp_path / "data", place, "wait", how)
    pids = [int(each) for each in lines(place, "ready") + lines(place, "grandchild")]
    async with open_house(tmp_path / "data") as house:
        assert [pid for pid in pids if psutil.pid_exists(pid)] == []
        job = await house.until(job_id, lambda job: job.attempt == 2)
        assert job.messages[0].text == "The server stopped while the job ran; the job is tried again"
        await house.manager.cancel(job_id, "ann")
        assert (await house.manager.finished(job_id)).status is Status.CANCELLED
    assert lines(place, "undone")[:2] == ["effect 1", "effect 0"]
    assert lines(place, "done")[:2] == ["effect 0", "effect 1"]


async def test_what_cannot_be_resumed_fails_after_the_server_died(tmp_path: Path, place: Path) -> None:
    job_id = die_with_a_job(tmp_path / "data", place, "not_resumable")
    async with open_house(tmp_path / "data") as house:
        job = await house.manager.finished(job_id)
        assert (job.status, job.error) == (Status.FAILED, "the server stopped while the job ran")
    assert lines(place, "undone") == ["effect"]


@pytest.mark.parametrize("stopped", [False, True])
async def test_a_job_with_which_the_server_dies_again_and_again_is_given_up(
    tmp_path: Path, place: Path, stopped: bool
) -> None:
    """It may be what kills it. However often a server is stopped in good order, that is no reason."""
    data = tmp_path / "data"
    store = SQLiteStore(data / "jobs.sqlite")
    values = {"place": str(place)}
    job = (
        await store.submit(
            "a" * 32,
            ev.Submitted(
                at=1,
                owner="ann",
                service="Test/Fast.GPServer",
                operation="resumable",
                inputs={name: ev.Kept(value) for name, value in values.items()},
            ),
        )
    ).job
    for attempt in range(1, 11):
        if attempt > 1:
            over = ev.Interrupted(
                at=attempt, attempt=attempt - 1, reason="it went", crash=False, stop=stopped
            )
            job = await store.append(job.id, over)
        job = await store.append(job.id, ev.Started(at=attempt, attempt=attempt))
    await store.close()
    async with open_house(data) as house:
        if stopped:
            (place / "go").touch()
        job = await house.manager.finished(job.id)
        if stopped:
            assert (job.status, job.attempt) == (Status.SUCCEEDED, 11)
        else:
            assert (job.status, job.attempt) == (Status.FAILED, 10)
            assert job.error == "the server stopped while the job ran, as it did 9 times before"


async def test_the_time_that_the_server_was_down_is_not_the_job_s(tmp_path: Path, place: Path) -> None:
    data = tmp_path / "data"
    store = SQLiteStore(data / "jobs.sqlite")
    # It ran for a tenth of a second, long ago; the limit of its service is half a second.
    await store.submit(
        "b" * 32,
        ev.Submitted(
            at=1000,
            owner="ann",
            service="Test/Short.GPServer",
            operation="brief",
            inputs={"place": ev.Kept(str(place))},
        ),
        ev.Started(at=1000, attempt=1),
        ev.MessageAdded(at=1100, attempt=1, text="still here"),
    )
    await store.close()
    async with open_house(data) as house:
        job = await house.manager.finished("b" * 32)
        assert (job.status, job.attempt) == (Status.SUCCEEDED, 2), job.error


# -- a store that cannot be written --------------------------------------------------------------


def limit_pages(house: House, more: int) -> None:
    (pages,) = house.store._writer._connection.execute("PRAGMA page_count").fetchone()
    house.store._writer._connection.execute(f"PRAGMA max_page_count = {pages + more}")


async def test_a_full_disk_stops_a_job_and_it_goes_on_when_there_is_room(
    tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("milepost.engine.local.STORE_RETRY", 0.05)
    async with open_house(tmp_path / "data") as house:
        job = await house.submit("large_step", place=str(place))
        await appears(place / "ready")
        limit_pages(house, 20)
        (place / "go").touch()
        await house.until(job.id, lambda job: job.attempt >= 2)
        assert lines(place, "undone") == ["effect"] * (len(lines(place, "undone")))
        limit_pages(house, 100_000)
        job = await house.manager.finished(job.id)
        assert job.status is Status.SUCCEEDED
        assert job.attempt == len(lines(place, "done"))
        assert len(lines(place, "undone")) == job.attempt - 1
        assert "The store could not be written while the job ran; the job is tried again" in [
            each.text for each in job.messages
        ]
        assert (await house.run("add", a=1)).status is Status.SUCCEEDED
