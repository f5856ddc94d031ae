"""Queries among the jobs of a geoprocessing service: what clients send, and pages of what matches."""

from datetime import UTC, datetime
from typing import Any, Final

from milepost.http import Parameters, ServiceError, wrong
from milepost.jobs import JobFilter, Status
from milepost.servers.geoprocessing.wire import STATUS

PAGE_LIMIT: Final = 1000
DEFAULT_PAGE: Final = 10

PARAMETERS: Final = (
    "startTime",
    "endTime",
    "jobStatus",
    "status",
    "userName",
    "machineName",
    "number",
    "start",
)
"""What a query takes; ``status`` is what some clients send for ``jobStatus``."""

_MILLISECONDS: Final = 10**11
"""Numbers from here on are milliseconds, smaller ones seconds: as such this is the year 5138."""

_LATEST: Final = 253_402_300_799_999
"""The last millisecond of the year 9999."""

_DATE: Final = len("yyyy-mm-dd")
_DAY: Final = 24 * 60 * 60 * 1000

_WORDS: Final = {word.lower(): word for word in STATUS.values()}


def read_filter(given: Parameters, service: str, *, null_is_nobody: bool = False) -> JobFilter | None:
    """The jobs that a query asks for; None when no job can be one of them.

    The documents speak of the earliest and the most recent time to query, and not of which time of
    a job. It is that of the submission: every job has it, also one that waits or is at work, and
    it never changes between two pages.

    Args:
        given: the parameters.
        service: full name of the service.
        null_is_nobody: whether the user name ``null`` stands for those who did not sign in.

    Raises:
        ServiceError: 400, a parameter says nothing that is known; the message names it.
    """
    words = {_word(text) for text in _statuses(given)}
    statuses = frozenset(status for status, word in STATUS.items() if word in words)
    # What was deleted is no longer there.
    statuses -= {Status.DELETED}
    wanted = JobFilter(
        statuses=statuses,
        owner=given.get("userName"),
        service=service,
        worker=given.get("machineName"),
        submitted_from=_time(given, "startTime", last=False),
        submitted_to=_time(given, "endTime", last=True),
    )
    # Nobody submits here without signing in.
    anonymous = null_is_nobody and wanted.owner == "null"
    return None if anonymous or (words and not statuses) else wanted


def echo(given: Parameters, service: str, folder: str) -> dict[str, Any]:
    """The query as the answer repeats it.

    Args:
        given: the parameters.
        service: name of the service without folder and type.
        folder: that it lies in; empty for none.
    """
    return {
        "serviceName": service,
        "userName": given.get("userName"),
        "status": ",".join(_statuses(given)),
        "startTime": given.get("startTime"),
        "endTime": given.get("endTime"),
        "folderName": folder,
    }


def _statuses(given: Parameters) -> list[str]:
    """Every status that is asked for: the parameter may be repeated, and hold several with commas."""
    texts = given.all("jobStatus") or given.all("status")
    return [part.strip() for text in texts for part in text.split(",") if part.strip()]


def _word(text: str) -> str:
    word = _WORDS.get("esrijob" + text.lower().removeprefix("esrijob"))
    if word is None:
        known = ", ".join(dict.fromkeys(STATUS.values()))
        raise wrong("jobStatus", f"{text[:40]!r} is no status; use one of {known}")
    return word


def _time(given: Parameters, name: str, *, last: bool) -> int | None:
    """The first or the last millisecond since the epoch that a time means; None when not given.

    A time in whole seconds means all of that second, since jobs are shown in whole seconds; a date
    alone means all of that day.
    """
    text = given.get(name).strip()
    if not text:
        return None
    rest = 999 if last else 0
    if text.isascii() and text.isdigit() and len(text) <= 15:
        number = int(text)
        moment = number if number >= _MILLISECONDS else number * 1000 + rest
        if moment <= _LATEST:
            return moment
    elif "-" in text:
        try:
            read = datetime.fromisoformat(text)
            zoned = read if read.tzinfo else read.replace(tzinfo=UTC)
            moment = int(zoned.replace(microsecond=0).timestamp()) * 1000
        except (ValueError, OverflowError):
            pass
        else:
            if last and len(text) == _DATE:
                return moment + _DAY - 1
            return moment + (read.microsecond // 1000 if read.microsecond else rest)
    raise ServiceError(
        400,
        f"Parameter '{name}': {text[:40]!r} is no time; write yyyy-mm-ddThh:mm:ss in UTC,"
        " or seconds or milliseconds since 1970",
    )
