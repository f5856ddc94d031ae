"""Whatever is killed in whichever check: the site's health is told all the same, and nothing is changed by it."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.running import RunningServer
from tests.servers import stumbling_checks
from tests.servers.enterprise.test_backups import ended
from tests.servers.enterprise.test_health import HEALTH, JSON, NAMES
from tests.servers.stumbling_checks import CHECKS
from tests.servers.talking import json_of

pytestmark = pytest.mark.timeout(280)


class Field:
    """A server whose checks stumble where they are told to."""

    def __init__(self, folder: Path):
        self.places = folder / "places"
        self.places.mkdir()
        self.server = RunningServer(
            folder / "data",
            Path(stumbling_checks.__file__),
            environment={"MILEPOST_TEST_STUMBLE": str(self.places)},
        ).start()
        self.client = self.server.client()

    def begin(self) -> str:
        return str(json_of(self.client.post(f"{HEALTH}/run", data={**JSON, "async": "true"}))["jobID"])

    def ended(self, job: str) -> dict[str, Any]:
        """The job at its end; the server is started again when it was killed."""
        while True:
            if self.server.process.poll() is not None:
                self.client.close()
                self.server.start()
                self.client = self.server.client()
            with suppress(httpx.HTTPError):
                return ended(self.client, job)

    def close(self) -> None:
        self.client.close()
        self.server.stop()


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    field = Field(tmp_path_factory.mktemp("field"))
    yield field
    field.close()


@pytest.mark.parametrize(
    "place",
    [
        *(f"before-{check}-instance" for check in CHECKS),
        *(f"{moment}-server" for moment in ("after-database", "before-permissions", "after-clock")),
    ],
)
def test_a_check_that_is_killed_is_done_again(field: Field, place: str):
    (field.places / place).touch()
    job = field.ended(field.begin())
    assert not (field.places / place).exists(), "nothing was killed"
    assert job["status"] == "COMPLETED", job
    newest = json_of(field.client.get(HEALTH, params=JSON))["reports"][0]
    report = json_of(field.client.get(f"{HEALTH}/{newest['id']}", params=JSON))
    assert [each["name"] for each in report["checks"]] == NAMES
    states = {each["name"]: each["state"] for each in report["checks"]}
    assert states["jobs_database"] == states["permissions"] == "ok"
