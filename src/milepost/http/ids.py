"""Ids of jobs: one identity, spelled by each dialect in its own way."""

import re
from typing import Final

_SPELLINGS: Final = re.compile(
    r"[js]?([0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})", re.IGNORECASE
)


def read_job_id(text: str) -> str | None:
    """The id behind any dialect's spelling of it, or None when it is none."""
    match = _SPELLINGS.fullmatch(text.strip())
    return match[1].replace("-", "").lower() if match else None


def plain(job_id: str) -> str:
    """``j`` and 32 digits, as geoprocessing services spell it."""
    return "j" + job_id
