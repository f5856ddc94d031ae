"""How jobs end, whatever their operations do."""

import asyncio
import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from milepost.jobs import Status, fold
from tests.engine.conftest import House, appears, is_gone, lines, vanishes

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120, method="thread")]


async def test_success(house: House) -> None:
    job = await house.run("add", a="40", b=2)
    assert (job.status, await house.result(job)) == (Status.SUCCEEDED, 42)
    assert [(each.text, each.code) for each in job.messages] == [("adding", 7)]
    assert (job.attempt, job.fraction, job.error) == (1, 1.0, "")
    history = await house.manager.history(job.id)
    assert fold(job.id, [each.event for each in history]) == job


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("value", "the raster has no bands"),
        ("key", "KeyError: 'NDVI'"),
        ("silent", "RuntimeError"),
        ("exit", "the operation left with exit status 3 instead of returning"),
        ("os exit", "the instance that ran the job ended without a word, with exit status 3"),
        ("interrupt", "KeyboardInterrupt"),
        ("segfault", "the instance that ran the job was killed by SIGSEGV"),
        ("kill", "the instance that ran the job was killed by SIGKILL"),
        ("terminate", "the instance that ran the job was killed by SIGTERM"),
        ("no json", "object"),
        ("impossible event", "stage 'never begun' of job .* is not going on"),
        ("close fds", "the instance that ran the job ended without a word, with exit status 1"),
        ("write into the pipe", "the operation wrote into the pipe between its process and the server"),
    ],
)
async def test_failure_says_why_and_is_undone(house: House, place: Path, how: str, reason: str) -> None:
    job = await house.run("fail", place=str(place), how=how)
    assert job.status is Status.FAILED
    assert re.search(reason, job.error), job.error
    assert job.messages[-1].level == "error"
    assert job.messages[-1].text.lower() == job.error.lower()
    assert lines(place, "undone") == ["second", "first"]
    assert not house.files.workspace(job.id).exists()
    assert (await house.run("add", a=1)).status is Status.SUCCEEDED


async def test_an_operation_may_close_its_output(house: House) -> None:
    assert (await house.run("fail", how="close stdout")).status is Status.SUCCEEDED


async def test_a_traceback_is_in_the_log_and_not_in_the_job(house: House) -> None:
    job = await house.run("fail", how="key")
    assert "Traceback" in house.log(job)
    assert "Traceback" not in str(job)


# -- memory ------------------------------------------------------------------------------------


async def test_memory_within_the_limit(house: House) -> None:
    assert await house.result(await house.run("use_memory", mebibytes=100)) == 100


async def test_memory_beyond_the_limit_fails_the_job_with_that_reason(house: House) -> None:
    job = await house.run("use_memory", mebibytes=800)
    assert (job.status, job.error) == (
        Status.FAILED,
        "the operation needed more memory than its service allows",
    )


async def test_a_limit_that_leaves_no_memory_at_all_is_told_too(house: House) -> None:
    job = await house.run("need_any_memory")
    # So little is needed that it may do with what Python has in hand.
    if job.status is not Status.SUCCEEDED:
        assert job.error == "the operation needed more memory than its service allows"


# -- crashes and attempts ----------------------------------------------------------------------


async def test_a_crashed_job_is_tried_again_from_its_last_finished_step(house: House, place: Path) -> None:
    job = await house.run("crash_twice", place=str(place))
    assert (job.status, await house.result(job)) == (Status.SUCCEEDED, 42)
    assert (job.attempt, job.crashes) == (3, 2)
    assert lines(place, "done") == ["first", "second"]
    assert len(set(lines(place, "attempts"))) == 3
    # What belongs to a finished step stays.
    assert lines(place, "undone") == []
    warnings = [each.text for each in job.messages if each.level == "warning"]
    assert warnings == [
        "The instance that ran the job was killed by SIGKILL; the job goes on after its last finished step (1 kept)",
        "The instance that ran the job was killed by SIGABRT; the job goes on after its last finished step (2 kept)",
    ]


async def test_what_no_step_finished_is_undone_before_it_is_done_again(house: House, place: Path) -> None:
    job = await house.run("crash_after_effect", place=str(place))
    assert (job.status, job.attempt) == (Status.SUCCEEDED, 2)
    assert lines(place, "done") == ["effect", "effect"]
    assert lines(place, "undone") == ["effect"]


async def test_what_an_earlier_attempt_did_is_undone_when_a_later_one_fails(
    house: House, place: Path
) -> None:
    job = await house.run("fail_after_crash", place=str(place))
    assert (job.status, job.attempt, job.error) == (Status.FAILED, 2, "no such layer")
    assert lines(place, "done") == ["of the step"]
    assert lines(place, "undone") == ["of the attempt", "of the step"]


async def test_what_cannot_be_undone_is_not_done_again(house: House, place: Path) -> None:
    job = await house.run("crash_after_effect", place=str(place), badly=True)
    assert job.status is Status.FAILED
    assert job.error == (
        "the job could not be tried again; it could not be undone what the job did: undo_badly (the layer is locked)"
    )
    assert lines(place, "done") == ["effect"]


async def test_the_template_killed_with_all_that_stand_ready(house: House) -> None:
    house.template.kill()
    assert (await house.run("add", a=1)).status is Status.SUCCEEDED


@pytest.mark.parametrize("how", ["native", "grandchild", "setsid grandchild", "daemon"])
async def test_the_template_killed_while_a_job_runs(house: House, place: Path, how: str) -> None:
    job = await house.submit("wait", place=str(place), how=how)
    await appears(place / "ready")
    left = [int(each) for each in lines(place, "ready") + lines(place, "grandchild")]
    house.template.kill()
    again = await house.until(job.id, lambda job: job.attempt == 2)
    assert again.messages[0].text == (
        "The process that instances are forked from died while the job ran; the job is tried again"
    )
    assert [is_gone(pid) for pid in left] == [True] * len(left)
    await house.manager.cancel(job.id, "ann")
    await house.manager.finished(job.id)
    assert lines(place, "undone")[:2] == ["effect 1", "effect 0"]
    assert (await house.run("add", a=1)).status is Status.SUCCEEDED


# -- undoing -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("raises", "undo_badly (the layer is locked)"),
        ("dies", "undo_and_die (its process was killed by SIGSEGV)"),
    ],
)
async def test_a_rollback_that_fails_is_told_and_the_others_run(
    house: House, place: Path, how: str, reason: str
) -> None:
    job = await house.run("undo_in_vain", place=str(place), how=how)
    assert job.status is Status.FAILED
    assert job.error == f"no such layer; it could not be undone what the job did: {reason}"
    # One whose process died is tried again: something else may have killed it.
    bad = ["dying"] * 3 if how == "dies" else ["second failing"]
    assert lines(place, "undone") == ["third", *bad, "first"]


async def test_a_rollback_whose_process_was_killed_is_run_again(house: House, place: Path) -> None:
    job = await house.submit("undo_after_kill", place=str(place))
    job = await house.manager.finished(job.id)
    assert (job.status, job.error) == (Status.FAILED, "no such layer")
    assert lines(place, "undone") == ["killed", "effect"]


async def test_a_rollback_that_hangs_is_stopped(house: House, place: Path) -> None:
    job = await house.run("undo_slowly", place=str(place))
    assert job.error == (
        "no such layer; it could not be undone what the job did: undo_for_ever (it took longer than 0.5 s)"
    )
    assert lines(place, "undone") == ["hanging", "first"]


# -- limits ------------------------------------------------------------------------------------


@pytest.mark.parametrize("native", [False, True])
async def test_a_job_that_runs_too_long_is_stopped_and_undone(
    house: House, place: Path, native: bool
) -> None:
    job = await house.run("too_long", place=str(place), native=native)
    assert (job.status, job.attempt) == (Status.TIMED_OUT, 1)
    assert job.error == "the job ran longer than the 0.5 s its service allows"
    assert lines(place, "undone") == ["effect"]


async def test_all_attempts_together_have_one_limit(house: House, place: Path) -> None:
    job = await house.run("too_long", place=str(place), crash=True)
    assert job.status is Status.TIMED_OUT
    assert 2 <= job.attempt <= 3


async def test_a_job_that_waits_too_long_times_out(house: House, place: Path) -> None:
    first = await house.submit("hold", place=str(place))
    await appears(place / "ready")
    second = await house.manager.finished((await house.submit("hold", place=str(place))).id)
    assert (second.status, second.attempt) == (Status.TIMED_OUT, 0)
    assert second.error == "the job waited longer than the 0.2 s its service allows"
    (place / "go").touch()
    assert (await house.manager.finished(first.id)).status is Status.SUCCEEDED


# -- what is said ------------------------------------------------------------------------------


async def test_everything_that_is_printed_is_in_the_log_of_the_job(house: House) -> None:
    job = await house.run("prints")
    assert set(house.log(job).splitlines()) == {
        "from Python",
        "to the error stream",
        "from a child",
        "from a child to the error stream",
        "from native code",
        "from a descriptor",
    }
    assert await house.result(job) == str(house.files.workspace(job.id))
    assert "SOMETHING" not in os.environ


async def test_thousands_of_messages_arrive_in_order(house: House) -> None:
    job = await house.run("chat", messages=5000)
    assert [each.text for each in job.messages] == [f"message {number}" for number in range(5000)]


async def test_a_job_that_floods_lets_others_run(house: House) -> None:
    flood = await house.submit("chat", messages=20_000)
    await house.until(flood.id, lambda job: len(job.messages) > 100)
    assert (await house.run("add", a=1)).status is Status.SUCCEEDED
    await house.manager.cancel(flood.id, "ann")
    assert (await house.manager.finished(flood.id)).status is Status.CANCELLED


def big_features(megabytes: int) -> dict[str, Any]:
    # Long texts and few corners: checking each corner takes longer than all that is shown here.
    ring = [[0.0, 0.0], [0.0, 1.5], [1.5, 1.5], [0.0, 0.0]]
    feature = {"attributes": {"text": "x" * 100_000}, "geometry": {"rings": [ring]}}
    return {
        "geometryType": "esriGeometryPolygon",
        "spatialReference": {"wkid": 4326},
        "features": [feature] * (megabytes * 10),
    }


async def test_fifty_megabytes_go_in_and_come_out(house: House) -> None:
    features = big_features(50)
    job = await house.run("echo", features=features, step=True)
    assert job.status is Status.SUCCEEDED, job.error
    assert (await house.result(job))["features"] == features["features"]
    assert job.results["result"].size > 45 * 2**20


async def test_results_beyond_all_measure_fail_the_job(house: House) -> None:
    job = await house.run("too_big")
    assert job.status is Status.FAILED
    assert job.error.startswith(
        "the values take 300 MiB, of which a job can keep 256 MiB; write them to a file"
    )


# -- nothing is left ---------------------------------------------------------------------------


async def test_the_workspace_goes_and_results_and_log_stay(house: House) -> None:
    job = await house.run("prints")
    await vanishes(house.files.workspace(job.id))
    assert house.files.log(job.id).is_file()


async def test_no_zombie_and_no_process_but_those_that_stand_ready(house: House, place: Path) -> None:
    for _ in range(3):
        await house.run("add", a=1)
        await house.run("fail", how="segfault")
    deadline = time.monotonic() + 30
    while True:
        states = [each.status() for each in house.processes()]
        if "zombie" not in states and len(states) <= 1 + 7:
            break
        assert time.monotonic() < deadline, states
        await asyncio.sleep(0.01)


async def test_a_signal_to_all_processes_of_the_service_leaves_the_template_alive(house: House) -> None:
    template = house.template
    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        template.send_signal(each)
    assert (await house.run("add", a=1)).status is Status.SUCCEEDED
    assert house.template == template
