"""A server whose registry tests edit, and what must be true of its data folder."""

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.running import RunningServer
from tests.servers.enterprise.registry_peers import LOOPBACK, USER, everything_of
from tests.servers.talking import error_of, json_of

REGISTRIES = "/admin/system/containerregistries"
JSON = {"f": "json"}
COMPONENTS = [
    "relational_store",
    "object_store",
    "spatio_temporal_index_store",
    "queue_store",
    "in_memory_store",
    "key_framework_components",
    "gis_services_and_other_components",
]
STAGES = ["validating", *COMPONENTS]
ENDED = ("COMPLETED", "FAILED", "CANCELLED")


class Site:
    """A server, and its administrator."""

    def __init__(self, data: Path, networks: Sequence[str] = (LOOPBACK,), **environment: str):
        options = tuple(part for each in networks for part in ("--registry-network", each))
        self.server = RunningServer(data, options=options, environment=environment)
        self.server.start()
        self.client = self.server.client()

    def start_again(self) -> None:
        """The server, after a kill."""
        self.client.close()
        self.server.start()
        self.client = self.server.client()

    def close(self) -> None:
        self.client.close()
        self.server.stop()

    @property
    def system(self) -> Path:
        return self.server.data / "system"

    @property
    def registry_id(self) -> str:
        found = json_of(self.client.get(REGISTRIES, params=JSON))
        identity: str = found["containerRegistries"][0]["id"]
        return identity

    @property
    def registry(self) -> dict[str, Any]:
        found: dict[str, Any] = json_of(self.client.get(f"{REGISTRIES}/{self.registry_id}", params=JSON))
        return found

    def post(self, asked: Any, **parameters: str) -> httpx.Response:
        """What an edit is answered with."""
        text = asked if isinstance(asked, str) else json.dumps(asked)
        form = {"containerRegistryJson": text, "f": "json", **parameters}
        return self.client.post(f"{REGISTRIES}/{self.registry_id}/edit", data=form)

    def refused(self, asked: Any, **parameters: str) -> dict[str, Any]:
        """The error of an edit that is refused."""
        return error_of(self.post(asked, **parameters))

    def submit(self, password: str, url: str = "", **more: str) -> str:
        """The job of an edit that nobody waits for."""
        asked = {"username": USER, "password": password, **({"registryUrl": url} if url else {}), **more}
        answer = json_of(self.post(asked, **{"async": "true"}))
        assert answer["jobStatus"] == "SUBMITTED", answer
        job: str = answer["jobID"]
        return job

    def job(self, job: str) -> dict[str, Any]:
        found: dict[str, Any] = json_of(self.client.get(f"/admin/jobs/{job}", params=JSON))
        return found

    def ended(self, job: str) -> dict[str, Any]:
        """The job once it has ended and nothing of its secrets is left."""
        pause = threading.Event()
        for _ in range(3000):
            state = self.job(job)
            if state["status"] in ENDED and not list(self.system.glob("changes/*")):
                return state
            pause.wait(0.02)
        raise AssertionError(state)

    def edited(self, password: str, url: str = "", **more: str) -> dict[str, Any]:
        """The job of an edit that succeeded."""
        state = self.ended(self.submit(password, url, **more))
        assert state["status"] == "COMPLETED", state
        return state

    def kill_instance(self, job: str) -> None:
        """Kill the process that works on a job, as ``kill -9``."""
        plain = job[1:].replace("-", "")
        for process in psutil.Process(self.server.process.pid).children(recursive=True):
            if process.environ().get("MILEPOST_JOB") == plain:
                process.kill()
                return
        raise AssertionError("nothing works on the job")

    # -- the data folder -----------------------------------------------------------------------

    def world(self) -> dict[str, tuple[int, bytes]]:
        """Everything that an edit may change: mode and content of each file, by its path."""
        return {
            str(path.relative_to(self.system)): (path.stat().st_mode & 0o777, path.read_bytes())
            for path in sorted(self.system.rglob("*"))
            if path.is_file() and path.name != ".security.lock"
        }

    def configs(self) -> dict[str, bytes]:
        """The file of each component that has one."""
        return {path.parent.name: path.read_bytes() for path in self.system.glob("components/*/config.json")}

    def leaks(self, *passwords: str) -> list[str]:
        """Where one of the passwords can be read, beside the files of the components and what they were."""
        forms = [form for each in passwords for form in everything_of(each)]
        allowed = (self.system / "components", self.system / "changes")
        found = [
            str(path)
            for path in [*self.server.data.rglob("*"), self.server.errors]
            if path.is_file()
            and not any(path.is_relative_to(each) for each in allowed)
            and any(form in path.read_bytes() for form in forms)
        ]
        sealed = [path for path in self.system.glob("changes/*/change") if passwords]
        return found + [str(path) for path in sealed if any(form in path.read_bytes() for form in forms)]
