"""The ground of a sheet: heights from elevation models, on a regular grid in sheet metres."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray

from milepost.servers.production.sheet.elevation import Grid, Mosaic, read_mosaics
from milepost.servers.production.sheet.geometry import SheetGeometry
from milepost.servers.production.sheet.order import Source

STEPS: Final = (0.25, 0.5)
"""Millimetres on paper from one height to the next: the least, and the most."""
FINER: Final = 5
"""How many steps there are to a cell of the elevation model, between these."""
MARGIN: Final = 3.0
"""Millimetres around the sheet that have heights too, so that contours run over the neatline."""

_BLOCK: Final = 1_000_000
"""Heights sampled at a time."""


@dataclass(frozen=True)
class Heights:
    """Heights in metres at the nodes of a grid; NaN where nothing is known.

    Attributes:
        values: of shape (rows, columns), the uppermost row first.
        left: sheet metres of the first column.
        top: sheet metres of the first row.
        step: sheet metres from node to node.
        cell: metres from height to height in the elevation model itself.
        filled: share of the values that was interpolated across voids.
    """

    values: Grid
    left: float
    top: float
    step: float
    cell: float
    filled: float = 0.0

    @property
    def x(self) -> NDArray[np.float64]:
        """Of the columns."""
        return self.left + self.step * np.arange(self.values.shape[1], dtype=np.float64)

    @property
    def y(self) -> NDArray[np.float64]:
        """Of the rows, falling."""
        return self.top - self.step * np.arange(self.values.shape[0], dtype=np.float64)

    def at(self, x: Any, y: Any) -> NDArray[np.float64]:
        """Heights at places in sheet metres, by linear interpolation; NaN outside."""
        columns = (np.asarray(x, float) - self.left) / self.step
        rows = (self.top - np.asarray(y, float)) / self.step
        height, width = self.values.shape
        inside = (columns >= 0) & (rows >= 0) & (columns <= width - 1) & (rows <= height - 1)
        c = np.clip(np.nan_to_num(columns), 0, width - 1.000001)
        r = np.clip(np.nan_to_num(rows), 0, height - 1.000001)
        j, i = c.astype(int), r.astype(int)
        u, v = c - j, r - i
        z = self.values
        found = (1 - v) * ((1 - u) * z[i, j] + u * z[i, j + 1]) + v * (
            (1 - u) * z[i + 1, j] + u * z[i + 1, j + 1]
        )
        return np.where(inside, found, np.nan)

    def within(self, area: Any) -> Grid:
        """The heights of the nodes in an area in sheet metres, one after the other."""
        shapely.prepare(area)
        band = max(1, _BLOCK // self.values.shape[1])
        found = []
        for first in range(0, self.values.shape[0], band):
            rows = slice(first, first + band)
            x, y = np.meshgrid(self.x, self.y[rows])
            found.append(self.values[rows][shapely.contains_xy(area, x, y)])
        return np.concatenate(found)

    def smoothed(self, sigma: float) -> "Heights":
        """The same ground, evened out over so many metres."""
        return Heights(
            _gaussian(self.values, sigma / self.step), self.left, self.top, self.step, self.cell, self.filled
        )

    def save(self, path: Path) -> None:
        """Write them to a file."""
        facts = np.array([self.left, self.top, self.step, self.cell, self.filled])
        with path.open("wb") as file:
            np.savez(file, values=self.values, facts=facts)

    @classmethod
    def load(cls, path: Path) -> "Heights":
        """What ``save`` wrote."""
        with np.load(path) as kept:
            return cls(kept["values"], *(float(each) for each in kept["facts"]))


def read_heights(
    sources: Sequence[Source],
    geometry: SheetGeometry,
    folder: Path,
    used: Callable[[str], None] = lambda _: None,
) -> Heights:
    """The heights of a sheet. Of several sources, the first that knows a place is taken.

    Args:
        sources: elevation models, in any projection.
        geometry: of the sheet.
        folder: for files on the way.
        used: told the path of each source that has some of the heights, maybe several times.

    Raises:
        ValueError: a source cannot be read.
    """
    least, most = (geometry.scale * each / 1000 for each in STEPS)
    folder.mkdir(parents=True, exist_ok=True)
    mosaics = list(read_mosaics(sources, geometry, least, folder))
    cell = min((mosaic.cell for mosaic in mosaics), default=most)
    step = min(most, max(least, cell / FINER))
    left, bottom, right, top = geometry.frame
    margin = int(np.ceil(MARGIN * geometry.scale / 1000 / step))
    left, top = left - margin * step, top + margin * step
    columns = int(np.ceil((right - left) / step)) + margin + 1
    rows = int(np.ceil((top - bottom) / step)) + margin + 1
    values = np.full((rows, columns), np.nan, dtype=np.float32)
    filled = 0.0
    for mosaic in mosaics:
        if np.isnan(values).any():
            known, voids = _sample(mosaic, geometry, values, (left, top, step))
            filled += voids / values.size
            for path in mosaic.sources if known else ():
                used(path)
    return Heights(values, left, top, step, cell, filled)


def _sample(
    mosaic: Mosaic, geometry: SheetGeometry, values: Grid, place: tuple[float, float, float]
) -> tuple[int, int]:
    """Interpolate a mosaic at the nodes of a grid that are not known yet; how many become so, and lie in voids."""
    left, top, step = place
    rows, columns = values.shape
    geographic = mosaic.crs.is_geographic
    projected = None if geographic else pyproj.Transformer.from_crs(4326, mosaic.crs, always_xy=True)
    band, known, filled = max(1, _BLOCK // columns), 0, 0
    x = left + step * np.arange(columns)
    for first in range(0, rows, band):
        part = values[first : first + band]
        y = top - step * np.arange(first, first + len(part))
        sx, sy = np.meshgrid(x, y)
        mx, my = geometry.lonlat_of_sheet(sx.ravel(), sy.ravel())
        if projected is not None:
            mx, my = projected.transform(mx, my)
        # Heights of a cell are those of its middle.
        column = (mx - mosaic.transform[0]) / mosaic.transform[1] - 0.5
        row = (my - mosaic.transform[3]) / mosaic.transform[5] - 0.5
        found, void = _cubic(mosaic, row, column)
        wanted = np.isnan(part) & ~np.isnan(found.reshape(part.shape))
        known += int(wanted.sum())
        filled += int((void.reshape(part.shape) & wanted).sum())
        np.copyto(part, found.reshape(part.shape), where=wanted)
    return known, filled


def _cubic(
    mosaic: Mosaic, row: NDArray[np.float64], column: NDArray[np.float64]
) -> tuple[Grid, NDArray[np.bool_]]:
    """Heights at places between cells by cubic convolution, and which of them are void in the model.

    At the edges of the model the outermost cells are repeated; beyond half a cell from them nothing is known.
    """
    heights = mosaic.heights
    rows, columns = heights.shape
    inside = (row >= -0.5) & (column >= -0.5) & (row <= rows - 0.5) & (column <= columns - 0.5)
    found = np.full(row.shape, np.nan, dtype=np.float32)
    void = np.zeros(row.shape, dtype=bool)
    r, c = row[inside], column[inside]
    i, j = np.floor(r).astype(int), np.floor(c).astype(int)
    v, u = _weights(r - i), _weights(c - j)
    total = np.zeros(r.shape)
    for a in range(4):
        ia = np.clip(i + a - 1, 0, rows - 1)
        for b in range(4):
            total += v[a] * u[b] * heights[ia, np.clip(j + b - 1, 0, columns - 1)]
    found[inside] = total
    void[inside] = mosaic.void[
        np.clip(np.round(r).astype(int), 0, rows - 1), np.clip(np.round(c).astype(int), 0, columns - 1)
    ]
    return found, void


def _weights(t: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Of the four neighbours of a place between the second and the third, after Catmull and Rom."""
    return (
        ((-0.5 * t + 1) * t - 0.5) * t,
        (1.5 * t - 2.5) * t * t + 1,
        ((-1.5 * t + 2) * t + 0.5) * t,
        (0.5 * t - 0.5) * t * t,
    )


def _gaussian(values: Grid, sigma: float) -> Grid:
    """Values evened out over so many cells; NaN stay, and count for nothing beside them."""
    if sigma < 0.2:
        return values
    reach = int(np.ceil(3 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2).astype(np.float32)
    kernel /= kernel.sum()
    known = ~np.isnan(values)
    if known.all():
        return _convolved(values, kernel)
    total = _convolved(np.where(known, values, np.float32(0)), kernel)
    share = _convolved(known.astype(np.float32), kernel)
    return np.where(known, total / np.maximum(share, 1e-6), np.float32(np.nan)).astype(np.float32)


def _convolved(values: Grid, kernel: Grid) -> Grid:
    """Both ways with a symmetric kernel; the outermost values go on beyond the edges."""
    reach = len(kernel) // 2
    for axis in (0, 1):
        padding = [(reach, reach) if each == axis else (0, 0) for each in (0, 1)]
        padded = np.pad(values, padding, mode="edge")
        total = np.zeros_like(values)
        for number, weight in enumerate(kernel):
            window = slice(number, number + values.shape[axis])
            total += weight * (padded[window] if axis == 0 else padded[:, window])
        values = total
    return values
