"""What can happen to a job: immutable records, appended and never changed.

An event carries the UTC time ``at`` in milliseconds since the epoch. Events that an
attempt writes carry that attempt's number, so that a stale one can be refused.
"""

from typing import Any, Final, Literal

import msgspec

Level = Literal["info", "warning", "error", "empty", "abort"]
"""Levels of a message, lowest first in importance except ``abort``, which ends a job."""

Outcome = Literal["failed", "timed_out", "cancelled"]
"""The endings that undo what the job did."""


class Kept(msgspec.Struct, frozen=True, omit_defaults=True):
    """A JSON value of a job: here, or, when large, beside the job under a name.

    Large values (feature sets) would otherwise travel with every read of the job.
    """

    value: Any = None
    payload: str = ""
    """Name of the payload that holds the value; empty when ``value`` is the value."""
    size: int = 0
    """Bytes of the payload."""


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag=True, omit_defaults=True):
    """Base of all events."""

    at: int
    """When it happened: UTC, milliseconds since the epoch."""


class Submitted(Event, frozen=True, kw_only=True):
    """A job was accepted. The first event of every job."""

    owner: str
    service: str
    """Full name of the service, such as ``Analysis/Proximity.GPServer``."""
    operation: str
    inputs: dict[str, Kept] = {}
    priority: int = 0
    key: str = ""
    """The client's idempotency key; the same owner and key name the same job."""
    request: str = ""
    """Id of the HTTP request that submitted the job."""
    attributes: dict[str, Any] = {}
    """Facts the dialect wants to find again, such as the processing environment."""


class Waiting(Event, frozen=True, kw_only=True):
    """No instance was free; the job stands in the queue of its service."""

    reason: str = ""


class Started(Event, frozen=True, kw_only=True):
    """An instance took the job: a new attempt."""

    attempt: int
    worker: str = ""
    """The machine that runs the attempt."""
    pid: int = 0
    """Process id and process group of the instance."""
    born: float = 0.0
    """When that process was created, in seconds since the epoch; tells a reused pid apart."""


class AttemptEvent(Event, frozen=True, kw_only=True):
    """Base of what only the current attempt may write."""

    attempt: int


class StagesPlanned(AttemptEvent, frozen=True, kw_only=True):
    """The stages that are to come, in order."""

    names: list[str]


class StageStarted(AttemptEvent, frozen=True, kw_only=True):
    """A named stage of the work began."""

    name: str


class StageFinished(AttemptEvent, frozen=True, kw_only=True):
    """A stage ended well."""

    name: str


class StageFailed(AttemptEvent, frozen=True, kw_only=True):
    """A stage ended with an error."""

    name: str


class StepFinished(AttemptEvent, frozen=True, kw_only=True):
    """A step is done and its result is kept; no later attempt does it again."""

    name: str
    result: Kept


class MessageAdded(AttemptEvent, frozen=True, kw_only=True):
    """The operation, or the engine in its name, said something."""

    text: str
    level: Level = "info"
    code: int = 0


class Progressed(AttemptEvent, frozen=True, kw_only=True):
    """The share of the work that is done, from 0 to 1."""

    fraction: float
    text: str = ""


class AttributeSet(AttemptEvent, frozen=True, kw_only=True):
    """A named fact about the job that clients may read while it runs."""

    name: str
    value: Any


class RollbackRecorded(AttemptEvent, frozen=True, kw_only=True):
    """How to undo an effect that is about to happen."""

    function: str
    """Importable name, ``module:function``."""
    arguments: list[Any] = []


class RollbackStarted(AttemptEvent, frozen=True, kw_only=True):
    """The attempt is over and its effects are being undone; ``outcome`` follows."""

    outcome: Outcome
    reason: str = ""


class RolledBack(AttemptEvent, frozen=True, kw_only=True):
    """One recorded effect was undone, or could not be."""

    number: int
    """Which rollback of the job, counted from 0 in the order of recording."""
    error: str = ""


class Interrupted(AttemptEvent, frozen=True, kw_only=True):
    """The attempt ended without a word; another one goes on from its last step."""

    reason: str
    crash: bool = True
    """Whether it was the operation's own process that died."""
    stop: bool = False
    """Whether the server was stopped in good order. When neither is so, the server or the machine was lost."""


class CancelRequested(Event, frozen=True, kw_only=True):
    """Someone asked for the job to be cancelled."""

    by: str


class PauseRequested(Event, frozen=True, kw_only=True):
    """Someone asked for the job to hold still."""

    by: str


class Paused(AttemptEvent, frozen=True, kw_only=True):
    """The job holds still: its attempt, if one is under way, or in the queue."""


class ResumeRequested(Event, frozen=True, kw_only=True):
    """Someone asked for a paused job to go on."""

    by: str


class Resumed(AttemptEvent, frozen=True, kw_only=True):
    """The held attempt was told to go on."""


class Continued(AttemptEvent, frozen=True, kw_only=True):
    """The resumed attempt is at work again."""


class Succeeded(AttemptEvent, frozen=True, kw_only=True):
    """The work is done."""

    results: dict[str, Kept] = {}


class Failed(Event, frozen=True, kw_only=True):
    """The work could not be done, or, after a cancel, not be undone."""

    error: str


class TimedOut(Event, frozen=True, kw_only=True):
    """A time limit of the service ended the job."""

    error: str


class Cancelled(Event, frozen=True, kw_only=True):
    """The work has stopped and its effects are undone."""


class DeleteRequested(Event, frozen=True, kw_only=True):
    """Someone asked for an ended job to be removed."""

    by: str


class Deleted(Event, frozen=True, kw_only=True):
    """The job's files and payloads are gone."""


AnyEvent = (
    Submitted
    | Waiting
    | Started
    | StagesPlanned
    | StageStarted
    | StageFinished
    | StageFailed
    | StepFinished
    | MessageAdded
    | Progressed
    | AttributeSet
    | RollbackRecorded
    | RollbackStarted
    | RolledBack
    | Interrupted
    | CancelRequested
    | PauseRequested
    | Paused
    | ResumeRequested
    | Resumed
    | Continued
    | Succeeded
    | Failed
    | TimedOut
    | Cancelled
    | DeleteRequested
    | Deleted
)
"""Every kind of event; the union that a stored record is decoded into."""

_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final[msgspec.json.Decoder[AnyEvent]] = msgspec.json.Decoder(AnyEvent)


def encode(event: Event) -> bytes:
    """The event as JSON, its class named under ``kind``."""
    return _ENCODER.encode(event)


def decode(record: bytes | str) -> AnyEvent:
    """The event that ``encode`` wrote.

    Raises:
        msgspec.ValidationError: when the record is no known event.
    """
    return _DECODER.decode(record)
