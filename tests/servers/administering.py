"""What the tests of both administrator APIs share."""

from typing import Any

import httpx

from milepost.security import People
from tests.running import PASSWORD, RunningServer
from tests.servers.talking import EVERY


def add_publisher(server: RunningServer, username: str) -> str:
    """Let a publisher in; their token."""
    with People(server.data / "people.sqlite") as people:
        people.add(username, PASSWORD, "publisher")
    return server.sign_in(username)


def submit(client: httpx.Client, task: str, service: str = EVERY, **parameters: Any) -> str:
    """The id of a new job."""
    answer = client.post(f"{service}/{task}/submitJob", data={**parameters, "f": "json"}).json()
    job: str = answer["jobId"]
    return job
