"""Makes the work on videos stumble in a step that a file names: a process is killed, or the work stands still.

The folder ``MILEPOST_TEST_STUMBLE`` holds a file such as ``159-server``: a step is known by the code that
it is told with, ``encoding`` is while FFmpeg is at work. Whoever comes to that place takes the file away first,
so that it happens once. A line in the file ``encodings`` beside the folder is one start of the transcoding.
"""

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from milepost import Run, operation
from milepost.servers.video.ingest import making

PLACES = Path(os.environ["MILEPOST_TEST_STUMBLE"])


def stumble(run: Run, place: str) -> None:
    for path in sorted(PLACES.glob(f"{place}-*")):
        victim = path.name.rpartition("-")[2]
        path.unlink()
        if victim == "still":
            (PLACES / "stands-still").touch()
            pause = threading.Event()
            while True:
                run.check()
                pause.wait(0.02)
        template = psutil.Process().parent()
        assert template is not None
        server = template.parent()
        assert server is not None
        os.kill(server.pid if victim == "server" else os.getpid(), signal.SIGKILL)
        threading.Event().wait()  # until the end of the server is noticed


def after_message(message: Callable[..., None]) -> Callable[..., None]:
    def stumbling(run: Run, text: str, *, code: int = 0, **more: Any) -> None:
        message(run, text, code=code, **more)
        stumble(run, str(code))

    return stumbling


def counted(transcode: Callable[..., str]) -> Callable[..., str]:
    def counting(*args: Any, progress: Callable[[float, str], None], **more: Any) -> str:
        with PLACES.with_name("encodings").open("a") as file:
            file.write("once\n")
        run = more["check"].__self__

        def at_work(share: float, left: str) -> None:
            progress(share, left)
            stumble(run, "encoding")

        return transcode(*args, progress=at_work, **more)

    return counting


Run.message = after_message(Run.message)  # type: ignore[method-assign]
making.transcode = counted(making.transcode)


@operation(service="Tests/Stumbling.GPServer")
def nothing(run: Run) -> None:
    """Nothing: a file of operations must have one."""
