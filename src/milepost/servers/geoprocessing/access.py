"""Finding what a request names, and who may see it."""

from typing import Any, Final

from milepost.http import Call, ServiceError, not_found, read_job_id
from milepost.jobs import Job
from milepost.manager import JobManager, UnknownJob
from milepost.operations import Operation, Service
from milepost.security import Person, Role

TYPE: Final = "GPServer"


def service_name(folder: str, name: str) -> str:
    """The full name of a geoprocessing service."""
    return f"{folder}/{name}.{TYPE}" if folder else f"{name}.{TYPE}"


def find_service(manager: JobManager, call: Call) -> Service:
    """The service that the path names.

    Raises:
        ServiceError: 404.
    """
    full = service_name(call.part("folder"), call.part("service"))
    found = manager.catalog.services.get(full)
    if found is None:
        raise not_found(f"Service {full.replace('.' + TYPE, '/' + TYPE)}")
    return found


def find_task(manager: JobManager, call: Call) -> Operation[..., Any]:
    """The operation that the path names.

    Raises:
        ServiceError: 404.
    """
    service = find_service(manager, call)
    found = manager.catalog.get(service.name, call.part("task"))
    if found is None:
        tasks = ", ".join(each.name for each in manager.catalog.of(service.name))
        raise ServiceError(
            404, f"Task {call.part('task')} not found", [f"The tasks of this service are: {tasks}"]
        )
    return found


def may_see(person: Person, job: Job) -> bool:
    """Whether somebody may read a job: their own, or any for administrators."""
    return job.owner == person.username or person.role is Role.ADMINISTRATOR


async def find_job(manager: JobManager, call: Call) -> tuple[Job, Operation[..., Any]]:
    """The job that the path names, and its operation.

    A job of somebody else, or of another task, is not there: its existence is not told.

    Raises:
        ServiceError: 404.
    """
    service = find_service(manager, call)
    # The admin API names the URLs of jobs without their task.
    operation = find_task(manager, call) if call.part("task") else None
    job_id = read_job_id(call.part("job"))
    try:
        job = await manager.get(job_id) if job_id else None
    except UnknownJob:
        job = None
    if job is not None and operation is None and job.service == service.name:
        operation = manager.catalog.get(service.name, job.operation)
    if job is None or operation is None or not may_see(call.person, job) or not belongs(job, operation):
        raise not_found(f"Job {call.part('job')[:60]}")
    return job, operation


def belongs(job: Job, operation: Operation[..., Any]) -> bool:
    """Whether a job runs this operation."""
    return job.service == operation.service.name and job.operation == operation.name
