"""One attempt at work: what its instance says is recorded; it holds still and it ends when asked, or out of time."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from msgspec.structs import replace

from milepost.engine import messages as m
from milepost.engine.instances import Instance
from milepost.engine.pool import Slot
from milepost.jobs import IllegalMove, Job, JobError, Outcome, Status
from milepost.jobs import events as ev
from milepost.store import JobStore, Recorded, keep_encoded

Reconfigure = Callable[[str], Awaitable[dict[str, Any]]]
"""Does as is configured of a service; returns the settings in force, by name."""


class ReconfigureError(Exception):
    """A service cannot be as it is configured; the text says why."""


_IN_FLIGHT: Final = 64
"""Events of an instance that may wait for their commit before more are taken from it."""

_SHORTEST_LOOK: Final = 0.002
_LONGEST_LOOK: Final = 0.5
"""Seconds between two looks whether everything stands still, doubling from the one to the other."""


class Orders:
    """What is asked of a job while it is being seen through."""

    def __init__(self) -> None:
        """Nothing is asked yet."""
        self.stop: tuple[Outcome, str] | None = None
        """How the work is to end, and why."""
        self.shut_down = False
        """Whether the server stops."""
        self.hold = False
        """Whether the work is to hold still."""
        self.pausing = False
        """Whether it was asked to, and the job does not say yet that it goes on."""
        self.version = 0
        """Another number after each change."""
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
        self.version += 1
        self._changed.set()

    async def until(self, met: Callable[[], bool]) -> None:
        """Wait until the orders are such."""
        while not met():
            self._changed.clear()
            await self._changed.wait()

    async def after(self, version: int) -> None:
        """Wait until something changes, or has changed since ``version`` was read."""
        await self.until(lambda: self.version != version)


class Attempt:
    """Lets an instance work, as long as it may."""

    def __init__(
        self,
        job: Job,
        instance: Instance,
        slot: Slot,
        store: JobStore,
        orders: Orders,
        reconfigure: Reconfigure,
    ):
        """For an instance that was told what to perform, in a slot of its service."""
        self._job_id = job.id
        self._number = job.attempt
        self._instance = instance
        self._slot = slot
        self._store = store
        self._orders = orders
        self._reconfigure = reconfigure

    async def run(self, spent: float) -> m.FromInstance | None:
        """Record what the instance says until it says how the work ended; None when it ended without a word.

        Args:
            spent: seconds that earlier attempts were at work.

        Raises:
            StoreError: something could not be recorded.
        """
        orders = self._orders
        watch = asyncio.create_task(self._watch(spent))
        watch.add_done_callback(lambda _: orders.changed())
        try:
            answer = await self._listen()
            if answer is not None and self._instance.still:
                # What was said just before everything stood still counts once it may go on.
                await orders.until(lambda: watch.done() or orders.ending or not orders.hold)
            return answer
        finally:
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch

    async def _listen(self) -> m.FromInstance | None:
        in_flight: list[asyncio.Task[Job]] = []
        asked: set[asyncio.Task[None]] = set()
        answer: m.FromInstance | None = None
        try:
            async for message in self._instance.messages():
                if isinstance(message, m.Reconfigure):
                    asked.add(asyncio.create_task(self._do_as_configured(message.service)))
                    continue
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
            for task in asked:
                task.cancel()
            await asyncio.gather(*in_flight, *asked, return_exceptions=True)
        return answer

    async def _do_as_configured(self, service: str) -> None:
        try:
            done = m.Reconfigured(settings=await self._reconfigure(service))
        except ReconfigureError as error:
            done = m.Reconfigured(error=str(error))
        await self._instance.send(done)

    async def _record(self, message: m.Tell | m.Record) -> Job:
        event: ev.Event = message.event
        payloads: dict[str, bytes] = {}
        if isinstance(event, ev.StepFinished) and isinstance(message, m.Record):
            kept, payloads = keep_encoded({event.name: message.value}, "steps")
            event = replace(event, result=kept[event.name])
        return await self._store.append(self._job_id, event, payloads=payloads)

    async def _watch(self, spent: float) -> None:
        """Hold the work still when asked, and stop it when its time is up or someone asks."""
        try:
            while not self._orders.ending:
                spent = await self._work(spent)
                if not self._orders.ending:
                    await self._hold()
            await self._stop()
        except Exception:
            self._instance.kill()  # it would stand still, or go on, for ever
            raise

    async def _work(self, spent: float) -> float:
        """Wait for an order, or the end of the time that the service allows.

        Args:
            spent: seconds that the job was at work before.

        Returns:
            Seconds that it was at work until now.
        """
        orders, limit = self._orders, self._slot.service.max_usage_time
        begun = time.monotonic()
        try:
            async with asyncio.timeout(limit - spent if limit else None):
                # Not only as long as it is to hold still: that may be over before anybody looks.
                await orders.until(lambda: orders.ending or orders.pausing)
        except TimeoutError:
            orders.end("timed_out", f"the job ran longer than the {limit:g} s its service allows")
        return spent + time.monotonic() - begun

    async def _stop(self) -> None:
        """Stop the work: first with words, then by force."""
        if self._orders.shut_down or self._orders.stop is None:
            self._instance.kill()
            return
        outcome, reason = self._orders.stop
        await self._instance.send(m.StopWork(reason or outcome))
        self._instance.go_on()  # one that stands still cannot hear
        await asyncio.sleep(self._slot.service.grace_time)
        self._instance.kill()

    async def _hold(self) -> None:
        """Hold the work still until it may go on, or must end."""
        orders, slot = self._orders, self._slot
        try:
            while not orders.ending:
                seen = orders.version
                status = (await self._store.get(self._job_id)).status
                if status is Status.EXECUTING:
                    orders.pausing = False
                    return
                with contextlib.suppress(IllegalMove):  # something else was asked for in this very moment
                    if status is Status.PAUSE_PENDING:
                        if await self._stand_still():
                            await self._store.append(self._job_id, ev.Paused(at=_now(), attempt=self._number))
                            slot.give()
                    elif status is Status.RESUME_PENDING and slot.taken:
                        await self._go_on()
                    else:
                        await orders.after(seen)
        finally:
            slot.take()

    async def _stand_still(self) -> bool:
        """Stop all processes; False when that is no longer wanted before it is done."""
        pause = _SHORTEST_LOOK
        while self._orders.hold and not self._orders.ending:
            if await self._instance.hold():
                return True
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_LOOK)
        return False

    async def _go_on(self) -> None:
        await self._store.append(self._job_id, ev.Resumed(at=_now(), attempt=self._number))
        self._instance.go_on()
        await self._store.append(self._job_id, ev.Continued(at=_now(), attempt=self._number))


def time_spent(history: Sequence[Recorded]) -> float:
    """Seconds that earlier attempts of a job were at work."""
    total = 0
    begun: int | None = None
    for each in history:
        match each.event:
            case ev.Started(at=at) | ev.Resumed(at=at) if begun is None:
                begun = at
            case ev.Paused(at=at) | ev.Interrupted(at=at) if begun is not None:
                total += max(0, at - begun)
                begun = None
    return total / 1000


def _now() -> int:
    return time.time_ns() // 1_000_000
