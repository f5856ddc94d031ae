"""Following a job to its end."""

import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from milepost.client.address import Address
from milepost.client.dialects import NotAJobError, read_job
from milepost.client.errors import BadAnswerError, LostError, ServerError, UnreachableError
from milepost.client.session import Session
from milepost.client.views import Dialect, JobView

_MORE: Final[dict[Dialect, dict[str, str]]] = {
    # Without it all messages but errors are left out.
    "production": {"msgLevel": "info"},
    # The documents know no stages; servers of this project tell them, others ignore the question.
    "geoprocessing": {"milepost:stages": "true"},
}
"""What to ask for once the dialect is known, to be told everything."""


class Pace(msgspec.Struct, frozen=True):
    """How often to ask. All times are seconds."""

    first: float = 0.2
    """The first wait; each one after it is longer, so that long jobs are asked about seldom."""
    longest: float = 2.0
    patience: float = 60.0
    """How long to go on while no answer comes, or none that tells the status."""
    sleep: Callable[[float], None] = time.sleep


class Note(msgspec.Struct, frozen=True):
    """Something about the watching, not the job: the server is gone for a moment, or back."""

    text: str


def look(session: Session, address: Address, before: JobView | None = None) -> JobView:
    """The job at ``address`` now.

    Args:
        session: a session with its server.
        address: the job resource, of any dialect.
        before: an earlier view of the job, if there is one.

    Raises:
        BadAnswerError: the answer is no job.
        ClientError: what ``Session.get`` raises.
    """
    parameters = _MORE.get(before.dialect, {}) if before else {}
    try:
        view = read_job(session.get(str(address), parameters), address.url)
    except NotAJobError as error:
        raise BadAnswerError(f"{address.url} is not the address of a job: {error}") from error
    # A job that changes is asked about again anyway; one that does not must be told wholly now.
    return (
        look(session, address, view) if before is None and view.finished and view.dialect in _MORE else view
    )


def watch(session: Session, address: Address, pace: Pace | None = None) -> Iterator[JobView | Note]:
    """The job each time it has changed, the last time when it is finished.

    A network or server that fails for a moment is borne for ``pace.patience`` seconds, once the job
    has been seen; so is a status that says nothing.

    Raises:
        LostError: the job is gone, or nothing was heard of it for too long.
        ClientError: what ``look`` raises.
    """
    pace = pace or Pace()
    wait = pace.first
    view: JobView | None = None
    trouble = ""
    since = 0.0
    while True:
        rest = wait
        try:
            now = look(session, address, view)
        except (UnreachableError, BadAnswerError, ServerError) as error:
            if view is None:
                raise
            if isinstance(error, ServerError) and not error.passing:
                raise LostError(
                    f"the server no longer knows the job, which was {view.state}: {error}"
                ) from error
            # Even an answer that makes no sense may be that of a gateway while the server restarts.
            problem = str(error)
            rest = max(wait, min(getattr(error, "retry_after", 0.0), pace.patience))
        else:
            problem = f"the server says {now.status!r}" if now.state == "unknown" else ""
            if now != view:
                yield now
            view = now
        if problem:
            since = since if trouble else time.monotonic()
            if time.monotonic() - since >= pace.patience:
                raise LostError(f"gave up after {pace.patience:.0f} s: {problem}")
            if problem != trouble:
                yield Note(f"{problem}; asking again")
        elif trouble:
            yield Note("the server tells the status again")
        trouble = problem
        if view is not None and view.finished:
            return
        pace.sleep(rest)
        wait = min(wait * 1.4, pace.longest)


def cancel(session: Session, address: Address) -> JobView:
    """Ask the job's server to cancel it, in the way of its dialect; returns the job as it was before.

    Does not wait; ``watch`` tells what became of it.

    Raises:
        ServerError: the server refuses, for instance because the job has ended.
        ClientError: what ``look`` raises.
    """
    view = look(session, address)
    if view.finished:
        return view
    answer: Any
    if view.dialect == "processes":
        answer = session.delete(str(address))
    elif view.dialect == "production":
        answer = _act(session, address, view, "cancel")
    else:
        answer = session.post(f"{address.url}/cancel{address.query}")
    _check_done(answer, "did not cancel the job")
    return view


def pause(session: Session, address: Address) -> JobView:
    """Ask the job's server to hold it still until it is resumed; returns the job as it was before.

    Raises:
        ServerError: the server refuses, for instance because the job is paused already.
        BadAnswerError: it is no job of a dialect that knows pausing.
        ClientError: what ``look`` raises.
    """
    return _hold(session, address, "pause")


def resume(session: Session, address: Address) -> JobView:
    """Ask the job's server to let it go on; returns the job as it was before.

    Raises:
        ServerError: the server refuses, for instance because the job is not paused.
        BadAnswerError: it is no job of a dialect that knows pausing.
        ClientError: what ``look`` raises.
    """
    return _hold(session, address, "resume")


def _hold(session: Session, address: Address, act: str) -> JobView:
    view = look(session, address)
    if view.dialect != "production":
        raise BadAnswerError(
            f"{address.url} is no topographic production job; only these can be paused and resumed"
        )
    if not view.finished:
        _check_done(_act(session, address, view, act), f"did not {act} the job")
    return view


def _act(session: Session, address: Address, view: JobView, act: str) -> Any:
    """Do something with a production job; its resources for that take the id as a parameter."""
    jobs = address.url.rpartition("/job/")[0] or address.url.rpartition("/")[0]
    return session.post(f"{jobs}/{act}{address.query}", {"jobId": view.id})


def _check_done(answer: Any, failure: str) -> None:
    if isinstance(answer, dict) and answer.get("success") is False:
        raise ServerError(400, f"the server {failure}", [_refusal(answer)])


def _refusal(answer: dict[str, Any]) -> str:
    items = answer.get("items")
    first = items[0] if isinstance(items, list) and items else answer
    message = first.get("message") if isinstance(first, dict) else None
    return message if isinstance(message, str) else ""
