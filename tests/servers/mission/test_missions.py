"""The life of a mission over HTTP: made, read, edited, deleted."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from milepost.features import FeatureServices
from milepost.jobs import Status
from tests.servers.house import House
from tests.servers.talking import error_of, json_of

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120, method="thread")]

REST = "/mission/rest"
CREATE = f"{REST}/services/createMission"
BASE = "http://gis.example.com/arcgis"

MESSAGES = [
    (1500, "Started mission creation."),
    (1501, "Creating tracks layers for location awareness."),
    (1503, "Creating communications layers for collaboration."),
    (1505, "Creating events layers for mission logs."),
    (1502, "Created tracks layers for location awareness."),
    (1504, "Created communications layers for collaboration."),
    (1506, "Created events layers for mission logs."),
    (1507, "Creating map for visualization."),
    (1508, "Created map for visualization."),
    (1509, "Finishing mission creation."),
]
"""Those of the document, but for the last one, which names the mission."""


@pytest.fixture(scope="module")
async def pat(house: House) -> AsyncIterator[httpx.AsyncClient]:
    """A publisher."""
    async with house.client("pat") as client:
        yield client


async def made(client: httpx.AsyncClient, **parameters: Any) -> str:
    """The id of a new mission."""
    answer = json_of(await client.post(CREATE, data={"title": "Flood", "f": "json"} | parameters))
    assert answer.keys() == {"success", "missionId", "itemId"}, answer
    return str(answer["missionId"])


async def read(client: httpx.AsyncClient, mission_id: str) -> dict[str, Any]:
    answer = await client.get(f"{REST}/services/{mission_id}/MissionServer", params={"f": "json"})
    mission: dict[str, Any] = json_of(answer)
    return mission


async def job_of(house: House, client: httpx.AsyncClient, answer: dict[str, Any]) -> dict[str, Any]:
    """The job that an answer names, once it has ended."""
    assert answer.keys() == {"success", "jobId"}, answer
    await house.manager.finished(uuid.UUID(answer["jobId"][1:]).hex)
    job: dict[str, Any] = json_of(await client.get(f"{REST}/jobs/{answer['jobId']}", params={"f": "json"}))
    return job


async def test_the_job_is_that_of_the_document(house, pat):
    form = {"title": "Flood", "async": "true", "f": "json"}
    job = await job_of(house, pat, json_of(await pat.post(CREATE, data=form)))
    mission_id = job["customAttributes"]["missionId"]
    assert uuid.UUID(mission_id).hex == mission_id
    codes = [code for code, _ in MESSAGES] + [1510]
    assert job["messages"] == [text for _, text in MESSAGES] + [f"Finished creating mission {mission_id}."]
    assert job["customAttributes"] == {
        "stepsCompleted": 5,
        "isCancelled": False,
        "missionId": mission_id,
        "messageCodes": codes,
        "totalSteps": 5,
    }
    assert (job["type"], job["status"], job["username"]) == ("createNewMissionService", "COMPLETED", "pat")
    assert (await read(pat, mission_id))["missionId"] == mission_id


async def test_the_older_name_makes_a_mission_too(house, pat):
    form = {"title": "Flood", "async": "true", "f": "json"}
    job = await job_of(house, pat, json_of(await pat.post(f"{REST}/services/addMission", data=form)))
    assert (job["type"], job["status"]) == ("addMission", "COMPLETED")
    assert (await read(pat, job["customAttributes"]["missionId"]))["title"] == "Flood"


async def test_the_mission_is_as_it_was_wanted(house, pat):
    base_map = '{"title": "Streets", "baseMapLayers": [{"id": "a", "url": "https://x.example.com"}]}'
    mission_id = await made(
        pat,
        title=" Search at the lake ",
        snippet="Who searches where",
        description="<b>All</b> of it",
        licenseInfo="CC0",
        capabilities="track, chat",
        tags="lake,search,lake",
        extent=" 1.41,42.43,1.79,42.66",
        locale="de-CH",
        baseMap=base_map,
        appId="",
    )
    mission = await read(pat, mission_id)
    channels = mission.pop("channels")
    uuid.UUID(mission.pop("groupId"))
    map_item = mission.pop("itemId")
    assert mission.pop("created") > 1_700_000_000_000
    assert mission == {
        "currentVersion": "11.0",
        "missionId": mission_id,
        "owner": "pat",
        "title": "Search at the lake",
        "summary": "Who searches where",
        "description": "<b>All</b> of it",
        "thumbnail": "",
        "capabilities": "TRACK,CHAT",
        "folderId": mission_id,
        "licenseInfo": "CC0",
        "type": "MissionServer",
        "tags": ["lake", "search"],
        "extent": [1.41, 42.43, 1.79, 42.66],
        "locale": "de-CH",
    }
    service = f"{BASE}/rest/services/Missions/mission_{mission_id}/FeatureServer"
    assert [each["name"] for each in channels] == ["TRACKS", "COMMUNICATIONS", "EVENTS"]
    assert len({each["msgId"] for each in channels}) == 3
    items = [each["items"] for each in channels]
    assert [(each["serviceUrl"], each["layerId"], each["name"]) for [each] in items] == [
        (service, 0, "Tracks"),
        (service, 1, "Communications"),
        (service, 2, "Events"),
    ]
    # The other address, and the other method.
    again = json_of(await pat.post(f"{REST}/missions/{mission_id.upper()}", data={"f": "pjson"}))
    assert (again["missionId"], again["itemId"]) == (mission_id, map_item)


async def test_its_layers_are_edited_and_queried(house, pat):
    mission = await read(pat, await made(pat))
    url = mission["channels"][0]["items"][0]["serviceUrl"]
    about = json_of(await pat.get(url, params={"f": "json"}))
    assert [each["name"] for each in about["layers"]] == ["Tracks", "Communications", "Events"]
    here = {
        "attributes": {"user_name": "pat", "speed": 1.5, "location_timestamp": 1_790_000_000_000},
        "geometry": {"x": 1.5, "y": 42.5},
    }
    import json

    added = json_of(
        await pat.post(f"{url}/0/addFeatures", data={"features": json.dumps([here]), "f": "json"})
    )
    assert added["addResults"][0]["success"], added
    found = json_of(
        await pat.get(f"{url}/0/query", params={"where": "user_name='pat'", "outFields": "*", "f": "json"})
    )
    assert found["features"][0]["attributes"]["speed"] == 1.5
    assert found["features"][0]["geometry"]["x"] == 1.5


@pytest.mark.parametrize(
    ("wrong", "names"),
    [
        ({"title": " "}, ["title"]),
        ({"title": "x" * 251}, ["title"]),
        ({"title": "a\x00b"}, ["title"]),
        ({"extent": "1,2,3"}, ["extent"]),
        ({"extent": "10,0,5,20"}, ["extent"]),
        ({"extent": "nan,0,5,20"}, ["extent"]),
        ({"extent": "0,0,500,20"}, ["extent"]),
        ({"capabilities": "TRACK,FLY"}, ["capabilities"]),
        ({"baseMap": "{"}, ["baseMap"]),
        ({"baseMap": '{"baseMapLayers": "no"}'}, ["baseMap"]),
        ({"locale": "?"}, ["locale"]),
        ({"appId": "a-b"}, ["appId"]),
        ({"async": "maybe"}, ["async"]),
        ({"templateWebMapId": "0" * 32}, ["templateWebMapId"]),
        ({"title": "", "extent": "x", "capabilities": "FLY"}, ["title", "extent", "capabilities"]),
    ],
)
async def test_what_does_not_fit_is_refused_before_there_is_a_job(house, pat, wrong, names):
    before = json_of(await pat.get(f"{REST}/jobs", params={"f": "json"}))
    error = error_of(await pat.post(CREATE, data={"title": "Flood", "f": "json"} | wrong))
    assert error["code"] == 400
    for name in names:
        assert f"'{name}'" in error["message"]
    assert json_of(await pat.get(f"{REST}/jobs", params={"f": "json"})) == before


async def test_the_map_of_another_mission_is_a_template(house, pat):
    base_map = '{"title": "Relief", "baseMapLayers": [{"id": "r"}]}'
    first = await read(pat, await made(pat, baseMap=base_map))
    second = await read(pat, await made(pat, templateWebMapId=first["itemId"]))
    assert house.server.missions.map(second["missionId"])["baseMap"]["title"] == "Relief"


async def test_the_catalog_has_ones_own_missions_newest_first_in_pages(house, pat, root, bob):
    made_now = [await made(pat, title=f"Number {number}") for number in range(3)]
    page = json_of(await pat.get(f"{REST}/services", params={"f": "json", "num": "2"}))
    assert [each["name"] for each in page["services"]] == made_now[:0:-1]
    assert page["services"][0] == {"name": made_now[2], "type": "MissionServer", "title": "Number 2"}
    assert (page["folders"], page["start"], page["num"], page["nextStart"]) == ([], 1, 2, 3)
    following = json_of(await pat.get(f"{REST}/services", params={"f": "json", "num": "2", "start": "3"}))
    assert following["services"][0]["name"] == made_now[0]
    last = json_of(await pat.get(f"{REST}/services", params={"f": "json", "start": str(page["total"])}))
    assert (len(last["services"]), last["nextStart"]) == (1, -1)
    everybodys = json_of(await root.get(f"{REST}/services", params={"f": "json"}))
    assert {each["name"] for each in everybodys["services"]} >= {*made_now}
    assert json_of(await bob.get(f"{REST}/services", params={"f": "json"}))["services"] == []


async def test_who_may_do_what(house, pat, root, bob, ann):
    mission_id = await made(pat)
    url = f"{REST}/services/{mission_id}/MissionServer"
    layers = f"/rest/services/Missions/mission_{mission_id}/FeatureServer"
    assert error_of(await ann.post(CREATE, data={"title": "Hers", "f": "json"}))["code"] == 403
    for path in (url, f"{url}/delete", layers, f"{layers}/0/query", f"{layers}/0/addFeatures"):
        assert error_of(await bob.post(path, data={"f": "json"}))["code"] == 404, path
        async with house.client() as nobody:
            assert error_of(await nobody.post(path, data={"f": "json"}))["code"] == 499
    listed = json_of(await bob.get("/rest/services/Missions", params={"f": "json"}))
    assert listed["services"] == []
    assert json_of(await root.get(url, params={"f": "json"}))["owner"] == "pat"
    assert json_of(await root.get(layers, params={"f": "json"}))["layers"]


@pytest.mark.parametrize(
    "way", ["services/{}/MissionServer/delete", "services/{}/delete", "missions/{}/delete"]
)
async def test_a_deleted_mission_leaves_nothing_behind(house, pat, way):
    data = house.server.settings.data
    before = files_in(data)
    mission_id = await made(pat)
    assert files_in(data) != before
    job = await job_of(
        house, pat, json_of(await pat.post(f"{REST}/{way.format(mission_id)}", data={"f": "json"}))
    )
    assert (job["type"], job["status"]) == ("deleteMissionService", "COMPLETED")
    assert job["customAttributes"]["missionId"] == mission_id
    assert (job["customAttributes"]["stepsCompleted"], job["customAttributes"]["totalSteps"]) == (2, 2)
    assert error_of(await pat.get(f"{REST}/missions/{mission_id}", params={"f": "json"}))["code"] == 404
    assert error_of(await pat.post(f"{REST}/missions/{mission_id}/delete", data={"f": "json"}))["code"] == 404
    assert files_in(data) == before
    assert house.server.missions.map(mission_id) == {}


async def test_a_deletion_may_be_waited_for(house, pat):
    mission_id = await made(pat)
    form = {"async": "false", "f": "json"}
    answer = json_of(await pat.post(f"{REST}/services/{mission_id}/MissionServer/delete", data=form))
    assert answer == {"success": True}
    assert error_of(await pat.get(f"{REST}/missions/{mission_id}", params={"f": "json"}))["code"] == 404


async def test_twenty_at_once_and_none_mixed_up(house, pat, root):
    people = {"pat": pat, "root": root}
    wanted = [(who, f"Mission {number} of {who}") for number in range(10) for who in people]
    ids = await asyncio.gather(*(made(people[who], title=title, tags=title) for who, title in wanted))
    assert len(set(ids)) == 20
    for (who, title), mission_id in zip(wanted, ids, strict=True):
        mission = await read(people[who], mission_id)
        assert (mission["owner"], mission["title"], mission["tags"]) == (who, title, [title])
        [item] = mission["channels"][2]["items"]
        about = json_of(await people[who].get(item["serviceUrl"], params={"f": "json"}))
        assert len(about["layers"]) == 3
        assert title in about["serviceDescription"]


def files_in(data) -> set[str]:
    """The feature services and drafts of them."""
    root = FeatureServices(data).root
    return {str(path.relative_to(root)) for path in root.glob("*/*")}


async def test_cancelled_while_it_waits_or_works_it_leaves_nothing_behind(house, pat):
    data = house.server.settings.data
    before = files_in(data)
    total = json_of(await pat.get(f"{REST}/services", params={"f": "json"}))["total"]
    jobs = []
    for _ in range(12):
        answer = json_of(await pat.post(CREATE, data={"title": "Never", "async": "true", "f": "json"}))
        jobs.append(answer["jobId"])
        cancelled = json_of(await pat.post(f"{REST}/jobs/{answer['jobId']}/cancel", data={"f": "json"}))
        assert cancelled["success"] is True
    for job_id in jobs:
        job = await house.manager.finished(uuid.UUID(job_id[1:]).hex)
        assert job.status is Status.CANCELLED
    assert files_in(data) == before
    assert json_of(await pat.get(f"{REST}/services", params={"f": "json"}))["total"] == total
