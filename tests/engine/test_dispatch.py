"""Who runs when, and how many at the same time."""

import asyncio
from pathlib import Path

import pytest

from milepost.jobs import Status
from tests.engine.conftest import House, appears, lines

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120, method="thread")]


async def test_no_more_run_than_the_service_allows(house: House, place: Path) -> None:
    jobs = [await house.submit("overlap", place=str(place)) for _ in range(30)]
    ends = [await house.manager.finished(job.id) for job in jobs]
    assert {job.status for job in ends} == {Status.SUCCEEDED}
    assert set(lines(place, "slots")) == {"0", "1"}  # two at once, and never three


async def test_priorities_and_turns(house: House, place: Path) -> None:
    first = await house.submit("take_turn", place=str(place), name="first")
    await appears(place / "turns")
    waiting = [
        await house.submit("take_turn", owner=owner, priority=priority, place=str(place), name=name)
        for owner, priority, name in [
            ("ann", 0, "ann 1"),
            ("ann", 0, "ann 2"),
            ("ann", 0, "ann 3"),
            ("bob", 0, "bob 1"),
            ("bob", 0, "bob 2"),
            ("cem", 5, "urgent"),
            ("cem", -5, "whenever"),
        ]
    ]
    assert {job.status for job in waiting} == {Status.WAITING}
    (place / "go").touch()
    await asyncio.gather(*(house.manager.finished(job.id) for job in (first, *waiting)))
    assert lines(place, "turns") == [
        "first",
        "urgent",
        "ann 1",
        "bob 1",
        "ann 2",
        "bob 2",
        "ann 3",
        "whenever",
    ]


async def test_services_do_not_wait_for_each_other(house: House, place: Path) -> None:
    blocking = await house.submit("take_turn", place=str(place), name="first")
    await appears(place / "turns")
    assert (await house.run("add", a=1)).status is Status.SUCCEEDED
    (place / "go").touch()
    await house.manager.finished(blocking.id)


async def test_the_same_key_is_the_same_job(house: House) -> None:
    operation = next(each for each in house.catalog if each.name == "add")
    answers = await asyncio.gather(
        *(house.manager.submit(operation, {"a": 1}, owner="ann", key="once") for _ in range(20))
    )
    assert sum(each.created for each in answers) == 1
    (job_id,) = {each.job.id for each in answers}
    assert (await house.manager.finished(job_id)).attempt == 1
