"""The jobs of a Video Server: the list, the resource with both its paths, files, and cancel."""

import uuid

import httpx
import msgspec
import pytest

from milepost.jobs import Message, Stage, Status
from milepost.jobs.trail import Trail
from milepost.servers.video import wire
from tests.servers.house import House
from tests.servers.talking import error_of, json_of
from tests.servers.video.made import make_layer, make_service

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120, method="thread")]

JOBS = "/video/rest/jobs"
SERVICE = "Video.VideoServer"
ITEM = "f17630387bee47b88fe001f7875eb18a"


async def test_a_layer_that_was_published(house: House, ann: httpx.AsyncClient) -> None:
    notes = "n" * 10_000  # too long to be kept with the job itself
    values = {"serviceItemId": ITEM, "requestedResolutions": "fhd", "notes": notes}
    job = await house.run(SERVICE, "add_layer", **values)
    url = f"{JOBS}/job/{wire.job_id(job)}"
    answer = json_of(await ann.get(url, params={"f": "json"}))
    assert answer == {
        "jobId": f"j{uuid.UUID(job.id)}",
        "inputs": values,
        "messages": ["Starting Ingest", "Video Files Created", "Ingest Complete"],
        "type": "Publish Streaming Service",
        "results": {"layerId": 0, "layerName": "Cheyenne_TS", "serviceName": "Cheyenne_TS"},
        "status": "COMPLETED",
        "username": "ann",
        "customAttributes": {"messageCodes": [117, 205, 118], "savingToStorage": True, "newLayerId": 0},
    }
    assert json_of(await ann.post(f"{JOBS}/{job.id}", data={"f": "pjson"})) == answer
    listed = json_of(await ann.get(JOBS, params={"f": "json"}))
    assert listed["asyncJobs"][0] == wire.job_id(job)
    page = (await ann.get(url)).text
    assert f'href="/arcgis{JOBS}"' in page
    assert "services/Cheyenne_TS/VideoServer" not in page.replace("&#34;", ""), "there is no such service"
    layer = make_layer(house.server, make_service(house.server, "Cheyenne_TS", "ann"))
    page = (await ann.get(url)).text
    assert f'href="/arcgis/video/rest/services/Cheyenne_TS/VideoServer/{layer.id}"' in page
    assert "<progress" not in page
    assert "Cheyenne_TS" in page
    assert f'href="/arcgis{url}"' in (await ann.get(JOBS)).text


async def test_a_file_comes_as_a_url_that_works(house: House, ann: httpx.AsyncClient) -> None:
    job = await house.run(SERVICE, "clip")
    answer = json_of(await ann.get(f"{JOBS}/job/{job.id}", params={"f": "json"}))
    file = await ann.get(answer["results"]["result"])
    assert (file.status_code, file.content) == (200, b"video")


async def test_what_no_step_has_said_has_a_code_too(house: House, ann: httpx.AsyncClient) -> None:
    job = await house.run(SERVICE, "process_layer", key="none", plan="no plan")
    answer = json_of(await ann.get(f"{JOBS}/job/{job.id}", params={"f": "json"}))
    assert (answer["status"], answer["customAttributes"]["messageCodes"]) == ("FAILED", [9000])
    for status, said, codes in (
        (Status.TIMED_OUT, Trail[Message](), [9098]),
        (Status.EXECUTING, Trail[Message]().with_one(Message(1, "warning", "It is tried again", 0)), [9097]),
    ):
        state = msgspec.structs.replace(job, status=status, messages=said)
        told = wire.job(state, inputs={}, results={})["customAttributes"]
        assert told["messageCodes"] == codes


@pytest.mark.parametrize("path", [f"{JOBS}/job", JOBS])
async def test_cancelled_once_and_for_all(house: House, ann: httpx.AsyncClient, path: str) -> None:
    job = await house.submit(SERVICE, "stream")
    await house.until(job, lambda state: state.status is Status.EXECUTING)
    url = f"{path}/{wire.job_id(job)}"
    at_work = json_of(await ann.get(url, params={"f": "json"}))
    assert (at_work["status"], at_work["results"]) == ("EXECUTING", {})
    assert "<progress" in (await ann.get(url)).text
    assert json_of(await ann.post(f"{url}/cancel", data={"f": "json"})) == {"success": True}
    assert (await house.manager.finished(job.id)).status is Status.CANCELLED
    ended = json_of(await ann.get(url, params={"f": "json"}))
    assert (ended["status"], ended["messages"][-1]) == ("CANCELLED", "The job was cancelled by ann")
    assert ended["customAttributes"]["messageCodes"][-1] == 9099
    assert len(ended["customAttributes"]["messageCodes"]) == len(ended["messages"])
    again = json_of(await ann.post(f"{url}/cancel", data={"f": "json"}))
    assert again == {"success": False, "message": "The job has ended and cannot be cancelled"}


async def test_what_is_not_there_for_somebody(
    house: House, ann: httpx.AsyncClient, bob: httpx.AsyncClient, root: httpx.AsyncClient
) -> None:
    job = await house.run(SERVICE, "clip")
    mission = await house.run("Mission.MissionServer", "add_mission")
    url = f"{JOBS}/job/{wire.job_id(job)}"
    assert json_of(await root.get(url, params={"f": "json"}))["username"] == "ann"
    assert wire.job_id(job) in json_of(await root.get(JOBS, params={"f": "json"}))["asyncJobs"]
    assert json_of(await bob.get(JOBS, params={"f": "json"})) == {"asyncJobs": []}
    assert error_of(await bob.get(url, params={"f": "json"}))["code"] == 404
    assert error_of(await bob.post(f"{url}/cancel", data={"f": "json"}))["code"] == 404
    for other in (uuid.uuid4().hex, mission.id):
        assert error_of(await ann.get(f"{JOBS}/job/{other}", params={"f": "json"}))["code"] == 404
    await house.manager.delete(job.id, "ann")
    assert error_of(await ann.get(url, params={"f": "json"}))["code"] == 404


async def test_a_step_that_was_left_out_is_told_as_such(house: House) -> None:
    job = await house.run(SERVICE, "clip")
    stages = (Stage("a", "finished"), Stage("b"), Stage("c", "started"), Stage("d"))
    told = wire.job(msgspec.structs.replace(job, stages=stages), inputs={}, results={}, progress=True)
    steps = told["customAttributes"]["milepostProgress"]["steps"]
    assert [each["state"] for each in steps] == ["finished", "skipped", "started", "pending"]
