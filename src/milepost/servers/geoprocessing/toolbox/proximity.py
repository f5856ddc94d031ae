"""Tools that ask how far: buffers around features, and the nearest of other features."""

from typing import Annotated, Final, Literal, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from pyproj import CRS, Geod

from milepost import Run, Service, operation
from milepost.operations.types import METERS_PER_UNIT
from milepost.servers.geoprocessing.toolbox.geodesic import (
    LONGEST_BUFFER,
    ROUNDNESS,
    geodesic_buffer,
    step_for,
)
from milepost.servers.geoprocessing.toolbox.layers import (
    chunks,
    counted,
    kind_of,
    name_fields,
    object_ids,
    read_layer,
    unite,
    write_layer,
)
from milepost.servers.geoprocessing.toolbox.measuring import (
    Geometries,
    ellipsoid_of,
    from_degrees,
    geographic_of,
    meters_per_unit,
    scale_error,
    seam,
    to_degrees,
    transformer,
    unwrap,
    wrap,
)
from milepost.servers.geoprocessing.toolbox.nearness import STEP, Nearest, NearestSearch
from milepost.types import Doc, FeatureSet, LinearUnit

PROXIMITY: Final = Service(
    name="Analysis/Proximity.GPServer",
    description="How far things are: buffers and nearest features. Distances are true on the ground.",
    min_instances=1,
    max_instances=2,
    max_usage_time=1800,
)

TRUE_TO_SCALE: Final = 0.001
"""How far off a projection may be for distances to be measured in it."""
LINE_STEP: Final = 100_000.0
"""Metres between the points of a connecting line, which follows the shortest way on the globe."""

_ONE_KILOMETER: Final = LinearUnit(1, "Kilometers")

Method = Literal["automatic", "planar", "geodesic"]


@operation(service=PROXIMITY)
def buffer(
    run: Run,
    features: FeatureSet,
    distance: LinearUnit = _ONE_KILOMETER,
    method: Method = "automatic",
    dissolve: bool = False,
) -> FeatureSet:
    """Polygons of everything within a distance of features.

    The distance is true on the ground. The result is in the spatial reference of the features;
    circles are drawn with 64 corners, which lie on the true circle.

    Args:
        run: The run of the job.
        features: Points, lines or polygons.
        distance: How far. A negative distance makes polygons smaller.
        method: planar measures in the projection of the features, geodesic on the ellipsoid; automatic
            measures in the projection where that is true to scale, and on the ellipsoid elsewhere.
        dissolve: Whether the buffers become one feature, without the attributes.
    """
    if distance.meters == 0:
        raise ValueError("Parameter 'distance' is 0; give how far the buffer reaches")
    kind = kind_of(features)
    if distance.meters < 0 and kind != "polygon":
        raise ValueError("Parameter 'distance' is negative, which only polygons can be made smaller by")
    with run.stage("reading"):
        frame = read_layer(run, features, "features")
        crs: CRS = frame.crs
        planar = _is_planar(run, frame, distance, method)
    with run.stage("buffering"):
        geometries = shapely.force_2d(np.asarray(frame.geometry.array, dtype=object))
        grown = np.empty(len(frame), dtype=object)
        for part in chunks(run, len(frame), "Buffered"):
            grown[part] = _buffer(geometries[part], crs, distance.meters, planar=planar)
    kept = ~shapely.is_empty(grown)
    if not kept.any() and distance.meters > 0:
        raise ValueError(
            "Parameter 'features': all coordinates lie outside of where the spatial reference is defined"
        )
    if not kept.any():
        raise ValueError(
            f"A distance of {distance} leaves nothing of the polygons: all {len(frame)} are narrower than that"
        )
    if not kept.all():
        run.message(
            f"{(~kept).sum()} of {len(frame)} polygons vanished: they are too narrow for a distance of {distance}",
            level="warning",
        )
    if dissolve:
        with run.stage("dissolving"):
            whole = unite(run, grown[kept])
            result = gpd.GeoDataFrame({"COUNT": [int(kept.sum())]}, geometry=[whole], crs=crs)
    else:
        result = frame.set_geometry(gpd.GeoSeries(grown, crs=crs))[kept]
    run.message(f"Buffered {counted(len(frame))} by {distance}")
    return write_layer(result, "polygon")


def _is_planar(run: Run, frame: gpd.GeoDataFrame, distance: LinearUnit, method: Method) -> bool:
    """Whether to measure in the projection of the features; says what is done, and why."""
    crs: CRS = frame.crs
    if crs.is_projected:
        error = scale_error(crs, frame.total_bounds, abs(distance.meters))
        off = f"off by up to {error:.2%} there" if error < 10 else "far off there"
        reason = f"lengths in {crs.name} are {off}"
    else:
        error, reason = np.inf, f"{crs.name} counts in degrees"
        if method == "planar":
            raise ValueError(
                f"Parameter 'method' is planar, but {reason}; project the features first, or choose geodesic"
            )
        geographic_of(crs)  # refuses what has no place on Earth
    if method == "planar" and error > TRUE_TO_SCALE:
        run.message(f"Measured in the projection as asked, although {reason}", level="warning")
        return True
    if method != "geodesic" and error <= TRUE_TO_SCALE:
        run.message(f"Measured in the projection of the features: {reason}")
        return True
    if abs(distance.meters) > LONGEST_BUFFER:
        raise ValueError(
            f"Parameter 'distance' must not exceed {LONGEST_BUFFER / 1000:.0f} kilometers on the ellipsoid"
        )
    run.message(
        f"Measured on the ellipsoid of {geographic_of(crs).name}, in equidistant projections about the features: "
        f"{reason}"
    )
    return False


def _buffer(geometries: Geometries, crs: CRS, meters: float, *, planar: bool) -> Geometries:
    if planar:
        return shapely.buffer(geometries, meters / meters_per_unit(crs), quad_segs=ROUNDNESS)  # type: ignore[no-any-return]
    degrees = to_degrees(geometries, crs, step_for(meters))
    return from_degrees(geodesic_buffer(degrees, meters, ellipsoid_of(crs), seam(crs)), crs)


class NearFeatures(NamedTuple):
    """What ``nearest`` gives back."""

    nearest_features: Annotated[FeatureSet, Doc("The features, with what is nearest to each.")]
    connecting_lines: Annotated[
        FeatureSet, Doc("The shortest way from each feature to what is nearest to it; none where they meet.")
    ]


@operation(service=PROXIMITY)
def nearest(
    run: Run,
    features: FeatureSet,
    near_features: FeatureSet,
    search_radius: LinearUnit | None = None,
    units: Literal["Meters", "Kilometers", "Feet", "Miles", "NauticalMiles"] = "Meters",
) -> NearFeatures:
    """For each feature the nearest of other features, on the ellipsoid.

    The features come back with NEAR_FID (the OBJECTID of the nearest feature, or its place in the order),
    NEAR_DIST, NEAR_X, NEAR_Y (the nearest place) and NEAR_ANGLE (where that lies, in degrees clockwise from
    north). They are null where nothing lies within the search radius. The distance is 0 where features meet.

    Args:
        run: The run of the job.
        features: The features to find something for.
        near_features: Where to look. Any kind of geometry, in any spatial reference.
        search_radius: How far to look; everywhere when it is not given.
        units: What NEAR_DIST is in.
    """
    if search_radius is not None and search_radius.meters <= 0:
        raise ValueError("Parameter 'search_radius' must be more than 0")
    with run.stage("reading"):
        frame = read_layer(run, features, "features")
        near = read_layer(run, near_features, "near_features")
        crs: CRS = frame.crs
        geod = ellipsoid_of(crs)
        base = geographic_of(crs)
        search = NearestSearch(_degrees(near, base), geod)
        here = _degrees(frame, base)
    with run.stage("searching"):
        limit = search_radius.meters if search_radius else np.inf
        found = [search.find(here[part], limit) for part in chunks(run, len(frame), "Searched around")]
        nearest_ones = Nearest(*(np.concatenate(column) for column in zip(*found, strict=True)))
    with run.stage("writing"):
        aliases = {"NEAR_DIST": f"Distance in {units}"}
        result = name_fields(_with_nearest(frame, near, nearest_ones, units), aliases)
        lines = name_fields(_connecting_lines(result, nearest_ones, geod), aliases)
    run.message(f"Measured on the ellipsoid of {base.name}: {counted(len(frame))} against {len(near)}")
    missing = int((nearest_ones.number < 0).sum())
    if missing:
        run.message(
            f"{missing} of {len(frame)} features found nothing within {search_radius}", level="warning"
        )
    return NearFeatures(write_layer(result, kind_of(features)), write_layer(lines, "line"))


def _degrees(frame: gpd.GeoDataFrame, base: CRS) -> Geometries:
    geometries = shapely.force_2d(np.asarray(frame.geometry.array, dtype=object))
    return to_degrees(geometries, frame.crs, STEP, base)


def _with_nearest(
    frame: gpd.GeoDataFrame, near: gpd.GeoDataFrame, found: Nearest, units: str
) -> gpd.GeoDataFrame:
    there = found.number >= 0
    numbers = np.where(there, object_ids(near)[found.number], 0)
    crs: CRS = frame.crs
    x, y = transformer(geographic_of(crs), crs).transform(*found.end.T)
    azimuth = np.full(len(frame), np.nan)
    apart = there & (found.distance > 0)
    azimuth[apart] = ellipsoid_of(crs).inv(*found.start[apart].T, *found.end[apart].T)[0] % 360
    return frame.assign(
        NEAR_FID=pd.Series(pd.array(numbers, dtype="Int64")).where(there),
        NEAR_DIST=found.distance / METERS_PER_UNIT[units],
        NEAR_X=np.where(there, x, np.nan),
        NEAR_Y=np.where(there, y, np.nan),
        NEAR_ANGLE=azimuth,
    )


def _connecting_lines(result: gpd.GeoDataFrame, found: Nearest, geod: Geod) -> gpd.GeoDataFrame:
    """The geodesics between features that are apart and their nearest."""
    apart = np.flatnonzero(found.distance > 0)
    lines = []
    for number in apart:
        (x0, y0), (x1, y1) = found.start[number], found.end[number]
        between = int(found.distance[number] // LINE_STEP)
        points = geod.npts(x0, y0, x1, y1, between) if between else []
        lines.append(shapely.LineString([(x0, y0), *points, (x1, y1)]))
    crs: CRS = result.crs
    shapes = np.array(lines, dtype=object)
    if len(shapes):
        shapes = from_degrees(wrap(unwrap(shapes), seam(crs)), crs)
    columns = {
        "IN_FID": object_ids(result)[apart],
        "NEAR_FID": result["NEAR_FID"].to_numpy()[apart].astype(np.int64),
        "NEAR_DIST": result["NEAR_DIST"].to_numpy()[apart],
    }
    return gpd.GeoDataFrame(columns, geometry=shapes, crs=crs)
