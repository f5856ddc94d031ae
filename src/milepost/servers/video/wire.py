"""The JSON of Video Server jobs: pure functions of jobs.

Attributes tell what a job does not know of itself: ``type``, the operation in words; ``inputs``, those that the
document names, where the operation has others; ``savingToStorage``, whether its files have been made and are on their way; ``newLayerId``, the
number that is reserved for the new layer.
"""

from collections.abc import Iterable, Mapping
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


def jobs(states: Iterable[Job]) -> dict[str, Any]:
    """The list of jobs: their ids."""
    return {"asyncJobs": [job_id(each) for each in states]}


def job_id(state: Job) -> str:
    """The id as this dialect spells it."""
    return f"j{UUID(state.id)}"


def job(state: Job, *, inputs: Mapping[str, Any], results: Mapping[str, Any]) -> dict[str, Any]:
    """The job resource, which tells no times.

    Args:
        state: the job.
        inputs: the values of its inputs, by name.
        results: the values of its results, by name.
    """
    said = state.account()
    attributes: dict[str, Any] = {
        "messageCodes": [each.code for each in said],
        "savingToStorage": state.attributes.get("savingToStorage", False),
    }
    if "newLayerId" in state.attributes:
        attributes["newLayerId"] = state.attributes["newLayerId"]
    return {
        "jobId": job_id(state),
        "inputs": dict(inputs),
        "messages": [each.text for each in said],
        "type": state.attributes.get("type", state.operation),
        "results": {_camel(name): value for name, value in results.items()}
        if state.status is Status.SUCCEEDED
        else {},
        "status": status(state),
        "username": state.owner,
        "customAttributes": attributes,
    }


def status(state: Job) -> str:
    """The word for where the job stands. A job that waits for another attempt was not submitted again."""
    return "EXECUTING" if state.status.queued and state.attempt else STATUS[state.status]


def _camel(name: str) -> str:
    """A name of Python as the documents write it."""
    first, *others = name.split("_")
    return first + "".join(each.capitalize() for each in others)
