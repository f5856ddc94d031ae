"""``/admin/system/backups``: made, verified, fetched and removed."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from milepost.backups import restore
from milepost.security import People, Privilege
from tests.running import PASSWORD, RunningServer
from tests.servers.talking import Task, client_of, error_of, json_of

JSON = {"f": "json"}
BACKUPS = "/admin/system/backups"


def ended(client: httpx.Client, job: str) -> dict[str, Any]:
    pause = threading.Event()
    for _ in range(3000):
        state: dict[str, Any] = json_of(client.get(f"/admin/jobs/{job}", params=JSON))
        if state["status"] in ("COMPLETED", "FAILED", "CANCELLED"):
            return state
        pause.wait(0.02)
    raise AssertionError(state)


def create(client: httpx.Client, **values: str) -> str:
    """The name of a new backup."""
    answer = json_of(client.post(f"{BACKUPS}/create", data={**values, **JSON}))
    assert (answer["jobStatus"], answer["jobID"][0]) == ("SUBMITTED", "s")
    state = ended(client, answer["jobID"])
    assert state["status"] == "COMPLETED", state
    assert state["operationURI"].endswith("/admin/system/backups/create")
    assert (state["name"], state["resource"]) == ("createBackup", {"name": "backups"})
    assert {each["state"] for each in state["progress"]["stages"]} == {"completed"}
    assert "Restored it in a temporary folder" in state["messages"][-1]
    name: str = state["result"]["backup"]
    return name


@pytest.fixture(scope="module")
def backup(client: httpx.Client, task: Task) -> str:
    task.run("talk")
    return create(client)


@pytest.fixture(scope="module")
def sue(server: RunningServer) -> Iterator[httpx.Client]:
    """Somebody who looks after security and infrastructure, and no more."""
    with People(server.data / "people.sqlite") as people:
        people.add("sue", PASSWORD, "viewer")
        people.set_granted("sue", [Privilege.SECURITY])
    with client_of(server, server.sign_in("sue")) as client:
        yield client


def test_a_backup_is_listed_with_what_is_to_be_known(
    client: httpx.Client, server: RunningServer, backup: str
):
    listed = json_of(client.get(BACKUPS, params=JSON))
    assert listed["folder"] == str(server.data / "backups")
    (about,) = [each for each in listed["backups"] if each["name"] == backup]
    assert json_of(client.get(f"{BACKUPS}/{backup}", params=JSON)) == about
    assert about["status"] == "complete"
    assert about["keys"] is True
    assert about["jobs"] > 0
    assert about["size"] == (server.data / "backups" / f"{backup}.tar").stat().st_size
    assert len(str(about["made"])) == 13


def test_a_backup_can_be_fetched_and_restored_elsewhere(client: httpx.Client, backup: str, tmp_path: Path):
    answer = client.get(f"{BACKUPS}/{backup}/download")
    assert answer.headers["content-type"] == "application/x-tar"
    assert answer.headers["cache-control"] == "no-store"
    assert f'filename="{backup}.tar"' in answer.headers["content-disposition"]
    (tmp_path / "fetched.tar").write_bytes(answer.content)
    assert restore(tmp_path / "fetched.tar", tmp_path / "new").site.jobs > 0


def test_a_backup_can_be_verified_again(client: httpx.Client, backup: str):
    assert json_of(client.post(f"{BACKUPS}/{backup}/verify", data=JSON)) == {"status": "success"}
    answer = json_of(client.post(f"{BACKUPS}/{backup}/verify", data={**JSON, "async": "true"}))
    state = ended(client, answer["jobID"])
    assert (state["status"], state["name"], state["resource"]) == (
        "COMPLETED",
        "verifyBackup",
        {"name": backup},
    )


def test_a_damaged_backup_is_told(client: httpx.Client, server: RunningServer, backup: str):
    folder = server.data / "backups"
    content = bytearray((folder / f"{backup}.tar").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "damaged.tar").write_bytes(content)
    (folder / "foreign.tar").write_bytes(b"no archive")
    (folder / "link.tar").symlink_to("/etc/passwd")
    error = error_of(client.post(f"{BACKUPS}/damaged/verify", data=JSON))
    assert (error["code"], "damaged" in error["message"]) == (500, True)
    about = json_of(client.get(f"{BACKUPS}/foreign", params=JSON))
    assert (about["status"], about["made"]) == ("damaged", 0)
    assert "is no backup that Milepost made" in about["problem"]
    assert error_of(client.get(f"{BACKUPS}/link/download", params=JSON))["code"] == 404
    for name in ("damaged", "foreign"):
        assert json_of(client.post(f"{BACKUPS}/{name}/delete", data=JSON)) == {"status": "success"}
        assert error_of(client.get(f"{BACKUPS}/{name}", params=JSON))["code"] == 404
    (folder / "link.tar").unlink()


def test_keys_can_be_left_out_and_a_backup_removed(client: httpx.Client):
    name = create(client, keys="false")
    assert json_of(client.get(f"{BACKUPS}/{name}", params=JSON))["keys"] is False
    assert error_of(client.get(f"{BACKUPS}/{name}/delete", params=JSON))["code"] == 405
    assert json_of(client.post(f"{BACKUPS}/{name}/delete", data=JSON)) == {"status": "success"}
    assert name not in str(json_of(client.get(BACKUPS, params=JSON)))


@pytest.mark.parametrize("name", ["..%2f..%2fpeople", "people.sqlite", "a" * 500, "x"])
@pytest.mark.parametrize("below", ["", "/download", "/delete", "/verify"])
def test_unknown_backups(client: httpx.Client, name: str, below: str):
    error = error_of(client.post(f"{BACKUPS}/{name}{below}", data=JSON))
    assert error["code"] in (404, 405)
    assert len(error["message"]) < 200


def test_whoever_looks_after_infrastructure_makes_backups_but_does_not_get_the_keys(
    sue: httpx.Client, backup: str
):
    assert backup in str(json_of(sue.get(BACKUPS, params=JSON)))
    create(sue)
    for below in ("download", "delete"):
        assert error_of(sue.post(f"{BACKUPS}/{backup}/{below}", data=JSON))["code"] == 403


def test_a_browser_is_led_to_the_job(client: httpx.Client):
    answer = client.post(f"{BACKUPS}/create", data={"keys": "true"})
    assert answer.status_code == 303
    job = answer.headers["location"].rpartition("/")[2]
    assert ended(client, job)["status"] == "COMPLETED"


def test_the_services_that_do_this_are_listed_nowhere(client: httpx.Client, backup: str):
    for path in ("/rest/services", "/admin/services"):
        assert "System" not in str(json_of(client.get(path, params=JSON)))
        assert error_of(client.get(f"{path}/System", params=JSON))["code"] == 404
    submit = "/rest/services/System/Safety/GPServer/create_backup/submitJob"
    assert error_of(client.post(submit, data={"backup": "x", **JSON}))["code"] == 404
