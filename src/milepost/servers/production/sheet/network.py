"""Lines as a network: cut where they meet, so that what is done to one is done to all that meet it there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from milepost.servers.production.sheet.paths import Numbers, Path

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Network:
    """Lines in parts, each from one place where lines meet or end to the next.

    Attributes:
        parts: vertices of each part, of shape (vertices, 2); those of a line follow each other.
        owner: the line that each part belongs to.
        count: of lines.
    """

    parts: tuple[Numbers, ...]
    owner: Indices
    count: int

    @classmethod
    def of(cls, lines: Sequence[Any]) -> "Network":
        """Cut lines at the vertices that they share, each with others or with itself."""
        xy, index = shapely.get_coordinates(lines, return_index=True)
        _, same = np.unique(np.round(xy, 2), axis=0, return_inverse=True)
        shared = np.bincount(same.ravel())[same.ravel()] > 1
        first = np.concatenate([[True], np.diff(index) > 0])
        last = np.concatenate([first[1:], [True]])
        cuts = np.flatnonzero(shared | first | last)
        parts, owner = [], []
        for start, end in pairwise(cuts.tolist()):
            if index[start] == index[end]:
                parts.append(xy[start : end + 1])
                owner.append(index[start])
        return cls(tuple(parts), np.array(owner, dtype=np.int64), len(lines))

    def each(self, function: Callable[[Any], Any]) -> "Network":
        """The network with a function of lines applied to each part; the ends of parts must stay."""
        parts = tuple(
            shapely.get_coordinates(function(shapely.LineString(part))) if len(part) > 2 else part
            for part in self.parts
        )
        return Network(parts, self.owner, self.count)

    def lines(self) -> list[Any]:
        """The lines, whole again."""
        pieces: list[list[Numbers]] = [[] for _ in range(self.count)]
        for part, owner in zip(self.parts, self.owner, strict=True):
            pieces[owner].append(part[1:] if pieces[owner] else part)
        return [shapely.LineString(np.concatenate(each)) for each in pieces]


def evened(line: Any, reach: float) -> Any:
    """A line without bends that are shorter than some length; its ends stay where they are.

    Args:
        line: of shapely.
        reach: the standard deviation of the lengths along the line over which places are averaged.
    """
    path = Path.of(line)
    if path.length < reach / 4:
        return line
    step = reach / 4
    count = max(8, int(np.ceil(path.length / step))) + 1
    xy = path.even(count)
    width = min(int(3 * reach / (path.length / (count - 1))) + 1, count - 1)
    weights = np.exp(-0.5 * (np.arange(-width, width + 1) * (path.length / (count - 1)) / reach) ** 2)
    # Beyond its ends a line goes on as its mirror image, and so ends where it did.
    around = np.concatenate([2 * xy[0] - xy[width:0:-1], xy, 2 * xy[-1] - xy[-2 : -width - 2 : -1]])
    smooth = np.column_stack([np.convolve(each, weights / weights.sum(), "valid") for each in around.T])
    smooth[0], smooth[-1] = xy[0], xy[-1]
    return shapely.LineString(smooth)
