"""Pausing: everything of the job stands still, gives its slot to others, and goes on where it was."""

import asyncio
import random
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from milepost.jobs import IllegalMove, Job, Status
from milepost.jobs import events as ev
from milepost.store import SQLiteStore, UnknownJob
from tests.engine.conftest import House, appears, is_gone, lines, open_house

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120, method="thread")]

STOPPED = psutil.STATUS_STOPPED
RACES = 40


def tree(job: Job) -> list[psutil.Process]:
    """The instance of a job and all it started."""
    instance = psutil.Process(job.pid)
    return [instance, *instance.children(recursive=True)]


def at_work(job: Job) -> list[psutil.Process]:
    """What of them neither stands still nor has ended."""
    # A parent whose child was stopped just before it began its program is in a call to the kernel.
    still = (STOPPED, psutil.STATUS_ZOMBIE, psutil.STATUS_DISK_SLEEP)
    return [each for each in tree(job) if each.status() not in still]


def at_work_of(job: Job) -> list[psutil.Process]:
    """The same for a job whose instance may be gone."""
    try:
        return at_work(job)
    except psutil.NoSuchProcess:
        return []


def sizes(place: Path) -> dict[str, int]:
    return {each.name: each.stat().st_size for each in place.iterdir()}


async def grows(path: Path) -> None:
    """Wait until more is written into a file."""

    def wait() -> None:
        before = path.stat().st_size
        pause = threading.Event()
        while path.stat().st_size == before:
            pause.wait(0.005)

    await asyncio.to_thread(wait)


async def pause(house: House, job: Job) -> Job:
    """Pause a job; it as it is once it holds still."""
    asked = await house.manager.pause(job.id, "ann")
    assert asked.status is Status.PAUSE_PENDING
    return await house.until(job.id, lambda job: job.status is Status.PAUSED)


async def resume(house: House, job: Job) -> Job:
    """Resume a job; it as it is once it is at work."""
    asked = await house.manager.resume(job.id, "ann")
    assert asked.status is Status.RESUME_PENDING
    return await house.until(job.id, lambda job: job.status is Status.EXECUTING)


async def statuses(house: House, job: Job) -> list[type[ev.Event]]:
    return [type(each.event) for each in await house.manager.history(job.id)]


@pytest.mark.parametrize("how", ["", "native", "grandchild", "setsid grandchild", "daemon"])
async def test_everything_of_a_paused_job_stands_still_and_goes_on_where_it_was(
    house: House, place: Path, how: str
) -> None:
    job = await house.submit("tick", place=str(place), how=how)
    traces = [place / "ticks", *([place / "grandchild"] if how not in ("", "native") else [])]
    for trace in traces:
        await appears(trace)
    for _ in range(2):
        job = await pause(house, job)
        assert at_work(job) == []
        before = sizes(place)
        assert (await house.run("add", a=1)).status is Status.SUCCEEDED
        assert sizes(place) == before
        assert (await house.manager.get(job.id)).status is Status.PAUSED
        job = await resume(house, job)
        assert psutil.Process(job.pid).status() != STOPPED
        if how != "native":
            await asyncio.gather(*map(grows, traces))
    if how == "native":
        await house.manager.cancel(job.id, "ann")
        return
    (place / "go").touch()
    job = await house.manager.finished(job.id)
    assert (job.status, job.attempt, job.crashes) == (Status.SUCCEEDED, 1, 0)
    assert lines(place, "ticks") == [str(number) for number in range(await house.result(job))]
    assert [each for each in await statuses(house, job) if each is not ev.MessageAdded] == [
        ev.Submitted,
        ev.Started,
        ev.RollbackRecorded,
        ev.StepFinished,
        *[ev.PauseRequested, ev.Paused, ev.ResumeRequested, ev.Resumed, ev.Continued] * 2,
        ev.Succeeded,
    ]


async def test_what_the_operation_itself_had_stopped_stays_stopped(house: House, place: Path) -> None:
    job = await house.submit("tick", place=str(place), how="stopped child")
    await appears(place / "ticks")
    child = psutil.Process(int(lines(place, "child")[0]))
    job = await pause(house, job)
    await resume(house, job)
    await grows(place / "ticks")
    assert child.status() == STOPPED
    (place / "go").touch()
    assert (await house.manager.finished(job.id)).status is Status.SUCCEEDED
    assert is_gone(child.pid)


async def test_what_cannot_be_paused_or_resumed(house: House, place: Path) -> None:
    job = await house.submit("tick", place=str(place))
    await appears(place / "ticks")
    with pytest.raises(IllegalMove):
        await house.manager.resume(job.id, "ann")
    await pause(house, job)
    with pytest.raises(IllegalMove):
        await house.manager.pause(job.id, "ann")
    await resume(house, job)
    (place / "go").touch()
    await house.manager.finished(job.id)
    for act in (house.manager.pause, house.manager.resume):
        with pytest.raises(IllegalMove):
            await act(job.id, "ann")
        with pytest.raises(UnknownJob):
            await act("0" * 32, "ann")


# -- places -------------------------------------------------------------------------------------


async def test_a_paused_job_gives_its_place_to_others_and_waits_for_one_to_go_on(
    house: House, place: Path
) -> None:
    first = await house.submit("take_place", place=str(place), name="first")
    await appears(place / "turns")
    await pause(house, first)
    second = await house.submit("take_place", place=str(place), name="second")
    await house.until(second.id, lambda job: job.status is Status.EXECUTING)
    for _ in range(2):  # also one that waits for a slot can be paused
        await house.manager.resume(first.id, "ann")
        await house.run("add", a=1)
        assert (await house.manager.get(first.id)).status is Status.RESUME_PENDING
        await pause(house, first)
    await house.manager.resume(first.id, "ann")
    third = await house.submit("take_place", place=str(place), name="third", priority=9)
    assert third.status is Status.WAITING
    (place / "go second").touch()
    await house.manager.finished(second.id)
    await house.until(first.id, lambda job: job.status is Status.EXECUTING)
    assert (await house.manager.get(third.id)).status is Status.WAITING
    for name, job in (("first", first), ("third", third)):
        (place / f"go {name}").touch()
        job = await house.manager.finished(job.id)
        assert (job.status, job.attempt) == (Status.SUCCEEDED, 1)
    assert lines(place, "turns") == ["first", "second", "third"]


async def test_a_job_paused_in_the_queue_does_not_have_its_turn_until_it_is_resumed(
    house: House, place: Path
) -> None:
    first = await house.submit("take_turn", place=str(place), name="first")
    await appears(place / "turns")
    second, third = [await house.submit("take_turn", place=str(place), name=name) for name in ("2nd", "3rd")]
    await pause(house, second)
    (place / "go").touch()
    assert (await house.manager.finished(first.id)).status is Status.SUCCEEDED
    assert (await house.manager.finished(third.id)).status is Status.SUCCEEDED
    assert (await house.manager.get(second.id)).status is Status.PAUSED
    await house.manager.resume(second.id, "ann")
    second = await house.manager.finished(second.id)
    assert (second.status, second.attempt) == (Status.SUCCEEDED, 1)
    assert lines(place, "turns") == ["first", "3rd", "2nd"]


# -- limits -------------------------------------------------------------------------------------


async def test_the_time_that_a_job_is_paused_does_not_count_as_time_at_work(
    house: House, place: Path
) -> None:
    jobs = [await house.submit("work_briefly", place=str(place), name=name) for name in ("a", "b")]
    for name, job in zip("ab", jobs, strict=True):
        await appears(place / f"ready {name}")
        await pause(house, job)
    await asyncio.sleep(2.6)  # longer than the service lets a job run
    (place / "go a").touch()
    for job in jobs:
        assert (await house.manager.get(job.id)).status is Status.PAUSED
        await house.manager.resume(job.id, "ann")
    ends = [await house.manager.finished(job.id) for job in jobs]
    assert [(job.status, job.error) for job in ends] == [
        (Status.SUCCEEDED, ""),
        (Status.TIMED_OUT, "the job ran longer than the 2.5 s its service allows"),
    ]


async def test_the_time_that_a_job_was_paused_does_not_count_after_a_restart(
    tmp_path: Path, place: Path
) -> None:
    data = tmp_path / "data"
    store = SQLiteStore(data / "jobs.sqlite")
    await store.submit(
        "c" * 32,
        ev.Submitted(
            at=1000,
            owner="ann",
            service="Test/Limited.GPServer",
            operation="work_briefly",
            inputs={"place": ev.Kept(str(place))},
        ),
        ev.Started(at=1000, attempt=1),
        ev.PauseRequested(at=1100, by="ann"),
        ev.Paused(at=1100, attempt=1),
        ev.ResumeRequested(at=901_100, by="ann"),
        ev.Resumed(at=901_100, attempt=1),
        ev.Continued(at=901_100, attempt=1),
        ev.MessageAdded(at=901_200, attempt=1, text="still here"),
    )
    await store.close()
    (place / "go ").touch()
    async with open_house(data) as house:
        job = await house.manager.finished("c" * 32)
        assert (job.status, job.attempt) == (Status.SUCCEEDED, 2), job.error


async def test_the_time_that_a_job_is_paused_does_not_count_as_waiting(house: House, place: Path) -> None:
    first = await house.submit("take_place_soon", place=str(place), name="first")
    await appears(place / "turns")
    second, third = [
        await house.submit("take_place_soon", place=str(place), name=name) for name in ("second", "third")
    ]
    await pause(house, second)
    third = await house.manager.finished(third.id)  # the limit itself says how long that takes
    assert (third.status, third.error) == (
        Status.TIMED_OUT,
        "the job waited longer than the 2.5 s its service allows",
    )
    assert (await house.manager.get(second.id)).status is Status.PAUSED
    await house.manager.resume(second.id, "ann")
    (place / "go first").touch()
    (place / "go second").touch()
    assert (await house.manager.finished(second.id)).status is Status.SUCCEEDED
    assert (await house.manager.finished(first.id)).status is Status.SUCCEEDED


# -- cancelling ---------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["", "grandchild", "setsid grandchild", "daemon"])
async def test_a_paused_job_can_be_cancelled(house: House, place: Path, how: str) -> None:
    job = await house.submit("tick", place=str(place), how=how)
    await appears(place / "ticks")
    job = await pause(house, job)
    pids = [each.pid for each in tree(job)]
    await house.manager.cancel(job.id, "bob")
    await house.until(job.id, lambda job: job.rolling_back is not None)
    assert [is_gone(pid) for pid in pids] == [True] * len(pids)
    job = await house.manager.finished(job.id)
    assert (job.status, job.cancelled_by, job.undo_list()) == (Status.CANCELLED, "bob", [])
    assert lines(place, "undone") == ["effect"]
    assert lines(place, "asked") == [""]  # before it was killed


async def test_what_is_paused_in_the_queue_can_be_cancelled(house: House, place: Path) -> None:
    first = await house.submit("take_turn", place=str(place), name="first")
    await appears(place / "turns")
    second = await house.submit("take_turn", place=str(place), name="second")
    await pause(house, second)
    await house.manager.cancel(second.id, "ann")
    assert (await house.manager.finished(second.id)).status is Status.CANCELLED
    await house.manager.cancel(first.id, "ann")
    assert (await house.manager.finished(first.id)).status is Status.CANCELLED
    assert lines(place, "turns") == ["first"]


async def test_what_waits_to_go_on_can_be_cancelled(house: House, place: Path) -> None:
    first = await house.submit("take_place", place=str(place), name="first")
    await appears(place / "turns")
    await pause(house, first)
    second = await house.submit("take_place", place=str(place), name="second")
    await house.until(second.id, lambda job: job.status is Status.EXECUTING)
    await house.manager.resume(first.id, "ann")
    await house.manager.cancel(first.id, "ann")
    assert (await house.manager.finished(first.id)).status is Status.CANCELLED
    (place / "go second").touch()
    assert (await house.manager.finished(second.id)).status is Status.SUCCEEDED


# -- ends of instances and servers ----------------------------------------------------------------


async def goes_on_after_its_last_step(house: House, place: Path, job: Job) -> None:
    """A paused job whose instance is gone stays paused, and goes on in another attempt."""
    job = await house.manager.get(job.id)
    assert (job.status, job.attempt) == (Status.PAUSED, 1)
    (place / "go").touch()
    await house.manager.resume(job.id, "ann")
    job = await house.manager.finished(job.id)
    assert (job.status, job.attempt, job.crashes) == (Status.SUCCEEDED, 2, 0), job.error
    assert (
        "The instance that held the paused job is gone; the job goes on after its last finished step (1 kept)"
        in [each.text for each in job.messages]
    )
    assert lines(place, "steps") == ["counted"]


@pytest.mark.parametrize("victim", ["instance", "template"])
async def test_a_job_whose_instance_is_killed_stays_paused(house: House, place: Path, victim: str) -> None:
    job = await house.submit("tick", place=str(place), how="setsid grandchild")
    await appears(place / "ticks")
    job = await pause(house, job)
    processes = tree(job)
    (psutil.Process(job.pid) if victim == "instance" else house.template).kill()
    assert (await house.run("add", a=1)).status is Status.SUCCEEDED
    await asyncio.to_thread(psutil.wait_procs, processes)
    await goes_on_after_its_last_step(house, place, job)


async def test_a_paused_job_is_paused_after_a_stop_in_good_order(tmp_path: Path, place: Path) -> None:
    async with open_house(tmp_path / "data") as house:
        job = await house.submit("tick", place=str(place), how="daemon")
        await appears(place / "ticks")
        job = await pause(house, job)
        pids = [each.pid for each in tree(job)]
        waiting = [await house.submit("take_turn", place=str(place), name=str(number)) for number in range(2)]
        await appears(place / "turns")
        await pause(house, waiting[1])
    assert [pid for pid in pids if not is_gone(pid)] == []
    async with open_house(tmp_path / "data") as house:
        await house.run("add", a=1)
        await goes_on_after_its_last_step(house, place, job)
        assert (await house.manager.finished(waiting[0].id)).status is Status.SUCCEEDED
        assert (await house.manager.get(waiting[1].id)).status is Status.PAUSED
        await house.manager.resume(waiting[1].id, "ann")
        job = await house.manager.finished(waiting[1].id)
        assert (job.status, job.attempt, list(job.messages)) == (Status.SUCCEEDED, 1, [])


async def test_pausing_while_the_server_stops_is_finished_by_the_next(tmp_path: Path, place: Path) -> None:
    async with open_house(tmp_path / "data") as house:
        job = await house.submit("tick", place=str(place))
        await appears(place / "ticks")
        await asyncio.gather(house.engine.stop(), house.manager.pause(job.id, "ann"))
    async with open_house(tmp_path / "data") as house:
        await house.until(job.id, lambda job: job.status is Status.PAUSED)
        await goes_on_after_its_last_step(house, place, job)


async def test_what_cannot_be_resumed_fails_when_it_is_told_to_go_on(tmp_path: Path, place: Path) -> None:
    async with open_house(tmp_path / "data") as house:
        job = await house.submit("tick_once", place=str(place))
        await appears(place / "ticks")
        await pause(house, job)
    async with open_house(tmp_path / "data") as house:
        assert (await house.manager.get(job.id)).status is Status.PAUSED
        await house.manager.resume(job.id, "ann")
        job = await house.manager.finished(job.id)
        assert (job.status, job.attempt) == (Status.FAILED, 1)
        assert job.error == "the instance that held the paused job is gone"
    assert lines(place, "undone") == ["effect"]


_DYING = """
import asyncio, sys
from pathlib import Path
from milepost.jobs import Status
from tests.engine.conftest import open_house, appears

async def main():
    data, place = sys.argv[1:]
    async with open_house(Path(data)) as house:
        job = await house.submit("tick", place=place, how="setsid grandchild")
        await appears(Path(place) / "grandchild")
        await house.manager.pause(job.id, "ann")
        job = await house.until(job.id, lambda job: job.status is Status.PAUSED)
        print("paused", job.id, job.pid, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_paused_job_is_paused_after_the_server_died(tmp_path: Path, place: Path) -> None:
    job_id, pids = await asyncio.to_thread(die_with_a_paused_job, tmp_path / "data", place)
    async with open_house(tmp_path / "data") as house:
        assert [pid for pid in pids if not is_gone(pid)] == []
        await goes_on_after_its_last_step(house, place, await house.manager.get(job_id))


def die_with_a_paused_job(data: Path, place: Path) -> tuple[str, list[int]]:
    """Pause a job in a server process and kill that with -9; the id of the job, and its processes."""
    command = [sys.executable, "-c", _DYING, str(data), str(place)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said: list[str] = []
        while not said or said[0] != "paused":  # between lines of the log
            said = process.stdout.readline().split()
        instance = psutil.Process(int(said[2]))
        pids = [instance.pid, *(each.pid for each in instance.children(recursive=True))]
        process.kill()
    return said[1], pids


# -- moments --------------------------------------------------------------------------------------


async def test_pausing_and_resuming_in_any_order_and_at_any_speed(house: House, place: Path) -> None:
    seed = random.randrange(2**32)
    dice = random.Random(seed)
    job = await house.submit("tick", place=str(place), how="grandchild")
    for _ in range(RACES):
        try:
            await dice.choice([house.manager.pause, house.manager.resume])(job.id, "ann")
        except IllegalMove:
            continue
        if dice.random() < 0.4:
            await asyncio.sleep(dice.random() * 0.02)
    await house.until(job.id, lambda job: job.status in (Status.PAUSED, Status.EXECUTING))
    if (await house.manager.get(job.id)).status is Status.PAUSED:
        await resume(house, job)
    (place / "go").touch()
    job = await house.manager.finished(job.id)
    assert (job.status, job.attempt) == (Status.SUCCEEDED, 1), f"seed {seed}: {await statuses(house, job)}"
    assert lines(place, "ticks") == [str(number) for number in range(await house.result(job))]


async def test_a_pause_that_is_taken_back_in_the_same_moment(house: House, place: Path) -> None:
    job = await house.submit("tick", place=str(place), how="grandchild")
    await house.until(job.id, lambda job: job.status is Status.EXECUTING)
    for _ in range(RACES):
        await asyncio.gather(house.manager.pause(job.id, "ann"), house.manager.resume(job.id, "ann"))
        await house.until(job.id, lambda job: job.status is Status.EXECUTING)
    (place / "go").touch()
    job = await house.manager.finished(job.id)
    assert (job.status, job.attempt) == (Status.SUCCEEDED, 1), await statuses(house, job)
    assert lines(place, "ticks") == [str(number) for number in range(await house.result(job))]


async def test_pause_against_success(house: House) -> None:
    """A job that is paused in its last moments has ended, or ends once it is resumed."""
    seed = random.randrange(2**32)
    dice = random.Random(seed)
    ends = set()
    for number in range(RACES):
        job = await house.submit("end_soon", steps=dice.randrange(4))
        moment = dice.randrange(7)
        if moment:
            await house.until(job.id, lambda job, least=moment: job.sequence > least or job.status.ended)
        try:
            await house.manager.pause(job.id, "ann")
            job = await house.until(job.id, lambda job: job.status is Status.PAUSED or job.status.ended)
        except IllegalMove:
            job = await house.manager.finished(job.id)
        ends.add(job.status)
        if job.status is Status.PAUSED:
            await house.manager.resume(job.id, "ann")
            job = await house.manager.finished(job.id)
        about = f"seed {seed}, race {number}, moment {moment}: {await statuses(house, job)}"
        assert (job.status, job.attempt) == (Status.SUCCEEDED, 1), about
    assert ends <= {Status.PAUSED, Status.SUCCEEDED}


async def test_pause_against_a_crash(house: House, place: Path) -> None:
    """No crash undoes a pause, and no pause the retries."""
    seed = random.randrange(2**32)
    dice = random.Random(seed)
    for number in range(RACES // 4):
        traces = place / str(number)
        traces.mkdir()
        job = await house.submit("crash_twice", place=str(traces))
        for _ in range(3):
            moment = job.sequence + dice.randrange(5)
            await house.until(job.id, lambda job, least=moment: job.sequence > least or job.status.ended)
            try:
                await house.manager.pause(job.id, "ann")
                job = await house.until(job.id, lambda job: job.status is Status.PAUSED or job.status.ended)
                assert job.status.ended or not at_work_of(job)
                job = await house.manager.resume(job.id, "ann")
            except IllegalMove:
                job = await house.manager.get(job.id)
        job = await house.manager.finished(job.id)
        about = f"seed {seed}, race {number}: {job.error}: {await statuses(house, job)}"
        assert job.status is Status.SUCCEEDED, about
        assert await house.result(job) == 42, about
        assert lines(traces, "done").count("first") == 1, about


async def test_many_jobs_can_be_paused_at_once(house: House, place: Path) -> None:
    places = []
    for number in range(6):
        places.append(place / str(number))
        places[-1].mkdir()
    jobs = [await house.submit("tick", place=str(each)) for each in places]
    await asyncio.gather(*(house.manager.pause(job.id, "ann") for job in jobs))
    for job in jobs:
        await house.until(job.id, lambda job: job.status is Status.PAUSED)
    await asyncio.gather(*(house.manager.resume(job.id, "ann") for job in jobs))
    for each in places:
        (each / "go").touch()
    ends = [await house.manager.finished(job.id) for job in jobs]
    assert [(job.status, job.attempt) for job in ends] == [(Status.SUCCEEDED, 1)] * len(jobs)
