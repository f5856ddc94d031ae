"""The JSON of a geoprocessing service's jobs in the admin API: pure functions of jobs.

Enterprise on Kubernetes and ArcGIS Server share the addresses but not the documents: the former
tells times in seconds, the latter in milliseconds.
"""

from typing import Any

from milepost.http import plain
from milepost.jobs import Job, Status
from milepost.servers.geoprocessing.wire import STATUS


def kubernetes_job(state: Job, *, base: str, service_id: str) -> dict[str, Any]:
    """The job resource of Enterprise on Kubernetes; a time that has not come is 0.

    Args:
        state: the job.
        base: the public address of the server with its context.
        service_id: what the deployment calls the service.
    """
    word = STATUS[state.status].removeprefix("esriJob")
    return {
        "status_code": int(Status.EXECUTING if word == "Executing" else state.status),
        "job_id": plain(state.id),
        "service_id": service_id,
        "job_created": state.submitted_at // 1000,
        "job_execution_start": state.started_at // 1000,
        "job_execution_end": state.ended_at // 1000,
        "url": job_url(state, base),
        "revision": str(state.sequence),
        "status": word,
        "username": state.owner or None,
    }


def server_job(state: Job, *, base: str) -> dict[str, Any]:
    """The job resource of ArcGIS Server; a time that has not come is 0.

    Args:
        state: the job.
        base: the public address of the server with its context.
    """
    return {
        "jobId": plain(state.id),
        "submittedTime": state.submitted_at,
        "endTime": state.ended_at,
        "status": STATUS[state.status],
        # Null stands for nobody who signed in.
        "username": state.owner or None,
        "machinename": state.worker,
        "url": job_url(state, base),
    }


def job_url(state: Job, base: str) -> str:
    """Where the job is found among the services, whatever its task."""
    service = state.service.removesuffix(".GPServer")
    return f"{base}/rest/services/{service}/GPServer/jobs/{plain(state.id)}"
