"""Killed anywhere, publishing a video leaves a layer that can be played; cancelled anywhere, it leaves nothing."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import m3u8
import psutil
import pytest

from milepost.servers.video.flight import make_clip
from tests.servers.field import Field
from tests.videos import REST, SERVICES, add_layer, create_service, upload

pytestmark = pytest.mark.timeout(280)

STUMBLING = Path(__file__).with_name("stumbling.py")
SERVICE = f"{SERVICES}/Flight/VideoServer"
STEPS = (117, 154, 155, 156, 157, 158, 159, 160, 161, 174, 182, 162, 163, 205, 206, 118)
"""The codes of the sixteen steps, in their order."""

KEPT = (
    *("before-step-reserved-instance", "after-reserve-instance", "before-step-started-instance"),
    *("after-step-files-instance", "before-step-saved-instance", "before-put-instance"),
)
RECORDED = ("after-put-instance", "after-put-server", "after-finish-instance", "after-finish-server")
"""Around what a job keeps and records. It is given up when it was tried too often."""

World = tuple[frozenset[str], list[int], int]


class Studio(Field):
    """Where flights are published."""

    def __init__(self, folder: Path):
        super().__init__(folder, STUMBLING)
        clip = folder / "flight.ts"
        make_clip(clip, seconds=2.4, width=160, height=90)
        self.file = upload(self.client, clip)
        create_service(self.client, "Flight")

    def publish(self, *places: str) -> str:
        """The path of a job that stumbles at some places."""
        self.tell(*places)
        (self.places.parent / "encodings").unlink(missing_ok=True)
        return f"{REST}/jobs/job/{add_layer(self.client, 'Flight', self.file)}"

    def encodings(self) -> int:
        return len((self.places.parent / "encodings").read_text().splitlines())

    def encoders(self) -> list[int]:
        """The processes of FFmpeg that the server has started, by themselves or through others."""
        found = psutil.Process(self.server.process.pid).children(recursive=True)
        return [each.pid for each in found if "ffmpeg" in each.name()]

    def world(self) -> World:
        """What lies in the storage, the layers that are listed, and the last id that is reserved."""
        folder = self.server.data / "videos"
        stored = frozenset(each.name for each in folder.iterdir()) if folder.is_dir() else frozenset()
        [service] = self.post(SERVICES)["services"]
        about = service["frameworkProperties"]
        return stored, [each["id"] for each in about["layers"]], about["lastReservedId"]

    def check_whole(self, job: dict[str, Any], before: World) -> None:
        """The layer is there, all of it, and nothing else is new; then it is deleted."""
        assert job["status"] == "COMPLETED", job["messages"]
        self.require_all()
        stored, layers, last = self.world()
        number = before[2] + 1
        assert (len(stored - before[0]), layers, last) == (1, [*before[1], number], number)
        assert job["results"]["layerId"] == job["customAttributes"]["newLayerId"] == number
        said = [each for each in job["customAttributes"]["messageCodes"] if each in STEPS]
        assert list(dict.fromkeys(said)) == list(STEPS)
        self.check_played(number)
        workspace = self.server.data / "scratch"
        assert not workspace.is_dir() or not list(workspace.iterdir())
        assert not self.encoders()
        assert self.post(f"{SERVICE}/{number}/delete") == {"success": True}
        assert self.world()[:2] == before[:2]

    def check_played(self, layer: int) -> None:
        """All that the playlists of a layer name is there."""
        content = f"{SERVICE}/{layer}/content"
        text = self.client.get(f"{content}/ABR.m3u8").text
        master = m3u8.loads(text)
        uris = [each.uri for each in (*master.playlists, *master.media)]
        assert len(uris) == 3  # the pictures, the sound, the telemetry
        for uri in uris:
            playlist = self.client.get(f"{content}/{uri}").text
            segments = [*m3u8.loads(playlist).segments.uri, *re.findall(r'URI="([^"]+)"', playlist)]
            assert segments
            for each in segments:
                answer = self.client.get(f"{content}/{uri.rpartition('/')[0]}/{each}")
                assert (answer.status_code, bool(answer.content)) == (200, True)

    def check_nothing(self, job: dict[str, Any], before: World) -> None:
        """The job was cancelled, and all is as before."""
        assert (job["status"], job["results"]) == ("CANCELLED", {})
        assert not self.encoders()
        self.require_all()
        assert self.world() == before
        plain = job["jobId"].removeprefix("j").replace("-", "")
        assert not [each for each in self.server.data.rglob("*.m4s") if plain in str(each)]


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    studio = Studio(tmp_path_factory.mktemp("stumbling"))
    yield studio
    studio.close()


@pytest.mark.parametrize(
    ("victim", "steps"), [("instance", STEPS), ("server", STEPS[:8]), ("server", STEPS[8:])]
)
def test_killed_in_every_step_it_goes_on_where_it_was(
    studio: Studio, victim: str, steps: tuple[int, ...]
) -> None:
    before = studio.world()
    job = studio.ended(studio.publish(*(f"after-{step}-{victim}" for step in steps)))
    # The rungs are encoded once: what is done stays done.
    assert studio.encodings() == 1
    studio.check_whole(job, before)


@pytest.mark.parametrize("places", [KEPT, RECORDED])
def test_killed_around_what_it_keeps_and_records_it_keeps_it_once(
    studio: Studio, places: tuple[str, ...]
) -> None:
    before = studio.world()
    studio.check_whole(studio.ended(studio.publish(*places)), before)


def test_an_encoding_that_is_cut_off_is_done_again(studio: Studio) -> None:
    before = studio.world()
    job = studio.ended(studio.publish("encoding-instance", "encoding-server"))
    assert studio.encodings() == 3
    studio.check_whole(job, before)


@pytest.mark.parametrize(
    "place", ["after-reserve", "encoding", *(f"after-{step}" for step in STEPS), "after-finish"]
)
def test_cancelled_it_leaves_nothing(studio: Studio, place: str) -> None:
    before = studio.world()
    job = studio.publish(f"{place}-still")
    studio.until_still()
    assert studio.post(f"{job}/cancel") == {"success": True}
    studio.check_nothing(studio.ended(job), before)


def test_killed_while_it_rolls_back_it_still_leaves_nothing(studio: Studio) -> None:
    before = studio.world()
    job = studio.publish("after-put-still", "after-release-instance", "before-delete-server")
    studio.until_still()
    assert studio.post(f"{job}/cancel") == {"success": True}
    studio.check_nothing(studio.ended(job), before)
