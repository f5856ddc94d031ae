"""The ground of a sheet: heights from elevation models, on a regular grid in sheet metres."""

import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyproj
from numpy.typing import NDArray

from milepost.gdal.rasters import OpenRaster, Transform, create_raster, open_raster, run_algorithm
from milepost.servers.production.sheet.geometry import SheetGeometry
from milepost.servers.production.sheet.order import Source

Grid = NDArray[np.float32]

STEPS: Final = (0.25, 0.5)
"""Millimetres on paper from one height to the next: the least, and the most."""
FINER: Final = 5
"""How many steps there are to a cell of the elevation model, between these."""
MARGIN: Final = 3.0
"""Millimetres around the sheet that have heights too, so that contours run over the neatline."""

FILLED: Final = 60
"""Cells of the model: how far from known ground a void may lie to be filled."""

_LOWEST_POSSIBLE: Final = -12_000.0
"""Metres. Some files have voids of -32768 and do not say so."""
_BLOCK: Final = 4_000_000
"""Cells read or sampled at a time."""
_AROUND: Final = 4
"""Cells around a window which the interpolation looks at."""
_METRES_OF_DEGREE: Final = 111_320.0


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


def read_heights(sources: Sequence[Source], geometry: SheetGeometry, folder: Path) -> Heights:
    """The heights of a sheet. Of several sources, the first that knows a place is taken.

    Args:
        sources: elevation models, in any projection.
        geometry: of the sheet.
        folder: for files on the way.

    Raises:
        ValueError: a source cannot be read.
    """
    least, most = (geometry.scale * each / 1000 for each in STEPS)
    folder.mkdir(parents=True, exist_ok=True)
    mosaics = list(_mosaics(sources, geometry, least, folder))
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
            filled += _sample(mosaic, geometry, values, (left, top, step)) / values.size
    return Heights(values, left, top, step, cell, filled)


@dataclass
class _Mosaic:
    """Heights of tiles that fit together, in their own projection, with a transform and filled voids."""

    crs: pyproj.CRS
    transform: Transform
    heights: Grid
    void: NDArray[np.bool_]
    """Which were void before they were filled."""

    @property
    def cell(self) -> float:
        """Metres."""
        size = max(abs(self.transform[1]), abs(self.transform[5]))
        return size * _METRES_OF_DEGREE if self.crs.is_geographic else size


@dataclass
class _Tile:
    crs: pyproj.CRS
    transform: Transform
    heights: Grid


def _mosaics(
    sources: Sequence[Source], geometry: SheetGeometry, step: float, folder: Path
) -> Iterator[_Mosaic]:
    """The sources as mosaics, from the most to the least preferred."""
    tiles: list[_Tile] = []
    for path in _rasters(sources, folder):
        with open_raster(path) as raster:
            for tile in _windows(raster, path, geometry, step):
                if tiles and not _fits(tiles[-1], tile):
                    yield _joined(tiles, folder)
                    tiles = []
                tiles.append(tile)
    if tiles:
        yield _joined(tiles, folder)


def _rasters(sources: Sequence[Source], folder: Path) -> Iterator[Path]:
    """The files of the sources; those in archives are unpacked."""
    for source in sources:
        path = Path(source.path)
        if not path.is_file():
            raise ValueError(
                f"there is no file {path.name}; see to the sources in the settings of the server"
            )
        if path.suffix.lower() != ".zip":
            yield path
            continue
        try:
            with zipfile.ZipFile(path) as archive:
                members = [
                    m for m in archive.infolist() if Path(m.filename).suffix.lower() in (".hgt", ".tif")
                ]
                for member in members:
                    target = folder / Path(member.filename).name
                    target.write_bytes(archive.read(member))
                    yield target
        except zipfile.BadZipFile as error:
            raise ValueError(f"{path.name} is no ZIP archive: {error}") from error
        if not members:
            raise ValueError(f"{path.name} holds no .hgt and no .tif file with heights")


def _windows(raster: OpenRaster, path: Path, geometry: SheetGeometry, step: float) -> Iterator[_Tile]:
    """What a raster has of the sheet; in degrees it may lie whole turns away from it."""
    crs, transform = raster.crs, raster.transform
    if crs is None or transform is None:
        raise ValueError(f"{path.name} does not say where it lies; give a GeoTIFF with its projection")
    if transform[2] or transform[4]:
        raise ValueError(f"{path.name} is turned; give a GeoTIFF with north up")
    west, south, east, north = geometry.lonlat_bounds(10)
    for turn in (-360.0, 0.0, 360.0) if crs.is_geographic else (0.0,):
        box = (west, south, east, north)
        if not crs.is_geographic:
            box = pyproj.Transformer.from_crs(4326, crs, always_xy=True).transform_bounds(*box)
        placed = (transform[0] + turn, *transform[1:])
        tile = _window(raster, crs, placed, box, step)
        if tile is not None:
            yield tile


def _window(
    raster: OpenRaster,
    crs: pyproj.CRS,
    transform: Transform,
    box: tuple[float, float, float, float],
    step: float,
) -> _Tile | None:
    left, width, _, top, _, height = transform
    columns = sorted([(box[0] - left) / width, (box[2] - left) / width])
    rows = sorted([(box[3] - top) / height, (box[1] - top) / height])
    metres = abs(width) * (_METRES_OF_DEGREE if crs.is_geographic else 1)
    every = max(1, int(step / metres))
    around = _AROUND * every
    c0, c1 = max(0, int(columns[0]) - around), min(raster.width, int(columns[1]) + 1 + around)
    r0, r1 = max(0, int(rows[0]) - around), min(raster.height, int(rows[1]) + 1 + around)
    c1, r1 = c0 + (c1 - c0) // every * every, r0 + (r1 - r0) // every * every
    if c1 <= c0 or r1 <= r0:
        return None
    band = max(every, _BLOCK // (c1 - c0) // every * every)
    parts = []
    for first in range(r0, r1, band):
        pixels = raster.read(first, min(band, r1 - first), left=c0, columns=c1 - c0)
        parts.append(_reduced(_known(raster, pixels), every))
    placed = (left + c0 * width, width * every, 0.0, top + r0 * height, 0.0, height * every)
    return _Tile(crs, placed, np.concatenate(parts))


def _known(raster: OpenRaster, pixels: Grid) -> Grid:
    """Heights in metres, NaN for void cells."""
    void = pixels <= _LOWEST_POSSIBLE
    if raster.nodata is not None:
        void |= pixels == np.float32(raster.nodata)
    scale, offset = raster.scale_and_offset
    return np.where(void, np.float32(np.nan), pixels * np.float32(scale) + np.float32(offset))


def _reduced(pixels: Grid, every: int) -> Grid:
    """Means of square blocks, of those cells that are known."""
    if every == 1:
        return pixels
    rows, columns = pixels.shape[0] // every, pixels.shape[1] // every
    blocks = pixels.reshape(rows, every, columns, every)
    known = ~np.isnan(blocks)
    count = known.sum(axis=(1, 3))
    total = np.where(known, blocks, 0).sum(axis=(1, 3))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


def _fits(one: _Tile, other: _Tile) -> bool:
    """Whether two tiles have the same cells, so that they can be joined without interpolation."""
    if one.crs != other.crs or not np.allclose(one.transform[1::4], other.transform[1::4], rtol=1e-6, atol=0):
        return False
    offsets = (
        (other.transform[0] - one.transform[0]) / one.transform[1],
        (other.transform[3] - one.transform[3]) / one.transform[5],
    )
    return all(abs(each - round(each)) < 0.02 for each in offsets)


def _joined(tiles: Sequence[_Tile], folder: Path) -> _Mosaic:
    """Tiles side by side in one array, with small voids filled."""
    _, width, _, _, _, height = tiles[0].transform
    left = min(tile.transform[0] for tile in tiles) if width > 0 else max(tile.transform[0] for tile in tiles)
    top = max(tile.transform[3] for tile in tiles) if height < 0 else min(tile.transform[3] for tile in tiles)
    places = [
        (round((tile.transform[3] - top) / height), round((tile.transform[0] - left) / width))
        for tile in tiles
    ]
    rows = max(row + tile.heights.shape[0] for (row, _), tile in zip(places, tiles, strict=True))
    columns = max(column + tile.heights.shape[1] for (_, column), tile in zip(places, tiles, strict=True))
    whole = np.full((rows, columns), np.nan, dtype=np.float32)
    for (row, column), tile in zip(places, tiles, strict=True):
        part = whole[row : row + tile.heights.shape[0], column : column + tile.heights.shape[1]]
        np.copyto(part, tile.heights, where=np.isnan(part))
    transform = (left, width, 0.0, top, 0.0, height)
    void = np.isnan(whole)
    if void.any() and not void.all():
        whole = _without_voids(whole, transform, tiles[0].crs, folder)
    return _Mosaic(tiles[0].crs, transform, whole, void)


def _without_voids(heights: Grid, transform: Transform, crs: pyproj.CRS, folder: Path) -> Grid:
    """Heights whose voids are filled from around, as far as ``FILLED`` cells."""
    nodata = -32_768.0
    given, done = folder / "voids.tif", folder / "filled.tif"
    place: dict[str, Any] = {"width": heights.shape[1], "height": heights.shape[0], "crs": crs}
    with create_raster(given, dtype="float32", transform=transform, nodata=nodata, **place) as raster:
        raster.write(np.where(np.isnan(heights), np.float32(nodata), heights))
    with open_raster(given) as raster:
        run_algorithm(
            "raster fill-nodata",
            {
                "input": raster,
                "output": done,
                "overwrite": True,
                "max-distance": FILLED,
                "smoothing-iterations": 2,
            },
        )
    with open_raster(done) as raster:
        filled = raster.read()
    return np.where(filled == nodata, np.float32(np.nan), filled)


def _sample(mosaic: _Mosaic, geometry: SheetGeometry, values: Grid, place: tuple[float, float, float]) -> int:
    """Interpolate a mosaic at the nodes of a grid that are not known yet; how many of them lie in voids."""
    left, top, step = place
    rows, columns = values.shape
    geographic = mosaic.crs.is_geographic
    projected = None if geographic else pyproj.Transformer.from_crs(4326, mosaic.crs, always_xy=True)
    band, filled = max(1, _BLOCK // 4 // columns), 0
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
        filled += int((void.reshape(part.shape) & wanted).sum())
        np.copyto(part, found.reshape(part.shape), where=wanted)
    return filled


def _cubic(
    mosaic: _Mosaic, row: NDArray[np.float64], column: NDArray[np.float64]
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
