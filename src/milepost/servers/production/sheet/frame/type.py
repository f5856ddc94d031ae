"""Sizes of type in the margin, and the parts that its blocks have in common: headings, paragraphs and tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from milepost.servers.production.sheet.frame.pen import Pen, text_width, words, wrap
from milepost.servers.production.sheet.symbols import Face

HEADING: Final = 6.8
BODY: Final = 6.2
LEADING: Final = 8.0
SPACED: Final = 0.35
"""Points between the capitals of headings."""

HEAD: Final = 15.0
"""Points that a heading with its rule takes."""


def heading(pen: Pen, left: float, top: float, width: float, text: str) -> float:
    """Write the heading of a block over a hairline; returns where the block goes on below."""
    capitals = text.upper()
    size = HEADING
    while size > 5 and text_width(capitals, "sans-bold", size) + SPACED * len(capitals) > width:
        size -= 0.2
    pen.text(left, top - HEADING * 0.75, capitals, size, face="sans-bold", spaced=SPACED)
    pen.line([(left, top - 9.2), (left + width, top - 9.2)], 0.35)
    return top - HEAD


@dataclass(frozen=True)
class Paragraph:
    """A text that is broken into lines.

    Attributes:
        text: of the paragraph.
        title: bold words before it.
        size: of the type.
        face: of the type.
    """

    text: str
    title: str = ""
    size: float = BODY
    face: Face = "sans"

    @property
    def leading(self) -> float:
        """From the foot of a line to that of the next."""
        return self.size * LEADING / BODY

    def lines(self, width: float) -> list[str]:
        """The lines at a width; the first one leaves room for the title."""
        if not self.title:
            return wrap(self.text, self.face, self.size, width)
        space = text_width(self.title + "  ", "sans-bold", self.size)
        # The title takes its room as a word that cannot be broken.
        hole = "\N{NO-BREAK SPACE}"
        filler = hole * max(1, round(space / text_width(hole, self.face, self.size)))
        return wrap_filled(filler, self.text, self.face, self.size, width)

    def height(self, width: float) -> float:
        """Points that it needs."""
        return len(self.lines(width)) * self.leading

    def draw(self, pen: Pen, left: float, top: float, width: float) -> None:
        """Write it."""
        y = top - self.size * 0.85
        for number, line in enumerate(self.lines(width)):
            if number == 0 and self.title:
                pen.text(left, y, self.title, self.size, face="sans-bold")
            pen.text(left, y, line, self.size, face=self.face)
            y -= self.leading


def wrap_filled(filler: str, text: str, face: Face, size: float, width: float) -> list[str]:
    """The lines of a text, the first of which begins with a filler."""
    indent = text_width(filler, face, size)
    rest = words(text)
    first: list[str] = []
    while rest and indent + text_width(" ".join([*first, rest[0]]), face, size) <= width:
        first.append(rest.pop(0))
    return [filler + " ".join(first), *wrap(" ".join(rest), face, size, width)]


def table_height(rows: Sequence[tuple[str, str]], width: float, share: float = 0.38) -> float:
    """Points that a table of two columns needs."""
    return sum(_row(row, width, share)[1] for row in rows)


def table(
    pen: Pen, left: float, top: float, width: float, rows: Sequence[tuple[str, str]], share: float = 0.38
) -> float:
    """Write a table of two columns; returns where its last row ends.

    Args:
        pen: to draw with.
        left: of the table.
        top: of the table.
        width: of the table.
        rows: what the left and right columns say.
        share: how much of the width the left column has.
    """
    for row in rows:
        (keys, values), height = _row(row, width, share)
        y = top - BODY * 0.85
        for line in keys:
            pen.text(left, y, line, BODY)
            y -= LEADING
        y = top - BODY * 0.85
        for line in values:
            pen.text(left + width * share, y, line, BODY)
            y -= LEADING
        top -= height
    return top


def _row(row: tuple[str, str], width: float, share: float) -> tuple[tuple[list[str], list[str]], float]:
    keys = wrap(row[0], "sans", BODY, width * share - 4)
    values = wrap(row[1], "sans", BODY, width * (1 - share))
    return (keys, values), max(len(keys), len(values)) * LEADING
