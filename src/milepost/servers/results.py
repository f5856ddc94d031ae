"""The results of jobs as the dialects give them: of a file, where it can be fetched."""

from typing import Any
from urllib.parse import quote

import msgspec

from milepost.http import Call, plain
from milepost.jobs import Job
from milepost.manager import JobManager


def file_url(call: Call, job: Job, name: str) -> str:
    """Where a file that came out of a job can be fetched."""
    return f"{call.base}/rest/directories/jobs/{plain(job.id)}/{quote(name)}"


def file_results(manager: JobManager, job: Job) -> list[str]:
    """The names of those results of a job that are files."""
    operation = manager.catalog.get(job.service, job.operation)
    return [each.name for each in operation.outputs if each.kind in ("raster", "file")] if operation else []


async def result_value(manager: JobManager, call: Call, job: Job, name: str) -> Any:
    """The value of a result; of a file its URL, of several a list.

    Raises:
        LookupError: it was removed with the job.
    """
    kept = job.results[name]
    if name in file_results(manager, job):
        return _with_urls(call, job, await manager.value(job, kept))
    return msgspec.Raw(await manager.encoded(job, kept))


def _with_urls(call: Call, job: Job, value: Any) -> Any:
    if isinstance(value, list):
        return [_with_urls(call, job, each) for each in value]
    return file_url(call, job, value["file"]) if isinstance(value, dict) and "file" in value else value
