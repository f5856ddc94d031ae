"""The instances of one service that stand ready for work."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable
from typing import Final

import structlog

from milepost.engine.instances import Instance, StartError, Template
from milepost.engine.recycling import is_due
from milepost.operations import Service

log = structlog.get_logger("milepost.engine")

TEND_EVERY = 1.0
"""Seconds between two looks at instances that have been idle for long."""


class Pool:
    """Keeps instances ready in advance, so that a job need not wait for one to start.

    As many as the service says at least. When more are needed at once the pool grows, up to what the
    service allows at most; it shrinks again when they have been idle for long.
    """

    def __init__(self, service: Service, template: Template, clock: Callable[[], float] = time.monotonic):
        """For one service; nothing is started before ``refill``. ``clock`` counts seconds."""
        self.service = service
        self.started = True
        """Whether jobs get their turn here, and instances are kept ready."""
        self.revision = 0
        """Another number after each ``configure``."""
        self.busy = 0
        """Instances that are at work."""
        self._template = template
        self._clock = clock
        self._size = service.min_instances
        self._ready: deque[tuple[Instance, float]] = deque()
        self._starting = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def full(self) -> bool:
        """Whether as many instances are at work as the service allows."""
        return self.busy >= self.service.max_instances

    @property
    def ready(self) -> list[Instance]:
        """The instances that stand ready."""
        return [instance for instance, _ in self._ready if instance.alive]

    async def take(self) -> Instance:
        """An instance for one task; it counts as busy until ``give_back``.

        Raises:
            StartError: none can be started.
        """
        self.busy += 1
        self._size = max(self._size, min(self.busy, self.service.max_instances))
        try:
            while self._ready:
                # The youngest, so that those beyond the minimum come to have been idle.
                instance, _ = self._ready.pop()
                if instance.alive:
                    return instance
                instance.discard()
            return await self._fork()
        except BaseException:
            self.busy -= 1
            raise

    async def _fork(self) -> Instance:
        limit = self.service.max_startup_time
        try:
            async with asyncio.timeout(limit or None):
                return await self._template.fork(self.service.memory_limit)
        except TimeoutError:
            raise StartError(
                f"it took longer than the {limit:g} s that the service allows an instance to start"
            ) from None

    def give_back(self) -> None:
        """The instance of a task is gone, or holds still; a fresh one is started for the next."""
        self.busy -= 1
        self.refill()

    def refill(self) -> None:
        """Start what is missing of the instances to keep ready."""
        while not self._closed and len(self._ready) + self._starting < self._wanted:
            self._starting += 1
            task = asyncio.get_running_loop().create_task(self._start_one())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    @property
    def _wanted(self) -> int:
        """How many instances are to stand ready."""
        if not self.started:
            return 0
        room = self.service.max_instances - self.busy
        return max(0, min(room, max(self.service.min_instances, self._size - self.busy)))

    def configure(self, service: Service, *, started: bool) -> None:
        """Go by other settings from now on; ``renew`` sees to the instances that stand ready."""
        self.service = service
        self.started = started
        self.revision += 1
        self._size = max(service.min_instances, min(self._size, service.max_instances))

    async def renew(self) -> None:
        """Replace the instances that stand ready by fresh ones, and make them as many as they are to be.

        One after the other: each stays until its successor is there, unless a job takes it before.
        Those at work are nobody's business here, for no instance has a second task.

        Raises:
            StartError: none can be started.
        """
        revision = self.revision
        self._trim()
        for entry in list(self._ready):
            await self._add(revision)
            self._let_go(entry)
        while self.revision == revision and not self._closed and len(self._ready) < self._wanted:
            if self._tasks:
                # They say nothing of what kept them from starting one.
                await asyncio.wait(set(self._tasks))
            else:
                await self._add(revision)
        while self._tasks and self.revision == revision:
            await asyncio.wait(set(self._tasks))
        if self.revision == revision:
            self._trim()

    async def _add(self, revision: int) -> None:
        if self._closed or self.revision != revision:
            return
        instance = await self._fork()
        if self._closed or self.revision != revision:
            instance.discard()
        else:
            self._ready.append((instance, self._clock()))

    def _trim(self) -> None:
        """Let go of those that are too many, the oldest first."""
        while len(self._ready) > self._wanted:
            self._let_go(self._ready[0])

    def _let_go(self, entry: tuple[Instance, float]) -> None:
        """Let go of an instance if it still stands ready."""
        if entry in self._ready:
            self._ready.remove(entry)
            entry[0].discard()

    async def _start_one(self) -> None:
        revision = self.revision
        try:
            instance = await self._fork()
        except StartError as error:
            # The next job of the service meets the same error and reports it.
            log.error("instance not started", service=self.service.name, reason=str(error))
            return
        finally:
            self._starting -= 1
        if self._closed or not self.started or self.revision != revision:
            instance.discard()
            self.refill()
        else:
            self._ready.append((instance, self._clock()))

    def tend(self) -> None:
        """Let go of instances that were idle or alive for too long, and of dead ones."""
        now = self._clock()
        for entry in list(self._ready):
            instance, since = entry
            spare = len(self._ready) > self.service.min_instances and now - since > self.service.max_idle_time
            if spare:
                self._size = max(self.service.min_instances, self._size - 1)
            if spare or not instance.alive or is_due(self.service, now - since, time.time()):
                self._ready.remove(entry)
                instance.discard()
        self.refill()

    def take_back(self) -> None:
        """An instance that held still is at work again, or about to be ended."""
        self.busy += 1

    async def close(self) -> None:
        """Let go of all that stand ready."""
        self._closed = True
        for task in list(self._tasks):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        for instance, _ in self._ready:
            instance.discard()
        self._ready.clear()


class Slot:
    """A job's slot among those at work in its service. While the job holds still others may have it."""

    def __init__(self, pool: Pool, on_given: Callable[[], None]):
        """Taken; ``on_given`` is called whenever it is given to others."""
        self.taken = True
        self.service: Final = pool.service
        """The service as it was when the job had its turn: its limits are those of the job."""
        self._pool = pool
        self._on_given = on_given

    def give(self) -> None:
        """Let others have it."""
        if self.taken:
            self.taken = False
            self._pool.give_back()
            self._on_given()

    def take(self) -> None:
        """Have it again, if it was given away."""
        if not self.taken:
            self.taken = True
            self._pool.take_back()
