"""The engine's side of its processes: the template, and the instances forked from it."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
import psutil
import structlog

from milepost.engine import messages as m
from milepost.engine import template as t
from milepost.engine.instance import JOB_VARIABLE

log = structlog.get_logger("milepost.engine")

_TEMPLATE: Final = "from milepost.engine.template import main; main()"

START_LIMIT: Final = 300.0
"""Seconds that importing all operations may take."""


class StartError(Exception):
    """Instances cannot be started; the text says why."""


class Template:
    """A template process; started when first needed, and anew when it has died."""

    def __init__(self, files: Path, sources: Sequence[str]):
        """For the operations of ``sources``; ``files`` is the root of the file store."""
        self._files = files
        self._sources = list(sources)
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._starting = asyncio.Lock()
        self._loaded: asyncio.Future[str] | None = None
        self._forking: deque[tuple[Instance, asyncio.Future[None]]] = deque()
        self._instances: dict[int, Instance] = {}

    @property
    def ready(self) -> bool:
        """Whether the process runs with all operations imported."""
        return self._control is not None and self._loaded is not None and self._loaded.done()

    async def fork(self, memory_limit: int = 0) -> "Instance":
        """A new instance, ready for a task.

        Raises:
            StartError: the operations cannot be loaded, or no process can be made.
        """
        await self.start()
        assert self._control is not None
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        reader, writer = await asyncio.open_unix_connection(sock=ours, limit=1 << 20)
        instance = Instance(reader, writer)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._forking.append((instance, done))
        try:
            socket.send_fds(self._control, [msgspec.msgpack.encode(t.Fork(memory_limit))], [theirs.fileno()])
        except OSError as error:
            self._forking.remove((instance, done))
            raise StartError(f"no instance can be started: {error}") from error
        finally:
            theirs.close()
        await done
        return instance

    async def start(self) -> None:
        """Have the template running with all operations imported.

        Raises:
            StartError: they cannot be loaded.
        """
        async with self._starting:
            if self._process is None or self._process.poll() is not None or self._control is None:
                self._spawn()
            assert self._loaded is not None
            try:
                error = await asyncio.wait_for(asyncio.shield(self._loaded), START_LIMIT)
            except TimeoutError:
                error = f"importing the operations takes more than {START_LIMIT:g} s"
            if error:
                await self.stop()
                raise StartError(error)

    def _spawn(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        arguments = [str(theirs.fileno()), str(self._files), *self._sources]
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-c", _TEMPLATE, *arguments],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the server, which then stops in good order
        )
        theirs.close()
        ours.setblocking(False)
        self._control = ours
        loop = asyncio.get_running_loop()
        self._loaded = loop.create_future()
        loop.add_reader(ours, self._hear, ours)

    def _hear(self, control: socket.socket) -> None:
        while True:
            try:
                body = control.recv(1 << 16)
            except BlockingIOError:
                return
            except OSError:
                body = b""
            if not body:
                self._gone(control)
                return
            match msgspec.msgpack.decode(body, type=t.FromTemplate):
                case t.Loaded(error=error):
                    if self._loaded and not self._loaded.done():
                        self._loaded.set_result(error)
                case t.Forked(pid=pid):
                    instance, done = self._forking.popleft()
                    instance.begin(pid)
                    self._instances[pid] = instance
                    if not done.done():
                        done.set_result(None)
                case t.Exited(pid=pid, status=status):
                    self._instances.pop(pid).end(status)

    def _gone(self, control: socket.socket) -> None:
        """The template has died: so have its instances."""
        asyncio.get_running_loop().remove_reader(control)
        control.close()
        if self._control is control:
            self._control = None
        if self._loaded and not self._loaded.done():
            self._loaded.set_result("the process that imports the operations died")
        for _, done in self._forking:
            if not done.done():
                done.set_exception(StartError("the process that instances are forked from died"))
        self._forking.clear()
        for instance in self._instances.values():
            instance.kill()
            instance.end(-signal.SIGKILL)
        self._instances.clear()

    async def stop(self) -> None:
        """End the template and all its instances."""
        process, control = self._process, self._control
        self._process = self._control = None
        if control is not None:
            for instance in list(self._instances.values()):
                instance.kill()
            self._gone(control)
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await asyncio.to_thread(process.wait)


class Instance:
    """A running instance, as the engine sees it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        """Its end of the pipe."""
        self.pid = 0
        self.born = 0.0
        """When the process was created, in seconds since the epoch."""
        self.ready_since: Final = time.monotonic()
        self._reader = reader
        self._writer = writer
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def begin(self, pid: int) -> None:
        """The process runs."""
        self.pid = pid
        with contextlib.suppress(psutil.Error):
            self.born = psutil.Process(pid).create_time()

    def end(self, status: int) -> None:
        """The process has ended."""
        if not self._ended.done():
            self._ended.set_result(status)

    @property
    def alive(self) -> bool:
        """Whether the process still runs, as far as is known."""
        return not self._ended.done()

    async def ended(self) -> int:
        """Wait for the end of the process; its exit code, negative for a signal."""
        return await asyncio.shield(self._ended)

    async def send(self, message: m.ToInstance) -> None:
        """Send a message. That the process is gone shows when listening."""
        self._writer.write(m.frame(message))
        with contextlib.suppress(ConnectionError):
            await self._writer.drain()

    async def messages(self) -> AsyncIterator[m.FromInstance]:
        """What the instance says, until it says no more."""
        while True:
            try:
                header = await self._reader.readexactly(m.HEADER)
                body = await self._reader.readexactly(int.from_bytes(header, "big"))
            except (asyncio.IncompleteReadError, ConnectionError):
                return
            yield m.from_instance(body)

    def kill(self) -> None:
        """Kill the process and its group; the template sees to whatever else it started."""
        if self.pid and self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    async def retire(self) -> int:
        """See to it that the process and all it started are gone; its exit code."""
        # What the operation left running in its group would otherwise go on behind a finished job.
        self.kill()
        status = await self.ended()
        self._writer.close()
        return status


def kill_leftovers(pid: int, born: float, job_id: str) -> None:
    """After a restart: kill what may be left of the instance that ran a job.

    A pid alone proves nothing, for it may have been given away again: the process must have been
    created when the instance was, or carry the id of the job in its environment.
    """
    with contextlib.suppress(psutil.Error, ProcessLookupError, PermissionError):
        process = psutil.Process(pid)
        if abs(process.create_time() - born) < 1:
            os.killpg(pid, signal.SIGKILL)
            process.wait(5)
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(JOB_VARIABLE) == job_id:
                process.kill()
                process.wait(5)
