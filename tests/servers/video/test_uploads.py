"""Files that people send for their layers."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from milepost.servers.video.parameters import read_upload_id
from tests.servers.enterprise.service_changes import until
from tests.servers.house import House, opened
from tests.servers.talking import error_of, json_of
from tests.servers.video.made import make_service

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120, method="thread")]

UPLOADS = "/video/rest/uploads"
JSON = {"f": "json"}

PACKETS = (b"G" + bytes(187)) * 40
GPX = b'<?xml version="1.0"?>\n<gpx version="1.1"><trk><trkseg/></trk></gpx>\n'
GP = "/rest/services/Tests/Small/GPServer/uploads"
CSV = b"time,latitude,longitude\n1,2,3\n4,5,6\n"


@pytest.fixture(scope="module")
async def small(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A server that takes 100 KiB and no more."""
    async with opened(
        tmp_path_factory.mktemp("small"), video_max_upload=100 * 1024, max_body=50_000
    ) as house:
        yield house


async def send(client: httpx.AsyncClient, name: str, content: bytes, **form: str) -> httpx.Response:
    return await client.post(f"{UPLOADS}/upload", data={**form, **JSON}, files={"file": (name, content)})


def folders(house: House) -> set[str]:
    folder = house.server.settings.data / "uploads"
    return {each.name for each in folder.iterdir()} if folder.is_dir() else set()


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("flight.ts", PACKETS, "video/mp2t"),
        ("flight.MP4", PACKETS, "video/mp2t"),
        ("00001.m2ts", PACKETS, "video/mp2t"),
        ("flight", PACKETS, "video/mp2t"),
        ("flight.mp4", b"\x00\x00\x00\x18ftypmp42" + bytes(40), "video/mp4"),
        ("flight.mov", b"\x00\x00\x00\x14ftypqt  " + bytes(40), "video/quicktime"),
        ("flight.avi", b"RIFF\x00\x00\x00\x00AVI LIST" + bytes(40), "video/x-msvideo"),
        ("flight.mpg", b"\x00\x00\x01\xba" + bytes(40), "video/mpeg"),
        ("track.csv", CSV, "text/csv"),
        ("track.txt", CSV, "text/csv"),
        ("track.gpx", GPX, "application/gpx+xml"),
        ("notes.txt", b"One line of words.\n", "text/plain"),
        ("../../../Fl\u00fcge #1.ts", PACKETS, "video/mp2t"),
        ("C:\\videos\\flight.ts", PACKETS, "video/mp2t"),
    ],
)
async def test_a_file_is_what_its_content_says(
    house: House, ann: httpx.AsyncClient, name: str, content: bytes, kind: str
) -> None:
    sent = json_of(await send(ann, name, content, description="Of today"))
    assert sent.keys() == {"success", "fileId", "fileName", "date", "committed"}
    assert (sent["success"], sent["committed"]) == (True, True)
    assert sent["fileName"] == name.replace("\\", "/").rpartition("/")[2]
    assert sent["date"] > 10**12
    item = json_of(await ann.get(f"{UPLOADS}/{sent['fileId']}", params=JSON))
    assert (item["contentType"], item["owner"], item["description"]) == (kind, "ann", "Of today")
    plain = read_upload_id(sent["fileId"])
    assert plain is not None
    [file] = (house.manager.upload_folder(plain) / "file").iterdir()
    assert file.read_bytes() == content
    listed = json_of(await ann.get(UPLOADS, params=JSON))["uploads"]
    assert listed[0] == item
    assert json_of(await ann.post(f"{UPLOADS}/{sent['fileId']}/delete", data=JSON)) == {"success": True}
    assert error_of(await ann.get(f"{UPLOADS}/{sent['fileId']}", params=JSON))["code"] == 404
    assert plain not in folders(house)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("wrong.mp4", b"One line of words.\n", "its content is text"),
        ("x" * 250 + ".ts", PACKETS, "250 characters"),
        ("flight.ts", b"", "empty"),
        ("flight.ts", b"\x7fELF" + bytes(400), "not read"),
        ("flight.ts", b"#EXTM3U\nfile:///etc/passwd\n", "playlist"),
        ("flight.mp4", b"ffconcat version 1.0\nfile /etc/passwd\n", "playlist"),
        ("track.csv", b"\x89PNG\r\n\x1a\n" + bytes(100), "not read"),
        ("flight.mov", b"<svg onload=alert(1)/>" + b"\x00" * 100, "not read"),
    ],
)
async def test_what_is_something_else_is_refused_and_not_kept(
    house: House, ann: httpx.AsyncClient, name: str, content: bytes, why: str
) -> None:
    before = folders(house)
    error = error_of(await send(ann, name, content))
    assert error["code"] == 400
    assert why in error["message"]
    assert str(house.server.settings.data) not in error["message"]
    assert folders(house) == before


async def test_no_file_is_an_error_in_words(house: House, ann: httpx.AsyncClient) -> None:
    assert "'file'" in error_of(await ann.post(f"{UPLOADS}/upload", data=JSON))["message"]
    assert "'fileName'" in error_of(await ann.post(f"{UPLOADS}/register", data=JSON))["message"]


async def test_a_large_file_comes_in_parts(house: House, ann: httpx.AsyncClient) -> None:
    content = PACKETS * 20 + os.urandom(1000)
    begun = json_of(await ann.post(f"{UPLOADS}/register", data={"fileName": "parts.ts", **JSON}))
    assert begun["committed"] is False
    url = f"{UPLOADS}/{begun['fileId']}"
    pieces = {2: content[50_000:], 0: content[:10_000], 1: content[10_000:50_000]}
    for number in (1, 0, 2, 1):  # in any order, and again when a client is not sure
        answer = await ann.post(
            f"{url}/uploadPart",
            data={"partId": str(number), **JSON},
            files={"partFile": ("p", pieces[number])},
        )
        assert json_of(answer) == {"success": True, "partId": number}
    for parts, why in (("0,1,7", "7 was not sent"), ("0,../1", "is no number")):
        assert why in error_of(await ann.post(f"{url}/commit", data={"parts": parts, **JSON}))["message"]
    done = json_of(await ann.post(f"{url}/commit", data={"parts": "0,1,2", **JSON}))
    assert (done["committed"], done["fileId"]) == (True, begun["fileId"])
    plain = read_upload_id(begun["fileId"])
    assert plain is not None
    folder = house.manager.upload_folder(plain)
    assert (folder / "file" / "parts.ts").read_bytes() == content
    assert not list(folder.glob("*part-*"))
    for operation in ("uploadPart", "commit"):
        error = error_of(await ann.post(f"{url}/{operation}", data={"partId": "1", **JSON}))
        assert "is complete" in error["message"]


async def test_an_operator_puts_a_file_into_its_folder(house: House, ann: httpx.AsyncClient) -> None:
    begun = json_of(await ann.post(f"{UPLOADS}/register", data={"fileName": "big.ts", **JSON}))
    url = f"{UPLOADS}/{begun['fileId']}"
    assert "Nothing was sent" in error_of(await ann.post(f"{url}/commit", data=JSON))["message"]
    plain = read_upload_id(begun["fileId"])
    assert plain is not None
    path = house.manager.upload_folder(plain) / "file" / "big.ts"
    path.symlink_to("/etc/passwd")
    assert "Nothing was sent" in error_of(await ann.post(f"{url}/commit", data=JSON))["message"]
    path.unlink()
    path.write_bytes(b"no video\x00")
    assert error_of(await ann.post(f"{url}/commit", data=JSON))["code"] == 400
    path.write_bytes(PACKETS)
    assert json_of(await ann.post(f"{url}/commit", data=JSON))["committed"] is True


@pytest.mark.parametrize("part", ["", "x", "-1", "10001", "1.5", "../1", "1" * 400])
async def test_a_part_has_a_number(house: House, ann: httpx.AsyncClient, part: str) -> None:
    begun = json_of(await ann.post(f"{UPLOADS}/register", data={"fileName": "p.ts", **JSON}))
    url = f"{UPLOADS}/{begun['fileId']}/uploadPart"
    answer = await ann.post(url, data={"partId": part, **JSON}, files={"partFile": ("p", b"x")})
    assert "'partId'" in error_of(answer)["message"]


async def test_of_others_there_is_nothing(
    house: House, ann: httpx.AsyncClient, bob: httpx.AsyncClient, root: httpx.AsyncClient
) -> None:
    sent = json_of(await send(ann, "mine.ts", PACKETS))
    begun = json_of(await ann.post(f"{UPLOADS}/register", data={"fileName": "later.ts", **JSON}))
    assert json_of(await bob.get(UPLOADS, params=JSON)) == {"uploads": []}
    for file_id in (sent["fileId"], begun["fileId"]):
        for operation in ("", "/delete", "/commit", "/uploadPart"):
            answer = await bob.post(f"{UPLOADS}/{file_id}{operation}", data=JSON)
            assert error_of(answer)["code"] == 404, operation
            # An administrator has another place for it.
            answer = await root.post(f"{UPLOADS}/{file_id}{operation}", data=JSON)
            assert error_of(answer)["code"] == 404, operation
    for bad in ("upload.json", "i" + "0" * 32, "x" * 500, "%00"):
        assert error_of(await ann.get(f"{UPLOADS}/{bad}", params=JSON))["code"] == 404


async def test_who_only_looks_on_sends_nothing(house: House) -> None:
    async with house.client("vera") as vera, house.client() as nobody:
        assert error_of(await send(vera, "a.ts", PACKETS))["code"] == 403
        assert error_of(await send(nobody, "a.ts", PACKETS))["code"] == 499


async def test_files_have_a_limit_of_their_own(small: House) -> None:
    async with small.client("ann") as ann:
        about = json_of(await ann.get("/video/rest/self", params=JSON))
        assert about["maxUploadSize"] == 100 * 1024
        assert json_of(await send(ann, "fits.ts", (PACKETS * 13)[:97_000]))["committed"] is True
        error = error_of(await send(ann, "not.ts", PACKETS * 20))
        assert "larger than" in error["message"]
        begun = json_of(await ann.post(f"{UPLOADS}/register", data={"fileName": "p.ts", **JSON}))
        url = f"{UPLOADS}/{begun['fileId']}/uploadPart"

        async def part(number: int) -> Any:
            form = {"partId": str(number), **JSON}
            answer = await ann.post(url, data=form, files={"partFile": ("p", bytes(60_000))})
            return json_of(answer)

        assert (await part(0))["success"] is True
        assert (await part(0))["success"] is True
        assert "larger than" in (await part(1))["error"]["message"]


async def test_parts_make_no_file_above_the_limit(small: House) -> None:
    async with small.client("ann") as ann:
        begun = json_of(await ann.post(f"{UPLOADS}/register", data={"fileName": "p.ts", **JSON}))
        url = f"{UPLOADS}/{begun['fileId']}"

        async def part(number: int, content: bytes = PACKETS * 8) -> dict[str, Any]:
            form = {"partId": str(number), **JSON}
            answer = await ann.post(f"{url}/uploadPart", data=form, files={"partFile": ("p", content)})
            said: dict[str, Any] = answer.json()
            return said

        # However many of them arrive at the same time.
        said = await asyncio.gather(*(part(number) for number in range(4)))
        assert sum("success" in each for each in said) == 1
        [kept] = [number for number, each in enumerate(said) if "success" in each]
        plain = read_upload_id(begun["fileId"])
        assert plain is not None
        folder = small.manager.upload_folder(plain)
        assert [each.name for each in folder.iterdir() if each.is_file()] == [f"part-{kept:05}"]
        for parts in (f"{kept},{kept}", f'["{kept}", "0{kept}"]', ",".join([str(kept)] * 5000)):
            error = error_of(await ann.post(f"{url}/commit", data={"parts": parts, **JSON}))
            assert (error["code"], f"{kept} is named twice" in error["message"]) == (400, True)
        # By a server with a higher limit, for example.
        (folder / "part-00009").write_bytes(PACKETS * 8)
        error = error_of(await ann.post(f"{url}/commit", data=JSON))
        assert "larger than" in error["message"]
        assert not list((folder / "file").iterdir())
        assert json_of(await ann.post(f"{url}/commit", data={"parts": str(kept), **JSON}))["committed"]


async def test_a_commit_that_is_refused_keeps_no_file(house: House, ann: httpx.AsyncClient) -> None:
    begun = json_of(await ann.post(f"{UPLOADS}/register", data={"fileName": "p.ts", **JSON}))
    url = f"{UPLOADS}/{begun['fileId']}"
    plain = read_upload_id(begun["fileId"])
    assert plain is not None
    folder = house.manager.upload_folder(plain)
    for number, content in enumerate((b"no video\x00", PACKETS)):
        files = {"partFile": ("p", content)}
        json_of(await ann.post(f"{url}/uploadPart", data={"partId": str(number), **JSON}, files=files))
    assert error_of(await ann.post(f"{url}/commit", data={"parts": "0", **JSON}))["code"] == 400
    assert not list((folder / "file").iterdir())
    assert json_of(await ann.post(f"{url}/commit", data={"parts": "1", **JSON}))["committed"] is True
    assert (folder / "file" / "p.ts").read_bytes() == PACKETS


async def send_part(client: httpx.AsyncClient, url: str, number: int, content: bytes = PACKETS) -> Any:
    form = {"partId": str(number), **JSON}
    return json_of(await client.post(f"{url}/uploadPart", data=form, files={"partFile": ("p", content)}))


async def test_a_file_of_which_a_part_is_missing_is_not_taken(house: House, ann: httpx.AsyncClient) -> None:
    for size in ("", str(3 * len(PACKETS))):
        form = {"fileName": "p.ts", "size": size, **JSON}
        url = f"{UPLOADS}/{json_of(await ann.post(f'{UPLOADS}/register', data=form))['fileId']}"
        for number in (3, 1):
            await send_part(ann, url, number)
        error = error_of(await ann.post(f"{url}/commit", data=JSON))
        why = f"{2 * len(PACKETS)} bytes are here, and {size} were registered" if size else "2 was not sent"
        assert (error["code"], why in error["message"]) == (400, True), error
        await send_part(ann, url, 2)
        assert json_of(await ann.post(f"{url}/commit", data=JSON))["committed"] is True
    # Who names the parts may leave some out.
    begun = json_of(await ann.post(f"{UPLOADS}/register", data={"fileName": "p.ts", **JSON}))
    for number in (1, 3):
        await send_part(ann, f"{UPLOADS}/{begun['fileId']}", number)
    form = {"parts": "1,3", **JSON}
    assert json_of(await ann.post(f"{UPLOADS}/{begun['fileId']}/commit", data=form))["committed"] is True


async def test_nothing_else_is_done_with_an_upload_that_is_being_committed(
    house: House, ann: httpx.AsyncClient
) -> None:
    begun = json_of(await ann.post(f"{UPLOADS}/register", data={"fileName": "p.ts", **JSON}))
    url = f"{UPLOADS}/{begun['fileId']}"
    await send_part(ann, url, 0)
    plain = read_upload_id(begun["fileId"])
    assert plain is not None
    folder = house.manager.upload_folder(plain)
    # The commit cannot end as long as somebody else writes the records.
    writing = sqlite3.connect(house.server.settings.data / "videos.sqlite", isolation_level=None)
    writing.execute("BEGIN IMMEDIATE")
    try:
        commit = asyncio.create_task(ann.post(f"{url}/commit", data=JSON))
        about = folder / "upload.json"
        await asyncio.to_thread(until, about.exists)
        said = [await send_part(ann, url, 1)]
        said += [(await ann.post(f"{url}/{each}", data=JSON)).json() for each in ("commit", "delete")]
        why = (
            f"The upload {begun['fileId']} is being committed: ask for it until that is done, then try again"
        )
        assert [each["error"]["message"] for each in said] == [why] * 3
    finally:
        writing.close()
    assert json_of(await commit)["committed"] is True
    assert (folder / "file" / "p.ts").read_bytes() == PACKETS
    assert json_of(await ann.post(f"{url}/delete", data=JSON)) == {"success": True}


async def test_geoprocessing_knows_its_own_uploads_only(house: House, ann: httpx.AsyncClient) -> None:
    video = read_upload_id(json_of(await send(ann, "flight.ts", PACKETS))["fileId"])
    form, files = JSON, {"file": ("a.csv", CSV)}
    mine = json_of(await ann.post(f"{GP}/upload", data=form, files=files))["item"]["itemID"]
    assert error_of(await ann.get(f"{GP}/{video}", params=JSON))["code"] == 404
    assert error_of(await ann.post(f"{GP}/{video}/delete", data=JSON))["code"] == 404
    # Neither with GET, nor where there is no such service.
    assert error_of(await ann.get(f"{GP}/{mine}/delete", params=JSON))["code"] == 405
    nowhere = GP.replace("Small", "Nope")
    assert error_of(await ann.post(f"{nowhere}/{mine}/delete", data=JSON))["code"] == 404
    assert {video, mine} <= folders(house)
    assert json_of(await ann.post(f"{GP}/{mine}/delete", data=JSON)) == {"success": True}
    assert mine not in folders(house)


async def test_of_a_layer_and_a_deletion_at_the_same_time_one_wins(house: House) -> None:
    make_service(house.server, "Races", "pat")
    async with house.client("pat") as pat:
        for _ in range(4):
            file_id = json_of(await send(pat, "flight.ts", PACKETS))["fileId"]
            wanted = {"name": "x", "type": "ondemand", "fileIds": file_id, **JSON}
            answers = await asyncio.gather(
                pat.post("/video/rest/services/Races/addLayer", data=wanted),
                pat.post(f"{UPLOADS}/{file_id}/delete", data=JSON),
            )
            added, deleted = (each.json() for each in answers)
            assert ("success" in added, "success" in deleted) in [(True, False), (False, True)]
            refused = deleted if "success" in added else added
            assert refused["error"]["code"] == 400
            if "success" in added:
                assert json_of(await pat.get(f"{UPLOADS}/{file_id}", params=JSON))["committed"] is True
                json_of(await pat.post(f"/video/rest/jobs/job/{added['jobId']}/cancel", data=JSON))
