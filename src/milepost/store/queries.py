"""Filters and pages of jobs as SQL."""

from collections.abc import Sequence
from typing import Any

from milepost.jobs import UNFINISHED, JobFilter, Page, Status


def page_query(wanted: JobFilter, page: Page) -> tuple[str, list[Any]]:
    """The row numbers of one page and of one job more, which tells whether a page follows.

    One part for each status: within one, an index gives the jobs in order, and SQLite merges the
    parts as it goes, so that a page costs what it shows and skips, and not what is stored.
    """
    order = "ASC" if page.oldest_first else "DESC"
    parts, values = [], []
    for status in _statuses(wanted):
        where, some = _where(wanted, [status])
        parts.append(f"SELECT number, submitted_at FROM jobs {where}")  # noqa: S608 - made of constants
        values += some
    sql = f"{' UNION ALL '.join(parts)} ORDER BY 2 {order}, 1 {order} LIMIT ? OFFSET ?"
    return sql, [*values, page.limit + 1, page.offset]


def count_query(wanted: JobFilter) -> tuple[str, list[Any]]:
    """How many jobs match."""
    where, values = _where(wanted, _statuses(wanted))
    return f"SELECT count(*) FROM jobs {where}", values  # noqa: S608


def unfinished_query() -> tuple[str, list[Any]]:
    """The row numbers of all jobs that have not ended, oldest first."""
    where, values = _where(JobFilter(), sorted(UNFINISHED))
    return f"SELECT number FROM jobs {where} ORDER BY number", values  # noqa: S608


def _statuses(wanted: JobFilter) -> list[Status]:
    """All statuses that match, so that no filter has to ask for what a status is not."""
    if wanted.statuses:
        return sorted(wanted.statuses)
    return [each for each in Status if wanted.deleted or each is not Status.DELETED]


def _where(wanted: JobFilter, statuses: Sequence[Status]) -> tuple[str, list[Any]]:
    """The condition of a query, made so that the most telling index is used.

    Every index begins with a column that is compared here and goes on with the status.
    """
    terms = [f"status IN ({','.join('?' * len(statuses))})"]
    values: list[Any] = [*statuses]
    by = ""
    for column in ("owner", "operation", "service"):
        value = getattr(wanted, column)
        if value:
            # The plus keeps SQLite, which knows nothing of the values, from choosing another index.
            terms.append(f"{'+' if by else ''}{column} = ?")
            values.append(value)
            by = by or column
    for comparison, time in ((">=", wanted.submitted_from), ("<=", wanted.submitted_to)):
        if time is not None:
            terms.append(f"submitted_at {comparison} ?")
            values.append(max(-(2**63), min(time, 2**63 - 1)))  # SQLite knows no larger numbers
    return f"INDEXED BY jobs_by_{by or 'status'} WHERE {' AND '.join(terms)}", values
