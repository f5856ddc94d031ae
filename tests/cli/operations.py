"""Operations for the tests of the command line."""

import threading
from pathlib import Path

from milepost import Run, operation
from milepost.types import DataFile


@operation(service="Tests/Shapes.GPServer")
def count_letters(run: Run, text: str, times: int = 1) -> int:
    """Count the letters of a text."""
    with run.stage("counting"):
        run.message(f"Counting {times} times", code=201)
        run.progress(0.5, "half")
        run.message("It may be long", level="warning")
    return len(text) * times


@operation(service="Tests/Shapes.GPServer")
def size_of(run: Run, file: DataFile) -> int:
    """Bytes of a file."""
    return Path(file.path).stat().st_size


@operation(service="Tests/Shapes.GPServer")
def go_on(run: Run) -> str:
    """Work until cancelled."""
    pause = threading.Event()
    run.progress(0.25)
    while True:
        run.check()
        pause.wait(0.01)


@operation(service="Tests/Shapes.GPServer")
def refuse(run: Run) -> str:
    """Fail with a reason."""
    raise ValueError("the ring of feature 17 crosses itself; repair it first")
