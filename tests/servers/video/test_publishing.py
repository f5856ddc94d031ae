"""From an uploaded file to a layer that is played, over HTTP and with the real FFmpeg."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import m3u8
import msgspec
import pytest

from milepost.servers.video.flight import make_clip
from milepost.servers.video.publishing import Plan
from tests.servers.house import House, opened
from tests.servers.talking import error_of, json_of

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(280, method="thread")]

REST = "/video/rest"
SERVICES = f"{REST}/services"
JSON = {"f": "json"}
DOCUMENTED = [117, 154, 155, 156, 157, 158, 159, 160, 161, 174, 182, 162, 163, 205, 206, 118]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("flight") / "flight.ts"
    make_clip(path, seconds=4)
    return path.read_bytes()


@pytest.fixture(scope="module")
async def pat(house: House) -> AsyncIterator[httpx.AsyncClient]:
    """A publisher."""
    async with house.client("pat") as client:
        yield client


async def upload(client: httpx.AsyncClient, content: bytes, name: str = "flight.ts") -> dict[str, Any]:
    return json_of(await client.post(f"{REST}/uploads/upload", data=JSON, files={"file": (name, content)}))


async def create(client: httpx.AsyncClient, name: str, **more: str) -> dict[str, Any]:
    return json_of(await client.post(f"{SERVICES}/create", data={"serviceName": name, **more, **JSON}))


async def add(client: httpx.AsyncClient, service: str, **wanted: Any) -> dict[str, Any]:
    form = {"createParameters": json.dumps({"type": "ondemand", **wanted}), **JSON}
    return json_of(await client.post(f"{SERVICES}/{service}/addLayer", data=form))


async def ended(house: House, client: httpx.AsyncClient, job_id: str) -> dict[str, Any]:
    await house.manager.finished(job_id.removeprefix("j").replace("-", ""))
    return json_of(await client.get(f"{REST}/jobs/job/{job_id}", params=JSON))


def kept(house: House) -> set[str]:
    """The folders of layers in the storage."""
    folder = house.server.settings.data / "videos"
    return {each.name for each in folder.iterdir()} if folder.is_dir() else set()


@pytest.fixture(scope="module")
async def published(house: House, pat: httpx.AsyncClient, clip: bytes) -> dict[str, Any]:
    """The job that published the flight as the first layer of the service ``Flight``."""
    sent = await upload(pat, clip)
    made = await create(pat, "Flight", description="Over the map", access="org")
    source = {"fileIds": sent["fileId"], "requestedResolutions": "native"}
    started = await add(pat, "Flight", name="First", description="One turn", dataSource=source)
    assert started.keys() == {"success", "jobId"}
    job = await ended(house, pat, started["jobId"])
    assert job["inputs"] == {
        "serviceItemId": made["itemId"],
        "requestedResolutions": "native",
        "fileIds": sent["fileId"],
        "serviceUrl": f"http://gis.example.com/arcgis{SERVICES}/Flight/VideoServer",
    }
    return job


async def test_the_job_is_that_of_the_document(published: dict[str, Any]) -> None:
    assert published["status"] == "COMPLETED", published["messages"]
    assert published["type"] == "Publish Streaming Service"
    assert published["username"] == "pat"
    assert published["results"] == {"layerId": 0, "layerName": "First", "serviceName": "Flight"}
    said = published["customAttributes"]
    assert said == {"messageCodes": said["messageCodes"], "savingToStorage": True, "newLayerId": 0}
    assert [each for each in said["messageCodes"] if each < 9000] == DOCUMENTED
    assert len(said["messageCodes"]) == len(published["messages"])
    assert (published["messages"][0], published["messages"][-1]) == ("Starting Ingest", "Ingest Complete")
    assert "error" not in published


async def test_its_steps_and_their_times_are_told_when_asked_for(
    published: dict[str, Any], pat: httpx.AsyncClient
) -> None:
    url = f"{REST}/jobs/job/{published['jobId']}"
    asked = json_of(await pat.get(url, params={**JSON, "progress": "true"}))
    told = asked["customAttributes"].pop("milepostProgress")
    assert asked == json_of(await pat.get(url, params=JSON))
    assert (told["fraction"], told["text"]) == (1.0, "")
    steps = told["steps"]
    assert [each["name"] for each in steps][:2] == ["Starting Ingest", "Probing Video Codec"]
    assert [each["name"] for each in steps][-2:] == ["Saving To Storage", "Ingest Complete"]
    assert len(steps) == len(DOCUMENTED)
    assert {each["state"] for each in steps} == {"finished"}
    assert all(each["started"] <= each["ended"] for each in steps)
    page = (await pat.get(url)).text
    assert "milepostProgress" in page
    assert "Generating Poster Image" in page
    refused = error_of(await pat.get(url, params={**JSON, "progress": "some"}))
    assert (refused["code"], "progress" in refused["message"]) == (400, True)


async def test_the_layer_has_what_players_read(
    published: dict[str, Any], pat: httpx.AsyncClient, house: House
) -> None:
    service = json_of(await pat.get(f"{SERVICES}/Flight/VideoServer", params=JSON))
    assert service["currentVersion"]
    assert service["layers"] == [
        {
            "id": 0,
            "name": "First",
            "poster": service["layers"][0]["poster"],
            "serviceType": "ondemand",
            "type": "Video Layer",
        }
    ]
    layer = json_of(await pat.get(f"{SERVICES}/Flight/VideoServer/0", params=JSON))
    assert layer["currentVersion"]
    assert layer["serviceType"] == "ondemand"
    assert layer["playbackInfo"]["klv"]["0601"]
    assert layer["time"]["end"] > layer["time"]["start"] > 10**12
    assert layer["fullExtent"]["spatialReference"]["wkid"] == 4326
    [master] = layer["connectionUrl"].values()
    playlist = m3u8.loads((await pat.get(master)).text, uri=master)
    assert playlist.playlists
    assert [each for each in playlist.media if each.type == "SUBTITLES"]
    for url in [each.absolute_uri for each in (*playlist.playlists, *playlist.media)]:
        part = m3u8.loads((await pat.get(url)).text, uri=url)
        assert part.segments
        for segment in part.segments:
            answer = await pat.get(segment.absolute_uri)
            assert (answer.status_code, int(answer.headers["content-length"])) == (200, len(answer.content))
            assert answer.content
    for url in (layer["poster"], service["layers"][0]["poster"]):
        assert (await pat.get(url)).headers["content-type"] == "image/jpeg"
    assert layer["supportsPreviews"] is True
    url = f"{SERVICES}/Flight/VideoServer/0"
    preview = (await pat.get(f"{url}/content/preview/preview.json", params=JSON)).json()
    assert (await pat.get(f"{url}/content/preview/{preview['preview']}")).status_code == 200
    coverage = json_of(await pat.get(f"{url}/coverage", params=JSON))
    assert coverage.keys() >= {"area", "sensorPoints", "telemetry"}
    assert json_of(await pat.get(f"{url}/coverage", params={"type": "telemetry", **JSON})) == {
        "telemetry": coverage["telemetry"]
    }
    assert error_of(await pat.get(f"{url}/coverage", params={"type": "x", **JSON}))["code"] == 400
    assert json_of(await pat.get(f"{url}/telemetry", params=JSON))


async def test_the_original_comes_back(
    published: dict[str, Any], pat: httpx.AsyncClient, clip: bytes
) -> None:
    answer = await pat.get(f"{SERVICES}/Flight/VideoServer/0/original")
    assert answer.content == clip
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''flight.ts"


async def test_a_query_tells_when_a_place_is_seen(published: dict[str, Any], pat: httpx.AsyncClient) -> None:
    url = f"{SERVICES}/Flight/VideoServer/0"
    layer = json_of(await pat.get(url, params=JSON))
    extent, time = layer["fullExtent"], layer["time"]
    first = time["start"]
    asked = {"id": "Flight", "layerId": "0", "spatialRel": "esriSpatialRelIntersects", **JSON}
    place = {"geometryType": "esriGeometryEnvelope", "geometry": json.dumps(extent)}
    found = json_of(await pat.post(f"{url}/query", data={**asked, **place}))
    assert found["intersects"] is True
    [seen] = found["timeRanges"]
    assert first <= seen["start"] <= seen["end"] <= time["end"] + 1000
    assert 0 <= seen["startOffset"] <= seen["endOffset"] <= 4.5
    elsewhere = {"geometryType": "esriGeometryPoint", "geometry": '{"x": -100, "y": -40}'}
    assert json_of(await pat.post(f"{url}/query", data={**asked, **elsewhere}))["timeRanges"] == []
    later = {"time": f"{time['end'] + 1},{time['end'] + 1000}"}
    assert json_of(await pat.post(f"{url}/query", data={**asked, **later}))["intersects"] is False


async def test_a_second_layer_gets_the_next_id(
    published: dict[str, Any], house: House, pat: httpx.AsyncClient, clip: bytes
) -> None:
    sent = await upload(pat, clip, "two.ts")
    started = await add(pat, "Flight", name="Second", fileIds=[sent["fileId"]], requestedResolutions=["uhd"])
    job = await ended(house, pat, started["jobId"])
    assert job["results"]["layerId"] == 1, job
    # The layer needs what was sent no more.
    assert json_of(await pat.post(f"{REST}/uploads/{sent['fileId']}/delete", data=JSON)) == {"success": True}
    assert json_of(await pat.get(f"{SERVICES}/Flight/VideoServer/01", params=JSON))["qualities"] == ["native"]
    listed = json_of(await pat.get(SERVICES, params=JSON))
    [mine] = [each for each in listed["services"] if each["serviceName"] == "Flight"]
    assert mine["frameworkProperties"]["lastReservedId"] == 1
    [source] = mine["frameworkProperties"]["layers"][1]["sourceFilesInfo"]
    assert source == {"id": sent["fileId"], "name": "two.ts", "size": len(clip), "contentType": "video/mp2t"}
    # Deleted, it takes its files along, and its id is given to no other.
    before = kept(house)
    assert json_of(await pat.post(f"{SERVICES}/Flight/VideoServer/1/delete", data=JSON)) == {"success": True}
    assert len(kept(house)) == len(before) - 1
    assert error_of(await pat.get(f"{SERVICES}/Flight/VideoServer/1", params=JSON))["code"] == 404
    service = (await pat.get(f"{SERVICES}/Flight/VideoServer", params=JSON)).json()
    assert house.server.videos.last_id(service["serviceItemId"]) == 1


async def test_a_source_that_fails_leaves_nothing(house: House, pat: httpx.AsyncClient) -> None:
    await create(pat, "Broken")
    before = kept(house)
    # A transport stream by its packets, and nothing in them.
    sent = await upload(pat, (b"G" + bytes(187)) * 100)
    started = await add(pat, "Broken", name="Broken", fileIds=sent["fileId"])
    job = await ended(house, pat, started["jobId"])
    assert job["status"] == "FAILED"
    assert job["results"] == {}
    assert "Probing Video Codec" in job["messages"][-1]
    assert job["customAttributes"]["messageCodes"] == [117, 154, 9154]
    page = (await pat.get(f"{REST}/jobs/job/{started['jobId']}")).text
    assert "This job failed: " in page
    assert json_of(await pat.get(f"{SERVICES}/Broken/VideoServer", params=JSON))["layers"] == []
    assert kept(house) == before
    listed = json_of(await pat.get(SERVICES, params=JSON))["services"]
    [mine] = [each for each in listed if each["serviceName"] == "Broken"]
    assert mine["frameworkProperties"]["lastReservedId"] == -1


async def test_a_service_takes_its_jobs_along(house: House, pat: httpx.AsyncClient, clip: bytes) -> None:
    await create(pat, "Gone")
    before = kept(house)
    started = await add(pat, "Gone", name="Late", fileIds=(await upload(pat, clip))["fileId"])
    assert json_of(await pat.post(f"{SERVICES}/Gone/VideoServer/delete", data=JSON)) == {"success": True}
    job = await ended(house, pat, started["jobId"])
    assert (job["status"], job["results"]) == ("CANCELLED", {})
    assert kept(house) == before


async def test_a_start_that_fails_has_a_code_of_its_own(house: House, pat: httpx.AsyncClient) -> None:
    plan = Plan(
        service="Never",
        item="0" * 32,
        key="1" * 32,
        number=None,
        name="Never",
        description="",
        copyright="",
        owner="pat",
        resolutions=("native",),
        sources=(),
        storage=house.server.settings.video_storage,
    )
    values = {"key": "2" * 32, "plan": msgspec.json.encode(plan).decode()}
    job = await house.run("Video.VideoServer", "process_layer", owner="pat", **values)
    said = await ended(house, pat, f"j{job.id}")
    assert said["messages"] == ["Starting Ingest failed: the video service was deleted"]
    assert said["customAttributes"]["messageCodes"] == [9117]


async def test_a_storage_that_takes_nothing_fails_the_saving(clip: bytes, tmp_path: Path) -> None:
    place = tmp_path / "disk" / "layers"
    async with opened(tmp_path / "data", video_storage=str(place)) as house, house.client("pat") as pat:
        await create(pat, "Blocked")
        sent = await upload(pat, clip)
        place.parent.mkdir()
        place.symlink_to("nowhere")  # can be no folder, though there is nothing to remove
        job = await ended(house, pat, (await add(pat, "Blocked", name="A", fileIds=sent["fileId"]))["jobId"])
        assert (job["status"], job["results"]) == ("FAILED", {})
        assert job["messages"][-1].startswith("Saving To Storage failed: the storage cannot be used: ")
        assert str(tmp_path) not in str(job)
        assert job["customAttributes"]["messageCodes"][-2:] == [206, 9206]


async def test_cancelled_it_leaves_nothing(house: House, pat: httpx.AsyncClient, tmp_path: Path) -> None:
    await create(pat, "Stopped")
    before = kept(house)
    make_clip(tmp_path / "long.ts", seconds=20, klv="none", audio=False)
    sent = await upload(pat, (tmp_path / "long.ts").read_bytes())
    started = await add(pat, "Stopped", name="Long", fileIds=sent["fileId"])
    job_id = started["jobId"].removeprefix("j").replace("-", "")
    job = await house.manager.get(job_id)
    await house.until(job, lambda state: any(each.code == 159 for each in state.messages))
    said = json_of(await pat.get(f"{REST}/jobs/job/{started['jobId']}", params=JSON))
    assert (said["status"], said["results"]) == ("EXECUTING", {})
    assert said["customAttributes"]["savingToStorage"] is False
    assert said["customAttributes"]["newLayerId"] == 0
    told = said["customAttributes"]["milepostProgress"]
    assert 0 < told["fraction"] < 1
    assert told["text"].startswith("Transcoding")
    [doing] = [each for each in told["steps"] if each["state"] == "started"]
    assert (doing["name"], doing["ended"]) == ("Transcoding", None)
    refused = error_of(await pat.post(f"{REST}/uploads/{sent['fileId']}/delete", data=JSON))
    assert refused["message"].startswith("A job needs this upload: ")
    answer = await pat.post(f"{REST}/jobs/job/{started['jobId']}/cancel", data=JSON)
    assert json_of(answer) == {"success": True}
    job = await ended(house, pat, started["jobId"])
    assert job["status"] == "CANCELLED"
    assert "newLayerId" not in job["customAttributes"]
    assert kept(house) == before
    item = json_of(await pat.get(f"{SERVICES}/Stopped/VideoServer", params=JSON))["serviceItemId"]
    assert house.server.videos.last_id(item) == -1


async def test_what_is_refused_before_there_is_a_job(
    published: dict[str, Any],
    house: House,
    pat: httpx.AsyncClient,
    ann: httpx.AsyncClient,
    root: httpx.AsyncClient,
    clip: bytes,
) -> None:
    mine = (await upload(pat, clip))["fileId"]
    theirs = (await upload(ann, clip))["fileId"]
    table = (await upload(pat, b"time,latitude,longitude\n1,2,3\n4,5,6\n", "track.csv"))["fileId"]
    begun = json_of(await pat.post(f"{REST}/uploads/register", data={"fileName": "later.ts", **JSON}))
    nobody = "i12345678-1234-1234-1234-123456789012"
    refused: list[tuple[dict[str, Any], str]] = [
        ({"fileIds": nobody}, f"there is no upload {nobody}"),
        ({"fileIds": theirs}, f"there is no upload {theirs}"),
        ({"fileIds": begun["fileId"]}, "is not complete"),
        ({"fileIds": table}, "0 of the files are videos"),
        ({"fileIds": ["../../etc/passwd"]}, "is no id of an upload"),
        ({"fileIds": [mine, mine]}, "a file is named twice"),
        ({"fileIds": 7}, "must be words"),
        ({}, "'fileIds' is required"),
        ({"fileIds": mine, "requestedResolutions": "sd,huge"}, "'huge' is none of native, sd"),
        ({"fileIds": mine, "layerId": 0}, "0 is taken"),
        ({"fileIds": mine, "layerId": -1}, "is no whole number"),
        ({"fileIds": mine, "layerId": 2**31}, "is no whole number"),
        ({"fileIds": mine, "type": "livestream"}, "takes no live streams"),
        ({"fileIds": mine, "type": "hologram"}, "'hologram' is no type"),
        ({"fileIds": mine, "name": ""}, "'name' is required"),
        ({"fileIds": mine, "name": "a\x00b"}, "control characters"),
        ({"fileIds": mine, "name": "n" * 251}, "251 characters"),
    ]
    before = json_of(await pat.get(f"{REST}/jobs", params=JSON))["asyncJobs"]
    for wanted, why in refused:
        form = {"createParameters": json.dumps({"type": "ondemand", "name": "x", **wanted}), **JSON}
        error = error_of(await pat.post(f"{SERVICES}/Flight/addLayer", data=form))
        assert error["code"] == 400, wanted
        assert why in error["message"], (wanted, error)
    for form in ("{", "[]", '"x"', "[" * 100_000):
        data = {"createParameters": form, **JSON}
        error = error_of(await pat.post(f"{SERVICES}/Flight/addLayer", data=data))
        assert "'createParameters': it must be a JSON object" in error["message"]
    # Administrators publish their own uploads only, too; others than publishers publish nothing.
    form = {"name": "x", "fileIds": mine, **JSON}
    assert (
        "there is no upload" in error_of(await root.post(f"{SERVICES}/Flight/addLayer", data=form))["message"]
    )
    assert error_of(await ann.post(f"{SERVICES}/Flight/addLayer", data=form))["code"] == 403
    assert json_of(await pat.get(f"{REST}/jobs", params=JSON))["asyncJobs"] == before
