"""Whatever is killed in whichever check: the site's health is told all the same, and nothing is changed by it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import stumbling_checks
from tests.servers.enterprise.test_health import HEALTH, JSON, NAMES
from tests.servers.field import Field
from tests.servers.stumbling_checks import CHECKS
from tests.servers.talking import json_of

pytestmark = pytest.mark.timeout(280)


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    field = Field(tmp_path_factory.mktemp("field"), Path(stumbling_checks.__file__))
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
    field.tell(place)
    begun = field.post(f"{HEALTH}/run", **{"async": "true"})
    job = field.ended(f"/admin/jobs/{begun['jobID']}")
    field.require_all()
    assert job["status"] == "COMPLETED", job
    newest = json_of(field.client.get(HEALTH, params=JSON))["reports"][0]
    report = json_of(field.client.get(f"{HEALTH}/{newest['id']}", params=JSON))
    assert [each["name"] for each in report["checks"]] == NAMES
    states = {each["name"]: each["state"] for each in report["checks"]}
    assert states["jobs_database"] == states["permissions"] == "ok"
