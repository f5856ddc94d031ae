"""Clip, dissolve and summarize against geometry done by hand, and against the areas of countries."""

import geopandas as gpd
import numpy as np
import pytest
import shapely
from pyproj import Geod

from milepost import Run
from milepost.servers.geoprocessing.toolbox import clip, dissolve, summarize_within
from milepost.types import FeatureSet

GLOBE = Geod(ellps="WGS84")


def attributes(features: FeatureSet) -> list[dict]:
    return [feature["attributes"] for feature in features.features]


def square_degrees(frame) -> float:
    """No area on the globe, but what a cut must not change."""
    return float(shapely.area(frame.geometry.to_numpy()).sum())


# Clip


def test_polygons_are_cut_at_the_areas(layer, said):
    run = Run()
    squares = layer(
        [
            shapely.box(0, 0, 10, 10),
            shapely.box(20, 0, 30, 10),
            shapely.box(6, 6, 7, 7),
            shapely.box(8, 4, 9, 5),
        ],
        crs=25832,
        name=["cut", "outside", "inside", "only touched"],
    )
    areas = layer([shapely.box(5, 5, 15, 15), shapely.box(-5, -5, 2, 2)], crs=25832)
    found = clip(run, squares, areas).to_geodataframe()
    assert found["name"].tolist() == ["cut", "inside"]
    assert found.geometry[0].equals(shapely.union_all([shapely.box(5, 5, 10, 10), shapely.box(0, 0, 2, 2)]))
    assert found.geometry[1].equals(shapely.box(6, 6, 7, 7))
    assert "2 of 4 features found within the areas" in said(run)


def test_lines_stay_lines_and_points_points(layer):
    area = layer([shapely.box(0, 0, 10, 10)], crs=25832)
    lines = layer(
        [shapely.LineString([(-5, 5), (5, 5), (5, 10), (20, 10)]), shapely.LineString([(10, 11), (10, 10)])],
        crs=25832,
    )
    found = clip(Run(), lines, area)
    assert found.geometry_type == "esriGeometryPolyline"
    (line,) = found.to_geodataframe().geometry
    assert line.length == 5 + 5 + 5  # it also runs along the edge
    points = layer([shapely.MultiPoint([(1, 1), (11, 11)]), shapely.Point(12, 0)], crs=25832)
    found = clip(Run(), points, area)
    assert [feature["geometry"] for feature in found.features] == [{"x": 1.0, "y": 1.0}]


def test_the_whole_is_the_sum_of_what_is_inside_and_outside(world, layer):
    band, rest = (
        shapely.box(-180, 0, 180, 40),
        [shapely.box(-180, -90, 180, 0), shapely.box(-180, 40, 180, 90)],
    )
    countries = FeatureSet.from_geodataframe(world)
    inside = clip(Run(), countries, layer([band])).to_geodataframe()
    outside = clip(Run(), countries, layer(rest)).to_geodataframe()
    assert square_degrees(inside) + square_degrees(outside) == pytest.approx(square_degrees(world), rel=1e-12)
    assert set(inside["name"]) | set(outside["name"]) == set(world["name"])
    africa = world[world["name"] == "Algeria"].geometry.iloc[0]
    assert inside[inside["name"] == "Algeria"].geometry.iloc[0].equals_exact(africa, 0, normalize=True)


def test_areas_of_another_system_keep_their_course(layer):
    """A parallel is an arc in UTM: a straight edge from corner to corner would be kilometres off."""
    area = layer([shapely.box(6, 49, 12, 51)])
    just_south = gpd.GeoSeries(shapely.points([(9, 49.01), (9, 48.99)]), crs=4326).to_crs(25832)
    found = clip(Run(), layer(just_south, crs=25832, name=["in", "out"]), area)
    assert [row["name"] for row in attributes(found)] == ["in"]


def test_layers_without_a_common_area_are_refused(layer):
    here, there = layer([shapely.box(0, 0, 1, 1)]), layer([shapely.box(50, 50, 51, 51)])
    with pytest.raises(ValueError, match="no common area: the features lie within x 0 to 1, y 0 to 1"):
        clip(Run(), here, there)


def test_nothing_within_areas_nearby_is_an_empty_result(layer, said):
    run = Run()
    around = layer([shapely.box(0, 0, 1, 1), shapely.box(9, 9, 10, 10)])
    found = clip(run, around, layer([shapely.box(4, 4, 5, 5)]))
    assert len(found) == 0
    assert found.geometry_type == "esriGeometryPolygon"
    assert "No feature lies within the areas" in said(run, "warning")


def test_only_polygons_can_cut(layer):
    points = layer([shapely.Point(0, 0)])
    with pytest.raises(ValueError, match="'clip_features' must hold polygons, not points"):
        clip(Run(), points, points)


# Dissolve


def test_continents_are_as_large_as_their_countries(world):
    found = dissolve(
        Run(),
        FeatureSet.from_geodataframe(world),
        ["continent"],
        ["pop_est SUM", "gdp_md_est mean", "pop_est MAX", "name COUNT"],
    ).to_geodataframe()
    assert found.is_valid.all()
    groups = world.groupby("continent")
    assert found["continent"].tolist() == list(groups.groups)
    assert found["COUNT"].tolist() == groups.size().tolist()
    assert found["SUM_pop_est"].tolist() == groups["pop_est"].sum().tolist()
    assert found["MAX_pop_est"].tolist() == groups["pop_est"].max().tolist()
    assert found["MEAN_gdp_md_est"].tolist() == pytest.approx(groups["gdp_md_est"].mean().tolist())
    assert found["COUNT_name"].tolist() == groups["name"].count().tolist()
    overlap = square_degrees(world) - world.union_all().area  # countries of the map overlap a little
    assert square_degrees(found) == pytest.approx(square_degrees(world), abs=overlap + 1e-9)


def test_without_fields_all_becomes_one_and_parts_can_be_had(layer):
    squares = layer([shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1), shapely.box(5, 0, 6, 1)], crs=25832)
    (whole,) = dissolve(Run(), squares).to_geodataframe().geometry
    assert whole.equals(shapely.union_all([shapely.box(0, 0, 2, 1), shapely.box(5, 0, 6, 1)]))
    parts = dissolve(Run(), squares, multi_part=False).to_geodataframe()
    assert sorted(parts.area) == [1, 2]
    assert parts["OBJECTID"].tolist() == [1, 2]


def test_lines_are_joined_and_points_collected(layer):
    lines = layer([shapely.LineString([(0, 0), (1, 1)]), shapely.LineString([(1, 1), (2, 0)])], crs=25832)
    assert dissolve(Run(), lines).features[0]["geometry"] == {"paths": [[[0, 0], [1, 1], [2, 0]]]}
    points = dissolve(Run(), layer([shapely.Point(0, 0), shapely.Point(1, 1)], crs=25832))
    assert points.geometry_type == "esriGeometryMultipoint"


def test_null_is_a_value_and_does_not_count(layer):
    squares = layer(
        [shapely.box(n, 0, n + 1, 1) for n in range(4)], kind=["a", None, None, "a"], size=[1, 2, None, None]
    )
    found = attributes(dissolve(Run(), squares, ["kind"], ["size SUM", "size COUNT", "size STD"]))
    assert found == [
        {"OBJECTID": 1, "kind": "a", "COUNT": 2, "SUM_size": 1, "COUNT_size": 1, "STD_size": None},
        {"OBJECTID": 2, "kind": None, "COUNT": 2, "SUM_size": 2, "COUNT_size": 1, "STD_size": None},
    ]


@pytest.mark.parametrize(
    ("fields", "statistics", "cause"),
    [
        (["color"], None, "names the field 'color'; the fields are size, name"),
        (["geometry"], None, "names the field 'geometry'"),
        (None, ["size"], "has 'size'; give a field and one of SUM"),
        (None, ["size TOTAL"], "give a field and one of SUM"),
        (None, ["depth SUM"], "names the field 'depth'"),
        (None, ["name SUM"], "the SUM of 'name', which holds no numbers"),
    ],
)
def test_fields_and_statistics_that_do_not_exist_are_named(layer, fields, statistics, cause):
    squares = layer([shapely.box(0, 0, 1, 1)], size=[1], name=["a"])
    with pytest.raises(ValueError, match=cause):
        dissolve(Run(), squares, fields, statistics)


# Summarize within


def test_points_are_counted_where_they_lie(world, layer):
    random = np.random.default_rng(5)
    places = shapely.points(random.uniform(-180, 180, 3000), random.uniform(-60, 80, 3000))
    weights = random.integers(0, 100, 3000)
    found = summarize_within(
        Run(),
        FeatureSet.from_geodataframe(world),
        layer(places, weight=weights),
        ["weight SUM", "weight MIN"],
    ).to_geodataframe()
    for country, row in zip(world.geometry, found.itertuples(), strict=True):
        inside = shapely.contains(country, places)
        assert inside.sum() == row.COUNT
        if inside.any():
            assert (row.SUM_weight, row.MIN_weight) == (weights[inside].sum(), weights[inside].min())
    assert found.loc[found["COUNT"] == 0, "SUM_weight"].isna().all()


@pytest.mark.parametrize(("crs", "error"), [(4326, 2e-5), (3857, 1e-3)])  # edges are straight in each
def test_areas_are_those_on_the_globe(world, crs, error):
    countries = world[world["name"].isin(["Germany", "Brazil", "Norway", "Fiji", "Lesotho"])]
    layer = FeatureSet.from_geodataframe(countries.to_crs(crs))
    found = summarize_within(Run(), layer, layer, units="Meters").to_geodataframe()
    expected = [
        abs(GLOBE.geometry_area_perimeter(shapely.segmentize(shapely.orient_polygons(each), 0.02))[0])
        for each in countries.geometry
    ]
    assert found["AREA"].tolist() == pytest.approx(expected, rel=error)
    assert found["COUNT"].tolist() == [1] * 5
    assert {field["name"]: field["alias"] for field in summarize_within(Run(), layer, layer).fields}[
        "AREA"
    ] == "Area in square kilometers"


def test_the_continent_around_the_pole_has_its_area(world):
    antarctica = FeatureSet.from_geodataframe(world[world["name"] == "Antarctica"])
    found = attributes(summarize_within(Run(), antarctica, antarctica))
    assert found[0]["AREA"] == pytest.approx(12.3e6, rel=0.02)


def test_lines_are_measured_as_far_as_they_lie_within(layer):
    areas = layer([shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1), shapely.box(9, 9, 10, 10)])
    lines = layer(
        [shapely.LineString([(0.5, 0.5), (1.75, 0.5)]), shapely.LineString([(0.25, 0.5), (0.5, 0.5)])]
    )
    found = attributes(summarize_within(Run(), areas, lines, units="Meters"))
    unit = GLOBE.inv(0, 0.5, 1, 0.5)[2]
    assert [row["LENGTH"] for row in found] == pytest.approx([0.75 * unit, 0.75 * unit, 0], rel=1e-6)
    assert [row["COUNT"] for row in found] == [2, 1, 0]
