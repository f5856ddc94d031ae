"""Times as Topographic Production Servers write them, and every way in which clients do."""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)

# With the fraction, the space and the offset that a Python datetime has when it is sent as it prints.
_SPELLINGS: Final = re.compile(
    r"(?:(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)"
    r"(?P<time>[T ](?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)(?P<fraction>\.\d{1,9})?"
    r"(?:Z|(?P<sign>[+-])(?P<hours>\d\d):?(?P<minutes>\d\d))?)?"
    r"|(?P<us_month>\d\d)-(?P<us_day>\d\d)-(?P<us_year>\d{4}))",
    re.ASCII,
)


def written(at: int) -> str:
    """A time in whole seconds of UTC, such as ``2020-09-21T15:48:22Z``.

    Args:
        at: milliseconds since the epoch.
    """
    last = (_LATEST - _EPOCH) // timedelta(seconds=1)
    moment = _EPOCH + timedelta(seconds=min(max(at // 1000, 0), last))
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def first_moment(text: str) -> int:
    """The first millisecond since the epoch that a date or time means; a date begins at 00:00:00.

    Raises:
        ValueError: it is spelled in no way that is known; the text names those that are.
    """
    return _read(text)[0]


def last_moment(text: str) -> int:
    """The last millisecond since the epoch that a date or time means; a date ends with 23:59:59.

    A time in whole seconds means all of its last second: that is what ``written`` shows of a job.

    Raises:
        ValueError: it is spelled in no way that is known; the text names those that are.
    """
    first, length = _read(text)
    return first + length - 1


def _read(text: str) -> tuple[int, int]:
    """The first millisecond that a text means, and how many it means."""
    match = _SPELLINGS.fullmatch(text.strip())
    if match is None:
        raise ValueError(_refusal(text))
    parts = match.groupdict()
    try:
        moment = datetime(
            int(parts["year"] or parts["us_year"]),
            int(parts["month"] or parts["us_month"]),
            int(parts["day"] or parts["us_day"]),
            int(parts["hour"] or 0),
            int(parts["minute"] or 0),
            int(parts["second"] or 0),
            tzinfo=_zone(parts["sign"], parts["hours"], parts["minutes"]),
        )
    except ValueError as error:
        raise ValueError(f"{_refusal(text)} ({error})") from None
    first = (moment - _EPOCH) // timedelta(milliseconds=1)
    if parts["time"] is None:
        return first, 24 * 60 * 60 * 1000
    if parts["fraction"]:
        return first + int(parts["fraction"][1:4].ljust(3, "0")), 1
    return first, 1000


def _zone(sign: str | None, hours: str | None, minutes: str | None) -> timezone:
    """The zone of an offset; UTC without one."""
    if sign is None:
        return UTC
    if int(minutes or 0) > 59:
        raise ValueError("minute must be in 0..59")
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    return timezone(-offset if sign == "-" else offset)


def _refusal(text: str) -> str:
    return (
        f"{text[:40]!r} is no date: write YYYY-MM-DDThh:mm:ssZ, such as 2020-09-21T15:48:22Z, or a date alone as "
        "YYYY-MM-DD or MM-DD-YYYY; times are UTC unless an offset says otherwise, whose + is %2B in a URL"
    )
