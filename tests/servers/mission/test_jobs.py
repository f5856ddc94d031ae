"""The jobs of a Mission Server: the list, the resource, cancel, and who may see what."""

import uuid

import httpx
import pytest

from milepost.jobs import Status
from milepost.servers.mission import wire
from tests.servers.dialect_operations import MISSION_ID
from tests.servers.house import House
from tests.servers.talking import error_of, json_of

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120, method="thread")]

JOBS = "/mission/rest/jobs"
SERVICE = "Mission.MissionServer"


async def test_a_mission_that_was_made(house: House, ann: httpx.AsyncClient) -> None:
    job = await house.run(SERVICE, "add_mission")
    answer = json_of(await ann.get(f"{JOBS}/{wire.job_id(job)}", params={"f": "json"}))
    assert answer == {
        "jobId": f"j{uuid.UUID(job.id)}",
        "messages": [
            "Started mission creation.",
            "Creating tracks.",
            "Created tracks.",
            "Creating communications.",
            "Created communications.",
            "Creating events.",
            "Created events.",
            f"Finished creating mission {MISSION_ID}.",
        ],
        "startTime": job.started_at,
        "endTime": job.ended_at,
        "type": "addMission",
        "status": "COMPLETED",
        "username": "ann",
        "customAttributes": {
            "stepsCompleted": 3,
            "isCancelled": False,
            "missionId": MISSION_ID,
            "messageCodes": [1500, 1501, 1502, 1503, 1504, 1505, 1506, 1510],
            "totalSteps": 3,
        },
    }
    # Any spelling of the id, any method, any format.
    for spelling in (job.id, "j" + job.id, str(uuid.UUID(job.id)).upper()):
        assert json_of(await ann.post(f"{JOBS}/{spelling}", data={"f": "pjson"})) == answer


async def test_a_failed_job_is_no_error(house: House, ann: httpx.AsyncClient) -> None:
    job = await house.run(SERVICE, "fail")
    answer = json_of(await ann.get(f"{JOBS}/{wire.job_id(job)}", params={"f": "json"}))
    assert answer["status"] == "FAILED"
    assert answer["messages"] == ["The map could not be made"]
    assert answer["customAttributes"]["messageCodes"] == [0]
    assert "error" not in answer


async def test_the_list_has_all_services_newest_first_in_pages(
    house: House, ann: httpx.AsyncClient, bob: httpx.AsyncClient, root: httpx.AsyncClient
) -> None:
    made = [
        await house.run(SERVICE, "add_mission", owner="bob"),
        await house.run("Field/Drill.MissionServer", "drill", owner="bob"),
        await house.run(SERVICE, "add_mission", owner="bob"),
    ]
    hers = await house.run(SERVICE, "add_mission", owner="ann")
    await house.run("Video.VideoServer", "clip", owner="bob")
    newest_first = [wire.job_id(each) for each in reversed(made)]
    assert json_of(await bob.get(JOBS, params={"f": "json"})) == {"asyncJobs": newest_first}
    assert json_of(await bob.post(JOBS, data={"f": "json"})) == {"asyncJobs": newest_first}
    page = {"f": "json", "start": "2", "num": "1"}
    assert json_of(await bob.get(JOBS, params=page)) == {"asyncJobs": newest_first[1:2]}
    everybodys = json_of(await root.get(JOBS, params={"f": "json"}))["asyncJobs"]
    assert everybodys[:4] == [wire.job_id(hers), *newest_first]
    assert not set(newest_first) & set(json_of(await ann.get(JOBS, params={"f": "json"}))["asyncJobs"])
    html = await bob.get(JOBS, params={"num": 2})
    assert f'href="/arcgis{JOBS}/{newest_first[0]}"' in html.text
    assert f"/arcgis{JOBS}?start=3&amp;num=2" in html.text
    for wrong in ({"start": "0"}, {"num": "many"}, {"num": "1001"}):
        assert error_of(await bob.get(JOBS, params={"f": "json"} | wrong))["code"] == 400


async def test_cancelled_once_and_for_all(house: House, ann: httpx.AsyncClient) -> None:
    job = await house.submit(SERVICE, "wait")
    await house.until(job, lambda state: bool(state.messages))
    url = f"{JOBS}/{wire.job_id(job)}"
    page = await ann.get(url)
    assert f'action="/arcgis{url}/cancel"' in page.text
    at_work = json_of(await ann.get(url, params={"f": "json"}))
    assert (at_work["status"], at_work["endTime"]) == ("EXECUTING", 0)
    assert json_of(await ann.post(f"{url}/cancel", data={"f": "json"})) == {"success": True}
    assert (await house.manager.finished(job.id)).status is Status.CANCELLED
    answer = json_of(await ann.get(url, params={"f": "json"}))
    assert (answer["status"], answer["customAttributes"]["isCancelled"]) == ("CANCELLED", True)
    again = json_of(await ann.get(f"{url}/cancel", params={"f": "json"}))
    assert again == {"success": False, "message": "The job has ended and cannot be cancelled"}
    assert json_of(await ann.get(url, params={"f": "json"})) == answer
    assert "<form" not in (await ann.get(url)).text


async def test_what_is_not_there_for_somebody(
    house: House, ann: httpx.AsyncClient, bob: httpx.AsyncClient, root: httpx.AsyncClient
) -> None:
    job = await house.run(SERVICE, "add_mission")
    video = await house.run("Video.VideoServer", "clip")
    url = f"{JOBS}/{wire.job_id(job)}"
    assert json_of(await root.get(url, params={"f": "json"}))["username"] == "ann"
    for path in (url, f"{url}/cancel"):
        assert error_of(await bob.get(path, params={"f": "json"}))["code"] == 404
    for other in (uuid.uuid4().hex, video.id):
        error = error_of(await ann.get(f"{JOBS}/{other}", params={"f": "json"}))
        assert (error["code"], error["message"]) == (404, f"Job {other} not found")
    async with house.client() as nobody:
        assert error_of(await nobody.get(url, params={"f": "json"}))["code"] == 499
        assert error_of(await nobody.get(JOBS, params={"f": "json"}))["code"] == 499
    await house.manager.delete(job.id, "ann")
    assert error_of(await ann.get(url, params={"f": "json"}))["code"] == 404
    assert wire.job_id(job) not in json_of(await ann.get(JOBS, params={"f": "json"}))["asyncJobs"]
    assert (await ann.get(url)).status_code == 404
