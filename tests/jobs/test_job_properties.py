"""Whatever happens to a job, in whatever order: what always holds, found out with generated histories."""

import copy
import sys
import typing
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from milepost.jobs import IllegalMove, Job, JobError, Kept, StaleAttempt, apply, fold
from milepost.jobs import events as ev
from milepost.jobs.job import submit

# What follows is written down from the documented codes, not taken from the code under test.
SUBMITTED, WAITING, EXECUTING, SUCCEEDED, FAILED, TIMED_OUT = 1, 2, 3, 4, 5, 6
CANCELLING, CANCELLED, DELETING, DELETED = 7, 8, 9, 10
PAUSED, RESUMED, PAUSE_PENDING, RESUME_PENDING = 100, 101, 102, 103

LEGAL: dict[int, set[int]] = {
    SUBMITTED: {WAITING, EXECUTING, FAILED, TIMED_OUT, CANCELLING, PAUSE_PENDING},
    WAITING: {EXECUTING, FAILED, TIMED_OUT, CANCELLING, PAUSE_PENDING},
    EXECUTING: {WAITING, SUCCEEDED, FAILED, TIMED_OUT, CANCELLING, PAUSE_PENDING},
    PAUSE_PENDING: {PAUSED, RESUME_PENDING, SUCCEEDED, FAILED, TIMED_OUT, CANCELLING},
    PAUSED: {RESUME_PENDING, FAILED, TIMED_OUT, CANCELLING},
    RESUME_PENDING: {RESUMED, EXECUTING, WAITING, SUCCEEDED, FAILED, TIMED_OUT, CANCELLING, PAUSE_PENDING},
    RESUMED: {EXECUTING, WAITING, SUCCEEDED, FAILED, TIMED_OUT, CANCELLING, PAUSE_PENDING},
    CANCELLING: {CANCELLED, FAILED},
    SUCCEEDED: {DELETING},
    FAILED: {DELETING},
    TIMED_OUT: {DELETING},
    CANCELLED: {DELETING},
    DELETING: {DELETED},
    DELETED: set(),
}

AT_WORK = {EXECUTING, PAUSE_PENDING, RESUME_PENDING, RESUMED}
UNFINISHED = {SUBMITTED, WAITING, PAUSED, CANCELLING} | AT_WORK
ENDED = {SUCCEEDED, FAILED, TIMED_OUT, CANCELLED, DELETING, DELETED}

CHANGES: dict[type[ev.Event], tuple[set[int], int]] = {
    ev.Waiting: ({SUBMITTED}, WAITING),
    ev.Started: ({SUBMITTED, WAITING, RESUME_PENDING}, EXECUTING),
    ev.Interrupted: (AT_WORK - {PAUSE_PENDING}, WAITING),
    ev.CancelRequested: (UNFINISHED - {CANCELLING}, CANCELLING),
    ev.PauseRequested: ({SUBMITTED, WAITING, EXECUTING, RESUME_PENDING, RESUMED}, PAUSE_PENDING),
    ev.Paused: ({PAUSE_PENDING}, PAUSED),
    ev.ResumeRequested: ({PAUSE_PENDING, PAUSED}, RESUME_PENDING),
    ev.Resumed: ({RESUME_PENDING}, RESUMED),
    ev.Continued: ({RESUMED}, EXECUTING),
    ev.Succeeded: (AT_WORK, SUCCEEDED),
    ev.Failed: (UNFINISHED, FAILED),
    ev.TimedOut: (UNFINISHED - {CANCELLING}, TIMED_OUT),
    ev.Cancelled: ({CANCELLING}, CANCELLED),
    ev.DeleteRequested: ({SUCCEEDED, FAILED, TIMED_OUT, CANCELLED}, DELETING),
    ev.Deleted: ({DELETING}, DELETED),
}
"""From which statuses an event can take a job, and where to."""

ALLOWED_WHILE_UNDOING = {
    ev.MessageAdded,
    ev.RollbackStarted,
    ev.RolledBack,
    ev.CancelRequested,
    ev.Failed,
    ev.TimedOut,
    ev.Cancelled,
}

OF_THE_ENGINE = {ev.MessageAdded, ev.RollbackStarted, ev.RolledBack, ev.Paused}
"""What can be written in the name of an attempt that is over, or of none."""

KINDS: tuple[type[ev.Event], ...] = typing.get_args(ev.AnyEvent)

NAMES = st.sampled_from(["a", "b", "c"])
TEXTS = st.text(max_size=8)
TIMES = st.integers(1, 10**6)
WHOLE = st.integers(-(2**63), 2**63 - 1)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | WHOLE | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
KEPT = st.builds(Kept, value=JSON) | st.builds(Kept, payload=TEXTS, size=st.integers(0, 2**40))


def values_for(hint: Any) -> st.SearchStrategy[Any]:
    """Any value that a field of an event can have."""
    if typing.get_origin(hint) is Literal:
        return st.sampled_from(typing.get_args(hint))
    known: dict[Any, st.SearchStrategy[Any]] = {
        int: WHOLE,
        str: TEXTS,
        float: NUMBERS,
        bool: st.booleans(),
        Any: JSON,
        Kept: KEPT,
        dict[str, Kept]: st.dictionaries(TEXTS, KEPT, max_size=3),
        dict[str, Any]: st.dictionaries(TEXTS, JSON, max_size=3),
        list[Any]: st.lists(JSON, max_size=3),
        list[str]: st.lists(TEXTS, max_size=3),
    }
    return known[hint]


def events_of(kind: type[ev.Event], **known: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Events of one kind, its fields as given or any at all."""
    hints = typing.get_type_hints(kind)
    fields = {
        name: known.get(name, values_for(hints[name]))
        for name in kind.__struct_fields__  # fields of base classes included
    }
    return st.builds(kind, **fields)


def attempt_for(kind: type[ev.Event], job: Job) -> int:
    return job.attempt + 1 if kind is ev.Started else job.attempt


@st.composite
def events_for(draw: st.DrawFn, kind: type[ev.Event], job: Job) -> ev.Event:
    """An event of the current attempt that the job may or may not allow: few names, so that they meet."""
    known: dict[str, st.SearchStrategy[Any]] = {"at": TIMES}
    if "attempt" in kind.__struct_fields__:
        known["attempt"] = st.just(attempt_for(kind, job))
    if "name" in kind.__struct_fields__:
        known["name"] = NAMES
    if kind is ev.StagesPlanned:
        known["names"] = st.lists(NAMES, max_size=3)
    if kind is ev.Progressed:
        known["fraction"] = st.floats(0, 1)
    if kind is ev.RolledBack:
        known["number"] = st.integers(-1, len(job.rollbacks))
    return draw(events_of(kind, **known))


def finds_its_attempt(kind: type[ev.Event], job: Job) -> bool:
    """Whether an attempt is under way where the event needs one, and none where it begins one."""
    if kind is ev.Started:
        return not job.under_way
    return job.under_way or not issubclass(kind, ev.AttemptEvent) or kind in OF_THE_ENGINE


def expected(job: Job, event: ev.Event) -> int | None:
    """The status after an event that is allowed; None when it must be refused."""
    kind, status = type(event), int(job.status)
    if isinstance(event, ev.Submitted):
        return None
    if isinstance(event, ev.AttemptEvent) and event.attempt != job.attempt:
        return None
    if isinstance(event, ev.Started) and event.attempt != job.attempt + 1:
        return None
    if job.rolling_back and kind not in ALLOWED_WHILE_UNDOING:
        return None
    if not finds_its_attempt(kind, job):
        return None
    if kind in CHANGES:
        sources, target = CHANGES[kind]
        if status not in sources:
            return None
        return target
    if status in ENDED:
        return None
    match event:
        case ev.StageFinished() | ev.StageFailed():
            fits = (event.name, "started") in {(stage.name, stage.state) for stage in job.stages}
        case ev.StepFinished():
            fits = event.name not in job.steps
        case ev.Progressed():
            fits = 0 <= event.fraction <= 1
        case ev.RolledBack():
            fits = 0 <= event.number < len(job.rollbacks) and not job.rollbacks[event.number].done
        case _:
            fits = True
    return status if fits else None


def explained_by_last_change(history: list[ev.Event]) -> int:
    """The status that the last event which changes one leads to."""
    changes = [CHANGES[type(event)][1] for event in history if type(event) in CHANGES]
    return changes[-1] if changes else SUBMITTED


class Life(RuleBasedStateMachine):
    """A job that lives through anything, beside a model of what must be true of it."""

    @initialize(event=events_of(ev.Submitted, at=TIMES))
    def submit(self, event: ev.Submitted) -> None:
        self.history: list[ev.Event] = [event]
        self.job = submit("0" * 32, event)
        self.said: list[tuple[str, str, int]] = []
        self.steps_before: list[int] = []
        self.paused_at = self.paused_for = 0

    def happen(self, event: ev.Event) -> None:
        before, same = self.job, copy.deepcopy((self.job, event))
        wanted = expected(before, event)
        assert wanted is not None
        after = apply(before, event)
        assert (before, event) == same, "apply changed what it was given"
        assert after.status == wanted
        assert after.status == before.status or int(after.status) in LEGAL[int(before.status)]
        assert after.updated_at >= before.updated_at
        if int(before.status) in ENDED:
            assert int(after.status) in (DELETING, DELETED)
            assert after.ended_at == before.ended_at
        assert after.active_at >= before.active_at
        names = [stage.name for stage in before.stages]
        assert [stage.name for stage in after.stages][: len(names)] == names, "a stage lost its place"
        if isinstance(event, ev.MessageAdded):
            self.said.append((event.text, event.level, event.code))
        if isinstance(event, ev.RollbackRecorded):
            self.steps_before.append(len(before.steps))
        if int(before.status) == PAUSED != int(after.status):
            self.paused_for += after.updated_at - self.paused_at
        if int(before.status) != PAUSED == int(after.status):
            self.paused_at = after.updated_at
        self.job = after
        self.history.append(event)

    def refuse(self, event: ev.Event, reason: type[JobError]) -> None:
        same = copy.deepcopy((self.job, event))
        with pytest.raises(reason):
            apply(self.job, event)
        assert (self.job, event) == same, "a refused event left a trace"

    @rule(data=st.data())
    @precondition(lambda self: int(self.job.status) not in ENDED)
    def go_on(self, data: st.DataObject) -> None:
        """Something that does not end the job and that it allows."""
        kind = data.draw(
            st.sampled_from([kind for kind in KINDS if CHANGES.get(kind, ((), 0))[1] not in ENDED])
        )
        event = data.draw(events_for(kind, self.job))
        if expected(self.job, event) is not None:
            self.happen(event)

    @rule(data=st.data())
    @precondition(lambda self: int(self.job.status) not in ENDED)
    def change_status(self, data: st.DataObject) -> None:
        """One of the moves that the job can make now, endings left out."""
        kinds = [
            kind
            for kind, (sources, target) in CHANGES.items()
            if int(self.job.status) in sources
            and target not in ENDED
            and (not self.job.rolling_back or kind in ALLOWED_WHILE_UNDOING)
            and finds_its_attempt(kind, self.job)
        ]
        if kinds:
            self.happen(data.draw(st.sampled_from(kinds).flatmap(lambda kind: events_for(kind, self.job))))

    @rule(data=st.data(), kind=st.sampled_from(KINDS))
    def anything(self, data: st.DataObject, kind: type[ev.Event]) -> None:
        """Any event at all: allowed when the tables above say so, else refused without a trace."""
        event = data.draw(events_for(kind, self.job))
        if expected(self.job, event) is None:
            self.refuse(event, JobError)
        elif kind not in (ev.Succeeded, ev.Failed, ev.TimedOut, ev.Cancelled) or data.draw(st.booleans()):
            self.happen(event)

    @rule(data=st.data(), kind=st.sampled_from([*ev.AttemptEvent.__subclasses__(), ev.Started]))
    def speak_too_late(self, data: st.DataObject, kind: type[ev.Event]) -> None:
        """An event of an attempt that is not the current one, whatever the status."""
        current = attempt_for(kind, self.job)
        attempts = st.integers(0, current + 3).filter(lambda attempt: attempt != current)
        event = data.draw(events_of(kind, at=TIMES, attempt=attempts))
        if isinstance(event, ev.Started):
            self.refuse(event, JobError)
        else:
            self.refuse(event, StaleAttempt)

    @rule(data=st.data(), kind=st.sampled_from([ev.DeleteRequested, ev.Deleted]))
    @precondition(lambda self: int(self.job.status) in ENDED - {DELETED})
    def delete(self, data: st.DataObject, kind: type[ev.Event]) -> None:
        event = data.draw(events_for(kind, self.job))
        if expected(self.job, event) is None:
            self.refuse(event, IllegalMove)
        else:
            self.happen(event)

    @invariant()
    def its_history_tells_all(self) -> None:
        assert self.job.sequence == len(self.history)
        assert fold(self.job.id, self.history) == self.job

    def teardown(self) -> None:
        stored = [ev.decode(ev.encode(event)) for event in self.history]
        assert fold(self.job.id, stored) == self.job

    @invariant()
    def its_status_has_a_reason(self) -> None:
        assert self.job.status == explained_by_last_change(self.history)

    @invariant()
    def its_messages_and_codes_are_parallel(self) -> None:
        texts = [message.text for message in self.job.messages]
        codes = [message.code for message in self.job.messages]
        levels = [message.level for message in self.job.messages]
        assert list(zip(texts, levels, codes, strict=True)) == self.said

    @invariant()
    def its_times_run_forwards(self) -> None:
        job = self.job
        assert job.submitted_at <= job.updated_at
        assert not job.started_at or job.submitted_at <= job.started_at <= job.updated_at
        assert bool(job.ended_at) == (int(job.status) in ENDED)
        assert not job.ended_at or job.started_at <= job.ended_at <= job.updated_at
        assert all(not stage.ended_at or stage.started_at <= stage.ended_at for stage in job.stages)
        assert job.submitted_at <= job.active_at <= job.updated_at
        said_at = [message.at for message in job.messages]
        assert said_at == sorted(said_at)

    @invariant()
    def its_attempts_are_counted(self) -> None:
        assert self.job.attempt == sum(isinstance(event, ev.Started) for event in self.history)
        interrupted = [event for event in self.history if isinstance(event, ev.Interrupted)]
        assert self.job.crashes == sum(event.crash for event in interrupted)
        bounds = (ev.Started, ev.Interrupted, ev.RollbackStarted)
        last = next((event for event in reversed(self.history) if isinstance(event, bounds)), None)
        assert self.job.under_way == (isinstance(last, ev.Started) and int(self.job.status) not in ENDED)

    @invariant()
    def its_pauses_are_measured(self) -> None:
        """By the times that a job was seen with: a clock that is set back does not count."""
        assert bool(self.job.paused_at) == (int(self.job.status) == PAUSED)
        assert self.job.paused_for == self.paused_for

    @invariant()
    def its_stages_have_one_line_each(self) -> None:
        names = [stage.name for stage in self.job.stages]
        assert len(names) == len(set(names))
        for stage in self.job.stages:
            assert stage.state in ("pending", "started", "finished", "failed")
            assert bool(stage.started_at) == (stage.state != "pending")
            assert bool(stage.ended_at) == (stage.state in ("finished", "failed"))

    @invariant()
    def its_effects_are_undone_last_first(self) -> None:
        everything = self.job.undo_list()
        assert everything == sorted(everything, reverse=True)
        undone = {event.number for event in self.history if isinstance(event, ev.RolledBack)}
        assert set(everything) == set(range(len(self.steps_before))) - undone
        recent = self.job.undo_list(since_last_step=True)
        assert recent == [n for n in everything if self.steps_before[n] == len(self.job.steps)]


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=50, stateful_step_count=40, suppress_health_check=[HealthCheck.too_slow]
)


BEGIN: list[ev.Event] = [ev.Submitted(at=1, owner="ada", service="A/B.GPServer", operation="buffer")]
START: list[ev.Event] = [*BEGIN, ev.Started(at=2, attempt=1)]
PAUSE: list[ev.Event] = [*START, ev.PauseRequested(at=3, by="ada"), ev.Paused(at=4, attempt=1)]
RESUME: list[ev.Event] = [*PAUSE, ev.ResumeRequested(at=5, by="ada")]

HISTORIES: dict[str, list[ev.Event]] = {
    "submitted": BEGIN,
    "waiting": [*BEGIN, ev.Waiting(at=2)],
    "executing": START,
    "interrupted": [*START, ev.Interrupted(at=3, attempt=1, reason="killed")],
    "cancelled before it started": [*BEGIN, ev.CancelRequested(at=2, by="ada")],
    "cancelling": [*START, ev.CancelRequested(at=3, by="ada")],
    "pause pending": PAUSE[:-1],
    "paused": PAUSE,
    "resumed too soon": [*PAUSE[:-1], ev.ResumeRequested(at=4, by="ada")],
    "resume pending": RESUME,
    "resumed": [*RESUME, ev.Resumed(at=6, attempt=1)],
    "continued": [*RESUME, ev.Resumed(at=6, attempt=1), ev.Continued(at=7, attempt=1)],
    "interrupted while resuming": [*RESUME, ev.Interrupted(at=6, attempt=1, reason="killed")],
    "paused in the queue": [*BEGIN, ev.PauseRequested(at=2, by="ada"), ev.Paused(at=3, attempt=0)],
    "resumed in the queue": [
        *BEGIN,
        ev.PauseRequested(at=2, by="ada"),
        ev.Paused(at=3, attempt=0),
        ev.ResumeRequested(at=4, by="ada"),
    ],
    "paused after an interruption": [
        *START,
        ev.Interrupted(at=3, attempt=1, reason="killed"),
        ev.PauseRequested(at=4, by="ada"),
        ev.Paused(at=5, attempt=1),
    ],
    "succeeded": [*START, ev.Succeeded(at=3, attempt=1)],
    "failed": [*START, ev.Failed(at=3, error="no data")],
    "timed out": [*START, ev.TimedOut(at=3, error="too long")],
    "cancelled": [*BEGIN, ev.CancelRequested(at=2, by="ada"), ev.Cancelled(at=3)],
    "deleting": [*START, ev.Succeeded(at=3, attempt=1), ev.DeleteRequested(at=4, by="ada")],
    "deleted": [*START, ev.Succeeded(at=3, attempt=1), ev.DeleteRequested(at=4, by="ada"), ev.Deleted(at=5)],
}


def one_of_each(attempt: int) -> list[ev.Event]:
    """An event of every kind, written in the name of ``attempt``."""
    required: dict[str, Any] = {
        "at": 9,
        "attempt": attempt,
        "name": "a",
        "names": ["a", "b"],
        "by": "ada",
        "error": "",
        "outcome": "failed",
        "reason": "",
        "number": 0,
        "fraction": 0.5,
        "value": 1,
        "text": "",
        "result": Kept(1),
        "function": "os:remove",
        "owner": "",
        "service": "",
        "operation": "",
    }
    return [
        kind(**{name: required[name] for name in kind.__struct_fields__ if name in required})
        for kind in KINDS
    ]


@pytest.mark.parametrize("undoing", [False, True], ids=["", "while its effects are undone"])
@pytest.mark.parametrize("history", HISTORIES.values(), ids=HISTORIES.keys())
def test_a_job_takes_exactly_the_events_of_the_tables(history: list[ev.Event], undoing: bool) -> None:
    job = fold("0" * 32, history)
    if undoing:
        started = ev.RollbackStarted(at=8, attempt=job.attempt, outcome="failed", reason="no data")
        if expected(job, started) is None:
            return
        job = apply(job, started)
    for attempt in range(3):
        for event in one_of_each(attempt):
            wanted = expected(job, event)
            if wanted is None:
                with pytest.raises(JobError):
                    apply(job, event)
            else:
                assert apply(job, event).status == wanted, event


def test_every_change_in_the_tables_is_a_documented_move() -> None:
    for kind, (sources, target) in CHANGES.items():
        for source in sources:
            assert target in LEGAL[source], f"{kind.__name__} from {source}"


def test_every_documented_move_is_made_by_some_event() -> None:
    made = {(source, target) for sources, target in CHANGES.values() for source in sources}
    assert {(source, target) for source, targets in LEGAL.items() for target in targets} <= made


def test_every_kind_of_event_can_be_stored() -> None:
    def leaves(kind: type[ev.Event]) -> set[type[ev.Event]]:
        below = kind.__subclasses__()
        return {kind} if not below else set().union(*map(leaves, below))

    assert leaves(ev.Event) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@given(data=st.data())
@settings(max_examples=40)
def test_an_event_comes_back_from_its_record_as_it_was(kind: type[ev.Event], data: st.DataObject) -> None:
    event = data.draw(events_of(kind))
    record = ev.encode(event)
    assert ev.decode(record) == event
    assert ev.decode(record.decode()) == event
    assert type(ev.decode(record)) is kind
    assert msgspec.json.decode(record)["kind"] == kind.__name__


@given(
    record=st.binary(max_size=60)
    | JSON.map(msgspec.json.encode)
    | st.dictionaries(st.sampled_from(["kind", "at", "attempt", "name", "by"]), JSON).map(msgspec.json.encode)
)
def test_what_is_no_record_is_refused_as_such(record: bytes) -> None:
    try:
        event = ev.decode(record)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return
    assert type(event) in KINDS


def test_applying_events_does_nothing_but_compute() -> None:
    history: list[ev.Event] = [
        ev.Submitted(at=1, owner="ada", service="A/B.GPServer", operation="buffer"),
        ev.Waiting(at=2),
        ev.Started(at=3, attempt=1, worker="node", pid=7, born=1.5),
        ev.StageStarted(at=4, attempt=1, name="reading"),
        ev.StageFinished(at=5, attempt=1, name="reading"),
        ev.RollbackRecorded(at=6, attempt=1, function="os:remove", arguments=["x"]),
        ev.StepFinished(at=7, attempt=1, name="project", result=Kept([1])),
        ev.MessageAdded(at=8, attempt=1, text="half", code=201),
        ev.CancelRequested(at=9, by="ada"),
        ev.RollbackStarted(at=10, attempt=1, outcome="cancelled"),
        ev.RolledBack(at=11, attempt=1, number=0),
        ev.Cancelled(at=12),
        ev.DeleteRequested(at=13, by="ada"),
        ev.Deleted(at=14),
    ]
    fold("0" * 32, history)
    touched: list[str] = []
    listening = True

    def hear(name: str, _arguments: object) -> None:
        # Files, sockets, processes and databases all report to audit hooks, which can never be removed.
        if listening:
            touched.append(name)

    sys.addaudithook(hear)
    try:
        fold("0" * 32, history)
    finally:
        listening = False
    assert touched == []
