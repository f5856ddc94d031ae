"""What clients ask of the jobs of a Topographic Production Server: filters, ids and levels."""

from collections.abc import Callable
from typing import Any, Final

from milepost.http import Call, json_of, missing, wrong
from milepost.jobs import JobFilter, Status
from milepost.servers.production import dates, wire

FILTERS: Final = ("status", "startDate", "endDate", "msgLevel", "user")
"""Parameters that narrow the list of jobs."""

MOST_IDS: Final = 1000
"""Jobs that one request may name."""


def job_filter(call: Call, service: str) -> JobFilter | None:
    """What the jobs must match; None when no job can.

    ``startDate`` is compared with the submission and ``endDate`` with the end of the job, which a
    job that goes on does not have yet: the record tells no other times.

    Args:
        call: the query.
        service: full name of the service.

    Raises:
        ServiceError: 400, names the parameter that is wrong.
    """
    status = _status(call)
    if status is Status.DELETED:
        return None
    return JobFilter(
        statuses=frozenset() if status is None else frozenset({status}),
        owner=call.parameters.get("user").strip(),
        service=service,
        submitted_from=_time(call, "startDate", dates.first_moment),
        ended_to=_time(call, "endDate", dates.last_moment),
    )


def message_level(call: Call) -> wire.MessageLevel:
    """Which messages are asked for: errors alone, unless the client says otherwise.

    Raises:
        ServiceError: 400, there is no such level.
    """
    text = call.parameters.get("msgLevel", "error").strip().lower()
    if text not in wire.SHOWN:
        raise wrong("msgLevel", f"{text[:40]!r} is no level; use {', '.join(wire.SHOWN)}")
    return text


def job_ids(call: Call) -> list[str]:
    """The ids in ``jobId``, as they are spelled: one, several with commas, or a JSON array.

    Raises:
        ServiceError: 400, there is none, or they cannot be read.
    """
    text = call.parameters.get("jobId").strip()
    found: list[Any] = [each.strip() for each in text.split(",") if each.strip()]
    if text[:1] in ("[", '"'):
        decoded = json_of("jobId", text)
        found = decoded if isinstance(decoded, list) else [decoded]
    if not found:
        raise missing("jobId", "send the id of a job, or a JSON array of ids")
    if len(found) > MOST_IDS:
        raise wrong("jobId", f"it names more than {MOST_IDS} jobs")
    if not all(isinstance(each, str) for each in found):
        raise wrong("jobId", "every id in the array must be a text")
    return list(dict.fromkeys(found))


def _status(call: Call) -> Status | None:
    text = call.parameters.get("status").strip()
    if not text:
        return None
    try:
        return Status(int(text))
    except ValueError:
        known = ", ".join(str(each.value) for each in Status)
        raise wrong("status", f"{text[:40]!r} is no status; use one of {known}") from None


def _time(call: Call, name: str, read: Callable[[str], int]) -> int | None:
    text = call.parameters.get(name)
    if not text:
        return None
    try:
        return read(text)
    except ValueError as error:
        raise wrong(name, str(error)) from None
