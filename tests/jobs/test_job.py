"""The life of a job in words."""

from typing import Any

import pytest

from milepost.jobs import (
    ENDED,
    MOVES,
    QUEUED,
    UNFINISHED,
    IllegalMove,
    Job,
    JobFilter,
    Kept,
    StaleAttempt,
    Status,
    apply,
    fold,
)
from milepost.jobs import events as ev
from milepost.jobs.job import value_of

SUBMITTED = ev.Submitted(at=1000, owner="ada", service="Analysis/Proximity.GPServer", operation="buffer")
STARTED = ev.Started(at=2000, attempt=1, worker="node-1", pid=77, born=1.5)


def job_after(*events: ev.Event) -> Job:
    return fold("a" * 32, [SUBMITTED, *events])


def test_a_job_begins_submitted() -> None:
    job = job_after()
    assert (job.status, job.sequence, job.attempt) == (Status.SUBMITTED, 1, 0)
    assert (job.submitted_at, job.updated_at, job.started_at, job.ended_at) == (1000, 1000, 0, 0)


def test_a_submission_keeps_what_the_client_sent() -> None:
    event = ev.Submitted(
        at=5,
        owner="ada",
        service="A/B.GPServer",
        operation="buffer",
        inputs={"distance": Kept(3)},
        priority=2,
        key="once",
        request="r1",
        attributes={"outSR": 4326},
    )
    job = fold("b" * 32, [event])
    assert (job.inputs, job.priority, job.key, job.request) == ({"distance": Kept(3)}, 2, "once", "r1")
    assert job.attributes == {"outSR": 4326}


@pytest.mark.parametrize("history", [[], [STARTED], [STARTED, SUBMITTED]])
def test_a_history_that_does_not_begin_with_a_submission_is_no_job(history: list[ev.Event]) -> None:
    with pytest.raises(ValueError, match="does not begin with a submission"):
        fold("a" * 32, history)


def test_a_job_is_submitted_only_once() -> None:
    with pytest.raises(IllegalMove, match="submitted already"):
        job_after(SUBMITTED)


def test_a_start_names_the_process_that_works() -> None:
    job = job_after(STARTED)
    assert (job.status, job.attempt, job.worker, job.pid, job.born) == (
        Status.EXECUTING,
        1,
        "node-1",
        77,
        1.5,
    )
    assert job.started_at == 2000


def test_a_success_ends_the_job_with_its_results() -> None:
    job = job_after(STARTED, ev.Succeeded(at=3000, attempt=1, results={"area": Kept(12.5)}))
    assert (job.status, job.fraction, job.ended_at) == (Status.SUCCEEDED, 1.0, 3000)
    assert value_of(job.results["area"]) == 12.5


def test_a_result_beside_the_job_must_be_fetched() -> None:
    with pytest.raises(LookupError, match="payload 'results/area'"):
        value_of(Kept(payload="results/area", size=10))


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        (ev.Failed(at=3000, error="no data"), Status.FAILED),
        (ev.TimedOut(at=3000, error="no data"), Status.TIMED_OUT),
    ],
)
def test_a_bad_end_says_why(ending: ev.Event, status: Status) -> None:
    job = job_after(STARTED, ending)
    assert (job.status, job.error, job.ended_at) == (status, "no data", 3000)


def test_a_job_can_end_before_it_ever_started() -> None:
    assert job_after(ev.Waiting(at=2), ev.TimedOut(at=3, error="waited too long")).status is Status.TIMED_OUT
    assert job_after(ev.Failed(at=3, error="no such operation")).status is Status.FAILED


def test_a_cancel_goes_by_way_of_cancelling() -> None:
    job = job_after(STARTED, ev.CancelRequested(at=3000, by="root"))
    assert (job.status, job.cancelled_by, job.ended_at) == (Status.CANCELLING, "root", 0)
    job = apply(job, ev.Cancelled(at=4000))
    assert (job.status, job.ended_at) == (Status.CANCELLED, 4000)


def test_nothing_is_cancelled_that_nobody_asked_to_cancel() -> None:
    with pytest.raises(IllegalMove, match="EXECUTING and cannot become CANCELLED"):
        job_after(STARTED, ev.Cancelled(at=3000))


def test_a_success_that_comes_after_the_cancel_is_too_late() -> None:
    with pytest.raises(IllegalMove, match="CANCELLING and cannot become SUCCEEDED"):
        job_after(STARTED, ev.CancelRequested(at=3000, by="root"), ev.Succeeded(at=3001, attempt=1))


def test_an_interrupted_job_waits_and_goes_on_in_another_attempt() -> None:
    interrupted = ev.Interrupted(at=3000, attempt=1, reason="killed by SIGKILL")
    job = job_after(STARTED, interrupted)
    assert (job.status, job.crashes, job.worker, job.pid) == (Status.WAITING, 1, "", 0)
    job = apply(job, ev.Started(at=4000, attempt=2, worker="node-2", pid=88))
    assert (job.status, job.attempt, job.worker, job.started_at) == (Status.EXECUTING, 2, "node-2", 2000)


def test_a_stop_of_the_server_in_good_order_is_no_crash() -> None:
    stopped = ev.Interrupted(at=3000, attempt=1, reason="the server was stopped", crash=False)
    assert job_after(STARTED, stopped).crashes == 0


def test_an_attempt_that_is_over_is_not_heard_any_more() -> None:
    job = job_after(
        STARTED, ev.Interrupted(at=3000, attempt=1, reason="lost"), ev.Started(at=4000, attempt=2)
    )
    with pytest.raises(StaleAttempt, match=r"attempt 1 .* is over; attempt 2 is current"):
        apply(job, ev.Succeeded(at=5000, attempt=1))


def test_an_attempt_that_was_interrupted_cannot_continue() -> None:
    with pytest.raises(IllegalMove):
        job_after(
            STARTED, ev.Interrupted(at=3000, attempt=1, reason="lost"), ev.Continued(at=3001, attempt=1)
        )


def test_a_job_that_never_started_can_neither_continue_nor_be_interrupted() -> None:
    with pytest.raises(IllegalMove):
        job_after(ev.Continued(at=2, attempt=0))
    with pytest.raises(IllegalMove):
        job_after(ev.Interrupted(at=2, attempt=0, reason="lost"))


def test_no_second_attempt_starts_beside_the_first() -> None:
    paused = [
        ev.PauseRequested(at=3, by="ada"),
        ev.Paused(at=4, attempt=1),
        ev.ResumeRequested(at=5, by="ada"),
        ev.Resumed(at=6, attempt=1),
    ]
    with pytest.raises(IllegalMove):
        job_after(STARTED, ev.Started(at=3000, attempt=2))
    with pytest.raises(IllegalMove):
        job_after(STARTED, *paused, ev.Started(at=7, attempt=2))


def test_attempts_are_counted_without_gaps() -> None:
    with pytest.raises(StaleAttempt, match="expects attempt 1, not 3"):
        job_after(ev.Started(at=2, attempt=3))


def test_a_running_job_does_not_go_back_to_the_queue_by_itself() -> None:
    with pytest.raises(IllegalMove):
        job_after(STARTED, ev.Waiting(at=3000))


PAUSED = (ev.PauseRequested(at=3000, by="ada"), ev.Paused(at=3001, attempt=1))


def test_a_job_pauses_and_goes_on() -> None:
    seen = []
    job = job_after(STARTED)
    for event in (
        ev.PauseRequested(at=3000, by="ada"),
        ev.Paused(at=3001, attempt=1),
        ev.ResumeRequested(at=3002, by="ada"),
        ev.Resumed(at=3003, attempt=1),
        ev.Continued(at=3004, attempt=1),
    ):
        job = apply(job, event)
        seen.append(int(job.status))
    assert seen == [102, 100, 103, 101, 3]


def test_a_paused_job_whose_process_is_gone_goes_on_in_another_attempt() -> None:
    resumed = job_after(STARTED, *PAUSED, ev.ResumeRequested(at=3002, by="ada"))
    second = ev.Started(at=3004, attempt=2)
    with pytest.raises(IllegalMove):  # as long as nobody said that the first is over
        apply(resumed, second)
    gone = apply(resumed, ev.Interrupted(at=3003, attempt=1, reason="the server stopped"))
    assert (gone.status, gone.under_way) == (Status.WAITING, False)
    job = apply(gone, second)
    assert (job.status, job.attempt, job.under_way) == (Status.EXECUTING, 2, True)


def test_a_job_can_be_paused_in_the_queue_and_has_its_turn_once_it_is_resumed() -> None:
    for before in ([], [ev.Waiting(at=2)], [STARTED, ev.Interrupted(at=3000, attempt=1, reason="lost")]):
        queued = job_after(*before)
        asked = apply(queued, ev.PauseRequested(at=3000, by="ada"))
        with pytest.raises(IllegalMove):
            apply(asked, ev.Started(at=3001, attempt=asked.attempt + 1))
        paused = apply(asked, ev.Paused(at=3001, attempt=asked.attempt))
        with pytest.raises(IllegalMove):
            apply(paused, ev.Started(at=3002, attempt=paused.attempt + 1))
        resumed = apply(paused, ev.ResumeRequested(at=3002, by="ada"))
        assert int(resumed.status) == 103
        for event in (
            ev.Resumed(at=3003, attempt=resumed.attempt),
            ev.Succeeded(at=3003, attempt=resumed.attempt),
            ev.Interrupted(at=3003, attempt=resumed.attempt, reason="lost"),
            ev.StageStarted(at=3003, attempt=resumed.attempt, name="reading"),
        ):
            with pytest.raises(IllegalMove):  # there is no attempt that could
                apply(resumed, event)
        assert apply(resumed, ev.Started(at=3003, attempt=resumed.attempt + 1)).status is Status.EXECUTING


def test_a_pause_is_not_undone_by_an_interruption() -> None:
    with pytest.raises(IllegalMove):
        job_after(STARTED, PAUSED[0], ev.Interrupted(at=3001, attempt=1, reason="killed"))
    with pytest.raises(IllegalMove):
        job_after(STARTED, *PAUSED, ev.Interrupted(at=3002, attempt=1, reason="killed"))


def test_the_time_of_all_pauses_is_known() -> None:
    job = job_after(STARTED, *PAUSED)
    assert (job.paused_at, job.paused_for) == (3001, 0)
    job = apply(job, ev.MessageAdded(at=3500, attempt=1, text="still paused"))
    job = apply(job, ev.ResumeRequested(at=4001, by="ada"))
    assert (job.paused_at, job.paused_for) == (0, 1000)
    for event in (
        ev.PauseRequested(at=5000, by="ada"),
        ev.Paused(at=5001, attempt=1),
        ev.CancelRequested(at=5501, by="ada"),
    ):
        job = apply(job, event)
    assert (job.paused_at, job.paused_for) == (0, 1500)


def test_what_waits_to_go_on_can_be_paused_again() -> None:
    resumed = job_after(STARTED, *PAUSED, ev.ResumeRequested(at=3002, by="ada"))
    again = apply(resumed, ev.PauseRequested(at=3003, by="ada"))
    assert apply(again, ev.Paused(at=3004, attempt=1)).status is Status.PAUSED


def test_work_that_ends_before_it_could_pause_or_resume_is_not_lost() -> None:
    pause = ev.PauseRequested(at=3, by="ada")
    resume = ev.ResumeRequested(at=4, by="ada")
    done = ev.Succeeded(at=5, attempt=1)
    assert job_after(STARTED, pause, done).status is Status.SUCCEEDED
    assert job_after(STARTED, pause, resume, done).status is Status.SUCCEEDED


def test_an_ended_job_can_only_be_deleted() -> None:
    job = job_after(STARTED, ev.Succeeded(at=3000, attempt=1))
    for event in (ev.CancelRequested(at=4000, by="root"), ev.Failed(at=4000, error="late")):
        with pytest.raises(IllegalMove):
            apply(job, event)
    job = apply(job, ev.DeleteRequested(at=4000, by="root"))
    assert job.status is Status.DELETING
    job = apply(job, ev.Deleted(at=5000))
    assert (job.status, job.ended_at) == (Status.DELETED, 3000)


def test_a_job_at_work_cannot_be_deleted() -> None:
    with pytest.raises(IllegalMove, match="EXECUTING and cannot become DELETING"):
        job_after(STARTED, ev.DeleteRequested(at=3000, by="root"))


def test_messages_keep_their_order_their_levels_and_their_codes() -> None:
    job = job_after(
        STARTED,
        ev.MessageAdded(at=3000, attempt=1, text="begun"),
        ev.MessageAdded(at=3001, attempt=1, text="odd", level="warning", code=201),
    )
    assert [(m.text, m.level, m.code) for m in job.messages] == [
        ("begun", "info", 0),
        ("odd", "warning", 201),
    ]


def test_the_engine_may_speak_about_a_job_that_waits() -> None:
    job = job_after(
        ev.MessageAdded(at=2, attempt=0, text="No instance is free"), ev.Failed(at=3, error="no instance")
    )
    assert [message.text for message in job.messages] == ["No instance is free"]


def test_a_job_that_ended_says_nothing_more() -> None:
    with pytest.raises(IllegalMove, match="FAILED: no MessageAdded can follow"):
        job_after(STARTED, ev.Failed(at=3, error="x"), ev.MessageAdded(at=4, attempt=1, text="late"))


def test_a_stage_starts_and_ends() -> None:
    job = job_after(
        STARTED,
        ev.StageStarted(at=3000, attempt=1, name="reading"),
        ev.StageFinished(at=3500, attempt=1, name="reading"),
        ev.StageStarted(at=3600, attempt=1, name="writing"),
        ev.StageFailed(at=3700, attempt=1, name="writing"),
        ev.StageStarted(at=3800, attempt=1, name="sending"),
    )
    assert [(s.name, s.state, s.started_at, s.ended_at) for s in job.stages] == [
        ("reading", "finished", 3000, 3500),
        ("writing", "failed", 3600, 3700),
        ("sending", "started", 3800, 0),
    ]


def test_a_stage_entered_again_by_the_next_attempt_has_one_line() -> None:
    job = job_after(
        STARTED,
        ev.StageStarted(at=3000, attempt=1, name="reading"),
        ev.Interrupted(at=3100, attempt=1, reason="killed"),
        ev.Started(at=3200, attempt=2),
        ev.StageStarted(at=3300, attempt=2, name="reading"),
        ev.StageFinished(at=3400, attempt=2, name="reading"),
    )
    assert [(s.name, s.state, s.started_at, s.ended_at) for s in job.stages] == [
        ("reading", "finished", 3300, 3400)
    ]


def states(job: Job) -> list[tuple[str, str]]:
    return [(stage.name, stage.state) for stage in job.stages]


PLANNED = ev.StagesPlanned(at=3000, attempt=1, names=["reading", "writing", "sending"])


def test_planned_stages_are_pending_in_order_until_they_begin() -> None:
    job = job_after(STARTED, PLANNED)
    assert states(job) == [("reading", "pending"), ("writing", "pending"), ("sending", "pending")]
    assert [(s.started_at, s.ended_at) for s in job.stages] == [(0, 0)] * 3


def test_a_planned_stage_keeps_its_place_whenever_it_begins() -> None:
    job = job_after(
        STARTED,
        PLANNED,
        ev.StageStarted(at=3001, attempt=1, name="sending"),
        ev.StageStarted(at=3002, attempt=1, name="reading"),
        ev.StageFinished(at=3003, attempt=1, name="sending"),
        ev.StageStarted(at=3004, attempt=1, name="cleaning"),
    )
    assert states(job) == [
        ("reading", "started"),
        ("writing", "pending"),
        ("sending", "finished"),
        ("cleaning", "started"),
    ]


def test_a_planned_stage_cannot_end_before_it_began() -> None:
    with pytest.raises(IllegalMove, match=r"stage 'writing' .* is not going on"):
        job_after(STARTED, PLANNED, ev.StageFinished(at=3001, attempt=1, name="writing"))


def test_another_plan_adds_what_is_not_known_yet() -> None:
    more = ev.StagesPlanned(at=3002, attempt=1, names=["writing", "checking", "checking", "reading"])
    job = job_after(STARTED, PLANNED, ev.StageStarted(at=3001, attempt=1, name="writing"), more)
    assert states(job) == [
        ("reading", "pending"),
        ("writing", "started"),
        ("sending", "pending"),
        ("checking", "pending"),
    ]


def test_a_stage_that_was_going_on_when_the_attempt_ended_is_to_be_done_again() -> None:
    job = job_after(
        STARTED,
        PLANNED,
        ev.StageStarted(at=3001, attempt=1, name="reading"),
        ev.StageFinished(at=3002, attempt=1, name="reading"),
        ev.StageStarted(at=3003, attempt=1, name="writing"),
        ev.Interrupted(at=3004, attempt=1, reason="killed"),
    )
    assert states(job) == [("reading", "finished"), ("writing", "pending"), ("sending", "pending")]
    again = apply(job, ev.Started(at=3005, attempt=2))
    again = apply(again, ev.StagesPlanned(at=3006, attempt=2, names=PLANNED.names))
    assert again.stages == job.stages


def test_a_stage_that_is_not_going_on_cannot_end() -> None:
    with pytest.raises(IllegalMove, match=r"stage 'reading' .* is not going on"):
        job_after(STARTED, ev.StageFinished(at=3000, attempt=1, name="reading"))


def test_a_step_is_finished_once_in_the_life_of_a_job() -> None:
    step = ev.StepFinished(at=3000, attempt=1, name="project", result=Kept([1, 2]))
    job = job_after(STARTED, step)
    assert job.steps == {"project": Kept([1, 2])}
    with pytest.raises(IllegalMove, match=r"step 'project' .* is finished already"):
        apply(job, step)


@pytest.mark.parametrize("fraction", [-0.1, 1.1, float("nan"), float("inf")])
def test_progress_lies_between_nothing_and_all(fraction: float) -> None:
    with pytest.raises(IllegalMove, match="between 0 and 1"):
        job_after(STARTED, ev.Progressed(at=3000, attempt=1, fraction=fraction))


def test_progress_and_attributes_are_the_latest_that_were_told() -> None:
    job = job_after(
        STARTED,
        ev.Progressed(at=3000, attempt=1, fraction=0.5, text="half"),
        ev.Progressed(at=3001, attempt=1, fraction=0.25),
        ev.AttributeSet(at=3002, attempt=1, name="tiles", value=4),
        ev.AttributeSet(at=3003, attempt=1, name="tiles", value=[5]),
    )
    assert (job.fraction, job.progress_text, job.attributes) == (0.25, "", {"tiles": [5]})


def recorded(function: str) -> ev.RollbackRecorded:
    return ev.RollbackRecorded(at=3000, attempt=1, function=function, arguments=[function])


STEP = ev.StepFinished(at=3000, attempt=1, name="project", result=Kept(1))


def test_what_was_done_last_is_undone_first() -> None:
    job = job_after(STARTED, recorded("m:a"), recorded("m:b"), recorded("m:c"))
    assert job.undo_list() == [2, 1, 0]
    job = apply(job, ev.RolledBack(at=3001, attempt=1, number=1))
    assert job.undo_list() == [2, 0]


def test_another_attempt_undoes_only_what_no_finished_step_stands_on() -> None:
    job = job_after(STARTED, recorded("m:a"), STEP, recorded("m:b"), recorded("m:c"))
    assert job.undo_list(since_last_step=True) == [2, 1]
    job = apply(job, ev.RolledBack(at=3001, attempt=1, number=2))
    assert job.undo_list(since_last_step=True) == [1]
    assert job_after(STARTED, recorded("m:a"), STEP).undo_list(since_last_step=True) == []


def test_a_rollback_that_did_not_work_is_not_tried_again_and_says_why() -> None:
    job = job_after(STARTED, recorded("m:a"), ev.RolledBack(at=3001, attempt=1, number=0, error="no access"))
    assert job.undo_list() == []
    assert job.rollbacks[0].error == "no access"
    with pytest.raises(IllegalMove, match="no rollback 0 left"):
        apply(job, ev.RolledBack(at=3002, attempt=1, number=0))


@pytest.mark.parametrize("number", [-1, 1])
def test_only_what_was_recorded_can_be_undone(number: int) -> None:
    with pytest.raises(IllegalMove, match="has no rollback"):
        job_after(STARTED, recorded("m:a"), ev.RolledBack(at=3001, attempt=1, number=number))


UNDOING = ev.RollbackStarted(at=3001, attempt=1, outcome="failed", reason="no data")


@pytest.mark.parametrize(
    "event",
    [
        ev.Succeeded(at=3002, attempt=1),
        ev.Interrupted(at=3002, attempt=1, reason="killed"),
        ev.PauseRequested(at=3002, by="ada"),
        ev.StepFinished(at=3002, attempt=1, name="more", result=Kept(1)),
        ev.RollbackRecorded(at=3002, attempt=1, function="m:b"),
    ],
    ids=lambda event: type(event).__name__,
)
def test_no_work_goes_on_once_its_effects_are_being_undone(event: ev.Event) -> None:
    with pytest.raises(IllegalMove, match=r"effects of job .* are being undone"):
        job_after(STARTED, recorded("m:a"), UNDOING, event)


def test_undoing_is_followed_by_its_outcome() -> None:
    job = job_after(STARTED, recorded("m:a"), UNDOING)
    assert (job.status, job.rolling_back, job.reason) == (Status.EXECUTING, "failed", "no data")
    job = apply(apply(job, ev.RolledBack(at=3002, attempt=1, number=0)), ev.Failed(at=3003, error="no data"))
    assert (job.status, job.rolling_back, job.error) == (Status.FAILED, None, "no data")


def test_a_cancel_during_the_undoing_decides_the_outcome() -> None:
    job = job_after(STARTED, recorded("m:a"), UNDOING, ev.CancelRequested(at=3002, by="ada"))
    assert (job.status, job.rolling_back) == (Status.CANCELLING, "cancelled")


def test_the_effects_of_an_interrupted_job_can_be_undone_without_another_attempt() -> None:
    job = job_after(
        STARTED,
        recorded("m:a"),
        ev.Interrupted(at=3001, attempt=1, reason="the server was stopped"),
        ev.RollbackStarted(at=3002, attempt=1, outcome="failed", reason="the operation is gone"),
    )
    with pytest.raises(IllegalMove):
        apply(job, ev.Started(at=3003, attempt=2))
    job = apply(job, ev.RolledBack(at=3003, attempt=1, number=0))
    assert apply(job, ev.Failed(at=3004, error="gone")).status is Status.FAILED


def test_a_clock_that_was_set_back_does_not_turn_the_times_of_a_job_around() -> None:
    job = job_after(
        ev.Started(at=500, attempt=1),
        ev.StageStarted(at=400, attempt=1, name="reading"),
        ev.StageFinished(at=300, attempt=1, name="reading"),
        ev.MessageAdded(at=200, attempt=1, text="hm"),
        ev.Succeeded(at=100, attempt=1),
    )
    assert (job.started_at, job.updated_at, job.ended_at, job.messages[0].at) == (1000, 1000, 1000, 1000)
    assert (job.stages[0].started_at, job.stages[0].ended_at) == (1000, 1000)


def test_a_clock_that_ran_ahead_for_once_does_not_postpone_the_end() -> None:
    job = job_after(
        STARTED,
        ev.StageStarted(at=3000, attempt=1, name="reading"),
        ev.StageFinished(at=30000, attempt=1, name="reading"),
        ev.Succeeded(at=3002, attempt=1),
    )
    assert (job.ended_at, job.active_at, job.updated_at) == (3002, 30000, 30000)


def test_the_end_is_no_sign_of_life() -> None:
    job = job_after(STARTED, ev.MessageAdded(at=2500, attempt=1, text="hm"), ev.Succeeded(at=3000, attempt=1))
    assert (job.active_at, job.ended_at, job.updated_at) == (2500, 3000, 3000)
    job = apply(job, ev.DeleteRequested(at=4000, by="ada"))
    assert (job.active_at, job.ended_at, job.updated_at) == (2500, 3000, 4000)


@pytest.mark.parametrize("ending", [ev.Failed(at=3, error="no data"), ev.TimedOut(at=3, error="no data")])
def test_the_last_word_of_a_failed_job_says_why(ending: ev.Event) -> None:
    said = ev.MessageAdded(at=2, attempt=0, text="Begun", code=7)
    why = ev.MessageAdded(at=2, attempt=0, text="There is no data", level="error", code=9)
    job = job_after(said, ending)
    assert [(m.text, m.level, m.code) for m in job.account()] == [
        ("Begun", "info", 7),
        ("no data", "error", 0),
    ]
    assert job_after(said, why, ending).account() == job_after(said, why, ending).messages
    assert job_after(why, said, ending).account()[-1].text == "no data"


def test_every_failed_job_has_a_last_word() -> None:
    assert job_after(ev.Failed(at=3, error="")).account()[-1].text == "The job failed"


def test_a_job_that_did_not_fail_has_said_what_it_said() -> None:
    said = ev.MessageAdded(at=2, attempt=0, text="Begun")
    cancelled = [ev.CancelRequested(at=2, by="ada"), ev.Cancelled(at=3)]
    for events in ([], [said], [said, STARTED], cancelled):
        job = job_after(*events)
        assert job.account() == job.messages


def test_no_status_is_both_queued_and_ended() -> None:
    for status in Status:
        assert not (status.queued and status.ended)
        assert (status in ENDED) is status.ended
        assert (status in QUEUED) is status.queued
        assert (status in UNFINISHED) is not status.ended
    assert set(MOVES) == set(Status)


def test_statuses_have_the_numbers_of_the_arcgis_family() -> None:
    assert [(status.name, status.value) for status in Status] == [
        ("NEW", 0),
        ("SUBMITTED", 1),
        ("WAITING", 2),
        ("EXECUTING", 3),
        ("SUCCEEDED", 4),
        ("FAILED", 5),
        ("TIMED_OUT", 6),
        ("CANCELLING", 7),
        ("CANCELLED", 8),
        ("DELETING", 9),
        ("DELETED", 10),
        ("PAUSED", 100),
        ("RESUMED", 101),
        ("PAUSE_PENDING", 102),
        ("RESUME_PENDING", 103),
    ]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, True),
        ({"statuses": frozenset({Status.EXECUTING, Status.FAILED})}, True),
        ({"statuses": frozenset({Status.FAILED})}, False),
        ({"owner": "ada"}, True),
        ({"owner": "Ada"}, False),
        ({"service": "Analysis/Proximity.GPServer", "operation": "buffer"}, True),
        ({"service": "Analysis/Proximity.GPServer", "operation": "clip"}, False),
        ({"submitted_from": 1000, "submitted_to": 1000}, True),
        ({"submitted_from": 1001}, False),
        ({"submitted_to": 999}, False),
    ],
)
def test_a_filter_finds_what_matches_all_of_it(wanted: dict[str, Any], found: bool) -> None:
    assert JobFilter(**wanted).matches(job_after(STARTED)) is found


def test_deleted_jobs_are_found_only_by_those_who_ask_for_them() -> None:
    job = job_after(STARTED, ev.Failed(at=3, error=""), ev.DeleteRequested(at=4, by="ada"), ev.Deleted(at=5))
    assert not JobFilter().matches(job)
    assert JobFilter(deleted=True).matches(job)
    assert JobFilter(statuses=frozenset({Status.DELETED})).matches(job)


def test_a_job_may_say_much_without_being_copied_at_each_word() -> None:
    job = job_after(STARTED)
    earlier = job
    for number in range(20_000):
        job = apply(job, ev.MessageAdded(at=2000, attempt=1, text=str(number)))
        if number == 9:
            earlier = job
    assert len(job.messages) == 20_000
    assert [each.text for each in earlier.messages] == [str(number) for number in range(10)]
    # Two ways on from the same job do not meet.
    other = apply(earlier, ev.MessageAdded(at=2000, attempt=1, text="other"))
    assert other.messages[-1].text == "other"
    assert job.messages[10].text == "10"
