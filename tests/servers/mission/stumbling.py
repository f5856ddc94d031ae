"""Makes the work on missions stumble: at a place that a file names, a process is killed or the work stands still.

The folder ``MILEPOST_TEST_STUMBLE`` holds a file such as ``before-add_layer-server``. Whoever comes to that
place takes the file away first, so that it happens once.
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
from milepost.features import Draft, FeatureServices
from milepost.servers.mission import Missions

PLACES = {
    "begin": Draft,
    "add_layer": Draft,
    "put_map": Missions,
    "publish": Draft,
    "add": Missions,
    "withdraw": Missions,
    "remove": Missions,
    "delete": FeatureServices,
}


def stumble(place: str) -> None:
    for path in Path(os.environ["MILEPOST_TEST_STUMBLE"]).glob(f"{place}-*"):
        victim = path.name.rpartition("-")[2]
        try:
            path.unlink()
        except FileNotFoundError:
            continue  # another thread came first
        if victim == "still":
            (path.parent / "stands-still").touch()
            threading.Event().wait()
        template = psutil.Process().parent()
        assert template is not None
        server = template.parent()
        assert server is not None
        os.kill(server.pid if victim == "server" else os.getpid(), signal.SIGKILL)
        threading.Event().wait()  # until the end of the server is noticed


def around(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def stumbling(*args: Any, **named: Any) -> Any:
        stumble(f"before-{method.__name__}")
        result = method(*args, **named)
        stumble(f"after-{method.__name__}")
        return result

    return stumbling


for name, kind in PLACES.items():
    setattr(kind, name, around(getattr(kind, name)))


@operation(service="Tests/Stumbling.GPServer")
def nothing(run: Run) -> None:
    """Nothing: a file of operations must have one."""
