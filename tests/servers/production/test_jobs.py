"""The jobs of a Topographic Production Server: query, the resource, and what is done in bulk."""

import json
import re
import uuid
from typing import Any

import httpx
import psutil
import pytest

from milepost.jobs import Job, Status
from milepost.servers.production import dates, wire
from tests.servers.house import House
from tests.servers.talking import error_of, json_of

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120, method="thread")]

SERVICE = "SampleService.TopographicProductionServer"
JOBS = "/rest/services/SampleService/TopographicProductionServer/jobs"
NATO_JOBS = "/rest/services/Nato/Sheets/TopographicProductionServer/jobs"
AREA = "https://machine.domain.com/server/rest/services/SampleService/TopographicProductionServer/5"
SHEET: dict[str, Any] = {
    "productName": "MTM50",
    "productVersion": "Test",
    "aoiLayer": AREA,
    "aoiFeatureId": 120733,
    "outputType": "pdf",
}


async def make(house: House, product: str = "MTM50", owner: str = "ann") -> Job:
    return await house.run(SERVICE, "generate_product", owner=owner, **{**SHEET, "productName": product})


async def begin(house: House) -> Job:
    job = await house.submit(SERVICE, "generate_product", **{**SHEET, "productName": "waits"})
    return await house.until(job, lambda state: state.fraction == 0.25)


async def ids(client: httpx.AsyncClient, **parameters: Any) -> list[str]:
    answer = json_of(await client.get(f"{JOBS}/query", params={"f": "json", **parameters}))
    assert answer["count"] == len(answer["jobs"])
    return [each["jobId"] for each in answer["jobs"]]


async def test_a_product_that_was_made(house: House, ann: httpx.AsyncClient) -> None:
    job = await make(house)
    answer = json_of(await ann.get(f"{JOBS}/job/{wire.job_id(job)}", params={"f": "json"}))
    url = answer.pop("outputUrl")
    assert answer == {
        "status": "Completed",
        "statusCode": 4,
        "submissionTime": dates.written(job.submitted_at),
        "lastUpdatedTime": dates.written(job.updated_at),
        "percentComplete": 1,
        "aoiLayer": AREA,
        "aoiFeatureId": 120733,
        "user": "ann",
        "jobId": str(uuid.UUID(job.id)).upper(),
        "productName": "MTM50",
        "productVersion": "Test",
        "outputType": "PDF",
        "messages": {},
    }
    assert (await ann.get(url)).content == b"%PDF"
    for level, groups in (("warn", ["warnings"]), ("info", ["informative", "warnings"])):
        form = {"f": "pjson", "jobId": job.id, "msgLevel": level}
        assert list(json_of(await ann.post(f"{JOBS}/job", data=form))["messages"]) == groups
    page = (await ann.get(f"{JOBS}/job/{wire.job_id(job)}")).text
    assert f'href="/arcgis{JOBS}"' in page
    assert f'action="/arcgis{JOBS}/delete"' in page


async def test_a_failed_product_is_no_error(house: House, ann: httpx.AsyncClient) -> None:
    job = await make(house, "MTM50 unlicensed")
    answer = json_of(await ann.get(f"{JOBS}/job/{wire.job_id(job)}", params={"f": "json"}))
    assert (answer["status"], answer["statusCode"], answer["outputUrl"]) == ("Failed", 5, "")
    assert answer["messages"] == {"errors": ["ERROR 000824: The tool is not licensed.", "Failed."]}
    assert "percentComplete" not in answer
    assert "error" not in answer


async def test_queries(
    house: House, ann: httpx.AsyncClient, bob: httpx.AsyncClient, root: httpx.AsyncClient
) -> None:
    good = await make(house, owner="bob")
    bad = await make(house, "MTM50 unlicensed", owner="bob")
    hers = await make(house, owner="ann")
    await house.run("Nato/Sheets.TopographicProductionServer", "generate_sheet", owner="bob", productName="x")
    both = [wire.job_id(good), wire.job_id(bad)]
    assert await ids(bob) == both
    assert await ids(bob, status=4) == both[:1]
    assert await ids(bob, status=5) == both[1:]
    assert await ids(bob, status=10) == []
    assert await ids(bob, start=2, num=1) == both[1:]
    first = json_of(await bob.get(f"{JOBS}/query?f=json&num=1"))
    assert (first["count"], first["exceededTransferLimit"], first["nextStart"]) == (1, True, 2)
    assert json_of(await bob.get(f"{JOBS}/query?f=json&num=2")).keys() == {"count", "jobs"}
    assert await ids(bob, user="ann") == []
    assert await ids(root, user="bob") == both
    assert wire.job_id(hers) in await ids(root)
    now = dates.written(hers.updated_at)
    for span in (
        {"startDate": now[:10]},
        {"startDate": dates.written(good.submitted_at)},
        {"startDate": f"{now[5:7]}-{now[8:10]}-{now[:4]}"},
        {"endDate": now},
        {"startDate": now[:10], "endDate": now.replace("T", " ").rstrip("Z")},
    ):
        assert await ids(bob, **span) == both, span
    assert await ids(bob, startDate="2999-01-01") == []
    assert await ids(bob, endDate="2020-09-21") == []
    waiting = await begin(house)
    assert wire.job_id(waiting) in await ids(ann, status=3)
    assert wire.job_id(waiting) in await ids(ann)
    assert wire.job_id(waiting) not in await ids(ann, endDate="2999-01-01")
    await house.manager.cancel(waiting.id, "ann")
    answer = json_of(await bob.post(JOBS, data={"f": "json", "msgLevel": "info", "status": "5"}))
    assert answer == json_of(await bob.get(f"{JOBS}/query?f=json&msgLevel=info&status=5"))
    assert answer["jobs"][0]["messages"]["informative"] == ["Submitted."]
    (other,) = json_of(await bob.get(NATO_JOBS, params={"f": "json"}))["jobs"]
    assert other["productName"] == "x"
    page = (await bob.get(f"{JOBS}?num=1&user=bob")).text
    assert f"/arcgis{JOBS}?user=bob&amp;start=2&amp;num=1" in page
    assert f'href="/arcgis{JOBS}/job/{both[0]}"' in page


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", "done"),
        ("status", "11"),
        ("startDate", "13-21-2020"),
        ("endDate", "yesterday"),
        ("msgLevel", "all"),
        ("start", "0"),
        ("num", "x"),
    ],
)
async def test_a_query_that_cannot_be_read(
    house: House, ann: httpx.AsyncClient, name: str, value: str
) -> None:
    error = error_of(await ann.get(f"{JOBS}/query", params={"f": "json", name: value}))
    assert error["code"] == 400
    assert f"'{name}'" in error["message"]


async def test_cancel_in_bulk(house: House, ann: httpx.AsyncClient, bob: httpx.AsyncClient) -> None:
    job = await begin(house)
    url = f"{JOBS}/job/{wire.job_id(job)}"
    assert json_of(await ann.get(url, params={"f": "json"}))["percentComplete"] == 0.25
    foreign = json_of(await bob.post(f"{JOBS}/cancel", data={"f": "json", "jobId": job.id}))
    assert not foreign["success"]
    assert foreign["items"][0]["message"] == f"Job {job.id} not found"
    answer = json_of(await ann.post(f"{JOBS}/cancel", data={"f": "json", "jobId": wire.job_id(job)}))
    assert answer == {
        "count": 1,
        "name": "canceled",
        "items": [{"id": wire.job_id(job), "success": True, "message": "Job canceled"}],
        "success": True,
    }
    assert (await house.manager.finished(job.id)).status is Status.CANCELLED
    assert json_of(await ann.get(url, params={"f": "json"}))["status"] == "Canceled"
    late = json_of(await ann.get(f"{JOBS}/cancel", params={"f": "json", "jobId": f"{job.id}, nonsense"}))
    assert (late["success"], late["count"]) == (False, 2)
    assert [each["message"] for each in late["items"]] == [
        "The job has ended and cannot be canceled",
        "'nonsense' is no job id: a UUID, which may begin with j",
    ]


async def test_delete_in_bulk(house: House, ann: httpx.AsyncClient) -> None:
    done, going = await make(house), await begin(house)
    form = {"f": "json", "jobId": json.dumps([wire.job_id(done), wire.job_id(going)])}
    answer = json_of(await ann.post(f"{JOBS}/delete", data=form))
    assert answer == {
        "count": 2,
        "results": [
            {"id": wire.job_id(done), "success": True, "message": "Job deleted"},
            {
                "id": wire.job_id(going),
                "success": False,
                "message": "The job has not ended; cancel it first",
            },
        ],
        "success": False,
    }
    assert error_of(await ann.get(f"{JOBS}/job/{done.id}", params={"f": "json"}))["code"] == 404
    assert wire.job_id(done) not in await ids(ann)
    assert wire.job_id(going) in await ids(ann)
    await house.manager.cancel(going.id, "ann")


async def act_on(client: httpx.AsyncClient, act: str, job: Job) -> tuple[bool, str]:
    """Whether it worked, and the message."""
    answer = json_of(await client.post(f"{JOBS}/{act}", data={"f": "json", "jobId": wire.job_id(job)}))
    (item,) = answer["items"]
    assert (answer["count"], answer["success"]) == (1, item["success"])
    assert set(item) == {"id", "success", "message"}
    return item["success"], item["message"]


async def status(client: httpx.AsyncClient, job: Job) -> tuple[str, int, float]:
    answer = json_of(await client.get(f"{JOBS}/job/{wire.job_id(job)}", params={"f": "json"}))
    return answer["status"], answer["statusCode"], answer["percentComplete"]


async def actions(client: httpx.AsyncClient, job: Job) -> list[str]:
    """What the page of the job has buttons for."""
    page = (await client.get(f"{JOBS}/job/{wire.job_id(job)}")).text
    return re.findall(rf'action="/arcgis{JOBS}/(\w+)"', page)


async def test_a_job_is_paused_and_resumed(house: House, ann: httpx.AsyncClient) -> None:
    job = await begin(house)
    assert await actions(ann, job) == ["pause", "cancel"]
    assert await act_on(ann, "resume", job) == (False, "The job is not paused; it goes on")
    assert await act_on(ann, "pause", job) == (True, "The job is being paused")
    job = await house.until(job, lambda state: state.status is Status.PAUSED)
    assert psutil.Process(job.pid).status() == psutil.STATUS_STOPPED
    assert await status(ann, job) == ("Paused", 100, 0.25)
    assert await ids(ann, status=100) == [wire.job_id(job)]
    assert await actions(ann, job) == ["resume", "cancel"]
    assert await act_on(ann, "pause", job) == (False, "The job is paused already")
    assert await act_on(ann, "resume", job) == (True, "The job is being resumed")
    job = await house.until(job, lambda state: state.status is Status.EXECUTING)
    assert psutil.Process(job.pid).status() != psutil.STATUS_STOPPED
    assert await status(ann, job) == ("InProgress", 3, 0.25)
    await act_on(ann, "cancel", job)
    await house.manager.finished(job.id)
    assert await act_on(ann, "pause", job) == (False, "The job has ended and cannot be paused")
    assert await act_on(ann, "resume", job) == (False, "The job has ended and cannot be resumed")
    assert await actions(ann, job) == ["delete"]


async def test_pause_and_resume_in_bulk(
    house: House, ann: httpx.AsyncClient, bob: httpx.AsyncClient, root: httpx.AsyncClient
) -> None:
    running = [await begin(house) for _ in range(2)]
    queued = await house.submit(SERVICE, "generate_product", **SHEET)
    assert queued.status is Status.WAITING
    jobs = [queued, *running]
    named = [wire.job_id(job) for job in jobs]
    foreign = json_of(await bob.post(f"{JOBS}/pause", data={"f": "json", "jobId": named[0]}))
    assert foreign["items"] == [
        {"id": named[0], "success": False, "message": f"Job {named[0]} not found"},
    ]
    answer = json_of(await ann.post(f"{JOBS}/pause", data={"f": "json", "jobId": json.dumps(named)}))
    assert answer == {
        "count": 3,
        "items": [{"id": name, "success": True, "message": "The job is being paused"} for name in named],
        "success": True,
    }
    for job in jobs:
        await house.until(job, lambda state: state.status is Status.PAUSED)
    assert await ids(ann, status=100) == [*named[1:], named[0]]
    # The places of those that were paused are free: others have their turn.
    assert (await make(house)).status is Status.SUCCEEDED
    # Administrators may, and one that cannot keeps no other from it.
    form = {"f": "json", "jobId": f"{named[0]},nonsense,{named[1].lower()},{named[2]}"}
    answer = json_of(await root.get(f"{JOBS}/resume", params=form))
    assert (answer["success"], answer["count"]) == (False, 4)
    assert [each["success"] for each in answer["items"]] == [True, False, True, True]
    assert (await house.manager.finished(queued.id)).status is Status.SUCCEEDED
    for job in running:
        await house.until(job, lambda state: state.status is Status.EXECUTING)
        await house.manager.cancel(job.id, "ann")
        await house.manager.finished(job.id)


async def test_a_paused_job_is_canceled(house: House, ann: httpx.AsyncClient) -> None:
    job = await begin(house)
    await act_on(ann, "pause", job)
    await house.until(job, lambda state: state.status is Status.PAUSED)
    assert await act_on(ann, "cancel", job) == (True, "Job canceled")
    assert (await house.manager.finished(job.id)).status is Status.CANCELLED


@pytest.mark.parametrize("act", ["cancel", "delete", "pause", "resume"])
@pytest.mark.parametrize("value", ["", "[]", "[1]", "[", ","])
async def test_ids_that_cannot_be_read(house: House, ann: httpx.AsyncClient, act: str, value: str) -> None:
    error = error_of(await ann.post(f"{JOBS}/{act}", data={"f": "json", "jobId": value}))
    assert error["code"] == 400
    assert "'jobId'" in error["message"]


async def test_what_is_not_there(house: House, ann: httpx.AsyncClient, bob: httpx.AsyncClient) -> None:
    job = await make(house)
    mission = await house.run("Mission.MissionServer", "add_mission")
    one = {"f": "json"}
    assert error_of(await bob.get(f"{JOBS}/job/{job.id}", params=one))["code"] == 404
    assert error_of(await ann.get(f"{NATO_JOBS}/job/{job.id}", params=one))["code"] == 404
    assert error_of(await ann.get(f"{JOBS}/job/{mission.id}", params=one))["code"] == 404
    assert error_of(await ann.get(f"{JOBS}/job/{uuid.uuid4()}", params=one))["code"] == 404
    assert error_of(await ann.get(f"{JOBS}/job", params=one))["code"] == 400
    absent = JOBS.replace("SampleService", "Nowhere")
    assert error_of(await ann.get(absent, params=one))["code"] == 404
