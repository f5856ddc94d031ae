"""Makes work stumble: at a place that a file names, a process is killed or the work stands still.

The folder ``MILEPOST_TEST_STUMBLE`` holds a file such as ``before-add_layer-server``. Whoever comes to that
place takes the file away first, so that it happens once. What stands still does so until its job is cancelled.

Only the server that is told the folder stumbles: a test imports these files for the names of their places.
"""

import functools
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from milepost.engine.instance import PipeChannel

FOLDER = "MILEPOST_TEST_STUMBLE"
STILL = "stands-still"
VICTIMS = ("instance", "server", "still")

_channels: list[PipeChannel] = []
"""That of this process, if it is an instance at work."""


def folder() -> Path:
    return Path(os.environ[FOLDER])


def stumble(place: str) -> None:
    for victim in VICTIMS:
        try:
            (folder() / f"{place}-{victim}").unlink()
        except FileNotFoundError:
            continue  # or another thread came first
        if victim == "still":
            (folder() / STILL).touch()
            pause = threading.Event()
            while not _channels[0].stop_reason():
                pause.wait(0.005)
            return
        template = psutil.Process().parent()
        assert template is not None
        server = template.parent()
        assert server is not None
        os.kill(server.pid if victim == "server" else os.getpid(), signal.SIGKILL)
        threading.Event().wait()  # until the end of the server is noticed


def always(name: str) -> Callable[..., str]:
    """The same place, whatever a function is called with."""
    return lambda *_, **__: name


def around(function: Callable[..., Any], place: Callable[..., str]) -> Callable[..., Any]:
    """A function that stumbles before and after it does its work; ``place`` gets what it is called with."""
    if FOLDER not in os.environ:
        return function

    @functools.wraps(function)
    def stumbling(*args: Any, **named: Any) -> Any:
        here = place(*args, **named)
        stumble(f"before-{here}")
        result = function(*args, **named)
        stumble(f"after-{here}")
        return result

    return stumbling


def remember(begin: Callable[..., None]) -> Callable[..., None]:
    def begun(self: PipeChannel, *args: Any) -> None:
        begin(self, *args)
        _channels.append(self)

    return begun


if FOLDER in os.environ:
    PipeChannel.__init__ = remember(PipeChannel.__init__)  # type: ignore[method-assign]
