"""Clips and framesets of a layer: asked for, fetched, and gone when they expire."""

import asyncio
import io
import json
import re
import time
from collections.abc import AsyncIterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import httpx
import msgspec
import pytest
from PIL import Image

from milepost.jobs import Status
from milepost.security import Role
from milepost.servers.video.exports.keeping import Exports, new_id
from milepost.servers.video.exports.plans import Cut, Plan
from milepost.servers.video.flight import Flight, make_clip
from milepost.servers.video.inbox import Inbox
from milepost.servers.video.ingest.ladder import ladder, quality_of
from milepost.servers.video.upkeep import Upkeep
from tests.running import PASSWORD
from tests.servers.house import House
from tests.servers.talking import error_of, json_of
from tests.servers.video.ingest.filming import H264, film
from tests.servers.video.made import FACTS, make_layer, make_service

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(280, method="thread")]

REST = "/video/rest"
LAYER = f"{REST}/services/Flight/VideoServer/0"
JSON = {"f": "json"}
SECONDS = 3
PART = {"timeRange": '{"start": "0.4", "end": "1.4"}', "expiry": "600", "format": "mp4"}


@pytest.fixture(scope="module")
async def pat(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with house.client("pat") as client:
        yield client


@pytest.fixture(scope="module")
async def flight(house: House, pat: httpx.AsyncClient, tmp_path_factory: pytest.TempPathFactory) -> Flight:
    """A flight that pat published."""
    path = tmp_path_factory.mktemp("flight") / "flight.ts"
    flight = await asyncio.to_thread(make_clip, path, seconds=SECONDS, width=160, height=90)
    await publish(house, pat, path, "Flight")
    return flight


async def publish(house: House, client: httpx.AsyncClient, path: Path, service: str) -> None:
    """Make a file the layer 0 of a new service."""
    files = {"file": (path.name, await asyncio.to_thread(path.read_bytes))}
    sent = json_of(await client.post(f"{REST}/uploads/upload", data=JSON, files=files))
    form = {"serviceName": service, "access": "org", **JSON}
    json_of(await client.post(f"{REST}/services/create", data=form))
    wanted = {"type": "ondemand", "name": "One turn", "fileIds": sent["fileId"]}
    form = {"createParameters": json.dumps(wanted), **JSON}
    job = json_of(await client.post(f"{REST}/services/{service}/addLayer", data=form))
    await house.manager.finished(job["jobId"].removeprefix("j").replace("-", ""))


async def ask(client: httpx.AsyncClient, what: str, **form: str) -> dict[str, Any]:
    return json_of(await client.post(f"{LAYER}/{what}", data={**form, **JSON}))


async def test_a_clip_is_waited_for(flight: Flight, pat: httpx.AsyncClient, tmp_path: Path) -> None:
    layer = json_of(await pat.get(LAYER, params=JSON))
    assert (layer["supportsExportClip"], layer["supportsExportFrameset"]) == (True, True)
    said = await ask(pat, "clip", **PART, **{"async": "false", "name": "Bend in the road.mp4"})
    assert said.keys() == {"success", "results"}
    results = said["results"]
    assert results.keys() == {"created", "expiration", "url"}
    assert results["expiration"] - results["created"] == 600_000
    assert results["url"].endswith("/Bend_in_the_road.mp4")
    answer = await pat.get(results["url"])
    assert answer.headers["content-type"] == "video/mp4"
    (tmp_path / "clip.mp4").write_bytes(answer.content)
    with av.open(str(tmp_path / "clip.mp4")) as container:
        assert len(list(container.decode(video=0))) == 25
    part = await pat.get(results["url"], headers={"Range": "bytes=4-7"})
    assert (part.status_code, part.content) == (206, answer.content[4:8])


async def test_a_clip_is_a_job_to_those_who_follow_it(
    flight: Flight, pat: httpx.AsyncClient, house: House
) -> None:
    said = await ask(pat, "clip", **{**PART, "format": "ts"}, **{"async": "true"})
    assert said.keys() == {"success", "jobId"}
    await house.manager.finished(said["jobId"].removeprefix("j").replace("-", ""))
    job = json_of(await pat.get(f"{REST}/jobs/job/{said['jobId']}", params=JSON))
    assert (job["type"], job["status"]) == ("Export Clip", "COMPLETED")
    assert job["inputs"]["timeRange"] == {"start": 0.4, "end": 1.4}
    assert len(job["messages"]) == len(job["customAttributes"]["messageCodes"])
    assert job["results"].keys() == {"created", "expiration", "url"}
    assert (await pat.get(job["results"]["url"])).headers["content-type"] == "video/mp2t"


async def test_frames_come_with_the_corners_of_what_they_show(flight: Flight, pat: httpx.AsyncClient) -> None:
    said = await ask(pat, "frameset", timestamps="0,2", expiry="10", **{"async": "false"})
    assert said.keys() == {"expires", "framesetId", "created", "serviceName", "results"}
    assert said["serviceName"] == "Flight"
    assert said["expires"] - said["created"] == 600_000
    assert said["results"]["total"] == 2
    for frame, seconds in zip(said["results"]["frames"], (0, 2), strict=True):
        truth = flight.at(seconds).corners
        for name, (x, y) in zip(("topLeft", "topRight", "bottomRight", "bottomLeft"), truth, strict=True):
            corner = frame["corners"][name]
            assert (corner["x"], corner["y"]) == (pytest.approx(x, abs=1e-4), pytest.approx(y, abs=1e-4))
            assert corner["spatialReference"]["wkid"] == 4326
        answer = await pat.get(frame["url"])
        assert answer.headers["content-type"] == "image/jpeg"
        assert Image.open(io.BytesIO(answer.content)).size == (160, 90)
    again = json_of(await pat.get(f"{LAYER}/framesets/{said['framesetId']}", params=JSON))
    assert again == said


async def test_frames_of_a_part(flight: Flight, pat: httpx.AsyncClient) -> None:
    limits = json.dumps({"start": 0.5, "end": 2.5, "interval": "1"})
    said = await ask(pat, "frameset", timeRange=limits, expiry="10", **{"async": "false"})
    assert [each["timestamp"] for each in said["results"]["frames"]] == [0.5, 1.5, 2.5]


@pytest.mark.parametrize(
    ("what", "form", "why"),
    [
        ("clip", {"timeRange": ""}, "'timeRange' is required"),
        ("clip", {"timeRange": "0-4"}, "'timeRange': it must be a JSON object"),
        ("clip", {"timeRange": '{"start": 1}'}, "'timeRange': end is missing"),
        ("clip", {"timeRange": '{"start": "x", "end": 2}'}, "start is no number of seconds: 'x'"),
        ("clip", {"timeRange": '{"start": 2, "end": 2}'}, "it ends at 2 s, which is not after its start"),
        ("clip", {"timeRange": '{"start": 12000, "end": 20000}'}, "the video ends at 3 s"),
        ("clip", {"format": "avi"}, "'format': 'avi' is none; use one of mov, ts, mp4"),
        ("clip", {"expiry": ""}, "'expiry' is required"),
        ("clip", {"expiry": "-1"}, "'-1' is no whole number from 0 to 999999999"),
        ("clip", {"quality": "UHD"}, "uhd is above that of the source, 160 x 90 pixels"),
        ("clip", {"quality": "best"}, "'best' is none"),
        ("clip", {"quality": "hd"}, "hd is above that of the source"),
        ("frameset", {"timestamps": "0", "expiry": "0"}, "'0' is no whole number from 1 to 16666666"),
        ("frameset", {}, "either 'timestamps' or 'timeRange'"),
        ("frameset", {"timestamps": "0,x"}, "a timestamp is no number of seconds"),
        (
            "frameset",
            {"timestamps": "4000"},
            "4000 s is after the end of the video at 3 s; times are in seconds",
        ),
        ("frameset", {"timeRange": '{"start": 0, "end": 2, "interval": 0}'}, "interval must be more than 0"),
        ("frameset", {"timeRange": '{"start": 0, "end": 3, "interval": 0.001}'}, "500 are allowed"),
    ],
)
async def test_what_does_not_fit_is_refused(
    flight: Flight, pat: httpx.AsyncClient, what: str, form: dict[str, str], why: str
) -> None:
    given = {**PART, **form} if what == "clip" else {"expiry": "1", **form}
    error = error_of(await pat.post(f"{LAYER}/{what}", data={**given, "async": "true", **JSON}))
    assert error["code"] == 400
    assert why in error["message"]


async def test_a_part_without_a_picture_is_refused_as_what_it_is(
    flight: Flight, pat: httpx.AsyncClient
) -> None:
    form = {**PART, "timeRange": '{"start": 2.985, "end": 3}', "async": "false", **JSON}
    error = error_of(await pat.post(f"{LAYER}/clip", data=form))
    assert error["code"] == 400
    assert "the video has no picture from 2.985 s to 3 s" in error["message"]
    assert "ask for another part" in error["message"]
    newest = json_of(await pat.get(f"{REST}/jobs", params=JSON))["asyncJobs"][0]
    job = json_of(await pat.get(f"{REST}/jobs/job/{newest}", params=JSON))
    assert (job["status"], job["customAttributes"]["messageCodes"]) == ("FAILED", [9301, 9302, 9307])
    assert job["messages"][-1] == error["details"][-1]


@pytest.fixture(scope="module")
def below_all(house: House, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A layer of 640x360, which is not as large as the lowest resolution."""
    return filmed(house, tmp_path_factory.mktemp("below") / "film.ts", 640, 360)


@pytest.fixture(scope="module")
def cinema(house: House, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A layer of the shape of the cinema, as wide as its resolution is and not as high."""
    return filmed(house, tmp_path_factory.mktemp("cinema") / "film.ts", 1280, 536)


def filmed(house: House, path: Path, width: int, height: int) -> str:
    """The path of a layer that says what publishing a film of that size says, and has it as its original."""
    film(path, *H264, "-bf", "0", "-g", "5", size=f"{width}x{height}", seconds=0.4, sound=False)
    made = ladder(width, height, Fraction(25), ["native", "sd", "hd", "fhd"]).rungs
    facts = msgspec.structs.replace(
        FACTS,
        width=width,
        height=height,
        container="mpegts" if path.suffix == ".ts" else "mp4",
        duration=0.4,
        qualities=tuple(each.name for each in made),
        source_quality=quality_of(width, height),
    )
    service = make_service(house.server, f"Film{width}", "pat")
    layer = make_layer(house.server, service, facts=facts)
    folder = house.server.settings.data / "videos" / layer.key / "original"
    (folder / f"source{path.suffix}").write_bytes(path.read_bytes())
    return f"{REST}/services/{service.name}/VideoServer/0"


@pytest.mark.parametrize(
    ("name", "named", "refused", "size"),
    [
        ("below_all", ["sd", "native"], "hd", (640, 360)),
        ("cinema", ["sd", "hd"], "fhd", (1280, 536)),
    ],
)
async def test_every_quality_that_a_layer_names_is_one_for_clips(
    pat: httpx.AsyncClient,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    name: str,
    named: list[str],
    refused: str,
    size: tuple[int, int],
) -> None:
    url = request.getfixturevalue(name)
    layer = json_of(await pat.get(url, params=JSON))
    assert {*layer["qualities"], layer["sourceQuality"]} == {*named}
    form = {**PART, "timeRange": '{"start": 0, "end": 0.2}', "async": "false", **JSON}
    for quality, why in ((named[0], "'expiry'"), (named[1].upper(), "'expiry'"), (refused, "'quality'")):
        # A quality that does is not what is wrong with this.
        error = error_of(await pat.post(f"{url}/clip", data={**form, "quality": quality, "expiry": ""}))
        assert why in error["message"], quality
    said = json_of(await pat.post(f"{url}/clip", data={**form, "quality": layer["sourceQuality"]}))
    (tmp_path / "clip.mp4").write_bytes((await pat.get(said["results"]["url"])).content)
    with av.open(str(tmp_path / "clip.mp4")) as container:
        video = container.streams.video[0]
        assert (video.width, video.height) == size


async def test_the_page_offers_the_qualities_that_there_are(cinema: str, pat: httpx.AsyncClient) -> None:
    page = (await pat.get(cinema, params={"f": "html"})).text
    choices = page.partition('name="quality"')[2].partition("</select>")[0]
    assert re.findall(r"<option>(\w+)<", choices) == ["sd", "hd"]


async def test_a_clip_that_lacks_a_damaged_picture_says_so(
    house: House, pat: httpx.AsyncClient, tmp_path: Path
) -> None:
    url, path = filmed(house, tmp_path / "film.mp4", 64, 36), tmp_path / "film.mp4"
    with av.open(str(path)) as container:
        packets = [(each.pos, each.size) for each in container.demux(video=0) if each.size]
    begin, size = packets[7]  # no key frame, so that only this picture is lost
    content = bytearray(path.read_bytes())
    content[begin : begin + size] = bytes(size)
    [stored] = house.server.settings.data.glob("videos/*/original/source.mp4")
    stored.write_bytes(content)
    form = {**PART, "timeRange": '{"start": 0.2, "end": 0.36}', "async": "true", **JSON}
    started = json_of(await pat.post(f"{url}/clip", data=form))["jobId"]
    await house.manager.finished(started.removeprefix("j").replace("-", ""))
    job = json_of(await pat.get(f"{REST}/jobs/job/{started}", params=JSON))
    told = dict(zip(job["customAttributes"]["messageCodes"], job["messages"], strict=True))
    assert (job["status"], list(told)) == ("COMPLETED", [9301, 9302, 9303, 9306, 9305])
    assert told[9306].startswith("The clip has 3 of the 4 pictures of this part")


async def test_frames_are_exported_only_where_the_layer_says_so(house: House, pat: httpx.AsyncClient) -> None:
    bare = msgspec.structs.replace(FACTS, telemetry=False)
    make_layer(house.server, make_service(house.server, "Bare", "pat"), facts=bare)
    url = f"{REST}/services/Bare/VideoServer/0"
    assert json_of(await pat.get(url, params=JSON))["supportsExportFrameset"] is False
    form = {"timestamps": "0", "expiry": "1", **JSON}
    error = error_of(await pat.post(f"{url}/frameset", data=form))
    assert (error["code"], "this layer has no telemetry" in error["message"]) == (400, True)


async def test_the_owner_may_let_nothing_be_exported(flight: Flight, pat: httpx.AsyncClient) -> None:
    change = {"name": "One turn", "supportsExportClip": "false", "supportsFrameset": "false"}
    await ask(pat, "updateLayer", **change)
    assert error_of(await pat.post(f"{LAYER}/clip", data={**PART, **JSON}))["code"] == 403
    frames = {"timestamps": "0", "expiry": "1", **JSON}
    assert error_of(await pat.post(f"{LAYER}/frameset", data=frames))["code"] == 403
    await ask(pat, "updateLayer", name="One turn", supportsExportClip="true", supportsFrameset="true")


async def test_a_layer_is_processed_into_another_one(
    flight: Flight, pat: httpx.AsyncClient, house: House
) -> None:
    error = error_of(await pat.post(f"{LAYER}/process", data={"resolutions": "huge", **JSON}))
    assert "'huge' is none of native" in error["message"]
    target = make_service(house.server, "Archive", "pat")
    said = await ask(pat, "process", requestedResolutions="native", name="Again", requestedService="archive")
    assert said.keys() == {"success", "jobId"}
    await house.manager.finished(said["jobId"].removeprefix("j").replace("-", ""))
    job = json_of(await pat.get(f"{REST}/jobs/job/{said['jobId']}", params=JSON))
    assert (job["type"], job["status"]) == ("Process Video", "COMPLETED")
    assert (job["inputs"]["serviceItemId"], job["results"]["serviceName"]) == (target.item, "Archive")
    again = json_of(await pat.get(f"{REST}/services/Archive/VideoServer/0", params=JSON))
    first = json_of(await pat.get(LAYER, params=JSON))
    assert (again["name"], again["fullExtent"]) == ("Again", first["fullExtent"])


async def test_only_owners_put_layers_into_their_services(
    flight: Flight, pat: httpx.AsyncClient, root: httpx.AsyncClient, house: House
) -> None:
    make_service(house.server, "Secret", "pat")
    make_service(house.server, "Shared", "pat", access="org")
    house.server.people.add("pia", PASSWORD, Role.PUBLISHER)
    before = json_of(await root.get(f"{REST}/jobs", params=JSON))["asyncJobs"]
    async with house.client("pia") as pia:
        # pia sees the layer, as her own service is not asked for: that of the layer is pat's.
        for name, code in (("", 403), ("Shared", 403), ("Secret", 404), ("Nowhere", 404)):
            form = {"requestedService": name, **JSON}
            assert error_of(await pia.post(f"{LAYER}/process", data=form))["code"] == code, name
    assert json_of(await root.get(f"{REST}/jobs", params=JSON))["asyncJobs"] == before


async def test_what_has_expired_is_gone(flight: Flight, pat: httpx.AsyncClient, house: House) -> None:
    said = await ask(pat, "clip", **{**PART, "expiry": "0"}, **{"async": "false"})
    url = said["results"]["url"]
    assert (await pat.get(url)).status_code == 404
    error = error_of(await pat.get(url, params=JSON))
    assert "expired" in error["message"]
    exports = Exports(house.server.settings.data)
    export = url.split("/")[-2]
    await asyncio.to_thread(exports.remove_expired)
    assert not [each for each in exports.storage.names() if export in each]
    assert (await pat.get(f"{LAYER}/clips/nonsense/clip.mp4")).status_code == 404


async def test_what_expires_while_no_server_runs_is_removed_at_the_start(
    house: House, tmp_path: Path
) -> None:
    exports, key = Exports(tmp_path), "ab" * 16
    now = time.time_ns() // 1_000_000
    for expires in (now - 1, now + 3_600_000):
        folder = tmp_path / "made"
        folder.mkdir()
        (folder / "clip.mp4").write_bytes(b"pictures")
        exports.keep(folder, f"{key}.{new_id(expires)}")
    assert len(exports.storage.names()) == 2
    # As a removal leaves it that was cut off.
    (exports.storage.root / ".gone-clip").mkdir()
    server = house.server
    inbox = Inbox(server.videos.uploads, server.manager, keep=3600)
    upkeep = Upkeep(inbox, exports, server.videos, server.settings.data)
    await upkeep.start()
    for _ in range(200):
        left = exports.storage.names()
        if len(left) == 1:
            break
        await asyncio.sleep(0.02)
    await upkeep.stop()
    assert not list(exports.storage.root.glob(".gone-*"))
    assert [each.split(".")[1] for each in left] == [str(now + 3_600_000)]


async def test_what_comes_after_a_jump_of_the_clock_is_refused_and_what_comes_before_is_not(
    house: House, pat: httpx.AsyncClient, tmp_path: Path
) -> None:
    whole = tmp_path / "twice.ts"
    with whole.open("wb") as file:
        for later in (0, 300):
            part = film(
                tmp_path / f"part{later}.ts", *H264, "-output_ts_offset", str(later), seconds=2, sound=False
            )
            file.write(part.read_bytes())
    await publish(house, pat, whole, "Twice")
    clip = f"{REST}/services/Twice/VideoServer/0/clip"

    async def cut(start: str, end: str) -> httpx.Response:
        part = {**PART, "timeRange": json.dumps({"start": start, "end": end}), "async": "false"}
        return await pat.post(clip, data={**part, **JSON})

    assert json_of(await cut("0.4", "1.4"))["success"]
    told = error_of(await cut("2.4", "3.4"))
    assert "the clock of the original file jumps after 2 s" in told["message"]
    assert (told["code"], "ask for what ends before" in told["message"]) == (400, True)


async def test_of_a_layer_that_is_deleted_meanwhile_no_export_is_left(flight: Flight, house: House) -> None:
    videos = house.server.videos
    service = videos.service("Flight")
    assert service is not None
    layer = videos.layer(service.item, 0)
    assert layer is not None
    # Its files are still there, as they are when the job has them already.
    assert videos.remove_layer(service.item, 0)
    cut = Cut(start=0.4, end=1.4, quality="native", format="ts")
    about = {"item": service.item, "layer": 0, "key": layer.key, "storage": "", "service": "Flight"}
    plan = Plan(
        **about,
        original="original/source.ts",
        seconds=600,
        url="http://gis.example.com",
        cut=cut,
        name="late",
    )
    written, exports = msgspec.json.encode(plan).decode(), Exports(house.server.settings.data)
    job = await house.run("VideoExports.VideoServer", "export_clip", owner="pat", plan=written)
    assert (job.status, "the layer was deleted" in job.error) == (Status.FAILED, True)
    assert not list(exports.storage.root.rglob("late.ts"))
