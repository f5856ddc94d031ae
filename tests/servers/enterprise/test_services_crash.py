"""Whatever is killed in whichever moment of a change of a service: it is as wanted afterwards, or as before."""

import itertools
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import msgspec
import psutil
import pytest

from tests.running import RunningServer, wait_for_job
from tests.servers import stumbling
from tests.servers.enterprise.service_changes import (
    CHANGED,
    JSON,
    OPERATIONS,
    at_work,
    begin,
    edit,
    ended,
    read,
    status,
    submit,
    succeeded,
    until,
)
from tests.servers.talking import json_of

pytestmark = pytest.mark.timeout(280)

STUMBLING = Path(stumbling.__file__).with_name("stumbling_messages.py")
FILE = "system/services/Tests/Changed.GPServer.json"

World = tuple[bytes | None, dict[str, Any], dict[str, Any]]

MESSAGES = 8
"""How many messages the instance of a change sends at least: six of its stages, one of its rollback, one of its step."""

KINDS = ("edit", "start", "stop", "delete")
UNDOING = ("before-undo-server", "after-undo-server", "before-undo-instance", "after-undo-instance")


class Field:
    """A server whose changes of services stumble where they are told to."""

    def __init__(self, folder: Path):
        self.places = folder / "places"
        self.places.mkdir()
        self.server = RunningServer(
            folder / "data",
            STUMBLING,
            OPERATIONS,
            environment={"MILEPOST_TEST_STUMBLE": str(self.places)},
        ).start()
        self.client = self.server.client()
        self._changes = 0

    def start_again(self) -> None:
        self.client.close()
        self.server.start()
        self.client = self.server.client()

    def close(self) -> None:
        self.client.close()
        self.server.stop()

    def world(self) -> World:
        """What is configured, what is told of the service, and what the catalogs list."""
        path = self.server.data / FILE
        return (
            path.read_bytes() if path.exists() else None,
            json_of(self.client.get(CHANGED, params=JSON)),
            {
                where: json_of(self.client.get(where, params=JSON))
                for where in ("/admin/services/Tests", "/rest/services")
            },
        )

    def begin(self, kind: str) -> str:
        """The id of the job of a change that makes a difference."""
        self._changes += 1
        values = {}
        if kind == "edit":
            about = {**read(self.client), "description": f"the change {self._changes}"}
            values["service"] = msgspec.json.encode(about).decode()
        return begin(self.client, f"{CHANGED}/{kind}", **values)

    def prepare(self, kind: str) -> None:
        """Let the service be so that a change of this kind makes a difference."""
        succeeded(self.client.post(f"{CHANGED}/start", data=JSON))
        if kind == "start":
            succeeded(self.client.post(f"{CHANGED}/stop", data=JSON))

    def stumble(self, place: str) -> None:
        (self.places / place).touch()

    def until_still(self) -> None:
        until((self.places / stumbling.STILL).exists)
        (self.places / stumbling.STILL).unlink()

    def ended(self, job: str) -> dict[str, Any]:
        """The job at its end; the server is started again when it was killed."""
        while True:
            if self.server.process.poll() is not None:
                self.start_again()
            with suppress(httpx.HTTPError):
                return ended(self.client, job)

    def check_done(self, kind: str, before: World, job: str) -> None:
        """The change is done, all of it."""
        state = self.ended(job)
        assert state["status"] == "COMPLETED", state
        after = self.world()
        assert after[0] != before[0]
        if kind == "delete":
            assert after[1]["error"]["code"] == 404
            [gone] = after[2]["/admin/services/Tests"]["deletedServices"]
            assert gone["serviceName"] == "Changed"
            assert after[2]["/rest/services"]["folders"] == []
        else:
            wanted = "STOPPED" if kind == "stop" else "STARTED"
            assert status(self.client) == (wanted, wanted)
            assert after[1]["description"] == (
                f"the change {self._changes}" if kind == "edit" else before[1]["description"]
            )
        self.check_clean()

    def check_undone(self, before: World, job: str) -> None:
        """All is as it was before."""
        assert self.ended(job)["status"] == "CANCELLED"
        assert self.world() == before
        configured = before[1]["configuredState"]
        until(lambda: status(self.client) == (configured, configured))
        self.check_clean()

    @property
    def messages(self) -> int:
        """How many messages the instance of the last job sent."""
        found = int((self.places / "messages").read_text())
        assert found >= MESSAGES
        return found

    def check_clean(self) -> None:
        assert not list((self.server.data / FILE).parent.glob(".*")), "a file that was being written is left"
        left = [each.name for each in self.places.iterdir() if each.name != "messages"]
        assert left == [], "the work did not come to its place"


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    field = Field(tmp_path_factory.mktemp("stumbling"))
    yield field
    field.close()


def crash(field: Field, kind: str, place: str) -> None:
    field.prepare(kind)
    before = field.world()
    field.stumble(place)
    field.check_done(kind, before, field.begin(kind))


def cancel(field: Field, kind: str, place: str, *others: str) -> None:
    field.prepare(kind)
    before = field.world()
    field.stumble(f"{place}-still")
    for other in others:
        field.stumble(other)
    job = field.begin(kind)
    field.until_still()
    field.client.post(f"/admin/jobs/{job}/cancel", data=JSON)
    field.check_undone(before, job)


@pytest.mark.parametrize("kind", KINDS)
def test_the_instance_is_killed_before_and_after_each_message(field: Field, kind: str) -> None:
    field.prepare(kind)
    field.check_done(kind, field.world(), field.begin(kind))
    for number in range(1, field.messages + 1):
        # All kinds do the same between their messages.
        for when in ("before", "after") if kind == "edit" else ("before",):
            crash(field, kind, f"{when}-message-{number}-instance")


def test_the_server_is_killed_before_each_message(field: Field) -> None:
    for number in itertools.count(1):
        # Each message meets a kill in one kind of change; each kind meets one in both of its stages.
        crash(field, KINDS[number % len(KINDS)], f"before-message-{number}-server")
        if number == field.messages:
            break


@pytest.mark.parametrize("kind", KINDS)
def test_cancelled_at_any_message_it_is_undone(field: Field, kind: str) -> None:
    field.prepare(kind)
    field.check_done(kind, field.world(), field.begin(kind))
    for number in range(1 + KINDS.index(kind) % 2, field.messages + 1, 2):
        cancel(field, kind, f"before-message-{number}")


def test_what_undoes_it_is_killed_too(field: Field) -> None:
    field.prepare("edit")
    field.check_done("edit", field.world(), field.begin("edit"))
    last = f"before-message-{field.messages}"
    for kind, undo in zip(KINDS, UNDOING, strict=True):
        cancel(field, kind, last, undo)


def test_a_stop_goes_on_after_the_crash_of_its_instance_and_of_the_server(
    field: Field, tmp_path: Path
) -> None:
    field.prepare("edit")
    client = field.client
    edit(client, read(client), configuredState="STARTED", minInstancesPerNode=1)
    working = submit(client, "wait_for", gate=str(tmp_path / "gate"))
    at_work(client, working)
    stop = begin(client, f"{CHANGED}/stop")
    until(lambda: "configured" in str(json_of(client.get(f"/admin/jobs/{stop}", params=JSON))))
    assert kill_instance(stop)
    assert json_of(client.get(f"/admin/jobs/{stop}", params=JSON))["status"] == "EXECUTING"
    field.server.kill()
    field.start_again()
    client = field.client
    # The job that was at work lost its instance with the server, and waits now.
    assert status(client)[0] == "STOPPED"
    state = ended(client, stop)
    assert state["status"] == "COMPLETED", state
    assert status(client) == ("STOPPED", "STOPPED")
    assert json_of(client.get(working, params=JSON))["jobStatus"] == "esriJobWaiting"
    succeeded(client.post(f"{CHANGED}/start", data=JSON))
    (tmp_path / "gate").touch()
    assert wait_for_job(client, working)["jobStatus"] == "esriJobSucceeded"


def kill_instance(job: str) -> bool:
    """Kill the instance that runs a job, if one does."""
    plain = job.removeprefix("j").replace("-", "")
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("MILEPOST_JOB") == plain:
                process.kill()
                return True
    return False


def test_a_restart_keeps_what_is_configured(field: Field) -> None:
    field.prepare("edit")
    server = field.server
    with server.client() as client:
        edit(client, read(client), description="kept", maxUsageTime=0.2, configuredState="STARTED")
        about, text = read(client), (server.data / FILE).read_bytes()
        succeeded(client.post("/admin/services/Plain.GPServer/delete", data=JSON))
    server.stop()
    server.start()
    with server.client() as client:
        assert (read(client), (server.data / FILE).read_bytes()) == (about, text)
        assert status(client) == ("STARTED", "STARTED")
        assert wait_for_job(client, submit(client, "nap", seconds=60))["jobStatus"] == "esriJobTimedOut"
        root = json_of(client.get("/rest/services", params=JSON))
        names = [each["name"] for each in root["services"] if each["type"] == "GPServer"]
        assert names == ["Patient", "Stumbling"]
        [gone] = json_of(client.get("/admin/services", params=JSON))["deletedServices"]
        assert gone["serviceName"] == "Plain"
        succeeded(client.post(f"{CHANGED}/stop", data=JSON))
    server.stop()
    server.start()
    with server.client() as client:
        assert status(client) == ("STOPPED", "STOPPED")
        # What no code declares is kept and named.
        (server.data / FILE).with_name("Forgotten.GPServer.json").write_text(
            '{"service": "Tests/Forgotten.GPServer"}'
        )
        (server.data / FILE).with_name("Forgotten.GPServer.json").chmod(0o600)
        folder = json_of(client.get("/admin/services/Tests", params=JSON))
        assert folder["missingServices"] == [
            {"folderName": "Tests", "serviceName": "Forgotten", "type": "GPServer"}
        ]
    server.stop()
    server.start()  # it starts all the same


def test_a_damaged_configuration_stops_the_start_and_is_named(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "system/services").mkdir(parents=True)
    path = data / "system/services/Plain.GPServer.json"
    path.write_text("{")
    path.chmod(0o600)
    server = RunningServer(data, OPERATIONS)
    with pytest.raises(AssertionError, match=r"Plain.GPServer.json is damaged"):
        server.start()
    server.process.wait()
