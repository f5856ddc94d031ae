"""The JSON of Mission Server jobs: pure functions of jobs.

Attributes tell what a job does not know of itself: ``type``, the operation as clients know it,
and ``missionId``, the mission it works on.
"""

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from milepost.jobs import Job, Status

STATUS: Final[dict[Status, str]] = {
    Status.NEW: "SUBMITTED",
    Status.SUBMITTED: "SUBMITTED",
    Status.WAITING: "SUBMITTED",
    Status.EXECUTING: "EXECUTING",
    Status.SUCCEEDED: "COMPLETED",
    Status.FAILED: "FAILED",
    Status.TIMED_OUT: "FAILED",
    Status.CANCELLING: "CANCELLING",
    Status.CANCELLED: "CANCELLED",
    Status.DELETING: "UNAVAILABLE",
    Status.DELETED: "UNAVAILABLE",
    Status.PAUSED: "EXECUTING",
    Status.RESUMED: "EXECUTING",
    Status.PAUSE_PENDING: "EXECUTING",
    Status.RESUME_PENDING: "EXECUTING",
}


_FINISHED: Final = frozenset({1502, 1504, 1506, 1508, 1510})
"""Codes of the messages that say that a step of a new mission is done."""


def jobs(states: Iterable[Job]) -> dict[str, Any]:
    """The list of jobs: their ids."""
    return {"asyncJobs": [job_id(each) for each in states]}


def job_id(state: Job) -> str:
    """The id as this dialect spells it."""
    return f"j{UUID(state.id)}"


def job(state: Job) -> dict[str, Any]:
    """The job resource. Its steps are the stages of the job."""
    said = state.account()
    attributes: dict[str, Any] = {
        "stepsCompleted": _steps_completed(state),
        "isCancelled": state.status in (Status.CANCELLING, Status.CANCELLED),
        "messageCodes": [each.code for each in said],
        "totalSteps": len(state.stages),
    }
    if "missionId" in state.attributes:
        attributes["missionId"] = state.attributes["missionId"]
    return {
        "jobId": job_id(state),
        "messages": [each.text for each in said],
        "startTime": state.started_at or state.submitted_at,
        "endTime": state.ended_at,
        "type": state.attributes.get("type", state.operation),
        "status": status(state),
        "username": state.owner,
        "customAttributes": attributes,
    }


def _steps_completed(state: Job) -> int:
    """How many stages are finished. Where messages say that one is, both are never seen to differ."""
    told = {each.code for each in state.messages} & _FINISHED
    finished = sum(each.state == "finished" for each in state.stages)
    return min(len(told), len(state.stages)) if told else finished


def status(state: Job) -> str:
    """The word for where the job stands. A job that waits for another attempt was not submitted again."""
    return "EXECUTING" if state.status.queued and state.attempt else STATUS[state.status]
