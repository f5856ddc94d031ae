"""Whatever is killed in whichever stage of an edit: it is resumed to the same end, or undone to the same beginning."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from milepost.backups import restore
from milepost.servers.enterprise.registry.credentials import Credentials, docker_config
from tests.servers.enterprise.registry_peers import (
    USER,
    Gate,
    basic_registry,
    gate_before,
    needs_registry,
    set_password,
)
from tests.servers.enterprise.registry_sites import COMPONENTS, ENDED, JSON, STAGES, Site
from tests.servers.enterprise.service_changes import until
from tests.servers.talking import json_of

pytestmark = [needs_registry, pytest.mark.timeout(600)]

World = dict[str, tuple[int, bytes]]

FIRST = "first-Kennwort"
SECOND = "second-Kennwort"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("crashes")


@pytest.fixture(scope="module")
def gate(folder: Path) -> Iterator[tuple[Gate, str]]:
    with basic_registry(folder / "registry", FIRST) as registry, gate_before(registry) as (gate, address):
        yield gate, f"http://{address}"


@pytest.fixture(scope="module")
def site(folder: Path) -> Iterator[Site]:
    site = Site(folder / "data")
    try:
        yield site
    finally:
        site.close()


@pytest.fixture
def beginning(site: Site, folder: Path, gate: tuple[Gate, str]) -> World:
    """The world with the first password in force, and the second one about to be."""
    gate[0].hold(0)
    gate[0].refuse_from = 0
    set_password(folder / "registry", FIRST)
    if not site.configs() or _in_force(folder) != FIRST:
        site.edited(FIRST, gate[1])
        (folder / "in-force").write_text(FIRST)
    set_password(folder / "registry", SECOND)
    return site.world()


def _in_force(folder: Path) -> str:
    path = folder / "in-force"
    return path.read_text() if path.exists() else ""


def crash(site: Site, gate: Gate, stage: int, what: str, *, refuse: bool = False) -> str:
    """Kill while a stage is under way, and have the registry refuse everybody from then on; the job."""
    gate.hold(2 * stage + 2)
    job = site.submit(SECOND)
    assert gate.held.wait(60)
    states = [each["state"] for each in site.job(job)["progress"]["stages"]]
    assert states == ["completed"] * stage + ["in_progress"] + ["pending"] * (7 - stage)
    assert site.leaks(FIRST, SECOND) == []
    gate.refuse_from = 1 if refuse else 0
    if what == "instance":
        site.kill_instance(job)
    else:
        site.server.kill()
    return job


# Each stage meets each kill, and each end after one of them.
STAGES_OF = {True: range(0, len(STAGES), 2), False: range(1, len(STAGES), 2)}
GO_ON = [(what, stage) for what in ("instance", "server") for stage in STAGES_OF[what == "instance"]]
UNDONE = [(what, stage) for what in ("instance", "server") for stage in STAGES_OF[what == "server"]]


@pytest.mark.parametrize(("what", "stage"), GO_ON)
def test_it_goes_on_to_the_same_end(
    site: Site, gate: tuple[Gate, str], beginning: World, folder: Path, what: str, stage: int
) -> None:
    job = crash(site, gate[0], stage, what)
    gate[0].release()
    (folder / "in-force").write_text(SECOND)
    if what == "server":
        site.start_again()
    state = site.ended(job)
    assert state["status"] == "COMPLETED", state
    assert state["result"] == {"credentialUpdateOnly": True}
    assert [each["state"] for each in state["progress"]["stages"]] == ["completed"] * len(STAGES)
    assert site.leaks(FIRST, SECOND) == []
    # The same end as that of an edit that nothing happened to.
    key = gate[1].removeprefix("http://")
    wanted = docker_config(key, Credentials(USER, SECOND))
    assert site.configs() == dict.fromkeys(COMPONENTS, wanted)
    assert {name: mode for name, (mode, _) in site.world().items()} == {
        name: mode for name, (mode, _) in beginning.items()
    }


@pytest.mark.parametrize(("what", "stage"), UNDONE)
def test_it_is_undone_to_the_same_beginning(
    site: Site, gate: tuple[Gate, str], beginning: World, what: str, stage: int
) -> None:
    job = crash(site, gate[0], stage, what, refuse=True)
    gate[0].release()
    if what == "server":
        # As if it had died between writing a change down and submitting its job.
        orphan = site.system / "changes" / ("0" * 32)
        orphan.mkdir()
        (orphan / "change").write_text("sealed")
        site.start_again()
    state = site.ended(job)
    assert state["status"] == "FAILED", state
    assert site.world() == beginning
    assert site.leaks(FIRST, SECOND) == []


def test_it_goes_on_where_a_backup_from_the_middle_of_it_is_restored(
    site: Site, gate: tuple[Gate, str], beginning: World, folder: Path
) -> None:
    stage = 4
    gate[0].hold(2 * stage + 2)
    job = site.submit(SECOND)
    assert gate[0].held.wait(60)
    made = json_of(site.client.post("/admin/system/backups/create", data=JSON))["jobID"]
    state = until(lambda: each if (each := site.job(made))["status"] in ENDED else None)
    assert state["status"] == "COMPLETED", state
    backup = site.server.data / "backups" / f"{state['result']['backup']}.tar"
    restore(backup, folder / "restored")
    backup.unlink()  # whoever has it has the secrets
    other = Site(folder / "restored")
    try:
        gate[0].release()
        key = gate[1].removeprefix("http://")
        configs = {
            "COMPLETED": dict.fromkeys(COMPONENTS, docker_config(key, Credentials(USER, SECOND))),
            # The registry answered later than the one that was backed up had patience for.
            "FAILED": dict.fromkeys(COMPONENTS, docker_config(key, Credentials(USER, FIRST))),
        }
        statuses = []
        for each in (site, other):
            statuses.append(each.ended(job)["status"])
            assert each.configs() == configs[statuses[-1]]
            assert each.leaks(FIRST, SECOND) == []
        assert statuses[1] == "COMPLETED", "it had an answer at once"
        (folder / "in-force").write_text(SECOND if statuses[0] == "COMPLETED" else FIRST)
    finally:
        other.close()
