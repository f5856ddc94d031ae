"""The steps of an ingest: what each is called, and how those who watch the job read of it."""

import errno
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, ParamSpec, TypeVar

from milepost.operations import Run
from milepost.servers.video.ingest import codes
from milepost.servers.video.ingest.watching import Died, Hung
from milepost.servers.video.records import RecordError
from milepost.storage import StorageError

P = ParamSpec("P")
T = TypeVar("T")

FULL: Final = "the disk of the server is full; try again once there is room"

_FOLDERS: Final = re.compile(r"(?:(?<![\w.:/])|(?<=\bfile:))/(?:[^\s/:'\"]+/)+")
"""What stands before the name of a file in a path of this machine."""

TRANSCODING: Final = "Transcoding"
"""Is told with what it is done, so it is the only step whose message is not its name."""

STEPS: Final[dict[str, int]] = {
    "Probing Video Codec": codes.PROBING_VIDEO,
    "Probing Audio": codes.PROBING_AUDIO,
    "Probing Video Klv": codes.PROBING_KLV,
    "Generating Video Stream Info": codes.STREAM_INFO,
    "Generating Video Info": codes.VIDEO_INFO,
    TRANSCODING: codes.TRANSCODING,
    "Extracting KLV Metadata": codes.TELEMETRY,
    "Generating HLS Service Files": codes.HLS,
    "Generating Poster Image": codes.POSTER,
    "Generating Preview Images": codes.PREVIEWS,
    "Generating ABR Info Files": codes.ABR,
    "Removing Temporary Files": codes.REMOVING,
    "Video Files Created": codes.CREATED,
}
"""What is done, in order, and the code by which it is said. Each is a stage and a step of the job."""


class Steps:
    """Does the steps of one attempt."""

    def __init__(self, run: Run):
        """Of a job, whose stages are planned here."""
        self._run = run
        run.plan_stages(*STEPS)

    def do(self, name: str, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Say what is done, and do it; unless an earlier attempt did, whose result is returned.

        Raises:
            RuntimeError: it failed; the text names the step, the cause and what helps.
        """
        if self._run.has_done(name):
            return self._run.step(name, function, *args, **kwargs)
        with self.told(name):
            if name != TRANSCODING:
                self._run.message(name, code=STEPS[name])
            return self._run.step(name, function, *args, **kwargs)

    @contextmanager
    def told(self, name: str) -> Iterator[None]:
        """A stage which tells by its name why it fails."""
        with self._run.stage(name), telling(self._run, name, STEPS[name]):
            yield

    def warn(self, text: str, code: int) -> None:
        """Say what those who publish the video should know."""
        self._run.message(text, level="warning", code=code)


@contextmanager
def telling(run: Run, name: str, code: int) -> Iterator[None]:
    """A part of a job which tells by its name, and by ``FAILED`` and its code, why it fails."""
    try:
        yield
    except MemoryError:
        raise  # told by who limits the memory
    except Exception as error:
        text = f"{name} failed: {cause(error)}"
        run.message(text, level="error", code=codes.FAILED + code)
        raise RuntimeError(text) from error


@contextmanager
def explained() -> Iterator[None]:
    """Work whose failure is told in the words of ``cause``.

    Raises:
        RuntimeError: it failed.
    """
    try:
        yield
    except MemoryError:
        raise  # told by who limits the memory
    except Exception as error:
        raise RuntimeError(cause(error)) from error


def cause(error: Exception) -> str:
    """Why something failed, in words; a failure that nobody expected is told with its kind.

    Files are named, and not where they lie: that is nothing to those who may see a job.
    """
    match error:
        case Hung():
            text = f"FFmpeg was stopped, since {error}; try again, or send the file in another format"
        case Died():
            text = f"FFmpeg gave up: {error}"
        case OSError(errno=errno.ENOSPC | errno.EDQUOT):
            return FULL
        case OSError(filename=str() as name, errno=int() as number):
            text = f"{os.path.basename(name)} cannot be read or written: {os.strerror(number)}"
        case ValueError() | RuntimeError() | RecordError() | StorageError():
            text = str(error)
        case _:
            text = f"{type(error).__name__}: {error}"
    # FFmpeg has no other words for it.
    return FULL if os.strerror(errno.ENOSPC) in text else _FOLDERS.sub("", text)
