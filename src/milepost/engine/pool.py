"""The instances of one service that stand ready for work."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable

import structlog

from milepost.engine.instances import Instance, StartError, Template
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
            return await self._template.fork(self.service.memory_limit)
        except BaseException:
            self.busy -= 1
            raise

    def give_back(self) -> None:
        """The instance of a task is gone, or holds still; a fresh one is started for the next."""
        self.busy -= 1
        self.refill()

    def refill(self) -> None:
        """Start what is missing of the instances to keep ready."""
        room = self.service.max_instances - self.busy
        wanted = min(room, max(self.service.min_instances, self._size - self.busy))
        while not self._closed and len(self._ready) + self._starting < wanted:
            self._starting += 1
            task = asyncio.get_running_loop().create_task(self._start_one())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _start_one(self) -> None:
        try:
            instance = await self._template.fork(self.service.memory_limit)
        except StartError as error:
            # The next job of the service meets the same error and reports it.
            log.error("instance not started", service=self.service.name, reason=str(error))
            return
        finally:
            self._starting -= 1
        if self._closed:
            instance.discard()
        else:
            self._ready.append((instance, self._clock()))

    def tend(self) -> None:
        """Let go of instances that were idle or alive for too long, and of dead ones."""
        now = self._clock()
        for entry in list(self._ready):
            instance, since = entry
            spare = len(self._ready) > self.service.min_instances and now - since > self.service.max_idle_time
            recycle = self.service.recycle_interval
            if spare:
                self._size = max(self.service.min_instances, self._size - 1)
            if spare or not instance.alive or (recycle and now - since > recycle):
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


class Place:
    """A job's place among those at work in its service. While the job holds still others may have it."""

    def __init__(self, pool: Pool, on_given: Callable[[], None]):
        """Taken; ``on_given`` is called whenever it is given to others."""
        self.taken = True
        self._pool = pool
        self._on_given = on_given

    @property
    def service(self) -> Service:
        """The service."""
        return self._pool.service

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
