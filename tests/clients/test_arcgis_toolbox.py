"""Tools at a notebook: ``import_toolbox`` of the package arcgis."""

import pytest

from tests.clients.sites import POINT, Site, Told


@pytest.fixture(scope="module")
def told(python_client: None, site: Site) -> Told:
    return site.run("arcgis_toolbox.py", points=POINT)


def test_each_tool_is_a_function_that_explains_itself(told: Told) -> None:
    tools = told["tools_are_functions"]
    assert {"everything", "copy_files", "slow", "fail", "talk", "parcels"} <= set(tools["names"])
    assert "Gives back what it gets." in tools["help"]
    assert "text: Text (str). Required parameter.  Some words." in tools["help"]
    assert "Choice list:red,green" in tools["help"]


def test_a_tool_gives_back_every_kind_of_value(told: Told) -> None:
    got = told["tool_with_every_kind_of_value"]
    assert got["fields"][:3] == ["text_back", "whole_back", "number_back"]
    assert len(got["fields"]) == 10
    assert (got["text"], got["whole"], got["number"], got["flag"]) == ("Zürich", 3, 2.5, True)
    distance, units = got["distance"]
    assert (distance, units.lower()) == (2, "esrikilometers")  # the client capitalizes by itself
    [feature] = got["features"]["features"]
    assert (feature["geometry"]["x"], feature["geometry"]["y"]) == (8.5, 47.4)
    assert feature["attributes"]["name"] == "Zürich"
    assert got["features"]["spatialReference"] == {"wkid": 4326}
    assert got["texts"] == ["a", "b"]
    assert got["colour"] == "red"


def test_the_only_result_comes_alone(told: Told) -> None:
    features = told["only_result_comes_alone"]["features"]
    assert [each["attributes"]["number"] for each in features] == [0, 1, 2]


def test_a_result_file_is_downloaded(told: Told) -> None:
    assert told["result_file_is_downloaded"] == "<p>hello</p>"


def test_a_file_goes_up_and_its_copy_comes_down(told: Told) -> None:
    assert told["file_goes_up_and_comes_down"] == {
        "name": "hills.csv",
        "copy": "name,height\nRigi,1798\n",
        "image": "RasterData",
        "deleted": True,
    }


def test_a_synchronous_tool_answers_at_once(told: Told) -> None:
    assert told["synchronous_tool"] == 42


def test_a_tool_that_fails_tells_why(told: Told) -> None:
    assert "The bridge is out" in told["tool_that_fails"]
    assert "so far so good" in told["tool_that_fails"]


def test_wrong_input_is_refused_at_once(told: Told) -> None:
    # The client drops the server's words; that it stops is all it can show.
    assert told["tool_with_wrong_input"] == "KeyError: 'jobId'"


def test_a_running_tool_is_cancelled(told: Told) -> None:
    assert told["cancelled_tool"] == {
        "answer": True,
        "status": "esriJobCancelled",
        "messages": ["at work"],
    }


def test_a_job_need_not_be_waited_for(told: Told) -> None:
    assert told["job_without_waiting"] == {"status": "esriJobSucceeded", "done": True, "features": 1}


def test_a_buffer_is_made(told: Told) -> None:
    polygons = told["buffer_of_the_toolbox"]
    assert polygons["geometryType"] == "esriGeometryPolygon"
    [feature] = polygons["features"]
    assert feature["attributes"]["name"] == "Zürich"
    [ring] = feature["geometry"]["rings"]
    assert max(y for _, y in ring) == pytest.approx(47.4 + 1 / 111.2, abs=1e-4)
