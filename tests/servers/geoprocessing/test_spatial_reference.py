"""Features come back in the spatial reference that was asked for."""

import json

import pytest

from tests.running import wait_for_job
from tests.servers.talking import EVERY, Task, json_of

WEB_MERCATOR = {"wkid": 102100, "latestWkid": 3857}
METERS_PER_DEGREE = 111319.49079327358


@pytest.mark.parametrize(
    "environment",
    [
        {"env:outSR": "102100"},
        {"env:outSR": "3857"},
        {"env:outSR": '{"wkid": 102100, "latestWkid": 3857}'},
        {"context": '{"outSR": {"wkid": 102100}}'},
        {"context": '{"outSR": 3857, "extent": {"xmin": 0}, "processSR": {"wkid": 4326}}'},
        {"context": '{"outSR": {"wkid": 102100}}', "env:outSR": "4326"},
    ],
)
def test_features_are_reprojected(task: Task, environment: dict[str, str]) -> None:
    job, state = task.run("parcels", count=3, **environment)
    assert state["jobStatus"] == "esriJobSucceeded", state
    value = task.result(job, "result")["value"]
    assert value["spatialReference"] == WEB_MERCATOR
    assert [each["geometry"]["x"] for each in value["features"]] == pytest.approx(
        [0, METERS_PER_DEGREE, 2 * METERS_PER_DEGREE]
    )
    assert [each["attributes"] for each in value["features"]] == [{"number": each} for each in range(3)]
    assert value["fields"] == [{"name": "number", "type": "esriFieldTypeInteger", "alias": "Number"}]


@pytest.mark.parametrize("environment", [{}, {"env:outSR": ""}, {"context": "{}"}, {"env:outSR": "4326"}])
def test_features_stay_where_they_are(task: Task, environment: dict[str, str]) -> None:
    job, _ = task.run("parcels", **environment)
    value = task.result(job, "result")["value"]
    assert value["spatialReference"] == {"wkid": 4326}
    assert [each["geometry"]["x"] for each in value["features"]] == [0.0, 1.0]


def test_no_features_are_in_it_too(task: Task) -> None:
    job, _ = task.run("parcels", count=0, **{"env:outSR": "102100"})
    value = task.result(job, "result")["value"]
    assert (value["spatialReference"], value["features"]) == (WEB_MERCATOR, [])


def test_execute_too(task: Task) -> None:
    answer = json_of(
        task.client.get(f"{EVERY}/parcels/execute", params={"f": "json", "env:outSR": "102100", "count": "1"})
    )
    assert answer["results"][0]["value"]["spatialReference"] == WEB_MERCATOR


def test_work_is_not_lost_for_a_reference_that_does_not_reach_there(task: Task) -> None:
    """The features keep their own, and the job says so."""
    nowhere = {
        "geometryType": "esriGeometryPoint",
        "spatialReference": {"wkid": 4326},
        "features": [{"attributes": {"a": 1}, "geometry": {"x": 0, "y": 95}}],
    }
    form = {"text": "a", "features": json.dumps(nowhere), "env:outSR": "102100"}
    job = task.submit("everything", **form)
    state = wait_for_job(task.client, job)
    assert state["jobStatus"] == "esriJobSucceeded"
    (message,) = state["messages"]
    assert message["type"] == "esriJobMessageTypeWarning"
    assert message["description"].startswith("The result features_back could not be brought into")
    value = task.result(job, "features_back")["value"]
    assert value["spatialReference"] == {"wkid": 4326}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("env:outSR", "999999"),
        ("env:outSR", "nonsense"),
        ("env:outSR", "5703"),  # heights
        ("env:outSR", "{"),
        ("env:outSR", "{}"),
        ("env:outSR", '{"wkid": "x"}'),
        ("env:outSR", "[" * 100_000),
        ("env:outSR", "{" * 100_000),
        ("env:outSR", '{"wkid":' * 5000),
        ("env:outSR", "G" * 500_000),
        ("context", "4326"),
        ("context", "{"),
        ("context", '{"outSR":' * 10_000),
        ("context", '{"outSR": {"wkid": 999999}}'),
        ("context", '{"outSR": [1]}'),
        ("context", '{"outSR": true}'),
    ],
)
def test_references_that_are_none(task: Task, name: str, text: str) -> None:
    error = task.refused("parcels", **{name: text})
    assert error["message"].startswith(f"Parameter '{name}': ")
    assert len(error["message"]) < 600
