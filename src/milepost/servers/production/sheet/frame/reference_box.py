"""The grid reference box: the letters of the sheet, and a reference read step by step."""

from dataclasses import dataclass
from typing import Final

from milepost.servers.production.sheet.frame.pen import INK, Pen, text_width, wrap
from milepost.servers.production.sheet.frame.references import Example, Square
from milepost.servers.production.sheet.frame.square_map import SquareMap
from milepost.servers.production.sheet.frame.type import BODY, HEAD, LEADING, heading
from milepost.servers.production.sheet.geometry import SheetGeometry
from milepost.servers.production.sheet.symbols import Face

HUNDRED: Final = "100\N{NO-BREAK SPACE}000\N{NO-BREAK SPACE}m"

SHARE: Final = 0.42
"""Of the width of the upper part, which has the zone at the left and the squares at the right."""

MAP: Final = 24.5
"""Points of the height of the small map of the squares, or more where they are many."""

AROUND: Final = 13.5
"""Of what is above and below it."""

PAD: Final = 4.0
PRINCIPAL: Final = 8.5
"""Size of the letters and figures that make up the reference."""


@dataclass(frozen=True)
class ReferenceBlock:
    """How to give a place by the grid.

    Attributes:
        sheet: the map.
        zones: the grid zone designations.
        squares: the squares of 100 kilometres on it.
        place: what the worked example refers to.
        example: its reference.
        interval: metres between the grid lines.
    """

    sheet: SheetGeometry
    zones: list[str]
    squares: list[Square]
    place: str
    example: Example
    interval: int

    def steps(self) -> list[tuple[str, str]]:
        """What to do, and what is found, in turn."""
        large = "large figure" if self.interval >= 10_000 else "large figures"
        example = self.example
        return [
            (f"Letters of the {HUNDRED} square of the place", example.letters),
            (f"First vertical line left of it: {large}", example.east),
            ("Tenths from that line to the place", example.east_tenths),
            (f"First horizontal line below it: {large}", example.north),
            ("Tenths from that line to the place", example.north_tenths),
        ]

    def height(self, width: float) -> float:
        """Points that it needs at a width."""
        rows = sum(self._row(text, width)[1] for text, _ in self.steps())
        lines = len(self._sample(width)) * LEADING
        return HEAD + self._top(width) + PAD + lines + 2 + rows + 18 + len(self._note(width)) * LEADING + PAD

    def draw(self, pen: Pen, left: float, top: float, width: float) -> None:
        """Draw it below and to the right of a corner."""
        below = heading(pen, left, top, width, "Grid reference")
        right, bottom = left + width, top - self.height(width)
        pen.box(left, bottom, right, below, stroke=INK, width=0.5)
        middle = left + width * SHARE
        floor = below - self._top(width)
        pen.line([(middle, below), (middle, floor)], 0.35)
        pen.line([(left, floor), (right, floor)], 0.35)
        pen.text(left + PAD, below - 8, "Grid zone designation", 5.4)
        self._letters(pen, " ".join(self.zones), left + PAD, below - 30, middle - left - 2 * PAD)
        squares = f"{HUNDRED} squares" if len(self.squares) > 1 else f"{HUNDRED} square"
        pen.text(middle + PAD, below - 8, squares, 5.4)
        if len(self.squares) > 1:
            self._map(width).draw(pen, middle + PAD, floor + 3)
        else:
            text = self.squares[0].letters if self.squares else self.example.letters
            self._letters(pen, text, middle + PAD, below - 30, right - middle - 2 * PAD)
        y = floor - PAD
        for number, line in enumerate(self._sample(width)):
            face: Face = "sans-bold" if number == 0 else "sans"
            pen.text(left + PAD, y - BODY * 0.85, line, BODY, face=face)
            y -= LEADING
        y -= 2
        for number, (text, found) in enumerate(self.steps(), 1):
            lines, height = self._row(text, width)
            pen.text(left + PAD, y - BODY * 0.95, str(number), BODY, face="sans-bold")
            for line_number, line in enumerate(lines):
                pen.text(left + PAD + 8, y - BODY * 0.95 - line_number * LEADING, line, BODY)
            pen.text(right - PAD, y - BODY * 1.05, found, PRINCIPAL, face="sans-bold", align="right")
            y -= height
        pen.line([(left + PAD, y - 1), (right - PAD, y - 1)], 0.35)
        pen.text(left + PAD, y - 12, "Reference", BODY, face="sans-bold")
        pen.text(
            right - PAD, y - 12.6, self.example.reference, PRINCIPAL + 1, face="sans-bold", align="right"
        )
        y -= 18
        for line in self._note(width):
            pen.text(left + PAD, y - BODY * 0.85, line, BODY, face="sans-italic")
            y -= LEADING

    def _top(self, width: float) -> float:
        """Points of the upper part, with the letters."""
        return AROUND + (self._map(width).height if len(self.squares) > 1 else MAP)

    def _map(self, width: float) -> SquareMap:
        return SquareMap.within(self.sheet, self.squares, width * (1 - SHARE) - 2 * PAD, MAP)

    def _sample(self, width: float) -> list[str]:
        words = "one kilometre" if self.interval >= 10_000 else "100 metres"
        return [f"Example to {words}", *wrap(self.place, "sans", BODY, width - 2 * PAD)]

    def _note(self, width: float) -> list[str]:
        zone = self.zones[0] if len(self.zones) == 1 else "the grid zone designation"
        return wrap(f"Beyond this area put {zone} before it.", "sans-italic", BODY, width - 2 * PAD)

    def _row(self, text: str, width: float) -> tuple[list[str], float]:
        lines = wrap(text, "sans", BODY, width - 2 * PAD - 8 - text_width("WW", "sans-bold", PRINCIPAL) - 4)
        return lines, max(9.6, len(lines) * LEADING + 1)

    def _letters(self, pen: Pen, text: str, x: float, y: float, room: float) -> None:
        size = 18.0
        while text_width(text, "sans-bold", size) > room and size > 5:
            size -= 0.5
        pen.text(x, y, text, size, face="sans-bold")
