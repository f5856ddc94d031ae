"""However little room is left on the disk: whoever asks is told, nothing is half there, and it goes on with room.

The server runs in a mount namespace of its own, with a small disk of memory as its data folder.
"""

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.running import RunningServer
from tests.servers.enterprise.service_changes import CHANGED, OPERATIONS, ended, read, until
from tests.servers.talking import json_of

pytestmark = pytest.mark.timeout(280)

SIZE = 48 * 2**20
JSON = {"f": "json"}
MISSIONS = "/mission/rest"
FEATURES_REFUSED = "The disk of the server is full; nothing was changed. Try again once there is room"
NO_REGISTRY = "http://127.0.0.1:9"
JOBS_REFUSED = "The server cannot store or read its jobs now; nothing was changed"


def can_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    tried = ["unshare", "--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(tried, capture_output=True, check=False).returncode == 0


class SmallDisk(RunningServer):
    """A server whose data folder is a disk of its own."""

    def command(self) -> list[str]:
        mount = f'mount -t tmpfs -o size={SIZE},mode=700 none "$0" && exec "$@"'
        inside = ["sh", "-c", mount, str(self.data), *super().command()]
        return ["unshare", "--user", "--map-root-user", "--mount", *inside]

    @property
    def disk(self) -> Path:
        """The data folder, as it is seen from outside."""
        return Path(f"/proc/{self.process.pid}/root{self.data}")

    def fill(self, left: int) -> None:
        """Leave so many bytes."""
        self.free()
        with (self.disk / "filler").open("wb") as filler:
            for _ in range((shutil.disk_usage(self.disk).free - left) // 4096):
                filler.write(bytes(4096))

    def free(self) -> None:
        (self.disk / "filler").unlink(missing_ok=True)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallDisk]:
    if not can_mount():
        pytest.skip("a disk cannot be mounted here")
    data = tmp_path_factory.mktemp("full") / "data"
    data.mkdir(mode=0o700)
    with SmallDisk(data, OPERATIONS, options=("--registry-network", "127.0.0.0/8")) as running:
        yield running


class Site:
    """What is done with the server, and what must come of it."""

    def __init__(self, server: SmallDisk, client: httpx.Client):
        self.server, self.client = server, client
        made = self.post(f"{MISSIONS}/services/createMission", title="First")
        self.missions = {made["missionId"]}
        self.layer = f"/rest/services/Missions/mission_{made['missionId']}/FeatureServer/2"
        registries = "/admin/system/containerregistries"
        [about] = self.post(registries)["containerRegistries"]
        self.registry = f"{registries}/{about['id']}"
        self.features = 0
        self.refusals: list[str] = []

    def post(self, path: str, **form: str) -> dict[str, Any]:
        said: dict[str, Any] = json_of(self.client.post(path, data={**form, **JSON}))
        return said

    def refused(self, said: dict[str, Any]) -> bool:
        """Whether something was refused, in words of our own."""
        if "error" in said:
            self.refusals.append(said["error"]["message"])
        return "error" in said

    def add(self, count: int) -> bool:
        """Add features, all of them or none."""
        feature = {"attributes": {"summary": "x" * 900}, "geometry": {"x": 1, "y": 2}}
        said = self.post(f"{self.layer}/addFeatures", features=json.dumps([feature] * count))
        done = not self.refused(said)
        self.features += count if done else 0
        # What is there can be read all the same.
        assert self.post(f"{self.layer}/query", where="1=1", returnCountOnly="true") == {
            "count": self.features
        }
        return done

    def edit_registry(self) -> dict[str, Any]:
        """Have a secret kept, for a job that gets it."""
        wanted = json.dumps({"username": "robot", "password": "a secret" * 100, "registryUrl": NO_REGISTRY})
        said = self.post(f"{self.registry}/edit", containerRegistryJson=wanted, **{"async": "true"})
        self.refused(said)
        return said

    def give_time(self, job_id: str) -> None:
        """Let a job go as far as it can; it may not get to its end."""
        pause = threading.Event()
        for _ in range(50):
            job = self.post(f"/admin/jobs/{job_id}")
            if "error" in job or job["status"] in ("COMPLETED", "FAILED", "CANCELLED"):
                return
            pause.wait(0.02)

    def whole(self) -> None:
        """Everything is there as a whole or not at all."""
        root = self.server.disk / "features"
        assert {path.name for path in root.glob("Missions/*")} == {
            f"mission_{each}.FeatureServer" for each in self.missions
        }
        assert {each["name"] for each in self.post(f"{MISSIONS}/services")["services"]} == self.missions
        for each in self.missions:
            channels = self.post(f"{MISSIONS}/missions/{each}")["channels"]
            assert [len(channel["items"]) for channel in channels] == [1, 1, 1]
        system = self.server.disk / "system"
        until(lambda: not [*system.glob("changes/*")])
        left = {path.name for path in system.rglob(".*")}
        assert left <= {".security.lock"}, "a file that was being written is left"

    def mission_ended(self, job_id: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            job = self.post(f"{MISSIONS}/jobs/{job_id}")
            return job if job["status"] in ("COMPLETED", "FAILED", "CANCELLED") else None

        found: dict[str, Any] = until(look)
        return found


def test_whatever_room_is_left(server: SmallDisk) -> None:
    with server.client() as client:
        site = Site(server, client)
        outcomes = set()
        for number, left in enumerate((0, 30, 60, 120, 250, 500, 1000)):
            site.server.fill(left * 1024)
            done = site.add(300)
            mission = site.post(f"{MISSIONS}/services/createMission", title="Other", **{"async": "true"})
            before = read(client)
            about = json.dumps({**before, "description": f"{number} " + "x" * 5000})
            edit = site.post(f"{CHANGED}/edit", service=about, **{"async": "true"})
            outcomes |= {
                ("features", done),
                ("mission", not site.refused(mission)),
                ("edit", not site.refused(edit)),
            }
            registry = site.edit_registry()
            for job_path in filter(None, (mission.get("jobId"), edit.get("jobID"))):
                site.give_time(job_path)
            server.free()
            if "jobId" in mission:
                job = site.mission_ended(mission["jobId"])
                outcomes.add(job["status"])
                if job["status"] == "COMPLETED":
                    site.missions.add(job["customAttributes"]["missionId"])
                else:
                    assert "full" in job["messages"][-1], job
            after = before
            if "jobID" in edit and ended(client, edit["jobID"])["status"] == "COMPLETED":
                after = json.loads(about)
            assert read(client) == after
            if "jobID" in registry:
                assert ended(client, registry["jobID"])["status"] == "FAILED"  # there is none
            site.whole()
            assert site.add(1), "there is room again"
        assert {("features", True), ("features", False), ("mission", False), "COMPLETED"} <= outcomes
        assert all(
            each in (FEATURES_REFUSED, JOBS_REFUSED) or "No space left" in each for each in site.refusals
        ), site.refusals
