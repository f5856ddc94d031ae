"""Folders go into a storage whole, are read in ranges, and go away whole, wherever they lie."""

import os
import tempfile
import threading
from pathlib import Path

import pytest

from milepost.storage import LocalStorage, Storage, StorageError, open_storage, read_place
from tests.storage.conftest import SECRET, keys, store_of

pytestmark = pytest.mark.anyio

NAME = "5c1e" * 8
BIG = os.urandom(20 * 2**20 + 17)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Stop(BaseException):
    """The job is to end."""


class Count:
    """Counts bytes, and stops the work once there were too many."""

    def __init__(self, limit: int = 2**40):
        self.total = 0
        self.limit = limit

    def __call__(self, size: int) -> None:
        self.total += size
        if self.total > self.limit:
            raise Stop


def folder(tmp_path: Path, name: str = "made") -> Path:
    made = tmp_path / name
    (made / "hd").mkdir(parents=True)
    (made / "ABR.m3u8").write_text("#EXTM3U\n")
    (made / "hd" / "0.m4s").write_bytes(b"0123456789")
    return made


async def read(storage: Storage, path: str, begin: int, end: int, name: str = NAME) -> bytes:
    return b"".join([piece async for piece in storage.read(name, path, begin, end)])


async def test_a_folder_is_there_with_all_that_is_in_it(storage: Storage, tmp_path: Path) -> None:
    count = Count()
    storage.put(folder(tmp_path), NAME, count)
    assert count.total == 18
    assert storage.names() == [NAME]
    assert storage.paths(NAME) == ["ABR.m3u8", "hd/0.m4s"]
    about = await storage.look(NAME, "hd/0.m4s")
    assert about is not None
    assert about.size == 10
    assert about.tag
    assert '"' not in about.tag
    assert about.modified > 1.6e9
    assert await read(storage, "hd/0.m4s", 0, 10) == b"0123456789"
    assert await read(storage, "hd/0.m4s", 3, 5) == b"34"
    target = tmp_path / "fetched" / "0.m4s"
    storage.fetch(NAME, "hd/0.m4s", target, count)
    assert target.read_bytes() == b"0123456789"
    assert count.total == 28


async def test_what_was_put_stays_as_it_is(storage: Storage, tmp_path: Path) -> None:
    storage.put(folder(tmp_path), NAME, Count())
    other = folder(tmp_path, "other")
    (other / "ABR.m3u8").write_text("another")
    storage.put(other, NAME, Count())
    assert await read(storage, "ABR.m3u8", 0, 7) == b"#EXTM3U"
    # As after a crash: what was put is gone from where it was made.
    storage.put(tmp_path / "never", NAME, Count())
    assert storage.names() == [NAME]


async def test_a_large_file_comes_back_byte_for_byte(storage: Storage, tmp_path: Path) -> None:
    made = folder(tmp_path)
    (made / "original").write_bytes(BIG)
    storage.put(made, NAME, Count())
    assert await read(storage, "original", 0, len(BIG)) == BIG
    assert await read(storage, "original", 9_000_000, 9_000_100) == BIG[9_000_000:9_000_100]


async def test_one_file_is_replaced(storage: Storage, tmp_path: Path) -> None:
    storage.put(folder(tmp_path), NAME, Count())
    before = await storage.look(NAME, "ABR.m3u8")
    storage.write(NAME, "ABR.m3u8", b"another")
    after = await storage.look(NAME, "ABR.m3u8")
    assert before is not None
    assert after is not None
    assert before.tag != after.tag
    assert await read(storage, "ABR.m3u8", 0, after.size) == b"another"
    storage.write(NAME, "hd/new.jpg", b"new")
    assert storage.paths(NAME) == ["ABR.m3u8", "hd/0.m4s", "hd/new.jpg"]


async def test_one_file_is_removed(storage: Storage, tmp_path: Path) -> None:
    storage.put(folder(tmp_path), NAME, Count())
    for _ in range(2):
        storage.remove(NAME, "hd/0.m4s")
        assert storage.paths(NAME) == ["ABR.m3u8"]
    storage.remove("other", "ABR.m3u8")


async def test_a_folder_goes_away_whole_and_as_often_as_one_likes(storage: Storage, tmp_path: Path) -> None:
    for name in (NAME, "other"):
        storage.put(folder(tmp_path, f"made-{name}"), name, Count())
    for _ in range(2):
        storage.delete(NAME)
        assert storage.names() == ["other"]
        assert storage.paths(NAME) == []
        assert await storage.look(NAME, "ABR.m3u8") is None
    with pytest.raises(StorageError, match="no file"):
        storage.fetch(NAME, "ABR.m3u8", tmp_path / "gone", Count())


@pytest.mark.parametrize(
    "bad", ["../other", "a/../b", "", "/etc/passwd", "a\0b", ".hidden", "hd//0.m4s", "é"]
)
async def test_no_path_leads_elsewhere(storage: Storage, tmp_path: Path, bad: str) -> None:
    storage.put(folder(tmp_path), NAME, Count())
    (tmp_path / "videos" / "secret").parent.mkdir(exist_ok=True)
    (tmp_path / "videos" / "secret").write_text("secret")
    assert await storage.look(bad, "ABR.m3u8") is None
    if bad:
        assert await storage.look(NAME, bad) is None
        with pytest.raises(ValueError, match="cannot be the name"):
            await read(storage, bad, 0, 1)
    with pytest.raises(ValueError, match="cannot be the name"):
        storage.delete(bad)


async def test_links_and_empty_folders_are_not_stored(storage: Storage, tmp_path: Path) -> None:
    made = folder(tmp_path)
    (made / "link").symlink_to("/etc/passwd")
    with pytest.raises(StorageError, match="link, which is no plain file"):
        storage.put(made, NAME, Count())
    (tmp_path / "empty").mkdir()
    with pytest.raises(StorageError, match="it holds nothing"):
        storage.put(tmp_path / "empty", NAME, Count())
    assert storage.names() == []


async def test_who_looks_while_it_is_put_finds_nothing_listed(storage: Storage, tmp_path: Path) -> None:
    made = folder(tmp_path)
    (made / "original").write_bytes(BIG)
    seen: set[str] = set()
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            for name in storage.names():
                seen.add(",".join(storage.paths(name)))

    thread = threading.Thread(target=look)
    thread.start()
    storage.put(made, NAME, Count())
    storage.names()
    ended.set()
    thread.join()
    assert seen <= {"ABR.m3u8,hd/0.m4s,original"}


async def test_a_put_that_is_stopped_is_not_there_and_can_be_done_again(
    storage: Storage, tmp_path: Path
) -> None:
    made = folder(tmp_path)
    (made / "original").write_bytes(BIG)
    with pytest.raises(Stop):
        storage.put(made, NAME, Count(limit=9 * 2**20))
    assert storage.names() == []
    storage.put(made, NAME, Count())
    assert await read(storage, "original", 0, len(BIG)) == BIG
    storage.delete(NAME)


def test_from_another_disk_it_is_copied(tmp_path: Path) -> None:
    if not os.path.ismount(disk := "/dev/shm") or os.stat(disk).st_dev == os.stat(tmp_path).st_dev:
        pytest.skip("there is no other disk")
    storage = open_storage(str(tmp_path / "elsewhere"), tmp_path / "videos")
    stored, told = tmp_path / "elsewhere", []
    count = Count()

    def tick(size: int) -> None:
        count(size)
        # What is said to be done has come over: all but what Python holds back of a small file.
        told.append(count.total - sum(each.stat().st_size for each in stored.rglob("*") if each.is_file()))

    with tempfile.TemporaryDirectory(dir=disk) as other:
        made = folder(Path(other))
        (made / "original").write_bytes(BIG)
        storage.put(made, NAME, tick)
        assert list(Path(other).iterdir()) == [made]
    assert storage.paths(NAME) == ["ABR.m3u8", "hd/0.m4s", "original"]
    assert (len(told) > 5, max(told) < 2**17, count.total) == (True, True, len(BIG) + 18)
    with tempfile.TemporaryDirectory(dir=disk) as other, pytest.raises(Stop):
        storage.fetch(NAME, "original", Path(other) / "original", Count(limit=9 * 2**20))


async def test_objects_lie_below_the_prefix(bucket: str, s3: str, tmp_path: Path) -> None:
    storage = open_storage(f"s3://{bucket}/site/a", tmp_path)
    storage.put(folder(tmp_path), NAME, Count())
    assert keys(store_of(bucket, s3)) == [
        f"site/a/complete/{NAME}",
        f"site/a/folders/{NAME}/ABR.m3u8",
        f"site/a/folders/{NAME}/hd/0.m4s",
    ]
    storage.delete(NAME)
    assert keys(store_of(bucket, s3)) == []


@pytest.mark.parametrize("place", ["ftp://host/x", "s3://", "s3://B", "s3://bucket/../x", "https://host/b"])
def test_what_names_no_storage_is_refused(place: str) -> None:
    with pytest.raises(StorageError, match="names no storage"):
        read_place(place)


def test_what_is_left_of_a_deletion_that_was_cut_off_is_removed(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path / "videos")
    storage.finish_deletions()
    storage.put(folder(tmp_path), NAME, Count())
    folder(tmp_path / "videos", ".gone-other")
    storage.finish_deletions()
    assert [each.name for each in storage.root.iterdir()] == [NAME]


def test_a_folder_that_cannot_be_used_is_told_without_its_path(tmp_path: Path) -> None:
    (tmp_path / "videos").write_text("no folder")
    storage = open_storage("", tmp_path / "videos")
    with pytest.raises(StorageError, match="the storage cannot be used: ") as caught:
        storage.put(folder(tmp_path), NAME, Count())
    assert str(tmp_path) not in str(caught.value)
    assert caught.value.place == str(tmp_path / "videos")


async def test_errors_name_no_secret_and_the_place_only_to_the_log(
    s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = open_storage("s3://nobody-made-this", tmp_path)
    with pytest.raises(StorageError, match="the storage cannot be used") as caught:
        missing.put(folder(tmp_path), NAME, Count())
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    silent = open_storage("s3://nobody-answers", tmp_path)
    with pytest.raises(StorageError, match="it does not answer") as other:
        await silent.look(NAME, "ABR.m3u8")
    for error in (caught, other):
        assert SECRET not in str(error.value)
        assert "AKIATEST" not in str(error.value)
        assert "nobody" not in str(error.value)
        assert error.value.place.startswith("s3://nobody")


async def test_credentials_come_from_the_file_of_the_aws_tools(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "credentials"
    path.write_text(f"[videos]\naws_access_key_id = AKIAFILE\naws_secret_access_key = {SECRET}\n")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
    with pytest.raises(StorageError, match="no profile 'default'"):
        open_storage(f"s3://{bucket}/profile", tmp_path)
    monkeypatch.setenv("AWS_PROFILE", "videos")
    storage = open_storage(f"s3://{bucket}/file", tmp_path)
    storage.put(folder(tmp_path), NAME, Count())
    assert storage.names() == [NAME]
    path.write_text(f"{SECRET}\n")
    with pytest.raises(StorageError, match="no INI file") as caught:
        open_storage(f"s3://{bucket}/broken", tmp_path)
    assert SECRET not in str(caught.value)
    assert str(path) not in str(caught.value)
