"""Publishing a video on a running server, over HTTP as clients do."""

import json
import threading
from pathlib import Path
from typing import Any

import httpx

REST = "/video/rest"
SERVICES = f"{REST}/services"
JSON = {"f": "json"}
ENDED = ("COMPLETED", "FAILED", "CANCELLED")

POLLS = 4000
"""Looks at a job; they are a twentieth of a second apart."""


def upload(client: httpx.Client, path: Path) -> str:
    """The id of a file that is sent."""
    with path.open("rb") as file:
        sent = client.post(f"{REST}/uploads/upload", data=JSON, files={"file": (path.name, file)}).json()
    return str(sent["fileId"])


def create_service(client: httpx.Client, name: str) -> None:
    said = client.post(f"{SERVICES}/create", data={"serviceName": name, **JSON}).json()
    assert said["success"] is True, said


def add_layer(client: httpx.Client, service: str, file_id: str, resolutions: str = "native") -> str:
    """The id of the job that makes a layer of an uploaded file."""
    source = {"fileIds": file_id, "requestedResolutions": resolutions}
    wanted = {"type": "ondemand", "name": service, "dataSource": source}
    form = {"createParameters": json.dumps(wanted), **JSON}
    said = client.post(f"{SERVICES}/{service}/addLayer", data=form).json()
    assert said.get("success") is True, said
    return str(said["jobId"])


def ended(client: httpx.Client, job_id: str) -> dict[str, Any]:
    """A job once it has ended."""
    pause = threading.Event()
    for _ in range(POLLS):
        job: dict[str, Any] = client.get(f"{REST}/jobs/job/{job_id}", params=JSON).json()
        assert "error" not in job, job
        if job["status"] in ENDED:
            return job
        pause.wait(0.05)
    raise AssertionError(f"the job does not end: {job}")


def publish(client: httpx.Client, path: Path, service: str, resolutions: str = "native") -> str:
    """The path of a layer that a file becomes."""
    create_service(client, service)
    job = ended(client, add_layer(client, service, upload(client, path), resolutions))
    assert job["status"] == "COMPLETED", job["messages"]
    return f"{SERVICES}/{service}/VideoServer/{job['results']['layerId']}"
