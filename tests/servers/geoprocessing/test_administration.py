"""The jobs of geoprocessing services in the admin API, in both flavours."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.running import RunningServer, wait_for_job
from tests.servers.administering import submit
from tests.servers.talking import AT_ONCE, EVERY, Task, add_person, client_of, error_of, json_of

OPERATIONS = Path(__file__).parents[1] / "operations.py"
JOBS = "/admin/services/Tests/Every.GPServer/jobs"
OF_ROOT = "/admin/services/AtOnce.GPServer/jobs"
JSON = {"f": "json"}


@pytest.fixture(scope="module")
def classic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server of the other flavour, with jobs of its own."""
    data = tmp_path_factory.mktemp("classic") / "data"
    with RunningServer(data, OPERATIONS, options=("--gp-admin", "server")) as running:
        add_person(running, "ann")
        yield running


@pytest.fixture(scope="module")
def admin(classic: RunningServer) -> Iterator[httpx.Client]:
    with classic.client() as client:
        yield client


def ended(client: httpx.Client, job: str, task: str = "talk", service: str = EVERY) -> str:
    wait_for_job(client, f"{service}/{task}/jobs/{job}")
    return job


def query(client: httpx.Client, jobs: str = JOBS, **parameters: Any) -> dict[str, Any]:
    answer: dict[str, Any] = json_of(client.get(f"{jobs}/query", params={**JSON, **parameters}))
    assert "error" not in answer, answer
    return answer


def failure(answer: httpx.Response) -> tuple[int, list[str]]:
    """Code and messages of an error of ArcGIS Server."""
    found = json_of(answer)
    assert found.keys() == {"status", "messages", "code"}, found
    assert found["status"] == "error"
    return found["code"], found["messages"]


# -- Enterprise on Kubernetes ------------------------------------------------------------------


def test_pages_as_the_published_client_reads_them(client: httpx.Client) -> None:
    submitted = {ended(client, submit(client, "add", AT_ONCE, a=n), "add", AT_ONCE) for n in range(25)}
    total = query(client, OF_ROOT)["total"]
    assert total >= 25
    params: dict[str, Any] = {"number": 10, "start": 1, "userName": "", "jobStatus": "", **JSON}
    found: dict[str, Any] = {}
    starts = []
    next_start = 0
    while next_start > -1:
        page = json_of(client.get(f"{OF_ROOT}/query", params=params))
        starts.append(page["start"])
        assert (page["num"], page["total"]) == (10, total)
        found.update(page["results"])
        next_start = page["nextStart"]
        params["start"] = next_start
    assert starts == list(range(1, total + 1, 10))
    assert len(found) == total
    assert submitted <= found.keys()


def test_25_jobs_in_pages_of_10(admin: httpx.Client) -> None:
    for n in range(25):
        ended(admin, submit(admin, "add", AT_ONCE, a=n), "add", AT_ONCE)
    starts, nexts, start = [], [], 1
    found: set[str] = set()
    while start > -1:
        page = query(admin, OF_ROOT, number=10, start=start)
        assert page["total"] == 25
        starts.append(page["start"])
        start = page["nextStart"]
        nexts.append(start)
        found |= page["results"].keys()
    assert (starts, nexts, len(found)) == ([1, 11, 21], [11, 21, -1], 25)


def test_a_job_in_seconds(client: httpx.Client, task: Task) -> None:
    url, _ = task.run("talk")
    job = url.rpartition("/")[2]
    state = json_of(client.get(f"{JOBS}/{job}", params=JSON))
    times = [state.pop(f"job_{each}") for each in ("created", "execution_start", "execution_end")]
    assert times == sorted(times)
    assert all(len(str(each)) == 10 for each in times)
    assert state.pop("revision").isdigit()
    service = state.pop("service_id")
    assert (service[0], len(service), service.isalnum(), service.islower()) == ("s", 21, True, True)
    assert state.pop("url").endswith(f"/arcgis/rest/services/Tests/Every/GPServer/jobs/{job}")
    assert state == {"job_id": job, "status": "Succeeded", "status_code": 4, "username": "admin"}
    whole = json_of(client.get(f"{JOBS}/{job}", params=JSON))
    for other in (f"{JOBS}/{job[1:]}", f"/rest/services/Tests/Every.GPServer/jobs/{job}", f"{JOBS}/{job}/"):
        assert json_of(client.post(other, data=JSON)) == whole
    assert query(client, number=1)["results"].keys() == {job}
    assert query(client)["results"][job] == whole


def test_statuses_in_every_spelling(client: httpx.Client, task: Task) -> None:
    good = task.run("talk")[0].rpartition("/")[2]
    bad = task.run("fail")[0].rpartition("/")[2]
    both = ["esriJobSucceeded", "esriJobFailed"]
    for asked in (
        {"jobStatus": both},
        {"jobStatus": ",".join(both)},
        {"status": both},
        {"jobStatus": "", "status": "esriJobFailed, esriJobSucceeded"},
        {"jobStatus": ["succeeded", "ESRIJOBFAILED"]},
    ):
        assert {good, bad} <= query(client, number=1000, **asked)["results"].keys()
    only = query(client, number=1000, jobStatus="esriJobFailed")["results"]
    assert bad in only
    assert {each["status"] for each in only.values()} == {"Failed"}
    assert query(client, jobStatus="esriJobDeleted")["results"] == {}
    error = error_of(client.get(f"{JOBS}/query", params={"jobStatus": "esriJobLost", **JSON}))
    assert (error["code"], "'jobStatus'" in error["message"]) == (400, True)


def test_times_in_every_spelling(client: httpx.Client, task: Task) -> None:
    job = task.run("talk")[0].rpartition("/")[2]
    at = json_of(client.get(f"{JOBS}/{job}", params=JSON))["job_created"]
    written = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    spellings = [written, f"{written}Z", f"{written}+00:00", str(at)]
    sets = [query(client, number=1000, startTime=each, endTime=each)["results"].keys() for each in spellings]
    sets.append(query(client, number=1000, startTime=at * 1000, endTime=at * 1000 + 999)["results"].keys())
    assert all(each == sets[0] for each in sets)
    assert job in sets[0]
    day = written[:10]
    assert job in query(client, number=1000, startTime=day, endTime=day)["results"]
    assert job not in query(client, number=1000, startTime=at + 1)["results"]
    assert job not in query(client, number=1000, endTime=at - 1)["results"]
    for wrong in ("yesterday", "-5", "9" * 30, "2021-13-01T00:00:00", "²", "0000-00-00"):
        error = error_of(client.get(f"{JOBS}/query", params={"startTime": wrong, **JSON}))
        assert (error["code"], "'startTime'" in error["message"]) == (400, True)


def test_people_and_the_echo(client: httpx.Client, ann: httpx.Client) -> None:
    job = ended(ann, submit(ann, "talk"))
    page = query(client, userName="ann", startTime="", endTime="", jobStatus="esriJobSucceeded")
    assert job in page["results"]
    assert {each["username"] for each in page["results"].values()} == {"ann"}
    assert page["query"] == {
        "serviceName": "Every",
        "userName": "ann",
        "status": "esriJobSucceeded",
        "startTime": "",
        "endTime": "",
        "folderName": "Tests",
    }
    empty = query(client, userName="nobody-at-all")
    assert (empty["total"], empty["results"], empty["nextStart"]) == (0, {}, -1)
    beyond = query(client, start=10_000_000)
    assert (beyond["results"], beyond["nextStart"]) == ({}, -1)


@pytest.mark.parametrize(("name", "text"), [("number", "0"), ("number", "x"), ("start", "0")])
def test_numbers_that_are_none(client: httpx.Client, name: str, text: str) -> None:
    error = error_of(client.get(f"{JOBS}/query", params={name: text, **JSON}))
    assert (error["code"], f"'{name}'" in error["message"]) == (400, True)


def test_resources_and_what_is_not_there(client: httpx.Client, task: Task) -> None:
    job = task.run("talk")[0].rpartition("/")[2]
    assert json_of(client.get(JOBS, params=JSON)) == {"resources": []}
    missing = (
        f"{JOBS}/j{'0' * 32}",
        f"{OF_ROOT}/{job}",
        "/admin/services/Tests/None.GPServer/jobs",
        f"/admin/services/Tests/None.GPServer/jobs/{job}",
        "/admin/services/None.GPServer/jobs/query",
        f"{JOBS}/{job}/delete",
    )
    for path in missing:
        assert error_of(client.get(path, params=JSON))["code"] == 404, path
    # The other flavour's: here it can only be the id of a job.
    assert error_of(client.get(f"{JOBS}/statistics", params=JSON))["code"] == 400
    for path in (JOBS, f"{JOBS}/query", f"{JOBS}/{job}"):
        page = client.get(path)
        assert (page.status_code, page.headers["content-type"][:9]) == (200, "text/html")


def test_only_those_who_administer_come_in(
    client: httpx.Client, ann: httpx.Client, nobody: httpx.Client
) -> None:
    job = ended(ann, submit(ann, "talk"))
    for path in (JOBS, f"{JOBS}/query", f"{JOBS}/{job}", f"/rest/services/Tests/Every.GPServer/jobs/{job}"):
        assert error_of(ann.get(path, params=JSON))["code"] == 403
        assert json_of(nobody.get(path, params=JSON))["error"]["code"] == 499


# -- ArcGIS Server -----------------------------------------------------------------------------


def test_a_job_in_milliseconds(admin: httpx.Client) -> None:
    job = ended(admin, submit(admin, "talk"))
    state = json_of(admin.get(f"{JOBS}/{job}", params=JSON))
    submitted, end = state.pop("submittedTime"), state.pop("endTime")
    assert (len(str(submitted)), len(str(end)), submitted <= end) == (13, 13, True)
    assert state.pop("machinename")
    assert state.pop("url").endswith(f"/rest/services/Tests/Every/GPServer/jobs/{job}")
    assert state == {"jobId": job, "status": "esriJobSucceeded", "username": "admin"}
    assert query(admin, startTime=submitted, endTime=submitted)["results"].keys() == {job}
    assert json_of(admin.get(JOBS, params=JSON)) == {"resources": ["statistics"]}


def test_jobs_of_one_machine(admin: httpx.Client) -> None:
    job = ended(admin, submit(admin, "talk"))
    machine = json_of(admin.get(f"{JOBS}/{job}", params=JSON))["machinename"]
    here = query(admin, machineName=machine)
    assert job in here["results"]
    assert {each["machinename"] for each in here["results"].values()} == {machine}
    assert here["total"] == len(query(admin, machineName=machine, number=1000)["results"])
    elsewhere = query(admin, machineName=f"not-{machine}")
    assert (elsewhere["total"], elsewhere["results"], elsewhere["nextStart"]) == (0, {}, -1)


def test_nobody_submits_without_signing_in(admin: httpx.Client) -> None:
    ended(admin, submit(admin, "talk"))
    anonymous = query(admin, userName="null")
    assert (anonymous["total"], anonymous["results"], anonymous["nextStart"]) == (0, {}, -1)
    assert anonymous["query"]["userName"] == "null"


def test_a_job_is_cancelled_and_deleted(admin: httpx.Client) -> None:
    job = submit(admin, "slow")
    wait_for_job(admin, f"{EVERY}/slow/jobs/{job}", until=("Executing",))
    assert failure(admin.get(f"{JOBS}/{job}/cancel", params=JSON))[0] == 405
    assert "<form" in admin.get(f"{JOBS}/{job}/delete").text
    assert json_of(admin.post(f"{JOBS}/{job}/cancel", data=JSON)) == {"status": "success"}
    ended(admin, job, "slow")
    refusal = (500, [f"Unable to cancel job :[{job}]"])
    assert failure(admin.post(f"{JOBS}/{job}/cancel", data=JSON)) == refusal
    assert json_of(admin.post(f"{JOBS}/{job}/delete", data=JSON)) == {"status": "success"}
    for path in ("", "/cancel", "/delete"):
        assert failure(admin.post(f"{JOBS}/{job}{path}", data=JSON))[0] == 404
    assert job not in query(admin, number=1000)["results"]


def test_a_job_at_work_is_deleted_at_once(admin: httpx.Client) -> None:
    job = submit(admin, "slow")
    wait_for_job(admin, f"{EVERY}/slow/jobs/{job}", until=("Executing",))
    assert json_of(admin.post(f"{JOBS}/{job}/delete", data=JSON)) == {"status": "success"}
    assert failure(admin.get(f"{JOBS}/{job}", params=JSON))[0] == 404


def test_the_queue_is_purged_and_what_runs_goes_on(admin: httpx.Client) -> None:
    before = json_of(admin.get(f"{JOBS}/statistics", params=JSON))
    working = [submit(admin, "slow") for _ in range(3)]
    for job in working:
        wait_for_job(admin, f"{EVERY}/slow/jobs/{job}", until=("Executing",))
    waiting = [submit(admin, "slow") for _ in range(4)]
    assert json_of(admin.post(f"{JOBS}/purgeQueue", data=JSON)) == {"status": "success"}
    for job in waiting:
        assert wait_for_job(admin, f"{EVERY}/slow/jobs/{job}")["jobStatus"] == "esriJobCancelled"
    for job in working:
        assert json_of(admin.get(f"{JOBS}/{job}", params=JSON))["status"] == "esriJobExecuting"
        admin.post(f"{JOBS}/{job}/cancel", data=JSON)
        ended(admin, job, "slow")
    after = json_of(admin.post(f"{JOBS}/statistics", data=JSON))
    assert after == {**before, "total": before["total"] + 7, "cancelled": before["cancelled"] + 7}


def test_errors_in_the_form_of_arcgis_server(classic: RunningServer, admin: httpx.Client) -> None:
    with client_of(classic) as nobody, client_of(classic, classic.sign_in("ann")) as ann:
        code, messages = failure(nobody.get(JOBS, params=JSON))
        assert (code, messages[0].startswith("Unauthorized access.Token not found.")) == (499, True)
        assert failure(nobody.get(JOBS, params={"token": "x", **JSON}))[0] == 498
        for path in ("/query", "/statistics", "/purgeQueue"):
            assert failure(ann.post(f"{JOBS}{path}", data=JSON))[0] == 403
    assert failure(admin.get(f"{JOBS}/query", params={"number": "many", **JSON}))[0] == 400
    assert failure(admin.get(f"{JOBS}/query", params={"f": "xml"}))[0] == 400
    # The other dialects of this server keep theirs.
    assert error_of(admin.get("/admin/jobs/j" + "0" * 32, params=JSON))["code"] == 404
