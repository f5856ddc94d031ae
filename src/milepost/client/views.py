"""What a job looks like to whoever watches it, whatever dialect its server speaks."""

import math
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final, Literal

import msgspec

Dialect = Literal[
    "geoprocessing",
    "enterprise",
    "server",
    "geoprocessing-admin",
    "mission",
    "production",
    "video",
    "processes",
]
"""Whose job resource it is. ``server`` is the administrative job of an ArcGIS Server."""

State = Literal[
    "queued",
    "running",
    "paused",
    "cancelling",
    "succeeded",
    "failed",
    "timed_out",
    "cancelled",
    "deleted",
    "unknown",
]
"""The one vocabulary that the words of all dialects are translated to.

``unknown`` covers a server that cannot tell at the moment and a word that no dialect has.
"""

FINISHED: Final[frozenset[State]] = frozenset({"succeeded", "failed", "timed_out", "cancelled", "deleted"})

MessageLevel = Literal["info", "warning", "error"]

LONGEST_TEXT: Final = 4000
"""Characters of a text that are kept; a message is for reading."""

# Control characters, line and direction overrides and halves of surrogate pairs. In a terminal
# they could rewrite what stands there already, or cannot be written at all.
_UNPRINTABLE: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class Message(msgspec.Struct, frozen=True):
    """Something the job said. ``code`` 0 means none."""

    text: str
    level: MessageLevel = "info"
    code: int = 0


class Stage(msgspec.Struct, frozen=True):
    """A named part of the work, and how far it is: pending, started, finished, failed or skipped."""

    name: str
    state: str


class Result(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that came out: a value, or the address where it can be had, or both."""

    name: str
    value: Any = None
    url: str = ""


class JobView(msgspec.Struct, frozen=True, kw_only=True):
    """A job at one moment. Times are UTC milliseconds since the epoch; 0 means not told."""

    dialect: Dialect
    id: str
    state: State
    status: str
    """The status in the server's own word."""
    fraction: float | None = None
    """Share of the work that is done, from 0 to 1; None when the server does not tell."""
    doing: str = ""
    """What the job says it is doing."""
    messages: tuple[Message, ...] = ()
    stages: tuple[Stage, ...] = ()
    results: tuple[Result, ...] = ()
    error: str = ""
    """Why the job failed; empty when it did not, or when the server does not say."""
    owner: str = ""
    operation: str = ""
    started_at: int = 0
    ended_at: int = 0

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen to the job."""
        return self.state in FINISHED


def new_messages(before: JobView | None, now: JobView) -> list[Message]:
    """What the job said since ``before``.

    Some dialects group messages by level, so new ones may stand between old ones; each text
    counts as often as it occurs.
    """
    seen = Counter(before.messages if before else ())
    new = []
    for message in now.messages:
        if seen[message] > 0:
            seen[message] -= 1
        else:
            new.append(message)
    return new


def clean(text: str) -> str:
    """A server's text without what could disturb a terminal; line breaks stay."""
    text = _UNPRINTABLE.sub(" ", text[: LONGEST_TEXT + 1])
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"


def one_line(texts: Iterable[str]) -> str:
    """Texts of a server as one line."""
    return " ".join(part for text in texts for part in clean(text).split())


def share(done: object, total: float = 1.0) -> float | None:
    """``done`` of ``total`` as a share from 0 to 1; None when that cannot be said."""
    if isinstance(done, bool) or not isinstance(done, int | float) or total <= 0:
        return None
    try:
        part = float(done) / total
    except OverflowError:
        return None
    return min(1.0, max(0.0, part)) if math.isfinite(part) else None
