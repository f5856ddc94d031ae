"""The commands about people, on a data folder."""

import json
import os
import pty
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from tests.cli.conftest import Run

from milepost.security import InvalidToken, People, Tokens

PASSWORD = "correct-horse-battery"


@pytest.fixture
def data(tmp_path: Path, run: Run) -> Path:
    """A data folder with an administrator."""
    folder = tmp_path / "data"
    run(
        "user",
        "add",
        "root",
        "--role",
        "administrator",
        "--data",
        folder,
        env={"MILEPOST_PASSWORD": PASSWORD},
    )
    return folder


def signs_in(data: Path, name: str, password: str) -> bool:
    with People(data / "people.sqlite") as people:
        return people.authenticate(name, password) is not None


def test_somebody_is_added_and_may_sign_in(run: Run, data: Path) -> None:
    result = run("user", "add", "ann", "--data", data, "--password-stdin", input=PASSWORD + "\n")
    assert result.stdout == "Added ann as user.\n"
    assert signs_in(data, "ann", PASSWORD)


def test_everybody_is_listed(run: Run, data: Path) -> None:
    run("user", "add", "ann", "--full-name", "Ann Lee", "--data", data, "--password-stdin", input=PASSWORD)
    assert run("user", "list", "--data", data).stdout == "ann   user           Ann Lee\nroot  administrator\n"
    listed = json.loads(run("user", "list", "--json", "--data", data).stdout)
    assert [each["username"] for each in listed] == ["ann", "root"]
    assert "password" not in json.dumps(listed)


def test_a_new_password_replaces_the_old_one(run: Run, data: Path) -> None:
    run("user", "passwd", "root", "--data", data, "--password-stdin", input="another-password-7\n")
    assert signs_in(data, "root", "another-password-7")
    assert not signs_in(data, "root", PASSWORD)


def test_somebody_is_removed(run: Run, data: Path) -> None:
    run("user", "add", "ann", "--data", data, "--password-stdin", input=PASSWORD)
    run("user", "remove", "ann", "--data", data)
    assert not signs_in(data, "ann", PASSWORD)


def test_a_role_is_changed(run: Run, data: Path) -> None:
    run("user", "add", "ann", "--data", data, "--password-stdin", input=PASSWORD)
    assert run("user", "role", "ann", "publisher", "--data", data).stdout == "ann is publisher now.\n"
    assert "ann   publisher" in run("user", "list", "--data", data).stdout
    refused = run("user", "role", "ann", "emperor", "--data", data, code=2)
    assert "administrator" in refused.stderr


def test_privileges_are_granted_and_revoked(run: Run, data: Path) -> None:
    run("user", "add", "ann", "--data", data, "--password-stdin", input=PASSWORD)
    first, second = "portal:admin:updateItems", "portal:admin:manageServers"
    assert first in run("user", "grant", "--help").stdout
    run("user", "grant", "ann", first, "--data", data)
    said = run("user", "grant", "ann", second, "--data", data).stdout
    assert said == f"ann is user, and was granted {second}, {first} beyond that.\n"
    assert f"ann   user           + {second}, {first}\n" in run("user", "list", "--data", data).stdout
    listed = json.loads(run("user", "list", "--json", "--data", data).stdout)
    assert [each["granted"] for each in listed] == [[second, first], []]
    run("user", "revoke", "ann", first, "--data", data)
    refused = run("user", "revoke", "ann", first, second, "--data", data, code=1)
    assert f"ann was not granted {first}; nothing was changed" in refused.stderr
    said = run("user", "revoke", "ann", second, "--data", data).stdout
    assert said == "ann is user, and was granted nothing beyond that.\n"


def test_the_key_is_rotated(run: Run, data: Path) -> None:
    with People(data / "people.sqlite") as people:
        root = people.get("root")
        assert root is not None
        token, _ = Tokens(data / "token.key", people).issue(root)
        assert "all tokens are void" in run("user", "rotate-key", "--data", data).stdout
        with pytest.raises(InvalidToken):
            Tokens(data / "token.key", people).verify(token)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("role", "nobody", "user"), "nobody named"),
        (("role", "root", "user"), "last administrator"),
        (("grant", "nobody", "portal:admin:updateItems"), "nobody named"),
        (("revoke", "nobody", "portal:admin:updateItems"), "nobody named"),
        (("grant", "root", "portal:admin:fly"), "the privileges are"),
        (("add", "root"), "already"),
        (("add", "two words"), "cannot be a username"),
        (("passwd", "nobody"), "nobody named"),
        (("remove", "nobody"), "nobody named"),
        (("remove", "root"), "last administrator"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(
    run: Run, data: Path, arguments: tuple[str, ...], said: str
) -> None:
    result = run("user", *arguments, "--data", data, code=1, env={"MILEPOST_PASSWORD": PASSWORD})
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_weak_password_is_refused(run: Run, data: Path) -> None:
    run("user", "add", "ann", "--data", data, "--password-stdin", input="short\n", code=1)


def test_a_folder_of_no_server_is_told(run: Run, tmp_path: Path) -> None:
    assert "--data" in run("user", "list", "--data", tmp_path / "nothing", code=1).stderr
    assert not (tmp_path / "nothing").exists()


def test_an_empty_input_holds_no_password(run: Run, data: Path) -> None:
    run("user", "add", "ann", "--data", data, "--password-stdin", input="", code=2)


def test_in_a_terminal_the_password_is_asked_for_twice_and_not_shown(data: Path) -> None:
    """A real terminal, and a real process in it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MILEPOST_")}
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "milepost", "user", "add", "ann", "--data", str(data)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""
    with os.fdopen(ours, "r+b", buffering=0) as screen:
        for prompt in (b"Password of ann", b"Repeat"):
            while prompt not in shown or not shown.endswith(b": "):
                shown += screen.read(1024)
            screen.write(PASSWORD.encode() + b"\n")
        with suppress(OSError):  # how a terminal tells that the other end is gone
            while chunk := screen.read(1024):
                shown += chunk
    assert process.wait() == 0
    assert b"Added ann as user." in shown
    assert PASSWORD.encode() not in shown
    assert signs_in(data, "ann", PASSWORD)
