"""Features are changed by those who may, and each learns what became of it."""

import pytest

from milepost.security import Privilege
from tests.servers.features.town import PATH, Asking, ask, town

__all__ = ["ask", "town"]

pytestmark = pytest.mark.anyio

TOWER = {"attributes": {"name": "Tower", "height": 40}, "geometry": {"x": 20, "y": 10}}


async def test_features_are_added_changed_and_deleted(ask, town):
    [added] = (await ask("/0/addFeatures", features=[TOWER]))["addResults"]
    assert added == {"objectId": 11, "uniqueId": 11, "globalId": added["globalId"], "success": True}
    change = {"attributes": {"OBJECTID": 11, "height": 41}}
    assert (await ask("/0/updateFeatures", features=[change]))["updateResults"][0]["success"] is True
    [tower] = (await ask("/0/query", objectIds="11"))["features"]
    assert tower["attributes"]["height"] == 41
    assert tower["attributes"]["kind"] == "house"  # the default
    assert tower["geometry"] == {"x": 20, "y": 10}
    answer = await ask("/0/deleteFeatures", objectIds="11")
    assert [each["success"] for each in answer["deleteResults"]] == [True]
    assert (await ask("/0/query", objectIds="11"))["features"] == []


async def test_features_are_deleted_by_condition_and_by_place(ask, town):
    assert len((await ask("/0/deleteFeatures", where="height > 10"))["deleteResults"]) == 3
    assert len((await ask("/0/deleteFeatures", geometry="0,0,1,9"))["deleteResults"]) == 2
    assert await ask("/0/query", returnCountOnly=True) == {"count": 5}
    assert (await ask("/0/deleteFeatures"))["error"]["code"] == 400


async def test_a_layer_takes_all_edits_at_once(ask, town):
    answer = await ask(
        "/0/applyEdits",
        adds=[TOWER],
        updates=[{"attributes": {"OBJECTID": 1, "name": "First"}}],
        deletes="2,3",
    )
    assert {name: len(each) for name, each in answer.items()} == {
        "addResults": 1,
        "updateResults": 1,
        "deleteResults": 2,
    }
    assert await ask("/0/query", returnCountOnly=True) == {"count": 9}


async def test_one_that_fails_takes_the_others_back(ask, town):
    bad = {"attributes": {"name": None}, "geometry": {"x": 1, "y": 1}}
    results = (await ask("/0/addFeatures", features=[TOWER, bad]))["addResults"]
    assert [each["success"] for each in results] == [False, False]
    assert results[0]["error"]["code"] == 1003
    assert results[1] == {
        "objectId": -1,
        "uniqueId": -1,
        "globalId": None,
        "success": False,
        "error": {"code": 1000, "description": "field 'name' must have a value"},
    }
    results = (await ask("/0/addFeatures", features=[TOWER, bad], rollbackOnFailure=False))["addResults"]
    assert [each["success"] for each in results] == [True, False]


async def test_a_service_takes_edits_of_several_layers(ask, town):
    guid = "{9C5F1E4E-2B0C-4B5E-9B1A-0A3F6D7C8E91}"
    remark = {"attributes": {"text": "new", "GlobalID": guid}}
    tower = {
        **TOWER,
        "attributes": {**TOWER["attributes"], "GlobalID": "9c5f1e4e-2b0c-4b5e-9b1a-0a3f6d7c8e92"},
    }
    edits = [{"id": 0, "adds": [tower]}, {"id": 4, "adds": [remark]}]
    answer = await ask("/applyEdits", edits=edits, useGlobalIds=True)
    assert [each["id"] for each in answer] == [0, 4]
    assert answer[1]["addResults"][0]["globalId"] == guid
    deleted = await ask("/applyEdits", edits=[{"id": 4, "deletes": [guid]}], useGlobalIds=True)
    assert deleted[0]["deleteResults"][0]["success"] is True
    undone = await ask("/applyEdits", edits=[{"id": 4, "adds": [remark]}, {"id": 0, "deletes": [999]}])
    assert undone[0]["addResults"][0]["success"] is False
    assert await ask("/4/query", returnCountOnly=True) == {"count": 1}


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("/0/addFeatures", {"features": "x"}),
        ("/0/addFeatures", {"features": "5"}),
        ("/0/updateFeatures", {"features": "[[[["}),
        ("/0/deleteFeatures", {"objectIds": "x"}),
        ("/0/deleteFeatures", {"where": "1=1 OR (SELECT 1)"}),
        ("/0/applyEdits", {"deletes": "[null]"}),
        ("/0/applyEdits", {"adds": "x"}),
        ("/applyEdits", {"edits": '{"id": 0}'}),
        ("/applyEdits", {"edits": '[{"id": 77, "adds": [{}]}]'}),
        ("/applyEdits", {"edits": '[{"id": 0, "adds": 5}]'}),
    ],
)
async def test_what_is_not_understood_changes_nothing(ask, town, path, parameters):
    assert (await ask(path, **parameters))["error"]["code"] == 400
    assert await ask("/0/query", returnCountOnly=True) == {"count": 10}


@pytest.mark.parametrize(
    ("name", "may"), [("ann", True), ("bob", True), ("root", True), ("pat", False), ("vera", False)]
)
async def test_a_service_is_edited_by_its_owner_its_editors_and_administrators(house, town, name, may):
    async with house.client(name) as client:
        ask = Asking(client)
        answer = await ask("/0/addFeatures", features=[TOWER])
        assert (answer.get("error", {}).get("code") == 403) is not may
        assert await ask("/0/query", returnCountOnly=True) == {"count": 10 + may}
        page = (await client.get(PATH + "/0")).text
        assert ("addFeatures" in page) is may


async def test_a_service_can_be_for_everybody_with_the_privilege(house, town):
    house.server.features.change("Maps/Town", everybody_edits=True)
    async with house.client("pat") as client:
        assert (await Asking(client)("/0/addFeatures", features=[TOWER]))["addResults"][0]["success"] is True
    async with house.client("vera") as client:
        ask = Asking(client)
        assert (await ask("/0/addFeatures", features=[TOWER]))["error"]["code"] == 403
        house.server.people.set_granted("vera", [Privilege.EDIT_FEATURES])
        try:
            assert (await ask("/0/addFeatures", features=[TOWER]))["addResults"][0]["success"] is True
        finally:
            house.server.people.set_granted("vera", [])


async def test_a_service_may_let_people_only_add(house, ask, town):
    house.server.features.change("Maps/Town", capabilities=("Query", "Create"))
    assert (await ask("/0"))["capabilities"] == "Query,Create,Editing"
    assert (await ask("/0/addFeatures", features=[TOWER]))["addResults"][0]["success"] is True
    for path, given in (
        ("/0/deleteFeatures", {"objectIds": "1"}),
        ("/0/updateFeatures", {"features": [{"attributes": {"OBJECTID": 1}}]}),
        ("/0/applyEdits", {"deletes": "1"}),
        ("/applyEdits", {"edits": [{"id": 0, "deletes": [1]}]}),
    ):
        assert "does not let anybody" in (await ask(path, **given))["error"]["message"]


async def test_edits_go_by_get_too_but_not_from_the_forms_of_other_sites(house, town):
    async with house.client("ann") as client:
        token = client.headers.pop("X-Esri-Authorization").removeprefix("Bearer ")
        given = {"f": "json", "features": '[{"attributes": {"name": "x"}, "geometry": {"x": 1, "y": 1}}]'}
        answer = await client.get(PATH + "/0/addFeatures", params={**given, "token": token})
        assert answer.json()["addResults"][0]["success"] is True
        client.cookies.set("agstoken", token)
        forged = await client.post(
            PATH + "/0/addFeatures", data=given, headers={"Origin": "https://evil.example"}
        )
        assert "error" in forged.json()
    assert town.layers[0].count() == 11
