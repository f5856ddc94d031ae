"""Elevation models: what they have of a sheet, joined where their cells fit, with small voids filled."""

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

FILLED: Final = 60
"""Cells of the model: how far from known ground a void may lie to be filled."""

_LOWEST_POSSIBLE: Final = -12_000.0
"""Metres. Some files have voids of -32768 and do not say so."""
_BLOCK: Final = 4_000_000
"""Cells read at a time."""
_AROUND: Final = 4
"""Cells around a window which the interpolation looks at."""
_METRES_OF_DEGREE: Final = 111_320.0


@dataclass
class Mosaic:
    """Heights of tiles that fit together, in their own projection, with a transform and filled voids."""

    crs: pyproj.CRS
    transform: Transform
    heights: Grid
    void: NDArray[np.bool_]
    """Which were void before they were filled."""
    sources: frozenset[str] = frozenset()
    """Paths of the sources that have some of the heights."""

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
    source: str
    """Its path."""


def read_mosaics(
    sources: Sequence[Source], geometry: SheetGeometry, step: float, folder: Path
) -> Iterator[Mosaic]:
    """What elevation models have of a sheet, from the most to the least preferred.

    Args:
        sources: rasters in any projection, or archives of some.
        geometry: of the sheet.
        step: metres from height to height that are enough; finer models are read as means of their cells.
        folder: for files on the way.

    Raises:
        ValueError: a source cannot be read.
    """
    tiles: list[_Tile] = []
    for source, path in _rasters(sources, folder):
        with open_raster(path) as raster:
            for tile in _windows(raster, path, source, geometry, step):
                if tiles and not _fits(tiles[-1], tile):
                    yield _joined(tiles, folder)
                    tiles = []
                tiles.append(tile)
    if tiles:
        yield _joined(tiles, folder)


def _rasters(sources: Sequence[Source], folder: Path) -> Iterator[tuple[Source, Path]]:
    """The files of the sources, each with its source; those in archives are unpacked."""
    for source in sources:
        path = Path(source.path)
        if not path.is_file():
            raise ValueError(
                f"there is no file {path.name}; see to the sources in the settings of the server"
            )
        if path.suffix.lower() != ".zip":
            yield source, path
            continue
        try:
            with zipfile.ZipFile(path) as archive:
                members = [
                    m for m in archive.infolist() if Path(m.filename).suffix.lower() in (".hgt", ".tif")
                ]
                for member in members:
                    target = folder / Path(member.filename).name
                    target.write_bytes(archive.read(member))
                    yield source, target
        except zipfile.BadZipFile as error:
            raise ValueError(f"{path.name} is no ZIP archive: {error}") from error
        if not members:
            raise ValueError(f"{path.name} holds no .hgt and no .tif file with heights")


def _windows(
    raster: OpenRaster, path: Path, source: Source, geometry: SheetGeometry, step: float
) -> Iterator[_Tile]:
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
        found = _window(raster, placed, box, step, geographic=crs.is_geographic)
        if found is not None:
            yield _Tile(crs, *found, source.path)


def _window(
    raster: OpenRaster,
    transform: Transform,
    box: tuple[float, float, float, float],
    step: float,
    *,
    geographic: bool,
) -> tuple[Transform, Grid] | None:
    """The part of a raster that lies in a box, and its place; None when there is none."""
    left, width, _, top, _, height = transform
    columns = sorted([(box[0] - left) / width, (box[2] - left) / width])
    rows = sorted([(box[3] - top) / height, (box[1] - top) / height])
    metres = abs(width) * (_METRES_OF_DEGREE if geographic else 1)
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
    return placed, np.concatenate(parts)


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


def _joined(tiles: Sequence[_Tile], folder: Path) -> Mosaic:
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
    sources = set()
    for (row, column), tile in zip(places, tiles, strict=True):
        part = whole[row : row + tile.heights.shape[0], column : column + tile.heights.shape[1]]
        wanted = np.isnan(part) & ~np.isnan(tile.heights)
        np.copyto(part, tile.heights, where=wanted)
        if wanted.any():
            sources.add(tile.source)
    transform = (left, width, 0.0, top, 0.0, height)
    void = np.isnan(whole)
    if void.any() and not void.all():
        whole = _without_voids(whole, transform, tiles[0].crs, folder)
    return Mosaic(tiles[0].crs, transform, whole, void, frozenset(sources))


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
