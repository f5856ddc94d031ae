"""The JSON of the Enterprise Administrator jobs: pure functions of jobs.

What a job does not know of itself is told by its attributes: ``operationURI``, the path that was
asked for; ``name``, the operation in camel case; ``resource``, the name of what it works on.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final
from uuid import UUID

from milepost.jobs import Job, Stage, Status

STATUS: Final[dict[Status, str]] = {
    Status.NEW: "SUBMITTED",
    Status.SUBMITTED: "SUBMITTED",
    Status.WAITING: "SUBMITTED",
    Status.EXECUTING: "EXECUTING",
    Status.SUCCEEDED: "COMPLETED",
    Status.FAILED: "FAILED",
    # Clients disagree about how a time-out is spelled, and know that it is a failure.
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

STAGE_STATE: Final = {
    "pending": "pending",
    "started": "in_progress",
    "finished": "completed",
    "failed": "failed",
}

SYSTEM: Final = "/admin/system/"
"""In the path of operations on the deployment itself; the ids of their jobs begin with another letter."""


def jobs(states: Iterable[Job]) -> dict[str, Any]:
    """The list of jobs: their ids."""
    return {"jobs": [job_id(each) for each in states]}


def job_id(state: Job) -> str:
    """The id as this dialect spells it."""
    prefix = "s" if SYSTEM in str(state.attributes.get("operationURI", "")) else "j"
    return f"{prefix}{UUID(state.id)}"


def job(
    state: Job, *, results: Mapping[str, Any], defaults: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The job resource. A failed job is no error: its failure is told by ``result`` and ``messages``.

    Args:
        state: the job.
        results: the values of its results, by name.
        defaults: attributes that are missing when another dialect took the job in.
    """
    facts = {**(defaults or {}), **state.attributes}
    shown = status(state)
    answer: dict[str, Any] = {}
    if state.stages:
        answer["progress"] = {"stages": [_stage(state, each) for each in state.stages]}
    said = [each.text for each in state.account()]
    # Clients read them whenever a job ends badly. The documents leave them out only where the
    # operation has no name either.
    if said or "name" in facts or shown in ("FAILED", "CANCELLED"):
        answer["messages"] = said
    if "resource" in facts:
        answer["resource"] = {"name": facts["resource"]}
    if "name" in facts:
        answer["name"] = facts["name"]
    answer["updatedtime"] = state.active_at
    answer["jobid"] = job_id(state)
    answer["requestID"] = state.request
    answer["endtime"] = state.ended_at
    # Never zero, not even in the first poll.
    answer["starttime"] = state.started_at or state.submitted_at
    answer["operationURI"] = facts.get("operationURI", "")
    if shown == "COMPLETED":
        answer["result"] = dict(results)
    elif shown == "FAILED":
        answer["result"] = _failure(state)
    answer["status"] = shown
    answer["username"] = state.owner
    return answer


def status(state: Job) -> str:
    """The word for where the job stands."""
    if state.rolling_back:
        return "CANCELLING"
    if state.status.queued and state.attempt:
        # SUBMITTED is the word for jobs that never ran; some clients would take it for the end.
        return "EXECUTING"
    return STATUS[state.status]


def _failure(state: Job) -> dict[str, Any]:
    """The result of a job that failed: the answer to an operation that failed."""
    errors = [each for each in state.account() if each.level in ("error", "abort")]
    return {
        "status": "error",
        "messages": [each.text for each in errors],
        "code": errors[-1].code or 500,
    }


def _stage(state: Job, stage: Stage) -> dict[str, str]:
    word = STAGE_STATE[stage.state]
    if state.status.ended and stage.state == "started":
        # The ending of the job left it behind.
        word = "completed" if state.status is Status.SUCCEEDED else "failed"
    return {"name": stage.name, "state": word}
