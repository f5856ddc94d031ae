"""An instance: a child process that runs one operation and ends.

It has a session, a process group, a working folder and a pipe of its own, and shares no lock
with anyone: whatever happens to it happens to it alone.
"""

import contextlib
import ctypes
import io
import os
import queue
import shutil
import signal
import socket
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from milepost.engine import messages as m
from milepost.jobs.events import AttemptEvent, Kept, StepFinished
from milepost.operations import Catalog, Run, Stop, find_function
from milepost.store import FileStore, JobFiles

JOB_VARIABLE: Final = "MILEPOST_JOB"
"""Environment variable by which the processes of a job can be found again."""

NO_JOB: Final = "-" * 32
"""What the variable holds as long as a process belongs to no job; as long as an id."""


class PipeChannel:
    """The channel of a run that leads to the engine."""

    def __init__(self, pipe: socket.socket):
        """Sends through ``pipe``; ``listen`` receives from it."""
        self.attempt = 0
        self._pipe = pipe
        self._sending = threading.Lock()
        self._recorded = threading.Semaphore(0)
        self._reconfigured: queue.SimpleQueue[m.Reconfigured] = queue.SimpleQueue()
        self._stop = ""

    def tell(self, event: AttemptEvent) -> None:
        """See ``operations.Channel``."""
        self.send(m.Tell(event))  # type: ignore[arg-type]

    def record(self, event: AttemptEvent) -> None:
        """See ``operations.Channel``. The engine answers in order, so counting answers is enough."""
        value = b""
        if isinstance(event, StepFinished):
            value = msgspec.json.encode(event.result.value)
            event = msgspec.structs.replace(event, result=Kept())
        self.send(m.Record(event, value))  # type: ignore[arg-type]
        self._recorded.acquire()

    def stop_reason(self) -> str:
        """See ``operations.Channel``."""
        return self._stop

    def reconfigure(self, service: str) -> dict[str, Any]:
        """See ``operations.Channel``. Also returns when the work must stop."""
        self.send(m.Reconfigure(service))
        answer = self._reconfigured.get()
        if answer.error:
            raise RuntimeError(answer.error)
        return answer.settings

    def send(self, message: m.FromInstance) -> None:
        """Send a message; threads of an operation may send at the same time."""
        self.send_frame(m.frame(message))

    def send_frame(self, data: bytes) -> None:
        """Send a message that is framed already."""
        with self._sending:
            self._pipe.sendall(data)

    def listen(self) -> None:
        """Receive until the engine is gone; then nobody needs this process, or what it started."""
        while True:
            try:
                message = m.receive(self._pipe)
            except OSError:
                message = None
            match message:
                case m.Recorded():
                    self._recorded.release()
                case m.Reconfigured():
                    self._reconfigured.put(message)
                case m.StopWork(reason=reason):
                    self._stop = reason
                    self._reconfigured.put(m.Reconfigured())
                case _:
                    os.killpg(0, signal.SIGKILL)


def main(pipe: socket.socket, catalog: Catalog, files: FileStore, memory_limit: int) -> None:
    """The life of an instance: wait for one task, do it, say how it ended.

    Called in a freshly forked process; returns when the process may end.
    """
    task = m.receive(pipe)
    if task is None:
        return
    channel = PipeChannel(pipe)
    threading.Thread(target=channel.listen, name="engine-listener", daemon=True).start()
    match task:
        case m.Perform():
            answer = _settle(
                task.job_id, files, memory_limit, lambda: _perform(task, channel, catalog, files)
            )
        case m.Undo():
            answer = _settle(task.job_id, files, memory_limit, lambda: _undo(task))
        case _:
            return
    channel.send_frame(answer)


def _perform(task: m.Perform, channel: PipeChannel, catalog: Catalog, files: FileStore) -> m.FromInstance:
    operation = catalog.get(task.service, task.operation)
    if operation is None:
        raise RuntimeError(f"the operation {task.operation!r} of {task.service} is no longer offered here")
    # What an earlier attempt had put out is put out again by this one.
    shutil.rmtree(files.results(task.job_id), ignore_errors=True)
    channel.attempt = task.attempt
    run = Run(
        channel,
        workspace=files.workspace(task.job_id),
        steps={name: msgspec.json.decode(value) for name, value in task.steps.items()},
        rollbacks=[(function, arguments) for function, arguments in task.rollbacks],
    )
    inputs = {name: msgspec.json.decode(value) for name, value in task.inputs.items()}
    results = operation.perform(run, inputs, JobFiles(files, task.job_id), task.output_reference)
    return m.Returned({name: msgspec.json.encode(value) for name, value in results.items()})


def _undo(task: m.Undo) -> m.FromInstance:
    find_function(task.function)(*task.arguments)
    return m.Returned()


def _settle(job_id: str, files: FileStore, memory_limit: int, work: Callable[[], m.FromInstance]) -> bytes:
    """Work in the folder of the job, with what is printed going to the log of the job.

    Returns:
        How it ended, framed.
    """
    workspace = files.workspace(job_id)
    scratch = workspace / ".tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    _print_to(files.log(job_id))
    _belong_to(job_id)
    os.chdir(workspace)
    os.environ["TMPDIR"] = tempfile.tempdir = str(scratch)
    answer: m.FromInstance
    try:
        with _limited(memory_limit):
            return m.frame(work())
    except Stop:
        answer = m.Stopped()
    except MemoryError:
        _print_traceback()
        answer = m.Raised("the operation needed more memory than its service allows")
    except SystemExit as error:
        answer = m.Raised(f"the operation left with exit status {error.code!r} instead of returning")
    except BaseException as error:  # noqa: BLE001 - an operation may fail in any way; the job must say how
        _print_traceback()
        answer = m.Raised(explain(error))
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):  # no space for it, or closed by the operation
                stream.flush()
    return m.frame(answer)


def _belong_to(job_id: str) -> None:
    """Show whose process this is, and each that it starts.

    The kernel goes on showing the environment that a process was started with; what is forked
    and never starts a program shows it too. So the id is written into that very place.
    """
    getenv = ctypes.CDLL(None).getenv
    getenv.restype = ctypes.c_void_p
    place = getenv(JOB_VARIABLE.encode())
    if place and ctypes.string_at(place) == NO_JOB.encode():
        ctypes.memmove(place, job_id.encode(), len(NO_JOB))
    os.environ[JOB_VARIABLE] = job_id


@contextlib.contextmanager
def _limited(memory: int) -> Iterator[None]:
    """Let the work have so many bytes of memory, 0 for all; telling how it ended is not limited."""
    if not memory:
        yield
        return
    import resource

    before = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (memory, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def explain(error: BaseException) -> str:
    """One line for people. The name of the type is left out where it says nothing to them."""
    text = str(error).strip()
    if not text:
        return type(error).__name__
    return text if type(error) in (ValueError, RuntimeError) else f"{type(error).__name__}: {text}"


def _print_traceback() -> None:
    with contextlib.suppress(OSError, ValueError):
        traceback.print_exc()


def _print_to(log: Path) -> None:
    """Send both standard streams to a file, those of child processes and native code too."""
    log.parent.mkdir(parents=True, exist_ok=True)
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    os.dup2(target, 1)
    os.dup2(target, 2)
    os.close(target)
    for stream in (sys.stdout, sys.stderr):
        # Line by line, so that what was printed before a crash is in the log.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")
