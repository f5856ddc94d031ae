"""``/admin/jobs``: the jobs of every dialect, for those who administer them."""

import threading
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.running import RunningServer, wait_for_job
from tests.servers.administering import add_publisher, submit
from tests.servers.talking import EVERY, Task, client_of, error_of, json_of

JSON = {"f": "json"}


@pytest.fixture(scope="module")
def publisher(server: RunningServer) -> Iterator[httpx.Client]:
    with client_of(server, add_publisher(server, "paula")) as client:
        yield client


def dashed(job: str) -> str:
    """The id of a geoprocessing job as this dialect spells it."""
    return f"j{UUID(job.rpartition('/')[2][1:])}"


def until(client: httpx.Client, job: str, *statuses: str) -> dict[str, Any]:
    """The job once it has one of the statuses, polled as the documents say."""
    pause = threading.Event()
    for _ in range(3000):
        state: dict[str, Any] = json_of(client.get(f"/admin/jobs/{job}", params=JSON))
        if state["status"] in statuses:
            return state
        assert state["status"] in ("SUBMITTED", "EXECUTING", "CANCELLING"), state
        pause.wait(0.02)
    raise AssertionError(state)


def test_the_root_tells_a_version_that_can_be_split_at_its_dots(client: httpx.Client) -> None:
    about = json_of(client.get("/admin", params=JSON))
    assert about["currentVersion"].split(".")[0] == "11"
    assert about["fullVersion"].count(".") == 2
    assert {"jobs", "services"} <= set(about["resources"])
    assert json_of(client.post("/admin/", data={"f": "pjson"})) == about


def test_every_job_is_listed_newest_first(client: httpx.Client, task: Task) -> None:
    first, _ = task.run("talk")
    second, _ = task.run("talk")
    listed = json_of(client.get("/admin/jobs", params=JSON))
    assert listed.keys() == {"jobs"}
    assert listed["jobs"][:2] == [dashed(second), dashed(first)]
    assert len(set(listed["jobs"])) == len(listed["jobs"])


def test_a_job_that_was_submitted_elsewhere_is_told_in_full(client: httpx.Client, task: Task) -> None:
    job, _ = task.run("slow", seconds=0, say="at it")
    state = json_of(client.get(f"/admin/jobs/{dashed(job)}", params=JSON))
    assert UUID(state.pop("requestID")).version == 4
    times = [state.pop(each) for each in ("starttime", "updatedtime", "endtime")]
    assert times == sorted(times)
    assert all(len(str(each)) == 13 for each in times)
    assert state == {
        "jobid": dashed(job),
        "status": "COMPLETED",
        "messages": ["at it"],
        "resource": {"name": "Every.GPServer"},
        "name": "slow",
        "operationURI": "/arcgis" + f"{EVERY}/slow/submitJob",
        "result": {"result": "done"},
        "username": "admin",
    }


def test_the_name_of_an_operation_is_written_in_camel_case(client: httpx.Client) -> None:
    files = {"table": ("a.csv", b"a\n1\n", "text/csv")}
    answer = json_of(client.post(f"{EVERY}/copy_files/submitJob", data=JSON, files=files))
    state = json_of(client.get(f"/admin/jobs/{answer['jobId']}", params=JSON))
    assert state["name"] == "copyFiles"


def test_a_job_that_failed_is_no_error(client: httpx.Client, task: Task) -> None:
    job, _ = task.run("fail", reason="no bridge")
    state = json_of(client.get(f"/admin/jobs/{dashed(job)}", params=JSON))
    assert state["status"] == "FAILED"
    assert state["messages"] == ["so far so good", "No bridge"]
    assert state["result"] == {"status": "error", "messages": ["No bridge"], "code": 500}
    assert not {"error", "code"} & state.keys()


def test_every_spelling_of_an_id_and_way_to_ask_finds_the_job(client: httpx.Client, task: Task) -> None:
    job, _ = task.run("talk")
    plain = job.rpartition("/")[2]
    state = json_of(client.get(f"/admin/jobs/{dashed(job)}", params=JSON))
    for spelled in (plain, plain[1:], dashed(job).upper(), f"s{dashed(job)[1:]}"):
        assert json_of(client.get(f"/admin/jobs/{spelled}", params=JSON)) == state
    assert json_of(client.post(f"/admin/jobs/{plain}", data=JSON)) == state
    # As a published command line does.
    assert json_of(client.request("GET", f"/admin/jobs/{plain}", data=JSON)) == state
    page = client.get(f"/admin/jobs/{plain}")
    assert page.headers["content-type"].startswith("text/html")
    assert dashed(job) in page.text


def test_cancel(client: httpx.Client, task: Task) -> None:
    job = dashed(task.submit("slow"))
    until(client, job, "EXECUTING")
    assert error_of(client.get(f"/admin/jobs/{job}/cancel", params=JSON))["code"] == 405
    form = client.get(f"/admin/jobs/{job}/cancel")
    assert (form.status_code, "<form" in form.text) == (200, True)
    assert json_of(client.post(f"/admin/jobs/{job}/cancel", data=JSON)) == {"status": "success"}
    assert until(client, job, "CANCELLED")["endtime"] > 0
    error = error_of(client.post(f"/admin/jobs/{job}/cancel", data=JSON))
    assert (error["code"], error["message"].startswith("Unable to cancel job :[j")) == (400, True)


@pytest.mark.parametrize(
    ("job", "code"), [("j" + "0" * 32, 404), ("x", 400), ("j" * 5000, 400), ("..%2f", 400)]
)
@pytest.mark.parametrize("below", ["", "/cancel"])
def test_unknown_jobs(client: httpx.Client, job: str, code: int, below: str) -> None:
    error = error_of(client.post(f"/admin/jobs/{job}{below}", data=JSON))
    assert error["code"] == code
    assert len(error["message"]) < 200


@pytest.mark.parametrize("path", ["/admin", "/admin/jobs", "/admin/jobs/{}", "/admin/jobs/{}/cancel"])
def test_who_may_come_in(
    path: str, publisher: httpx.Client, ann: httpx.Client, nobody: httpx.Client, server: RunningServer
) -> None:
    own = submit(ann, "talk")
    wait_for_job(ann, f"{EVERY}/talk/jobs/{own}")
    path = path.format(own)
    assert error_of(ann.post(path, data=JSON))["code"] == 403
    assert json_of(nobody.post(path, data=JSON)) == {
        "error": {"code": 499, "message": "Token Required.", "details": None}
    }
    invalid = error_of(nobody.post(path, data={"token": "garbage", **JSON}))
    assert (invalid["code"], invalid["message"]) == (498, "Invalid Token")
    seen = json_of(publisher.post(path, data=JSON))
    assert "error" not in seen or seen["error"]["code"] == 400  # a job that has ended
    page = nobody.get(path)
    assert page.is_redirect
    assert "/login" in page.headers["location"]


def test_a_format_that_does_not_exist(client: httpx.Client) -> None:
    assert error_of(client.get("/admin/jobs", params={"f": "xml"}))["code"] == 400
