"""The stages of a sheet: each told with its start, kept when it is done, and counted for what it costs."""

import functools
import shutil
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

import msgspec

from milepost.operations import Run
from milepost.servers.production.sheet.memory import TOO_LARGE, kills
from milepost.servers.production.sheet.room import DISK_FULL, check_room, is_want_of_room

P = ParamSpec("P")
T = TypeVar("T")

BEGUN: Final = "stage.json"
"""In the folder of the sheet: the stage that is going on."""


def start_time() -> str:
    """The time as messages tell it, such as ``Start Time: Monday, September 21, 2020 03:48:22 PM``."""
    return f"Start Time: {datetime.fromtimestamp(time.time(), UTC):%A, %B %d, %Y %I:%M:%S %p}"


class Begun(msgspec.Struct, frozen=True):
    """A stage that was begun."""

    stage: str
    kills: int
    """How many processes the system had ended for want of memory by then."""


class Stages:
    """The stages of a sheet, one after the other.

    The share of the work that is done grows with what the stages cost, and within a stage with its pieces.
    """

    def __init__(self, run: Run, folder: Path, costs: Mapping[str, float]):
        """What is going to be done.

        Args:
            run: told stages, messages and progress; it keeps what is done.
            folder: of the sheet.
            costs: of each stage, by its title, in the order in which they come; in any unit.
        """
        self._run = run
        self._folder = folder
        self._left = dict(costs)
        self._done = 0.0
        self._span = 0.0
        self._previous = _begun(folder)

    def expect(self, costs: Mapping[str, float]) -> None:
        """What stages cost, once more is known of them; those that have begun stay as they are."""
        self._left |= {title: cost for title, cost in costs.items() if title in self._left}

    def do(self, title: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do a stage, or take over what an earlier attempt has kept of it.

        Raises:
            ValueError: an earlier attempt at it was ended because the memory of the machine was full, or there is no
            room on the disk for its files; those that there were are gone.
        """
        total = sum(self._left.values())
        self._span = (1.0 - self._done) * self._left.pop(title) / total
        try:
            if self._run.has_done(title):
                return self._run.step(title, function, *args, **kwargs)
            self._begin(title)
            with self._run.stage(title):
                return self._run.step(title, self._with_room(function), *args, **kwargs)
        finally:
            self._done, self._span = self._done + self._span, 0.0

    def _with_room(self, function: Callable[P, T]) -> Callable[P, T]:
        """The work of a stage, which gives up and clears away where the disk has no room, before that is recorded."""

        @functools.wraps(function)
        def work(*args: P.args, **kwargs: P.kwargs) -> T:
            try:
                check_room(self._folder)
                result = function(*args, **kwargs)
                check_room(self._folder)
            except Exception as error:
                if not is_want_of_room(error, self._folder):
                    raise
                shutil.rmtree(self._folder, ignore_errors=True)
                raise ValueError(DISK_FULL) from error
            return result

        return work

    def within(self, share: float) -> None:
        """Tell how much of the stage is done that is going on, from 0 to 1."""
        self._run.progress(min(1.0, self._done + self._span * min(1.0, max(0.0, share))))

    def _begin(self, title: str) -> None:
        now = Begun(title, kills())
        if self._previous and self._previous.stage == title and now.kills > self._previous.kills:
            raise ValueError(f"{title}: {TOO_LARGE}")
        self._previous = None
        (self._folder / BEGUN).write_bytes(msgspec.json.encode(now))
        self._run.message(f"Executing {title}")
        self._run.message(start_time())
        self._run.progress(self._done, title)


def _begun(folder: Path) -> Begun | None:
    """The stage in which an earlier attempt ended; None if there was none."""
    try:
        return msgspec.json.decode((folder / BEGUN).read_bytes(), type=Begun)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
