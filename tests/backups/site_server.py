"""What the tests of backups say to a server."""

import threading
from pathlib import Path
from typing import Any

import httpx

from milepost.backups import listed
from tests.running import RunningServer, wait_for_job

OPERATIONS = Path(__file__).with_name("operations.py")
WORK = "/rest/services/Backups/Work/GPServer"
HELD = "/rest/services/Backups/Held/GPServer/held_backup"
JSON = {"f": "json"}


def server_of(data: Path, *options: str) -> RunningServer:
    """A server with the operations for these tests; not started yet."""
    return RunningServer(data, OPERATIONS, options=options)


def submit(client: httpx.Client, task: str, **values: Any) -> str:
    """The URL of a new job, below the context."""
    answer = client.post(f"{task}/submitJob", data={**values, **JSON}).json()
    return f"{task}/jobs/{answer['jobId']}"


def run(client: httpx.Client, task: str, **values: Any) -> tuple[str, dict[str, Any]]:
    """The URL and the last state of a new job."""
    url = submit(client, task, **values)
    return url, wait_for_job(client, url)


def file_of(client: httpx.Client, job: str) -> str:
    """The text in the file that came out of a job."""
    value = client.get(f"{job}/results/result", params=JSON).json()["value"]
    answer = client.get(httpx.URL(value["url"]).path.replace("/arcgis", "", 1))
    assert answer.status_code == 200
    return answer.text


def create(client: httpx.Client, **values: Any) -> str:
    """The id of the job of a new backup."""
    answer = client.post("/admin/system/backups/create", data={**values, **JSON}).json()
    assert answer.keys() == {"jobsUrl", "jobID", "jobid", "jobStatus"}, answer
    job: str = answer["jobID"]
    return job


def ended(client: httpx.Client, job: str) -> dict[str, Any]:
    """A job of the admin API once it has ended."""
    pause = threading.Event()
    for _ in range(6000):
        state: dict[str, Any] = client.get(f"/admin/jobs/{job}", params=JSON).json()
        if state["status"] in ("COMPLETED", "FAILED", "CANCELLED"):
            return state
        pause.wait(0.02)
    raise AssertionError(state)


def wait_for(path: Path) -> None:
    """Wait until a file is there."""
    pause = threading.Event()
    for _ in range(3000):
        if path.exists():
            return
        pause.wait(0.01)
    raise AssertionError(f"{path} never came")


def names_in(folder: Path) -> list[str]:
    """The backups that can be read, and whatever else is left in the folder."""
    found = [each.name for each in listed(folder) if each.about]
    other = [each.name for each in folder.glob("*") if each.stem not in found] if folder.is_dir() else []
    return sorted(found + other)
