"""The instances of one service that stand ready for work."""

import asyncio
import contextlib
import time
from collections import deque

import structlog

from milepost.engine.instances import Instance, StartError, Template
from milepost.operations import Service

log = structlog.get_logger("milepost.engine")

TEND_EVERY = 1.0
"""Seconds between two looks at instances that have been idle for long."""


class Pool:
    """Keeps instances ready in advance, so that a job need not wait for one to start."""

    def __init__(self, service: Service, template: Template):
        """For one service; nothing is started before ``tend``."""
        self.service = service
        self.busy = 0
        """Instances that are at work."""
        self._template = template
        self._ready: deque[Instance] = deque()
        self._starting = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def full(self) -> bool:
        """Whether as many instances are at work as the service allows."""
        return self.busy >= self.service.max_instances

    async def take(self) -> Instance:
        """An instance for one task; it counts as busy until ``give_back``.

        Raises:
            StartError: none can be started.
        """
        self.busy += 1
        try:
            while self._ready:
                # The youngest, so that those beyond the minimum come to have been idle.
                instance = self._ready.pop()
                if instance.alive:
                    return instance
            return await self._template.fork(self.service.memory_limit)
        except BaseException:
            self.busy -= 1
            raise

    def give_back(self) -> None:
        """The instance of a task is gone; a fresh one is started for the next."""
        self.busy -= 1
        self.refill()

    def refill(self) -> None:
        """Start what is missing of the instances to keep ready."""
        wanted = min(self.service.min_instances, self.service.max_instances - self.busy)
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
            instance.kill()
        else:
            self._ready.append(instance)

    def tend(self) -> None:
        """Let go of instances that were idle or alive for too long, and of dead ones."""
        now = time.monotonic()
        for instance in list(self._ready):
            age = now - instance.ready_since
            spare = len(self._ready) > self.service.min_instances
            recycle = self.service.recycle_interval
            if (
                not instance.alive
                or (spare and age > self.service.max_idle_time)
                or (recycle and age > recycle)
            ):
                self._ready.remove(instance)
                instance.kill()
        self.refill()

    async def close(self) -> None:
        """Let go of all that stand ready."""
        self._closed = True
        for task in list(self._tasks):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        for instance in self._ready:
            instance.kill()
        self._ready.clear()
