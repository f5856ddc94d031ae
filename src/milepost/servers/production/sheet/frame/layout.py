"""How the blocks of the margin share the paper below the map: pure arithmetic, so that nothing ever overlaps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from milepost.servers.production.sheet.areas import Box
from milepost.servers.production.sheet.frame.pen import Pen
from milepost.servers.production.sheet.geometry import MM

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
        drop: how far below the top of the margin it begins.
    """

    blocks: tuple[Block, ...]
    left: float
    width: float
    drop: float = 0.0

    @property
    def height(self) -> float:
        """Points from the top of the margin to the bottom of its last block."""
        heights = [block.height(self.width) for block in self.blocks]
        return self.drop + sum(heights) + GAP * max(0, len(heights) - 1)

    def placed(self, left: float, top: float) -> list[Placed]:
        """Its blocks, when the margin begins at ``left`` and the stack at ``top``."""
        found = []
        top -= self.drop
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

    def stack(self, first: int, span: int, blocks: Sequence[Block], drop: float = 0.0) -> Stack:
        """Blocks that stand in some neighbouring columns."""
        left = self.left + first * (self.width + GUTTER)
        return Stack(tuple(blocks), left, span * self.width + (span - 1) * GUTTER, drop)


def arrange(columns: Columns, legend: Block | None, scale: Block, others: Sequence[Block]) -> list[Stack]:
    """The blocks of a margin in its columns, as low as possible.

    The legend stands at the left, over as many columns as make the margin lowest, and the scale beside it, over two
    where there is room. The others, each in one column, stand to the right of the two and below them.

    Args:
        columns: of the margin.
        legend: None when there is nothing to explain.
        scale: the block of the scale.
        others: in the order in which they are read.
    """
    if columns.count == 1:
        return [columns.stack(0, 1, [*([legend] if legend else []), scale, *others])]
    span = 2 if columns.count > 3 else 1
    best: tuple[tuple[float, float], list[Stack]] | None = None
    for wide in range(1, columns.count - span + 1) if legend else (0,):
        heads = [columns.stack(0, wide, [legend])] if legend else []
        heads.append(columns.stack(wide, span, [scale]))
        drops = [heads[0].height + GAP] * wide + [heads[-1].height + GAP] * span
        drops += [0.0] * (columns.count - wide - span)
        cost, places = _filled([block.height(columns.width) for block in others], drops)
        if best is None or cost < best[0]:
            best = cost, heads + _stacks(columns, others, places, drops, wide + span)
    assert best is not None
    return best[1]


def _filled(heights: Sequence[float], drops: Sequence[float]) -> tuple[tuple[float, float], tuple[int, ...]]:
    """The column of each block, so that the highest column is as low as possible and all are filled evenly.

    Args:
        heights: of the blocks.
        drops: where each column is free from.

    Returns:
        The height of the highest column with the sum of the squares of all, and the number of the column of each.
    """
    best: tuple[tuple[float, float], tuple[int, ...]] | None = None
    order = sorted(range(len(heights)), key=lambda number: -heights[number])

    def place(done: int, tops: tuple[float, ...], places: dict[int, int]) -> None:
        nonlocal best
        cost = (round(max(tops), 3), sum(top * top for top in tops))
        if best is not None and cost[0] > best[0][0]:
            return
        if done == len(order):
            if best is None or cost < best[0]:
                best = cost, tuple(places[number] for number in range(len(heights)))
            return
        number, tried = order[done], set()
        for column, top in enumerate(tops):
            if top not in tried:  # columns that are as high are as good
                tried.add(top)
                higher = (*tops[:column], top + heights[number] + GAP, *tops[column + 1 :])
                place(done + 1, higher, {**places, number: column})

    place(0, tuple(drops), {})
    assert best is not None
    return best


def _stacks(
    columns: Columns, blocks: Sequence[Block], places: Sequence[int], drops: Sequence[float], free: int
) -> list[Stack]:
    """Blocks in their columns; of the columns with nothing above them, the one with the first block is leftmost."""
    held = [
        [number for number, place in enumerate(places) if place == column] for column in range(columns.count)
    ]
    held[free:] = sorted(held[free:], key=lambda numbers: numbers[:1] or [len(blocks)])
    return [
        columns.stack(column, 1, [blocks[number] for number in numbers], drops[column])
        for column, numbers in enumerate(held)
        if numbers
    ]


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
