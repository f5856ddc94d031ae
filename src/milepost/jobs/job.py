"""A job: its events folded together. Pure; ``apply`` is the only place where a job changes."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, cast

import msgspec
from msgspec.structs import replace

from milepost.jobs import events as ev
from milepost.jobs.status import MOVES, QUEUED, Status
from milepost.jobs.trail import Trail


class JobError(Exception):
    """Base of the reasons why an event does not fit a job."""


class IllegalMove(JobError):  # noqa: N818 - reads as the refusal it is
    """The event would take the job from a status to one that cannot follow it."""


class StaleAttempt(JobError):  # noqa: N818
    """The event was written by an attempt that is no longer the current one."""


class Message(msgspec.Struct, frozen=True):
    """Something the job said. ``code`` 0 means none."""

    at: int
    level: ev.Level
    text: str
    code: int


class Stage(msgspec.Struct, frozen=True):
    """A named part of the work and how far it is: pending, started, finished or failed."""

    name: str
    state: str = "pending"
    started_at: int = 0
    ended_at: int = 0


class Rollback(msgspec.Struct, frozen=True):
    """A recorded way to undo an effect."""

    function: str
    arguments: tuple[Any, ...]
    steps_before: int
    """How many steps were finished when it was recorded."""
    done: bool = False
    error: str = ""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """The present state of a job. Times are UTC milliseconds since the epoch; 0 means not yet."""

    id: str
    """32 lower-case hexadecimal digits; dialects print it in their own forms."""
    sequence: int
    """Number of the last event folded in; the first event has number 1."""
    status: Status
    owner: str
    service: str
    operation: str
    submitted_at: int
    updated_at: int
    active_at: int
    """The last sign of life: when the last event before the end came.

    Later than ``ended_at`` only when a clock ran ahead.
    """
    started_at: int = 0
    """Start of the first attempt."""
    ended_at: int = 0
    paused_at: int = 0
    """Since when the job is paused; 0 when it is not."""
    paused_for: int = 0
    """Milliseconds that earlier pauses took."""
    inputs: dict[str, ev.Kept] = {}
    results: dict[str, ev.Kept] = {}
    priority: int = 0
    key: str = ""
    request: str = ""
    attributes: dict[str, Any] = {}
    attempt: int = 0
    """Number of the current attempt; 0 before the first."""
    under_way: bool = False
    """Whether that attempt has begun and is not over: its instance is at work, or holds still."""
    crashes: int = 0
    """Attempts whose own process died."""
    losses: int = 0
    """Attempts with which the server or the machine was lost."""
    worker: str = ""
    pid: int = 0
    born: float = 0.0
    messages: Trail[Message] = Trail()
    stages: tuple[Stage, ...] = ()
    steps: dict[str, ev.Kept] = {}
    rollbacks: tuple[Rollback, ...] = ()
    rolling_back: ev.Outcome | None = None
    """Set while effects are being undone: the outcome that follows."""
    reason: str = ""
    """Why the effects are being undone."""
    fraction: float = 0.0
    progress_text: str = ""
    error: str = ""
    """Why the job failed or timed out."""
    cancelled_by: str = ""

    def account(self) -> Sequence[Message]:
        """What the job said, the last word of a failed one being why it failed."""
        failed = self.status in (Status.FAILED, Status.TIMED_OUT)
        if not failed or (self.messages and self.messages[-1].level in ("error", "abort")):
            return self.messages
        return (*self.messages, Message(self.ended_at, "error", self.error or "The job failed", 0))

    def undo_list(self, *, since_last_step: bool = False) -> list[int]:
        """Numbers of the rollbacks still to run, last recorded first.

        Args:
            since_last_step: only those recorded after the last finished step: what the
                next attempt would do a second time.
        """
        return [
            number
            for number in range(len(self.rollbacks) - 1, -1, -1)
            if not self.rollbacks[number].done
            and (not since_last_step or self.rollbacks[number].steps_before == len(self.steps))
        ]


_GOES_TO: Final[dict[type[ev.Event], Status]] = {
    ev.Waiting: Status.WAITING,
    ev.Started: Status.EXECUTING,
    ev.Interrupted: Status.WAITING,
    ev.CancelRequested: Status.CANCELLING,
    ev.PauseRequested: Status.PAUSE_PENDING,
    ev.Paused: Status.PAUSED,
    ev.ResumeRequested: Status.RESUME_PENDING,
    ev.Resumed: Status.RESUMED,
    ev.Continued: Status.EXECUTING,
    ev.Succeeded: Status.SUCCEEDED,
    ev.Failed: Status.FAILED,
    ev.TimedOut: Status.TIMED_OUT,
    ev.Cancelled: Status.CANCELLED,
    ev.DeleteRequested: Status.DELETING,
    ev.Deleted: Status.DELETED,
}
"""Where each event that changes the status takes the job."""

_COMES_FROM: Final[dict[type[ev.Event], frozenset[Status]]] = {
    ev.Waiting: frozenset({Status.SUBMITTED}),
    ev.Started: QUEUED | {Status.RESUME_PENDING},
    ev.Continued: frozenset({Status.RESUMED}),
}
"""Where the events that share their status with another one can come from.

By the table of moves alone, a job at work could begin to wait, and a paused one continue without being resumed.
"""

_OF_THE_ENGINE: Final = (ev.MessageAdded, ev.RollbackStarted, ev.RolledBack)
"""What the engine writes in the name of the last attempt, also when none is under way."""

_WHILE_UNDOING: Final = (*_OF_THE_ENGINE, ev.CancelRequested, ev.Failed, ev.TimedOut, ev.Cancelled)
"""What can still come once the effects of a job are being undone."""


def submit(job_id: str, event: ev.Submitted) -> Job:
    """The job that begins with ``event``."""
    return Job(
        id=job_id,
        sequence=1,
        status=Status.SUBMITTED,
        owner=event.owner,
        service=event.service,
        operation=event.operation,
        submitted_at=event.at,
        updated_at=event.at,
        active_at=event.at,
        inputs=event.inputs,
        priority=event.priority,
        key=event.key,
        request=event.request,
        attributes=event.attributes,
    )


def apply(job: Job, event: ev.Event) -> Job:
    """The job after one more event.

    Raises:
        IllegalMove: the status of the job does not allow the event.
        StaleAttempt: the event comes from an attempt that is over.
    """
    if isinstance(event, ev.Submitted):
        raise IllegalMove(f"job {job.id} was submitted already")
    if isinstance(event, ev.AttemptEvent) and event.attempt != job.attempt:
        raise StaleAttempt(
            f"attempt {event.attempt} of job {job.id} is over; attempt {job.attempt} is current"
        )
    after = _GOES_TO.get(type(event))
    _check_fits(job, event, after)
    told_at = event.at
    # A clock that was set back must not make a job's times run backwards.
    if event.at < job.updated_at:
        event = replace(event, at=job.updated_at)
    changes = _changes(job, event)
    if after is not None:
        changes["status"] = after
    if after is None or not after.ended:
        changes["active_at"] = event.at
    elif not job.status.ended:
        # Kept apart from what came in between: one time of a clock that ran ahead would postpone the end.
        changes["ended_at"] = max(told_at, job.started_at or job.submitted_at)
        changes["rolling_back"] = None
        changes["under_way"] = False
    if job.status is Status.PAUSED and after is not None:
        changes["paused_at"] = 0
        changes["paused_for"] = job.paused_for + event.at - job.paused_at
    return replace(job, sequence=job.sequence + 1, updated_at=event.at, **changes)


def fold(job_id: str, history: Iterable[ev.Event]) -> Job:
    """The job that a whole history leads to.

    Raises:
        ValueError: the history is empty or does not begin with a submission.
        JobError: one of the events does not fit.
    """
    events = iter(history)
    first = next(events, None)
    if not isinstance(first, ev.Submitted):
        raise ValueError(f"the history of job {job_id} does not begin with a submission")
    job = submit(job_id, first)
    for event in events:
        job = apply(job, event)
    return job


def _check_fits(job: Job, event: ev.Event, after: Status | None) -> None:
    """Refuse an event that cannot follow; ``after`` is the status it leads to, None for the same one."""
    kind = type(event)
    if after is not None and after not in MOVES[job.status]:
        raise IllegalMove(f"job {job.id} is {job.status.name} and cannot become {after.name}")
    if job.rolling_back and not isinstance(event, _WHILE_UNDOING):
        raise IllegalMove(f"the effects of job {job.id} are being undone: no {kind.__name__} can follow")
    if after is None:
        fits = not job.status.ended
    else:
        fits = kind not in _COMES_FROM or job.status in _COMES_FROM[kind]
    # An attempt that is over cannot go on, and no second one start beside the first.
    if isinstance(event, ev.Started):
        fits = fits and not job.under_way
    elif isinstance(event, ev.AttemptEvent) and not isinstance(event, (*_OF_THE_ENGINE, ev.Paused)):
        fits = fits and job.under_way
    if not fits:
        raise IllegalMove(f"job {job.id} is {job.status.name}: no {kind.__name__} can follow")


def _changes(job: Job, event: ev.Event) -> dict[str, Any]:
    """The fields that an event changes, besides the status and the times every event changes."""
    match event:
        case ev.Started():
            if event.attempt != job.attempt + 1:
                raise StaleAttempt(f"job {job.id} expects attempt {job.attempt + 1}, not {event.attempt}")
            return {
                "attempt": event.attempt,
                "under_way": True,
                "started_at": job.started_at or event.at,
                "worker": event.worker,
                "pid": event.pid,
                "born": event.born,
            }
        case ev.StagesPlanned():
            return {"stages": _planned(job, event.names)}
        case ev.StageStarted():
            # It may be planned, or entered again by a later attempt: it has one line, in its place.
            return {
                "stages": tuple(
                    Stage(stage.name, "started", event.at) if stage.name == event.name else stage
                    for stage in _planned(job, [event.name])
                )
            }
        case ev.StageFinished() | ev.StageFailed():
            state = "finished" if isinstance(event, ev.StageFinished) else "failed"
            if not any(stage.name == event.name and stage.state == "started" for stage in job.stages):
                raise IllegalMove(f"stage {event.name!r} of job {job.id} is not going on")
            return {
                "stages": tuple(
                    replace(stage, state=state, ended_at=event.at) if stage.name == event.name else stage
                    for stage in job.stages
                )
            }
        case ev.StepFinished():
            if event.name in job.steps:
                raise IllegalMove(f"step {event.name!r} of job {job.id} is finished already")
            return {"steps": {**job.steps, event.name: event.result}}
        case ev.MessageAdded():
            return {"messages": job.messages.with_one(Message(event.at, event.level, event.text, event.code))}
        case ev.Progressed():
            if not 0 <= event.fraction <= 1:
                raise IllegalMove(f"progress must lie between 0 and 1, not at {event.fraction}")
            return {"fraction": event.fraction, "progress_text": event.text}
        case ev.AttributeSet():
            return {"attributes": {**job.attributes, event.name: event.value}}
        case ev.RollbackRecorded():
            entry = Rollback(event.function, tuple(event.arguments), len(job.steps))
            return {"rollbacks": (*job.rollbacks, entry)}
        case ev.RollbackStarted():
            return {"rolling_back": event.outcome, "reason": event.reason, "under_way": False}
        case ev.RolledBack():
            return {"rollbacks": _rolled_back(job, event)}
        case ev.Interrupted():
            return {
                "crashes": job.crashes + event.crash,
                "losses": job.losses + (not event.crash and not event.stop),
                "under_way": False,
                "worker": "",
                "pid": 0,
                "born": 0.0,
                # What the attempt had begun is to be done again.
                "stages": tuple(
                    Stage(stage.name) if stage.state == "started" else stage for stage in job.stages
                ),
            }
        case ev.Paused():
            return {"paused_at": event.at}
        case ev.CancelRequested():
            # A cancel wins over the outcome that was to follow the undoing.
            return {"cancelled_by": event.by, "rolling_back": "cancelled" if job.rolling_back else None}
        case ev.Succeeded():
            return {"results": event.results, "fraction": 1.0}
        case ev.Failed() | ev.TimedOut():
            return {"error": event.error}
        case _:
            return {}


def _planned(job: Job, names: Iterable[str]) -> tuple[Stage, ...]:
    """The stages of a job and those of ``names`` that it does not have yet."""
    known = {stage.name for stage in job.stages}
    return (*job.stages, *(Stage(name) for name in dict.fromkeys(names) if name not in known))


def _rolled_back(job: Job, event: ev.RolledBack) -> tuple[Rollback, ...]:
    if not 0 <= event.number < len(job.rollbacks) or job.rollbacks[event.number].done:
        raise IllegalMove(f"job {job.id} has no rollback {event.number} left to run")
    entries = list(job.rollbacks)
    entries[event.number] = replace(entries[event.number], done=True, error=event.error)
    return tuple(entries)


def value_of(kept: ev.Kept) -> Any:
    """The value itself, when it is kept with the job.

    Raises:
        LookupError: the value is a payload and must be read from the store.
    """
    if kept.payload:
        raise LookupError(f"the value is kept as payload {kept.payload!r}")
    return cast(Any, kept.value)
