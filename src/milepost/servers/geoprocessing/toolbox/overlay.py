"""Tools that lay features over features: cut out, merge, and sum up what lies within areas."""

from typing import Final, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from milepost import Run, Service, operation
from milepost.operations.types import METERS_PER_UNIT
from milepost.servers.geoprocessing.toolbox.geodesic import LONGEST_STEP
from milepost.servers.geoprocessing.toolbox.layers import (
    Kind,
    chunks,
    counted,
    kind_of,
    name_fields,
    of_kind,
    read_layer,
    unite,
    write_layer,
)
from milepost.servers.geoprocessing.toolbox.measuring import (
    METERS_PER_DEGREE,
    Geometries,
    ellipsoid_of,
    gather,
    meters_per_unit,
    repair,
    to_degrees,
    transform,
)
from milepost.servers.geoprocessing.toolbox.summaries import fields_of, parse_statistics, summarize
from milepost.types import FeatureSet

OVERLAY: Final = Service(
    name="Analysis/Overlay.GPServer",
    description="Features over features: cut out, merged, and summed up within areas.",
    min_instances=1,
    max_instances=2,
    max_usage_time=1800,
)

_STEP: Final = 2_000.0
"""How close the points of geometries are, in metres, when lengths and areas are measured."""


@operation(service=OVERLAY)
def clip(run: Run, features: FeatureSet, clip_features: FeatureSet) -> FeatureSet:
    """The parts of features that lie within areas.

    The result is in the spatial reference of the features and has their attributes. Lines and polygons that
    only touch an area are not part of it.

    Args:
        run: The run of the job.
        features: Points, lines or polygons to cut.
        clip_features: The areas, as polygons, in any spatial reference.
    """
    kind = kind_of(features)
    with run.stage("reading"):
        frame = read_layer(run, features, "features")
        areas = read_layer(run, clip_features, "clip_features", "polygon")
        geometries = np.asarray(frame.geometry.array, dtype=object)
        mask = np.asarray(_in_system_of(run, areas, frame.crs).geometry.array, dtype=object)
        _refuse_disjoint(geometries, mask)
    with run.stage("clipping"):
        parts = shapely.get_parts(unite(run, mask))
        shapely.prepare(parts)
        tree = shapely.STRtree(parts)
        cut = np.empty(len(frame), dtype=object)
        for chunk in chunks(run, len(frame), "Clipped"):
            cut[chunk] = _clip(geometries[chunk], tree, kind)
    result = frame.set_geometry(gpd.GeoSeries(cut, crs=frame.crs))[~shapely.is_empty(cut)]
    if result.empty:
        run.message("No feature lies within the areas, although both are in the same region", level="warning")
    else:
        run.message(f"{len(result)} of {counted(len(frame))} found within the areas, at least in part")
    return write_layer(result, kind)


def _in_system_of(run: Run, frame: gpd.GeoDataFrame, crs: CRS) -> gpd.GeoDataFrame:
    """A layer in another system, with edges that keep the course they have in its own."""
    if frame.crs.equals(crs, ignore_axis_order=True):
        return frame
    geometries = shapely.force_2d(np.asarray(frame.geometry.array, dtype=object))
    unit = METERS_PER_DEGREE if frame.crs.is_geographic else meters_per_unit(frame.crs)
    found, outside = transform(shapely.segmentize(geometries, LONGEST_STEP / 10 / unit), frame.crs, crs)
    if outside.all():
        raise ValueError(
            f"One layer lies outside of where {crs.name} is defined, which the other layer is in"
        )
    if outside.any():
        run.message(
            f"{counted(int(outside.sum()))} left out: beyond where {crs.name} is defined",
            level="warning",
        )
    return frame.set_geometry(gpd.GeoSeries(repair(found), crs=crs))[~outside].reset_index(drop=True)


def _refuse_disjoint(geometries: Geometries, areas: Geometries) -> None:
    ours, theirs = shapely.total_bounds(geometries), shapely.total_bounds(areas)
    if (ours[:2] > theirs[2:]).any() or (theirs[:2] > ours[2:]).any():
        raise ValueError(
            "The two layers have no common area: the features lie within "
            f"{_extent(ours)}, the areas within {_extent(theirs)}; check their spatial references"
        )


def _extent(bounds: NDArray[np.float64]) -> str:
    x0, y0, x1, y1 = bounds
    return f"x {x0:.8g} to {x1:.8g}, y {y0:.8g} to {y1:.8g}"


def _clip(geometries: Geometries, areas: shapely.STRtree, kind: Kind) -> Geometries:
    one, area = areas.query(geometries, predicate="intersects")
    return gather(_shared(geometries[one], areas.geometries[area], kind), one, len(geometries))


def _shared(geometries: Geometries, areas: Geometries, kind: Kind) -> Geometries:
    """What each geometry shares with the area beside it, as far as it is of its kind."""
    shared = geometries.copy()
    cut = ~shapely.covers(areas, geometries)
    shared[cut] = of_kind(shapely.intersection(geometries[cut], areas[cut]), kind)
    return shared


@operation(service=OVERLAY)
def dissolve(
    run: Run,
    features: FeatureSet,
    dissolve_fields: list[str] | None = None,
    statistics: list[str] | None = None,
    multi_part: bool = True,
) -> FeatureSet:
    """Features merged into one wherever they have the same values.

    The result has the fields that were merged by, COUNT (how many features went into one) and the statistics.

    Args:
        run: The run of the job.
        features: Points, lines or polygons.
        dissolve_fields: Fields whose values must be the same. Without any, all features become one.
        statistics: What to say of the merged features: a field and one of SUM, MEAN, MIN, MAX, STD or COUNT,
            such as "population SUM", which becomes SUM_population.
        multi_part: Whether a merged feature may have several parts; if not, each part is a feature.
    """
    kind = kind_of(features)
    with run.stage("reading"):
        frame = read_layer(run, features, "features")
        wanted = parse_statistics(statistics, frame)
        fields = list(dict.fromkeys(dissolve_fields or []))
        for field in fields:
            if field not in frame.columns or field == frame.active_geometry_name:
                raise ValueError(f"Parameter 'dissolve_fields' names the field {field!r}; {fields_of(frame)}")
    with run.stage("dissolving"):
        groups = _groups(frame, fields)
        geometries = np.asarray(frame.geometry.array, dtype=object)
        order = np.argsort(groups, kind="stable")
        members = np.split(order, np.cumsum(np.bincount(groups))[:-1])
        merged = np.empty(len(members), dtype=object)
        for number, each in enumerate(members):
            run.progress(number / len(members), f"Merged {number} of {len(members)} groups")
            merged[number] = unite(run, geometries[each])
        if kind == "line":
            merged = shapely.line_merge(merged)
    table = frame.iloc[[each[0] for each in members]][fields].reset_index(drop=True)
    table = table.join(summarize(frame, np.arange(len(frame)), groups, wanted))
    result = gpd.GeoDataFrame(table, geometry=merged, crs=frame.crs)
    if not multi_part:
        result = result.explode(ignore_index=True)
    result.attrs = frame.attrs
    run.message(f"Dissolved {counted(len(frame))} into {len(result)}")
    return write_layer(result, kind)


def _groups(frame: gpd.GeoDataFrame, fields: list[str]) -> NDArray[np.intp]:
    """For each row the number of its group; null is a value like others."""
    if not fields:
        return np.zeros(len(frame), dtype=np.intp)
    numbers: NDArray[np.intp] = frame.groupby(fields, dropna=False, sort=True).ngroup().to_numpy()
    return numbers


@operation(service=OVERLAY)
def summarize_within(
    run: Run,
    areas: FeatureSet,
    features: FeatureSet,
    statistics: list[str] | None = None,
    units: Literal["Meters", "Kilometers", "Feet", "Miles"] = "Kilometers",
) -> FeatureSet:
    """How much of some features lies within each of some areas, on the ellipsoid.

    The areas come back with COUNT (how many features lie within, at least in part), LENGTH of the parts of
    lines or AREA of the parts of polygons that lie within, and the statistics; fields that they had of these
    names are replaced.

    Args:
        run: The run of the job.
        areas: Polygons to sum up within.
        features: Points, lines or polygons to sum up, in any spatial reference.
        statistics: What to say of the features within an area, even in part: a field and one of SUM, MEAN,
            MIN, MAX, STD or COUNT, such as "population SUM", which becomes SUM_population.
        units: What LENGTH is in; AREA is in squares of it.
    """
    kind = kind_of(features)
    with run.stage("reading"):
        frame = read_layer(run, areas, "areas", "polygon")
        inside = _in_system_of(run, read_layer(run, features, "features"), frame.crs)
        wanted = parse_statistics(statistics, inside)
        polygons = shapely.force_2d(np.asarray(frame.geometry.array, dtype=object))
        found = shapely.force_2d(np.asarray(inside.geometry.array, dtype=object))
        _refuse_disjoint(found, polygons)
    measure = {"point": "", "line": "LENGTH", "polygon": "AREA"}[kind]
    with run.stage("summing up"):
        tree = shapely.STRtree(polygons)
        rows, homes, sizes = [], [], []
        for chunk in chunks(run, len(found), "Summed up"):
            one, home = tree.query(found[chunk], predicate="intersects")
            parts = _shared(found[chunk][one], polygons[home], kind)
            there = ~shapely.is_empty(parts)
            rows.append(one[there] + chunk.start)
            homes.append(home[there])
            sizes.append(_sizes(parts[there], frame.crs, kind) if measure else np.zeros(there.sum()))
        row, home = np.concatenate(rows), np.concatenate(homes)
        table = summarize(inside, row, home, wanted)
    if measure:
        unit = METERS_PER_UNIT[units] ** (1 if measure == "LENGTH" else 2)
        size = np.bincount(home, weights=np.concatenate(sizes), minlength=len(frame)) / unit
        table.insert(1, measure, pd.Series(size))
    taken = [name for name in table.columns if name in frame.columns]
    result = frame.drop(columns=taken).join(table)
    counts = result["COUNT"].fillna(0).astype(np.int32)
    result = result.assign(COUNT=counts, **({measure: size} if measure else {}))
    if measure:
        squares = "" if measure == "LENGTH" else "square "
        result = name_fields(result, {measure: f"{measure.capitalize()} in {squares}{units.lower()}"})
    run.message(
        f"{counted(len(np.unique(row)))} of {len(found)} found within {(counts > 0).sum()} of {len(frame)} areas"
    )
    return write_layer(result, "polygon")


def _sizes(geometries: Geometries, crs: CRS, kind: Kind) -> NDArray[np.float64]:
    """Lengths in metres, or areas in square metres, on the ellipsoid."""
    degrees, geod = to_degrees(geometries, crs, _STEP), ellipsoid_of(crs)
    if kind == "polygon":
        turned = shapely.orient_polygons(degrees, exterior_cw=False)
        return np.array([geod.geometry_area_perimeter(each)[0] for each in turned])
    lines, owner = shapely.get_parts(degrees, return_index=True)
    points, index = shapely.get_coordinates(lines, return_index=True)
    lengths = geod.inv(*points[:-1].T, *points[1:].T)[2] * (index[1:] == index[:-1])
    sizes = np.zeros(len(geometries))
    np.add.at(sizes, owner[index[1:]], lengths)
    return sizes
