"""Reports, items of the portal, and where the channel is."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.servers.house import House
from tests.servers.talking import error_of, json_of

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120, method="thread")]

BASE = "http://gis.example.com/arcgis"
JSON = {"f": "json"}


@pytest.fixture(scope="module")
async def pat(house: House) -> AsyncIterator[httpx.AsyncClient]:
    """A publisher."""
    async with house.client("pat") as client:
        yield client


@pytest.fixture(scope="module")
async def url(pat: httpx.AsyncClient) -> str:
    """A mission."""
    made = json_of(
        await pat.post(
            "/mission/rest/services/createMission", data={"title": "Flood", "extent": "1,2,3,4", **JSON}
        )
    )
    return f"/mission/rest/services/{made['missionId']}/MissionServer"


QUESTIONS = [
    {"fieldName": "what", "label": "What is damaged?", "type": "esriQuestionTypeTextBox", "isRequired": True},
    {"fieldName": "how_many", "label": "How many", "type": "esriQuestionTypeNumber"},
    {"fieldName": "when_seen", "label": "When", "type": "Date/Time"},
    {"fieldName": "more", "label": "More", "type": "Multiline Text"},
]


async def test_a_report_is_a_layer_with_the_questions_as_fields(pat, bob, url):
    form = {
        "title": "Damage",
        "serviceName": "Damage_1",
        "source": "user",
        "questions": json.dumps(QUESTIONS),
        "displayField": "",
        "drawingInfo": "",
        "shareAsTemplate": "False",
        "tags": "report",
        "locale": "en",
        **JSON,
    }
    added = json_of(await pat.post(f"{url}/addReport", data=form))
    assert added["success"] is True
    assert added["serviceUrl"] == f"{BASE}/rest/services/Missions/Damage_1/FeatureServer"
    told = json_of(await pat.get(f"{url}/reports", params=JSON))
    assert (told["name"], told["items"]) == ("REPORT", [{k: v for k, v in added.items() if k != "success"}])
    layer = json_of(await pat.get(f"{added['serviceUrl']}/0", params=JSON))
    types = {each["name"]: each["type"] for each in layer["fields"]}
    assert (
        types.items()
        >= {
            "what": "esriFieldTypeString",
            "how_many": "esriFieldTypeDouble",
            "when_seen": "esriFieldTypeDate",
            "more": "esriFieldTypeString",
        }.items()
    )
    assert layer["displayField"] == "what"
    assert error_of(await bob.get(f"{added['serviceUrl']}/0", params=JSON))["code"] == 404
    again = error_of(await pat.post(f"{url}/reports/add", data=form))
    assert "'Damage_1'" in again["message"]


async def test_a_report_without_questions_has_those_of_the_document(pat, url):
    added = json_of(await pat.post(f"{url}/addReport", data={"title": "Free", "serviceName": "Free", **JSON}))
    layer = json_of(await pat.get(f"{added['serviceUrl']}/0", params=JSON))
    assert {"subject", "notes"} <= {each["name"] for each in layer["fields"]}


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"title": ""}, "title"),
        ({"source": "sensor"}, "source"),
        ({"source": "bird"}, "source"),
        ({"serviceName": "a b"}, "serviceName"),
        ({"serviceName": "x" * 88}, "serviceName"),
        ({"questions": "[]"}, "questions"),
        ({"questions": "{"}, "questions"),
        ({"questions": '[{"type": "esriQuestionTypeGuess"}]'}, "questions"),
        ({"questions": '[{"type": "TextBox", "fieldName": "a;b"}]'}, "questions"),
        ({"drawingInfo": "["}, "drawingInfo"),
    ],
)
async def test_a_report_that_cannot_be_is_refused(pat, url, wrong: dict[str, Any], name: str):
    form = {"title": "Damage", "serviceName": "Damage_2", **JSON} | wrong
    error = error_of(await pat.post(f"{url}/addReport", data=form))
    assert error["code"] == 400
    assert f"'{name}'" in error["message"]


async def test_the_web_map_is_an_item_of_the_portal(pat, bob, url):
    mission = json_of(await pat.get(url, params=JSON))
    item = json_of(await pat.get(f"/sharing/rest/content/items/{mission['itemId']}", params=JSON))
    assert (item["type"], item["title"], item["owner"]) == ("Web Map", "Flood", "pat")
    assert item["extent"] == [[1, 2], [3, 4]]
    content = json_of(await pat.get(f"/sharing/rest/content/items/{mission['itemId']}/data", params=JSON))
    urls = [each["url"] for each in content["operationalLayers"]]
    assert urls == [
        f"{each['items'][0]['serviceUrl']}/{number}" for number, each in enumerate(mission["channels"])
    ]
    for layer in urls:
        assert json_of(await pat.get(layer, params=JSON))["geometryType"] == "esriGeometryPoint"
    layers = mission["channels"][0]["items"][0]["itemId"]
    assert (
        json_of(await pat.get(f"/sharing/rest/content/items/{layers}", params=JSON))["type"]
        == "Feature Service"
    )
    assert error_of(await bob.get(f"/sharing/rest/content/items/{layers}", params=JSON))["code"] == 400


async def test_the_items_lie_in_the_folder_that_the_mission_names(pat, bob, url):
    mission = json_of(await pat.get(url, params=JSON))
    path = f"/sharing/rest/content/users/pat/{mission['folderId']}"
    folder = json_of(await pat.get(path, params=JSON))
    assert (folder["currentFolder"]["id"], folder["currentFolder"]["title"]) == (mission["folderId"], "Flood")
    assert [each["type"] for each in folder["items"]] == ["Mission", "Web Map", "Feature Service"]
    for each in folder["items"]:
        assert json_of(await pat.get(f"/sharing/rest/content/items/{each['id']}", params=JSON)) == each
    other = path.replace("/pat/", "/bob/")
    for client, wrong in ((bob, path), (pat, other), (pat, f"/sharing/rest/content/users/pat/{'0' * 32}")):
        assert error_of(await client.get(wrong, params=JSON))["code"] == 400


async def test_where_the_channel_is(pat, bob, url):
    said = json_of(await pat.get(f"{url}/connectionInfo", params=JSON))
    assert said["url"] == f"ws://gis.example.com/arcgis{url}/channel"
    assert said["missionId"] in url
    assert said["token"]
    assert error_of(await pat.get(f"{url}/connectionInfo", params={"appId": "a-b", **JSON}))["code"] == 400
    assert error_of(await bob.get(f"{url}/connectionInfo", params=JSON))["code"] == 404
