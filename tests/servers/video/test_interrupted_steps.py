"""Interrupted in any of its sixteen steps, publishing a video goes on where it was; cancelled in any, it leaves nothing.

How it fares when it is killed around what it keeps and records is in ``test_crashes``.
"""

from collections.abc import Iterator

import pytest

from tests.servers.video.field import STEPS, Field

pytestmark = pytest.mark.timeout(280)


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    field = Field(tmp_path_factory.mktemp("stumbling"))
    yield field
    field.close()


@pytest.mark.parametrize("number", range(4))
def test_a_server_that_is_killed_in_a_step_goes_on_after_its_start(field: Field, number: int) -> None:
    before, killed = field.world(), STEPS[number::4]
    job = field.ended(field.publish(*(f"{step}-server" for step in killed)))
    assert job["status"] == "COMPLETED", job["messages"]
    assert not list(field.places.iterdir())
    said = [each for each in job["customAttributes"]["messageCodes"] if each in STEPS]
    assert list(dict.fromkeys(said)) == list(STEPS)
    # What was just said when the server was killed is said again, and nothing else is.
    assert [each for each in said if each not in killed] == [each for each in STEPS if each not in killed]
    # The rungs are encoded once: what is done stays done.
    assert field.encodings() == 1
    layer = job["results"]["layerId"]
    after = field.world()
    assert after["layers"] == [*before["layers"], layer]
    assert len(after["stored"]) == len(before["stored"]) + 1
    field.check_played(layer)
    field.delete(layer)
    assert field.world()["stored"] == before["stored"]


@pytest.mark.parametrize("victim", ["instance", "server"])
def test_an_encoding_that_is_cut_off_is_done_again(field: Field, victim: str) -> None:
    job = field.ended(field.publish(f"encoding-{victim}"))
    assert job["status"] == "COMPLETED", job["messages"]
    assert field.encodings() == 2
    assert not field.encoders()
    field.check_played(job["results"]["layerId"])
    field.delete(job["results"]["layerId"])


@pytest.mark.parametrize("step", [*STEPS, "encoding"])
def test_cancelled_it_leaves_nothing(field: Field, step: int | str) -> None:
    before = field.world()
    job_id = field.publish(f"{step}-still")
    field.cancel(job_id)
    job = field.ended(job_id)
    assert (job["status"], job["results"]) == ("CANCELLED", {})
    assert not field.encoders()
    assert not list(field.places.iterdir())
    assert field.world() == before
    plain = job_id.removeprefix("j").replace("-", "")
    assert not [each for each in field.server.data.rglob("*.m4s") if plain in str(each)]
