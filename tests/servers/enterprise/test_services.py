"""``/admin/services``: an administrator changes services while they run."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from tests.running import RunningServer, wait_for_job
from tests.servers.talking import error_of, json_of

OPERATIONS = Path(__file__).with_name("service_operations.py")
JSON = {"f": "json"}
CHANGED = "/admin/services/Tests/Changed.GPServer"
TASKS = "/rest/services/Tests/Changed/GPServer"


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


# -- reading -------------------------------------------------------------------------------------


def test_services_and_folders_are_listed_in_full(client: httpx.Client) -> None:
    root = json_of(client.get("/admin/services", params=JSON))
    assert root["folders"] == ["Tests"]
    assert [each["serviceName"] for each in root["services"]] == ["Plain"]
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
