"""Whatever is killed while a service is changed: afterwards it is as wanted or as before, and runs so."""

import os
import random
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import msgspec
import psutil
import pytest

from tests.running import RunningServer, wait_for_job
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

SERVER_KILLS = 3
OTHER_TROUBLE = 9
LONGEST = 0.15
"""Seconds after which somebody is killed at the latest; most changes take less."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("crashes") / "data", OPERATIONS) as running:
        yield running


@pytest.fixture
def dice() -> random.Random:
    return random.Random(os.environ.get("MILEPOST_TEST_SEED"))


def file_of(server: RunningServer) -> Path:
    return server.data / "system/services/Tests/Changed.GPServer.json"


def content(server: RunningServer) -> bytes | None:
    path = file_of(server)
    return path.read_bytes() if path.exists() else None


def kill_instance(job: str) -> bool:
    """Kill the instance that runs a job, if one does."""
    plain = job.removeprefix("j").replace("-", "")
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("MILEPOST_JOB") == plain:
                process.kill()
                return True
    return False


def begin_edit(client: httpx.Client, wanted: dict[str, Any]) -> str:
    return begin(client, f"{CHANGED}/edit", service=msgspec.json.encode(wanted).decode())


def check(
    server: RunningServer,
    client: httpx.Client,
    job: str,
    before: tuple[bytes | None, dict[str, Any]],
    wanted: dict[str, Any],
) -> str:
    """See that all is as wanted, or as before; the status of the job."""
    state = ended(client, job)
    if state["status"] == "COMPLETED":
        assert state["result"] == {"service": wanted}
        assert read(client) == wanted
    else:
        assert content(server) == before[0], state
        assert read(client) == before[1]
    configured = read(client)["configuredState"]
    until(lambda: status(client) == (configured, configured))
    assert not list(file_of(server).parent.glob(".*")), "a file that was being written is left"
    found: str = state["status"]
    return found


def test_a_crash_of_the_server_leaves_the_old_or_the_new(server: RunningServer, dice: random.Random) -> None:
    pause = threading.Event()
    seen = set()
    for number in range(SERVER_KILLS):
        with server.client() as client:
            before = content(server), read(client)
            wanted = {**before[1], "description": f"server {number}", "minInstancesPerNode": number % 3}
            wanted["configuredState"] = ("STARTED", "STOPPED")[number % 2]
            job = begin_edit(client, wanted)
            pause.wait(dice.uniform(0, LONGEST))
            server.kill()
        server.start()
        with server.client() as client:
            seen.add(check(server, client, job, before, wanted))
    # Nothing was wrong with any of them, and so each went on.
    assert seen == {"COMPLETED"}


def test_a_crash_of_the_instance_or_a_cancel_leaves_the_old_or_the_new(
    server: RunningServer, dice: random.Random
) -> None:
    pause = threading.Event()
    with server.client() as client:
        for number in range(OTHER_TROUBLE):
            before = content(server), read(client)
            wanted = {**before[1], "description": f"other {number}", "maxInstancesPerNode": 3 + number % 3}
            wanted["configuredState"] = ("STARTED", "STOPPED")[number % 2]
            job = begin_edit(client, wanted)
            pause.wait(dice.uniform(0, LONGEST))
            if number % 3:
                kill_instance(job)
                allowed = {"COMPLETED"}
            else:
                client.post(f"/admin/jobs/{job}/cancel", data=JSON)
                allowed = {"COMPLETED", "CANCELLED"}
            assert check(server, client, job, before, wanted) in allowed


def test_a_stop_goes_on_after_the_crash_of_its_instance_and_of_the_server(
    server: RunningServer, tmp_path: Path
) -> None:
    with server.client() as client:
        edit(client, read(client), configuredState="STARTED", minInstancesPerNode=1)
        working = submit(client, "wait_for", gate=str(tmp_path / "gate"))
        at_work(client, working)
        stop = begin(client, f"{CHANGED}/stop")
        until(lambda: "configured" in str(json_of(client.get(f"/admin/jobs/{stop}", params=JSON))))
        assert kill_instance(stop)
        assert json_of(client.get(f"/admin/jobs/{stop}", params=JSON))["status"] == "EXECUTING"
    server.kill()
    server.start()
    with server.client() as client:
        # The job that was at work lost its instance with the server, and waits now.
        assert status(client)[0] == "STOPPED"
        state = ended(client, stop)
        assert state["status"] == "COMPLETED", state
        assert status(client) == ("STOPPED", "STOPPED")
        assert json_of(client.get(working, params=JSON))["jobStatus"] == "esriJobWaiting"
        succeeded(client.post(f"{CHANGED}/start", data=JSON))
        (tmp_path / "gate").touch()
        assert wait_for_job(client, working)["jobStatus"] == "esriJobSucceeded"


def test_a_restart_keeps_what_is_configured(server: RunningServer) -> None:
    with server.client() as client:
        edit(client, read(client), description="kept", maxUsageTime=0.2, configuredState="STARTED")
        about, text = read(client), content(server)
        succeeded(client.post("/admin/services/Plain.GPServer/delete", data=JSON))
    server.stop()
    server.start()
    with server.client() as client:
        assert (read(client), content(server)) == (about, text)
        assert status(client) == ("STARTED", "STARTED")
        assert wait_for_job(client, submit(client, "nap", seconds=60))["jobStatus"] == "esriJobTimedOut"
        root = json_of(client.get("/rest/services", params=JSON))
        assert root["services"] == []
        [gone] = json_of(client.get("/admin/services", params=JSON))["deletedServices"]
        assert gone["serviceName"] == "Plain"
        succeeded(client.post(f"{CHANGED}/stop", data=JSON))
    server.stop()
    server.start()
    with server.client() as client:
        assert status(client) == ("STOPPED", "STOPPED")
        # What no code declares is kept and named.
        file_of(server).with_name("Forgotten.GPServer.json").write_text(
            '{"service": "Tests/Forgotten.GPServer"}'
        )
        file_of(server).with_name("Forgotten.GPServer.json").chmod(0o600)
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
