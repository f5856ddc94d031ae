"""Makes the publishing of videos stumble: at a place that a file names, a process is killed or stands still.

The folder ``MILEPOST_TEST_STUMBLE`` holds files such as ``before-step-saved-server``. Whoever comes to such a
place takes the file away first, so that it happens once. Every step of a job is a place, and so are
the reservation, the storage and the record of a layer.
"""

import functools
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from milepost import Run, operation
from milepost.servers.video.videos import Videos
from milepost.storage import LocalStorage

PLACES = {"reserve": Videos, "finish": Videos, "release": Videos, "put": LocalStorage, "delete": LocalStorage}


def stumble(place: str) -> None:
    for victim in ("instance", "server", "still"):
        path = Path(os.environ["MILEPOST_TEST_STUMBLE"]) / f"{place}-{victim}"
        try:
            path.unlink()
        except FileNotFoundError:
            continue
        if victim == "still":
            (path.parent / "stands-still").touch()
            threading.Event().wait()
        template = psutil.Process().parent()
        assert template is not None
        server = template.parent()
        assert server is not None
        os.kill(server.pid if victim == "server" else os.getpid(), signal.SIGKILL)
        threading.Event().wait()  # until the end of the server is noticed


def around(method: Callable[..., Any], place: Callable[..., str]) -> Callable[..., Any]:
    @functools.wraps(method)
    def stumbling(*args: Any, **named: Any) -> Any:
        stumble(f"before-{place(*args)}")
        result = method(*args, **named)
        stumble(f"after-{place(*args)}")
        return result

    return stumbling


def step_of(_: Run, name: str, *__: Any) -> str:
    return f"step-{name.replace(' ', '')}"


for name, kind in PLACES.items():
    setattr(kind, name, around(getattr(kind, name), lambda *_, name=name: name))
Run.step = around(Run.step, step_of)  # type: ignore[method-assign]


@operation(service="Tests/Stumbling.GPServer")
def nothing(run: Run) -> None:
    """Nothing: a file of operations must have one."""
