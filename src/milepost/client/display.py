"""Showing a job as it goes, in lines: plain ones for people and logs, JSON for programs."""

import time
from collections.abc import Callable
from typing import Final, Protocol
from urllib.parse import urlsplit

import msgspec

from milepost.client.address import Address
from milepost.client.results import summary
from milepost.client.views import JobView, Message, State, clean

WORDS: Final[dict[State, str]] = {
    "queued": "waiting for its turn",
    "running": "running",
    "paused": "paused",
    "cancelling": "cancelling",
    "succeeded": "succeeded",
    "failed": "failed",
    "timed_out": "timed out",
    "cancelled": "cancelled",
    "deleted": "deleted",
    "unknown": "status not told",
}

_STEP: Final = 0.1
"""Progress is told in lines whenever it has grown by this share."""


class Display(Protocol):
    """Where a job is shown."""

    def show(self, view: JobView, new: list[Message]) -> None:
        """The job has changed; ``new`` is what it said since the last time."""

    def note(self, text: str) -> None:
        """Something about the watching itself."""

    def finish(self, view: JobView) -> None:
        """The job is finished; ``view`` has the values of its results where they could be had."""

    def close(self) -> None:
        """Nothing more is shown, whether the job is finished or not."""


class Clock:
    """How long a job has been at work, as far as that is known."""

    def __init__(self, submitted: bool):
        """Start now; ``submitted`` when the job was submitted just now, so that its whole life is seen."""
        self._start: Final = time.monotonic()
        self._whole_life: Final = submitted

    def seconds(self, view: JobView | None) -> float:
        """Seconds since the job began, or, where nobody told when that was, since watching began."""
        watched = time.monotonic() - self._start
        if self._whole_life or view is None or not view.started_at:
            return watched
        end = view.ended_at or time.time() * 1000
        return max(0.0, (end - view.started_at) / 1000)

    def total(self, view: JobView) -> str:
        """How long it took, in words; empty when that cannot be told."""
        if view.started_at and view.ended_at >= view.started_at:
            return f" in {duration((view.ended_at - view.started_at) / 1000)}"
        return f" in {duration(self.seconds(view))}" if self._whole_life else ""


class PlainDisplay:
    """A line for each thing that happens, when it happens."""

    def __init__(self, write: Callable[[str], None], title: str, *, submitted: bool = False):
        """Lines go to ``write``, without their line ends."""
        self._write: Final = write
        self._title: Final = title
        self._clock: Final = Clock(submitted)
        self._view: JobView | None = None
        self._told = 0.0

    def show(self, view: JobView, new: list[Message]) -> None:
        """A line for a new status, each new message, each stage, and progress by tenths."""
        before, self._view = self._view, view
        if before is None:
            self._line(f"{self._title}  job {view.id}")
        if (
            before is None or (before.state, before.status) != (view.state, view.status)
        ) and not view.finished:
            self._line(f"{WORDS[view.state]} ({view.status})" if view.status else WORDS[view.state])
        known = set(before.stages) if before else set()
        for stage in view.stages:
            if stage not in known and stage.state != "pending":
                self._line(f"stage {stage.name}: {stage.state}")
        for message in new:
            level = "" if message.level == "info" else f"{message.level.upper()}: "
            for line in message.text.splitlines():
                self._line(f"{level}{line}")
        if view.fraction is not None and not view.finished and view.fraction - self._told >= _STEP:
            self._told = view.fraction
            self._line(f"{view.fraction:.0%}  {view.doing}".rstrip())

    def note(self, text: str) -> None:
        """A line."""
        self._line(f"note: {text}")

    def finish(self, view: JobView) -> None:
        """How it ended, why, and what came out."""
        self._line(ending(view, self._clock))
        for result in view.results:
            for part in (summary(result.value), result.url):
                if part:
                    self._line(f"{result.name}: {part}")

    def close(self) -> None:
        """Nothing to do."""

    def _line(self, text: str) -> None:
        self._write(f"{duration(self._clock.seconds(self._view)):>8}  {text}")


class JsonDisplay:
    """One JSON object a line for each change; ``messages`` holds the new ones only."""

    def __init__(self, write: Callable[[str], None], url: str):
        """Lines go to ``write``, without their line ends; ``url`` is that of the job."""
        self._write: Final = write
        self._url: Final = url

    def show(self, view: JobView, new: list[Message]) -> None:
        """The job, unless it is finished: then ``finish`` tells it, with its results."""
        if not view.finished:
            self._line(view, new)
        self._new = new

    def note(self, text: str) -> None:
        """An object with ``note``."""
        self._write(msgspec.json.encode({"url": self._url, "note": clean(text)}).decode())

    def finish(self, view: JobView) -> None:
        """The finished job."""
        self._line(view, self._new)

    def close(self) -> None:
        """Nothing to do."""

    def _line(self, view: JobView, new: list[Message]) -> None:
        shown = msgspec.structs.replace(view, messages=tuple(new))
        body = {"url": self._url, "finished": view.finished, **msgspec.to_builtins(shown)}
        self._write(msgspec.json.encode(body).decode())


def title_of(address: Address, view: JobView | None = None) -> str:
    """What to call a job: its operation, or what its address says of it."""
    if view is not None and view.operation:
        return view.operation
    parts = [part for part in urlsplit(address.url).path.split("/") if part]
    for place, part in enumerate(parts):
        if part.lower() == "jobs" and place:
            return clean(parts[place - 1])
    return "job"


def ending(view: JobView, clock: Clock) -> str:
    """How a job ended, in one line."""
    reason = f": {view.error}" if view.error else ""
    return f"{WORDS[view.state]}{clock.total(view)}{reason}"


def duration(seconds: float) -> str:
    """Seconds as people read them: ``3.4 s``, ``2:05``, ``1:02:05``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
