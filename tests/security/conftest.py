"""People whose passwords are quick to hash, and what another process does to them."""

import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from milepost.security import People

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)

PRELUDE = """
import sys
from pathlib import Path
from argon2 import PasswordHasher
from milepost.security import *
folder = Path(sys.argv[1])
people = People(folder / "people.sqlite", hasher=PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
"""


@pytest.fixture
def people(tmp_path: Path) -> Iterator[People]:
    with People(tmp_path / "people.sqlite", hasher=QUICK) as opened:
        yield opened


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Starts a process of its own that runs a script on the same folder."""
    started: list[subprocess.Popen[str]] = []

    def run(script: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", PRELUDE + textwrap.dedent(script), str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def elsewhere(start: Callable[[str], subprocess.Popen[str]]) -> Callable[[str], str]:
    """Runs a script in another process to its end, and hands back what it printed."""

    def run(script: str) -> str:
        process = start(script)
        out, error = process.communicate(timeout=60)
        assert process.returncode == 0, error
        return out

    return run
