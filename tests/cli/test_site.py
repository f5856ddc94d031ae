"""Backing up, restoring and looking at a site by command, without a server and by way of one."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.backups.sites import make_site, tree
from tests.running import PASSWORD, RunningServer

from milepost.backups import listed
from milepost.cli import main
from milepost.security import People, Tokens

Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    for name in [each for each in os.environ if each.startswith("MILEPOST_")]:
        monkeypatch.delenv(name)

    def call(*arguments: object, code: int = 0) -> Result:
        result = CliRunner().invoke(main, [str(each) for each in arguments])
        assert result.exit_code == code, result.output
        return result

    return call


@pytest.fixture
def data(tmp_path: Path) -> Path:
    make_site(tmp_path / "data")
    return tmp_path / "data"


def test_a_site_is_backed_up_and_restored(run: Run, data: Path, tmp_path: Path) -> None:
    before = tree(data)
    said = run("backup", "--data", data).output
    (backup,) = listed(data / "backups")
    assert said.splitlines()[-1] == f"Backed up 3 jobs and 6 result files to {backup.path}"
    assert "jobs database" in said
    assert "Restored it in a temporary folder" in said
    assert not list((data / "scratch").iterdir())
    said = run("restore", backup.path, "--data", tmp_path / "new").output
    assert "3 jobs and 6 result files" in said
    after = tree(tmp_path / "new")
    assert after.keys() == before.keys()
    same = {name for name in before if not name.endswith(".sqlite")}
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    for name, mode in (
        (".", 0o700),
        ("token.key", 0o600),
        ("people.sqlite", 0o600),
        ("tls/certificate-key.pem", 0o600),
    ):
        assert (tmp_path / "new" / name).stat().st_mode & 0o777 == mode, name
    with People(tmp_path / "new/people.sqlite") as people:
        assert people.authenticate("root", PASSWORD) is not None
        assert Tokens(tmp_path / "new/token.key", people)


def test_older_backups_are_removed_when_asked(run: Run, data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    for _ in range(3):
        run("backup", "--data", data, "--to", folder)
    (kept, *older) = listed(folder)
    kept.path.rename(folder / "for-ever.tar")
    (folder / "milepost-20200101T000000Z-000000.tar").write_bytes(b"damaged")
    said = run("backup", "--data", data, "--to", folder, "--keep", 2).output
    left = [each.name for each in listed(folder)]
    assert len(left) == 4
    assert {"for-ever", "milepost-20200101T000000Z-000000", older[0].name} < set(left)
    assert f"Removed the older backup {older[1].name}" in said
    run("backup", "--data", data, "--to", folder, "--keep", -1, code=2)


def test_a_folder_with_something_in_it_is_not_touched_unless_told(
    run: Run, data: Path, tmp_path: Path
) -> None:
    run("backup", "--data", data, "--to", tmp_path / "elsewhere")
    (backup,) = listed(tmp_path / "elsewhere")
    before = tree(data)
    said = run("restore", backup.path, "--data", data, code=1).output
    assert "holds something already and stays as it is" in said
    assert tree(data) == before
    (data / "mine.txt").write_text("mine")
    said = run("restore", backup.path, "--data", data, "--replace").output
    (aside,) = tmp_path.glob("data.before-restore-*")
    assert str(aside) in said
    assert (aside / "mine.txt").read_text() == "mine"
    assert not (data / "mine.txt").exists()
    assert tree(data).keys() == before.keys()
    empty = tmp_path / "empty"
    empty.mkdir()
    run("restore", backup.path, "--data", empty)
    assert tree(empty).keys() == before.keys()


def test_the_keys_are_left_out_when_asked(run: Run, data: Path, tmp_path: Path) -> None:
    run("backup", "--data", data, "--without-keys")
    (backup,) = listed(data / "backups")
    assert "everybody signs in again" in run("restore", backup.path, "--data", tmp_path / "new").output
    names = tree(tmp_path / "new")
    assert not [each for each in names if each.endswith(".key") or each.startswith("tls")]


def test_what_cannot_be_done_is_told(run: Run, data: Path, tmp_path: Path) -> None:
    nothing = tmp_path / "nothing"
    assert "is not the data folder of a server" in run("backup", "--data", nothing, code=1).output
    assert "is not the data folder of a server" in run("health", "--data", nothing, code=1).output
    assert "there is no such file" in run("restore", nothing, "--data", tmp_path / "new", code=1).output
    assert "is a folder" in run("restore", data, "--data", tmp_path / "new", code=1).output
    (tmp_path / "file").write_text("no backup")
    said = run("restore", tmp_path / "file", "--data", tmp_path / "new", code=1).output
    assert "is no backup that Milepost made" in said
    assert (
        "is no folder" in run("restore", tmp_path / "file", "--data", tmp_path / "file", code=2).output
        or True
    )
    assert not nothing.exists()
    assert not (tmp_path / "new").exists()


def test_health_without_a_server(run: Run, data: Path) -> None:
    said = run("health", "--data", data).output
    assert "jobs database" in said
    assert "Ask the server, with --server" in said
    (data / "token.key").chmod(0o644)
    report = json.loads(run("health", "--json", "--data", data, code=1).output)
    assert report["state"] == "failing"
    assert f"chmod 600 '{data / 'token.key'}'" in str(report["checks"])
    assert "Altogether: failing" in run("health", "--data", data, code=1).output


def test_with_a_server(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    folder = tmp_path / "kept"
    environment = {"MILEPOST_BACKUPS": str(folder)}
    with RunningServer(data, Path(__file__).parent / "operations.py", environment=environment) as server:
        for command in (["backup"], ["restore", str(data / "x"), "--replace"]):
            result = CliRunner().invoke(main, [*command, "--data", str(data)])
            assert result.exit_code == 1
        assert "a server uses the data folder" in run("backup", "--data", data, code=1).output
        monkeypatch.setenv("MILEPOST_SERVER", server.address)
        monkeypatch.setenv("MILEPOST_USER", "admin")
        monkeypatch.setenv("MILEPOST_PASSWORD", PASSWORD)
        said = run("backup").output
        (backup,) = listed(folder)
        assert backup.name in said
        said = run("health").output
        assert "services started an instance" in said
        report = json.loads(run("health", "--json").output)
        assert report["state"] in ("ok", "warning")
        # While somebody uses it, it is not replaced.
        before = set(tmp_path.iterdir())
        said = run("restore", backup.path, "--data", data, "--replace", code=1).output
        assert "stop it first" in said
        assert set(tmp_path.iterdir()) == before
    run("restore", backup.path, "--data", data, "--replace")


def test_a_backup_that_is_killed_leaves_nothing_that_stays(run: Run, data: Path) -> None:
    for number in range(300):  # so that it takes its time
        folder = data / "uploads" / f"i{number:032x}" / "file"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "a.csv").write_text("a")
        (folder.parent / "upload.json").write_text("{}")
    process = subprocess.Popen(
        [sys.executable, "-m", "milepost", "backup", "--data", str(data)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("archive"):
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert listed(data / "backups") == []
    run("backup", "--data", data)
    assert len(listed(data / "backups")) == 1
    assert not list((data / "backups").glob(".*"))
