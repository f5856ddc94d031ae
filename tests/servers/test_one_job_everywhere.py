"""A job that one dialect took in is listed and read by those who administer the jobs of all."""

from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import pytest

from tests.servers.house import House, anyio_backend, house, root

__all__ = ["anyio_backend", "house", "root"]

pytestmark = pytest.mark.anyio

JSON = {"f": "json"}
SHEET = {
    "productName": "A",
    "productVersion": "1",
    "aoiLayer": "https://x/0",
    "aoiFeatureId": 1,
    "outputType": "PDF",
}


@pytest.fixture(scope="module")
async def pat(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with house.client("pat") as client:
        yield client


@pytest.mark.parametrize(
    ("service", "operation", "inputs", "own"),
    [
        (
            "Tests/Small.GPServer",
            "shout",
            {"text": "a"},
            "/rest/services/Tests/Small/GPServer/shout/jobs/j{plain}",
        ),
        ("Mission.MissionServer", "add_mission", {}, "/mission/rest/jobs/j{dashed}"),
        (
            "SampleService.TopographicProductionServer",
            "generate_product",
            SHEET,
            "/rest/services/SampleService/TopographicProductionServer/jobs/job/{upper}",
        ),
        ("Video.VideoServer", "clip", {}, "/video/rest/jobs/job/j{dashed}"),
    ],
)
async def test_one_job_is_seen_from_everywhere(house, root, pat, service, operation, inputs, own):
    job = await house.run(service, operation, owner="ann", **inputs)
    dashed = str(UUID(job.id))
    path = own.format(plain=job.id, dashed=dashed, upper=dashed.upper())
    async with house.client("ann") as ann, house.client("bob") as bob:
        mine = (await ann.get(path, params=JSON)).json()
        assert "error" not in mine
        assert (await bob.get(path, params=JSON)).json()["error"]["code"] == 404
        assert (await bob.get("/admin/jobs", params=JSON)).json()["error"]["code"] == 403
    for administrator in (root, pat):
        assert f"j{dashed}" in (await administrator.get("/admin/jobs", params=JSON)).json()["jobs"]
        seen = (await administrator.get(f"/admin/jobs/j{dashed}", params=JSON)).json()
        assert (seen["status"], seen["username"]) == ("COMPLETED", "ann")
    listed = (await root.get("/rest/jobs", params={**JSON, "owner": "ann"})).json()["jobs"]
    (found,) = [each for each in listed if each["jobId"] == f"j{job.id}"]
    assert found["url"] == f"http://gis.example.com/arcgis{path}"


async def test_a_file_that_came_out_is_told_by_its_url(house, pat):
    job = await house.run("Video.VideoServer", "clip", owner="ann")
    seen = (await pat.get(f"/admin/jobs/{UUID(job.id)}", params=JSON)).json()
    (url,) = seen["result"].values()
    async with house.client("ann") as ann, house.client("bob") as bob:
        assert (await ann.get(url)).content == b"video"
        # Who lists the jobs of everybody sees that there is a file, and reads it no more than others do.
        for other in (pat, bob):
            assert (await other.get(url, params=JSON)).json()["error"]["code"] == 404


async def test_a_job_whose_client_waits_is_not_listed_but_can_be_read(house, root):
    operation = house.manager.catalog.get("Tests/Small.GPServer", "shout")
    submission = await house.manager.submit(
        operation, {"text": "a"}, owner="root", attributes={"synchronous": True}
    )
    job = await house.manager.finished(submission.job.id)
    assert f"j{UUID(job.id)}" not in (await root.get("/admin/jobs", params=JSON)).json()["jobs"]
    assert (await root.get(f"/admin/jobs/{job.id}", params=JSON)).json()["status"] == "COMPLETED"


@pytest.mark.parametrize(
    "path",
    [
        "/mission/rest/jobs/{}",
        "/video/rest/jobs/job/{}",
        "/rest/services/SampleService/TopographicProductionServer/jobs/job/{}",
        "/admin/jobs/{}",
    ],
)
async def test_an_unknown_id_and_what_is_no_id_are_told_apart(root, path):
    unknown = (await root.get(path.format("j" + "0" * 32), params=JSON)).json()["error"]
    assert unknown["code"] == 404
    malformed = (await root.get(path.format("abc"), params=JSON)).json()["error"]
    assert (malformed["code"], malformed["message"]) == (400, "Invalid URL")
    assert "'abc' is no job id" in malformed["details"][0]
