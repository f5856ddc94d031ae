"""What the resources of the admin API share: finding a job, ending it, and how errors are written."""

import base64
import hashlib
from typing import Any, Final, Literal

from milepost.http import (
    Answer,
    Call,
    Envelope,
    Form,
    ServiceError,
    chosen_format,
    envelope,
    no_job_id,
    plain,
    read_job_id,
)
from milepost.jobs import IllegalMove, Job, Status
from milepost.manager import JobManager, UnknownJob

Flavour = Literal["kubernetes", "server"]
"""Whose documents the admin API follows: Enterprise on Kubernetes, or ArcGIS Server."""

_UNAUTHORIZED: Final = (
    "Unauthorized access.Token not found. You can generate a token using the 'generateToken' operation."
)


def require_post(call: Call, title: str) -> Answer | None:
    """None when an operation was called as it must be; a page with its form when one is asked for.

    Raises:
        ServiceError: 405, a program used another method.
    """
    if call.method == "POST":
        return None
    if chosen_format(call.parameters.get("f")) == "html":
        return Answer({}, title=title, forms=[Form(action=call.path, title=title)])
    raise ServiceError(405, f"{call.method} is not allowed here, only POST: it changes something")


async def find_job(manager: JobManager, text: str, service: str = "") -> Job:
    """The job with an id in any spelling.

    Args:
        manager: of the jobs.
        text: the id.
        service: full name of the service it must belong to; empty for any.

    Raises:
        ServiceError: 404, also for a job that was deleted; 400, it is no id.
    """
    job_id = read_job_id(text)
    if not job_id:
        raise no_job_id(text)
    try:
        job = await manager.get(job_id)
    except UnknownJob:
        job = None
    if job is None or job.status is Status.DELETED or (service and job.service != service):
        raise ServiceError(404, f"Job '{text[:60]}' does not exist or is inaccessible.")
    return job


async def cancel(manager: JobManager, job: Job, by: str, *, code: int) -> None:
    """Ask for the end of a job; one that is being cancelled already is as good.

    Raises:
        ServiceError: ``code``, the job has ended.
    """
    try:
        await manager.cancel(job.id, by)
    except IllegalMove:
        if (await manager.get(job.id)).status is not Status.CANCELLING:
            raise ServiceError(code, f"Unable to cancel job :[{plain(job.id)}]") from None


def service_id(name: str) -> str:
    """What the deployment calls a service: ``s`` and 20 characters, always the same for one name."""
    return "s" + _short(name)


def deployment_id(name: str) -> str:
    """What it calls the processes that do the work of a service, in the same way."""
    return "k" + _short(f"deployment of {name}")


def _short(text: str) -> str:
    return base64.b32encode(hashlib.sha256(text.encode()).digest()).decode()[:20].lower()


def error_object(error: ServiceError) -> dict[str, Any]:
    """The error of the administrator API. Its clients compare the words of a missing token."""
    if error.code == 499:
        return {"error": {"code": 499, "message": "Token Required.", "details": None}}
    return envelope(error)


def server_error(error: ServiceError) -> dict[str, Any]:
    """The error of ArcGIS Server's admin API. Its clients compare the words of a missing token."""
    if error.code == 499:
        said = [_UNAUTHORIZED]
    else:
        said = [error.message, *(each for each in error.details if each != error.message)]
    return {"status": "error", "messages": said, "code": error.code}


def errors_of(flavour: Flavour) -> Envelope:
    """How errors are written in a flavour."""
    return server_error if flavour == "server" else error_object
