"""What an operation sees of the system: the run that it talks to."""

import importlib
import inspect
import math
import operator
import shutil
import tempfile
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Final, ParamSpec, Protocol, TypeVar, cast, get_args

from milepost.jobs import Level, events
from milepost.operations.kept import json_of, plain, reader_for
from milepost.operations.types import sound_text

P = ParamSpec("P")
T = TypeVar("T")

PROGRESS_EVERY: Final = 0.2
"""Seconds between two reports of progress; those in between are left out."""


class Stop(BaseException):
    """The work must stop: cancelled, or out of time.

    Not an ``Exception``, so that an ``except Exception`` of an operation lets it pass.
    """


class Channel(Protocol):
    """Where a run sends what happens."""

    attempt: int

    def tell(self, event: events.AttemptEvent) -> None:
        """Pass an event on; it is recorded in order, soon."""

    def record(self, event: events.AttemptEvent) -> None:
        """Pass an event on and return once it is durable."""

    def stop_reason(self) -> str:
        """Why the work must stop; empty while it may go on."""

    def reconfigure(self, service: str) -> dict[str, Any]:
        """Have the server do as is configured of a service; the settings in force, once that is so."""


class Notebook:
    """A channel that only writes down what happens: for unit tests of operations."""

    def __init__(self) -> None:
        self.attempt = 1
        self.events: list[events.AttemptEvent] = []
        self.stop = ""
        self.reconfigured: list[str] = []

    def tell(self, event: events.AttemptEvent) -> None:
        """Write the event down."""
        self.events.append(event)

    record = tell

    def stop_reason(self) -> str:
        """What a test put in ``stop``."""
        return self.stop

    def reconfigure(self, service: str) -> dict[str, Any]:
        """Write down which service; there is no server, and so nothing is in force."""
        self.reconfigured.append(service)
        return {}


class Run:
    """One attempt at one job, as its operation sees it.

    Without arguments it needs no server: ``run = Run(); buffer(run, features=...)`` works in
    a unit test, and ``run.notebook.events`` tells what the operation did.
    """

    def __init__(
        self,
        channel: Channel | None = None,
        *,
        workspace: Path | None = None,
        steps: dict[str, Any] | None = None,
        rollbacks: list[tuple[str, list[Any]]] | None = None,
    ):
        """A run that tells ``channel`` what happens.

        Args:
            channel: where events go; a new ``Notebook`` when None.
            workspace: the private folder of the job; a temporary one when None.
            steps: results of the steps that an earlier attempt finished.
            rollbacks: what earlier attempts recorded and nobody has undone.
        """
        self.notebook: Final = Notebook()
        self._channel: Final = self.notebook if channel is None else channel
        self._workspace = workspace
        self._steps = dict(steps or {})
        self._begun: set[str] = set()
        self._stages: list[str] = []
        self._rollbacks = list(rollbacks or [])
        self._reported_at = -math.inf
        self._reported = (-1.0, "")

    @cached_property
    def workspace(self) -> Path:
        """The private folder of the job. It outlives an attempt, so a finished step may leave files in it."""
        if self._workspace is not None:
            return self._workspace
        folder = tempfile.mkdtemp(prefix="milepost-run-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return Path(folder)

    @property
    def cancelled(self) -> bool:
        """Whether the work must stop. A loop that never calls the run should look here and return."""
        return bool(self._channel.stop_reason())

    def check(self) -> None:
        """Stop here when the work must stop; every other call on the run does so too.

        Raises:
            Stop: the job was cancelled or is out of time.
        """
        reason = self._channel.stop_reason()
        if reason:
            raise Stop(reason)

    def plan_stages(self, *names: str) -> None:
        """Say in advance which stages will come, in order: ``run.plan_stages("validating", "copying")``.

        Clients then see those that have not begun yet, and how many there are. Another call adds more.

        Raises:
            ValueError: a stage is named twice.
        """
        self.check()
        stages = [sound_text(name) for name in names]
        if len(set(stages)) < len(stages):
            raise ValueError("a stage is planned twice; give each stage a name of its own")
        self._tell(events.StagesPlanned, names=stages)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """A named part of the work that clients see start and end: ``with run.stage("validating"):``.

        A stage that an error leaves has failed. One that is left by ``Stop`` has not; the
        ending of the job says why it never finished.

        Raises:
            ValueError: the stage is going on already.
        """
        self.check()
        name = sound_text(name)
        if name in self._stages:
            raise ValueError(f"stage {name!r} is going on already; give a stage inside it a name of its own")
        self._stages.append(name)
        self._tell(events.StageStarted, name=name)
        try:
            yield
        except Exception:
            self._tell(events.StageFailed, name=name)
            raise
        else:
            self._tell(events.StageFinished, name=name)
        finally:
            self._stages.remove(name)

    def step(self, name: str, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Do ``function`` once in the life of the job and keep what it returns.

        After a crash the next attempt gets the kept result back and does not call it again. The
        result must have a JSON form; it comes back as the type that ``function`` is annotated
        with, in the first attempt as in any later one; paths are kept as text.

        Raises:
            ValueError: this run has begun a step of that name already.
            TypeError: the result has no JSON form, or is not what ``function`` is annotated with.
        """
        self.check()
        name = sound_text(name)
        if name in self._begun:
            raise ValueError(f"step {name!r} is done twice in one run; give each step a name of its own")
        reader = reader_for(function)
        self._begun.add(name)
        if name in self._steps:
            return cast(T, reader.read(json_of(self._steps[name], f"what was kept of step {name!r}")))
        try:
            returned = function(*args, **kwargs)
        except BaseException:
            self._begun.discard(name)  # it may be tried again
            raise
        record = json_of(returned, f"the result of step {name!r}", paths=True)
        result = reader.read(record)
        self._steps[name] = plain(record)
        self._record(events.StepFinished, name=name, result=events.Kept(self._steps[name]))
        return cast(T, result)

    def has_done(self, name: str) -> bool:
        """Whether a step is done, by this attempt or an earlier one: what leads to it need not be done again."""
        return sound_text(name) in self._steps

    def message(self, text: str, *, level: Level = "info", code: int = 0) -> None:
        """Say something to those who watch the job.

        Args:
            text: what to say.
            level: how much it matters.
            code: a number by which programs can tell what was said; 0 for none.

        Raises:
            ValueError: there is no such level.
            TypeError: the code is no whole number.
        """
        self.check()
        if level not in get_args(Level):
            raise ValueError(f"no level {level!r}; use one of {', '.join(get_args(Level))}")
        try:
            number = operator.index(code)
        except TypeError as error:
            raise TypeError(f"the code of a message must be a whole number, not {code!r}") from error
        self._tell(events.MessageAdded, text=sound_text(text), level=level, code=number)

    def progress(self, fraction: float, text: str = "") -> None:
        """Report the share of the work that is done, from 0 to 1.

        May be called as often as the operation likes; what comes too fast is left out.

        Raises:
            ValueError: the fraction is no number.
        """
        self.check()
        if math.isnan(fraction):
            raise ValueError("progress must be a number from 0 to 1")
        share = min(1.0, max(0.0, float(fraction)))
        now = time.monotonic()
        if (share, text) == self._reported or (share < 1 and now - self._reported_at < PROGRESS_EVERY):
            return
        self._reported, self._reported_at = (share, text), now
        self._tell(events.Progressed, fraction=share, text=sound_text(text))

    def attribute(self, name: str, value: Any) -> None:
        """Set a named fact about the job that clients may read while it runs.

        Raises:
            TypeError: the value has no JSON form.
        """
        self.check()
        form = plain(json_of(value, f"the attribute {name!r}"))
        self._tell(events.AttributeSet, name=sound_text(name), value=form)

    def on_rollback(self, function: Callable[..., object], *arguments: Any) -> None:
        """Record how to undo an effect, *before* the effect; returns once the record is durable.

        When the job is cancelled, fails or runs out of time, the recorded functions run last to
        first, in a process of their own if this one was killed. So a function must be importable,
        its arguments must have a JSON form, and it must do no harm when the effect never
        happened or when it runs twice. The same function with the same arguments is recorded once.

        Raises:
            TypeError: the function cannot be imported by its name, or an argument has no JSON form.
        """
        self.check()
        name = function_name(function)
        forms = plain(json_of(arguments, f"an argument of {name}"))
        if (name, forms) in self._rollbacks:
            return
        self._record(events.RollbackRecorded, function=name, arguments=forms)
        self._rollbacks.append((name, forms))

    def reconfigure(self, service: str) -> dict[str, Any]:
        """Have the server do as is configured of a service; for operations that administer the site.

        Returns:
            The settings in force, by name, once they are.

        Raises:
            RuntimeError: the server cannot do as is configured; the text says why.
            Stop: the job was cancelled or is out of time.
        """
        self.check()
        settings = self._channel.reconfigure(service)
        self.check()
        return settings

    def roll_back(self) -> None:
        """Undo what was recorded, last first. The engine does this for jobs; tests may do it too."""
        while self._rollbacks:
            name, arguments = self._rollbacks.pop()
            find_function(name)(*arguments)

    def _tell(self, kind: Callable[..., events.AttemptEvent], **fields: Any) -> None:
        self._channel.tell(kind(at=_now(), attempt=self._channel.attempt, **fields))

    def _record(self, kind: Callable[..., events.AttemptEvent], **fields: Any) -> None:
        self._channel.record(kind(at=_now(), attempt=self._channel.attempt, **fields))


def function_name(function: Callable[..., object]) -> str:
    """``module:name`` of an importable function.

    Raises:
        TypeError: it is a lambda, a local function, a bound method or otherwise not importable.
    """
    name = f"{getattr(function, '__module__', '')}:{getattr(function, '__qualname__', '')}"
    try:
        found = find_function(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise TypeError(
            f"{function!r} cannot be imported by its name, which undoing after a crash needs"
        ) from error
    if found is not inspect.unwrap(function) and found is not function:
        raise TypeError(f"{name} names something else than {function!r}")
    return name


def find_function(name: str) -> Callable[..., object]:
    """The function that ``function_name`` named.

    Raises:
        ImportError, AttributeError, ValueError: there is none.
    """
    module, _, path = name.partition(":")
    found: Any = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    return cast(Callable[..., object], found)


def _now() -> int:
    return time.time_ns() // 1_000_000
