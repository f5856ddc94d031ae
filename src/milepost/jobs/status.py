"""The statuses a job can have and the moves between them that are legal."""

from enum import IntEnum
from typing import Final


class Status(IntEnum):
    """A job's status, numbered as the ArcGIS family numbers it.

    0 to 10 are esriJobNew to esriJobDeleted; 100 to 103 are the paused statuses
    that topographic production adds.
    """

    NEW = 0
    SUBMITTED = 1
    WAITING = 2
    EXECUTING = 3
    SUCCEEDED = 4
    FAILED = 5
    TIMED_OUT = 6
    CANCELLING = 7
    CANCELLED = 8
    DELETING = 9
    DELETED = 10
    PAUSED = 100
    RESUMED = 101
    PAUSE_PENDING = 102
    RESUME_PENDING = 103

    @property
    def ended(self) -> bool:
        """Whether the work is over; nothing but deletion can follow."""
        return self in ENDED

    @property
    def queued(self) -> bool:
        """Whether the job waits for an instance to take it."""
        return self in QUEUED


_S = Status

ENDED: Final = frozenset({_S.SUCCEEDED, _S.FAILED, _S.TIMED_OUT, _S.CANCELLED, _S.DELETING, _S.DELETED})
QUEUED: Final = frozenset({_S.NEW, _S.SUBMITTED, _S.WAITING})
UNFINISHED: Final = frozenset(_S) - ENDED

MOVES: Final[dict[Status, frozenset[Status]]] = {
    _S.NEW: frozenset({_S.SUBMITTED}),
    _S.SUBMITTED: frozenset(
        {_S.WAITING, _S.EXECUTING, _S.FAILED, _S.TIMED_OUT, _S.CANCELLING, _S.PAUSE_PENDING}
    ),
    _S.WAITING: frozenset({_S.EXECUTING, _S.FAILED, _S.TIMED_OUT, _S.CANCELLING, _S.PAUSE_PENDING}),
    # Back to WAITING: the attempt was interrupted and another one will go on from its last step.
    _S.EXECUTING: frozenset(
        {_S.WAITING, _S.SUCCEEDED, _S.FAILED, _S.TIMED_OUT, _S.CANCELLING, _S.PAUSE_PENDING}
    ),
    # The work may end before it holds still. Not back to WAITING: an interruption must not undo a pause.
    _S.PAUSE_PENDING: frozenset(
        {_S.PAUSED, _S.RESUME_PENDING, _S.SUCCEEDED, _S.FAILED, _S.TIMED_OUT, _S.CANCELLING}
    ),
    _S.PAUSED: frozenset({_S.RESUME_PENDING, _S.FAILED, _S.TIMED_OUT, _S.CANCELLING}),
    # A job that was paused in the queue moves straight to EXECUTING when its turn comes; a held attempt is
    # RESUMED first. One that was asked to go on before it held still may end meanwhile.
    _S.RESUME_PENDING: frozenset(
        {
            _S.RESUMED,
            _S.EXECUTING,
            _S.WAITING,
            _S.SUCCEEDED,
            _S.FAILED,
            _S.TIMED_OUT,
            _S.CANCELLING,
            _S.PAUSE_PENDING,
        }
    ),
    _S.RESUMED: frozenset(
        {_S.EXECUTING, _S.WAITING, _S.SUCCEEDED, _S.FAILED, _S.TIMED_OUT, _S.CANCELLING, _S.PAUSE_PENDING}
    ),
    # FAILED only when what the job did could not be undone.
    _S.CANCELLING: frozenset({_S.CANCELLED, _S.FAILED}),
    _S.SUCCEEDED: frozenset({_S.DELETING}),
    _S.FAILED: frozenset({_S.DELETING}),
    _S.TIMED_OUT: frozenset({_S.DELETING}),
    _S.CANCELLED: frozenset({_S.DELETING}),
    _S.DELETING: frozenset({_S.DELETED}),
    _S.DELETED: frozenset(),
}
"""Every legal move. What is not here is refused by ``apply``."""
