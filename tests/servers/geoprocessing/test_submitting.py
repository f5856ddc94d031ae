"""submitJob in every way that clients call it."""

import json
from typing import Any

import httpx
import pytest

from tests.running import wait_for_job
from tests.servers.talking import EVERY, Task, count_jobs, error_of, json_of

POINT = {
    "geometryType": "esriGeometryPoint",
    "spatialReference": {"wkid": 4326},
    "fields": [{"name": "name", "type": "esriFieldTypeString", "alias": "Name"}],
    "features": [{"attributes": {"name": "Ä"}, "geometry": {"x": 8.5, "y": 50.25}}],
}
TABLE = {
    "fields": [{"name": "n", "type": "esriFieldTypeInteger"}],
    "features": [{"attributes": {"n": 1}}, {"attributes": {"n": None}}],
}

GIVEN: dict[str, Any] = {
    "text": "a & b = c + ü % \u2028",
    "whole": 42,
    "number": -1.5e-3,
    "flag": True,
    "moment": 1_700_000_000_123,
    "distance": {"distance": 2.5, "units": "esriKilometers"},
    "features": POINT,
    "records": TABLE,
    "texts": ["one", "two, three", ""],
    "colour": "red",
}
TYPES = {
    "text": "GPString",
    "whole": "GPLong",
    "number": "GPDouble",
    "flag": "GPBoolean",
    "moment": "GPDate",
    "distance": "GPLinearUnit",
    "features": "GPFeatureRecordSetLayer",
    "records": "GPRecordSet",
    "texts": "GPMultiValue:GPString",
    "colour": "GPString",
}


def as_form(values: dict[str, Any]) -> dict[str, str]:
    """Texts as they are, everything else as JSON: what all clients send."""
    return {name: each if isinstance(each, str) else json.dumps(each) for name, each in values.items()}


def ways() -> dict[str, dict[str, Any]]:
    form = {**as_form(GIVEN), "f": "json"}
    long = [name for name in form if name in ("features", "records", "text")]
    short = {name: text for name, text in form.items() if name not in long}
    return {
        "get": {"method": "GET", "params": form},
        "urlencoded": {"method": "POST", "data": form},
        "multipart": {"method": "POST", "files": {name: (None, text) for name, text in form.items()}},
        "json": {"method": "POST", "json": {**GIVEN, "f": "json"}},
        "json without its type": {"method": "POST", "content": json.dumps({**GIVEN, "f": "json"}).encode()},
        "query and body": {"method": "POST", "params": short, "data": {name: form[name] for name in long}},
        "feature set in a file": {
            "method": "POST",
            "data": {name: text for name, text in form.items() if name != "features"},
            "files": {"features": ("points.json", form["features"].encode())},
        },
    }


@pytest.mark.parametrize("way", ways())
@pytest.mark.parametrize("slash", ["", "/"])
def test_every_type_by_every_way(client: httpx.Client, task: Task, way: str, slash: str) -> None:
    request = ways()[way]
    answer = json_of(client.request(request.pop("method"), f"{EVERY}/everything/submitJob{slash}", **request))
    assert answer == {"jobId": answer["jobId"], "jobStatus": "esriJobSubmitted"}
    assert len(answer["jobId"]) == 33
    assert answer["jobId"][0] == "j"
    job = f"{EVERY}/everything/jobs/{answer['jobId']}"
    state = wait_for_job(client, job)
    assert state["jobStatus"] == "esriJobSucceeded", state
    for name, value in GIVEN.items():
        sent = json_of(client.get(f"{job}/{state['inputs'][name]['paramUrl']}", params={"f": "json"}))
        assert sent == {"paramName": name, "dataType": TYPES[name], "value": value}
        back = json_of(
            client.get(f"{job}/{state['results'][f'{name}_back']['paramUrl']}", params={"f": "json"})
        )
        assert back["paramName"] == f"{name}_back"
        assert back["dataType"] == TYPES[name]
        if name in ("features", "records"):
            assert value.items() <= back["value"].items()
        else:
            assert back["value"] == value


def test_the_body_goes_before_the_query(client: httpx.Client, task: Task) -> None:
    path = f"{EVERY}/everything/submitJob"
    query = {"text": "query", "whole": "1", "f": "html"}
    answer = json_of(client.post(path, params=query, data={"text": "body", "f": "json"}))
    job = f"{EVERY}/everything/jobs/{answer['jobId']}"
    wait_for_job(client, job)
    assert task.result(job, "text_back")["value"] == "body"
    assert task.result(job, "whole_back")["value"] == 1


def test_empty_texts_are_not_given(task: Task) -> None:
    """The ArcGIS API for Python sends every optional input it has no value for as an empty text."""
    empty = dict.fromkeys((name for name in GIVEN if name != "text"), "")
    job, state = task.run("everything", text="only", **empty, context="", **{"env:outSR": ""})
    assert state["jobStatus"] == "esriJobSucceeded"
    found = {each["paramName"]: each["value"] for each in task.client.get(f"{job}/results?f=json").json()}
    empty_set = {
        "geometryType": "esriGeometryPoint",
        "spatialReference": {},
        "fields": [],
        "features": [],
    }
    assert found == {
        "text_back": "only",
        "whole_back": 7,
        "number_back": 0.5,
        "flag_back": False,
        "moment_back": None,
        "distance_back": {"distance": 100.0, "units": "esriMeters"},
        # The SDK takes a null feature set for a fault.
        "features_back": empty_set,
        "records_back": {"fields": [], "features": []},
        "texts_back": [],
        "colour_back": "green",
    }
    assert "'text' is required" in task.refused("everything", text="")["message"]


@pytest.mark.parametrize(
    ("spelling", "meant"),
    [
        ("true", True),
        ("True", True),
        ("TRUE", True),
        ("1", True),
        ("false", False),
        ("False", False),
        ("0", False),
    ],
)
def test_spellings_of_booleans(task: Task, spelling: str, meant: bool) -> None:
    job, _ = task.run("everything", text="a", flag=spelling)
    assert task.result(job, "flag_back")["value"] is meant


def test_unknown_parameters_are_ignored(task: Task) -> None:
    extra = {
        "outputParam": "x",
        "end:processSR": "4326",
        "env:processSR": "4326",
        "returnZ": "False",
        "returnM": "false",
        "returnTrueCurves": "",
        "returnFeatureCollection": "true",
        "returnColumnName": "1",
        "id": "3",
        "callback": "x",
    }
    _, state = task.run("talk", **extra)
    assert state["jobStatus"] == "esriJobSucceeded"
    assert state["inputs"].keys() == {"words"}


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("whole", "many", "'many' is not a"),
        ("whole", "1.5", "not a whole number"),
        ("whole", "101", "between 0 and 100"),
        ("whole", "9" * 30, ""),
        ("number", "NaN", "not NaN or infinity"),
        ("number", "-Infinity", "not NaN or infinity"),
        ("number", "1e999", ""),
        ("number", "1,5", "is not a number"),
        ("flag", "maybe", "neither true nor false"),
        ("moment", "yesterday", "is no date"),
        ("moment", "9" * 17, "between the years"),
        ("distance", "far", ""),
        ("distance", '{"distance": "x"}', ""),
        ("distance", '{"distance": 1, "units": "esriParsecs"}', "unknown unit"),
        ("distance", '{"distance": NaN, "units": "esriMeters"}', "not valid JSON"),
        ("features", "{", "not valid JSON"),
        ("features", "[]", "feature set"),
        ("features", '{"features": 1}', "features"),
        ("features", '{"features": [{"geometry": {"x": "a", "y": 1}}]}', "feature 0"),
        ("features", '{"features": [{"geometry": {"x": 1e999, "y": 1}}]}', ""),
        (
            "features",
            '{"geometryType": "esriGeometryPolygon", "features": [{"geometry": {"x": 1, "y": 1}}]}',
            "feature 0",
        ),
        ("features", '{"geometryType": "esriGeometryBlob", "features": []}', "geometryType"),
        ("features", '{"url": "http://127.0.0.1:9/FeatureServer/0"}', "not fetched"),
        ("records", '{"features": [1]}', "feature 0"),
        ("texts", "one", "JSON array"),
        ("texts", '{"a": 1}', "JSON array"),
        ("texts", '["a", ["b"]]', "value 2"),
        ("colour", "blue", "red, green"),
        ("text", "nul\x00l", "null character"),
    ],
)
def test_values_that_do_not_fit(task: Task, name: str, text: str, words: str) -> None:
    error = task.refused("everything", **{"text": "a", name: text})
    assert f"Parameter '{name}'" in error["message"]
    assert words in error["message"]


def test_all_problems_are_told_at_once(task: Task) -> None:
    error = task.refused("everything", whole="x", colour="blue", flag="2")
    assert len(error["details"]) == 4
    for name in ("text", "whole", "colour", "flag"):
        assert f"Parameter '{name}'" in error["message"]


def test_what_was_sent_is_echoed_briefly(task: Task) -> None:
    long = "x" * 300_000
    for name in ("whole", "colour", "flag", "distance", "moment"):
        assert len(task.refused("everything", text="a", **{name: long})["message"]) < 600


def test_a_job_is_submitted_once_per_key(client: httpx.Client) -> None:
    path, form = f"{EVERY}/talk/submitJob", {"f": "json"}
    before = count_jobs(client)
    ids = {
        json_of(client.post(path, data=form, headers={"Idempotency-Key": "once"}))["jobId"] for _ in range(3)
    }
    assert len(ids) == 1
    assert count_jobs(client) == before + 1


def test_a_key_that_says_something_else(client: httpx.Client) -> None:
    headers = {"Idempotency-Key": "for talk"}
    json_of(client.post(f"{EVERY}/talk/submitJob", data={"f": "json"}, headers=headers))
    error = error_of(client.post(f"{EVERY}/fail/submitJob", data={"f": "json"}, headers=headers))
    assert "used before, for a job of another task" in error["message"]
    long = {"f": "json", "milepost:key": "k" * 201}
    assert "longer than 200" in error_of(client.post(f"{EVERY}/talk/submitJob", data=long))["message"]


def test_submitting_needs_a_token_before_anything_is_made(nobody: httpx.Client, client: httpx.Client) -> None:
    """The SDK first asks without a token, and then again with one."""
    before = count_jobs(client)
    error = error_of(nobody.get(f"{EVERY}/talk/submitJob", params={"f": "json"}))
    assert (error["code"], error["message"]) == (499, "Token Required")
    assert count_jobs(client) == before


def test_head_changes_nothing(client: httpx.Client, task: Task) -> None:
    job = task.submit("slow", seconds=30)
    before = count_jobs(client)
    for path in (f"{EVERY}/talk/submitJob", f"{EVERY}/talk/execute", f"{job}/cancel"):
        answer = client.head(path, params={"f": "json"})
        assert (answer.status_code, answer.content) == (200, b"")
    assert client.head(job, params={"f": "json"}).status_code == 200
    assert count_jobs(client) == before
    assert wait_for_job(client, job, until=("Executing",))
    client.get(f"{job}/cancel?f=json")
