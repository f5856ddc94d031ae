"""The job, its results and inputs, and its end."""

import re

import httpx
import pytest

from tests.running import wait_for_job
from tests.servers.talking import EVERY, Task, error_of, json_of

ENDED = {"esriJobSucceeded", "esriJobFailed", "esriJobCancelled", "esriJobTimedOut"}


def test_a_job_at_work_tells_its_progress_and_nothing_of_its_end(client: httpx.Client, task: Task) -> None:
    job = task.submit("slow", say="starting")
    while "progress" not in (state := wait_for_job(client, job, until=("Executing",))):
        pass
    assert state.keys() == {"jobId", "jobStatus", "progress", "messages"}
    assert state["progress"] == {"type": "default", "message": "a quarter", "percent": 25}
    assert state["messages"] == [{"type": "esriJobMessageTypeInformative", "description": "starting"}]
    error = error_of(client.get(f"{job}/results/result", params={"f": "json"}))
    assert (error["code"], error["message"]) == (400, "Result result is not available")
    assert error_of(client.get(f"{job}/results", params={"f": "json"}))["code"] == 400
    # By URL, though not by links, the inputs are there from the beginning.
    assert json_of(client.get(f"{job}/inputs/say", params={"f": "json"}))["value"] == "starting"
    client.get(f"{job}/cancel?f=json")


def test_a_job_that_succeeded(client: httpx.Client, task: Task) -> None:
    job, state = task.run("slow", seconds=0)
    assert state == {
        "jobId": job.rpartition("/")[2],
        "jobStatus": "esriJobSucceeded",
        "results": {"result": {"paramUrl": "results/result"}},
        "inputs": {"seconds": {"paramUrl": "inputs/seconds"}, "say": {"paramUrl": "inputs/say"}},
        "messages": [],
    }
    value = {"paramName": "result", "dataType": "GPString", "value": "done"}
    more = {"f": "json", "returnType": "data", "outSR": "4326", "returnZ": "false"}
    assert json_of(client.get(f"{job}/results/result", params=more)) == value
    assert json_of(client.post(f"{job}/results/result/", data=more)) == value
    assert json_of(client.post(f"{job}/results", data={"f": "json"})) == [value]
    assert json_of(client.get(f"{job}/inputs/", params={"f": "json"})) == [
        {"paramName": "seconds", "dataType": "GPDouble", "value": 0.0},
        {"paramName": "say", "dataType": "GPString", "value": ""},
    ]


def test_a_job_that_failed_is_no_error(client: httpx.Client, task: Task) -> None:
    job, state = task.run("fail", reason="no bridge")
    assert state.keys() == {"jobId", "jobStatus", "messages"}
    assert state["jobStatus"] == "esriJobFailed"
    assert state["messages"] == [
        {"type": "esriJobMessageTypeInformative", "description": "so far so good"},
        {"type": "esriJobMessageTypeError", "description": "No bridge"},
    ]
    error = error_of(client.get(f"{job}/results/result", params={"f": "json"}))
    assert error["details"] == ["The job is esriJobFailed"]
    assert json_of(client.get(f"{job}/inputs/reason", params={"f": "json"}))["value"] == "no bridge"


def test_messages_can_be_left_out(client: httpx.Client, task: Task) -> None:
    job, state = task.run("talk")
    assert [each["type"] for each in state["messages"]] == [
        "esriJobMessageTypeInformative",
        "esriJobMessageTypeWarning",
    ]
    for spelling in ("false", "False"):
        assert "messages" not in json_of(client.get(job, params={"f": "json", "returnMessages": spelling}))
    for spelling in ("true", "True", ""):
        assert json_of(client.get(job, params={"f": "json", "returnMessages": spelling})) == state
    error = error_of(client.get(job, params={"f": "json", "returnMessages": "perhaps"}))
    assert "Parameter 'returnMessages'" in error["message"]


def test_every_way_to_ask_gives_the_same_state(client: httpx.Client, task: Task) -> None:
    job, state = task.run("talk")
    plain = job.rpartition("/")[2].removeprefix("j")
    dashed = f"{plain[:8]}-{plain[8:12]}-{plain[12:16]}-{plain[16:20]}-{plain[20:]}"
    assert json_of(client.get(f"{job}/", params={"f": "json"})) == state
    assert json_of(client.post(job, data={"f": "json"})) == state
    assert json_of(client.get(job, params={"f": "pjson"})) == state
    assert json_of(client.get(job, params={"f": "json", "unknown": "1"})) == state
    assert json_of(client.get(job, params={"f": "json"}, headers={"Origin": "https://maps.example"})) == state
    for spelled in (plain, plain.upper(), dashed, f"j{dashed}"):
        assert json_of(client.get(f"{EVERY}/talk/jobs/{spelled}", params={"f": "json"})) == state


@pytest.mark.parametrize(
    "job", ["j" + "0" * 32, "j1", "x", "j" + "g" * 32, "%00", "..%2f..%2fetc", "j" * 5000]
)
@pytest.mark.parametrize(
    "below", ["", "/results", "/results/result", "/inputs", "/inputs/words", "/cancel", "/log"]
)
def test_unknown_jobs(client: httpx.Client, job: str, below: str) -> None:
    error = error_of(client.get(f"{EVERY}/talk/jobs/{job}{below}", params={"f": "json"}))
    assert error["code"] == 404
    assert len(error["message"]) < 200


def test_a_job_is_found_below_its_own_task_only(client: httpx.Client, task: Task) -> None:
    job, _ = task.run("talk")
    other = job.replace("/talk/", "/slow/")
    assert error_of(client.get(other, params={"f": "json"}))["code"] == 404
    assert error_of(client.post(f"{other}/cancel", data={"f": "json"}))["code"] == 404


def test_unknown_results_and_inputs(client: httpx.Client, task: Task) -> None:
    job, _ = task.run("everything", text="a")
    error = error_of(client.get(f"{job}/results/nothing", params={"f": "json"}))
    assert (error["code"], error["message"]) == (404, "Result nothing not found")
    assert "text_back" in error["details"][0]
    assert error_of(client.get(f"{job}/inputs/nothing", params={"f": "json"}))["code"] == 404


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_cancel(client: httpx.Client, task: Task, method: str) -> None:
    job = task.submit("slow")
    wait_for_job(client, job, until=("Executing",))
    where = "params" if method == "GET" else "data"
    form = {"f": "json", "id": "x", "returnMessages": "false"}

    def cancel() -> httpx.Response:
        return client.request(method, f"{job}/cancel", **{where: form})  # type: ignore[arg-type]

    asked = {"jobId": job.rpartition("/")[2], "jobStatus": "esriJobCancelling"}
    assert json_of(cancel()) == asked
    again = json_of(cancel())
    assert again == asked or again["error"]["message"] == "Invalid or missing input parameters"
    assert wait_for_job(client, job)["jobStatus"] == "esriJobCancelled"
    error = error_of(cancel())
    assert (error["code"], error["message"]) == (400, "Invalid or missing input parameters")


@pytest.mark.parametrize("name", ["talk", "fail"])
def test_what_has_ended_cannot_be_cancelled(client: httpx.Client, task: Task, name: str) -> None:
    job, state = task.run(name)
    error = error_of(client.get(f"{job}/cancel", params={"f": "json"}))
    assert (error["code"], error["message"]) == (400, "Invalid or missing input parameters")
    assert state["jobStatus"] in error["details"][0]
    assert json_of(client.get(job, params={"f": "json"})) == state


def test_a_job_that_waits_can_be_cancelled(client: httpx.Client, task: Task) -> None:
    jobs = [task.submit("slow") for _ in range(5)]  # two more than there are instances
    asked = json_of(client.post(f"{jobs[-1]}/cancel", data={"f": "json"}))
    assert asked["jobStatus"] == "esriJobCancelling"
    assert wait_for_job(client, jobs[-1])["jobStatus"] == "esriJobCancelled"
    for job in jobs[:-1]:
        client.post(f"{job}/cancel", data={"f": "json"})
    assert {wait_for_job(client, job)["jobStatus"] for job in jobs} == {"esriJobCancelled"}


def test_jobs_of_other_people_are_not_there(client: httpx.Client, ann: httpx.Client, task: Task) -> None:
    job, _ = task.run("everything", text="secret")
    for below in ("", "/results", "/results/text_back", "/inputs", "/inputs/text", "/cancel", "/log"):
        error = error_of(ann.get(f"{job}{below}", params={"f": "json"}))
        assert error["code"] == 404
        assert error["message"] == f"Job {job.rpartition('/')[2]} not found"
    # Administrators see everybody's.
    hers, _ = Task(ann).run("talk")
    assert json_of(client.get(hers, params={"f": "json"}))["jobStatus"] == "esriJobSucceeded"
    listed = json_of(ann.get("/rest/jobs", params={"f": "json", "owner": "admin"}))["jobs"]
    assert {each["owner"] for each in listed} == {"ann"}


def test_what_an_operation_prints(client: httpx.Client, task: Task) -> None:
    job, _ = task.run("talk", words="a line")
    log = client.get(f"{job}/log")
    assert log.headers["content-type"] == "text/plain; charset=utf-8"
    assert log.text == "printed a line\n"


def test_a_status_is_always_one_that_clients_know(client: httpx.Client, task: Task) -> None:
    job = task.submit("slow", seconds=0.2)
    seen = []
    while not seen or seen[-1] not in ENDED:
        state = json_of(client.get(job, params={"f": "json"}))
        assert ("progress" in state) <= (state["jobStatus"] == "esriJobExecuting")
        assert ("results" in state) == (state["jobStatus"] == "esriJobSucceeded")
        assert not state.keys() & {"error", "code", "status"}
        seen.append(state["jobStatus"])
    assert seen[-1] == "esriJobSucceeded"
    order = ["esriJobSubmitted", "esriJobWaiting", "esriJobExecuting", "esriJobSucceeded"]
    assert [order.index(each) for each in seen] == sorted(order.index(each) for each in seen)
    assert re.fullmatch(r"j[0-9a-f]{32}", job.rpartition("/")[2])
