"""Lines by lengths along them; for many places on one line at a time."""

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


class Path:
    """A line of straight pieces, by lengths along it."""

    def __init__(self, xy: NDArray[np.float64]):
        """Through points, of shape (points, 2)."""
        self.xy = xy
        self.lengths = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(xy, axis=0).T))])
        self.length = float(self.lengths[-1])

    @classmethod
    def of(cls, line: Any) -> "Path":
        """Along a line of shapely."""
        return cls(shapely.get_coordinates(line))

    def at(self, length: float) -> tuple[float, float]:
        """The place at a length."""
        x, y = self.many(np.array([length]))[0]
        return float(x), float(y)

    def many(self, lengths: NDArray[np.float64]) -> NDArray[np.float64]:
        """The places at lengths, of shape (lengths, 2)."""
        return np.column_stack([np.interp(lengths, self.lengths, each) for each in self.xy.T])

    def even(self, count: int) -> NDArray[np.float64]:
        """So many places from the first to the last, the same length apart."""
        return self.many(np.linspace(0, self.length, count))


def without_bends(line: Any, window: float) -> NDArray[np.float64]:
    """A line without its small bends, so that letters along it do not dance."""
    count = max(4, int(line.length / window * 2))
    xy = Path.of(line).even(count + 1)
    for _ in range(8):
        xy[1:-1] = (xy[:-2] + 2 * xy[1:-1] + xy[2:]) / 4
    return xy


def beside(xy: Numbers, gap: float) -> Numbers:
    """A line to the left of another one."""
    run, rise = np.gradient(xy, axis=0).T
    length = np.maximum(np.hypot(run, rise), 1e-9)
    return xy + gap * np.column_stack([-rise / length, run / length])


def steps(length: float, margin: float, step: float) -> Numbers:
    """Lengths along a line that are a step apart, around its middle and away from its ends."""
    reach = length / 2 - margin
    if reach < 0:
        return np.empty(0)
    count = int(reach / step)
    return length / 2 + step * np.arange(-count, count + 1, dtype=np.float64)
