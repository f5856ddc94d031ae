"""Video services and layers: made, listed, changed and deleted by those who may."""

import asyncio
import itertools
import json
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from milepost.servers.video import posters
from milepost.servers.video.exports.keeping import Exports, new_id
from milepost.servers.video.operations import discard_layer
from milepost.servers.video.records import LAST_ID, Layer, RecordError, Service
from milepost.servers.video.videos import Videos
from milepost.storage import LocalStorage, StorageError
from tests.running import PASSWORD
from tests.servers.house import House, opened
from tests.servers.talking import error_of, json_of
from tests.servers.video.made import BOX, FACTS, START, make_layer, make_service, make_upload, png

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120, method="thread")]

REST = "/video/rest"
SERVICES = f"{REST}/services"
ADMIN = "/video/admin"
JSON = {"f": "json"}
KEY = "5c1e" * 8
EMPTIED = {"description": "", "copyrightText": ""}
UTM = (
    'PROJCS["WGS_1984_UTM_Zone_31N",GEOGCS["GCS_WGS_1984",DATUM["D_WGS_1984",SPHEROID["WGS_1984",6378137.0,'
    '298.257223563]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]],'
    'PROJECTION["Transverse_Mercator"],PARAMETER["False_Easting",500000.0],PARAMETER["False_Northing",0.0],'
    'PARAMETER["Central_Meridian",3.0],PARAMETER["Scale_Factor",0.9996],PARAMETER["Latitude_Of_Origin",0.0],'
    'UNIT["Meter",1.0]]'
)

numbers = itertools.count()


@pytest.fixture(scope="module")
async def pat(house: House) -> AsyncIterator[httpx.AsyncClient]:
    """A publisher."""
    async with house.client("pat") as client:
        yield client


async def names(client: httpx.AsyncClient, url: str = SERVICES) -> list[str]:
    return [each["serviceName"] for each in json_of(await client.get(url, params=JSON))["services"]]


@pytest.mark.parametrize(
    ("path", "form"),
    [
        (f"{SERVICES}/create", {"serviceName": "{}"}),
        (f"{ADMIN}/services/create", {"service": "{}"}),
        (f"{ADMIN}/services/create", {"service": '{{"serviceName": "{}"}}'}),
        (f"{ADMIN}/services/create", {"createParameters": '{{"serviceName": "{}"}}'}),
        (
            "/sharing/rest/content/users/pat/createService",
            {"createParameters": '{{"name": "{}"}}', "outputType": "videoService"},
        ),
    ],
)
async def test_made_in_the_words_of_all_who_document_it(
    house: House, pat: httpx.AsyncClient, path: str, form: dict[str, str]
) -> None:
    name = f"Made_{next(numbers)}"
    sent = {key: value.format(name) for key, value in form.items()}
    made = json_of(await pat.post(path, data={**sent, **JSON}))
    assert (made["status"], made["success"], made["name"]) == ("success", True, name)
    assert len(made["itemId"]) == 32
    service = json_of(await pat.get(f"{SERVICES}/{name.lower()}/VideoServer", params=JSON))
    assert service["serviceItemId"] == made["itemId"]
    assert (service["layers"], service["owner"], service["access"]) == ([], "pat", "private")
    again = error_of(await pat.post(path, data={**sent, **JSON}))
    assert "there is a video service" in again["message"]
    assert json_of(await pat.post(f"{ADMIN}/services/{name}.VideoServer/delete", data=JSON)) == {
        "success": True
    }
    assert name not in await names(pat)


async def test_a_service_is_an_item_of_the_portal(
    house: House, ann: httpx.AsyncClient, bob: httpx.AsyncClient
) -> None:
    service = make_service(house.server, "Item", "ann", description="Flights")
    path = f"/sharing/rest/content/items/{service.item}"
    item = json_of(await ann.get(path, params=JSON))
    assert (item["id"], item["title"], item["type"]) == (service.item, "Item", "Video Service")
    assert (item["owner"], item["access"]) == ("ann", "private")
    assert json_of(await ann.get(item["url"], params=JSON))["serviceItemId"] == service.item
    assert json_of(await ann.get(f"{path}/data", params=JSON)) == {}
    assert item["extent"] == []
    make_layer(house.server, service)
    item = json_of(await ann.get(path, params=JSON))
    assert (item["extent"], item["spatialReference"]) == ([[1.0, 42.0], [2.0, 43.0]], "GCS_WGS_1984")
    for client, one in (
        (bob, path),
        (ann, f"{path[:-32]}{'0' * 32}"),
        (ann, "/sharing/rest/content/items/Item"),
    ):
        error = error_of(await client.get(one, params=JSON))
        assert error["message"] == "Item does not exist or is inaccessible."


@pytest.mark.parametrize(
    ("form", "why"),
    [
        ({}, "'serviceName' is required"),
        ({"serviceName": "../up"}, "letters, digits"),
        ({"serviceName": "a/b"}, "letters, digits"),
        ({"serviceName": "x" * 121}, "letters, digits"),
        ({"serviceName": "é"}, "letters, digits"),
        ({"serviceName": "<script>"}, "letters, digits"),
        ({"serviceName": "ok", "access": "everybody"}, "neither private nor org"),
        ({"serviceName": "ok", "outputType": "imageService"}, "use videoService"),
        ({"serviceName": "ok", "description": "d" * 70_000}, "70000 characters"),
        ({"createParameters": "no json"}, "must be a JSON object"),
        ({"createParameters": '{"serviceName": ["a"]}'}, "it must be text"),
    ],
)
async def test_what_makes_no_sense_is_refused(pat: httpx.AsyncClient, form: dict[str, str], why: str) -> None:
    error = error_of(await pat.post(f"{SERVICES}/create", data={**form, **JSON}))
    assert error["code"] == 400
    assert why in error["message"]


async def test_private_services_are_there_for_their_owner_only(
    house: House, ann: httpx.AsyncClient, bob: httpx.AsyncClient, root: httpx.AsyncClient
) -> None:
    make_layer(house.server, make_service(house.server, "AnnsOwn", "ann"))
    make_layer(house.server, make_service(house.server, "AnnsOpen", "ann", access="org"))
    own, open_ = f"{SERVICES}/AnnsOwn/VideoServer", f"{SERVICES}/AnnsOpen/VideoServer"
    assert {"AnnsOwn", "AnnsOpen"} <= set(await names(ann)) & set(await names(root))
    assert "AnnsOwn" not in await names(bob)
    assert "AnnsOpen" in await names(bob)
    for path in (
        "",
        "/0",
        "/0/coverage",
        "/0/telemetry",
        "/0/query",
        "/0/delete",
        "/delete",
        "/0/updateLayer",
    ):
        assert error_of(await bob.post(f"{own}{path}", data=JSON))["code"] == 404, path
    admin = f"{ADMIN}/services/AnnsOwn.VideoServer"
    assert error_of(await bob.get(admin, params=JSON))["code"] == 404
    assert json_of(await bob.get(f"{ADMIN}/services/exists", params={"serviceName": "AnnsOwn", **JSON})) == {
        "exists": False
    }
    assert json_of(await bob.get(f"{open_}/0", params=JSON))["name"] == "Flight 0"
    for path in ("/0/delete", "/delete", "/0/update/poster"):
        assert error_of(await bob.post(f"{open_}{path}", data=JSON))["code"] == 403, path
    error = error_of(await bob.post(f"{open_}/0/updateLayer", data={"name": "Mine", **JSON}))
    assert "changed by its owner" in error["details"][0]
    assert json_of(await root.post(f"{own}/delete", data=JSON)) == {"success": True}


async def test_a_layer_as_its_clients_read_it(house: House, ann: httpx.AsyncClient) -> None:
    make_layer(house.server, make_service(house.server, "Read", "ann"))
    url = f"{SERVICES}/Read/VideoServer"
    service = json_of(await ann.get(url, params=JSON))
    layer = json_of(await ann.get(f"{url}/00", params=JSON))
    assert service["fullExtent"] == layer["fullExtent"] == layer["initialExtent"]
    assert layer["fullExtent"]["xmin"] == 1.0
    assert isinstance(layer["connectionUrl"], dict)
    assert layer["connectionUrl"]["hls"].endswith("/Read/VideoServer/0/content/ABR.m3u8")
    assert layer["serviceType"] == "ondemand"
    assert layer["time"] == {"duration": 4.0, "timezone": "UTC", "start": START, "end": START + 4000}
    assert layer["playbackInfo"]["framerate"] == "29.97"
    assert layer["codecs"] == {"video": "avc1.64001f", "audio": "mp4a.40.2", "text": "wvtt"}
    assert layer["livestreamInfo"] is None
    page = (await ann.get(f"{url}/0")).text
    assert "video/player/" in page
    listed = json_of(await ann.get(f"{ADMIN}/services", params=JSON))["services"]
    [mine] = [each for each in listed if each["serviceName"] == "Read"]
    assert mine["frameworkProperties"]["layers"][0]["serviceType"] == "ONDEMAND"


async def test_times_that_may_not_be_utc_are_called_misp_time(house: House, ann: httpx.AsyncClient) -> None:
    facts = replace(FACTS, time_system="MISP")
    make_layer(house.server, make_service(house.server, "Own", "ann"), facts=facts)
    url = f"{SERVICES}/Own/VideoServer/0"
    assert json_of(await ann.get(url, params=JSON))["time"]["timeSystem"] == "MISP"
    assert 'data-clock="MISP time"' in (await ann.get(url, params={"f": "html"})).text


async def test_without_telemetry_and_previews_no_flag_says_otherwise(
    house: House, ann: httpx.AsyncClient
) -> None:
    bare = replace(FACTS, telemetry=False, previews=False, start=None, end=None, extent=None)
    make_layer(house.server, make_service(house.server, "Bare", "ann"), facts=bare)
    url = f"{SERVICES}/Bare/VideoServer/0"
    layer = json_of(await ann.get(url, params=JSON))
    assert layer["playbackInfo"]["klv"] == {}
    assert layer["supportsPreviews"] is False
    assert layer["fullExtent"] is None
    assert layer["time"] == {"duration": 4.0, "timezone": "UTC"}
    for path in ("coverage", "telemetry"):
        assert error_of(await ann.get(f"{url}/{path}", params=JSON))["code"] == 404
    assert json_of(await ann.get(f"{url}/query", params=JSON))["intersects"] is False
    # Frames come with their corners, which telemetry tells.
    listed = json_of(await ann.get(SERVICES, params=JSON))["services"]
    [mine] = [each for each in listed if each["serviceName"] == "Bare"]
    assert layer["supportsExportFrameset"] is False
    assert mine["frameworkProperties"]["layers"][0]["supportsExportFrameset"] is False
    form = {"name": "Other", "supportsFrameset": "true", **JSON}
    assert "no telemetry" in error_of(await ann.post(f"{url}/updateLayer", data=form))["message"]
    form["supportsFrameset"] = "false"
    assert json_of(await ann.post(f"{url}/updateLayer", data=form)) == {"success": True}


async def test_a_page_whose_url_carries_the_token_plays(house: House, ann: httpx.AsyncClient) -> None:
    make_layer(house.server, make_service(house.server, "Carried", "ann"))
    token = ann.headers["X-Esri-Authorization"].removeprefix("Bearer ")
    async with house.client() as anyone:
        page = await anyone.get(f"{SERVICES}/Carried/VideoServer/0", params={"token": token})
        named = re.findall(r'(?:data-video|data-previews|data-coverage|poster)="([^"]+)"', page.text)
        assert len(named) == 4
        for url in named:
            answer = await anyone.get(f"http://gis.example.com{url}")
            assert answer.status_code == 200, url
    assert token not in (await ann.get(f"{SERVICES}/Carried/VideoServer/0")).text


async def test_the_form_for_a_layer_names_the_files(house: House) -> None:
    async with house.client("pat") as pat:
        make_service(house.server, "Chosen", "pat")
        upload = make_upload(house.server, "pat", name="morning.ts")
        page = (await pat.get(f"{SERVICES}/Chosen/VideoServer")).text
    sent = "2012-09-19 20:43"  # when uploads of these tests were sent
    assert re.search(rf"i[0-9a-f-]{{36}} is morning.ts, [0-9.e-]+ MiB, of {sent} UTC", page), upload


async def test_nothing_is_done_by_a_link(house: House, ann: httpx.AsyncClient) -> None:
    make_layer(house.server, make_service(house.server, "Linked", "ann"))
    upload = make_upload(house.server, "ann")
    service, layer = f"{SERVICES}/Linked/VideoServer", f"{SERVICES}/Linked/VideoServer/0"
    for path in (
        *(
            f"{layer}/{each}"
            for each in ("delete", "updateLayer", "update/poster", "process", "clip", "frameset")
        ),
        *(f"{service}/delete", f"{service}/addLayer", f"{SERVICES}/create"),
        *(f"{REST}/uploads/{upload.id}/{each}" for each in ("delete", "commit", "uploadPart")),
        *(f"{ADMIN}/services/Linked.VideoServer/delete", f"{ADMIN}/uploads/item/{upload.id}/delete"),
    ):
        error = error_of(await ann.get(path, params={"serviceName": "Never", "name": "Never", **JSON}))
        assert (error["code"], error["message"]) == (405, "GET is not allowed here, only POST"), path
    assert json_of(await ann.get(layer, params=JSON))["name"] == "Flight 0"
    assert "Never" not in await names(ann)


async def test_a_layer_is_changed(house: House, ann: httpx.AsyncClient) -> None:
    make_layer(house.server, make_service(house.server, "Changed", "ann"))
    url = f"{SERVICES}/Changed/VideoServer/0"
    form = {"name": "New <b>name</b>", "copyrightText": "ann", "supportsExportClip": "false", **JSON}
    assert json_of(await ann.post(f"{url}/updateLayer", data=form)) == {"success": True}
    layer = json_of(await ann.get(url, params=JSON))
    assert (layer["name"], layer["copyright"], layer["copyrightText"]) == ("New <b>name</b>", "ann", "ann")
    assert layer["description"] == ""
    listed = json_of(await ann.get(SERVICES, params=JSON))["services"]
    [mine] = [each for each in listed if each["serviceName"] == "Changed"]
    assert mine["frameworkProperties"]["layers"][0]["supportsExportClip"] is False
    assert "<b>name</b>" not in (await ann.get(url)).text
    for form, why in (
        ({}, "Nothing is to be changed"),
        ({"name": " ", "description": "x"}, "a layer has a name"),
        ({"updateParameters": '{"name": ""}'}, "a layer has a name"),
        ({"supportsFrameset": "maybe"}, "neither true nor false"),
        ({"name": "n" * 300}, "300 characters"),
    ):
        error = error_of(await ann.post(f"{url}/updateLayer", data={**form, **JSON}))
        assert (error["code"], why in error["message"]) == (400, True)


@pytest.mark.parametrize("form", [EMPTIED, {"updateParameters": json.dumps(EMPTIED)}])
async def test_what_is_said_of_a_layer_can_be_cleared(
    house: House, ann: httpx.AsyncClient, form: dict[str, str]
) -> None:
    service = make_service(house.server, f"Cleared{len(form)}", "ann")
    make_layer(house.server, service, description="words", copyright="ann")
    url = f"{SERVICES}/{service.name}/VideoServer/0"
    assert json_of(await ann.post(f"{url}/updateLayer", data={**form, **JSON})) == {"success": True}
    layer = json_of(await ann.get(url, params=JSON))
    assert (layer["name"], layer["description"], layer["copyrightText"]) == ("Flight 0", "", "")


async def test_the_form_of_a_layer_clears_what_is_emptied_in_it(house: House, ann: httpx.AsyncClient) -> None:
    make_layer(house.server, make_service(house.server, "Form", "ann"), description="words", copyright="ann")
    url = f"{SERVICES}/Form/VideoServer/0"
    page = (await ann.get(url, params={"f": "html"})).text
    form = page.partition(f'{url}/updateLayer"')[2].partition("</form>")[0]
    names = re.findall(r'<(?:input|textarea|select)[^>]* name="(\w+)"', form)
    sent = {**dict.fromkeys(names, ""), "name": "Flight 0", **JSON}
    assert {"description", "copyrightText", "supportsExportClip"} <= sent.keys()
    assert json_of(await ann.post(f"{url}/updateLayer", data=sent)) == {"success": True}
    layer = json_of(await ann.get(url, params=JSON))
    assert (layer["description"], layer["copyrightText"]) == ("", "")
    assert layer["supportsExportClip"] is True


async def test_pictures_that_are_sent_at_once_are_looked_at_one_after_the_other(
    house: House, ann: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_layer(house.server, make_service(house.server, "Crowded", "ann"))
    looking, most, check = [], [], posters.check_picture

    def counted(content: bytes) -> str:
        looking.append(1)
        most.append(len(looking))
        try:
            return check(content)
        finally:
            looking.pop()

    monkeypatch.setattr(posters, "check_picture", counted)
    url, picture = f"{SERVICES}/Crowded/VideoServer/0/update/poster", png(3000, 3000)
    answers = await asyncio.gather(
        *(ann.post(url, data=JSON, files={"file": ("p.png", picture)}) for _ in range(6))
    )
    assert [json_of(each) for each in answers] == [{"success": True}] * 6
    assert most == [1] * 6


async def test_a_layer_gets_another_picture(house: House, ann: httpx.AsyncClient) -> None:
    layer = make_layer(house.server, make_service(house.server, "Pictured", "ann"))
    url = f"{SERVICES}/Pictured/VideoServer/0"
    picture = png(8, 6)
    files = {"file": ("anything.exe", picture)}
    assert json_of(await ann.post(f"{url}/update/poster", data=JSON, files=files)) == {"success": True}
    poster = json_of(await ann.get(url, params=JSON))["poster"]
    answer = await ann.get(poster)
    assert (answer.content, answer.headers["content-type"]) == (picture, "image/png")
    elsewhere = "https://pictures.example.com/a.jpg"
    said = json_of(await ann.post(f"{url}/update/poster", data={"url": elsewhere, **JSON}))
    assert said == {"success": True}
    assert json_of(await ann.get(url, params=JSON))["poster"] == elsewhere
    policy = (await ann.get(url)).headers["content-security-policy"]
    assert "img-src 'self' https://pictures.example.com;" in policy
    # The pictures that were replaced are gone, and that which was published is still there.
    for number in range(2):
        files = {"file": ("p.png", png(8, 7 + number))}
        assert json_of(await ann.post(f"{url}/update/poster", data=JSON, files=files)) == {"success": True}
    poster = json_of(await ann.get(url, params=JSON))["poster"]
    stored = {each.name for each in (house.server.settings.data / "videos" / layer.key).glob("poster*")}
    assert stored == {"poster.jpg", poster.rpartition("/")[2]}
    for bad in ("file:///etc/passwd", "javascript:alert(1)", "/content/x", 'https://x/"><script>'):
        error = error_of(await ann.post(f"{url}/update/poster", data={"url": bad, **JSON}))
        assert "http or https" in error["message"]
    for bad in ("https://a;script-src/x", "https://ann:secret@example.com/x", "https://["):
        error = error_of(await ann.post(f"{url}/update/poster", data={"url": bad, **JSON}))
        assert "the name of its server" in error["message"]
    for broken, why in (
        (b"\xff\xd8\xff\xe0junk", "damaged"),
        (picture[:48], "damaged"),
        (png(5000, 3201), "5000 x 3201 pixels are too many; 16 million are allowed"),
    ):
        sent = {"file": ("a.png", broken)}
        assert why in error_of(await ann.post(f"{url}/update/poster", data=JSON, files=sent))["message"]
    assert json_of(await ann.get(url, params=JSON))["poster"] == poster
    svg = {"file": ("a.png", b"<svg onload=alert(1)>")}
    error = error_of(await ann.post(f"{url}/update/poster", data=JSON, files=svg))
    assert "neither a JPEG nor a PNG" in error["message"]
    assert error_of(await ann.post(f"{url}/update/poster", data=JSON))["code"] == 400


@pytest.mark.parametrize(
    ("form", "ranges"),
    [
        ({}, [[0, 4]]),
        ({"geometryType": "esriGeometryPoint", "geometry": '{"x": 1.05, "y": 42.5}'}, [[0, 1]]),
        ({"geometryType": "esriGeometryPoint", "geometry": '{"x": 2.35, "y": 42.5}'}, [[4, 4]]),
        ({"geometryType": "esriGeometryPoint", "geometry": '{"x": 5, "y": 5}'}, []),
        ({"geometryType": "esriGeometryPolygon", "geometry": json.dumps({"rings": [BOX]})}, [[0, 4]]),
        ({"geometry": '{"x": 1.05, "y": 42.5}'}, [[0, 1]]),
        ({"geometry": "1.05,42.5"}, [[0, 1]]),
        ({"geometry": "1,42,1.05,43"}, [[0, 1]]),
        ({"geometry": '{"x": 116885, "y": 5236173, "spatialReference": {"latestWkid": 3857}}'}, [[0, 1]]),
        ({"geometry": '{"x": 116885, "y": 5236173, "spatialReference": {"wkid": 102100}}'}, [[0, 1]]),
        ({"geometry": "116885,5236173", "inSR": "102100"}, [[0, 1]]),
        (
            {"geometry": json.dumps({"x": 388_000, "y": 4_706_000, "spatialReference": {"wkt": UTM}})},
            [[0, 4]],
        ),
        ({"time": f"{START + 1000},{START + 2000}"}, [[1, 2]]),
        ({"time": f"{START + 3000},"}, [[3, 4]]),
        ({"time": f"{START + 90_000}"}, []),
    ],
)
async def test_when_a_place_is_seen(
    house: House, ann: httpx.AsyncClient, form: dict[str, str], ranges: list[list[int]]
) -> None:
    if house.server.videos.service("Seen") is None:
        make_layer(house.server, make_service(house.server, "Seen", "ann"))
    found = json_of(await ann.post(f"{SERVICES}/Seen/VideoServer/0/query", data={**form, **JSON}))
    assert [[each["startOffset"], each["endOffset"]] for each in found["timeRanges"]] == ranges
    assert found["intersects"] is bool(ranges)
    for each in found["timeRanges"]:
        assert each["start"] == START + each["startOffset"] * 1000


@pytest.mark.parametrize(
    ("form", "why"),
    [
        ({"id": "Other"}, "is not the service"),
        ({"layerId": "7"}, "is not layer 0"),
        ({"spatialRel": "esriSpatialRelContains"}, "is not esriSpatialRelIntersects"),
        ({"geometryType": "esriGeometryHole", "geometry": "{}"}, "not one of esriGeometryPoint"),
        ({"geometry": "no json"}, "must be JSON"),
        ({"geometry": "[1]"}, "must be JSON"),
        ({"geometry": "{}", "geometryType": "esriGeometryPoint"}, "'geometry'"),
        ({"geometry": "116885,5236173"}, "beyond the degrees"),
        ({"geometry": '{"x": 1, "y": 2, "spatialReference": 7}'}, "names no spatial reference"),
        ({"time": "yesterday"}, "milliseconds since 1970"),
        ({"time": "1,2,3"}, "milliseconds since 1970"),
        ({"time": "9" * 5000}, "milliseconds since 1970"),
        ({"time": "5,4"}, "ends before it begins"),
    ],
)
async def test_a_query_that_makes_no_sense(
    house: House, ann: httpx.AsyncClient, form: dict[str, str], why: str
) -> None:
    if house.server.videos.service("Seen") is None:
        make_layer(house.server, make_service(house.server, "Seen", "ann"))
    error = error_of(await ann.post(f"{SERVICES}/Seen/VideoServer/0/query", data={**form, **JSON}))
    assert error["code"] == 400
    assert why in error["message"]


async def test_pages_of_the_list(house: House, root: httpx.AsyncClient) -> None:
    for number in range(3):
        make_service(house.server, f"Many{number}", "root")
    first = json_of(await root.get(SERVICES, params={"num": "2", **JSON}))
    assert (first["start"], first["num"], first["nextStart"]) == (1, 2, 3)
    assert first["total"] >= 3
    everything = json_of(await root.get(SERVICES, params={"num": "1000", **JSON}))
    assert (everything["num"], everything["nextStart"]) == (100, -1)
    assert len(everything["services"]) == everything["total"]


async def test_files_that_cannot_be_removed_now_are_removed_later(
    house: House, ann: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = make_layer(house.server, make_service(house.server, "Stuck", "ann"))
    folder = house.server.settings.data / "videos" / layer.key

    def refuse(*_: Any) -> None:
        raise StorageError("it does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(LocalStorage, "delete", refuse)
        url = f"{SERVICES}/Stuck/VideoServer"
        assert json_of(await ann.post(f"{url}/0/delete", data=JSON)) == {"success": True}
        assert error_of(await ann.get(f"{url}/0", params=JSON))["code"] == 404
    assert folder.is_dir()
    # The next start of a server removes what an earlier one could not.
    assert house.server.videos.removals() == [(layer.key, "")]
    assert json_of(await ann.post(f"{url}/delete", data=JSON)) == {"success": True}
    assert not folder.exists()
    assert house.server.videos.removals() == []


async def test_a_server_that_starts_removes_what_is_left(tmp_path_factory: pytest.TempPathFactory) -> None:
    data = tmp_path_factory.mktemp("left") / "data"
    (data / "videos" / KEY / "hd").mkdir(parents=True)
    with Videos(data) as videos:
        videos.add(Service(name="Left", item="0" * 32, owner="ann", created=START))
        number = videos.reserve("0" * 32, KEY, None)
        about = {"storage": "", "name": "x", "created": START, "owner": "ann", "facts": FACTS}
        videos.finish("0" * 32, Layer(id=number, key=KEY, **about))
        videos.remove_layer("0" * 32, number)
    async with opened(data):
        pass
    assert list((data / "videos").iterdir()) == []


async def test_what_a_job_could_not_take_back_is_removed_later(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path_factory.mktemp("left") / "data"
    (data / "videos" / KEY / "hd").mkdir(parents=True)

    def refuse(*_: Any) -> None:
        raise StorageError("it does not answer")

    with Videos(data) as videos:
        videos.add(Service(name="Left", item="0" * 32, owner="ann", created=START))
        videos.reserve("0" * 32, KEY, None)
        with monkeypatch.context() as patch:
            patch.setattr(LocalStorage, "delete", refuse)
            with pytest.raises(StorageError, match="does not answer"):
                discard_layer(str(data), KEY, "")
        assert videos.is_free("0" * 32, 0)
        assert videos.removals() == [(KEY, "")]
    async with opened(data):
        pass
    assert list((data / "videos").iterdir()) == []
    with Videos(data) as videos:
        assert videos.removals() == []


def test_ids_of_layers_are_those_of_one_layer_each(tmp_path: Path) -> None:
    item, about = "0" * 32, {"storage": "", "name": "x", "created": START, "owner": "ann", "facts": FACTS}
    keys = (f"{each:032x}" for each in itertools.count())
    with Videos(tmp_path) as videos:
        videos.add(Service(name="Counted", item=item, owner="ann", created=START))

        def publish(wanted: int | None = None) -> int:
            key = next(keys)
            number = videos.reserve(item, key, wanted)
            videos.finish(item, Layer(id=number, key=key, **about))
            return number

        assert publish() == 0
        # A job that is cancelled leaves its id as if it had never been.
        assert videos.reserve(item, "a" * 32, 1000) == 1000
        assert (videos.last_id(item), videos.is_free(item, 1000)) == (1000, False)
        videos.release("a" * 32, "")
        assert (videos.last_id(item), videos.is_free(item, 1000)) == (0, True)
        assert publish() == 1
        assert publish(7) == 7
        # That of a layer that was deleted is never given again, wherever it was among the others.
        for number in (0, 7):
            assert videos.remove_layer(item, number)
            assert not videos.is_free(item, number)
            with pytest.raises(RecordError, match=f"the layer id {number} is taken"):
                videos.reserve(item, "b" * 32, number)
        assert videos.last_id(item) == 7
        assert publish() == 8


async def test_the_id_of_a_deleted_layer_is_not_asked_for(house: House) -> None:
    async with house.client("pat") as pat:
        service = make_service(house.server, "Spent", "pat")
        make_layer(house.server, service)
        upload = make_upload(house.server, "pat")
        url = f"{SERVICES}/Spent/VideoServer"
        assert json_of(await pat.post(f"{url}/0/delete", data=JSON)) == {"success": True}
        form = {"name": "x", "fileIds": upload.id, "layerId": "0", **JSON}
        error = error_of(await pat.post(f"{SERVICES}/Spent/addLayer", data=form))
        assert "0 is taken" in error["message"]


async def test_after_the_last_id_there_is_none_by_itself(house: House) -> None:
    async with house.client("pat") as pat:
        service = make_service(house.server, "Ended", "pat")
        layer = make_layer(house.server, service)
        videos, upload = house.server.videos, make_upload(house.server, "pat")
        assert videos.reserve(service.item, "e" * 32, LAST_ID) == LAST_ID
        with pytest.raises(RecordError, match="was the last one"):
            videos.reserve(service.item, "f" * 32, None)
        form = {"name": "x", "fileIds": upload.id, **JSON}
        for path in ("addLayer", f"VideoServer/{layer.id}/process"):
            error = error_of(await pat.post(f"{SERVICES}/Ended/{path}", data=form))
            assert (error["code"], "was the last one" in error["message"]) == (400, True), error


@pytest.mark.parametrize("path", ["0/delete", "delete"])
async def test_exports_go_with_their_layer(
    house: House, ann: httpx.AsyncClient, tmp_path: Path, path: str
) -> None:
    name = f"Exported_{next(numbers)}"
    service = make_service(house.server, name, "ann")
    layer, other = make_layer(house.server, service), make_layer(house.server, make_service_of_bob(house))
    exports = Exports(house.server.settings.data)
    for key in (layer.key, layer.key, other.key):
        made = tmp_path / "made"
        made.mkdir()
        (made / "clip.mp4").write_bytes(b"pictures")
        exports.keep(made, f"{key}.{new_id(START * 2)}")
    assert json_of(await ann.post(f"{SERVICES}/{name}/VideoServer/{path}", data=JSON)) == {"success": True}
    assert [each.partition(".")[0] for each in exports.storage.names()] == [other.key]
    exports.discard_all(other.key)


def make_service_of_bob(house: House) -> Service:
    return make_service(house.server, f"Bobs_{next(numbers)}", "bob")


async def test_the_administration(house: House, root: httpx.AsyncClient, ann: httpx.AsyncClient) -> None:
    make_service(house.server, "Ruled", "ann", description="Flights")
    about = json_of(await root.get(f"{ADMIN}/services/Ruled.VideoServer", params=JSON))
    assert about["serviceName"] == "Ruled"
    assert about["portalProperties"]["portalItems"][0]["type"] == "VideoServer"
    asked = {"serviceName": "ruled", "type": "VideoServer", **JSON}
    assert json_of(await root.post(f"{ADMIN}/services/exists", data=asked)) == {"exists": True}
    assert json_of(await root.post(f"{ADMIN}/services/exists", data={**asked, "type": "MapServer"})) == {
        "exists": False
    }
    upload = make_upload(house.server, "ann")
    listed = json_of(await root.get(f"{ADMIN}/uploads", params=JSON))["uploads"]
    [mine] = [each for each in listed if each["fileId"].replace("-", "") == upload.id]
    assert mine == {
        "fileId": mine["fileId"],
        "fileName": "flight.ts",
        "date": START,
        "committed": True,
        "owner": "ann",
        "description": "",
        "contentType": "video/mp2t",
    }
    item = f"{ADMIN}/uploads/item/{mine['fileId']}"
    assert error_of(await ann.post(f"{item}/delete", data=JSON))["code"] == 403
    assert json_of(await root.post(f"{item}/delete", data=JSON)) == {"status": "success", "success": True}
    assert error_of(await root.get(item, params=JSON))["code"] == 404
    assert house.manager.upload(upload.id) is None
    async with house.client() as nobody:
        form = {"username": "ann", "password": PASSWORD, **JSON}
        said = json_of(await nobody.post(f"{ADMIN}/generateToken", data=form))
        assert said.keys() == {"token", "expires", "loginAsPSA"}
        form["user"] = form.pop("username")  # as the example of the document has it
        assert "token" in json_of(await nobody.post(f"{ADMIN}/generateToken", data=form))
        assert json_of(await nobody.get(SERVICES, params={"token": said["token"], **JSON}))["services"]
        wrong = error_of(await nobody.post(f"{ADMIN}/generateToken", data={**form, "password": "no"}))
        assert wrong["code"] == 400


async def test_what_is_missing_is_said(
    house: House, ann: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house.client("pat") as pat:
        make_service(house.server, "Needs", "pat")
        upload = make_upload(house.server, "pat")
        assert json_of(await ann.get(f"{REST}/self", params=JSON))["supportsPublishing"] is True
        monkeypatch.setenv("PATH", "/nowhere")
        monkeypatch.setattr("importlib.util.find_spec", lambda name, *_: None)
        about = json_of(await ann.get(f"{REST}/self", params=JSON))
        assert (about["supportsPublishing"], about["supportsH264"]) == (False, False)
        assert any("pip install 'milepost[video]'" in each for each in about["missing"])
        assert "No videos can be published here" in (await ann.get(REST)).text
        form = {"name": "x", "fileIds": upload.id, **JSON}
        error = error_of(await pat.post(f"{SERVICES}/Needs/addLayer", data=form))
        assert error["code"] == 500
        assert "milepost[video]" in error["message"]


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("", {}),
        ("/self", {}),
        ("/services/Slow/addLayer", {"name": "x", "fileIds": "i" + "0" * 32}),
        ("/services/Slow/VideoServer/0/process", {}),
        (
            "/services/Slow/VideoServer/0/clip",
            {"timeRange": '{"start": 0, "end": 1}', "expiry": "1", "format": "ts", "async": "true"},
        ),
    ],
)
async def test_others_are_answered_while_ffmpeg_is_asked_what_it_can(
    house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, path: str, form: dict[str, str]
) -> None:
    if house.server.videos.service("Slow") is None:
        make_layer(house.server, make_service(house.server, "Slow", "pat"))
    asked, answer = tmp_path / "asked", tmp_path / "answer"
    for each in (asked, answer):
        os.mkfifo(each)
    ffmpeg = tmp_path / "ffmpeg"
    ffmpeg.write_text(f"#!/bin/sh\necho >{asked}\nread line <{answer}\n")
    ffmpeg.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *_: None)
    async with house.client("pat") as pat:
        waiting = asyncio.create_task(pat.post(f"{REST}{path}", data={**form, **JSON}))
        await asyncio.to_thread(asked.read_text)
        assert json_of(await pat.get(SERVICES, params=JSON))["services"]
        assert not waiting.done()
        await asyncio.to_thread(answer.write_text, "go on\n")
        assert (await waiting).status_code == 200
