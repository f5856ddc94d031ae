"""Where water runs to on a ground that is known by its heights alone."""

import heapq
from typing import Final

import numpy as np
from numpy.typing import NDArray

_NEIGHBOURS: Final = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))
_AROUND: Final = 5
"""Cells on each side of one whose heights tell the lower side of a plain."""

Heights = NDArray[np.float32]
Cells = NDArray[np.int64]


def drained(heights: Heights) -> tuple[Cells, Cells]:
    """Where the water of each cell goes, and the cells from the lowest outlet upwards.

    Hollows are left where their rim is lowest, after Barnes, Lehman and Mulla (2014): the ground is flooded
    from its edges, lowest first, so that each cell is reached from the one that its water leaves by. In what is
    flooded to one level the way goes where the ground is deepest, and where it is level through its lowest
    surroundings, so that streams keep to the middle of plains as Garbrecht and Martz (1997) have it. Elsewhere the
    steepest way down is taken.

    Args:
        heights: of shape (rows, columns).

    Returns:
        The number of the cell that each one drains to, its own at the edges; and all numbers in the order in
        which the flood came to them. Both have one value for each cell, row by row.
    """
    rows, columns = heights.shape
    wide = columns + 2
    # With a border of cells that count as seen, no neighbour needs to be looked for at the edges.
    ground = np.pad(heights, 1).ravel().tolist()
    seen = bytearray(np.pad(np.zeros(heights.shape, np.uint8), 1, constant_values=1).tobytes())
    filled = list(ground)
    around_it = np.pad(_surroundings(heights), 1).ravel().tolist()
    receiver = list(range(len(ground)))
    order: list[int] = []
    around = [down * wide + right for down, right in _NEIGHBOURS]
    inner = np.arange(len(ground)).reshape(rows + 2, wide)[1:-1, 1:-1]
    edge = np.unique([*inner[0], *inner[-1], *inner[:, 0], *inner[:, -1]]).tolist()
    heap = [(ground[cell], ground[cell], around_it[cell], cell) for cell in edge]
    for cell in edge:
        seen[cell] = 1
    heapq.heapify(heap)
    while heap:
        level, _, _, cell = heapq.heappop(heap)
        order.append(cell)
        for step in around:
            other = cell + step
            if not seen[other]:
                seen[other] = 1
                receiver[other] = cell
                height = ground[other]
                filled[other] = max(height, level)
                heapq.heappush(heap, (filled[other], height, around_it[other], other))
    numbers = np.full(len(ground), -1)
    numbers[inner.ravel()] = np.arange(rows * columns)
    to = numbers[np.array(receiver)[inner]]
    _down_the_steepest(np.array(filled)[inner], to)
    return to.ravel(), numbers[order]


def _down_the_steepest(filled: NDArray[np.float64], receiver: Cells) -> None:
    """Lead the water of cells with a deeper neighbour there; the edges keep theirs."""
    rows, columns = filled.shape
    best = np.zeros((rows - 2, columns - 2))
    target = np.full((rows - 2, columns - 2), -1)
    numbers = np.arange(rows * columns).reshape(rows, columns)
    for down, right in _NEIGHBOURS:
        window = slice(1 + down, rows - 1 + down), slice(1 + right, columns - 1 + right)
        fall = (filled[1:-1, 1:-1] - filled[window]) / np.hypot(down, right)
        target = np.where(fall > best, numbers[window], target)
        best = np.maximum(best, fall)
    receiver[1:-1, 1:-1] = np.where(target >= 0, target, receiver[1:-1, 1:-1])


def _surroundings(heights: Heights) -> NDArray[np.float64]:
    """The mean height of the square around each cell, evened out: less in the middle of a plain than at its foot."""
    found = heights.astype(np.float64)
    for _ in range(2):
        for axis in (0, 1):
            around = [(_AROUND + 1, _AROUND) if each == axis else (0, 0) for each in (0, 1)]
            sums = np.cumsum(np.pad(found, around, mode="edge"), axis=axis)
            wide = 2 * _AROUND + 1
            upper, lower = (
                np.take(sums, np.arange(first, first + found.shape[axis]), axis=axis) for first in (wide, 0)
            )
            found = (upper - lower) / wide
    return found


def gathered(receiver: Cells, order: Cells, areas: NDArray[np.float64]) -> NDArray[np.float64]:
    """The area whose water comes through each cell, its own included.

    Args:
        receiver: where the water of each cell goes.
        order: the cells; a receiver stands before those that drain to it.
        areas: of each cell.
    """
    total = areas.tolist()
    to = receiver.tolist()
    for cell in reversed(order.tolist()):
        if to[cell] != cell:
            total[to[cell]] += total[cell]
    return np.array(total)
