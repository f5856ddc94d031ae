"""Operations of the admin API that run as jobs: waited for, or followed by their job with ``async=true``."""

from collections.abc import Callable
from typing import Any, Final

from starlette.responses import RedirectResponse, Response

from milepost.http import Answer, Call, ServiceError
from milepost.jobs import Job, Status
from milepost.manager import JobManager
from milepost.operations import Operation
from milepost.servers.enterprise import wire

SYNCHRONOUS: Final = "synchronous"
"""Attribute of a job whose client waits for its end. The list of jobs holds only those that are followed."""


async def run_as_job(
    manager: JobManager,
    call: Call,
    operation: Operation[..., Any],
    values: dict[str, Any],
    *,
    name: str,
    resource: str,
    always_async: bool = False,
    accepted: Callable[[Job], object] | None = None,
) -> Answer | Response:
    """Run an operation as a job, and answer as the documents do.

    Args:
        manager: of the jobs.
        call: what the client sent; its ``async`` says whether it waits for the end.
        operation: to run.
        values: its inputs, without anything secret: they are kept with the job.
        name: of the operation in the admin API, in camel case, such as ``editService``.
        resource: what it works on, such as ``Proximity.GPServer``.
        always_async: whether no client waits.
        accepted: is told of the job once it can no longer be lost.

    Raises:
        InputError: an input does not fit; there is no job.
        ServiceError: 500, the job did not succeed; its messages are the details.
    """
    waits = not (always_async or call.parameters.flag("async", False))
    attributes: dict[str, Any] = {"operationURI": call.path, "name": name, "resource": resource}
    if waits:
        attributes[SYNCHRONOUS] = True
    job = (
        await manager.submit(
            operation, values, owner=call.person.username, request=call.request_id, attributes=attributes
        )
    ).job
    if accepted is not None:
        accepted(job)
    if waits:
        return _outcome(await manager.finished(job.id), name)
    job_id = wire.job_id(job)
    jobs_url = f"{call.base}/admin/jobs/{job_id}"
    if call.parameters.get("f", "html") == "html":
        return RedirectResponse(jobs_url, 303)
    # Clients of one maker read the id by two names.
    return Answer({"jobsUrl": jobs_url, "jobID": job_id, "jobid": job_id, "jobStatus": "SUBMITTED"})


def _outcome(job: Job, title: str) -> Answer:
    if job.status is Status.SUCCEEDED:
        return Answer({"status": "success"}, title=title)
    said = [each.text for each in job.account()]
    raise ServiceError(500, job.error or f"The operation was {job.status.name.lower()}", said)
