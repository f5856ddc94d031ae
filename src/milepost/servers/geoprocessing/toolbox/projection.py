"""Features brought from one coordinate system to another."""

import textwrap
import warnings
from typing import Final

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS
from pyproj.transformer import AreaOfInterest, TransformerGroup

from milepost import Run, Service, operation
from milepost.operations.references import crs_of_text
from milepost.servers.geoprocessing.toolbox.layers import chunks, counted, kind_of, write_layer
from milepost.servers.geoprocessing.toolbox.measuring import (
    HAIR,
    Geometries,
    from_degrees,
    geographic_of,
    repair,
    seam,
    to_degrees,
    transform,
    transformer,
    wrap,
)
from milepost.types import FeatureSet

PROJECTION: Final = Service(
    name="Analysis/Projection.GPServer",
    description="Features brought from one coordinate system to another.",
    min_instances=0,
    max_instances=2,
    max_usage_time=900,
)


@operation(service=PROJECTION)
def reproject(run: Run, features: FeatureSet, out_sr: str) -> FeatureSet:
    """Features in another spatial reference.

    Vertices are moved; none are put in, so edges are straight in the new system. Lines and polygons that would
    reach across the edge of its map are cut there. The messages say which transformation was used, how accurate
    it is, and whether a better one would need a grid that is not installed. Heights (z) stay as they are.

    Args:
        run: The run of the job.
        features: Points, lines or polygons.
        out_sr: The new spatial reference: a wkid or EPSG code such as 25832, an object such as
            {"wkid": 102100}, or well-known text.
    """
    try:
        target = crs_of_text(out_sr)
    except ValueError as error:
        raise ValueError(f"Parameter 'out_sr': {error}") from error
    if not len(features):
        raise ValueError("Parameter 'features' holds no features")
    with run.stage("reading"):
        frame = features.to_geodataframe()
        source: CRS = frame.crs
        geographic_of(source), geographic_of(target)  # each must have a place on Earth
        geometries = np.asarray(frame.geometry.array, dtype=object)
        present = ~(shapely.is_missing(geometries) | shapely.is_empty(geometries))
    with run.stage("projecting"):
        moved = np.full(len(frame), None, dtype=object)
        outside = np.zeros(len(frame), dtype=bool)
        numbers = np.flatnonzero(present)
        for chunk in chunks(run, len(numbers), "Projected"):
            moved[numbers[chunk]], outside[numbers[chunk]] = _project(
                geometries[numbers[chunk]], source, target
            )
    moved[outside] = None
    crossing = int((~shapely.is_valid(moved[present & ~outside])).sum())
    if crossing:
        run.message(
            f"{counted(crossing)} repaired: straight edges that cross in the new system, and did not in the old",
            level="warning",
        )
        moved = repair(moved)
    _report(run, geometries, present, outside, source, target)
    result = frame.set_geometry(gpd.GeoSeries(moved, index=frame.index, crs=target))
    return write_layer(result, kind_of(features))


def _project(geometries: Geometries, source: CRS, target: CRS) -> tuple[Geometries, NDArray[np.bool_]]:
    """Geometries in the new system, and which of them lie outside of where it is defined."""
    moved, outside = transform(geometries, source, target)
    extended = np.flatnonzero((shapely.get_dimensions(geometries) > 0) & ~outside)
    if len(extended):
        west = seam(target)
        degrees = to_degrees(shapely.force_2d(geometries[extended]), source, None, geographic_of(target))
        left, _, right, _ = shapely.bounds(degrees).T
        across = np.floor((left - west) / 360) != np.ceil((right - west) / 360) - 1
        across |= (left <= west + HAIR) & (right >= west + 360 - HAIR)
        if across.any():
            moved[extended[across]] = from_degrees(wrap(degrees[across], west), target)
    return moved, outside


def _report(
    run: Run,
    geometries: Geometries,
    present: NDArray[np.bool_],
    outside: NDArray[np.bool_],
    source: CRS,
    target: CRS,
) -> None:
    """Say what was done and what it is worth."""
    if not present.any():
        run.message("No feature has a geometry", level="warning")
        return
    if outside[present].all():
        raise ValueError(
            f"All features lie outside of where {target.name} is defined; is {source.name} the right system for them?"
        )
    if outside.any():
        run.message(
            f"{counted(int(outside.sum()))} without a geometry now: outside of where {target.name} is defined",
            level="warning",
        )
    if shapely.has_m(geometries[present]).any():
        run.message("Measures (m) are not carried over", level="warning")
    used = transformer(source, target)
    used.transform(*shapely.get_coordinates(geometries[present & ~outside][0])[0])
    last = used.get_last_used_operation()
    accuracy = (
        f"accurate to {last.accuracy:g} m"
        if last.accuracy is not None and last.accuracy >= 0
        else "of unknown accuracy"
    )
    how = last.description.replace("axis order change (2D) + ", "").replace(" + axis order change (2D)", "")
    run.message(f"{counted(int((present & ~outside).sum()))} projected to {target.name} by {how}, {accuracy}")

    corners = shapely.get_coordinates(shapely.envelope(geometries[present & ~outside]))
    longitude, latitude = transformer(source, geographic_of(source)).transform(*corners.T)
    _warn_of_better(run, (longitude + 180) % 360 - 180, latitude, source, target)
    _warn_of_use(run, geometries[present & ~outside], source, target)


def _warn_of_use(run: Run, geometries: Geometries, source: CRS, target: CRS) -> None:
    use = target.area_of_use
    if use is None:
        return
    coordinates, owner = shapely.get_coordinates(geometries, return_index=True)
    longitude, latitude = transformer(source, geographic_of(source)).transform(*coordinates.T)
    beyond = (latitude < use.south) | (latitude > use.north)
    # An area across the antimeridian has its western edge farther east than its eastern one.
    wide = (use.east - use.west) % 360 or 360
    beyond |= (longitude - use.west) % 360 > wide
    count = len(np.unique(owner[beyond]))
    if count:
        run.message(
            f"{counted(count)} at least partly outside of the area that {target.name} "
            f"is made for: {textwrap.shorten(use.name, 80, placeholder=' ...')}",
            level="warning",
        )


def _warn_of_better(
    run: Run, longitude: NDArray[np.float64], latitude: NDArray[np.float64], source: CRS, target: CRS
) -> None:
    area = AreaOfInterest(longitude.min(), latitude.min(), longitude.max(), latitude.max())
    with warnings.catch_warnings():
        # It is the very thing that is asked here.
        warnings.simplefilter("ignore", UserWarning)
        group = TransformerGroup(source, target, always_xy=True, area_of_interest=area)
    if group.best_available or not group.unavailable_operations:
        return
    better = group.unavailable_operations[0]
    grids = ", ".join(grid.short_name for grid in better.grids if not grid.available)
    accuracy = f", accurate to {better.accuracy:g} m," if better.accuracy >= 0 else ""
    run.message(
        f"A better transformation, {better.name}{accuracy} would need {grids or 'a grid'}, which is not installed",
        level="warning",
    )
