"""Processing a layer whose telemetry came in a file of its own, and what may be asked for."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.servers.house import House
from tests.servers.talking import error_of, json_of
from tests.servers.video.ingest.filming import film

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(280, method="thread")]

REST = "/video/rest"
SERVICE = f"{REST}/services/Beside/VideoServer"
JSON = {"f": "json"}
TRACK = "Precision Timestamp,Sensor Latitude,Sensor Longitude,Sensor True Altitude\n" + "".join(
    f"{1_780_304_400_000_000 + n * 500_000},42.5,{1.5 + n / 1000},1200\n" for n in range(3)
)


@pytest.fixture(scope="module")
async def pat(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with house.client("pat") as client:
        yield client


async def done(house: House, client: httpx.AsyncClient, what: str, **form: str) -> dict[str, Any]:
    """The job that a request starts, at its end."""
    started = json_of(await client.post(what, data={**form, **JSON}))["jobId"]
    await house.manager.finished(started.removeprefix("j").replace("-", ""))
    job = json_of(await client.get(f"{REST}/jobs/job/{started}", params=JSON))
    assert job["status"] == "COMPLETED", job["messages"]
    return job


def warnings(job: dict[str, Any]) -> list[str]:
    codes = job["customAttributes"]["messageCodes"]
    return [text for text, code in zip(job["messages"], codes, strict=True) if 9000 < code < 9100]


@pytest.fixture(scope="module")
async def layer(house: House, pat: httpx.AsyncClient, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The layer 0, made of a video without telemetry and a table with it; the video."""
    folder = tmp_path_factory.mktemp("beside")
    path = await asyncio.to_thread(film, folder / "plain.ts", size="64x36", seconds=1, sound=False)
    video = path.read_bytes()
    ids = []
    for name, content in (("track.csv", TRACK.encode()), ("plain.ts", video)):
        sent = await pat.post(f"{REST}/uploads/upload", data=JSON, files={"file": (name, content)})
        ids.append(json_of(sent)["fileId"])
    json_of(await pat.post(f"{REST}/services/create", data={"serviceName": "Beside", **JSON}))
    wanted = json.dumps({"type": "ondemand", "name": "Beside", "fileIds": ",".join(ids)})
    await done(house, pat, f"{REST}/services/Beside/addLayer", createParameters=wanted)
    return video


async def described(client: httpx.AsyncClient, number: int) -> dict[str, Any]:
    return json_of(await client.get(f"{SERVICE}/{number}", params=JSON))


def folder_of(house: House, number: int) -> Path:
    videos = house.server.videos
    service = videos.service("Beside")
    assert service is not None
    layer = videos.layer(service.item, number)
    assert layer is not None
    return house.server.settings.data / "videos" / layer.key


async def test_what_came_beside_the_video_is_processed_too(
    layer: bytes, house: House, pat: httpx.AsyncClient
) -> None:
    first = await described(pat, 0)
    assert first["fullExtent"]
    # A layer of a layer has it as well, and one of a layer that was made before such files were kept.
    for source in (0, 1):
        job = await done(house, pat, f"{SERVICE}/{source}/process", name=f"Made of {source}")
        (told,) = warnings(job)
        assert told.startswith("3 of the telemetry's sets have no footprint: ")
        made = await described(pat, source + 1)
        assert job["results"]["layerId"] == source + 1
        for each in ("fullExtent", "time", "supportsExportFrameset", "sourceFilesInfo", "klv"):
            assert made.get(each) == first.get(each)
        kept = folder_of(house, source + 1) / "original"
        assert (kept / "source.ts").read_bytes() == layer
        (beside,) = list(kept.rglob("*.csv"))
        if source == 0:
            assert beside.read_text() == TRACK
            beside.unlink()
    assert (await pat.get(f"{SERVICE}/0/original")).content == layer
    assert (await pat.get(f"{SERVICE}/0/content/original/telemetry/00/track.csv")).status_code == 404


async def test_a_clip_says_that_such_telemetry_is_not_in_it(
    layer: bytes, house: House, pat: httpx.AsyncClient
) -> None:
    part = {"timeRange": '{"start": 0, "end": 0.4}', "expiry": "600", "async": "true"}
    for kind, told in (("ts", True), ("mp4", False)):
        job = await done(house, pat, f"{SERVICE}/0/clip", **part, format=kind)
        assert (9309 in job["customAttributes"]["messageCodes"]) is told
        assert any("came in a file of its own" in each for each in job["messages"]) is told


@pytest.mark.parametrize(
    ("form", "why"),
    [
        ({"name": "n" * 251}, "'name': it has 251 characters; 250 are allowed"),
        ({"name": "a\x00b\x1b[31m"}, "'name': it holds control characters"),
        ({"resolutions": "huge"}, "'huge' is none of native"),
        ({"requestedResolutions": '["hd", "4k"]', "name": "a\x07"}, "'4k' is none of native"),
    ],
)
async def test_what_does_not_fit_is_refused(
    layer: bytes, pat: httpx.AsyncClient, form: dict[str, str], why: str
) -> None:
    error = error_of(await pat.post(f"{SERVICE}/0/process", data={**form, **JSON}))
    assert error["code"] == 400
    assert why in error["message"]
