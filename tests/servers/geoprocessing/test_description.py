"""The service and the task, as clients read them before they submit anything."""

import httpx
import pytest

from tests.servers.talking import AT_ONCE, EVERY, error_of, json_of

REQUIRED, OPTIONAL, DERIVED = (f"esriGPParameterType{each}" for each in ("Required", "Optional", "Derived"))

INPUTS = {
    "text": ("GPString", REQUIRED, None),
    "whole": ("GPLong", OPTIONAL, 7),
    "number": ("GPDouble", OPTIONAL, 0.5),
    "flag": ("GPBoolean", OPTIONAL, False),
    "moment": ("GPDate", OPTIONAL, None),
    "distance": ("GPLinearUnit", OPTIONAL, {"distance": 100.0, "units": "esriMeters"}),
    "features": ("GPFeatureRecordSetLayer", OPTIONAL, None),
    "records": ("GPRecordSet", OPTIONAL, None),
    "texts": ("GPMultiValue:GPString", OPTIONAL, None),
    "colour": ("GPString", OPTIONAL, "green"),
}


def test_service(client: httpx.Client) -> None:
    service = json_of(client.get(EVERY, params={"f": "json"}))
    tasks = service.pop("tasks")
    assert {"everything", "copy_files", "slow", "fail"} <= set(tasks)
    assert service == {
        "currentVersion": 11.4,
        "serviceDescription": "Operations for tests",
        "executionType": "esriExecutionTypeAsynchronous",
        "resultMapServerName": "",
        "maximumRecords": 1_000_000,
        "capabilities": "Uploads",
    }


def test_service_outside_a_folder_that_is_synchronous(client: httpx.Client) -> None:
    assert json_of(client.get(AT_ONCE, params={"f": "json"}))["executionType"] == (
        "esriExecutionTypeSynchronous"
    )
    assert json_of(client.get(f"{AT_ONCE}/add", params={"f": "json"}))["executionType"] == (
        "esriExecutionTypeSynchronous"
    )


def test_task(client: httpx.Client) -> None:
    task = json_of(client.get(f"{EVERY}/everything", params={"f": "json"}))
    parameters = task.pop("parameters")
    assert task == {
        "name": "everything",
        "displayName": "Everything",
        "description": "Gives back what it gets.",
        "category": "",
        "helpUrl": "",
        "executionType": "esriExecutionTypeAsynchronous",
    }
    keys = {"name", "dataType", "displayName", "description", "direction", "defaultValue", "parameterType"}
    assert all(keys | {"category"} <= each.keys() for each in parameters)
    inputs = [each for each in parameters if each["direction"] == "esriGPParameterDirectionInput"]
    outputs = [each for each in parameters if each["direction"] == "esriGPParameterDirectionOutput"]
    assert inputs + outputs == parameters
    assert {
        each["name"]: (each["dataType"], each["parameterType"], each["defaultValue"]) for each in inputs
    } == INPUTS
    assert {each["name"]: (each["dataType"], each["parameterType"]) for each in outputs} == {
        f"{name}_back": (kind, DERIVED) for name, (kind, _, _) in INPUTS.items()
    }
    described = {each["name"]: each for each in inputs}
    assert described["text"]["description"] == "Some words."
    assert described["colour"]["choiceList"] == ["red", "green"]
    assert [name for name, each in described.items() if "choiceList" in each] == ["colour"]


def test_types_of_files(client: httpx.Client) -> None:
    parameters = json_of(client.get(f"{EVERY}/copy_files", params={"f": "json"}))["parameters"]
    assert {each["name"]: each["dataType"] for each in parameters} == {
        "table": "GPDataFile",
        "image": "GPRasterDataLayer",
        "more": "GPMultiValue:GPDataFile",
        "table_copy": "GPDataFile",
        "image_copy": "GPRasterDataLayer",
        "copies": "GPMultiValue:GPDataFile",
    }


@pytest.mark.parametrize("path", [EVERY, f"{EVERY}/talk"])
def test_get_and_post_with_and_without_a_slash_are_the_same(client: httpx.Client, path: str) -> None:
    plain = json_of(client.get(path, params={"f": "json"}))
    assert json_of(client.post(path, data={"f": "json"})) == plain
    assert json_of(client.get(f"{path}/", params={"f": "json"})) == plain
    assert json_of(client.post(f"{path}/", files={"f": (None, "json")})) == plain


def test_formats(client: httpx.Client) -> None:
    short = client.get(EVERY, params={"f": "json"})
    long = client.get(EVERY, params={"f": "pjson"})
    assert json_of(long) == json_of(short)
    assert len(long.text.splitlines()) > 5
    assert len(short.text.splitlines()) == 1
    for page in (client.get(EVERY), client.get(EVERY, params={"f": "html"})):
        assert page.headers["content-type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize("form", ["xml", "geojson", "js on", "<b>"])
def test_unknown_format(client: httpx.Client, form: str) -> None:
    error = error_of(client.get(EVERY, params={"f": form}))
    assert error["code"] == 400
    assert error["message"] == f"Parameter 'f': {form!r} is no format; use html, json or pjson"


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/rest/services/Tests/Nothing/GPServer", "Service Tests/Nothing/GPServer not found"),
        ("/rest/services/Nothing/Every/GPServer", "Service Nothing/Every/GPServer not found"),
        ("/rest/services/Every/GPServer", "Service Every/GPServer not found"),
        (f"{EVERY}/nothing", "Task nothing not found"),
        (f"{EVERY}/nothing/submitJob", "Task nothing not found"),
        (f"{EVERY}/nothing/execute", "Task nothing not found"),
        ("/rest/services/Nothing", "Folder Nothing not found"),
        ("/rest/services/Tests/Every/MapServer", "There is no such resource"),
        ("/nothing", "There is no such resource"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_is_not_there(client: httpx.Client, path: str, named: str, method: str) -> None:
    where = "params" if method == "GET" else "data"
    error = error_of(client.request(method, path, **{where: {"f": "json"}}))  # type: ignore[arg-type]
    assert (error["code"], error["message"]) == (404, named)


def test_an_unknown_task_names_those_there_are(client: httpx.Client) -> None:
    (details,) = error_of(client.get(f"{AT_ONCE}/nothing", params={"f": "json"}))["details"]
    assert details == "The tasks of this service are: add, linger"
