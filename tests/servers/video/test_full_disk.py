"""However full a disk is: whoever publishes videos is told at which step, nothing is half there, and layers are played.

The server has small disks of memory: one for its data, one for layers, and one for the work of jobs.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from milepost.http.arriving import DISK_FULL
from milepost.servers.video.flight import make_clip
from tests.servers.talking import error_of, json_of
from tests.servers.test_full_disk import SmallDisk, can_mount
from tests.videos import JSON, REST, SERVICES, add_layer, create_service, ended, upload

pytestmark = pytest.mark.timeout(280)

LAYER = f"{SERVICES}/Flight/VideoServer/0"


class SmallDisks(SmallDisk):
    """A server whose data folder, whose storage and whose workspaces are disks of their own."""

    def command(self) -> list[str]:
        command = super().command()
        at = command.index(str(self.data)) + 1
        mount = 'mkdir -p "$0" && mount -t tmpfs -o size=8m,mode=700 none "$0" && exec "$@"'
        for folder in (self.data.parent / "storage", self.data / "scratch"):
            command[at:at] = ["sh", "-c", mount, str(folder)]
            at += 4
        return command

    def seen(self, name: str) -> Path:
        """A folder beside or in the data folder, as it is seen from outside."""
        return (self.disk.parent if name == "storage" else self.disk) / name

    @contextmanager
    def filled(self, name: str, left: int) -> Iterator[None]:
        """So many bytes are left on the disk of a folder."""
        about, filler = os.statvfs(self.seen(name)), self.seen(name) / ".filler"
        filler.write_bytes(bytes(about.f_bavail * about.f_frsize - left))
        yield
        filler.unlink()


class Site:
    """A server on which a flight was published."""

    def __init__(self, server: SmallDisks, client: httpx.Client, clip: Path):
        self.server, self.client, self.clip = server, client, clip
        create_service(client, "Flight")
        self.file = upload(client, clip)
        assert ended(client, add_layer(client, "Flight", self.file))["status"] == "COMPLETED"

    def left(self) -> set[str]:
        """What lies where work goes on, and where something is stored."""
        folders = map(self.server.seen, ("scratch", "arriving", "uploads", "video-exports", "storage"))
        return {str(each) for folder in folders if folder.is_dir() for each in folder.iterdir()}

    def check_played(self) -> None:
        assert self.client.get(f"{LAYER}/content/ABR.m3u8").status_code == 200
        assert self.client.get(f"{LAYER}/original").content == self.clip.read_bytes()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    if not can_mount():
        pytest.skip("a disk cannot be mounted here")
    folder = tmp_path_factory.mktemp("full")
    for name in ("data", "storage"):
        (folder / name).mkdir(mode=0o700)
    clip = folder / "flight.ts"
    make_clip(clip, seconds=2.4, width=160, height=90)
    options = ("--video-storage", str(folder / "storage"))
    with SmallDisks(folder / "data", options=options) as server, server.client() as client:
        yield Site(server, client, clip)


def test_an_upload(site: Site) -> None:
    before = site.left()
    url = f"{REST}/uploads/upload"
    with site.clip.open("rb") as file:
        site.server.fill(2 * 2**20)
        error = error_of(site.client.post(url, data=JSON, files={"file": ("a.ts", file)}))
    assert "uploads leave 2.4 MiB of it free. Try again once there is room" in error["message"]
    # Whoever does not say how much will come is stopped when there is no room any more.
    site.server.fill(3 * 2**20)

    def body() -> Iterator[bytes]:
        yield b'--m\r\nContent-Disposition: form-data; name="file"; filename="a.ts"\r\n\r\n'
        for _ in range(40):
            yield os.urandom(2**17)
        yield b"\r\n--m--\r\n"

    headers = {"Content-Type": "multipart/form-data; boundary=m"}
    answer = site.client.post(url, params=JSON, content=body(), headers=headers)
    assert error_of(answer)["message"] == DISK_FULL
    site.server.free()
    assert site.left() == before
    site.check_played()


def refused(site: Site, disk: str, left: int) -> str:
    """The last word of a job for which so many bytes are left on a disk."""
    before = site.left()
    with site.server.filled(disk, left):
        job = ended(site.client, add_layer(site.client, "Flight", site.file))
        site.check_played()
    assert (job["status"], job["results"]) == ("FAILED", {})
    assert site.left() == before
    return str(job["messages"][-1])


def test_a_job_that_publishes(site: Site) -> None:
    [layer] = site.server.seen("storage").iterdir()
    whole = sum(each.stat().st_size for each in layer.rglob("*") if each.is_file())
    original = site.clip.stat().st_size
    full = "failed: the disk of the {} is full; try again once there is room"
    # What was sent lies on another disk, so that its copy comes first.
    assert refused(site, "scratch", original // 2) == f"Starting Ingest {full.format('server')}"
    said = refused(site, "scratch", original + 30_000)
    assert said.startswith("Transcoding failed: ")
    assert "full" in said
    assert refused(site, "storage", whole // 2) == f"Saving To Storage {full.format('storage')}"


def test_an_export(site: Site) -> None:
    before = site.left()
    form = {"timeRange": '{"start": 0.3, "end": 2.3}', "expiry": "600", "format": "mp4", "async": "false"}
    with site.server.filled("scratch", 30_000):
        error = error_of(site.client.post(f"{LAYER}/clip", data={**form, **JSON}))
    assert "full" in error["message"], error
    assert site.left() == before
    assert json_of(site.client.post(f"{LAYER}/clip", data={**form, **JSON}))["success"] is True
    site.check_played()
