"""What the tests of geoprocessing services say to a server again and again."""

from typing import Any

import httpx

from milepost.security import People
from tests.running import PASSWORD, RunningServer, plain_client, wait_for_job

EVERY = "/rest/services/Tests/Every/GPServer"
AT_ONCE = "/rest/services/AtOnce/GPServer"
UPLOADS = f"{EVERY}/uploads"


class Task:
    """Submits jobs of the operations for tests and reads what became of them."""

    def __init__(self, client: httpx.Client):
        self.client = client

    def submit(self, name: str, **parameters: Any) -> str:
        """The URL of a new job, below the context."""
        answer = self.client.post(f"{EVERY}/{name}/submitJob", data={**parameters, "f": "json"}).json()
        assert answer.get("jobStatus") == "esriJobSubmitted", answer
        return f"{EVERY}/{name}/jobs/{answer['jobId']}"

    def run(self, name: str, **parameters: Any) -> tuple[str, dict[str, Any]]:
        """The URL and the last state of a new job."""
        url = self.submit(name, **parameters)
        return url, wait_for_job(self.client, url)

    def refused(self, name: str, **parameters: Any) -> dict[str, Any]:
        """The error of a submission that must not be accepted."""
        before = count_jobs(self.client)
        error = error_of(self.client.post(f"{EVERY}/{name}/submitJob", data={**parameters, "f": "json"}))
        assert error["code"] == 400, error
        assert count_jobs(self.client) == before
        return error

    def result(self, job: str, name: str) -> dict[str, Any]:
        """A result as the resource tells it."""
        answer: dict[str, Any] = json_of(self.client.get(f"{job}/results/{name}", params={"f": "json"}))
        return answer


def json_of(answer: httpx.Response) -> Any:
    """The JSON of an answer, whose status is 200 whatever it says."""
    assert answer.status_code == 200, answer.text[:500]
    assert answer.headers["content-type"] == "application/json;charset=UTF-8"
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers
    return answer.json()


def error_of(answer: httpx.Response) -> dict[str, Any]:
    """The error object of an answer."""
    found = json_of(answer)
    assert found.keys() == {"error"}, found
    error: dict[str, Any] = found["error"]
    assert error.keys() == {"code", "message", "details"}
    assert isinstance(error["code"], int)
    assert error["message"]
    assert all(isinstance(each, str) for each in error["details"])
    assert "Traceback" not in answer.text
    if error["code"] not in (498, 499):
        assert "Invalid Token" not in answer.text
        assert "Token Required" not in answer.text
    return error


def count_jobs(client: httpx.Client) -> int:
    """How many jobs there are."""
    page = client.get("/rest/jobs", params={"f": "json", "num": 1000}).json()
    assert not page["more"]
    return len(page["jobs"])


def add_person(server: RunningServer, username: str) -> None:
    """Let somebody in who is no administrator."""
    with People(server.data / "people.sqlite") as people:
        people.add(username, PASSWORD)


def client_of(server: RunningServer, token: str = "") -> httpx.Client:
    """A client with this token, or without any."""
    headers = {"X-Esri-Authorization": f"Bearer {token}"} if token else {}
    return plain_client(base_url=server.address, headers=headers)
