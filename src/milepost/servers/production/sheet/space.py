"""What is taken on a sheet, so that labels find a place of their own."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray

from milepost.servers.production.sheet.paths import Path

CLEARANCE: Final = 0.25
"""Millimetres of paper between two labels."""
INSIDE: Final = 0.8
"""Millimetres from the neatline to the nearest label."""

_CELL: Final = 0.25
"""Millimetres of the cells in which signs are counted."""
_BUCKET: Final = 12.0
"""Millimetres of the squares in which labels are looked up."""


class Space:
    """What is taken on a sheet: by labels and markers altogether, by other signs more or less."""

    def __init__(self, neatline: Any, scale: int):
        self.millimetre = scale / 1000
        self.inner = neatline.buffer(-INSIDE * self.millimetre)
        shapely.prepare(self.inner)
        self.left, self.bottom, right, top = neatline.bounds
        self.cell = _CELL * self.millimetre
        shape = int((top - self.bottom) / self.cell) + 2, int((right - self.left) / self.cell) + 2
        self.ink: NDArray[np.float32] = np.zeros(shape, dtype=np.float32)
        self._sums: NDArray[np.float64] | None = None
        self._buckets: dict[tuple[int, int], list[tuple[Any, tuple[float, ...], int]]] = {}
        self._count = 0

    def add_ink(self, lines: Iterable[Any], weight: float) -> None:
        """Count signs along lines."""
        for line in lines:
            count = max(2, int(line.length / self.cell * 1.5) + 1)
            xy = Path.of(line).even(count)
            rows = ((xy[:, 1] - self.bottom) / self.cell).astype(int)
            columns = ((xy[:, 0] - self.left) / self.cell).astype(int)
            there = (rows >= 0) & (columns >= 0) & (rows < self.ink.shape[0]) & (columns < self.ink.shape[1])
            cells = self.ink[rows[there], columns[there]]
            self.ink[rows[there], columns[there]] = np.maximum(cells, weight)
        self._sums = None

    def crowded(self, shapes: Sequence[Any]) -> NDArray[np.float64]:
        """How much is written over by labels: about the millimetres of lines of weight 1."""
        if self._sums is None:
            sums = np.zeros((self.ink.shape[0] + 1, self.ink.shape[1] + 1))
            sums[1:, 1:] = self.ink.cumsum(0, dtype=np.float64).cumsum(1)
            self._sums = sums
        rows, columns = self.ink.shape
        bounds = shapely.bounds(shapes).reshape(-1, 4)
        c0, c1 = (
            np.clip((bounds[:, each] - self.left) // self.cell, 0, columns).astype(int) for each in (0, 2)
        )
        r0, r1 = (
            np.clip((bounds[:, each] - self.bottom) // self.cell, 0, rows).astype(int) for each in (1, 3)
        )
        total = self._sums[r1, c1] - self._sums[r0, c1] - self._sums[r1, c0] + self._sums[r0, c0]
        boxes = np.maximum((bounds[:, 2] - bounds[:, 0]) * (bounds[:, 3] - bounds[:, 1]), 1e-9)
        # A box around a turned text holds more than what the text covers.
        return np.asarray(total * _CELL * shapely.area(shapes) / boxes)

    def take(self, shape: Any) -> None:
        """Let nothing else stand where a shape is."""
        self._count += 1
        entry = (shape, shape.bounds, self._count)
        for bucket in self._around(shape.bounds):
            self._buckets.setdefault(bucket, []).append(entry)

    def free(self, shape: Any) -> bool:
        """Whether a label may stand there: inside the neatline, and touching no other."""
        if not self.inner.contains(shape):
            return False
        gap = CLEARANCE * self.millimetre
        left, bottom, right, top = shape.bounds
        seen = set()
        for bucket in self._around(shape.bounds):
            for other, box, number in self._buckets.get(bucket, ()):
                if number in seen:
                    continue
                seen.add(number)
                apart = (
                    box[0] > right + gap or box[2] < left - gap or box[1] > top + gap or box[3] < bottom - gap
                )
                if not apart and other.distance(shape) < gap:
                    return False
        return True

    def _around(self, bounds: Sequence[float]) -> Iterator[tuple[int, int]]:
        size = _BUCKET * self.millimetre
        c0, r0, c1, r1 = (math.floor(each / size) for each in bounds)
        for row in range(r0 - 1, r1 + 2):
            for column in range(c0 - 1, c1 + 2):
                yield row, column
