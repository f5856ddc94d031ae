"""``/admin/services``: an administrator changes services while they run."""

import threading
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import psutil
import pytest

from tests.running import RunningServer, wait_for_job
from tests.servers.enterprise.service_changes import (
    CHANGED,
    JSON,
    OPERATIONS,
    TASKS,
    at_work,
    begin,
    edit,
    ended,
    read,
    status,
    submit,
    succeeded,
    until,
)
from tests.servers.talking import error_of, json_of

ROOT = ["Patient", "Plain"]
"""The geoprocessing services that lie in no folder."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("services") / "data", OPERATIONS) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: RunningServer) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


@pytest.fixture
def changed(client: httpx.Client) -> Iterator[dict[str, Any]]:
    """The service, which is as before after the test."""
    before = read(client)
    yield before
    if "error" in json_of(client.get(CHANGED, params=JSON)):
        succeeded(client.post(f"{CHANGED}/start", data=JSON))
    edit(client, before)


# -- reading -------------------------------------------------------------------------------------


def test_services_and_folders_are_listed_in_full(client: httpx.Client) -> None:
    root = json_of(client.get("/admin/services", params=JSON))
    assert root["folders"] == ["Tests"]
    assert [each["serviceName"] for each in root["services"] if each["type"] == "GPServer"] == ROOT
    folder = json_of(client.get("/admin/services/Tests", params=JSON))
    assert folder["folderName"] == "Tests"
    assert folder["services"] == [read(client)]


def test_a_service_has_every_property_of_the_document(client: httpx.Client) -> None:
    about = read(client)
    document = (
        "allowedUploadFileTypes private maxUsageTime description maxInstancesPerNode minInstancesPerNode datasets"
        " type frameworkProperties instancesPerContainer recycleStartTime maxUploadFileSize provider clusterName"
        " deploymentId id maxStartupTime capabilities maxWaitTime recycleInterval maxIdleTime serviceName"
        " loadBalancing keepAliveInterval configuredState isDefault extensions isolationLevel folderName properties"
        " portalProperties"
    )
    assert about.keys() == set(document.split())
    assert (about["folderName"], about["serviceName"], about["type"]) == ("Tests", "Changed", "GPServer")
    assert (about["minInstancesPerNode"], about["maxInstancesPerNode"]) == (1, 2)
    assert (about["maxUsageTime"], about["recycleInterval"]) == (600, 24)
    assert about["properties"]["serviceId"] == about["id"]


@pytest.mark.parametrize("path", ["Tests/No.GPServer", "No.GPServer", "System/Services.SystemServer"])
def test_what_is_no_service_to_administer_is_not_found(client: httpx.Client, path: str) -> None:
    for resource in ("", "/status", "/scaling"):
        assert error_of(client.get(f"/admin/services/{path}{resource}", params=JSON))["code"] == 404
    for operation in ("/edit", "/start", "/stop", "/delete", "/scaling/edit"):
        assert error_of(client.post(f"/admin/services/{path}{operation}", data=JSON))["code"] == 404


# -- editing -------------------------------------------------------------------------------------


def test_an_edit_that_is_waited_for_is_in_force_when_it_is_answered(client, changed) -> None:
    jobs = json_of(client.get("/admin/jobs", params=JSON))
    edit(client, changed, description="Other words", maxInstancesPerNode=3)
    assert read(client) == {**changed, "description": "Other words", "maxInstancesPerNode": 3}
    listed = json_of(client.get("/rest/services/Tests", params=JSON))["services"]
    assert listed == [{"name": "Tests/Changed", "type": "GPServer", "description": "Other words"}]
    assert json_of(client.get("/admin/jobs", params=JSON)) == jobs


def test_an_edit_that_is_followed_tells_its_stages_and_the_service(client, changed) -> None:
    wanted = {**changed, "maxUsageTime": 77}
    job = begin(client, f"{CHANGED}/edit", service=msgspec.json.encode(wanted).decode())
    state = ended(client, job)
    assert (state["status"], state["name"]) == ("COMPLETED", "editService")
    assert state["resource"] == {"name": "Changed.GPServer"}
    assert state["operationURI"] == f"/arcgis{CHANGED}/edit"
    assert state["result"] == {"service": wanted}
    assert [each["name"] for each in state["progress"]["stages"]] == ["configuring", "applying"]
    assert {each["state"] for each in state["progress"]["stages"]} == {"completed"}
    assert any("Tests/Changed.GPServer" in each for each in state["messages"])


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("maxInstancesPerNode", 0, "from 1 to 1000"),
        ("maxInstancesPerNode", "many", "must be a number"),
        ("maxInstancesPerNode", 1.5, "whole number"),
        ("minInstancesPerNode", 9, "do not go together"),
        ("minInstancesPerNode", True, "must be a number"),
        ("maxUsageTime", -1, "from 0 to"),
        ("maxUsageTime", None, "must be a number"),
        ("recycleStartTime", "25:00", "time of day"),
        ("provider", "ArcObjects11", "cannot be changed here"),
        ("serviceName", "Other", "cannot be changed here"),
        ("configuredState", "RUNNING", "STARTED or STOPPED"),
        ("description", 7, "must be a text"),
        ("properties", [], "must be an object"),
        ("properties", {"graceTime": "soon"}, "must be a number"),
        ("properties", {"colour": "red"}, "no such property"),
        ("maxInstances", 3, "no such property"),
    ],
)
def test_a_bad_value_is_refused_by_name_and_no_job_is_made(client, name, value, said) -> None:
    before, jobs = read(client), json_of(client.get("/rest/jobs", params=JSON))
    text = msgspec.json.encode({**before, name: value}).decode()
    for later in ("false", "true"):
        error = error_of(client.post(f"{CHANGED}/edit", data={**JSON, "service": text, "async": later}))
        assert error["code"] == 400
        assert error["message"].startswith(f"Parameter 'service': {name}"), error
        assert said in error["message"]
    assert read(client) == before
    assert json_of(client.get("/rest/jobs", params=JSON)) == jobs


@pytest.mark.parametrize("text", ["", "{", "[]", '{"serviceName": SampleServer}', "[" * 5000])
def test_what_is_no_service_at_all_is_refused(client, text) -> None:
    error = error_of(client.post(f"{CHANGED}/edit", data={**JSON, "service": text}))
    assert error["code"] == 400
    assert "'service'" in error["message"] + str(error["details"])


def test_scaling_is_another_way_to_the_same(client, changed) -> None:
    [spec] = json_of(client.get(f"{CHANGED}/scaling", params=JSON))["scalingSpec"]
    assert spec["replicas"] == {"min": 1, "max": 2, "scalingMode": "auto"}
    assert (spec["deploymentType"], spec["deploymentId"]) == ("GPServer", changed["deploymentId"])
    spec["replicas"] = {"min": 2, "max": 2}
    spec["resources"]["memoryMax"] = "2Gi"
    text = msgspec.json.encode({"scalingSpec": [spec]}).decode()
    job = begin(client, f"{CHANGED}/scaling/edit", serviceScalingSpec=text)
    state = ended(client, job)
    assert (state["status"], state["name"]) == ("COMPLETED", "editServiceScaling")
    about = read(client)
    assert (about["minInstancesPerNode"], about["maxInstancesPerNode"]) == (2, 2)
    assert about["properties"]["memoryLimit"] == str(2**31)
    for bad, said in (({"max": 0}, "replicas.max"), ({"min": 3}, "replicas"), ({"most": 3}, "replicas.most")):
        text = msgspec.json.encode({"scalingSpec": [{**spec, "replicas": bad}]}).decode()
        error = error_of(client.post(f"{CHANGED}/scaling/edit", data={**JSON, "serviceScalingSpec": text}))
        assert error["message"].startswith(f"Parameter 'serviceScalingSpec': {said}"), error


# -- what the settings do ------------------------------------------------------------------------


def instances(server: RunningServer) -> set[int]:
    """The instances of all services."""
    [template] = psutil.Process(server.process.pid).children()
    return {each.pid for each in template.children()}


def pid_of(client: httpx.Client, job: str) -> int:
    """What a job told that has succeeded: its process."""
    assert wait_for_job(client, job)["jobStatus"] == "esriJobSucceeded"
    found: int = json_of(client.get(f"{job}/results/result", params=JSON))["value"]
    return found


def test_instances_are_replaced_and_jobs_at_work_go_on(client, server, changed, tmp_path) -> None:
    edit(client, changed, minInstancesPerNode=2, maxInstancesPerNode=4)
    working = [submit(client, "wait_for", gate=str(tmp_path / "gate")) for _ in range(2)]
    for job in working:
        at_work(client, job)
    edit(client, read(client), minInstancesPerNode=2, description="one")
    before = instances(server)
    edit(client, read(client), description="two")
    after = instances(server)
    # Those at work stayed, and so did the instances of other services; no instance stands ready that stood before.
    (tmp_path / "gate").touch()
    pids = {pid_of(client, job) for job in working}
    assert pids <= before
    assert pids <= after
    assert len(before - after) >= 2
    assert len(after - before) >= 2


def test_no_job_fails_while_its_service_is_edited_again_and_again(client, server, changed) -> None:
    jobs: list[str] = []
    over = threading.Event()

    def work() -> None:
        with server.client() as mine:
            while not over.is_set():
                jobs.append(submit(mine, "nap", seconds=0.05))
                over.wait(0.02)

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    try:
        for number in range(12):
            numbers = {
                "minInstancesPerNode": number % 3,
                "maxInstancesPerNode": 1 + (number % 4) + number % 3,
            }
            properties = {"memoryLimit": str((number % 2) * 2**32)}
            edit(client, changed, **numbers, maxIdleTime=number, properties=properties)
    finally:
        over.set()
        for worker in workers:
            worker.join()
    states = {wait_for_job(client, job)["jobStatus"] for job in jobs}
    assert states == {"esriJobSucceeded"}
    assert len(jobs) > 10


def test_the_most_instances_limit_what_is_at_work(client, changed, tmp_path) -> None:
    edit(client, changed, maxInstancesPerNode=1)
    gate = str(tmp_path / "gate")
    jobs = [submit(client, "wait_for", gate=gate) for _ in range(3)]
    at_work(client, jobs[0])
    about = [json_of(client.get(job, params=JSON))["jobStatus"] for job in jobs]
    assert about == ["esriJobExecuting", "esriJobWaiting", "esriJobWaiting"]
    edit(client, read(client), maxInstancesPerNode=3)
    for job in jobs:
        at_work(client, job)
    edit(client, read(client), maxInstancesPerNode=1)
    late = submit(client, "nap")
    assert json_of(client.get(late, params=JSON))["jobStatus"] == "esriJobWaiting"
    (tmp_path / "gate").touch()
    for job in (*jobs, late):
        assert wait_for_job(client, job)["jobStatus"] == "esriJobSucceeded"


def test_the_time_limit_is_that_under_which_a_job_began(client, changed, tmp_path) -> None:
    gate = str(tmp_path / "gate")
    before = submit(client, "wait_for", gate=gate)
    at_work(client, before)
    edit(client, changed, maxUsageTime=0.3)
    after = wait_for_job(client, submit(client, "nap", seconds=60))
    assert after["jobStatus"] == "esriJobTimedOut"
    assert any("0.3 s" in each["description"] for each in after["messages"])
    assert json_of(client.get(before, params=JSON))["jobStatus"] == "esriJobExecuting"
    (tmp_path / "gate").touch()
    assert wait_for_job(client, before)["jobStatus"] == "esriJobSucceeded"


def test_jobs_that_wait_go_by_the_new_limit(client, changed, tmp_path) -> None:
    edit(client, changed, maxInstancesPerNode=1)
    first = submit(client, "wait_for", gate=str(tmp_path / "gate"))
    at_work(client, first)
    waiting = submit(client, "nap")
    edit(client, read(client), maxWaitTime=0.2)
    assert wait_for_job(client, waiting)["jobStatus"] == "esriJobTimedOut"
    (tmp_path / "gate").touch()
    assert wait_for_job(client, first)["jobStatus"] == "esriJobSucceeded"


def test_idle_instances_end_and_all_are_recycled(client, server, changed) -> None:
    edit(client, changed, minInstancesPerNode=0, maxInstancesPerNode=2, maxIdleTime=3600)
    pid_of(client, submit(client, "nap"))
    until(lambda: len(others := instances(server)) and others)
    ready = until(lambda: instances(server))
    edit(client, read(client), minInstancesPerNode=0, maxIdleTime=0)
    until(lambda: not instances(server) & ready or len(instances(server)) < len(ready))
    edit(client, read(client), minInstancesPerNode=2, maxIdleTime=3600)
    fresh = instances(server)
    edit(client, read(client), recycleInterval=1 / 3600)
    seen = instances(server)
    until(lambda: len(instances(server) - seen - fresh) >= 2)


def test_the_memory_limit_is_in_force_for_the_next_job(client, changed) -> None:
    assert wait_for_job(client, submit(client, "need", megabytes=300))["jobStatus"] == "esriJobSucceeded"
    edit(client, changed, properties={"memoryLimit": 200 * 2**20})
    job = wait_for_job(client, submit(client, "need", megabytes=300))
    assert job["jobStatus"] == "esriJobFailed"
    assert any("more memory than its service allows" in each["description"] for each in job["messages"])


def test_an_instance_that_takes_too_long_to_start_is_given_up(client, changed) -> None:
    text = msgspec.json.encode({**changed, "maxStartupTime": 0.001, "description": "too fast"}).decode()
    job = begin(client, f"{CHANGED}/edit", service=text)
    state = ended(client, job)
    assert state["status"] == "FAILED"
    assert any("the service allows an instance to start" in each for each in state["messages"])
    assert read(client) == changed


def test_an_operation_that_does_not_stop_has_the_grace_time_that_was_edited(client, changed) -> None:
    patient = "/admin/services/Patient.GPServer"
    text = json_of(client.get(patient, params=JSON))
    assert text["properties"]["graceTime"] == "3600"
    text["properties"]["graceTime"] = "0.1"
    form = {**JSON, "service": msgspec.json.encode(text).decode()}
    succeeded(client.post(f"{patient}/edit", data=form))
    task = "/rest/services/Patient/GPServer/sit"
    answer = json_of(client.post(f"{task}/submitJob", data=JSON))
    job = f"{task}/jobs/{answer['jobId']}"
    at_work(client, job)
    client.post(f"{job}/cancel", data=JSON)
    assert wait_for_job(client, job)["jobStatus"] == "esriJobCancelled"


def test_what_takes_too_long_to_undo_is_told(client, changed) -> None:
    edit(client, changed, properties={"rollbackTime": 0.2})
    job = wait_for_job(client, submit(client, "regret"))
    assert job["jobStatus"] == "esriJobFailed"
    assert any("0.2 s" in each["description"] for each in job["messages"]), job["messages"]


def test_the_memory_of_the_scaling_is_the_memory_limit(client, changed) -> None:
    [spec] = json_of(client.get(f"{CHANGED}/scaling", params=JSON))["scalingSpec"]
    spec["resources"]["memoryMax"] = "200Mi"
    text = msgspec.json.encode({"scalingSpec": [spec]}).decode()
    succeeded(client.post(f"{CHANGED}/scaling/edit", data={**JSON, "serviceScalingSpec": text}))
    assert read(client)["properties"]["memoryLimit"] == str(200 * 2**20)
    job = wait_for_job(client, submit(client, "need", megabytes=300))
    assert job["jobStatus"] == "esriJobFailed"


# -- what is as it is ----------------------------------------------------------------------------


def test_types_and_defaults_are_told(client) -> None:
    types = json_of(client.get("/admin/services/types", params=JSON))["types"]
    assert {each["Name"] for each in types} >= {"GPServer", "MissionServer"}
    assert json_of(client.get("/admin/services/types/extensions", params=JSON)) == {"extensions": []}
    assert json_of(client.get("/admin/services/types/providers", params=JSON)) == {
        "providers": [{"Name": "Milepost"}]
    }
    assert json_of(client.get("/admin/services/properties", params=JSON)) == {}
    assert json_of(client.get("/admin/system/properties", params=JSON)) == {}


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/admin/services/createService", "--operations"),
        ("/admin/services/Tests/createService", "--operations"),
        (f"{CHANGED}/changeProvider", "Milepost"),
        ("/admin/services/properties", "edit those of the service"),
        ("/admin/system/properties/update", "milepost serve"),
    ],
)
def test_what_is_made_in_another_way_is_told(client, path, said) -> None:
    error = error_of(client.post(path, data={**JSON, "properties": "{}"}))
    assert error["code"] == 400
    assert said in " ".join([error["message"], *error["details"]])


# -- starting, stopping, deleting ----------------------------------------------------------------


def test_a_stopped_service_takes_no_jobs_and_those_that_wait_go_on_when_it_is_started(
    client, changed, tmp_path
) -> None:
    edit(client, changed, maxInstancesPerNode=1)
    working = submit(client, "wait_for", gate=str(tmp_path / "gate"))
    at_work(client, working)
    waiting = submit(client, "nap")
    stop = begin(client, f"{CHANGED}/stop")
    until(lambda: status(client) == ("STOPPED", "STARTED"))
    error = until(lambda: client.post(f"{TASKS}/nap/submitJob", data=JSON).json().get("error"))
    assert (error["code"], error["message"]) == (400, "Service Tests/Changed.GPServer is stopped")
    assert json_of(client.get(f"/admin/jobs/{stop}", params=JSON))["status"] == "EXECUTING"
    (tmp_path / "gate").touch()
    assert wait_for_job(client, working)["jobStatus"] == "esriJobSucceeded"
    state = ended(client, stop)
    assert (state["status"], state["name"], state["result"]) == (
        "COMPLETED",
        "stopService",
        {"status": "success"},
    )
    assert status(client) == ("STOPPED", "STOPPED")
    assert read(client)["configuredState"] == "STOPPED"
    assert json_of(client.get(waiting, params=JSON))["jobStatus"] == "esriJobWaiting"
    succeeded(client.post(f"{CHANGED}/stop", data=JSON))
    succeeded(client.post(f"{CHANGED}/start", data=JSON))
    assert status(client) == ("STARTED", "STARTED")
    assert wait_for_job(client, waiting)["jobStatus"] == "esriJobSucceeded"


def test_a_stop_that_is_cancelled_leaves_the_service_started(client, changed, tmp_path) -> None:
    working = submit(client, "wait_for", gate=str(tmp_path / "gate"))
    at_work(client, working)
    stop = begin(client, f"{CHANGED}/stop")
    until(lambda: status(client)[0] == "STOPPED")
    error = error_of(client.post(f"{CHANGED}/start", data=JSON))
    assert (error["code"], stop in error["message"]) == (400, True)
    assert json_of(client.post(f"/admin/jobs/{stop}/cancel", data=JSON)) == {"status": "success"}
    assert ended(client, stop)["status"] == "CANCELLED"
    until(lambda: status(client) == ("STARTED", "STARTED"))
    assert read(client) == changed
    late = submit(client, "nap")
    assert wait_for_job(client, late)["jobStatus"] == "esriJobSucceeded"
    (tmp_path / "gate").touch()
    assert wait_for_job(client, working)["jobStatus"] == "esriJobSucceeded"


def test_an_edit_may_stop_and_start_too(client, changed) -> None:
    edit(client, changed, configuredState="STOPPED")
    assert status(client) == ("STOPPED", "STOPPED")
    edit(client, read(client), configuredState="STARTED")
    assert status(client) == ("STARTED", "STARTED")


def test_a_deleted_service_is_gone_until_it_is_started(client, changed, tmp_path) -> None:
    edit(client, changed, maxInstancesPerNode=1, description="to go")
    working = submit(client, "wait_for", gate=str(tmp_path / "gate"))
    at_work(client, working)
    waiting = submit(client, "nap")
    job = begin(client, f"{CHANGED}/delete")
    until(lambda: "error" in client.get(CHANGED, params=JSON).json())
    (tmp_path / "gate").touch()
    state = ended(client, job)
    assert (state["status"], state["name"]) == ("COMPLETED", "deleteService")
    assert json_of(client.get("/rest/services", params=JSON))["folders"] == []
    assert error_of(client.get(TASKS, params=JSON))["code"] == 404
    assert error_of(client.get(working, params=JSON))["code"] == 404
    assert error_of(client.post(f"{TASKS}/nap/submitJob", data=JSON))["code"] == 404
    for resource in ("", "/status", "/scaling"):
        assert error_of(client.get(CHANGED + resource, params=JSON))["code"] == 404
    folder = json_of(client.get("/admin/services/Tests", params=JSON))
    assert folder["services"] == []
    assert folder["deletedServices"] == [
        {"folderName": "Tests", "serviceName": "Changed", "type": "GPServer"}
    ]
    # Its jobs stay readable for those who administer them.
    told = [
        json_of(client.get(f"/admin/jobs/{each.rpartition('/')[2]}", params=JSON))
        for each in (working, waiting)
    ]
    assert [each["status"] for each in told] == ["COMPLETED", "CANCELLED"]
    assert told[0]["result"]["result"] > 0
    succeeded(client.post(f"{CHANGED}/start", data=JSON))
    assert read(client) == changed  # as its code declares it
    assert wait_for_job(client, submit(client, "nap"))["jobStatus"] == "esriJobSucceeded"


def types_at_the_root(client: httpx.Client) -> list[str]:
    return [each["type"] for each in json_of(client.get("/admin/services", params=JSON))["services"]]


@pytest.mark.parametrize(
    "text",
    [
        (
            '{"folderName": "Tests", "serviceName": "Changed", "type": "GPServer"},'
            ' {"folderName": "", "serviceName": "Plain", "type": "GPServer"}'
        ),
        (
            '{"services": [{"folderName": "Tests", "serviceName": "Changed", "type": "GPServer"},'
            ' {"serviceName": "Plain", "type": "GPServer"}]}'
        ),
        (
            '[{"folderName": "Tests", "serviceName": "Changed", "type": "GPServer"},'
            ' {"folderName": "/", "serviceName": "Plain", "type": "GPServer"}]'
        ),
    ],
)
def test_several_services_are_deleted_in_every_spelling(client, changed, text) -> None:
    state = ended(client, begin(client, "/admin/services/deleteServices", services=text))
    assert (state["status"], state["name"]) == ("COMPLETED", "deleteServices")
    # A service that every server has stays.
    assert "MissionServer" in types_at_the_root(client)
    assert types_at_the_root(client).count("GPServer") == len(ROOT) - 1
    listed = json_of(client.get("/rest/services", params=JSON))["services"]
    assert [each["name"] for each in listed if each["type"] == "GPServer"] == ["Patient"]
    for path in (CHANGED, "/admin/services/Plain.GPServer"):
        succeeded(client.post(f"{path}/start", data=JSON))
    assert types_at_the_root(client).count("GPServer") == len(ROOT)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", 400),
        ("Changed", 400),
        ("[]", 400),
        ("7", 400),
        ('{"serviceName": "Plain"}', 400),
        ('{"serviceName": "Plain", "type": "GPServer"}, {"serviceName": "No", "type": "GPServer"}', 404),
    ],
)
def test_services_that_cannot_be_deleted_are_refused_all_together(client, text, code) -> None:
    error = error_of(client.post("/admin/services/deleteServices", data={**JSON, "services": text}))
    assert error["code"] == code
    assert json_of(client.get("/admin/services", params=JSON))["services"]
