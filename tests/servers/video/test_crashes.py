"""Killed in any of its steps, publishing a video goes on where it was; cancelled in any, it leaves nothing."""

from collections.abc import Iterator

import pytest

from tests.servers.video.field import STEPS, Field

pytestmark = pytest.mark.timeout(280)


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    field = Field(tmp_path_factory.mktemp("stumbling"))
    yield field
    field.server.stop()


@pytest.mark.parametrize("number", range(8))
def test_it_goes_on_after_its_process_and_the_server_were_killed(field: Field, number: int) -> None:
    before = field.world()
    places = [f"{STEPS[each]}-{victim}" for each in (number, number + 8) for victim in ("instance", "server")]
    job = field.ended(field.publish(*places))
    assert job["status"] == "COMPLETED", job["messages"]
    assert not list(field.places.iterdir())
    said = [each for each in job["customAttributes"]["messageCodes"] if each in STEPS]
    # What was just said when the process was killed is said again, and nothing else is.
    killed = {STEPS[number], STEPS[number + 8]}
    assert list(dict.fromkeys(said)) == list(STEPS)
    assert [each for each in said if each not in killed] == [each for each in STEPS if each not in killed]
    # The rungs are encoded again only when that very step was cut off, and it was twice.
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
