"""The JSON of Topographic Production Server jobs: pure functions of jobs."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal
from uuid import UUID

from milepost.jobs import Job, Level, Status
from milepost.servers.production import dates

MessageLevel = Literal["info", "warn", "error"]
"""Which messages are asked for: those of this level and of more important ones."""

STATUS: Final[dict[Status, str]] = {
    Status.NEW: "Pending",
    Status.SUBMITTED: "Pending",
    Status.WAITING: "Pending",
    Status.EXECUTING: "InProgress",
    Status.SUCCEEDED: "Completed",
    Status.FAILED: "Failed",
    Status.TIMED_OUT: "Failed",
    Status.CANCELLING: "InProgress",
    Status.CANCELLED: "Canceled",
    Status.DELETING: "InProgress",
    Status.DELETED: "Deleted",
    Status.PAUSED: "Paused",
    Status.RESUMED: "InProgress",
    Status.PAUSE_PENDING: "InProgress",
    Status.RESUME_PENDING: "Pending",
}
"""The general words. The exact status is a number, the same as ours."""

GROUP: Final[dict[Level, str]] = {
    "info": "informative",
    "empty": "informative",
    "warning": "warnings",
    "error": "errors",
    "abort": "errors",
}

SHOWN: Final[dict[MessageLevel, tuple[str, ...]]] = {
    "info": ("informative", "warnings", "errors"),
    "warn": ("warnings", "errors"),
    "error": ("errors",),
}


FAILED: Final = "Failed."
"""The last of the errors of a job that failed."""


def query(records: Iterable[dict[str, Any]], next_start: int | None = None) -> dict[str, Any]:
    """The answer to a query: the resources of the jobs that match.

    Args:
        records: of the jobs.
        next_start: the number of the first job that there was no room for; None when there was for all.
    """
    found = list(records)
    answer: dict[str, Any] = {"count": len(found), "jobs": found}
    if next_start is not None:
        answer |= {"exceededTransferLimit": True, "nextStart": next_start}
    return answer


def job_id(state: Job) -> str:
    """The id as this dialect spells it."""
    return str(UUID(state.id)).upper()


def job(
    state: Job, *, inputs: Mapping[str, Any], output_url: str = "", level: MessageLevel = "error"
) -> dict[str, Any]:
    """The job resource.

    Args:
        state: the job.
        inputs: the values of its inputs, by name.
        output_url: where the product is, once the job has succeeded.
        level: which messages are asked for.
    """
    answer: dict[str, Any] = {
        "status": STATUS[state.status],
        "statusCode": int(state.status),
        "submissionTime": dates.written(state.submitted_at),
        "lastUpdatedTime": dates.written(state.updated_at),
    }
    if STATUS[state.status] != "Failed":
        answer["percentComplete"] = _share(state.fraction)
    return answer | {
        "aoiLayer": inputs.get("aoiLayer", ""),
        # None for an area that the client drew itself.
        "aoiFeatureId": inputs.get("aoiFeatureId"),
        "outputUrl": output_url if state.status is Status.SUCCEEDED else "",
        "user": state.owner,
        "jobId": job_id(state),
        "productName": inputs.get("productName", ""),
        "productVersion": _name(inputs.get("productVersion", ""), "name"),
        "outputType": str(_name(inputs.get("outputType", ""), "outputType")).upper(),
        "messages": messages(state, level),
    }


def messages(state: Job, level: MessageLevel = "error") -> dict[str, list[str]]:
    """What the job said, by importance; a group without messages is left out."""
    said: dict[str, list[str]] = {group: [] for group in SHOWN[level]}
    for each in state.account():
        if GROUP[each.level] in said:
            said[GROUP[each.level]].append(each.text)
    # As the documents close the account of each that failed: after the causes.
    if STATUS[state.status] == "Failed" and said["errors"][-1:] != [FAILED]:
        said["errors"].append(FAILED)
    return {group: texts for group, texts in said.items() if texts}


def why_not_paused(state: Job) -> str:
    """Why a job cannot be paused that could not."""
    match state.status:
        case Status.PAUSED:
            return "The job is paused already"
        case Status.PAUSE_PENDING:
            return "The job is being paused already"
    return f"{_ending(state)} and cannot be paused"


def why_not_resumed(state: Job) -> str:
    """Why a job cannot be resumed that could not."""
    match state.status:
        case Status.RESUME_PENDING | Status.RESUMED:
            return "The job is being resumed already"
    if state.rolling_back or state.status is Status.CANCELLING or state.status.ended:
        return f"{_ending(state)} and cannot be resumed"
    return "The job is not paused; it goes on"


def _ending(state: Job) -> str:
    """How far the end of a job has come."""
    if state.status.ended:
        return "The job has ended"
    return "The job is being canceled" if state.status is Status.CANCELLING else "The job is being undone"


def _share(fraction: float) -> float | int:
    """The share of the work that is done, from 0 to 1; nothing and all are whole numbers."""
    return int(fraction) if fraction in (0, 1) else fraction


def _name(value: Any, key: str) -> Any:
    """The name alone, where clients may send a name or an object that says more."""
    return value.get(key, "") if isinstance(value, Mapping) else value
