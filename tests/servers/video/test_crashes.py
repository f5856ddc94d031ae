"""Killed around what it keeps and records, publishing leaves a layer that can be played or nothing at all.

How it fares when it is interrupted in any of its documented steps is in ``test_interrupted_steps``.
"""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import m3u8
import pytest

from milepost.servers.video.flight import make_clip
from tests.running import RunningServer
from tests.servers.talking import json_of

pytestmark = pytest.mark.timeout(280)

STUMBLING = Path(__file__).with_name("stumbling.py")
REST = "/video/rest"
SERVICE = f"{REST}/services/Flights/VideoServer"
LIMIT = 2400
"""Polls of a job; each is a twentieth of a second."""

PLACES = (
    *("before-step-reserved", "after-reserve", "before-step-started", "after-step-files"),
    *("before-step-saved", "before-put", "after-put", "after-finish"),
)
"""Where an instance is killed, two in one job: it is tried again so often."""


class Field:
    """A server whose work stumbles where it is told to."""

    def __init__(self, folder: Path):
        self.places = folder / "places"
        self.places.mkdir()
        self.server = RunningServer(
            folder / "data", STUMBLING, environment={"MILEPOST_TEST_STUMBLE": str(self.places)}
        ).start()
        self.token = self.server.sign_in()
        make_clip(folder / "flight.ts", seconds=2, width=160, height=90, fps=10, audio=False)
        with (folder / "flight.ts").open("rb") as clip:
            self.file = self.post("uploads/upload", files={"file": ("flight.ts", clip)})["fileId"]
        assert self.post("services/create", serviceName="Flights")["success"] is True
        self.layers = 0

    def post(self, path: str, *, files: Any = None, **form: str) -> dict[str, Any]:
        said: dict[str, Any] = json_of(
            self.fetch("POST", f"{REST}/{path}", files=files, data={**form, "f": "json"})
        )
        return said

    def fetch(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"X-Esri-Authorization": f"Bearer {self.token}"}
        return httpx.request(
            method, f"{self.server.address}{path}", headers=headers, timeout=60, trust_env=False, **more
        )

    def start(self, *places: str) -> str:
        """The id of a job that stumbles at some places."""
        for each in places:
            (self.places / each).touch()
        said = self.post("services/Flights/addLayer", name="Flight", fileIds=self.file)
        return str(said["jobId"])

    def ended(self, job_id: str) -> dict[str, Any]:
        """The job at its end; the server is started again when it was killed."""
        pause = threading.Event()
        for _ in range(LIMIT):
            if self.server.process.poll() is not None:
                self.server.start()
            try:
                job = self.post(f"jobs/job/{job_id}")
            except httpx.HTTPError:
                pause.wait(0.05)
                continue
            if job["status"] in ("COMPLETED", "FAILED", "CANCELLED"):
                return job
            pause.wait(0.05)
        raise AssertionError(f"the job does not end: {job}")

    def until_still(self) -> None:
        pause = threading.Event()
        for _ in range(LIMIT):
            if (self.places / "stands-still").exists():
                (self.places / "stands-still").unlink()
                return
            pause.wait(0.05)
        raise AssertionError("the work did not come to its place")

    def world(self) -> tuple[frozenset[str], list[int], int]:
        """What lies in the storage, the layers that are listed, and the last id that is reserved."""
        folder = self.server.data / "videos"
        stored = frozenset(each.name for each in folder.iterdir()) if folder.is_dir() else frozenset()
        [service] = self.post("services")["services"]
        about = service["frameworkProperties"]
        return stored, [each["id"] for each in about["layers"]], about["lastReservedId"]

    def check_whole(self, job: dict[str, Any], before: tuple[frozenset[str], list[int], int]) -> None:
        """The layer is there, all of it, and nothing else is new."""
        assert job["status"] == "COMPLETED", job["messages"]
        assert not list(self.places.iterdir()), "the work did not come to all its places"
        stored, layers, last = self.world()
        assert len(stored - before[0]) == 1
        number = before[2] + 1
        assert (layers, last) == ([*before[1], number], number)
        assert job["results"]["layerId"] == job["customAttributes"]["newLayerId"] == number
        codes = [each for each in job["customAttributes"]["messageCodes"] if 0 < each < 9000]
        assert (codes[0], codes[-1]) == (117, 118)
        content = f"{SERVICE}/{number}/content"
        master = m3u8.loads(self.fetch("GET", f"{content}/ABR.m3u8").text)
        assert [each for each in master.media if each.type == "SUBTITLES"]
        rung = master.playlists[0].uri
        playlist = m3u8.loads(self.fetch("GET", f"{content}/{rung}").text)
        for segment in playlist.segments:
            answer = self.fetch("GET", f"{content}/{rung.rpartition('/')[0]}/{segment.uri}")
            assert (answer.status_code, bool(answer.content)) == (200, True)
        workspace = self.server.data / "scratch"
        assert not workspace.is_dir() or not list(workspace.iterdir())


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    field = Field(tmp_path_factory.mktemp("stumbling"))
    yield field
    field.server.stop()


@pytest.mark.parametrize("number", range(0, len(PLACES), 2))
def test_the_instance_is_killed_twice(field: Field, number: int) -> None:
    before = field.world()
    job = field.ended(field.start(*(f"{each}-instance" for each in PLACES[number : number + 2])))
    field.check_whole(job, before)


@pytest.mark.parametrize("place", ["after-put", "after-finish"])
def test_the_server_is_killed(field: Field, place: str) -> None:
    before = field.world()
    field.check_whole(field.ended(field.start(f"{place}-server")), before)


@pytest.mark.parametrize("place", ["after-reserve", "after-finish"])
def test_cancelled_in_the_middle_it_leaves_nothing(field: Field, place: str) -> None:
    before = field.world()
    job_id = field.start(f"{place}-still")
    field.until_still()
    assert field.post(f"jobs/job/{job_id}/cancel") == {"success": True}
    assert field.ended(job_id)["status"] == "CANCELLED"
    assert field.world() == before


def test_killed_while_it_rolls_back_it_still_leaves_nothing(field: Field) -> None:
    before = field.world()
    job_id = field.start("after-put-still", "after-release-instance", "before-delete-server")
    field.until_still()
    assert field.post(f"jobs/job/{job_id}/cancel") == {"success": True}
    assert field.ended(job_id)["status"] == "CANCELLED"
    assert field.world() == before
