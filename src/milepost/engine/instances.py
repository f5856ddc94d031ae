"""The engine's side of its processes: the template, and the instances forked from it."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
import psutil
import structlog

from milepost.engine import messages as m
from milepost.engine import template as t
from milepost.engine.instance import JOB_VARIABLE, NO_JOB
from milepost.engine.processes import ProcessTree
from milepost.operations import site

log = structlog.get_logger("milepost.engine")

START_LIMIT: Final = 300.0
"""Seconds that importing all operations may take."""

END_LIMIT: Final = 10.0
"""Seconds that a template has to end in, with all its instances."""


class StartError(Exception):
    """Instances cannot be started; the text says why."""


class _TemplateDiedError(StartError):
    """It was there when the instance was asked for, and then no more."""


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
        self._closed = False

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
        try:
            return await self._fork(memory_limit)
        except _TemplateDiedError:
            # Whatever killed it, it was not this instance; a new template is worth one try.
            await self.start()
            return await self._fork(memory_limit)

    async def _fork(self, memory_limit: int) -> "Instance":
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            raise StartError(f"no instance can be started: {error}") from error
        with theirs:
            ours.setblocking(False)
            reader, writer = await asyncio.open_unix_connection(sock=ours, limit=1 << 20)
            instance = Instance(reader, writer)
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            try:
                if self._control is None:
                    raise BrokenPipeError
                socket.send_fds(
                    self._control, [msgspec.msgpack.encode(t.Fork(memory_limit))], [theirs.fileno()]
                )
            except OSError as error:
                instance.discard()
                raise _TemplateDiedError(f"no instance can be started: {error}") from error
            self._forking.append((instance, done))
        try:
            await done
        except BaseException:
            instance.discard()
            raise
        return instance

    async def start(self) -> None:
        """Have the template running with all operations imported.

        Raises:
            StartError: they cannot be loaded, or the engine is being stopped.
        """
        async with self._starting:
            if self._closed:
                raise StartError("the server is being stopped")
            if self._control is not None and self._process is not None and self._process.poll() is not None:
                self._gone(self._control)
            if self._control is None:
                await self._end()
                self._spawn()
            assert self._loaded is not None
            try:
                error = await asyncio.wait_for(asyncio.shield(self._loaded), START_LIMIT)
            except TimeoutError:
                error = f"importing the operations takes more than {START_LIMIT:g} s"
            if error:
                await self._end()
                raise StartError(error)

    def _spawn(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        arguments = [str(theirs.fileno()), str(self._files), *self._sources]
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-c", _program(), *arguments],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            env={**os.environ, JOB_VARIABLE: NO_JOB, site.VARIABLE: str(self._files)},
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
                case t.Forked(pid=pid, error=error):
                    instance, done = self._forking.popleft()
                    if not error:
                        instance.begin(pid)
                        self._instances[pid] = instance
                    if not done.done() and error:
                        done.set_exception(StartError(f"no instance can be started: {error}"))
                    elif not done.done():
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
                done.set_exception(_TemplateDiedError("the process that instances are forked from died"))
        self._forking.clear()
        for instance in self._instances.values():
            instance.lose()
        self._instances.clear()

    async def stop(self) -> None:
        """End the template and all its instances, for good."""
        self._closed = True
        await self._end()

    async def _end(self) -> None:
        process, self._process = self._process, None
        if self._control is not None:
            self._gone(self._control)
        if process is not None:
            # It ends by itself, for its socket is closed, once nothing is left of its instances.
            try:
                await asyncio.to_thread(process.wait, END_LIMIT)
            except subprocess.TimeoutExpired:
                process.kill()
                await asyncio.to_thread(process.wait)


def _program() -> str:
    """What the template runs: it finds the modules that this process finds, in the same places.

    By itself it would look in the folder it is in, and its instances are in those of their jobs.
    """
    places = [os.path.abspath(each) for each in sys.path]
    return f"import sys; sys.path[:] = {places!r}; from milepost.engine.template import main; main()"


class Instance:
    """A running instance, as the engine sees it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        """Its end of the pipe."""
        self.pid = 0
        self.born = 0.0
        """When the process was created, in seconds since the epoch."""
        self.lost = False
        """Whether its template died, and nobody saw to what it had started."""
        self.still = False
        """Whether the process and all it started stand still."""
        self._reader = reader
        self._writer = writer
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._tree: ProcessTree | None = None

    def begin(self, pid: int) -> None:
        """The process runs."""
        self.pid = pid
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            self._tree = ProcessTree(process)
            self.born = process.create_time()

    def end(self, status: int) -> None:
        """The process has ended."""
        if not self._ended.done():
            self._ended.set_result(status)

    def lose(self) -> None:
        """Its template has died, and so has the process. Something it forked may hold its pipe open."""
        self.kill()
        self.lost = True
        self.end(-signal.SIGKILL)
        self._writer.transport.abort()

    @property
    def alive(self) -> bool:
        """Whether the process still runs, as far as is known."""
        return not self._ended.done()

    async def ended(self) -> int:
        """Wait for the end of the process; its exit code, negative for a signal."""
        return await asyncio.shield(self._ended)

    async def send(self, message: m.ToInstance) -> None:
        """Send a message. That the process is gone shows when listening.

        Raises:
            ValueError: the message is too large.
        """
        data = m.frame(message)
        if not self._writer.is_closing():
            self._writer.write(data)
            with contextlib.suppress(ConnectionError):
                await self._writer.drain()

    async def messages(self) -> AsyncIterator[m.FromInstance]:
        """What the instance says, until it says no more."""
        while True:
            try:
                size = int.from_bytes(await self._reader.readexactly(m.HEADER), "big")
                body = await self._reader.readexactly(size) if size <= m.LIMIT else b""
                message = m.from_instance(body)
            except (asyncio.IncompleteReadError, ConnectionError):
                return
            except msgspec.MsgspecError:
                yield m.Raised("the operation wrote into the pipe between its process and the server")
                return
            yield message

    async def hold(self) -> bool:
        """Stop the process and all it started where they are; whether they stand ``still``.

        When not, something of it could not be stopped yet, or it has ended.
        """
        if self._tree is not None:
            self.still = await asyncio.to_thread(self._tree.stop)
        return self.still

    def go_on(self) -> None:
        """Let everything go on that ``hold`` has stopped."""
        self.still = False
        if self._tree is not None:
            self._tree.go_on()

    def kill(self) -> None:
        """Kill the process and its group; the template sees to whatever else it started."""
        if self.pid and self.alive:
            # The process too: just forked, it may not have made the group yet.
            for kill in (os.kill, os.killpg):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    kill(self.pid, signal.SIGKILL)

    def discard(self) -> None:
        """Let go of an instance that had no task; one that is not yet alive ends when it finds its pipe closed."""
        self.kill()
        self._writer.close()

    async def retire(self) -> int:
        """See to it that the process and all it started are gone; its exit code."""
        # What the operation left running in its group would otherwise go on behind a finished job.
        self.kill()
        status = await self.ended()
        self._writer.close()
        return status
