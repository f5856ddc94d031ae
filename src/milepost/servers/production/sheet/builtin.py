"""What sheets are made from where nobody has configured anything: the terrain that ships with Matplotlib.

It is the country around Jacksboro, Tennessee, as the Shuttle Radar Topography Mission measured it. Streams are
derived from it, where water would gather if it rained everywhere alike, and lakes, where the ground is level.
"""

import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, NamedTuple

import geopandas as gpd
import numpy as np
import pyogrio
import pyproj
import shapely
from numpy.typing import NDArray

from milepost.gdal.rasters import create_raster
from milepost.servers.production.sheet.drainage import Heights, drained, gathered
from milepost.servers.production.sheet.order import Source

COVERS: Final = (-84.414, 36.161, -84.079, 36.446)
"""West, south, east and north of the terrain, in degrees, rounded to the inside."""

SAMPLE: Final = "mpl-data/sample_data/jacksboro_fault_dem.npz"

STREAM: Final = 0.6
"""Square kilometres of ground whose water makes a stream."""
RIVER: Final = 60.0
"""Square kilometres of ground whose water makes a river."""

LAKE: Final = 25
"""Cells that lie level for there to be a lake."""

PLACES: Final = Path(__file__).parents[1] / "sample" / "jacksboro_places.geojson"
"""The few names of the country, with their source and its licence."""

_RADIUS_KM: Final = 6371.0


class Terrain(NamedTuple):
    """Heights at the middles of cells."""

    heights: Heights
    """Metres, of shape (rows, columns), the uppermost row first."""
    west: float
    """Degrees of the left edge."""
    north: float
    """Degrees of the upper edge."""
    width: float
    """Degrees of a cell."""
    height: float
    """Degrees of a cell."""


def built_in_sources(folder: Path) -> tuple[tuple[Source, ...], tuple[Source, ...]]:
    """Write the files that a sheet is made from; those that are there stay as they are.

    Args:
        folder: where to.

    Returns:
        The sources of features and of heights.
    """
    elevation, vectors = folder / "sample_elevation.tif", folder / "sample_features.gpkg"
    if not (elevation.is_file() and vectors.is_file()):
        terrain = sample()
        _write_elevation(terrain, elevation)
        _write_features(terrain, vectors)
    return (
        (
            Source(
                path=str(vectors),
                credit="Streams derived from the elevation model; place names by GeoNames",
                licence="CC BY 4.0",
            ),
        ),
        (
            Source(
                path=str(elevation),
                credit="Shuttle Radar Topography Mission (NASA, NGA), the sample in Matplotlib",
                licence="public domain",
            ),
        ),
    )


def sample() -> Terrain:
    """The terrain that ships with Matplotlib, at 3 seconds of arc."""
    with np.load(str(files("matplotlib") / SAMPLE)) as archive:
        width, height = float(archive["dx"]), float(archive["dy"])
        return Terrain(
            archive["elevation"].astype(np.float32),
            float(archive["xmin"]),
            # The upper edge: its lower edge, as towns and summits show, is not the value called ymin.
            float(archive["ymax"]),
            width,
            height,
        )


def streams(terrain: Terrain) -> Iterator[tuple[shapely.LineString, float]]:
    """The streams of a terrain, from one confluence to the next, and the area that each one drains.

    Returns:
        Lines in degrees that run downwards, and square kilometres.
    """
    receiver, order = drained(terrain.heights)
    rows, columns = terrain.heights.shape
    latitudes = terrain.north - (np.arange(rows) + 0.5) * terrain.height
    side = np.radians([terrain.width, terrain.height]) * _RADIUS_KM
    areas = np.repeat(side[0] * side[1] * np.cos(np.radians(latitudes)), columns)
    area = gathered(receiver, order, areas)
    wet = area >= STREAM
    above = np.bincount(receiver[wet & (receiver != np.arange(len(receiver)))], minlength=len(receiver))
    for head in np.flatnonzero(wet & (above != 1)).tolist():
        cells = [head]
        while (following := int(receiver[cells[-1]])) != cells[-1]:
            cells.append(following)
            if above[following] != 1:
                break
        if len(cells) > 1:
            # What it drains where it ends; beyond, others have joined.
            yield _line(terrain, cells), float(area[cells[-2]])


def lakes(terrain: Terrain) -> list[shapely.Polygon]:
    """Level ground, which in a survey from space is water, as polygons in degrees."""
    heights = terrain.heights
    rows, columns = heights.shape
    level = np.zeros((rows, columns), dtype=bool)
    same = (heights[1:, 1:] == heights[:-1, 1:]) & (heights[1:, 1:] == heights[1:, :-1])
    same &= heights[1:, 1:] == heights[:-1, :-1]
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
        level[down : rows - 1 + down, right : columns - 1 + right] |= same
    row, column = np.nonzero(level)
    west, north = terrain.west + column * terrain.width, terrain.north - row * terrain.height
    cells = shapely.box(west, north - terrain.height, west + terrain.width, north)
    least = LAKE * terrain.width * terrain.height
    found = [
        part
        for height in np.unique(heights[level])
        for part in shapely.get_parts(shapely.union_all(cells[heights[level] == height]))
        if part.area >= least
    ]
    return [_rounded(each, terrain.width) for each in found]


def _rounded(shape: shapely.Polygon, cell: float) -> shapely.Polygon:
    """A polygon of cells without its steps."""
    rings = [
        shapely.get_coordinates(shapely.segmentize(each, cell * 1.01))[:-1]
        for each in (shape.exterior, *shape.interiors)
    ]
    # Beyond its own ends a ring goes on, and so is evened out at them too.
    wound = [_evened(np.concatenate([ring[-4:], ring, ring[:4]]))[4:-4] for ring in rings]
    return shapely.make_valid(shapely.Polygon(wound[0], wound[1:]))


def _line(terrain: Terrain, cells: list[int]) -> shapely.LineString:
    """Through the middles of cells, evened out so that it winds as water does."""
    row, column = np.divmod(np.array(cells), terrain.heights.shape[1])
    points = np.column_stack(
        [terrain.west + (column + 0.5) * terrain.width, terrain.north - (row + 0.5) * terrain.height]
    )
    points = _evened(points)
    for _ in range(2):
        before, after = points[:-1], points[1:]
        cut = np.stack([0.75 * before + 0.25 * after, 0.25 * before + 0.75 * after], axis=1).reshape(-1, 2)
        points = np.concatenate([points[:1], cut, points[-1:]])
    return shapely.LineString(points)


def _evened(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each point in the middle of itself and two on either side; the ends stay."""
    if len(points) < 3:
        return points
    around = np.concatenate([2 * points[0] - points[2:0:-1], points, 2 * points[-1] - points[-2:-4:-1]])
    weights = (0.1, 0.2, 0.4, 0.2, 0.1)
    return np.asarray(sum(weight * around[n : n + len(points)] for n, weight in enumerate(weights)))


def _write_elevation(terrain: Terrain, path: Path) -> None:
    rows, columns = terrain.heights.shape
    with create_raster(
        path,
        width=columns,
        height=rows,
        dtype="float32",
        crs=pyproj.CRS.from_epsg(4326),
        transform=(terrain.west, terrain.width, 0.0, terrain.north, 0.0, -terrain.height),
        nodata=-32768.0,
    ) as raster:
        raster.write(terrain.heights)


def _write_features(terrain: Terrain, path: Path) -> None:
    water = lakes(terrain)
    wet = shapely.union_all(water)
    found = [
        (part, area)
        for line, area in streams(terrain)
        for part in shapely.get_parts(shapely.difference(line, wet))
        if not part.is_empty
    ]
    rivers = gpd.GeoDataFrame(
        {
            "waterway": ["river" if area >= RIVER else "stream" for _, area in found],
            "name": [None] * len(found),
        },
        geometry=[line for line, _ in found],
        crs=4326,
    )
    places = gpd.GeoDataFrame.from_features(json.loads(PLACES.read_text())["features"], crs=4326)
    beside = path.with_suffix(".new.gpkg")
    beside.unlink(missing_ok=True)
    _write(rivers, beside, "lines", append=False)
    _write(places, beside, "points", append=True)
    shores = gpd.GeoDataFrame({"natural": ["water"] * len(water)}, geometry=water, crs=4326)
    _write(shores, beside, "multipolygons", append=True)
    beside.replace(path)


def _write(frame: gpd.GeoDataFrame, path: Path, table: str, *, append: bool) -> None:
    options: dict[str, Any] = {"layer": table, "driver": "GPKG", "append": append}
    pyogrio.write_dataframe(frame, path, **options)
