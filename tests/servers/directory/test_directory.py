"""Which services and jobs there are."""

import time

import httpx
import pytest

from tests.servers.talking import Task, error_of, json_of


def test_services(client: httpx.Client, nobody: httpx.Client) -> None:
    root = json_of(client.get("/rest/services", params={"f": "json"}))
    assert (root["currentVersion"], root["folders"]) == (11.4, ["Tests"])
    assert root["services"][0] == {"name": "AtOnce", "type": "GPServer", "description": ""}
    # What comes with the server is listed beside it.
    assert [(each["name"], each["type"]) for each in root["services"][1:]] == [
        ("Topography", "TopographicProductionServer")
    ]
    below = json_of(client.post("/rest/services/Tests/", data={"f": "json"}))
    assert below["folders"] == []
    assert below["services"] == [
        {"name": "Tests/Every", "type": "GPServer", "description": "Operations for tests"}
    ]
    assert error_of(nobody.get("/rest/services", params={"f": "json"}))["code"] == 499
    assert json_of(nobody.get("/rest", params={"f": "json"}))["currentVersion"] == 11.4


def test_jobs_newest_first_in_pages(ann: httpx.Client) -> None:
    task = Task(ann)
    urls = [task.run("talk")[0] for _ in range(3)]
    listed = json_of(ann.get("/rest/jobs", params={"f": "json", "num": 3}))
    assert [each["url"].endswith(url) for each, url in zip(listed["jobs"], reversed(urls), strict=True)]
    assert (listed["start"], listed["num"]) == (1, 3)
    second = json_of(ann.get("/rest/jobs", params={"f": "json", "num": 2, "start": 2}))
    assert second["jobs"][0]["jobId"] == listed["jobs"][1]["jobId"]
    page = ann.get("/rest/jobs", params={"num": 1, "operation": "talk", "status": ["succeeded", "waiting"]})
    assert "status=succeeded&amp;status=waiting&amp;operation=talk&amp;start=2&amp;num=1" in page.text


def test_filters(ann: httpx.Client) -> None:
    task = Task(ann)
    task.run("fail")
    before = int(time.time() * 1000)

    def ask(**parameters: object) -> list[dict[str, object]]:
        found = json_of(ann.get("/rest/jobs", params={"f": "json", **parameters}))  # type: ignore[dict-item]
        return list(found["jobs"])

    assert {each["jobStatus"] for each in ask(status="esriJobFailed")} == {"failed"}
    assert {each["jobStatus"] for each in ask(status="failed")} == {"failed"}
    assert ask(operation="nothing") == ask(service="Tests") == []
    assert {each["error"] for each in ask(operation="fail")} == {"the bridge is out"}
    assert ask(**{"from": before + 60_000}) == []
    assert ask(to=1) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("start", "0"),
        ("start", "-1"),
        ("start", "x"),
        ("num", "0"),
        ("num", "100000"),
        ("num", "9" * 5000),
        ("from", "yesterday"),
        ("to", "9" * 30),
        ("from", "-1"),
        ("status", "nothing"),
    ],
)
def test_what_makes_no_sense(client: httpx.Client, name: str, value: str) -> None:
    error = error_of(client.post("/rest/jobs", data={"f": "json", name: value}))
    assert error["code"] == 400
    assert error["message"].startswith(f"Parameter '{name}': ")
