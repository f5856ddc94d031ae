"""Operations that behave in all the ways that operations can.

They leave traces in files below the folder that a test gives them: ``note`` appends a line to one.
"""

import contextlib
import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from milepost import Run, Service, operation
from milepost.jobs.events import StageFinished
from milepost.operations import Stop
from milepost.types import FeatureSet

FAST = Service(name="Test/Fast.GPServer", min_instances=1, max_instances=2, grace_time=0.3, max_usage_time=0)
ONE = Service(name="Test/One.GPServer", min_instances=0, max_instances=1, grace_time=0.3)
SHORT = Service(name="Test/Short.GPServer", max_usage_time=0.5, grace_time=0.2)
WAITS = Service(name="Test/Waits.GPServer", max_instances=1, max_wait_time=0.2, grace_time=0.2)
SMALL = Service(name="Test/Small.GPServer", memory_limit=600 * 2**20)
TINY = Service(name="Test/Tiny.GPServer", memory_limit=2**20)
CALM = Service(name="Test/Calm.GPServer", min_instances=0, max_instances=3, grace_time=20)
NARROW = Service(name="Test/Narrow.GPServer", min_instances=0, max_instances=1, grace_time=20)
IMPATIENT = Service(name="Test/Impatient.GPServer", min_instances=0, max_instances=1, max_wait_time=2.5)
LIMITED = Service(name="Test/Limited.GPServer", min_instances=0, max_usage_time=2.5, grace_time=20)
HASTY = Service(name="Test/Hasty.GPServer", rollback_time=0.5, grace_time=0.2)


def note(place: str, name: str, text: str) -> None:
    """Append a line to a file, at once and in one piece."""
    handle = os.open(Path(place) / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.write(handle, f"{text}\n".encode())
    os.close(handle)


def undo(place: str, text: str) -> None:
    note(place, "undone", text)


def undo_badly(place: str, text: str) -> None:
    note(place, "undone", f"{text} failing")
    raise ValueError("the layer is locked")


def undo_for_ever(place: str) -> None:
    note(place, "undone", "hanging")
    time.sleep(1000)
    note(place, "undone", "never")


def undo_and_die(place: str) -> None:
    note(place, "undone", "dying")
    os.kill(os.getpid(), signal.SIGSEGV)


def undo_second_time(place: str) -> None:
    if not (Path(place) / "undone").exists():
        note(place, "undone", "killed")
        os.kill(os.getpid(), signal.SIGKILL)
    note(place, "undone", "effect")


def sleep_holding_the_gil(seconds: int) -> None:
    """As native code that never lets Python run."""
    ctypes.PyDLL(None).sleep(seconds)


@operation(service=FAST)
def add(run: Run, a: int, b: int = 1) -> int:
    """Add two numbers."""
    run.message("adding", code=7)
    return a + b


@operation(service=FAST)
def fail(run: Run, place: str = "", how: str = "value") -> int:
    """Fail in one of many ways."""
    if place:
        run.on_rollback(undo, place, "first")
        run.on_rollback(undo, place, "second")
        note(place, "done", "effect")
    match how:
        case "value":
            raise ValueError("the raster has no bands")
        case "key":
            raise KeyError("NDVI")
        case "silent":
            raise RuntimeError
        case "exit":
            sys.exit(3)
        case "os exit":
            os._exit(3)
        case "interrupt":
            raise KeyboardInterrupt
        case "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "terminate":
            os.kill(os.getpid(), signal.SIGTERM)
        case "no json":
            return object()  # type: ignore[return-value]
        case "impossible event":
            run._channel.tell(StageFinished(at=0, attempt=run._channel.attempt, name="never begun"))
        case "close fds":
            os.closerange(3, 256)
        case "write into the pipe":
            for number in range(3, 256):
                try:
                    os.write(number, b"\x00\x00\x00\x04junkjunkjunk")
                except OSError:
                    continue
            time.sleep(1000)
        case "close stdout":
            sys.stdout.close()
            os.close(1)
            os.close(2)
    return 1


@operation(service=FAST, retries=2)
def crash_twice(run: Run, place: str) -> int:
    """Do two steps and crash in the middle of each of the first two attempts."""

    def first() -> int:
        note(place, "done", "first")
        return 20

    def second() -> int:
        run.on_rollback(undo, place, f"second of {run.workspace.name}")
        note(place, "done", "second")
        return 22

    a = run.step("first", first)
    (run.workspace / "kept").write_text("x")
    note(place, "attempts", f"attempt {os.getpid()}")
    if len((Path(place) / "attempts").read_text().splitlines()) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    b = run.step("second", second)
    if len((Path(place) / "attempts").read_text().splitlines()) == 2:
        os.kill(os.getpid(), signal.SIGABRT)
    return a + b


@operation(service=FAST, retries=1)
def crash_after_effect(run: Run, place: str, badly: bool = False) -> int:
    """Record an effect that belongs to no finished step, do it, and crash once."""
    run.on_rollback(undo_badly if badly else undo, place, "effect")
    note(place, "done", "effect")
    if len((Path(place) / "done").read_text().splitlines()) == 1:
        os._exit(1)
    return 1


@operation(service=FAST, retries=1)
def fail_after_crash(run: Run, place: str) -> int:
    """Finish a step with an effect, crash, and fail in the next attempt."""

    def create() -> str:
        run.on_rollback(undo, place, "of the step")
        note(place, "done", "of the step")
        return "layer"

    run.step("create", create)
    note(place, "attempts", "")
    if len((Path(place) / "attempts").read_text().splitlines()) == 1:
        os._exit(1)
    run.on_rollback(undo, place, "of the attempt")
    raise ValueError("no such layer")


@operation(service=FAST)
def wait(run: Run, place: str, how: str = "ask", effects: int = 2) -> int:
    """Do effects, and then work until told to stop, in one of many ways."""
    for number in range(effects):
        run.on_rollback(undo, place, f"effect {number}")
        note(place, "done", f"effect {number}")
    if "grandchild" in how:
        program = f"echo $$ > {place}/grandchild; sleep 1000 & wait"
        subprocess.Popen(["sh", "-c", program], start_new_session=how.startswith("setsid"))
    elif how == "daemon" and os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            note(place, "grandchild", str(os.getpid()))
            time.sleep(1000)
        os._exit(0)
    while ("grandchild" in how or how == "daemon") and not (Path(place) / "grandchild").exists():
        time.sleep(0.005)
    note(place, "ready", str(os.getpid()))
    match how:
        case "native":
            sleep_holding_the_gil(1000)
        case "deaf":
            time.sleep(1000)
        case "catches exceptions":
            while True:
                with contextlib.suppress(Exception):
                    run.check()
                    time.sleep(0.01)
        case "catches everything":
            while True:
                with contextlib.suppress(BaseException):
                    run.check()
                    time.sleep(0.01)
        case "returns":
            while not run.cancelled:
                time.sleep(0.01)
            return 5
        case "fails":
            while not run.cancelled:
                time.sleep(0.01)
            raise ValueError("stopped in the middle")
        case _:
            while True:
                run.check()
                time.sleep(0.005)
    return 1


@operation(service=FAST)
def wait_in_vain(run: Run, place: str) -> int:
    """Work until told to stop; what it did cannot be undone."""
    run.on_rollback(undo_badly, place, "effect")
    note(place, "ready", "")
    while True:
        run.check()
        time.sleep(0.005)


@operation(service=FAST)
def quick(run: Run, place: str, milliseconds: int = 0) -> int:
    """Have one effect and end soon."""
    run.on_rollback(undo, place, "effect")
    note(place, "done", "effect")
    time.sleep(milliseconds / 1000)
    run.message("about to end")
    return 1


@operation(service=FAST)
def undo_in_vain(run: Run, place: str, how: str) -> int:
    """Fail, with effects of which one cannot be undone."""
    run.on_rollback(undo, place, "first")
    run.on_rollback(
        undo_and_die if how == "dies" else undo_badly, *([place] if how == "dies" else [place, "second"])
    )
    run.on_rollback(undo, place, "third")
    raise ValueError("no such layer")


@operation(service=FAST)
def undo_after_kill(run: Run, place: str) -> int:
    """Fail, with an effect whose undoing is killed when it is run for the first time."""
    run.on_rollback(undo_second_time, place)
    raise ValueError("no such layer")


@operation(service=HASTY)
def undo_slowly(run: Run, place: str) -> int:
    """Fail, with an effect whose undoing hangs."""
    run.on_rollback(undo, place, "first")
    run.on_rollback(undo_for_ever, place)
    raise ValueError("no such layer")


@operation(service=SHORT, retries=9)
def too_long(run: Run, place: str, native: bool = False, crash: bool = False) -> int:
    """Work longer than the service allows."""
    run.on_rollback(undo, place, "effect")
    note(place, "attempts", str(os.getpid()))
    if crash:
        time.sleep(0.2)
        os._exit(1)
    if native:
        sleep_holding_the_gil(1000)
    while True:
        run.check()
        time.sleep(0.005)


@operation(service=SHORT)
def brief(run: Run, place: str) -> int:
    """Take a quarter of a second."""
    time.sleep(0.25)
    run.check()
    return 1


@operation(service=FAST)
def large_step(run: Run, place: str) -> int:
    """Do a step whose result takes a megabyte, once told to go."""
    note(place, "ready", "")
    while not (Path(place) / "go").exists():
        run.check()
        time.sleep(0.005)
    run.on_rollback(undo, place, "effect")
    note(place, "done", "effect")
    return len(run.step("large", lambda: "x" * 2**20))


@operation(service=WAITS)
def hold(run: Run, place: str) -> int:
    """Work until a file appears."""
    note(place, "ready", "")
    while not (Path(place) / "go").exists():
        run.check()
        time.sleep(0.005)
    return 1


@operation(service=CALM)
def tick(run: Run, place: str, how: str = "") -> int:
    """Count, in this process and perhaps in others, until a file appears."""
    run.on_rollback(undo, place, "effect")
    run.step("counted", count, place)
    if "grandchild" in how:
        # It starts programs all the time.
        program = f"while :; do echo x >> {place}/grandchild; sleep 0.003; done"
        subprocess.Popen(["sh", "-c", program], start_new_session=how.startswith("setsid"))
    elif how == "daemon" and os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            while True:
                note(place, "grandchild", "x")
                time.sleep(0.003)
        os._exit(0)
    elif how == "stopped child":
        child = subprocess.Popen(["sleep", "1000"])
        child.send_signal(signal.SIGSTOP)
        os.waitpid(child.pid, os.WUNTRACED)
        note(place, "child", str(child.pid))
    if how == "native":
        note(place, "ticks", "")
        sleep_holding_the_gil(1000)
    number = 0
    try:
        while not (Path(place) / "go").exists():
            run.check()
            note(place, "ticks", str(number))
            number += 1
            time.sleep(0.002)
    except Stop:
        note(place, "asked", "")
        raise
    return number


@operation(service=CALM, resume=False)
def tick_once(run: Run, place: str) -> int:
    """The same; cannot go on in another attempt."""
    run.on_rollback(undo, place, "effect")
    return tick(run, place)


@operation(service=CALM)
def end_soon(run: Run, steps: int) -> int:
    """Say a little and end."""
    for number in range(steps):
        run.message(f"step {number}")
    return steps


@operation(service=NARROW)
def take_place(run: Run, place: str, name: str) -> str:
    """Work until the file of that name appears."""
    note(place, "turns", name)
    while not (Path(place) / f"go {name}").exists():
        run.check()
        time.sleep(0.005)
    return name


@operation(service=IMPATIENT)
def take_place_soon(run: Run, place: str, name: str) -> str:
    """The same where jobs wait for so long only."""
    return take_place(run, place, name)


@operation(service=LIMITED)
def work_briefly(run: Run, place: str, name: str = "") -> int:
    """Work until the file of that name appears."""
    note(place, f"ready {name}", "")
    while not (Path(place) / f"go {name}").exists():
        run.check()
        time.sleep(0.005)
    return 1


@operation(service=ONE)
def take_turn(run: Run, place: str, name: str, priority: int = 0) -> int:
    """Write a name down, once the first is told to go."""
    note(place, "turns", name)
    while not (Path(place) / "go").exists():
        run.check()
        time.sleep(0.005)
    return 1


@operation(service=FAST)
def overlap(run: Run, place: str) -> int:
    """Count how many run at the same time."""
    for number in range(100):
        handle = os.open(Path(place) / f"slot {number}", os.O_CREAT | os.O_RDWR)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue
        note(place, "slots", str(number))
        time.sleep(0.01)
        return number
    return -1


@operation(service=FAST)
def chat(run: Run, messages: int) -> int:
    """Say a lot."""
    for number in range(messages):
        run.message(f"message {number}")
        run.progress(number / messages)
    return messages


@operation(service=FAST)
def echo(run: Run, features: FeatureSet, step: bool = False) -> FeatureSet:
    """Give back what came in."""
    if step:
        run.step("large", lambda: {"features": features.features})
    return features


class Big(NamedTuple):
    text: str


@operation(service=FAST)
def too_big(run: Run) -> Big:
    """Return more than a job can keep."""
    return Big("x" * (300 * 2**20))


@operation(service=FAST)
def prints(run: Run) -> str:
    """Print in all the ways there are."""
    sys.stdout.write("from Python\n")
    sys.stderr.write("to the error stream\n")
    subprocess.run(["sh", "-c", "echo from a child; echo from a child to the error stream >&2"], check=True)
    ctypes.CDLL(None).puts(b"from native code")
    ctypes.CDLL(None).fflush(None)
    os.write(1, b"from a descriptor\n")
    os.environ["SOMETHING"] = "changed"
    where = os.getcwd()
    os.chdir("/")
    return where


@operation(service=SMALL)
def use_memory(run: Run, mebibytes: int) -> int:
    """Use memory."""
    return len(bytearray(mebibytes * 2**20)) >> 20


@operation(service=TINY)
def need_any_memory(run: Run) -> int:
    """Need more memory than there is from the beginning."""
    return 1


@operation(service=FAST, resume=False)
def not_resumable(run: Run, place: str) -> int:
    """Work until stopped; cannot go on in another attempt."""
    run.on_rollback(undo, place, "effect")
    note(place, "ready", "")
    while True:
        run.check()
        time.sleep(0.005)


@operation(service=FAST)
def resumable(run: Run, place: str) -> int:
    """Do a step, and then wait for a file."""
    done = run.step("counted", count, place)
    note(place, "ready", "")
    while not (Path(place) / "go").exists():
        run.check()
        time.sleep(0.005)
    return done


def count(place: str) -> int:
    note(place, "steps", "counted")
    return 42
