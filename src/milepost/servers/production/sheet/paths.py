"""Lines by lengths along them; for many places on one line at a time."""

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray


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
