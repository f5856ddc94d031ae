"""Filters and pages of jobs as SQL."""

from collections.abc import Sequence
from typing import Any, Final

from milepost.jobs import UNFINISHED, JobFilter, Page, Status

_COLUMNS: Final = ("owner", "operation", "service", "service_type", "worker")
"""What is compared with a text of the same name in a filter."""

_INDEXES: Final[tuple[tuple[str, frozenset[str]], ...]] = (
    ("jobs_by_owner_and_service", frozenset({"owner", "service"})),
    ("jobs_by_owner_and_type", frozenset({"owner", "service_type"})),
    ("jobs_by_owner", frozenset({"owner"})),
    ("jobs_by_operation", frozenset({"operation"})),
    ("jobs_by_service", frozenset({"service"})),
    ("jobs_by_type", frozenset({"service_type"})),
    ("jobs_by_status", frozenset()),
)
"""The columns that each index begins with; the first one that fits is used."""


def page_query(wanted: JobFilter, page: Page) -> tuple[str, list[Any]]:
    """The row numbers of one page and of one job more, which tells whether a page follows.

    One part for each status: within one, an index gives the jobs in order, and SQLite merges the
    parts as it goes, so that a page costs what it shows and skips, and not what is stored.
    """
    order = "ASC" if page.oldest_first else "DESC"
    parts, values = [], []
    for statuses in [[each] for each in _statuses(wanted)] or [[]]:
        where, some = _where(wanted, statuses)
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
    return [
        each
        for each in Status
        if (each in wanted.statuses if wanted.statuses else wanted.deleted or each is not Status.DELETED)
        and (wanted.ended_to is None or each.ended)
    ]


def _where(wanted: JobFilter, statuses: Sequence[Status]) -> tuple[str, list[Any]]:
    """The condition of a query, made so that the most telling index is used.

    Every index begins with columns that are compared here and goes on with status and submission.
    """
    given = {column: value for column in _COLUMNS if (value := getattr(wanted, column))}
    index, columns = next(each for each in _INDEXES if given.keys() >= each[1])
    terms = [f"status IN ({','.join('?' * len(statuses))})"]
    values: list[Any] = [*statuses]
    for column, value in given.items():
        # The plus keeps SQLite, which knows nothing of the values, from choosing another index.
        terms.append(f"{column} = ?" if column in columns else f"+{column} = ?")
        values.append(value)
    # No job ends before it is submitted: those that came later are left out on the index.
    latest = [time for time in (wanted.submitted_to, wanted.ended_to) if time is not None]
    for comparison, time in (
        ("submitted_at >=", wanted.submitted_from),
        ("submitted_at <=", min(latest, default=None)),
        ("+ended_at <=", wanted.ended_to),
    ):
        if time is not None:
            terms.append(f"{comparison} ?")
            values.append(max(-(2**63), min(time, 2**63 - 1)))  # SQLite knows no larger numbers
    return f"INDEXED BY {index} WHERE {' AND '.join(terms)}", values
