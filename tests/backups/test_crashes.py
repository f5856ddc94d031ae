"""Whatever happens to a backup in any of its stages, there is a whole one in the end or none."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from milepost.backups import check, new_name
from milepost.backups.making import STAGES
from tests.backups.site_server import HELD, JSON, WORK, names_in, run, server_of, submit, wait_for
from tests.running import RunningServer, wait_for_job

MOMENTS = [(stage, "begin") for stage in STAGES] + [("archive", "end"), ("verification", "end")]
WHOLE = ("verification", "end")
"""The moment at which the backup has its name already."""


class Held:
    """A backup that is held in one stage."""

    def __init__(self, server: RunningServer, client: httpx.Client, folder: Path, stage: str, at: str):
        self.name = new_name()
        self.gate = folder / self.name
        self._client = client
        self._server = server
        self.url = submit(client, HELD, backup=self.name, stage=stage, at=at, gate=str(self.gate))
        wait_for(self.gate.with_suffix(".reached"))

    @property
    def id(self) -> str:
        return self.url.rpartition("/j")[2]

    def instance(self) -> int:
        """The process that works on it."""
        (template,) = psutil.Process(self._server.process.pid).children()
        (found,) = [each.pid for each in template.children() if self.id in each.cwd()]
        return found

    def is_gone(self) -> bool:
        """Whether nothing is left of it but perhaps a whole backup, at the latest soon after the job has ended."""
        data = self._server.data
        pause = threading.Event()
        for _ in range(1000):
            if not (data / "scratch" / self.id).exists() and not list((data / "backups").glob(".*")):
                return True
            pause.wait(0.01)
        return False


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with server_of(tmp_path_factory.mktemp("crashes") / "data") as running:
        with running.client() as client:
            run(client, f"{WORK}/produce", text="a text")
        yield running


@pytest.mark.parametrize(("stage", "at"), MOMENTS)
def test_a_backup_that_is_cancelled_leaves_nothing(
    server: RunningServer, tmp_path: Path, stage: str, at: str
):
    folder = server.data / "backups"
    with server.client() as client:
        before = names_in(folder)
        held = Held(server, client, tmp_path, stage, at)
        client.post(f"{held.url}/cancel", data=JSON)
        assert wait_for_job(client, held.url)["jobStatus"] == "esriJobCancelled"
    assert held.is_gone()
    assert names_in(folder) == sorted([*before, held.name] if (stage, at) == WHOLE else before)


@pytest.mark.parametrize(("stage", "at"), MOMENTS)
def test_a_backup_whose_process_is_killed_leaves_nothing(
    server: RunningServer, tmp_path: Path, stage: str, at: str
):
    folder = server.data / "backups"
    with server.client() as client:
        before = names_in(folder)
        held = Held(server, client, tmp_path, stage, at)
        os.kill(held.instance(), signal.SIGKILL)
        job = wait_for_job(client, held.url)
        assert job["jobStatus"] == "esriJobFailed"
        assert "SIGKILL" in str(job["messages"])
    assert held.is_gone()
    assert names_in(folder) == sorted([*before, held.name] if (stage, at) == WHOLE else before)


@pytest.mark.parametrize(("stage", "at"), MOMENTS)
def test_a_backup_whose_server_is_killed_is_made_when_it_is_started_again(
    server: RunningServer, tmp_path: Path, stage: str, at: str
):
    folder = server.data / "backups"
    before = names_in(folder)
    with server.client() as client:
        held = Held(server, client, tmp_path, stage, at)
    server.kill()
    # Whoever looks now sees a whole backup or none.
    whole = [held.name] if (stage, at) == WHOLE else []
    assert sorted(each.stem for each in folder.glob("[!.]*")) == sorted([*before, *whole])
    held.gate.touch()
    server.start()
    with server.client() as client:
        job = wait_for_job(client, held.url)
    assert job["jobStatus"] == "esriJobSucceeded", job
    assert held.is_gone()
    assert names_in(folder) == sorted([*before, held.name])
    assert check(folder / f"{held.name}.tar", lambda _: None).jobs > 1
