"""One attempt at work: what its instance says is recorded, and it is stopped when asked or out of time."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Final

from msgspec.structs import replace

from milepost.engine import messages as m
from milepost.engine.instances import Instance
from milepost.jobs import Job, JobError, Outcome
from milepost.jobs import events as ev
from milepost.operations import Service
from milepost.store import JobStore, Recorded, keep_encoded

_IN_FLIGHT: Final = 64
"""Events of an instance that may wait for their commit before more are taken from it."""


class Orders:
    """What is asked of a job while it is being seen through."""

    def __init__(self) -> None:
        """Nothing is asked yet."""
        self.stop: tuple[Outcome, str] | None = None
        """How the work is to end, and why."""
        self.shut_down = False
        """Whether the server stops."""
        self._changed = asyncio.Event()

    @property
    def ending(self) -> bool:
        """Whether the work must not go on."""
        return self.stop is not None or self.shut_down

    def end(self, outcome: Outcome, reason: str) -> None:
        """Ask for the end of the work; the first who asks decides how it is called, but a cancel wins."""
        if self.stop is None or outcome == "cancelled":
            self.stop = (outcome, reason)
            self.changed()

    def changed(self) -> None:
        """Have those who wait look again."""
        self._changed.set()

    async def until(self, met: Callable[[], bool]) -> None:
        """Wait until the orders are such."""
        while not met():
            self._changed.clear()
            await self._changed.wait()


class Attempt:
    """Lets an instance work, as long as it may."""

    def __init__(self, job_id: str, instance: Instance, service: Service, store: JobStore, orders: Orders):
        """For an instance that was told what to perform."""
        self._job_id = job_id
        self._instance = instance
        self._service = service
        self._store = store
        self._orders = orders

    async def run(self, spent: float) -> m.FromInstance | None:
        """Record what the instance says until it says how the work ended; None when it ended without a word.

        Args:
            spent: seconds that earlier attempts were at work.

        Raises:
            StoreError: something could not be recorded.
        """
        watch = asyncio.create_task(self._watch(spent))
        try:
            return await self._listen()
        finally:
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch

    async def _listen(self) -> m.FromInstance | None:
        in_flight: list[asyncio.Task[Job]] = []
        answer: m.FromInstance | None = None
        try:
            async for message in self._instance.messages():
                if not isinstance(message, m.Tell | m.Record):
                    answer = message
                    break
                # Tasks begin in the order they are made, and so the events are recorded.
                in_flight.append(asyncio.create_task(self._record(message)))
                if isinstance(message, m.Record):
                    await in_flight[-1]
                    await self._instance.send(m.Recorded())
                if len(in_flight) >= _IN_FLIGHT:
                    await asyncio.gather(*in_flight)
                    in_flight.clear()
            await asyncio.gather(*in_flight)
        except JobError as error:
            # The operation said what cannot be, such as the end of a stage that has ended.
            answer = m.Raised(str(error))
        finally:
            await asyncio.gather(*in_flight, return_exceptions=True)
        return answer

    async def _record(self, message: m.Tell | m.Record) -> Job:
        event: ev.Event = message.event
        payloads: dict[str, bytes] = {}
        if isinstance(event, ev.StepFinished) and isinstance(message, m.Record):
            kept, payloads = keep_encoded({event.name: message.value}, "steps")
            event = replace(event, result=kept[event.name])
        return await self._store.append(self._job_id, event, payloads=payloads)

    async def _watch(self, spent: float) -> None:
        """Stop the work when its time is up or someone asks: first with words, then by force."""
        orders, limit = self._orders, self._service.max_usage_time
        try:
            async with asyncio.timeout(limit - spent if limit else None):
                await orders.until(lambda: orders.ending)
        except TimeoutError:
            orders.end("timed_out", f"the job ran longer than the {limit:g} s its service allows")
        if orders.shut_down or orders.stop is None:
            self._instance.kill()
            return
        await self._instance.send(m.StopWork(orders.stop[1] or orders.stop[0]))
        await asyncio.sleep(self._service.grace_time)
        self._instance.kill()


def time_spent(history: Sequence[Recorded]) -> float:
    """Seconds that earlier attempts of a job were at work."""
    total = begun = 0
    for each in history:
        match each.event:
            case ev.Started(at=at):
                begun = at
            case ev.Interrupted(at=at):
                total += max(0, at - begun)
    return total / 1000
