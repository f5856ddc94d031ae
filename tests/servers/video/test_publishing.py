"""From a file to a layer that can be played."""

from pathlib import Path

import httpx
import m3u8
import pytest

from milepost.servers.video.flight import make_clip
from tests.servers.house import House
from tests.servers.talking import error_of, json_of

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(280, method="thread")]

REST = "/video/rest"
JSON = {"f": "json"}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("flight") / "flight.ts"
    make_clip(path, seconds=4)
    return path.read_bytes()


async def test_try(house: House, clip: bytes) -> None:
    async with house.client("pat") as pat:
        said = json_of(await pat.post(f"{REST}/uploads/upload", data=JSON, files={"file": ("flight.ts", clip)}))
        print(said)
        made = json_of(await pat.post("/video/admin/services/create", data={"createParameters": '{"serviceName": "Flight"}', **JSON}))
        print(made)
        job = json_of(await pat.post(f"{REST}/services/Flight/addLayer", data={"createParameters": '{"type":"ondemand","name":"Flight one","dataSource":{"fileIds":"%s","requestedResolutions":"sd"}}' % said["fileId"], **JSON}))
        print(job)
        found = await house.manager.finished(job["jobId"][1:].replace("-", ""))
        said = json_of(await pat.get(f"{REST}/jobs/job/{job['jobId']}", params=JSON))
        print(said)
        assert said["status"] == "COMPLETED"
        url = f"{REST}/services/Flight/VideoServer/0"
        print(json_of(await pat.get(url, params=JSON)))
        answer = await pat.get(f"{url}/content/ABR.m3u8")
        print(answer.headers, answer.text)
        for path in sorted(each for each in (house.server.settings.data / "videos").rglob("*") if each.is_file()):
            print(path.relative_to(house.server.settings.data), path.stat().st_size)
