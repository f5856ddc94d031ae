"""Jobs for tests of stores."""

import uuid
from typing import Any

from milepost.jobs import Kept, Status
from milepost.jobs import events as ev


def new_id() -> str:
    return uuid.uuid4().hex


def submitted(**fields: Any) -> ev.Submitted:
    return ev.Submitted(
        **{"at": 1000, "owner": "ann", "service": "A/B.GPServer", "operation": "buffer"} | fields
    )


def message(text: str = "hello", *, attempt: int = 1, at: int = 2000) -> ev.MessageAdded:
    return ev.MessageAdded(at=at, attempt=attempt, text=text)


def started(attempt: int = 1, at: int = 1500) -> ev.Started:
    return ev.Started(at=at, attempt=attempt, worker="here", pid=1)


def path_to(status: Status) -> list[ev.Event]:
    """The events that take a submitted job to a status."""
    cancelling = ev.CancelRequested(at=3000, by="ann")
    paused = [started(), ev.PauseRequested(at=3000, by="ann"), ev.Paused(at=3000, attempt=1)]
    ends: dict[Status, list[ev.Event]] = {
        Status.SUBMITTED: [],
        Status.WAITING: [ev.Waiting(at=1000)],
        Status.EXECUTING: [started()],
        Status.SUCCEEDED: [started(), ev.Succeeded(at=4000, attempt=1, results={"result": Kept(1)})],
        Status.FAILED: [started(), ev.Failed(at=4000, error="broken")],
        Status.TIMED_OUT: [ev.TimedOut(at=4000, error="too long")],
        Status.CANCELLING: [cancelling],
        Status.CANCELLED: [cancelling, ev.Cancelled(at=4000)],
        Status.PAUSED: paused,
        Status.RESUME_PENDING: [*paused, ev.ResumeRequested(at=3500, by="ann")],
        Status.DELETING: [cancelling, ev.Cancelled(at=4000), ev.DeleteRequested(at=5000, by="ann")],
        Status.DELETED: [
            cancelling,
            ev.Cancelled(at=4000),
            ev.DeleteRequested(at=5000, by="ann"),
            ev.Deleted(at=5000),
        ],
    }
    return ends[status]


REACHED = [
    Status.SUBMITTED,
    Status.WAITING,
    Status.EXECUTING,
    Status.SUCCEEDED,
    Status.FAILED,
    Status.TIMED_OUT,
    Status.CANCELLING,
    Status.CANCELLED,
    Status.PAUSED,
    Status.RESUME_PENDING,
    Status.DELETING,
    Status.DELETED,
]
"""The statuses that ``path_to`` knows a way to."""
