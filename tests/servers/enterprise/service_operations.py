"""Operations for the tests of services that are changed while they run."""

import os
import threading
import time
from pathlib import Path

from milepost import Run, Service, operation

CHANGED = Service(name="Tests/Changed.GPServer", min_instances=1, max_instances=2, grace_time=1.0)
PATIENT = Service(name="Patient.GPServer", min_instances=0, grace_time=3600.0)
PLAIN = Service(name="Plain.GPServer", min_instances=0)


@operation(service=CHANGED)
def wait_for(run: Run, gate: str) -> int:
    """Works until a file is there; its process id."""
    run.message("at work")
    pause = threading.Event()
    while not Path(gate).exists():
        run.check()
        pause.wait(0.01)
    return os.getpid()


@operation(service=CHANGED)
def nap(run: Run, seconds: float = 0.0) -> int:
    """Works for a while; its process id."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        run.check()
        time.sleep(0.005)
    return os.getpid()


@operation(service=CHANGED)
def need(run: Run, megabytes: int) -> int:
    """Needs memory."""
    return len(bytearray(megabytes * 2**20))


@operation(service=PATIENT)
def sit(run: Run) -> None:
    """Works and never asks whether it is to stop."""
    run.message("at work")
    threading.Event().wait()


def wait_long() -> None:
    """Undoes nothing, for a long time."""
    threading.Event().wait()


@operation(service=CHANGED)
def regret(run: Run) -> None:
    """Fails after something that takes too long to undo."""
    run.on_rollback(wait_long)
    raise ValueError("it was in vain")


@operation(service=PLAIN)
def say(run: Run, words: str = "hello") -> str:
    """Says what it is told."""
    return words
