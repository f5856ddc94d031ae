"""Killed at any place, or cancelled there, the work on a mission leaves all of it or nothing."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.running import RunningServer, plain_client
from tests.servers.stumbling import STILL
from tests.servers.talking import json_of

pytestmark = pytest.mark.timeout(280)

STUMBLING = Path(__file__).with_name("stumbling.py")
REST = "/mission/rest"
JSON = {"f": "json"}
LIMIT = 1200
"""Polls of a job; each is a twentieth of a second."""

REPORTING = ("begin", "add_layer", "publish", "change")
CREATING = ("begin", "add_layer", "put_map", "publish", "add")
DELETING = ("withdraw", "remove", "delete")


class Field:
    """A server whose work stumbles where it is told to."""

    def __init__(self, folder: Path):
        self.places = folder / "places"
        self.places.mkdir()
        self.server = RunningServer(
            folder / "data", STUMBLING, environment={"MILEPOST_TEST_STUMBLE": str(self.places)}
        ).start()
        self.token = self.server.sign_in()
        self.http = plain_client(headers={"X-Esri-Authorization": f"Bearer {self.token}"})

    def post(self, path: str, **form: str) -> dict[str, Any]:
        url = f"{self.server.address}{REST}/{path}"
        said: dict[str, Any] = json_of(self.http.post(url, data={**form, **JSON}))
        return said

    def start(self, path: str, place: str, **form: str) -> str:
        """The id of a job that stumbles at a place."""
        (self.places / place).touch()
        return str(self.post(path, **{"async": "true"}, **form)["jobId"])

    def ended(self, job_id: str) -> dict[str, Any]:
        """The job at its end; the server is started again when it was killed."""
        pause = threading.Event()
        for _ in range(LIMIT):
            if self.server.process.poll() is not None:
                self.server.start()
            try:
                job = self.post(f"jobs/{job_id}")
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
            if (self.places / STILL).exists():
                (self.places / STILL).unlink()
                return
            pause.wait(0.05)
        raise AssertionError("the work did not come to its place")

    def world(self) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
        """The files of feature services, what the catalog lists, and what the directory lists."""
        root = self.server.data / "features"
        files = frozenset(str(path.relative_to(root)) for path in root.glob("*/*"))
        catalog = frozenset(each["name"] for each in self.post("services")["services"])
        url = f"{self.server.address}/rest/services/Missions"
        listed = self.http.get(url, params=JSON).json()
        return files, catalog, frozenset(each["name"] for each in listed.get("services", ()))

    def check_whole(self, mission_id: str, before: tuple[frozenset[str], ...]) -> None:
        """The mission is there, all of it, and nothing else is new."""
        name = f"Missions/mission_{mission_id}"
        files, catalog, listed = self.world()
        assert files - before[0] == {f"{name}.FeatureServer"}
        assert catalog - before[1] == {mission_id}
        assert listed - before[2] == {name}
        mission = self.post(f"missions/{mission_id}")
        for number, channel in enumerate(mission["channels"]):
            url = channel["items"][0]["serviceUrl"]
            form = {"where": "1=1", "returnCountOnly": "true", **JSON}
            answer = self.http.post(f"{url}/{number}/query", data=form)
            assert json_of(answer) == {"count": 0}


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    field = Field(tmp_path_factory.mktemp("stumbling"))
    yield field
    field.http.close()
    field.server.stop()


def made_and_deleted(field: Field, creating: str, deleting: str) -> None:
    """Make a mission and delete it again, with a stumble each."""
    before = field.world()
    job = field.ended(field.start("services/createMission", creating, title="Flood"))
    assert job["status"] == "COMPLETED", job
    said = job["customAttributes"]
    assert (said["stepsCompleted"], said["totalSteps"]) == (5, 5)
    assert not list(field.places.iterdir())
    field.check_whole(said["missionId"], before)
    job = field.ended(field.start(f"missions/{said['missionId']}/delete", deleting))
    assert job["status"] == "COMPLETED", job
    assert not list(field.places.iterdir())
    assert field.world() == before


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", range(len(CREATING)))
def test_the_instance_is_killed(field: Field, when: str, number: int) -> None:
    deleting = DELETING[number % len(DELETING)]
    made_and_deleted(field, f"{when}-{CREATING[number]}-instance", f"{when}-{deleting}-instance")


@pytest.mark.parametrize(
    ("creating", "deleting"),
    [
        ("after-begin", "after-withdraw"),
        ("after-add_layer", "before-remove"),
        ("after-put_map", "after-remove"),
        ("after-publish", "before-delete"),
        ("after-add", "after-delete"),
    ],
)
def test_the_server_is_killed(field: Field, creating: str, deleting: str) -> None:
    made_and_deleted(field, f"{creating}-server", f"{deleting}-server")


@pytest.mark.parametrize("place", ["after-begin", "after-put_map", "after-add"])
def test_cancelled_in_the_middle_it_leaves_nothing(field: Field, place: str) -> None:
    before = field.world()
    job_id = field.start("services/createMission", f"{place}-still", title="Never")
    field.until_still()
    assert field.post(f"jobs/{job_id}/cancel") == {"success": True}
    job = field.ended(job_id)
    assert (job["status"], job["customAttributes"]["isCancelled"]) == ("CANCELLED", True)
    assert field.world() == before


def test_a_deletion_that_is_cancelled_brings_the_mission_back(field: Field) -> None:
    before = field.world()
    mission_id = field.post("services/createMission", title="Flood")["missionId"]
    job_id = field.start(f"missions/{mission_id}/delete", "after-withdraw-still")
    field.until_still()
    assert mission_id not in field.world()[1]
    assert field.post(f"jobs/{job_id}/cancel") == {"success": True}
    assert field.ended(job_id)["status"] == "CANCELLED"
    field.check_whole(mission_id, before)
    assert field.post(f"missions/{mission_id}/delete", **{"async": "false"}) == {"success": True}
    assert field.world() == before


@pytest.fixture(scope="module")
def flood(field: Field) -> str:
    """A mission that stays."""
    return str(field.post("services/createMission", title="Flood")["missionId"])


def reported(field: Field, flood: str, place: str) -> None:
    """Add a report, with a stumble."""
    before, name = field.world(), f"Report_{place}"
    reports = {each["name"] for each in field.post(f"services/{flood}/MissionServer/reports")["items"]}
    job = field.ended(field.start(f"missions/{flood}/addReport", place, title=place, serviceName=name))
    assert job["status"] == "COMPLETED", job
    assert not list(field.places.iterdir())
    files, catalog, listed = field.world()
    assert files - before[0] == {f"Missions/{name}.FeatureServer"}
    assert (catalog, listed - before[2]) == (before[1], {f"Missions/{name}"})
    after = [each["name"] for each in field.post(f"services/{flood}/MissionServer/reports")["items"]]
    assert sorted(after) == sorted({*reports, place})


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", REPORTING)
def test_the_instance_is_killed_while_a_report_is_added(
    field: Field, flood: str, when: str, step: str
) -> None:
    reported(field, flood, f"{when}-{step}-instance")


@pytest.mark.parametrize("place", ["after-begin", "after-publish", "after-change"])
def test_the_server_is_killed_while_a_report_is_added(field: Field, flood: str, place: str) -> None:
    reported(field, flood, f"{place}-server")


@pytest.mark.parametrize("place", ["after-begin", "after-publish", "after-change"])
def test_a_report_that_is_cancelled_leaves_nothing(field: Field, flood: str, place: str) -> None:
    before = field.world(), field.post(f"services/{flood}/MissionServer/reports")
    job_id = field.start(f"missions/{flood}/addReport", f"{place}-still", title="Never", serviceName="Never")
    field.until_still()
    assert field.post(f"jobs/{job_id}/cancel") == {"success": True}
    assert field.ended(job_id)["status"] == "CANCELLED"
    assert (field.world(), field.post(f"services/{flood}/MissionServer/reports")) == before
