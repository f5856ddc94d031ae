"""How the engine accounts for what became of an attempt and of a job: the events, and their words."""

import contextlib
import signal
import time

from milepost.jobs import Job, Outcome, Status
from milepost.jobs import events as ev


def interruption(
    job: Job, at: int, reason: str, *, crash: bool = False, stop: bool = False
) -> list[ev.Event]:
    """The events after which the job waits for another attempt.

    Args:
        job: as it is now.
        at: when the attempt was at work for the last time.
        reason: why it ended.
        crash: whether its own process died, which counts against the retries of the operation.
        stop: whether the server was stopped in good order.
    """
    then = f"goes on after its last finished step ({len(job.steps)} kept)" if job.steps else "is tried again"
    said = _sentence(f"{reason}; the job {then}")
    return [
        ev.Interrupted(at=at, attempt=job.attempt, reason=reason, crash=crash, stop=stop),
        ev.MessageAdded(at=_now(), attempt=job.attempt, level="warning", text=said),
    ]


def ending(job: Job, outcome: Outcome, reason: str) -> list[ev.Event]:
    """The last words of a job, of which nothing is left to undo."""
    now = _now()
    if job.status is Status.CANCELLING and outcome != "cancelled":
        outcome, reason = "cancelled", ""
    not_undone = [
        f"{each.function.rpartition(':')[2]} ({each.error})" for each in job.rollbacks if each.error
    ]
    if not_undone:
        trouble = "it could not be undone what the job did: " + ", ".join(not_undone)
        reason = f"{reason}; {trouble}" if reason else f"the job was cancelled, but {trouble}"
        outcome = "failed" if outcome == "cancelled" else outcome
    if outcome == "cancelled":
        return [ev.Cancelled(at=now)]
    over = (ev.Failed if outcome == "failed" else ev.TimedOut)(at=now, error=reason)
    text = _sentence(reason)
    if job.messages and (job.messages[-1].level, job.messages[-1].text) == ("error", text):
        return [over]  # the operation said so itself, and perhaps with a code
    return [ev.MessageAdded(at=now, attempt=job.attempt, level="error", text=text), over]


def how_it_ended(status: int) -> str:
    """The end of a process in words, by its exit code, negative for a signal."""
    if status < 0:
        with contextlib.suppress(ValueError):
            return f"was killed by {signal.Signals(-status).name}"
        return f"was killed by signal {-status}"
    return f"ended without a word, with exit status {status}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _now() -> int:
    return time.time_ns() // 1_000_000
