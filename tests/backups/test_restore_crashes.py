"""Killed at any place, a restore leaves the data folder as it was before or as it is to be, and can be done again."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from milepost.backups import restore
from milepost.backups.site import check_site
from tests.backups.sites import back_up, make_site, tree

KILLED = """
import os, signal, sys
from pathlib import Path
from milepost.backups import archive, restoring

when, place, backup, data, replace = sys.argv[1:]

def killing(function):
    def killed(*args, **named):
        if when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        function(*args, **named)
        os.kill(os.getpid(), signal.SIGKILL)
    return killed

module = archive if place == "check" else restoring
setattr(module, place, killing(getattr(module, place)))
restoring.restore(Path(backup), Path(data), replace=replace == "yes")
"""


@pytest.fixture(scope="module")
def backup(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    make_site(folder / "data")
    return back_up(folder / "data", folder)


def killed(*arguments: object) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, *map(str, arguments)], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL


def left(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir()}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("place", ["check", "unpack", "_put_in_place"])
def test_a_new_folder(backup: Path, tmp_path: Path, when: str, place: str) -> None:
    data = tmp_path / "data"
    killed(when, place, backup, data, "no")
    done = (when, place) == ("after", "_put_in_place")
    assert data.exists() is done
    if not done:
        restore(backup, data)
    assert check_site(data, lambda: None).jobs == 3
    assert left(tmp_path) == {"data"}, "what the first attempt left is swept away"


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("place", ["check", "unpack", "exchange"])
def test_a_folder_with_something_in_it(backup: Path, tmp_path: Path, when: str, place: str) -> None:
    data = tmp_path / "data"
    make_site(data, jobs=1)
    (data / "mark").write_text("as it was")
    before = tree(data)
    killed(when, place, backup, data, "yes")
    if (when, place) == ("after", "exchange"):
        assert check_site(data, lambda: None).jobs == 3
        [aside] = [each for each in tmp_path.iterdir() if each != data]
        assert tree(aside) == before
        return
    assert tree(data) == before
    for each in tmp_path.glob("data.before-restore-*"):
        assert not (each / "mark").exists(), "it is what was to be put there"
        each.rename(tmp_path / "left")
    moved = restore(backup, data, replace=True).moved
    assert moved is not None
    assert tree(moved) == before
    assert check_site(data, lambda: None).jobs == 3
