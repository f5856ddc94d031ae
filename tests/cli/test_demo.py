"""The demonstration, as people run it: in a process of its own, with the real toolbox."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psutil


@contextmanager
def demonstration(folder: Path, *options: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", "milepost", "demo", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate()


def read_until(process: "subprocess.Popen[str]", words: str) -> str:
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if words in line:
            return said
    raise AssertionError(said)


def servers_of(folder: Path) -> list[int]:
    """Processes that have anything to do with the data folder."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if str(folder) in " ".join([process.cwd(), *process.cmdline()]):
                found.append(process.pid)
    return found


def test_it_shows_everything_and_serves_on(tmp_path: Path) -> None:
    with demonstration(tmp_path) as process:
        said = read_until(process, "Serving until Ctrl-C")
        assert "177 polygon features" in said
        assert re.search(r"Stopped \d+\.\d\d s after it was asked to; no process of it is left\.", said)
        assert "a computed camera flew over the map sheet above" in said
        assert "Everything was as promised." in said

        (address,) = re.findall(r"address +(\S+)/rest/services", said)
        ((name, password),) = re.findall(r"sign in +(\S+) with the password (\S+)", said)
        form = {"username": name, "password": password, "f": "json"}
        answer = httpx.post(f"{address}/sharing/rest/generateToken", data=form, trust_env=False)
        assert answer.json()["token"]

        with demonstration(tmp_path, "--exit") as second:
            output, _ = second.communicate(timeout=60)
            assert second.returncode == 1
            assert "another server uses the data folder" in output

        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, output
    assert servers_of(tmp_path) == []

    # The data folder of an earlier demonstration is no hindrance.
    with demonstration(tmp_path, "--exit") as again:
        output, _ = again.communicate(timeout=120)
        assert again.returncode == 0, output
        assert "Everything was as promised." in output
    assert servers_of(tmp_path) == []


def test_whoever_ends_it_ends_its_server(tmp_path: Path) -> None:
    with demonstration(tmp_path) as process:
        read_until(process, "submitJob")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        assert process.returncode == 1
    assert servers_of(tmp_path) == []


def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "demo-data").write_text("in the way")
    with demonstration(tmp_path, "--exit") as process:
        output, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "demo-data" in output
    assert "Traceback" not in output
