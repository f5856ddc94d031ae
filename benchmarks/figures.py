"""Figures: samples taken in turns, ratios with their spread, and the table they are printed in."""

import os
import platform
import sqlite3
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

HEADER = ("what", "value", "floor", "ratio", "spread", "aim", "reached")


@dataclass(frozen=True)
class Ratio:
    """A ratio of two things that were measured in turns: the median of the pairs and their quartiles."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f}"

    @property
    def spread(self) -> str:
        """Between what the middle half of the pairs lies."""
        return f"{self.low:.2f} to {self.high:.2f}"


@dataclass(frozen=True)
class Figure:
    """One line of the table."""

    what: str
    value: str
    floor: str = ""
    ratio: Ratio | None = None
    aim: str = ""
    reached: bool | None = None

    def cells(self) -> tuple[str, ...]:
        """The line, column by column."""
        reached = "" if self.reached is None else "yes" if self.reached else "NO"
        ratio, spread = (str(self.ratio), self.ratio.spread) if self.ratio else ("", "")
        return (self.what, self.value, self.floor, ratio, spread, self.aim, reached)


@dataclass(frozen=True)
class Report:
    """What one benchmark found."""

    figures: list[Figure]
    note: str = ""
    """How it was measured, and what limits it."""


def in_turns(rounds: int, *measures: Callable[[], float]) -> list[list[float]]:
    """The samples of each measure. Every other round goes backwards, so that none is always the first."""
    samples: list[list[float]] = [[] for _ in measures]
    for number in range(rounds):
        order = list(enumerate(measures))
        for index, measure in reversed(order) if number % 2 else order:
            samples[index].append(measure())
    return samples


def ratio(ours: Sequence[float], floor: Sequence[float]) -> Ratio:
    """How many times ``floor`` our samples are, pair by pair."""
    pairs = [a / b for a, b in zip(ours, floor, strict=True)]
    if len(pairs) < 2:
        return Ratio(pairs[0], pairs[0], pairs[0])
    low, _, high = statistics.quantiles(pairs, n=4, method="inclusive")
    return Ratio(statistics.median(pairs), low, high)


def per_second(samples: Sequence[float]) -> str:
    """The median of rates."""
    return f"{statistics.median(samples):,.0f}/s"


def milliseconds(samples: Sequence[float]) -> str:
    """The median of times in seconds."""
    return f"{statistics.median(samples) * 1000:.2f} ms"


def machine() -> str:
    """What the figures were taken on."""
    cores = os.cpu_count() or 1
    return (
        f"{cores} core{'s'[: cores > 1]}, {platform.system()} {platform.release()}, "
        f"{platform.python_implementation()} {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    )


def table(figures: Sequence[Figure]) -> str:
    """The lines under their header, in columns."""
    rows = [HEADER, *(each.cells() for each in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    lines = []
    for row in rows:
        # The first column is read, the others are compared.
        cells = [
            row[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])
