"""Killed at any place, or cancelled there, the work on a mission leaves all of it or nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers import field as shared
from tests.servers.field import JSON
from tests.servers.talking import json_of

pytestmark = pytest.mark.timeout(280)

STUMBLING = Path(__file__).with_name("stumbling.py")
REST = "/mission/rest"

REPORTING = ("begin", "add_layer", "publish", "change")
CREATING = ("begin", "add_layer", "put_map", "publish", "add")
DELETING = ("withdraw", "remove", "delete")


class Field(shared.Field):
    """A server whose work on missions stumbles where it is told to."""

    def __init__(self, folder: Path):
        super().__init__(folder, STUMBLING)

    def ask(self, path: str, **form: str) -> dict[str, Any]:
        return self.post(f"{REST}/{path}", **form)

    def start(self, path: str, place: str, **form: str) -> str:
        """The path of a job that stumbles at a place."""
        self.tell(place)
        return f"{REST}/jobs/{self.ask(path, **{'async': 'true'}, **form)['jobId']}"

    def world(self) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
        """The files of feature services, what the catalog lists, and what the directory lists."""
        root = self.server.data / "features"
        files = frozenset(str(path.relative_to(root)) for path in root.glob("*/*"))
        catalog = frozenset(each["name"] for each in self.ask("services")["services"])
        listed = self.client.get("/rest/services/Missions", params=JSON).json()
        return files, catalog, frozenset(each["name"] for each in listed.get("services", ()))

    def check_whole(self, mission_id: str, before: tuple[frozenset[str], ...]) -> None:
        """The mission is there, all of it, and nothing else is new."""
        name = f"Missions/mission_{mission_id}"
        files, catalog, listed = self.world()
        assert files - before[0] == {f"{name}.FeatureServer"}
        assert catalog - before[1] == {mission_id}
        assert listed - before[2] == {name}
        mission = self.ask(f"missions/{mission_id}")
        for number, channel in enumerate(mission["channels"]):
            url = channel["items"][0]["serviceUrl"]
            form = {"where": "1=1", "returnCountOnly": "true", **JSON}
            answer = self.client.post(f"{url}/{number}/query", data=form)
            assert json_of(answer) == {"count": 0}


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    field = Field(tmp_path_factory.mktemp("stumbling"))
    yield field
    field.close()


def made_and_deleted(field: Field, creating: str, deleting: str) -> None:
    """Make a mission and delete it again, with a stumble each."""
    before = field.world()
    job = field.ended(field.start("services/createMission", creating, title="Flood"))
    assert job["status"] == "COMPLETED", job
    said = job["customAttributes"]
    assert (said["stepsCompleted"], said["totalSteps"]) == (5, 5)
    field.require_all()
    field.check_whole(said["missionId"], before)
    job = field.ended(field.start(f"missions/{said['missionId']}/delete", deleting))
    assert job["status"] == "COMPLETED", job
    field.require_all()
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
    job = field.start("services/createMission", f"{place}-still", title="Never")
    field.until_still()
    assert field.post(f"{job}/cancel") == {"success": True}
    said = field.ended(job)
    assert (said["status"], said["customAttributes"]["isCancelled"]) == ("CANCELLED", True)
    assert field.world() == before


def test_a_deletion_that_is_cancelled_brings_the_mission_back(field: Field) -> None:
    before = field.world()
    mission_id = field.ask("services/createMission", title="Flood")["missionId"]
    job = field.start(f"missions/{mission_id}/delete", "after-withdraw-still")
    field.until_still()
    assert mission_id not in field.world()[1]
    assert field.post(f"{job}/cancel") == {"success": True}
    assert field.ended(job)["status"] == "CANCELLED"
    field.check_whole(mission_id, before)
    assert field.ask(f"missions/{mission_id}/delete", **{"async": "false"}) == {"success": True}
    assert field.world() == before


@pytest.fixture(scope="module")
def flood(field: Field) -> str:
    """A mission that stays."""
    return str(field.ask("services/createMission", title="Flood")["missionId"])


def reported(field: Field, flood: str, place: str) -> None:
    """Add a report, with a stumble."""
    before, name = field.world(), f"Report_{place}"
    reports = {each["name"] for each in field.ask(f"services/{flood}/MissionServer/reports")["items"]}
    job = field.ended(field.start(f"missions/{flood}/addReport", place, title=place, serviceName=name))
    assert job["status"] == "COMPLETED", job
    field.require_all()
    files, catalog, listed = field.world()
    assert files - before[0] == {f"Missions/{name}.FeatureServer"}
    assert (catalog, listed - before[2]) == (before[1], {f"Missions/{name}"})
    after = [each["name"] for each in field.ask(f"services/{flood}/MissionServer/reports")["items"]]
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
    before = field.world(), field.ask(f"services/{flood}/MissionServer/reports")
    job = field.start(f"missions/{flood}/addReport", f"{place}-still", title="Never", serviceName="Never")
    field.until_still()
    assert field.post(f"{job}/cancel") == {"success": True}
    assert field.ended(job)["status"] == "CANCELLED"
    assert (field.world(), field.ask(f"services/{flood}/MissionServer/reports")) == before
