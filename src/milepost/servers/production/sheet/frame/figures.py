"""Figures of the margin: angles, distances and grid values as maps print them."""

import math
from dataclasses import dataclass
from typing import Final

from milepost.servers.production.sheet.numerals import grouped

MINUTE: Final = "\N{PRIME}"
SECOND: Final = "\N{DOUBLE PRIME}"


def minutes(angle: float) -> str:
    """Degrees and whole minutes of an angle's size, such as one degree and four minutes."""
    total = round(abs(angle) * 60)
    return f"{total // 60}°{total % 60:02d}{MINUTE}"


def degrees(value: float, letters: str, *, seconds: bool = True) -> str:
    """A longitude or latitude, in degrees, minutes and seconds.

    Args:
        value: in degrees; longitudes beyond 180 are those west of the antimeridian.
        letters: the two to choose from, ``NS`` or ``EW``: for positive values, and for negative ones.
        seconds: whether to give them, or only minutes.
    """
    if letters == "EW":
        value = (value + 180) % 360 - 180 if abs(value) != 180 else value
    letter = letters[0] if value >= 0 else letters[1]
    total = round(abs(value) * 3600)
    whole, rest = divmod(total, 3600)
    text = f"{whole}°{rest // 60:02d}{MINUTE}"
    return f"{text}{rest % 60:02d}{SECOND}{letter}" if seconds else text + letter


def thousands(number: float) -> str:
    """A whole number in groups of three, as in ``50 000``."""
    return grouped(round(number))


@dataclass(frozen=True)
class GridFigure:
    """The value of a grid line: the principal figures are printed large.

    Attributes:
        before: small figures to the left, those of 100 kilometres.
        large: the principal figures.
        after: small figures to the right of the principal ones, empty unless lines are closer than a kilometre.
        rest: what completes the value in metres on the first line of a side.
    """

    before: str
    large: str
    after: str
    rest: str


def grid_figure(value: float, interval: int) -> GridFigure:
    """How the value of a grid line is printed.

    References are given by the figures of 10 and 1 kilometres; lines 10 kilometres apart show only the former, and
    lines 100 kilometres apart only the small ones.

    Args:
        value: metres east or north. Those below the equator in a northern grid are printed as in the southern one.
        interval: metres between lines.
    """
    metres = round(value) % 10_000_000
    hundreds, below = divmod(metres, 100_000)
    before = str(hundreds) if hundreds else ""
    if interval >= 100_000:
        return GridFigure(before or "0", "", "", "00000")
    if interval % 10_000 == 0:
        return GridFigure(before, str(below // 10_000), "", "0000")
    kilometres, rest = divmod(below, 1000)
    large = f"{kilometres:02d}"
    if interval % 1000:
        return GridFigure(before, large, f"{rest // 100}", f"{rest % 100:02d}")
    return GridFigure(before, large, "", "000")


def nice(value: float) -> float:
    """The largest of 1, 2, 5, 10, 20 and so on that is not more than a value."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (5.0, 2.0, 1.0) if step * power <= value * (1 + 1e-9))
