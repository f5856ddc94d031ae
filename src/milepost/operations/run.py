"""What an operation sees of the system: the run that it talks to."""

import importlib
import inspect
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Final, ParamSpec, Protocol, TypeVar, cast, get_type_hints

import msgspec

from milepost.jobs import Level, events

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


class Notebook:
    """A channel that only writes down what happens: for unit tests of operations."""

    def __init__(self) -> None:
        self.attempt = 1
        self.events: list[events.AttemptEvent] = []
        self.stop = ""

    def tell(self, event: events.AttemptEvent) -> None:
        """Write the event down."""
        self.events.append(event)

    record = tell

    def stop_reason(self) -> str:
        """What a test put in ``stop``."""
        return self.stop


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
        self._channel = channel or self.notebook
        self._workspace = workspace
        self._steps = dict(steps or {})
        self._done_here: set[str] = set()
        self._rollbacks = list(rollbacks or [])
        self._reported_at = 0.0
        self._reported = (-1.0, "")

    @cached_property
    def workspace(self) -> Path:
        """The private folder of the job. It outlives an attempt, so a finished step may leave files in it."""
        if self._workspace is not None:
            return self._workspace
        self._temporary = tempfile.TemporaryDirectory(prefix="milepost-run-")
        return Path(self._temporary.name)

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

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """A named part of the work that clients see start and end: ``with run.stage("validating"):``."""
        self.check()
        self._tell(events.StageStarted, name=name)
        try:
            yield
        except Exception:
            self._tell(events.StageFailed, name=name)
            raise
        except BaseException:
            # Stopped, not failed; the ending of the job says why.
            raise
        else:
            self._tell(events.StageFinished, name=name)

    def step(self, name: str, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Do ``function`` once in the life of the job and keep what it returns.

        After a crash the next attempt gets the kept result back and does not call it again. The
        result must have a JSON form; it comes back as the type that ``function`` is annotated
        with, in the first attempt as in any later one.

        Raises:
            ValueError: this run has done a step of that name already.
            TypeError: the result has no JSON form.
        """
        self.check()
        if name in self._done_here:
            raise ValueError(f"step {name!r} is done twice in one run; give each step a name of its own")
        self._done_here.add(name)
        hint = get_type_hints(function).get("return", Any) if callable(function) else Any
        if name not in self._steps:
            try:
                result = msgspec.json.decode(msgspec.json.encode(function(*args, **kwargs)))
            except (TypeError, msgspec.MsgspecError) as error:
                if isinstance(error, TypeError) and "Encoding objects of type" not in str(error):
                    raise
                raise TypeError(f"the result of step {name!r} has no JSON form: {error}") from error
            self._record(events.StepFinished, name=name, result=events.Kept(result))
            self._steps[name] = result
        kept = self._steps[name]
        return cast(T, kept if hint in (Any, None, type(None)) else msgspec.convert(kept, hint))

    def message(self, text: str, *, level: Level = "info", code: int = 0) -> None:
        """Say something to those who watch the job."""
        self.check()
        self._tell(events.MessageAdded, text=str(text), level=level, code=code)

    def progress(self, fraction: float, text: str = "") -> None:
        """Report the share of the work that is done, from 0 to 1.

        May be called as often as the operation likes; what comes too fast is left out.
        """
        self.check()
        share = min(1.0, max(0.0, float(fraction)))
        if share != share:  # NaN
            raise ValueError("progress must be a number from 0 to 1")
        now = time.monotonic()
        if (share, text) == self._reported or (share < 1 and now - self._reported_at < PROGRESS_EVERY):
            return
        self._reported, self._reported_at = (share, text), now
        self._tell(events.Progressed, fraction=share, text=text)

    def attribute(self, name: str, value: Any) -> None:
        """Set a named fact about the job that clients may read while it runs. It must have a JSON form."""
        self.check()
        self._tell(events.AttributeSet, name=name, value=msgspec.to_builtins(value))

    def on_rollback(self, function: Callable[..., object], *arguments: Any) -> None:
        """Record how to undo an effect, *before* the effect; returns once the record is durable.

        When the job is cancelled, fails or runs out of time, the recorded functions run last to
        first, in a process of their own if this one was killed. So a function must be importable,
        its arguments must have a JSON form, and it must do no harm when the effect never
        happened or when it runs twice. The same function with the same arguments is recorded once.

        Raises:
            TypeError: the function cannot be imported by its name.
        """
        self.check()
        name = function_name(function)
        plain = msgspec.json.decode(msgspec.json.encode(list(arguments)))
        if (name, plain) in self._rollbacks:
            return
        self._record(events.RollbackRecorded, function=name, arguments=plain)
        self._rollbacks.append((name, plain))

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
