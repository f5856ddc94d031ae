"""Ending the jobs that work for a service which is gone, so that nobody waits for what nobody gets."""

from typing import Final

import msgspec
import structlog

from milepost.jobs import UNFINISHED, IllegalMove, Job, JobFilter, Page, Status
from milepost.manager import JobManager

log = structlog.get_logger("milepost.video")

_PAGE: Final = 500


class _Planned(msgspec.Struct):
    """What every plan of a layer or an export names."""

    item: str


async def stop_jobs(manager: JobManager, item: str, by: str) -> None:
    """Cancel the jobs that make or export layers of a service.

    Args:
        manager: of the jobs.
        item: of the service, which takes no more of them.
        by: who asks.
    """
    wanted = JobFilter(statuses=UNFINISHED - {Status.CANCELLING}, service_type="VideoServer")
    found: list[str] = []
    page = Page(limit=_PAGE)
    while True:
        jobs = await manager.find(wanted, page)
        found += [job.id for job in jobs.jobs if await _item_of(manager, job) == item]
        if not jobs.more:
            break
        page = Page(limit=_PAGE, offset=page.offset + _PAGE)
    for each in found:
        try:
            await manager.cancel(each, by)
        except IllegalMove:
            continue  # it has ended meanwhile
        log.info("job cancelled with its video service", job=each, by=by)


async def _item_of(manager: JobManager, job: Job) -> str:
    """The item that the plan of a job names; empty when it names none."""
    try:
        plan = await manager.value(job, job.inputs["plan"])
        return msgspec.json.decode(plan, type=_Planned).item
    except (LookupError, TypeError, msgspec.DecodeError):
        return ""
