"""Layers whose files lie in an object storage: published there, played from there, and removed from there."""

from pathlib import Path

import m3u8
import pytest
from msgspec.structs import replace

from milepost.servers.video.flight import make_clip
from milepost.servers.video.library import storage_at
from milepost.servers.video.operations import discard_layer
from milepost.storage import StorageError
from milepost.storage.objects import ObjectStorage
from tests.servers.house import opened
from tests.servers.talking import error_of, json_of
from tests.servers.video.made import SEGMENT, make_layer, make_service, png
from tests.storage import conftest as storage

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(280, method="thread")]

s3 = storage.s3
bucket = storage.bucket

REST = "/video/rest"
JSON = {"f": "json"}


async def test_from_the_upload_to_the_player(bucket: str, s3: str, tmp_path: Path) -> None:
    clip = tmp_path / "flight.ts"
    make_clip(clip, seconds=2, width=160, height=90, fps=10, audio=False)
    seen = storage.store_of(bucket, s3)
    async with (
        opened(tmp_path / "data", video_storage=f"s3://{bucket}/site") as house,
        house.client("pat") as pat,
    ):
        with clip.open("rb") as file:
            sent = await pat.post(f"{REST}/uploads/upload", data=JSON, files={"file": ("flight.ts", file)})
        await pat.post(f"{REST}/services/create", data={"serviceName": "Far", **JSON})
        form = {"name": "Far away", "fileIds": json_of(sent)["fileId"], **JSON}
        started = json_of(await pat.post(f"{REST}/services/Far/addLayer", data=form))["jobId"]
        job = await house.manager.finished(started.removeprefix("j").replace("-", ""))
        said = (await pat.get(f"{REST}/jobs/job/{started}", params=JSON)).text
        assert json_of(await pat.get(f"{REST}/jobs/job/{started}", params=JSON))["status"] == "COMPLETED", (
            said
        )
        for told in (said, str(await house.manager.history(job.id))):
            assert storage.SECRET not in told
            assert "AKIATEST" not in told
        assert not (tmp_path / "data" / "videos").exists()
        assert any(each.endswith("/ABR.m3u8") for each in storage.keys(seen))
        url = f"{REST}/services/Far/VideoServer/0"
        content = f"{url}/content"
        master = m3u8.loads((await pat.get(f"{content}/ABR.m3u8")).text)
        rung = master.playlists[0].uri
        segments = m3u8.loads((await pat.get(f"{content}/{rung}")).text).segments
        path = f"{content}/{rung.rpartition('/')[0]}/{segments[0].uri}"
        whole = await pat.get(path)
        part = await pat.get(path, headers={"Range": "bytes=10-19"})
        assert (part.status_code, part.content) == (206, whole.content[10:20])
        again = await pat.get(path, headers={"If-None-Match": whole.headers["etag"]})
        assert again.status_code == 304
        assert (await pat.get(f"{url}/original")).content == clip.read_bytes()
        picture = {"file": ("p.png", png(8, 6))}
        for _ in range(2):
            assert (
                json_of(await pat.post(f"{url}/update/poster", data=JSON, files=picture))["success"] is True
            )
        assert len([each for each in storage.keys(seen) if "/poster-" in each]) == 1
        assert json_of(await pat.post(f"{url}/delete", data=JSON)) == {"success": True}
        assert storage.keys(seen) == []


async def test_what_was_half_stored_when_the_storage_fell_silent_is_removed_later(
    bucket: str, s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, data, key = f"s3://{bucket}/site", tmp_path / "data", "5c1e" * 8
    storage_at(place, data).write(key, "hd/0.m4s", SEGMENT)

    def refuse(*_: object) -> None:
        raise StorageError("it does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(ObjectStorage, "delete", refuse)
        with pytest.raises(StorageError, match="does not answer"):
            discard_layer(str(data), key, place)
    seen = storage.store_of(bucket, s3)
    assert storage.keys(seen)
    async with opened(data, video_storage=place):
        pass
    assert storage.keys(seen) == []


async def test_layers_stay_where_they_are_when_the_setting_changes(bucket: str, tmp_path: Path) -> None:
    data = tmp_path / "data"
    url = f"{REST}/services/Moved/VideoServer"
    async with opened(data, video_storage=f"s3://{bucket}") as house, house.client("ann") as ann:
        service = make_service(house.server, "Moved", "ann")
        make_layer(house.server, service)
        # As one that was published before the setting was made.
        make_layer(house.server, service, place="")
        for number in (0, 1):
            assert (await ann.get(f"{url}/{number}/content/hd/0.m4s")).content == SEGMENT
        assert len(list((data / "videos").iterdir())) == 1


async def test_a_storage_that_does_not_answer(
    s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    async with opened(tmp_path / "data") as house, house.client("ann") as ann:
        service = make_service(house.server, "Silent", "ann")
        layer = make_layer(house.server, service)
        silent = "s3://silent-bucket"
        house.server.videos.change_layer(service.item, 0, lambda each: replace(each, storage=silent))
        url = f"{REST}/services/Silent/VideoServer/0"
        broken = await ann.get(f"{url}/content/hd/0.m4s")
        assert broken.status_code == 500
        assert "cannot be used now" in broken.json()["error"]["message"]
        assert error_of(await ann.get(f"{url}/coverage", params=JSON))["code"] == 500
        assert json_of(await ann.post(f"{url}/delete", data=JSON)) == {"success": True}
        assert house.server.videos.removals() == [(layer.key, silent)]
