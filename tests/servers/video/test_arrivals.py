"""Uploads while they come, and those that nothing comes of: how far they are, their limits, and their end."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from milepost.servers.video.inbox import Inbox
from milepost.servers.video.parameters import read_upload_id
from milepost.servers.video.records import Upload
from milepost.servers.video.videos import Videos
from milepost.store.files import FileStore
from milepost.store.files import Upload as SentFile
from tests.servers.house import House, opened
from tests.servers.talking import error_of, json_of
from tests.servers.video.made import make_upload

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120, method="thread")]

UPLOADS = "/video/rest/uploads"
ADMIN = "/video/admin/uploads"
JSON = {"f": "json"}
PACKETS = (b"G" + bytes(187)) * 400
DAY = 86400.0

Meanwhile = Callable[[], Awaitable[None]]


async def send(
    client: httpx.AsyncClient, url: str, field: str, meanwhile: Meanwhile, **more: str
) -> dict[str, Any]:
    """Send a file in two halves, and do something in between; the answer."""
    whole = httpx.Request("POST", "http://x", files={field: ("flight.ts", PACKETS)}, data={**more, **JSON})
    content = whole.read()

    async def halves() -> AsyncIterator[bytes]:
        yield content[: len(content) // 2]
        await meanwhile()
        yield content[len(content) // 2 :]

    headers = {"Content-Type": whole.headers["Content-Type"], "Content-Length": str(len(content))}
    answer = await client.post(url, content=halves(), headers=headers)
    said: dict[str, Any] = answer.json()
    return said


def lies_in(house: House, name: str) -> list[str]:
    folder = house.server.settings.data / name
    return [each.name for each in folder.iterdir()] if folder.is_dir() else []


async def test_its_owner_and_administrators_see_how_far_it_is(
    house: House, ann: httpx.AsyncClient, bob: httpx.AsyncClient, root: httpx.AsyncClient
) -> None:
    seen: dict[str, Any] = {}

    async def look() -> None:
        [item] = json_of(await ann.get(UPLOADS, params=JSON))["uploads"]
        seen.update(item)
        assert json_of(await ann.get(f"{UPLOADS}/{item['fileId']}", params=JSON)) == item
        assert json_of(await root.get(f"{ADMIN}/item/{item['fileId']}", params=JSON)) == item
        assert item in json_of(await root.get(ADMIN, params=JSON))["uploads"]
        assert json_of(await bob.get(UPLOADS, params=JSON))["uploads"] == []
        # On the disk of the server, and nowhere else.
        [path] = (house.server.settings.data / "arriving").iterdir()
        assert 0 < path.stat().st_size < len(PACKETS)

    done = await send(ann, f"{UPLOADS}/upload", "file", look, description="Of today")
    assert done["committed"] is True
    assert (seen["fileId"], seen["fileName"], seen["committed"]) == (done["fileId"], "flight.ts", False)
    progress = seen["milepostProgress"]
    assert len(PACKETS) < progress["total"] < len(PACKETS) + 1000
    assert abs(progress["received"] - progress["total"] / 2) <= 1
    item = json_of(await ann.get(f"{UPLOADS}/{done['fileId']}", params=JSON))
    assert ("milepostProgress" in item, item["description"]) == (False, "Of today")
    assert lies_in(house, "arriving") == []
    await ann.post(f"{UPLOADS}/{done['fileId']}/delete", data=JSON)


async def test_parts_are_added_up(house: House, ann: httpx.AsyncClient) -> None:
    size = 2 * len(PACKETS)
    begun = json_of(
        await ann.post(f"{UPLOADS}/register", data={"fileName": "p.ts", "size": str(size), **JSON})
    )
    url = f"{UPLOADS}/{begun['fileId']}"
    seen: list[dict[str, int]] = []

    async def look() -> None:
        seen.append(json_of(await ann.get(url, params=JSON))["milepostProgress"])

    await look()
    for number in "01":
        assert "success" in await send(ann, f"{url}/uploadPart", "partFile", look, partId=number)
    await look()
    assert {each["total"] for each in seen} == {size}
    received = [each["received"] for each in seen]
    assert (received[0], received[-1]) == (0, size)
    assert 0 < received[1] < len(PACKETS) < received[2] < size
    assert json_of(await ann.post(f"{url}/commit", data=JSON))["committed"] is True


async def test_what_breaks_off_leaves_nothing(house: House, ann: httpx.AsyncClient) -> None:
    before = lies_in(house, "uploads")

    async def break_off() -> None:
        assert len(lies_in(house, "uploads")) == len(before) + 1
        raise ConnectionError

    assert "error" in await send(ann, f"{UPLOADS}/upload", "file", break_off)
    assert lies_in(house, "uploads") == before
    assert lies_in(house, "arriving") == []


async def test_what_is_deleted_while_it_comes_does_not_come(house: House, ann: httpx.AsyncClient) -> None:
    before = lies_in(house, "uploads")

    async def delete() -> None:
        [item, *_] = json_of(await ann.get(UPLOADS, params=JSON))["uploads"]
        assert json_of(await ann.post(f"{UPLOADS}/{item['fileId']}/delete", data=JSON)) == {"success": True}

    said = await send(ann, f"{UPLOADS}/upload", "file", delete)
    assert said["error"]["message"] == "The upload was deleted while it came"
    assert lies_in(house, "uploads") == before


async def test_everybody_has_room_for_so_much(tmp_path: Path) -> None:
    async with (
        opened(tmp_path / "data", video_uploads_per_person=100_000) as house,
        house.client("ann") as ann,
    ):
        files = {"file": ("flight.ts", PACKETS)}
        first = json_of(await ann.post(f"{UPLOADS}/upload", data=JSON, files=files))
        error = error_of(await ann.post(f"{UPLOADS}/upload", data=JSON, files=files))
        assert "and 0.0954 MiB are allowed: delete those" in error["message"]
        assert len(lies_in(house, "uploads")) == 1
        async with house.client("bob") as bob:
            assert json_of(await bob.post(f"{UPLOADS}/upload", data=JSON, files=files))["committed"] is True
        await ann.post(f"{UPLOADS}/{first['fileId']}/delete", data=JSON)
        assert json_of(await ann.post(f"{UPLOADS}/upload", data=JSON, files=files))["committed"] is True


async def test_what_nobody_uses_expires(house: House) -> None:
    server = house.server
    old, new, used, open_still = (make_upload(server, "bob", committed=each != 3) for each in range(4))
    inbox = Inbox(server.videos.uploads, server.manager, keep=7 * DAY)
    inbox.use(new.id)
    operation = server.manager.catalog.get("Video.VideoServer", "publish_layer")
    assert operation is not None
    inputs = {"fileIds": f"i{used.id[1:]}"}
    values = {"files": [{"itemID": used.id}], "plan": "{}"}
    job = (await server.manager.submit(operation, values, owner="bob", attributes={"inputs": inputs})).job
    now = time.time()
    await inbox.remove_stale(now + 6 * DAY)
    assert len(inbox.present("bob")) == 4
    # It was made use of later than it was sent, which for a file that is made up was years ago.
    await inbox.remove_stale(now + 8 * DAY)
    assert [each.id for each in inbox.present("bob")] == [used.id]
    await house.manager.finished(job.id)
    await inbox.remove_stale(now + 8 * DAY)
    assert inbox.present("bob") == []
    assert not {each.id for each in (old, new, used, open_still)} & {*lies_in(house, "uploads")}


async def test_what_was_on_its_way_when_a_server_was_killed_is_removed_at_the_start(tmp_path: Path) -> None:
    data = tmp_path / "data"
    files = FileStore(data)
    (data / "arriving").mkdir(parents=True)
    (data / "arriving" / "half").write_bytes(b"half")
    announced, broken, _ = (files.new_upload()[0] for _ in range(3))
    lost = "i" + "0" * 32
    with Videos(data) as videos:
        for each in (announced, broken, lost):
            about = Upload(id=each, owner="ann", name="a.ts", file="a.ts", date=1, whole=each == broken)
            videos.uploads.put(about)
    # As one that was sent to another system, which has no record of it beside its file.
    sent = files.new_upload()[0]
    (data / "uploads" / sent / "file").mkdir()
    (data / "uploads" / sent / "file" / "a.tif").write_bytes(b"II*")
    files.finish_upload(SentFile(sent, "a.tif", "ann", "", 0, 1))
    # What a loss of power leaves of files that were not on the disk yet.
    torn, emptied, _ = (files.new_upload()[0] for _ in range(3))
    for each, left in ((torn, b""), (emptied, bytes(100))):
        (data / "uploads" / each / "upload.json").write_bytes(left)
    with Videos(data) as videos:
        about = Upload(id=emptied, owner="ann", name="a.ts", file="a.ts", date=1, committed=True)
        videos.uploads.put(replace(about, date=time.time_ns() // 1_000_000))
    async with opened(data) as house:
        assert {*lies_in(house, "uploads")} == {announced, sent, emptied}
        assert {each.id for each in house.server.videos.uploads.of()} == {announced, emptied}
        assert lies_in(house, "arriving") == []
        # It locks nobody out.
        async with house.client("ann") as ann, house.client("root") as root:
            for client, url in ((ann, UPLOADS), (root, ADMIN)):
                listed = json_of(await client.get(url, params=JSON))["uploads"]
                assert [read_upload_id(each["fileId"]) for each in listed] == [announced]
            files_sent = {"file": ("flight.ts", PACKETS)}
            again = json_of(await ann.post(f"{UPLOADS}/upload", data=JSON, files=files_sent))
            assert again["committed"] is True


async def test_what_was_being_deleted_when_a_server_was_killed_is_removed_at_the_start(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """Nothing more is done."""

    def killed(*_: object) -> None:
        raise Killed

    upload = make_upload(house.server, "ann")
    inbox = Inbox(house.server.videos.uploads, house.manager, keep=DAY)
    with monkeypatch.context() as patch:
        patch.setattr(FileStore, "remove_upload", killed)
        with pytest.raises(Killed):
            inbox.remove(upload)
    inbox.discard_broken()  # as each start does
    assert upload.id not in lies_in(house, "uploads")
    assert house.server.videos.uploads.get(upload.id) is None
