"""What the tests of changed services say to a server."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec

from tests.running import wait_for_job
from tests.servers.talking import json_of

OPERATIONS = Path(__file__).with_name("service_operations.py")
JSON = {"f": "json"}
CHANGED = "/admin/services/Tests/Changed.GPServer"
TASKS = "/rest/services/Tests/Changed/GPServer"


def read(client: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = json_of(client.get(CHANGED, params=JSON))
    assert "error" not in found, found
    return found


def succeeded(answer: httpx.Response) -> None:
    assert json_of(answer) == {"status": "success"}


def edit(client: httpx.Client, about: dict[str, Any], **changes: Any) -> None:
    text = msgspec.json.encode({**about, **changes}).decode()
    succeeded(client.post(f"{CHANGED}/edit", data={**JSON, "service": text}))


def begin(client: httpx.Client, path: str, **form: str) -> str:
    """The id of the job of a change that nobody waits for."""
    answer = json_of(client.post(path, data={**JSON, "async": "true", **form}))
    assert answer["jobStatus"] == "SUBMITTED", answer
    job: str = answer["jobID"]
    return job


def until(look: Callable[[], Any]) -> Any:
    """What is found, once something is."""
    pause = threading.Event()
    for _ in range(3000):
        if found := look():
            return found
        pause.wait(0.02)
    raise AssertionError("it did not come about")


def ended(client: httpx.Client, job: str) -> dict[str, Any]:
    """The job of a change once it has ended."""

    def look() -> dict[str, Any] | None:
        state: dict[str, Any] = json_of(client.get(f"/admin/jobs/{job}", params=JSON))
        return state if state["status"] in ("COMPLETED", "FAILED", "CANCELLED") else None

    found: dict[str, Any] = until(look)
    return found


def submit(client: httpx.Client, task: str, **values: Any) -> str:
    answer = json_of(client.post(f"{TASKS}/{task}/submitJob", data={**JSON, **values}))
    assert "jobId" in answer, answer
    return f"{TASKS}/{task}/jobs/{answer['jobId']}"


def at_work(client: httpx.Client, job: str) -> None:
    wait_for_job(client, job, until=("Executing",))


def status(client: httpx.Client) -> tuple[str, str]:
    found = json_of(client.get(f"{CHANGED}/status", params=JSON))
    assert found.keys() == {"configuredState", "realTimeState"}, found
    return found["configuredState"], found["realTimeState"]
