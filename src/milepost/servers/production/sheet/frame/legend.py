"""The legend: only what is on the sheet, in as many columns as there is room for."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from milepost.servers.production.sheet.contents import Entry
from milepost.servers.production.sheet.frame.layout import GUTTER
from milepost.servers.production.sheet.frame.pen import Pen, wrap
from milepost.servers.production.sheet.frame.samples import HEIGHT, WIDTH, draw_sample
from milepost.servers.production.sheet.frame.type import BODY, HEAD, LEADING, heading
from milepost.servers.production.sheet.geometry import MM

ROW: Final = 11.2
GROUP: Final = 13.0
"""Points that the name of a group takes."""

INDENT: Final = WIDTH + 7

NARROW: Final = 36 * MM
"""The least width of a column, in points: few entries are longer than a line in it."""

SHORT: Final = 3
"""Entries of a group that always stay together."""


@dataclass(frozen=True)
class _Row:
    """An entry, or the name of a group when there is none."""

    text: str
    entry: Entry | None = None

    def lines(self, width: float) -> list[str]:
        return wrap(self.text, "sans", BODY, width - INDENT) if self.entry else [self.text]

    def height(self, width: float) -> float:
        if self.entry is None:
            return GROUP
        return max(ROW, len(self.lines(width)) * LEADING + 2)


@dataclass(frozen=True)
class LegendBlock:
    """The symbols of a sheet and what they mean."""

    entries: Sequence[Entry]

    def height(self, width: float) -> float:
        """Points that it needs at a width."""
        each, columns = self._columns(width)
        return HEAD + max(sum(row.height(each) for row in column) for column in columns)

    def draw(self, pen: Pen, left: float, top: float, width: float) -> None:
        """Draw it below and to the right of a corner."""
        below = heading(pen, left, top, width, "Legend")
        each, columns = self._columns(width)
        for number, column in enumerate(columns):
            x, y = left + number * (each + GUTTER), below
            for row in column:
                height = row.height(each)
                if row.entry is None:
                    pen.text(x, y - 9.4, row.text, 6, face="sans-italic")
                else:
                    draw_sample(pen, x, y - (ROW + HEIGHT) / 2, row.entry.geometry, row.entry.symbols)
                    for line_number, line in enumerate(row.lines(each)):
                        pen.text(x + INDENT, y - ROW / 2 - BODY * 0.36 - line_number * LEADING, line, BODY)
                y -= height

    def _columns(self, width: float) -> tuple[float, list[list[_Row]]]:
        """The width of a column, and the rows of each, filled as evenly as their order allows."""
        count = max(1, int((width + GUTTER) // (NARROW + GUTTER)))
        each = (width - (count - 1) * GUTTER) / count
        groups = [list(entries) for _, entries in groupby(self.entries, key=lambda entry: entry.theme)]
        pieces = [piece for group in groups for piece in _pieces(group, named=len(groups) > 1)]
        low, high = 0.0, sum(row.height(each) for piece in pieces for row in piece.rows)
        # The least height at which the rows fit into the columns.
        while high - low > 0.5:
            middle = (low + high) / 2
            low, high = (low, middle) if len(_filled(pieces, each, middle)) <= count else (middle, high)
        return each, _filled(pieces, each, high) or [[]]


@dataclass(frozen=True)
class _Piece:
    """Rows that stay together.

    Attributes:
        rows: in their order.
        again: the name of their group, to be repeated where they begin a column.
    """

    rows: Sequence[_Row]
    again: _Row | None = None


def _pieces(group: Sequence[Entry], *, named: bool) -> list[_Piece]:
    """What a group may be cut into, so that no entry stands alone: a short one not at all."""
    name = [_Row(group[0].theme)] if named else []
    rows = [_Row(entry.text, entry) for entry in group]
    if len(rows) <= SHORT:
        return [_Piece([*name, *rows])]
    again = _Row(f"{group[0].theme} (continued)") if named else None
    single = [_Piece([row], again) for row in rows[2:-2]]
    return [_Piece([*name, *rows[:2]]), *single, _Piece(rows[-2:], again)]


def _filled(pieces: Sequence[_Piece], width: float, height: float) -> list[list[_Row]]:
    """Rows in columns of a height."""
    columns: list[list[_Row]] = []
    room = 0.0
    for piece in pieces:
        rows = list(piece.rows)
        if sum(row.height(width) for row in rows) > room + 1e-6 or not columns:
            columns.append([])
            room = height
            rows = [*([piece.again] if piece.again else []), *rows]
        columns[-1] += rows
        room -= sum(row.height(width) for row in rows)
    return columns
