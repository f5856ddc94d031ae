"""Other programs at work: what they print is read as it comes, and none outlives the work or stands still for long."""

import contextlib
import os
import selectors
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import psutil

_LOOK_EVERY: Final = 0.2
"""Seconds between two looks at whether the work must stop."""

_LAST_WORDS: Final = 4096
"""Bytes of what a program complained of that are kept."""


class Hung(Exception):  # noqa: N818 - reads as what became of the program
    """The program did not get on for too long, and was killed."""


class Died(Exception):  # noqa: N818
    """The program ended with an error; the text is the last that it said."""


def watch(
    command: Sequence[str],
    *,
    line: Callable[[bytes], bool],
    check: Callable[[], None],
    patience: float,
    folder: Path | None = None,
) -> str:
    """Run a program to its end.

    It belongs to the process group of this process, and so dies with it.

    Args:
        command: the program and its arguments.
        line: is given each line that it prints, and says whether it got on.
        check: called often; what it raises kills the program.
        patience: seconds that it may go without getting on.
        folder: to run it in.

    Returns:
        The end of what it complained of.

    Raises:
        Hung: it did not get on.
        Died: it ended with an error.
    """
    process = subprocess.Popen(  # noqa: S603 - no shell, and nothing of a client but the path of a file
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        complaints = _follow(process, line, check, patience)
    finally:
        _end(process)
    said = complaints.decode(errors="replace").strip()
    if process.returncode:
        raise Died(said or f"it ended with status {process.returncode}")
    return said


def _follow(
    process: subprocess.Popen[bytes],
    line: Callable[[bytes], bool],
    check: Callable[[], None],
    patience: float,
) -> bytes:
    assert process.stdout
    assert process.stderr
    begun, complaints = b"", b""
    idle, looked = 0.0, time.monotonic()
    with selectors.DefaultSelector() as selector:
        for stream in (process.stdout, process.stderr):
            os.set_blocking(stream.fileno(), False)
            selector.register(stream, selectors.EVENT_READ)
        while selector.get_map() or process.poll() is None:
            if selector.get_map():
                ready = selector.select(_LOOK_EVERY)
            else:  # it has closed its pipes and goes on
                ready = []
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_LOOK_EVERY)
            got_on = False
            for key, _ in ready:
                data = os.read(key.fd, 65536)
                if not data:
                    selector.unregister(key.fileobj)
                elif key.fileobj is process.stderr:
                    complaints = (complaints + data)[-_LAST_WORDS:]
                else:
                    *lines, begun = (begun + data).split(b"\n")
                    got_on = sum(map(line, lines)) > 0 or got_on
                    begun = begun[-(1 << 20) :]
            check()
            now = time.monotonic()
            # Counted in small pieces: while this process is held still, the program is held still too.
            idle = 0.0 if got_on else idle + min(now - looked, 5 * _LOOK_EVERY)
            looked = now
            if idle > patience:
                raise Hung(f"it did not get on for {patience:g} seconds")
    return complaints


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a program that still runs, with what it started; returns when it is gone."""
    if process.poll() is None:
        with contextlib.suppress(psutil.Error):
            for each in psutil.Process(process.pid).children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    each.kill()
        process.kill()
    process.wait()
    for stream in (process.stdout, process.stderr):
        if stream:
            stream.close()
