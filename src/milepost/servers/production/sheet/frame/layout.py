"""How the blocks of the margin share the paper below the map: pure arithmetic, so that nothing ever overlaps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from milepost.servers.production.sheet.frame.pen import Pen
from milepost.servers.production.sheet.geometry import MM, Box

COLUMN: Final = 58 * MM
"""The least width of a column, in points: every block can be drawn in it."""

WIDEST_COLUMN: Final = 84 * MM
"""Wider lines of small type are hard to read; the columns of a very wide sheet stay together in the middle."""

MOST_COLUMNS: Final = 8
GUTTER: Final = 6 * MM
GAP: Final = 4.5 * MM
"""Between blocks that stand one below the other."""


class Block(Protocol):
    """A part of the margin. It can be drawn in any width from :data:`COLUMN` on."""

    def height(self, width: float) -> float:
        """Points that it needs at a width."""

    def draw(self, pen: Pen, left: float, top: float, width: float) -> None:
        """Draw it below and to the right of a corner."""


@dataclass(frozen=True)
class Placed:
    """A block and where it stands: left, bottom, right and top in points of the page."""

    block: Block
    box: Box

    def draw(self, pen: Pen) -> None:
        """Draw it there."""
        left, _, right, top = self.box
        self.block.draw(pen, left, top, right - left)


@dataclass(frozen=True)
class Stack:
    """Blocks one below the other.

    Attributes:
        blocks: from top to bottom.
        left: of the stack, from the left of the margin.
        width: of the stack.
    """

    blocks: tuple[Block, ...]
    left: float
    width: float

    @property
    def height(self) -> float:
        """Points from the top of its first block to the bottom of its last one."""
        heights = [block.height(self.width) for block in self.blocks]
        return sum(heights) + GAP * max(0, len(heights) - 1)

    def placed(self, left: float, top: float) -> list[Placed]:
        """Its blocks, when the margin begins at ``left`` and the stack at ``top``."""
        found = []
        for block in self.blocks:
            bottom = top - block.height(self.width)
            found.append(Placed(block, (left + self.left, bottom, left + self.left + self.width, top)))
            top = bottom - GAP
        return found


@dataclass(frozen=True)
class Columns:
    """Columns of one width that fill a margin.

    Attributes:
        count: how many.
        width: of one, in points.
        left: what is left free on both sides, where they would be too wide otherwise.
    """

    count: int
    width: float
    left: float

    @classmethod
    def within(cls, width: float) -> "Columns":
        """As many as a width in points has room for."""
        count = max(1, min(MOST_COLUMNS, int((width + GUTTER) // (COLUMN + GUTTER))))
        each = min(WIDEST_COLUMN, (width - (count - 1) * GUTTER) / count)
        return cls(count, each, (width - count * each - (count - 1) * GUTTER) / 2)

    def stack(self, first: int, span: int, blocks: Sequence[Block]) -> Stack:
        """Blocks that stand in some neighbouring columns."""
        left = self.left + first * (self.width + GUTTER)
        return Stack(tuple(blocks), left, span * self.width + (span - 1) * GUTTER)


def arrange(
    columns: Columns, first: Sequence[Block], middle: Sequence[Block], last: Sequence[Block]
) -> list[Stack]:
    """The blocks in columns, as low as possible.

    Where there is room, the first blocks (the legend) stand at the left, the middle ones (scale and heights) in the
    middle over two columns, and the last ones in the columns at the right. Otherwise all follow one another.
    """
    if columns.count < 3:
        return share(columns, 0, columns.count, [*first, *middle, *last])
    span = 2 if columns.count > 3 else 1
    choices = []
    for wide in range(1 if first else 0, (columns.count - span) if first else 1):
        stacks = [columns.stack(0, wide, first)] if first else []
        stacks.append(columns.stack(wide, span, middle))
        rest = columns.count - wide - span
        if rest < 1:
            continue
        stacks += share(columns, wide + span, rest, last)
        height = max(stack.height for stack in stacks)
        choices.append((round(height), abs(wide - rest), wide, stacks))
    return min(choices, key=lambda choice: choice[:3])[3]


def share(columns: Columns, first: int, count: int, blocks: Sequence[Block]) -> list[Stack]:
    """Blocks in their order in some columns, so that the highest column is as low as possible.

    Args:
        columns: of the margin.
        first: the number of the first column to use.
        count: how many to use.
        blocks: what to place.
    """
    if count == 1:
        return [columns.stack(first, 1, blocks)]
    best: list[Stack] = []
    for cut in range(1, len(blocks) + 1):
        stacks = [columns.stack(first, 1, blocks[:cut]), *share(columns, first + 1, count - 1, blocks[cut:])]
        if not best or max(stack.height for stack in stacks) < max(stack.height for stack in best) - 0.01:
            best = stacks
    return best or [columns.stack(first, 1, ())]
