"""Cancelling: asked first, then killed, then undone, and only then CANCELLED."""

import asyncio
import random
from pathlib import Path

import pytest

from milepost.jobs import IllegalMove, Status
from milepost.jobs import events as ev
from milepost.store import UnknownJob
from tests.engine.conftest import House, appears, is_gone, lines, vanishes

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120, method="thread")]

RACES = 60


@pytest.mark.parametrize(
    "how",
    [
        "ask",
        "native",
        "deaf",
        "catches exceptions",
        "catches everything",
        "returns",
        "fails",
        "grandchild",
        "setsid grandchild",
        "daemon",
    ],
)
async def test_cancelling_stops_the_work_and_undoes_it(house: House, place: Path, how: str) -> None:
    job = await house.submit("wait", place=str(place), how=how)
    await appears(place / "ready")
    pids = [int(each) for each in lines(place, "ready") + lines(place, "grandchild")]
    asked = await house.manager.cancel(job.id, "bob")
    assert (asked.status, asked.cancelled_by) == (Status.CANCELLING, "bob")
    with pytest.raises(IllegalMove):
        await house.manager.cancel(job.id, "bob")

    await house.until(job.id, lambda job: job.rolling_back is not None)
    assert [is_gone(pid) for pid in pids] == [True] * len(pids)  # when undoing begins
    job = await house.manager.finished(job.id)
    assert (job.status, job.error, job.undo_list()) == (Status.CANCELLED, "", [])
    assert lines(place, "undone") == ["effect 1", "effect 0"]
    assert not house.files.workspace(job.id).exists()
    with pytest.raises(IllegalMove):
        await house.manager.cancel(job.id, "bob")


async def test_cancelling_what_waits(house: House, place: Path) -> None:
    first = await house.submit("take_turn", place=str(place), name="first")
    await appears(place / "turns")
    second = await house.submit("take_turn", place=str(place), name="second")
    assert second.status is Status.WAITING
    await house.manager.cancel(second.id, "ann")
    assert (await house.manager.finished(second.id)).status is Status.CANCELLED
    await house.manager.cancel(first.id, "ann")
    assert (await house.manager.finished(first.id)).status is Status.CANCELLED
    assert lines(place, "turns") == ["first"]


async def test_cancelling_in_the_same_breath(house: House, place: Path) -> None:
    for _ in range(10):
        job = await house.submit("wait", place=str(place))
        await house.manager.cancel(job.id, "ann")
        assert (await house.manager.finished(job.id)).status is Status.CANCELLED
    assert sorted(lines(place, "done")) == sorted(lines(place, "undone"))


async def test_cancelling_is_done_although_nobody_waits_for_the_answer(house: House, place: Path) -> None:
    job = await house.submit("wait", place=str(place))
    await appears(place / "ready")
    asking = asyncio.ensure_future(house.manager.cancel(job.id, "ann"))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.wait([asking])
    assert (await house.manager.finished(job.id)).status is Status.CANCELLED


async def test_a_submission_is_run_although_nobody_waits_for_the_answer(house: House, place: Path) -> None:
    asking = asyncio.ensure_future(house.submit("take_turn", place=str(place), name="only"))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.wait([asking])
    await appears(place / "turns")
    (job,) = [job for job in await house.store.unfinished() if job.operation == "take_turn"]
    (place / "go").touch()
    assert (await house.manager.finished(job.id)).status is Status.SUCCEEDED


async def test_cancelling_while_a_failure_is_undone(house: House, place: Path) -> None:
    job = await house.submit("undo_slowly", place=str(place))
    await appears(place / "undone")
    await house.manager.cancel(job.id, "ann")
    job = await house.manager.finished(job.id)
    assert job.status is Status.FAILED
    assert "undo_for_ever (it took longer than 0.5 s)" in job.error
    assert lines(place, "undone") == ["hanging", "first"]


async def test_cancelling_what_cannot_be_undone_fails(house: House, place: Path) -> None:
    job = await house.submit("wait_in_vain", place=str(place))
    await appears(place / "ready")
    await house.manager.cancel(job.id, "ann")
    job = await house.manager.finished(job.id)
    assert job.status is Status.FAILED
    assert job.error == (
        "the job was cancelled, but it could not be undone what the job did: undo_badly (the layer is locked)"
    )


async def test_cancelling_an_unknown_job(house: House) -> None:
    with pytest.raises(UnknownJob):
        await house.manager.cancel("0" * 32, "ann")


async def test_cancel_against_success(house: House, place: Path) -> None:
    """Whichever is first: cancelled and undone, or succeeded and not undone, and never in between."""
    seed = random.randrange(2**32)
    dice = random.Random(seed)
    ends = []
    for number in range(RACES):
        traces = place / str(number)
        traces.mkdir()
        job = await house.submit("quick", place=str(traces), milliseconds=dice.choice([0, 0, 1, 3]))
        moment = dice.randrange(6)
        if moment:
            await house.until(job.id, lambda job, least=moment: job.sequence > least or job.status.ended)
            if dice.random() < 0.5:
                await asyncio.sleep(dice.random() * 0.004)
        try:
            await house.manager.cancel(job.id, "ann")
            cancelled = True
        except IllegalMove:
            cancelled = False
        end = await house.manager.finished(job.id)
        ends.append(end.status)
        about = f"seed {seed}, race {number}, moment {moment}: {[type(e.event).__name__ for e in await house.manager.history(job.id)]}"
        done, undone = lines(traces, "done"), lines(traces, "undone")
        if cancelled:
            assert end.status is Status.CANCELLED, about
            assert set(done) <= set(undone), about
            assert end.undo_list() == [], about
        else:
            assert end.status is Status.SUCCEEDED, about
            assert (done, undone) == (["effect"], []), about
        assert await house.store.get(job.id) == end, about
    assert {Status.CANCELLED, Status.SUCCEEDED} >= set(ends)
    # Whoever was first, nothing is left at work.
    for job_id in house.files.workspaces():
        await vanishes(house.files.workspace(job_id))


async def test_all_of_many_jobs_can_be_cancelled_at_once(house: House, place: Path) -> None:
    jobs = [await house.submit("wait", place=str(place)) for _ in range(12)]
    await appears(place / "ready")
    await asyncio.gather(*(house.manager.cancel(job.id, "ann") for job in jobs))
    ends = [await house.manager.finished(job.id) for job in jobs]
    assert {job.status for job in ends} == {Status.CANCELLED}
    assert sorted(lines(place, "done")) == sorted(lines(place, "undone"))


async def test_history_of_a_cancelled_job(house: House, place: Path) -> None:
    job = await house.submit("wait", place=str(place), effects=1)
    await appears(place / "ready")
    await house.manager.cancel(job.id, "ann")
    await house.manager.finished(job.id)
    history = [type(each.event) for each in await house.manager.history(job.id)]
    assert history == [
        ev.Submitted,
        ev.Started,
        ev.RollbackRecorded,
        ev.CancelRequested,
        ev.RollbackStarted,
        ev.RolledBack,
        ev.Cancelled,
    ]
