"""The JSON of Video Server jobs: pure functions of jobs.

Attributes tell what a job does not know of itself: ``type``, the operation in words; ``inputs``, those that the
document names, where the operation has others; ``savingToStorage``, whether its files have been made and are on their way; ``newLayerId``, the
number that is reserved for the new layer.

The document has no member for how far a job is, so that stands under a name of our own, ``PROGRESS``.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from milepost.jobs import Job, Message, Stage, Status

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

FAILED: Final = 9000
INTERRUPTED: Final = 9097
TIMED_OUT: Final = 9098
CANCELLED: Final = 9099
"""The codes of what is said of a job as a whole, and by none of its steps: our own, as the documents have none."""

PROGRESS: Final = "milepostProgress"
"""The member that tells how far a job or an upload is: an addition of this server."""


def jobs(states: Iterable[Job]) -> dict[str, Any]:
    """The list of jobs: their ids."""
    return {"asyncJobs": [job_id(each) for each in states]}


def job_id(state: Job) -> str:
    """The id as this dialect spells it."""
    return f"j{UUID(state.id)}"


def job(
    state: Job, *, inputs: Mapping[str, Any], results: Mapping[str, Any], progress: bool = False
) -> dict[str, Any]:
    """The job resource, which tells no times but those of steps.

    Args:
        state: the job.
        inputs: the values of its inputs, by name.
        results: the values of its results, by name.
        progress: whether it tells how far it is although it has ended, or has told nothing of it.
    """
    said = [(each.code or _code(each, state), each.text) for each in state.account()]
    if state.status is Status.CANCELLED:
        by = f" by {state.cancelled_by}" if state.cancelled_by else ""
        said.append((CANCELLED, f"The job was cancelled{by}"))
    attributes: dict[str, Any] = {
        "messageCodes": [code for code, _ in said],
        "savingToStorage": state.attributes.get("savingToStorage", False),
    }
    # When a job comes to nothing, the number is free again.
    if "newLayerId" in state.attributes and (state.status is Status.SUCCEEDED or not state.status.ended):
        attributes["newLayerId"] = state.attributes["newLayerId"]
    # Not by itself of a job that has ended, which then is what the document shows.
    if progress or (not state.status.ended and (state.stages or state.fraction)):
        attributes[PROGRESS] = _progress(state)
    return {
        "jobId": job_id(state),
        "inputs": dict(inputs),
        "messages": [text for _, text in said],
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


def _code(message: Message, state: Job) -> int:
    """The code of a message to which no step has given one; 0 for what needs none."""
    match message.level:
        case "warning":
            return INTERRUPTED
        case "error" | "abort":
            return TIMED_OUT if state.status is Status.TIMED_OUT else FAILED
        case _:
            return 0


def _progress(state: Job) -> dict[str, Any]:
    """How far a job is: the share that is done, in words, and its steps."""
    doing = next((each.name for each in reversed(state.stages) if each.state == "started"), "")
    return {
        "fraction": 1.0 if state.status is Status.SUCCEEDED else state.fraction,
        "text": "" if state.status.ended else state.progress_text or doing,
        "steps": _steps(state.stages),
    }


def _steps(stages: Sequence[Stage]) -> list[dict[str, Any]]:
    """The steps in their order. One that a later one has overtaken was left out."""
    latest = max((at for at, each in enumerate(stages) if each.state != "pending"), default=-1)
    return [_step(each, skipped=each.state == "pending" and at < latest) for at, each in enumerate(stages)]


def _step(stage: Stage, *, skipped: bool) -> dict[str, Any]:
    """A step; times are UTC milliseconds, None for what has not come yet."""
    return {
        "name": stage.name,
        "state": "skipped" if skipped else stage.state,
        "started": stage.started_at or None,
        "ended": stage.ended_at or None,
    }


def _camel(name: str) -> str:
    """A name of Python as the documents write it."""
    first, *others = name.split("_")
    return first + "".join(each.capitalize() for each in others)
