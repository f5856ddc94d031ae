"""The words and numbers that dialects have for the state of a job, of its stages and messages."""

import re
from typing import Final

from milepost.client.views import MessageLevel, State

STATES: Final[dict[str, State]] = {
    "new": "queued",
    "submitted": "queued",
    "waiting": "queued",
    "pending": "queued",
    "queued": "queued",
    "accepted": "queued",
    "resumepending": "queued",
    "executing": "running",
    "inprogress": "running",
    "running": "running",
    "resumed": "running",
    "pausepending": "running",
    "paused": "paused",
    "cancelling": "cancelling",
    "canceling": "cancelling",
    "succeeded": "succeeded",
    "successful": "succeeded",
    "success": "succeeded",
    "completed": "succeeded",
    "complete": "succeeded",
    "failed": "failed",
    "failure": "failed",
    "expectedfailure": "failed",
    "completedwitherrors": "failed",
    "error": "failed",
    "timedout": "timed_out",
    "timeout": "timed_out",
    "cancelled": "cancelled",
    "canceled": "cancelled",
    "dismissed": "cancelled",
    "deleting": "deleted",
    "deleted": "deleted",
    "unavailable": "unknown",
}
"""The words of all dialects, in lower case and letters only, without the prefix ``esriJob``."""

NUMBERED: Final[dict[int, State]] = {
    0: "queued",
    1: "queued",
    2: "queued",
    3: "running",
    4: "succeeded",
    5: "failed",
    6: "timed_out",
    7: "cancelling",
    8: "cancelled",
    9: "deleted",
    10: "deleted",
    100: "paused",
    101: "running",
    102: "running",
    103: "queued",
}
"""The numbers of topographic production: esriJobStatus, and from 100 the paused ones."""

STAGE_STATES: Final = {
    "completed": "finished",
    "finished": "finished",
    "failed": "failed",
    "in_progress": "started",
    "started": "started",
    "skipped": "skipped",
}

LEVELS: Final[dict[str, MessageLevel]] = {
    "warning": "warning",
    "warnings": "warning",
    "error": "error",
    "errors": "error",
    "abort": "error",
}


def state_of(status: str) -> State:
    """The state that a status of any dialect means."""
    return STATES.get(re.sub(r"[^a-z]", "", status.removeprefix("esriJob").lower()), "unknown")
