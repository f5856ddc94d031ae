"""Small diagrams of the margin: the adjoining sheets, and the tints of the relief."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from reportlab.lib.colors import Color, HexColor

from milepost.servers.production.sheet.definition import Shading
from milepost.servers.production.sheet.frame.figures import degrees, thousands
from milepost.servers.production.sheet.frame.pen import INK, Pen, wrap
from milepost.servers.production.sheet.frame.type import BODY, HEAD, LEADING, heading
from milepost.servers.production.sheet.geometry import SheetGeometry
from milepost.servers.production.sheet.order import Direction
from milepost.servers.production.sheet.symbols import Face

AROUND: Final[tuple[tuple[Direction | None, ...], ...]] = (
    ("NW", "N", "NE"),
    ("W", None, "E"),
    ("SW", "S", "SE"),
)
"""The neighbours of a sheet by where they lie, from the upper left."""

CELL: Final = 21.0
FIGURES: Final = 34.0
"""Points to the left of the diagram for latitudes."""

TINT: Final = 6.0
"""Points of height of the tints towards the light, and of those away from it."""


@dataclass(frozen=True)
class AdjoiningBlock:
    """The sheet among its neighbours of the same size.

    Attributes:
        sheet: the one in the middle.
        title: its number or name.
        names: of the neighbours, by where they lie; those without a name are only drawn.
    """

    sheet: SheetGeometry
    title: str
    names: Mapping[Direction, str]

    def height(self, width: float) -> float:  # noqa: ARG002 - as every block
        """Points that it needs at a width."""
        return HEAD + 3 * CELL + 10

    def draw(self, pen: Pen, left: float, top: float, width: float) -> None:
        """Draw it below and to the right of a corner."""
        below = heading(pen, left, top, width, "Adjoining sheets")
        x0 = left + FIGURES
        each = (width - FIGURES) / 3
        for row, line in enumerate(AROUND):
            for column, place in enumerate(line):
                x, y = x0 + column * each, below - (row + 1) * CELL
                pen.box(
                    x, y, x + each, y + CELL, stroke=INK, width=0.3, fill="#dfe3e6" if not place else None
                )
                self._name(pen, x, y, each, place)
        pen.box(x0 + each, below - 2 * CELL, x0 + 2 * each, below - CELL, stroke=INK, width=0.9)
        sheet = self.sheet
        for value, y in ((sheet.north, below - CELL), (sheet.south, below - 2 * CELL)):
            pen.text(x0 - 3, y - 2, degrees(value, "NS"), 5.4, align="right")
        for value, x in ((sheet.west, x0 + each), (sheet.east, x0 + 2 * each)):
            pen.text(x, below - 3 * CELL - 7, degrees(value, "EW"), 5.4, align="centre")

    def _name(self, pen: Pen, x: float, y: float, each: float, place: Direction | None) -> None:
        text = self.names.get(place, "") if place else self.title
        face: Face = "sans" if place else "sans-bold"
        size = 5.8
        lines = wrap(text, face, size, each - 4)
        if len(lines) > 2:
            size = 5.0
            lines = wrap(text, face, size, each - 3)[:3]
        foot = y + CELL / 2 + (len(lines) * (size + 0.6)) / 2 - size * 0.86
        for number, line in enumerate(lines):
            pen.text(x + each / 2, foot - number * (size + 0.6), line, size, face=face, align="centre")


@dataclass(frozen=True)
class ReliefBlock:
    """What the tints of the ground mean, and from where the light falls.

    Attributes:
        shading: of the product.
        lowest, highest: heights on the sheet, in metres.
    """

    shading: Shading
    lowest: float
    highest: float

    def height(self, width: float) -> float:
        """Points that it needs at a width."""
        return HEAD + 2 * TINT + 12 + len(self._note(width)) * LEADING

    def draw(self, pen: Pen, left: float, top: float, width: float) -> None:
        """Draw it below and to the right of a corner."""
        below = heading(pen, left, top, width, "Relief")
        shading, right = self.shading, left + width
        for top_of_row, dark in ((below, 0.0), (below - TINT, shading.strength / 2)):
            foot = top_of_row - TINT
            with pen.clipped(
                [(left, foot), (right, foot), (right, top_of_row), (left, top_of_row)]
            ) as canvas:
                ends = tuple(_darkened(color, shading.shadow, dark) for color in (shading.low, shading.high))
                canvas.linearGradient(left, below, right, below, ends)
        pen.box(left, below - 2 * TINT, right, below, stroke=INK, width=0.3)
        foot = below - 2 * TINT - 7.5
        pen.text(left, foot, f"lowest {thousands(self.lowest)}\N{NO-BREAK SPACE}m", BODY)
        pen.text(
            left + width, foot, f"highest {thousands(self.highest)}\N{NO-BREAK SPACE}m", BODY, align="right"
        )
        for number, line in enumerate(self._note(width)):
            pen.text(left, foot - 1 - (number + 1) * LEADING, line, BODY)

    def _note(self, width: float) -> list[str]:
        return wrap(relief_note(self.shading), "sans", BODY, width)


def _darkened(color: str, shadow: str, share: float) -> Color:
    """A colour of which a share is in the shade."""
    light, dark = HexColor(color), HexColor(shadow)
    return Color(*(a * (1 - share) + b * share for a, b in zip(light.rgb(), dark.rgb(), strict=True)))


WINDS: Final = ("north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west")


def relief_note(shading: Shading) -> str:
    """From where the light of the shading falls."""
    main = max(shading.lights, key=lambda light: light.weight)
    wind = WINDS[round(main.azimuth / 45) % 8]
    return f"Shaded with light from the {wind}, {shading.altitude:g}° above the horizon; the lower half of the bar is in shade."
