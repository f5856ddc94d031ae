"""The template: a process with all operations imported, from which instances are forked.

A fork of it is ready in milliseconds, where a new interpreter would import for seconds. It runs
no operation and starts no thread. It ends, and all its instances with it, when the engine is gone.
"""

import array
import contextlib
import ctypes
import gc
import os
import selectors
import signal
import socket
import sys
from pathlib import Path
from typing import Final, NoReturn

import msgspec
import psutil

from milepost.engine import instance
from milepost.operations import Catalog, LoadError, load_catalog, site
from milepost.store import FileStore

_NOT_FOR_US: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36


class Fork(msgspec.Struct, frozen=True):
    """Engine: fork an instance; the other end of its pipe comes with the message."""

    memory_limit: int


class Loaded(msgspec.Struct, frozen=True, tag=True):
    """Template: the operations are loaded; or, with an error, they are not."""

    error: str = ""


class Forked(msgspec.Struct, frozen=True, tag=True):
    """Template: the instance asked for runs; or, with an error, it could not be made."""

    pid: int
    error: str = ""


class Exited(msgspec.Struct, frozen=True, tag=True):
    """Template: an instance ended; ``status`` is its exit code, negative for a signal."""

    pid: int
    status: int


FromTemplate = Loaded | Forked | Exited


def main() -> None:
    """Started by the engine with the arguments SOCKET FOLDER SOURCE..."""
    control = socket.socket(fileno=int(sys.argv[1]))
    files = FileStore(Path(sys.argv[2]))
    os.environ[site.VARIABLE] = str(files.root)
    # Programs that outlive their instance become children of this process, and are found.
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    # Who stops a service may signal all of its processes; this one ends when the engine is gone.
    for each in _NOT_FOR_US:
        signal.signal(each, signal.SIG_IGN)
    try:
        catalog = load_catalog(sys.argv[3:])
    except LoadError as error:
        _say(control, Loaded(str(error)))
        return
    gc.collect()
    gc.freeze()  # the collector of a fork must not touch, and so copy, what all share
    _say(control, Loaded())
    _Template(control, catalog, files).serve()


class _Template:
    """Forks on demand and reports which instances ended."""

    def __init__(self, control: socket.socket, catalog: Catalog, files: FileStore):
        self._control = control
        self._catalog = catalog
        self._files = files
        self._alive: set[int] = set()

    def serve(self) -> None:
        """Until the engine is gone."""
        wake, self._wake_end = os.pipe()
        os.set_blocking(self._wake_end, False)
        os.set_blocking(wake, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_end, warn_on_full_buffer=False)
        selector = selectors.DefaultSelector()
        selector.register(self._control, selectors.EVENT_READ)
        selector.register(wake, selectors.EVENT_READ)
        self._inherited = [wake, self._wake_end, selector.fileno()]
        while True:
            for key, _ in selector.select():
                if key.fileobj is not self._control:
                    os.read(wake, 4096)
                    self._reap()
                elif not self._fork_on_demand():
                    for pid in self._alive:
                        _kill_group(pid)
                    self._alive.clear()
                    self._kill_orphans()
                    return

    def _fork_on_demand(self) -> bool:
        body, pipes = _receive(self._control)
        if not body:
            return False
        demand = msgspec.msgpack.decode(body, type=Fork)
        try:
            pid = os.fork()
        except OSError as error:
            _say(self._control, Forked(0, str(error)))
        else:
            if pid == 0:
                self._become_instance(pipes[0], demand.memory_limit)
            self._alive.add(pid)
            _say(self._control, Forked(pid))
        os.close(pipes[0])
        return True

    def _become_instance(self, pipe: int, memory_limit: int) -> NoReturn:
        status = 1
        try:
            os.setsid()
            _die_with_parent()
            signal.set_wakeup_fd(-1)
            for each in (signal.SIGCHLD, *_NOT_FOR_US):
                signal.signal(each, signal.SIG_DFL)
            self._control.close()
            for number in self._inherited:
                os.close(number)
            # Descendants that leave the group stay below this process and can be found.
            _prctl(_PR_SET_CHILD_SUBREAPER, 1)
            with socket.socket(fileno=pipe) as own:
                os.set_inheritable(pipe, False)
                instance.main(own, self._catalog, self._files, memory_limit)
            status = 0
        except BaseException:  # noqa: BLE001 - nothing may travel up into the template's own frames
            import traceback

            traceback.print_exc()
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            # Not sys.exit: exit handlers and threads inherited from libraries must not run or hold us.
            os._exit(status)

    def _reap(self) -> None:
        """Tell of ended instances, once nothing that they started is left."""
        while True:
            try:
                # Looked at, not collected: until it is, nobody else can be given its pid and group.
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            pid = ended.si_pid
            if pid in self._alive:
                self._alive.discard(pid)
                _kill_group(pid)
                self._kill_orphans(pid)
                _, status = os.waitpid(pid, 0)
                _say(self._control, Exited(pid, os.waitstatus_to_exitcode(status)))
            else:
                os.waitpid(pid, 0)

    def _kill_orphans(self, ended: int = 0) -> None:
        """Kill what ended instances left behind in groups of their own; returns when all of it is gone.

        While an instance lives its orphans become its own children; only after its end ours. So do
        in turn those of an orphan, which may have come into being while it was being killed.
        """
        while orphans := [
            each for each in psutil.Process().children() if each.pid != ended and each.pid not in self._alive
        ]:
            for orphan in orphans:
                below: list[psutil.Process] = []
                with contextlib.suppress(psutil.Error):
                    below = orphan.children(recursive=True)
                for each in (*below, orphan):
                    with contextlib.suppress(psutil.Error):
                        each.kill()
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(orphan.pid, 0)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _die_with_parent() -> None:
    """Have the kernel kill this process when its parent is gone, however that came about."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _say(control: socket.socket, message: FromTemplate) -> None:
    # A sequenced packet socket keeps messages apart; if the engine is gone the next read tells.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        control.send(msgspec.msgpack.encode(message))


def _receive(control: socket.socket) -> tuple[bytes, list[int]]:
    """A message and the descriptors that came with it."""
    try:
        body, ancillary, _, _ = control.recvmsg(4096, socket.CMSG_SPACE(4))
    except ConnectionResetError:
        return b"", []
    descriptors = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
    return body, list(descriptors)
