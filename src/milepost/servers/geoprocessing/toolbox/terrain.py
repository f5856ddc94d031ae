"""Terrain: contour lines, slope, relief shading and what can be seen, from rasters of elevations."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import geopandas as gpd
import numpy as np
import pyogrio
import shapely
from numpy.typing import NDArray

from milepost import Run, Service, operation
from milepost.gdal.rasters import (
    OpenRaster,
    create_raster,
    open_raster,
    run_algorithm,
)
from milepost.servers.geoprocessing.toolbox.elevation import (
    PREPARED,
    VOID,
    blocks,
    coverage,
    georeference,
    part,
    prepare,
)
from milepost.servers.geoprocessing.toolbox.layers import read_layer, write_layer
from milepost.types import FeatureSet, LinearUnit, Range, Raster

SURFACE: Final = Service(
    name="Terrain/Surface.GPServer",
    description="Contour lines, slope, relief shading and visible ground, from a raster of elevations in metres.",
    min_instances=1,
    max_instances=2,
    max_usage_time=900,
)

MOST_VERTICES: Final = 1_000_000
"""Vertices of a result; as JSON they are some 30 MB."""
MOST_OBSERVERS: Final = 1000

SEEN: Final = 255
"""What GDAL writes into cells that are visible."""
LOOKED: Final = 0.8
"""Share of the work that is done when all observers have looked around."""

_REFRACTION: Final = 6 / 7
"""What is left of the curvature of the Earth, as refraction in the air bends the view down with it."""
_PLACES: Final = 8
"""Decimal places of degrees in results; the last is a millimetre."""
_COMPRESSED: Final = ("COMPRESS=DEFLATE",)
"""Of rasters that are results. In tiles, GDAL 3.12 would shade void cells and spoil those beside them."""
_EYES: Final = LinearUnit(2, "Meters")
_GROUND: Final = LinearUnit(0, "Meters")


@operation(service=SURFACE, retries=1)
def contour(
    run: Run,
    interval: LinearUnit,
    base: LinearUnit = _GROUND,
    cell_size: LinearUnit | None = None,
    dem: Raster | None = None,
) -> FeatureSet:
    """Lines of equal elevation.

    The lines are in WGS 84 (4326); their field ``elevation`` is in metres. Where there is no
    elevation there are no lines.

    Args:
        run: The run of the job.
        interval: Difference in elevation from one line to the next.
        base: An elevation that has lines; the others are whole intervals above and below it.
        cell_size: Size of the cells that the terrain is projected to; by default about that of the raster.
        dem: Elevations, such as a GeoTIFF. A sample around Jacksboro, Tennessee, when not given.
    """
    if interval.meters <= 0:
        raise ValueError(f"Parameter 'interval' must be more than 0, not {interval}")
    terrain = prepare(run, dem, cell_size)
    lines = run.workspace / "contours.gpkg"
    with run.stage("drawing contours"), open_raster(run.workspace / terrain.file) as raster:
        _refuse_too_many(run, raster, interval, base)
        report = part(run, PREPARED, 0.7, "Drawing contours")
        levels = {"interval": interval.meters, "offset": base.meters, "elevation-name": "elevation"}
        _algorithm("contour", raster, lines, report, levels)
    with run.stage("collecting lines"):
        frame = pyogrio.read_dataframe(lines, columns=["elevation"])
        run.progress(0.8, "Collecting lines")
        frame = _in_degrees(frame.to_crs(4326))
        run.progress(0.85, "Collecting lines")
        if frame.empty:
            run.message(
                f"No contour lies between {terrain.lowest:.1f} and {terrain.highest:.1f} m", level="warning"
            )
        else:
            elevation = frame["elevation"]
            run.message(
                f"{len(frame):,} contour lines at {elevation.nunique()} elevations "
                f"from {elevation.min():g} to {elevation.max():g} m"
            )
        found = write_layer(frame, "line")
    run.progress(1.0)
    return found


@operation(service=SURFACE, retries=1)
def slope(
    run: Run,
    unit: Literal["degrees", "percent"] = "degrees",
    cell_size: LinearUnit | None = None,
    dem: Raster | None = None,
) -> Raster:
    """How steep the ground is, as a GeoTIFF in a metric projection.

    Each cell is compared with its eight neighbours by Horn's method. Where there is no elevation the
    value is -9999.

    Args:
        run: The run of the job.
        unit: Degrees from level, or metres of rise in 100 metres.
        cell_size: Size of the cells that the terrain is projected to; by default about that of the raster.
        dem: Elevations, such as a GeoTIFF. A sample around Jacksboro, Tennessee, when not given.
    """
    terrain = prepare(run, dem, cell_size)
    output = run.workspace / "slope.tif"
    with run.stage("computing slope"), open_raster(run.workspace / terrain.file) as raster:
        options = {"unit": "percent" if unit == "percent" else "degree", "creation-option": _COMPRESSED}
        _algorithm("slope", raster, output, part(run, PREPARED, 1, "Computing slope"), options)
    return Raster(output)


@operation(service=SURFACE, retries=1)
def hillshade(
    run: Run,
    azimuth: Annotated[float, Range(0, 360)] = 315.0,
    altitude: Annotated[float, Range(0, 90)] = 45.0,
    cell_size: LinearUnit | None = None,
    dem: Raster | None = None,
) -> Raster:
    """Relief shading, as a GeoTIFF in a metric projection.

    Values go from 1, turned away from the light, to 255, facing it; 0 is where there is no elevation.

    Args:
        run: The run of the job.
        azimuth: Where the light comes from, in degrees clockwise from north.
        altitude: How high the light stands, in degrees above the horizon.
        cell_size: Size of the cells that the terrain is projected to; by default about that of the raster.
        dem: Elevations, such as a GeoTIFF. A sample around Jacksboro, Tennessee, when not given.
    """
    terrain = prepare(run, dem, cell_size)
    output = run.workspace / "hillshade.tif"
    with run.stage("shading relief"), open_raster(run.workspace / terrain.file) as raster:
        options = {"azimuth": azimuth, "altitude": altitude, "creation-option": _COMPRESSED}
        _algorithm("hillshade", raster, output, part(run, PREPARED, 1, "Shading relief"), options)
    return Raster(output)


@operation(service=SURFACE, retries=1)
def viewshed(
    run: Run,
    observers: FeatureSet,
    observer_height: LinearUnit = _EYES,
    target_height: LinearUnit = _GROUND,
    max_distance: LinearUnit | None = None,
    cell_size: LinearUnit | None = None,
    dem: Raster | None = None,
) -> FeatureSet:
    """The ground that can be seen from one or more places.

    There is one feature for each number of observers that see the same ground: ``observers`` is that
    number, ``area`` its size in square metres. It is in the spatial reference of the observers. The
    curvature of the Earth and refraction count. Where there is no elevation nothing hides the view, and
    nothing is seen.

    Args:
        run: The run of the job.
        observers: Points to look from, at most 1000.
        observer_height: Height of the eyes above the ground.
        target_height: Height above the ground of what is looked for.
        max_distance: How far one can see; to the end of the terrain when not given.
        cell_size: Size of the cells that the terrain is projected to; by default about that of the raster.
        dem: Elevations, such as a GeoTIFF. A sample around Jacksboro, Tennessee, when not given.
    """
    for name, height in (("observer_height", observer_height), ("target_height", target_height)):
        if height.meters < 0:
            raise ValueError(f"Parameter '{name}' must be 0 or more, not {height}")
    options: dict[str, Any] = {
        "height": observer_height.meters,
        "target-height": target_height.meters,
        "curvature-coefficient": _REFRACTION,
        "visible-value": SEEN,
    }
    if max_distance is not None:
        if max_distance.meters <= 0:
            raise ValueError(f"Parameter 'max_distance' must be more than 0, not {max_distance}")
        options["max-distance"] = max_distance.meters
    places = _places(run, observers)
    terrain = prepare(run, dem, cell_size)
    with run.stage("looking around"), open_raster(run.workspace / terrain.file) as raster:
        counts = _count_observers(run, raster, places, options)
        frame = _outline(run, raster, counts)
    run.message(f"{frame['area'].sum() / 1e6:,.2f} square kilometres are visible")
    with run.stage("collecting areas"):
        frame = frame.to_crs(places.crs)
        if places.crs.is_geographic:
            frame = _in_degrees(frame)
        # The number of the reference as it was sent: 102100 is not 3857 for every client.
        frame.attrs["esri"] = {"spatialReference": places.attrs["esri"]["spatialReference"]}
        found = write_layer(frame, "polygon")
    run.progress(1.0)
    return found


def _algorithm(
    name: str, raster: OpenRaster, output: Path, report: Callable[[float], None], options: dict[str, Any]
) -> None:
    arguments = {"input": raster, "output": output, "overwrite": True, **options}
    run_algorithm(f"raster {name}", arguments, report)


def _refuse_too_many(run: Run, raster: OpenRaster, interval: LinearUnit, base: LinearUnit) -> None:
    """Refuse contours that nobody could use, before they are drawn.

    A contour has a vertex wherever it passes between two neighbouring cells, so these can be counted.
    """
    vertices = 0.0
    for _, elevation in blocks(raster, overlap=1):
        run.check()
        level = np.floor((elevation.astype(np.float64) - base.meters) / interval.meters)
        vertices += float(np.nansum(np.abs(np.diff(level, axis=1))))
        vertices += float(np.nansum(np.abs(np.diff(level, axis=0))))
    if vertices > MOST_VERTICES:
        least = interval.distance * vertices / MOST_VERTICES
        raise ValueError(
            f"contours every {interval} would have some {vertices:,.0f} vertices, more than {MOST_VERTICES:,}; "
            f"use an interval of at least {least:.2g} {interval.units}, or a larger cell_size"
        )


def _places(run: Run, observers: FeatureSet) -> gpd.GeoDataFrame:
    """The observers, a point each."""
    frame = read_layer(run, observers, "observers", "point").explode(ignore_index=True)
    if len(frame) > MOST_OBSERVERS:
        raise ValueError(
            f"Parameter 'observers' holds {len(frame):,} points; give at most {MOST_OBSERVERS:,}"
        )
    return frame


def _count_observers(
    run: Run, raster: OpenRaster, places: gpd.GeoDataFrame, options: dict[str, Any]
) -> NDArray[np.uint16]:
    """How many observers see each cell of a terrain."""
    left, width, _, top, _, height = georeference(raster)[1]
    ground = raster.read() != VOID
    counts = np.zeros(ground.shape, dtype=np.uint16)
    positions = _positions(raster, ground, places)
    run.message("Looking from 1 place" if len(positions) == 1 else f"Looking from {len(positions)} places")
    output = run.workspace / "view.tif"
    each = (LOOKED - PREPARED) / len(positions)
    for number, position in enumerate(positions):
        start = PREPARED + each * number
        report = part(run, start, start + each, f"Observer {number + 1} of {len(positions)}")
        _algorithm("viewshed", raster, output, report, {**options, "position": position})
        with open_raster(output) as view:
            # It is only as large as one can see.
            corner = georeference(view)[1]
            column, row = round((corner[0] - left) / width), round((corner[3] - top) / height)
            window = slice(row, row + view.height), slice(column, column + view.width)
            counts[window] += view.read(dtype="uint8") == SEEN
    counts[~ground] = 0
    return counts


def _positions(
    raster: OpenRaster, ground: NDArray[np.bool_], places: gpd.GeoDataFrame
) -> list[tuple[float, float]]:
    """The middles of the cells that the observers stand on."""
    crs, (left, width, _, top, _, height) = georeference(raster)
    found = []
    for given, point in zip(places.geometry, places.to_crs(crs).geometry, strict=True):
        where = f"Parameter 'observers': the point {given.x:.10g}, {given.y:.10g}"
        column, row = (point.x - left) / width, (point.y - top) / height
        if not (0 <= row < raster.height and 0 <= column < raster.width):
            raise ValueError(f"{where} lies outside of the terrain, which covers {coverage(raster)}")
        if not ground[int(row), int(column)]:
            raise ValueError(f"{where} lies where the terrain has no elevation")
        found.append((left + (int(column) + 0.5) * width, top + (int(row) + 0.5) * height))
    return found


def _outline(run: Run, raster: OpenRaster, counts: NDArray[np.uint16]) -> gpd.GeoDataFrame:
    """The areas that are seen, one multipolygon for each number of observers."""
    edges = np.count_nonzero(np.diff(counts, axis=0)) + np.count_nonzero(np.diff(counts, axis=1))
    if edges > MOST_VERTICES:
        raise ValueError(
            f"the outline of what is visible has some {edges:,} vertices, more than {MOST_VERTICES:,}; "
            "use a larger cell_size, a max_distance or fewer observers"
        )
    path, areas = run.workspace / "visible.tif", run.workspace / "visible.gpkg"
    crs, transform = georeference(raster)
    with create_raster(
        path,
        width=raster.width,
        height=raster.height,
        dtype="uint16",
        transform=transform,
        crs=crs,
        nodata=0,
    ) as visible:
        visible.write(counts)
    with open_raster(path) as visible:
        report = part(run, LOOKED, 0.9, "Outlining visible ground")
        _algorithm("polygonize", visible, areas, report, {"attribute-name": "observers"})
    frame = pyogrio.read_dataframe(areas)
    groups = frame.groupby("observers").geometry
    shapes = {number: shapely.multipolygons(list(group)) for number, group in groups}
    numbers = np.array(list(shapes), dtype=np.int32)
    found = gpd.GeoDataFrame({"observers": numbers}, geometry=list(shapes.values()), crs=frame.crs)
    found.insert(1, "area", found.area)
    return found


def _in_degrees(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Features without the digits that say nothing, which make results half as large again."""
    rounded = shapely.transform(frame.geometry.array, lambda xy: np.round(xy, _PLACES))
    return frame.set_geometry(gpd.GeoSeries(rounded, index=frame.index, crs=frame.crs))
