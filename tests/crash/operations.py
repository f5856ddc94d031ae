"""Operations that leave traces, so that what happened to them can be checked afterwards."""

import fcntl
import os
import time
from pathlib import Path

from milepost import Run, Service, operation

CRASH = Service(name="Crash/Test.GPServer", min_instances=1, max_instances=3, grace_time=0.3)


def undo(effect: str) -> None:
    Path(effect).unlink(missing_ok=True)


def mark(trace: str, pid: int) -> int:
    """Write down which process did a step."""
    with Path(trace).open("a") as file:
        file.write(f"{pid}\n")
    return pid


@operation(service=CRASH, retries=1000)
def work(run: Run, place: str, name: str, seconds: float, fails: bool = False, stubborn: bool = False) -> str:
    """Do two steps and have one effect, as long as asked; fail at the end if asked."""
    folder = Path(place)
    lock = (folder / f"{name}.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        (folder / f"{name}.overlap").write_text(f"{os.getpid()}\n")
    effect = folder / f"{name}.effect"
    run.step("first", mark, str(folder / f"{name}.first"), os.getpid())
    run.on_rollback(undo, str(effect))
    effect.write_text("done")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not stubborn:
            run.progress(1 - (end - time.monotonic()) / seconds)
        time.sleep(0.01)
    run.step("second", mark, str(folder / f"{name}.second"), os.getpid())
    run.message("worked")
    if fails:
        raise ValueError("it was asked to fail")
    return name
