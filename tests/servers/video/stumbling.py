"""Makes the publishing of videos stumble; see ``tests.servers.stumbling``.

Places are every message of a job by its code, every step that is kept by its name, what is recorded and stored,
and ``encoding`` while FFmpeg is at work. A line in the file ``encodings`` beside the folder is one start of it.
"""

from collections.abc import Callable
from typing import Any

from milepost import Run, operation
from milepost.servers.video import operations
from milepost.servers.video.ingest import making
from milepost.servers.video.videos import Videos
from milepost.storage import LocalStorage
from tests.servers.stumbling import always, around, folder, stumble

PLACES = {"reserve": Videos, "finish": Videos, "release": Videos, "put": LocalStorage, "delete": LocalStorage}


def _step(_: Run, name: str, *__: Any, **___: Any) -> str:
    return f"step-{name.replace(' ', '')}"


def _message(_: Run, __: str, *, code: int = 0, **___: Any) -> str:
    return str(code)


def _counted(transcode: Callable[..., str]) -> Callable[..., str]:
    def counting(*args: Any, progress: Callable[[float, str], None], **more: Any) -> str:
        with folder().with_name("encodings").open("a") as file:
            file.write("once\n")

        def at_work(share: float, left: str) -> None:
            progress(share, left)
            stumble("encoding")

        return transcode(*args, progress=at_work, **more)

    return counting


for name, kind in PLACES.items():
    setattr(kind, name, around(getattr(kind, name), always(name)))
Run.step = around(Run.step, _step)  # type: ignore[method-assign]
Run.message = around(Run.message, _message)  # type: ignore[method-assign]
making.transcode = _counted(making.transcode)
# One job is killed as often as it has steps.
vars(operations.publish_layer)["retries"] = 100


@operation(service="Tests/Stumbling.GPServer")
def nothing(run: Run) -> None:
    """Nothing: a file of operations must have one."""
