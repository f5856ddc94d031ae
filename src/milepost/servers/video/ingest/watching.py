"""Other programs at work: what they print is read as it comes, and none outlives the work or stands still for long."""

import contextlib
import math
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

_WEIGH_EVERY: Final = 1.0
"""Seconds between two looks at how much memory a program has."""

_LAST_WORDS: Final = 4096
"""Bytes of what a program complained of that are kept."""


class Hung(Exception):  # noqa: N818 - reads as what became of the program
    """The program did not get on for too long, or took too much, and was killed."""


class Died(Exception):  # noqa: N818
    """The program ended with an error; the text is the last that it said."""


def watch(
    command: Sequence[str],
    *,
    line: Callable[[bytes], bool],
    check: Callable[[], None],
    patience: float,
    most: float = math.inf,
    memory: float = math.inf,
    folder: Path | None = None,
) -> str:
    """Run a program to its end.

    It belongs to the process group of this process, and so dies with it.

    Args:
        command: the program and its arguments.
        line: is given each line that it prints, and says whether it got on.
        check: called often; what it raises kills the program.
        patience: seconds that it may go without getting on.
        most: seconds that it may take in all.
        memory: bytes that it and what it started may have in memory.
        folder: to run it in.

    Returns:
        The end of what it complained of.

    Raises:
        Hung: it did not get on, or took too long or too much memory.
        Died: it ended with an error.
    """
    process = subprocess.Popen(  # noqa: S603 - no shell, and nothing of a client but the path of a file
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        complaints = _follow(process, line, check, _Bounds(patience, most, memory))
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
    bounds: "_Bounds",
) -> bytes:
    assert process.stdout
    assert process.stderr
    begun, complaints = b"", b""
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
            bounds.look(process, got_on=got_on)
    return complaints


class _Bounds:
    """What a program may take, counted while it works."""

    def __init__(self, patience: float, most: float, memory: float):
        self._patience, self._most, self._memory = patience, most, memory
        self._idle = self._worked = self._weighed = 0.0
        self._looked = time.monotonic()

    def look(self, process: subprocess.Popen[bytes], *, got_on: bool) -> None:
        """Raise ``Hung`` when it is too much."""
        now = time.monotonic()
        # Counted in small pieces: while this process is held still, the program is held still too.
        passed = min(now - self._looked, 5 * _LOOK_EVERY)
        self._looked = now
        self._worked += passed
        self._idle = 0.0 if got_on else self._idle + passed
        if self._idle > self._patience:
            raise Hung(f"it did not get on for {self._patience:g} seconds")
        if self._worked > self._most:
            raise Hung(f"it took more than {self._most:.0f} seconds, which is far too long for such a video")
        if self._memory < math.inf and self._worked - self._weighed > _WEIGH_EVERY:
            self._weighed = self._worked
            if (size := _size(process)) > self._memory:
                raise Hung(
                    f"it took {size / 2**30:,.1f} GiB of memory and may take {self._memory / 2**30:,.1f}"
                )


def _size(process: subprocess.Popen[bytes]) -> int:
    """Bytes that a program and what it started have in memory."""
    size = 0
    with contextlib.suppress(psutil.Error):
        above = psutil.Process(process.pid)
        for each in (above, *above.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                size += each.memory_info().rss
    return size


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
