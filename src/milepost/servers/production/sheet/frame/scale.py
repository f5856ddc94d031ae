"""The block of the scale: its figure, bars in three units, and what contours and heights mean."""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from milepost.servers.production.sheet.definition import Contours, Product
from milepost.servers.production.sheet.frame.figures import nice, thousands
from milepost.servers.production.sheet.frame.pen import INK, Pen, text_width, wrap
from milepost.servers.production.sheet.frame.type import BODY, LEADING
from milepost.servers.production.sheet.geometry import MM, POINTS_PER_METRE
from milepost.servers.production.sheet.numerals import grouped

UNITS: Final = (
    ("kilometres", 1000.0, "metres", 1.0),
    ("statute miles", 1609.344, "yards", 0.9144),
    ("nautical miles", 1852.0, "", 0.0),
)
"""Large unit and its metres, and the unit that is used where the large one is too long for the paper."""

TITLE: Final = 11.0
BAR: Final = 2.6
ROW: Final = 17.0
LONGEST: Final = 160 * MM


@dataclass(frozen=True)
class Bar:
    """A scale bar.

    Attributes:
        unit: what its figures count.
        step: of the main divisions, in units.
        count: of main divisions to the right of zero; one more lies to its left, in smaller parts.
        parts: of the division to the left of zero.
        length: of a main division on paper, in points.
    """

    unit: str
    step: float
    count: int
    parts: int
    length: float


def bar_within(width: float, scale: int, unit: tuple[str, float, str, float]) -> Bar:
    """The scale bar of a unit that fits a width in points.

    The last of its figures is followed by the name of the unit, for which there must be room too.
    """
    large, metres, small, small_metres = unit
    name, one = large, metres / scale * POINTS_PER_METRE
    room = min(width, LONGEST)
    free = room - text_width(f"0000 {large}", "sans", BODY) - 6
    if small and free / one < 2:
        name, one = small, small_metres / scale * POINTS_PER_METRE
    step = nice(free / one / 4)
    length = step * one
    count = max(1, min(6, int(free / length) - 1))
    parts = (
        10
        if length > 50 and str(step).lstrip("0.")[0] != "2"
        else 4
        if str(step).lstrip("0.")[0] == "2"
        else 5
    )
    return Bar(name, step, count, parts, length)


def bars_within(width: float, scale: int) -> tuple[list[Bar], float, float]:
    """The bars of all units, whose zeros stand one below the other, and what they need to the left and right of it."""
    bars = [bar_within(width, scale, unit) for unit in UNITS]
    before = max(bar.length + text_width(grouped(bar.step), "sans", BODY) / 2 for bar in bars)
    while True:
        ends = [bar.count * bar.length + _tail(bar) for bar in bars]
        longest = ends.index(max(ends))
        if before + ends[longest] <= width or bars[longest].count == 1:
            return bars, before, ends[longest]
        bars[longest] = replace(bars[longest], count=bars[longest].count - 1)


@dataclass(frozen=True)
class ScaleBlock:
    """The scale, and the contour interval below it.

    Attributes:
        product: whose sheet it is.
        heights: whether anything is known of heights.
        contours: those that are drawn.
    """

    product: Product
    heights: bool
    contours: Contours | None

    def height(self, width: float) -> float:
        """Points that it needs at a width."""
        return (
            TITLE + 7 + ROW * len(UNITS) + (6 + LEADING * (1 + len(self._note(width))) if self.heights else 0)
        )

    def draw(self, pen: Pen, left: float, top: float, width: float) -> None:
        """Draw it below and to the right of a corner."""
        middle = left + width / 2
        pen.text(
            middle,
            top - TITLE * 0.8,
            f"Scale 1:{thousands(self.product.scale)}",
            TITLE,
            face="sans-bold",
            align="centre",
        )
        bars, before, after = bars_within(width, self.product.scale)
        zero = middle - (before + after) / 2 + before
        y = top - TITLE - 7
        for bar in bars:
            _draw_bar(pen, zero, y - 10, bar)
            y -= ROW
        contours = self.contours
        if not self.heights:
            return
        y -= 6
        title = (
            f"Contour interval {grouped(contours.interval)}\N{NO-BREAK SPACE}metres".upper()
            if contours
            else "Heights in metres".upper()
        )
        pen.text(middle, y - BODY * 0.85, title, 7, face="sans-bold", align="centre", spaced=0.3)
        y -= LEADING + 1
        for line in self._note(width):
            pen.text(middle, y - BODY * 0.85, line, BODY, align="centre")
            y -= LEADING

    def _note(self, width: float) -> list[str]:
        return wrap(contour_note(self.contours), "sans", BODY, width)


def contour_note(contours: Contours | None) -> str:
    """What the reader must know to read the contours."""
    words = "Heights in metres above mean sea level as given by the elevation source."
    if contours is None:
        return words
    index = contours.interval * contours.index_every
    ticks = " Ticks point down into depressions." if contours.tick else ""
    steep = contours.steep is not None and contours.interval == contours.steep.interval
    why = " The interval is that of steep sheets of the series." if steep else ""
    return f"Index contours every {grouped(index)}\N{NO-BREAK SPACE}m.{why}{ticks} {words}"


def _tail(bar: Bar) -> float:
    last = grouped(bar.count * bar.step)
    return text_width(last, "sans", BODY) / 2 + text_width(f" {bar.unit}", "sans", BODY)


def _draw_bar(pen: Pen, zero: float, y: float, bar: Bar) -> None:
    """Draw a bar whose zero is at a place."""
    ends = [zero - bar.length + bar.length * part / bar.parts for part in range(bar.parts + 1)]
    ends += [zero + bar.length * part for part in range(1, bar.count + 1)]
    for number, (start, end) in enumerate(pairwise(ends)):
        # Counted from zero outwards, so that the parts beside it always differ.
        dark = (number - bar.parts) % 2 == 0
        pen.box(start, y, end, y + BAR, fill=INK if dark else "#ffffff", stroke=INK, width=0.3)
    for number in range(-1, bar.count + 1):
        value = grouped(abs(number) * bar.step)
        x = zero + number * bar.length
        pen.text(x, y + BAR + 2.2, value, BODY, align="centre")
        if number == bar.count:
            pen.text(x + text_width(value, "sans", BODY) / 2, y + BAR + 2.2, f" {bar.unit}", BODY)
