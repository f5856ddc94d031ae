"""The nearest features against brute force over all pairs on the ellipsoid."""

import geopandas as gpd
import numpy as np
import pytest
import shapely
from pyproj import Geod

from milepost import Run
from milepost.servers.geoprocessing.toolbox import nearest
from milepost.types import FeatureSet

GLOBE = Geod(ellps="WGS84")


def all_over(count, seed):
    """Places spread evenly over the globe."""
    random = np.random.default_rng(seed)
    return np.column_stack(
        [random.uniform(-180, 180, count), np.degrees(np.arcsin(random.uniform(-1, 1, count)))]
    )


def unit_vectors(places):
    x, y = np.radians(places).T
    return np.column_stack([np.cos(y) * np.cos(x), np.cos(y) * np.sin(x), np.sin(y)])


def geodesic(one, others):
    return GLOBE.inv(*np.broadcast_to(one, others.shape).T, *others.T)[2]


def test_points_all_over_the_globe_find_what_brute_force_finds(layer):
    here, there = all_over(400, 1), all_over(300, 2)
    # Both poles, and both sides of the antimeridian.
    here[:4] = [(12, 90), (0, -90), (180, 5), (-180, 5)]
    found = nearest(Run(), layer(shapely.points(here)), layer(shapely.points(there)))
    frame = found.nearest_features.to_geodataframe()
    distances = np.array([geodesic(place, there) for place in here])
    assert (frame["NEAR_FID"] - 1).tolist() == distances.argmin(axis=1).tolist()
    assert frame["NEAR_DIST"].to_numpy() == pytest.approx(distances.min(axis=1), abs=1e-6)
    near = there[distances.argmin(axis=1)]
    assert frame[["NEAR_X", "NEAR_Y"]].to_numpy() == pytest.approx(near, abs=1e-9)
    azimuth = GLOBE.inv(*here.T, *near.T)[0] % 360
    assert frame["NEAR_ANGLE"].to_numpy() == pytest.approx(azimuth, abs=1e-6)


def test_places_find_the_nearest_country(world, layer):
    places = all_over(60, 3)
    frame = nearest(
        Run(), layer(shapely.points(places)), FeatureSet.from_geodataframe(world), units="Kilometers"
    )
    found = frame.nearest_features.to_geodataframe()
    rims, owner = shapely.get_coordinates(
        shapely.segmentize(shapely.boundary(world.geometry.to_numpy()), 0.05), return_index=True
    )
    vectors = unit_vectors(rims)
    for place, number, kilometers in zip(places, found["NEAR_FID"] - 1, found["NEAR_DIST"], strict=True):
        home = world.index[world.contains(shapely.Point(place))]
        if len(home):
            assert (number, kilometers) == (home[0], 0)
            continue
        close = np.argpartition(-(vectors @ unit_vectors(place[None])[0]), 100)[:100]
        away = geodesic(place, rims[close]) / 1000
        # The vertices of the rims are 5.6 km apart, so the rim may be somewhat nearer than they are.
        slack = away.min() - np.sqrt(max(away.min() ** 2 - 2.8**2, 0))
        assert away.min() - slack - 1e-3 <= kilometers <= away.min() + 1e-6
        assert away[owner[close] == number].min() - away.min() <= 2.8


def test_polygons_measure_from_rim_to_rim_across_the_antimeridian(layer):
    west, east = shapely.box(178, -1, 179, 1), shapely.box(-179, -1, -178, 1)
    found = nearest(Run(), layer([west]), layer([shapely.box(150, -1, 151, 1), east]))
    (row,) = found.nearest_features.features
    # Meridians are closest where they are farthest from the equator.
    assert row["attributes"]["NEAR_FID"] == 2
    assert row["attributes"]["NEAR_DIST"] == pytest.approx(GLOBE.inv(179, 1, -179, 1)[2], rel=1e-6)
    (line,) = found.connecting_lines.to_geodataframe().geometry
    assert line.geom_type == "MultiLineString"
    assert sum(GLOBE.geometry_length(part) for part in line.geoms) == pytest.approx(
        row["attributes"]["NEAR_DIST"], rel=1e-6
    )


def test_the_layers_may_be_in_different_systems(layer):
    berlin, potsdam, paris = (13.4, 52.52), (13.06, 52.4), (2.35, 48.86)
    others = gpd.GeoSeries(shapely.points([paris, potsdam]), crs=4326).to_crs(25833)
    here = gpd.GeoSeries([shapely.Point(berlin)], crs=4326).to_crs(3857)
    found = nearest(Run(), layer(here, crs=3857), layer(others, crs=25833, OBJECTID=[30, 40]))
    (row,) = found.nearest_features.features
    assert row["attributes"]["NEAR_FID"] == 40
    assert row["attributes"]["NEAR_DIST"] == pytest.approx(GLOBE.inv(*berlin, *potsdam)[2], abs=2)
    assert found.nearest_features.spatial_reference["wkid"] == 102100
    x, y = gpd.GeoSeries([shapely.Point(potsdam)], crs=4326).to_crs(3857)[0].coords[0]
    assert (row["attributes"]["NEAR_X"], row["attributes"]["NEAR_Y"]) == pytest.approx((x, y), abs=2)


def test_features_that_meet_are_no_distance_apart(layer):
    found = nearest(
        Run(), layer([shapely.box(0, 0, 2, 2)]), layer([shapely.box(9, 9, 10, 10), shapely.box(1, 1, 3, 3)])
    )
    (row,) = found.nearest_features.features
    assert row["attributes"]["NEAR_FID"] == 2
    assert row["attributes"]["NEAR_DIST"] == 0
    assert row["attributes"]["NEAR_ANGLE"] is None
    assert len(found.connecting_lines) == 0
    assert found.connecting_lines.geometry_type == "esriGeometryPolyline"


def test_beyond_the_search_radius_there_is_nothing(layer, said):
    run = Run()
    here = layer(shapely.points([(0, 0), (50, 0)]), name=["near", "far"])
    found = nearest(run, here, layer([shapely.Point(0.01, 0)]), search_radius="2 Kilometers")
    near, far = (feature["attributes"] for feature in found.nearest_features.features)
    assert near["NEAR_DIST"] == pytest.approx(1113.195, abs=0.001)
    assert [far[key] for key in ("name", "NEAR_FID", "NEAR_DIST", "NEAR_X", "NEAR_ANGLE")] == [
        "far",
        *[None] * 4,
    ]
    assert "1 of 2 features found nothing within 2 Kilometers" in said(run, "warning")
    assert len(found.connecting_lines) == 1


def test_the_connecting_line_follows_the_globe(layer):
    found = nearest(Run(), layer([shapely.Point(0, 50)]), layer([shapely.Point(90, 50)]))
    (line,) = found.connecting_lines.to_geodataframe().geometry
    assert line.bounds[3] == pytest.approx(59.4, abs=0.2)  # the great circle bows to the north


def test_distances_are_in_the_units_that_were_asked_for(layer):
    found = nearest(Run(), layer([shapely.Point(0, 0)]), layer([shapely.Point(1, 0)]), units="Miles")
    assert found.nearest_features.features[0]["attributes"]["NEAR_DIST"] == pytest.approx(69.1707, abs=1e-3)
    alias = {field["name"]: field["alias"] for field in found.nearest_features.fields}["NEAR_DIST"]
    assert alias == "Distance in Miles"


def test_what_cannot_be_done_is_said(layer):
    point = layer([shapely.Point(0, 0)])
    with pytest.raises(ValueError, match="'near_features' holds no features"):
        nearest(Run(), point, FeatureSet())
    with pytest.raises(ValueError, match="'search_radius' must be more than 0"):
        nearest(Run(), point, point, search_radius="0 Meters")
