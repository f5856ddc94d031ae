"""The command line and a real server, each in a process of its own."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.running import PASSWORD, RunningServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    data = tmp_path_factory.mktemp("cli") / "data"
    with RunningServer(data, Path(__file__).parent / "operations.py") as running:
        yield running


class Commands:
    """``milepost`` as a script would call it."""

    def __init__(self, server: RunningServer):
        self.task = f"{server.address}/rest/services/Tests/Shapes/GPServer"
        self.environment = {
            **os.environ,
            "MILEPOST_SERVER": server.address,
            "MILEPOST_USER": "admin",
            "MILEPOST_PASSWORD": PASSWORD,
        }

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "milepost", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
        )

    def run(self, *arguments: str, code: int = 0) -> str:
        process = self.start(*arguments)
        output, errors = process.communicate(timeout=60)
        assert process.returncode == code, output + errors
        assert "Traceback" not in errors
        return output + errors


@pytest.fixture
def milepost(server: RunningServer) -> Commands:
    return Commands(server)


def test_a_job_is_submitted_and_followed(milepost: Commands) -> None:
    said = milepost.run("submit", f"{milepost.task}/count_letters", "text=milepost", "times=3", "--watch")
    assert "Counting 3 times" in said
    assert "WARNING: It may be long" in said
    assert "stage counting: finished" in said
    assert re.search(r"succeeded in \d", said)
    assert "result: 24\n" in said


def test_a_file_is_sent_along(milepost: Commands, tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"12345")
    said = milepost.run("submit", f"{milepost.task}/size_of", "--file", f"file={tmp_path}/a.bin", "--watch")
    assert "result: 5\n" in said


def test_a_failed_job_says_why(milepost: Commands) -> None:
    said = milepost.run("submit", f"{milepost.task}/refuse", "--watch", code=1)
    assert "crosses itself; repair it first" in said


def test_a_job_is_watched_by_one_and_cancelled_by_another(milepost: Commands) -> None:
    url = milepost.run("submit", f"{milepost.task}/go_on").strip()
    watching = milepost.start("watch", "--json", url)
    assert watching.stdout is not None
    first = json.loads(watching.stdout.readline())
    assert not first["finished"]
    assert "cancelled" in milepost.run("cancel", url)
    output, _ = watching.communicate(timeout=60)
    assert json.loads(output.splitlines()[-1])["state"] == "cancelled"
    assert watching.returncode == 3
    milepost.run("watch", url, code=3)
    assert "already" in milepost.run("cancel", url, code=1)


def test_the_same_key_is_the_same_job(milepost: Commands) -> None:
    submit = ("submit", f"{milepost.task}/count_letters", "text=a", "--key", "one")
    assert milepost.run(*submit) == milepost.run(*submit)


def test_jobs_are_listed(milepost: Commands) -> None:
    url = milepost.run("submit", f"{milepost.task}/count_letters", "text=a").strip()
    milepost.run("watch", url)
    listed = json.loads(
        milepost.run("jobs", "--json", "--operation", "count_letters", "--status", "succeeded")
    )
    assert url in [job["url"] for job in listed["jobs"]]
    assert url in milepost.run("jobs", "--num", "3")


def test_a_token_opens_the_door(milepost: Commands, server: RunningServer) -> None:
    token = milepost.run("token").strip()
    assert "No jobs" in milepost.run("jobs", "--token", token, "--owner", "nobody")


@pytest.mark.parametrize(
    ("task", "arguments", "said"),
    [
        ("count_letters", (), "Parameter 'text' is required"),
        ("count_letters", ("text=a", "times=many"), "Parameter 'times'"),
        ("no_such_task", (), "no_such_task not found"),
    ],
)
def test_what_the_server_refuses_is_told(
    milepost: Commands, task: str, arguments: tuple[str, ...], said: str
) -> None:
    assert said in milepost.run("submit", f"{milepost.task}/{task}", *arguments, code=4)


def test_a_wrong_password_is_told(milepost: Commands) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "milepost", "token", "--password-stdin"],
        input="wrong\n",
        env=milepost.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 4
    assert "check the user name and the password" in process.stderr


def test_people_are_let_in_while_the_server_runs(milepost: Commands, server: RunningServer) -> None:
    milepost.run("user", "add", "ann", "--data", str(server.data))
    assert server.sign_in("ann", PASSWORD)
    milepost.run("user", "remove", "ann", "--data", str(server.data))


def test_a_port_that_is_taken_is_told(milepost: Commands, server: RunningServer, tmp_path: Path) -> None:
    port = server.address.split(":")[2].split("/")[0]
    said = milepost.run("serve", "--data", str(tmp_path / "other"), "--port", port, "--no-toolbox", code=1)
    assert "--port" in said


def test_a_data_folder_in_use_is_told(milepost: Commands, server: RunningServer) -> None:
    said = milepost.run("serve", "--data", str(server.data), "--port", "0", "--no-toolbox", code=1)
    assert "another server uses the data folder" in said
