"""Elevations to work on: a raster of a client, or the sample, made ready in metres.

A terrain in degrees, or in a projection whose metres are not those on the ground, is projected to
the zone of UTM that its middle lies in; near the poles to UPS.
"""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from pyproj import CRS

from milepost import Run
from milepost.gdal.rasters import (
    OpenRaster,
    Transform,
    create_raster,
    open_raster,
    run_algorithm,
)
from milepost.operations.references import crs_of
from milepost.servers.geoprocessing.toolbox.measuring import geographic_of, scale_error, transformer
from milepost.types import LinearUnit, Raster

VOID: Final = -9999.0
"""Stands for no elevation in the rasters that are made here."""
MOST_CELLS: Final = 50_000_000
"""Cells of a terrain, as it came and as it is projected."""
PREPARED: Final = 0.25
"""Share of the work of an operation that is done when its terrain is ready."""

_LOWEST_POSSIBLE: Final = -12_000.0
"""Metres. Deeper than any sea; some files have voids of -32768 and do not say so."""
_TRUE: Final = 0.001
"""How much lengths may be off, as a share, in a projection that is kept."""
_TOO_FAR_OFF: Final = 0.05
"""How much they may be off in a terrain that is too wide for one zone."""
_BLOCK: Final = 4_000_000
"""Cells read at a time."""


class Terrain(msgspec.Struct, frozen=True):
    """A GeoTIFF of elevations in metres, with north up, in a projection whose metres are true."""

    file: str
    """Its name in the workspace of the run."""
    lowest: float
    highest: float


def prepare(run: Run, dem: Raster | None, cell_size: LinearUnit | None) -> Terrain:
    """The terrain of an operation, made once in the life of its job.

    Args:
        run: told stages, progress up to ``PREPARED``, and which projection is used.
        dem: what the client gave; the sample when None.
        cell_size: what the client asked for.

    Raises:
        ValueError: the raster cannot be used; the text says why.
    """
    return run.step("terrain", _prepare, run, dem, cell_size)


def part(run: Run, start: float, end: float, text: str) -> Callable[[float], None]:
    """What tells the run the progress of a part of the work, given the share of that part."""
    return lambda share: run.progress(start + (end - start) * share, text)


def blocks(raster: OpenRaster, overlap: int = 0) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """The elevations from top to bottom in blocks of rows, each with the number of its first row.

    Void cells are NaN. With an overlap, blocks after the first repeat the last rows of the one before.
    """
    rows = max(1, _BLOCK // raster.width)
    for first in range(0, raster.height, rows):
        start = max(0, first - overlap)
        pixels = raster.read(start, min(first + rows, raster.height) - start)
        yield start, np.where(pixels == VOID, np.float32(np.nan), pixels)


def georeference(raster: OpenRaster) -> tuple[CRS, Transform]:
    """The system and the place of a raster that was made here, so that it has both."""
    crs, transform = raster.crs, raster.transform
    assert crs is not None
    assert transform is not None
    return crs, transform


def coverage(raster: OpenRaster) -> str:
    """Where a terrain lies, in words."""
    crs, transform = georeference(raster)
    x, y = _net(raster, transform)
    west, south, east, north = transformer(crs, CRS.from_epsg(4326)).transform_bounds(
        x.min(), y.min(), x.max(), y.max()
    )
    return f"longitudes from {west:.4f} to {east:.4f} and latitudes from {south:.4f} to {north:.4f}"


def _prepare(run: Run, dem: Raster | None, cell_size: LinearUnit | None) -> Terrain:
    if cell_size and cell_size.meters <= 0:
        raise ValueError(f"Parameter 'cell_size' must be more than 0, not {cell_size}")
    name, given = "terrain.tif", run.workspace / "elevations.tif"
    with run.stage("reading terrain"):
        if dem is None:
            _write_sample(given)
            run.message("No dem was given; the sample terrain around Jacksboro, Tennessee, is used")
        else:
            _copy(run, dem.path, given)
    with run.stage("projecting terrain"), open_raster(given) as source:
        crs = _metric_crs(run, source, cell_size)
        if crs is None:
            name = given.name
        else:
            arguments = {
                "input": source,
                "output": run.workspace / name,
                "overwrite": True,
                # Not compressed: that is done at the end, for seconds in which nothing can be stopped.
                "creation-option": ("TILED=YES",),
                "dst-crs": crs.to_wkt(),
                "resampling": "cubic",
                "dst-nodata": [str(VOID)],
            }
            if cell_size:
                arguments["resolution"] = [cell_size.meters] * 2
            run_algorithm("raster reproject", arguments, part(run, 0.1, PREPARED, "Projecting terrain"))
    with open_raster(run.workspace / name) as raster:
        return _describe(run, name, raster)


def _write_sample(path: Path) -> None:
    # Only here, as few jobs need it and it is slow to import.
    from matplotlib import cbook

    with np.load(str(cbook.get_sample_data("jacksboro_fault_dem.npz", asfileobj=False))) as sample:
        elevation = sample["elevation"].astype(np.float32)
        # Its upper edge is ymax, as towns and summits show; what it calls ymin lies north of that and is wrong.
        transform = (
            *(float(sample["xmin"]), float(sample["dx"]), 0.0),
            *(float(sample["ymax"]), 0.0, -float(sample["dy"])),
        )
    height, width = elevation.shape
    with create_raster(
        path,
        width=width,
        height=height,
        dtype="float32",
        transform=transform,
        crs=CRS.from_epsg(4326),
        nodata=VOID,
    ) as raster:
        raster.write(elevation)


def _copy(run: Run, path: Path, into: Path) -> None:
    """Elevations in metres from a file of any kind; what is no elevation becomes ``VOID``."""
    with open_raster(path) as source:
        crs, metres_per_unit = _reference(path, source)
        if source.transform is None:
            raise ValueError(f"{path.name} does not say where it lies; georeference it first")
        if source.width * source.height > MOST_CELLS:
            raise ValueError(
                f"{path.name} has {source.width} x {source.height} cells, more than {MOST_CELLS:,}; "
                "cut out the part you need"
            )
        scale, offset = source.scale_and_offset
        # Compared as they are read: the void of a file may have more digits than its pixels.
        nodata = None if source.nodata is None else np.float32(source.nodata)
        voids = 0
        with create_raster(
            into,
            width=source.width,
            height=source.height,
            dtype="float32",
            transform=source.transform,
            crs=crs,
            nodata=VOID,
        ) as copy:
            rows = max(1, _BLOCK // source.width)
            for first in range(0, source.height, rows):
                run.progress(0.1 * first / source.height, "Reading terrain")
                pixels = source.read(first, min(rows, source.height - first))
                elevation = (pixels * scale + offset) * metres_per_unit
                void = ~np.isfinite(pixels) | (elevation < _LOWEST_POSSIBLE)
                if nodata is not None:
                    void |= pixels == nodata
                voids += int(np.count_nonzero(void))
                copy.write(np.where(void, VOID, elevation).astype(np.float32), first)
        cells = source.width * source.height
    if voids == cells:
        raise ValueError(f"{path.name} holds no elevations: all its cells are void")
    if voids:
        run.message(f"{voids:,} cells ({voids / cells:.1%}) have no elevation", level="warning")


def _reference(path: Path, source: OpenRaster) -> tuple[CRS, float]:
    """The horizontal system of a raster, and the length of its vertical unit in metres."""
    if source.crs is None:
        raise ValueError(
            f"{path.name} has no coordinate reference system that is understood; assign it one first, "
            "for instance with gdal raster edit --crs"
        )
    # It may have been written by hand, so it is checked as one that came with a request.
    crs = crs_of({"wkt2": source.crs.to_wkt()})
    metres_per_unit = 1.0
    if crs.is_compound:
        crs, vertical = crs.sub_crs_list
        metres_per_unit = vertical.axis_info[0].unit_conversion_factor
    crs = crs.to_2d()
    if not (crs.is_geographic or crs.is_projected):
        raise ValueError(
            f"the coordinate system {crs.name!r} of {path.name} is neither geographic nor projected"
        )
    return crs, metres_per_unit


def _metric_crs(run: Run, source: OpenRaster, cell_size: LinearUnit | None) -> CRS | None:
    """The system to project a raster to; None when it can stay as it is."""
    crs, transform = georeference(source)
    x, y = _net(source, transform)
    bounds = np.array([x.min(), y.min(), x.max(), y.max()])
    metric = crs.is_projected and crs.axis_info[0].unit_conversion_factor == 1.0
    if metric and scale_error(crs, bounds) <= _TRUE:
        if cell_size is None and transform[2] == transform[4] == 0 and transform[1] > 0 > transform[5]:
            return None
        found = crs
    else:
        found = _zone(crs, x[len(x) // 2], y[len(y) // 2])
        x, y = transformer(crs, found).transform(x, y)
        if not (np.isfinite(x).all() and np.isfinite(y).all()):
            raise ValueError(
                f"the terrain reaches beyond where {found.name} is defined; cut out a part of it"
            )
        bounds = np.array([x.min(), y.min(), x.max(), y.max()])
        error = scale_error(found, bounds)
        if error > _TOO_FAR_OFF:
            raise ValueError(
                f"the terrain is too wide to be measured in one projection: lengths in {found.name} would be off "
                f"by up to {error:.0%}; cut out a part of it"
            )
        if error > _TRUE:
            run.message(f"Lengths in {found.name} are off by up to {error:.1%} here", level="warning")
    if cell_size:
        area = float((bounds[2] - bounds[0]) * (bounds[3] - bounds[1]))
        if area / cell_size.meters**2 > MOST_CELLS:
            raise ValueError(
                f"cells of {cell_size} would be {area / cell_size.meters**2:,.0f}, more than {MOST_CELLS:,}; "
                f"use a cell_size of at least {math.ceil(math.sqrt(area / MOST_CELLS))} Meters"
            )
    return found


def _net(raster: OpenRaster, transform: Transform) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coordinates of 21 x 21 places all over a raster, its rim included; the middle one is its middle."""
    columns, rows = np.meshgrid(np.linspace(0, raster.width, 21), np.linspace(0, raster.height, 21))
    column, row = columns.ravel(), rows.ravel()
    return (
        transform[0] + transform[1] * column + transform[2] * row,
        transform[3] + transform[4] * column + transform[5] * row,
    )


def _zone(crs: CRS, x: float, y: float) -> CRS:
    """The zone of UTM, or the half of UPS, that a place lies in."""
    longitude, latitude = transformer(crs, geographic_of(crs)).transform(x, y)
    if not (math.isfinite(longitude) and abs(latitude) <= 90):
        raise ValueError(f"the terrain lies outside of where {crs.name} is defined")
    if latitude > 84 or latitude < -80:
        return CRS.from_epsg(5041 if latitude > 0 else 5042)
    zone = int((longitude + 180) // 6) % 60 + 1
    return CRS.from_epsg((32600 if latitude >= 0 else 32700) + zone)


def _describe(run: Run, name: str, raster: OpenRaster) -> Terrain:
    lowest, highest = math.inf, -math.inf
    for _, elevation in blocks(raster):
        run.check()
        if not np.isnan(elevation).all():
            lowest = min(lowest, float(np.nanmin(elevation)))
            highest = max(highest, float(np.nanmax(elevation)))
    crs, transform = georeference(raster)
    run.message(
        f"Terrain in {crs.name}: {raster.width} x {raster.height} cells of "
        f"{transform[1]:.4g} x {-transform[5]:.4g} m, elevations from {lowest:.1f} to {highest:.1f} m"
    )
    run.progress(PREPARED)
    return Terrain(name, lowest, highest)
