"""Real servers that speak TLS, and the clients of other makers, each in a process of its own."""

import json
import os
import ssl
import subprocess
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from milepost.app import Server
from milepost.operations import load_catalog
from milepost.security import People
from milepost.settings import Settings
from tests.running import PASSWORD, RunningServer

HERE: Final = Path(__file__).parent
ENVIRONMENT: Final = HERE.parents[1] / ".venv-clients"
PYTHON: Final = ENVIRONMENT / "bin" / "python"
NODE: Final = ENVIRONMENT / "bin" / "node"

PRODUCTION: Final = "SampleService.TopographicProductionServer"

TOOLS: Final = str(HERE.parent / "servers" / "operations.py")
OPERATIONS: Final = (TOOLS, str(HERE.parent / "servers" / "dialect_operations.py"))

PRODUCT: Final = {
    "productVersion": "1.0",
    "aoiLayer": "https://gis.example.com/aoi",
    "aoiFeatureId": 7,
    "outputType": "PDF",
}

AHEAD: Final = {
    "mission": ("Mission.MissionServer", "add_mission", {}),
    "failed_mission": ("Mission.MissionServer", "fail", {}),
    "product": (PRODUCTION, "generate_product", {**PRODUCT, "productName": "MTM50"}),
    "unlicensed": (PRODUCTION, "generate_product", {**PRODUCT, "productName": "MTM50 unlicensed"}),
    "endless": (PRODUCTION, "generate_product", {**PRODUCT, "productName": "waits"}),
}
"""Jobs that no client of these dialects submits yet, by the name that the scripts have for them."""

CLIENT_LIMIT: Final = 240
"""Seconds that a script may take."""

POINT: Final = {
    "geometryType": "esriGeometryPoint",
    "spatialReference": {"wkid": 4326},
    "fields": [{"name": "name", "type": "esriFieldTypeString", "alias": "name", "length": 20}],
    "features": [{"geometry": {"x": 8.5, "y": 47.4}, "attributes": {"name": "Zürich"}}],
}


class Told:
    """What a client saw, story by story."""

    def __init__(self, script: str, stories: dict[str, dict[str, Any]]):
        self._script = script
        self._stories = stories

    def __getitem__(self, story: str) -> Any:
        told = self._stories[story]
        if "trouble" in told:
            pytest.fail(f"{self._script}, {story}:\n{told['trouble']}", pytrace=False)
        return told["saw"]


class Site:
    """A server with people, whom clients reach over TLS."""

    def __init__(self, server: RunningServer, jobs: dict[str, str]):
        self.address = server.address
        self.certificate = server.data / "tls" / "certificate.pem"
        self.jobs = jobs
        self._home = server.data.parent / "home"
        self._home.mkdir()

    def token(self, username: str = "admin") -> str:
        """A token of somebody, for clients that are given one."""
        form = {"username": username, "password": PASSWORD, "f": "json"}
        trusting = ssl.create_default_context(cafile=self.certificate)
        with httpx.Client(verify=trusting, trust_env=False) as client:
            answer = client.post(f"{self.address}/sharing/rest/generateToken", data=form)
        token: str = answer.json()["token"]
        return token

    def run(self, script: str, **given: Any) -> Told:
        """What the client of a script sees."""
        interpreter = NODE if script.endswith(".js") else PYTHON
        about = {"server": self.address, "password": PASSWORD, "jobs": self.jobs, **given}
        # Nothing of the person who runs the tests, not even whether they keep bytecode: the clients
        # are installed without it, and making it takes five seconds.
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self._home),
            "SSL_CERT_FILE": str(self.certificate),
            "NODE_EXTRA_CA_CERTS": str(self.certificate),
            "PYTHONWARNINGS": "ignore",
        }
        with subprocess.Popen(
            [interpreter, HERE / script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            env=environment,
        ) as client:
            try:
                said, log = client.communicate(json.dumps(about), timeout=CLIENT_LIMIT)
            except subprocess.TimeoutExpired:
                client.kill()
                said, log = client.communicate()
        if client.returncode:
            pytest.fail(f"{script} ended with {client.returncode}:\n{said}{log}", pytrace=False)
        return Told(script, json.loads(said))


async def submit_ahead(data: Path) -> dict[str, str]:
    """Accept jobs while nothing runs them; the server takes them up when it starts."""
    server = Server(Settings(data=data, toolbox=False), load_catalog(OPERATIONS), list(OPERATIONS))
    jobs = {}
    try:
        for name, (service, called, values) in AHEAD.items():
            operation = server.manager.catalog.get(service, called)
            assert operation is not None, called
            jobs[name] = (await server.manager.submit(operation, values, owner="admin")).job.id
    finally:
        await server.stop()
    return jobs


def add_people(data: Path) -> None:
    """Two who are no administrators; bob is the one whose password others guess."""
    with People(data / "people.sqlite") as people:
        for name in ("ann", "bob"):
            people.add(name, PASSWORD)
