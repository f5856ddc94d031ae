"""Buffers against the geometry of circles and geodesic distances."""

import math

import geopandas as gpd
import numpy as np
import pytest
import shapely
from pyproj import Geod

from milepost import Notebook, Run, Stop
from milepost.servers.geoprocessing.toolbox import buffer
from milepost.types import FeatureSet

GLOBE = Geod(ellps="WGS84")
CORNERS = 64
SHARE_OF_CIRCLE = math.sin(2 * math.pi / CORNERS) / (2 * math.pi / CORNERS)


def area_on_globe(geometry) -> float:
    return abs(GLOBE.geometry_area_perimeter(geometry)[0])


def buffered(layer: FeatureSet, distance, **more) -> gpd.GeoDataFrame:
    return buffer(Run(), features=layer, distance=distance, **more).to_geodataframe()


def distances_to(place, geometry) -> np.ndarray:
    corners = shapely.get_coordinates(geometry)
    return GLOBE.inv(*np.broadcast_to(place, corners.shape).T, *corners.T)[2]


@pytest.mark.parametrize("place", [(10, 50), (-70, -33), (0, 0), (25, 80)])
@pytest.mark.parametrize("meters", [1, 500, 100_000, 1_000_000])
def test_a_point_in_degrees_becomes_a_circle_on_the_globe(layer, place, meters):
    (circle,) = buffered(layer([shapely.Point(place)]), f"{meters} Meters").geometry
    radii = distances_to(place, circle)
    assert radii.max() == pytest.approx(meters, rel=1e-6)
    assert radii.min() >= meters * math.cos(math.pi / CORNERS) * (1 - 1e-4)
    cap = 2 * math.pi * 6_371_008.8**2 * (1 - math.cos(meters / 6_371_008.8))
    assert area_on_globe(circle) == pytest.approx(SHARE_OF_CIRCLE * cap, rel=6e-3)


def test_web_mercator_does_not_stretch_distances(layer):
    oslo = (10.75, 59.91)
    point = gpd.GeoSeries([shapely.Point(oslo)], crs=4326).to_crs(3857)
    found = buffered(layer(point, crs=3857), "500 Meters")
    assert found.crs.to_epsg() == 3857
    circle = found.to_crs(4326).geometry[0]
    assert distances_to(oslo, circle) == pytest.approx(500, rel=1e-6)
    assert found.area[0] == pytest.approx(math.pi * 500**2 / math.cos(math.radians(59.91)) ** 2, rel=0.01)


def test_a_projection_that_is_true_to_scale_is_measured_in(layer, said):
    run = Run()
    point = shapely.Point(500_000, 5_500_000)
    (circle,) = buffer(run, layer([point], crs=25832), "500 Meters").to_geodataframe().geometry
    assert circle.area == pytest.approx(SHARE_OF_CIRCLE * math.pi * 500**2, rel=1e-9)
    assert "Measured in the projection" in said(run)
    assert "ETRS89 / UTM zone 32N are off by up to 0.04%" in said(run)


def test_feet_are_not_metres(layer):
    point = shapely.Point(1_000_000, 200_000)
    (circle,) = buffered(layer([point], crs=2263), "100 Meters").geometry
    assert shapely.minimum_bounding_radius(circle) == pytest.approx(100 / 0.3048006096, rel=1e-3)


@pytest.mark.parametrize(
    ("method", "radius"), [("planar", 1000.0), ("geodesic", 1000 / math.cos(math.radians(60)))]
)
def test_the_method_can_be_chosen(layer, said, method, radius):
    run = Run()
    at_60_degrees = shapely.Point(0, 8_399_737.89)
    (circle,) = (
        buffer(run, layer([at_60_degrees], crs=3857), "1 Kilometers", method=method)
        .to_geodataframe()
        .geometry
    )
    assert shapely.minimum_bounding_radius(circle) == pytest.approx(radius, rel=0.01)
    assert ("although lengths in WGS 84 / Pseudo-Mercator are off by" in said(run, "warning")) == (
        method == "planar"
    )


@pytest.mark.parametrize("kilometers", [50, 2000, -200])
def test_countries_grow_and_shrink_by_the_distance_on_the_globe(world, kilometers):
    names = ["Russia", "Fiji", "Antarctica", "Norway", "Canada", "Germany", "South Africa", "New Zealand"]
    countries = world[world["name"].isin(names)].reset_index(drop=True)
    meters = abs(kilometers) * 1000
    grown = buffered(FeatureSet.from_geodataframe(countries), f"{kilometers} Kilometers").set_index("name")
    assert grown.is_valid.all()
    random = np.random.default_rng(7)
    places = np.column_stack(
        [random.uniform(-180, 180, 3000), np.degrees(np.arcsin(random.uniform(-1, 1, 3000)))]
    )
    for name, country in countries.set_index("name").geometry.items():
        rim = shapely.get_coordinates(shapely.segmentize(shapely.boundary(country), 0.1))
        if kilometers < 0:
            # Where the map ends, the country does not.
            rim = rim[(np.abs(rim[:, 0]) < 179.999) & (np.abs(rim[:, 1]) < 89.999)]
        away = distance_to_nearest(places, rim)
        inside = shapely.contains_xy(country, places)
        expected = (inside | (away < meters)) if kilometers > 0 else (inside & (away > meters))
        clear = np.abs(away - meters) > 0.005 * meters + 6000
        found = shapely.contains_xy(grown.geometry.get(name, shapely.Polygon()), places)
        assert (found == expected)[clear].all(), name


def distance_to_nearest(places, others):
    """Geodesic distance to the nearest vertex, found as the largest product of unit vectors."""

    def vectors(points):
        x, y = np.radians(points).T
        return np.column_stack([np.cos(y) * np.cos(x), np.cos(y) * np.sin(x), np.sin(y)])

    best = np.argmax(vectors(places) @ vectors(others).T, axis=1)
    return GLOBE.inv(*places.T, *others[best].T)[2]


def test_a_line_is_buffered_along_its_course_in_degrees(layer):
    """A parallel is no geodesic: its buffer follows the parallel, not the shorter way north of it."""
    parallel = shapely.LineString([(0, 60), (60, 60)])
    (found,) = buffered(layer([parallel]), "10 Kilometers").geometry
    middle = 30.0
    up = GLOBE.fwd(middle, 60, 0, 9_900)[1]
    beyond = GLOBE.fwd(middle, 60, 0, 10_100)[1]
    assert shapely.contains_xy(found, middle, up)
    assert not shapely.contains_xy(found, middle, beyond)


def test_across_the_antimeridian_the_circle_comes_in_two_parts(layer):
    (circle,) = buffered(layer([shapely.Point(179.9, -17)]), "50 Kilometers").geometry
    assert circle.geom_type == "MultiPolygon"
    assert circle.bounds[0] == -180
    assert circle.bounds[2] == 180
    assert circle.bounds[3] - circle.bounds[1] == pytest.approx(100_000 / 110_650, rel=1e-3)
    assert area_on_globe(circle.geoms[0]) + area_on_globe(circle.geoms[1]) == pytest.approx(
        SHARE_OF_CIRCLE * math.pi * 50_000**2, rel=1e-3
    )


def test_a_projection_made_for_the_pacific_needs_no_cut(layer):
    pacific = gpd.GeoSeries([shapely.Point(179.9, -17)], crs=4326).to_crs(3832)
    (circle,) = buffered(layer(pacific, crs=3832), "50 Kilometers").geometry
    assert circle.geom_type == "Polygon"


def test_around_the_pole(layer):
    (cap,) = buffered(layer([shapely.Point(30, 89.9)]), "50 Kilometers").geometry
    assert shapely.contains_xy(cap, -150, 89.99)
    assert area_on_globe(cap) == pytest.approx(SHARE_OF_CIRCLE * math.pi * 50_000**2, rel=1e-3)
    polar = gpd.GeoSeries([shapely.Point(30, 89.9)], crs=4326).to_crs(3413)
    (round_one,) = buffered(layer(polar, crs=3413), "50 Kilometers").geometry
    assert round_one.geom_type == "Polygon"
    assert not round_one.interiors
    assert round_one.area == pytest.approx(SHARE_OF_CIRCLE * math.pi * 50_000**2 * 0.97**2, rel=0.01)


def test_attributes_and_object_ids_stay(layer):
    features = layer(shapely.points([(1, 2), (3, 4)]), OBJECTID=[7, 9], name=["a", None])
    found = buffer(Run(), features, "1 Kilometers")
    assert [feature["attributes"] for feature in found.features] == [
        {"OBJECTID": 7, "name": "a"},
        {"OBJECTID": 9, "name": None},
    ]
    assert found.geometry_type == "esriGeometryPolygon"


def test_dissolved_buffers_are_one_feature_of_the_same_ground(layer):
    near = shapely.points([(10, 50), (10.005, 50), (11, 50)])
    apart = buffered(layer(near), "500 Meters").geometry
    found = buffered(layer(near), "500 Meters", dissolve=True)
    assert found["COUNT"].tolist() == [3]
    assert found.geometry[0].equals_exact(apart.union_all(), 1e-9, normalize=True)


def test_what_is_left_out_or_repaired_is_said(said):
    bow_tie = {"rings": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}
    needle = {"rings": [[[5, 5], [6, 6], [5, 5], [5, 5]]]}
    run = Run()
    features = [{"geometry": each} for each in (None, {"rings": []}, bow_tie, needle)]
    found = buffer(run, FeatureSet("esriGeometryPolygon", features=features), "1 Kilometers")
    assert len(found) == 1
    assert said(run, "warning").splitlines() == [
        "1 feature of 'features' had an invalid geometry, which was repaired",
        "2 features of 'features' had no geometry and had to be left out",
        "1 feature of 'features' had a geometry without extent and had to be left out",
    ]


def test_polygons_that_vanish_are_counted(layer, said):
    run = Run()
    found = buffer(run, layer([shapely.box(0, 0, 1, 1), shapely.box(5, 5, 5.01, 5.01)]), "-5 Kilometers")
    assert len(found) == 1
    assert "1 of 2 polygons vanished: they are too narrow for a distance of -5 Kilometers" in said(
        run, "warning"
    )


@pytest.mark.parametrize(
    ("geometry", "distance", "more", "cause"),
    [
        (shapely.Point(1, 2), "0 Meters", {}, "'distance' is 0"),
        (shapely.Point(1, 2), "-1 Meters", {}, "'distance' is negative, which only polygons"),
        (shapely.box(0, 0, 0.1, 0.1), "-50 Kilometers", {}, "leaves nothing of the polygons"),
        (shapely.Point(1, 2), "6000 Kilometers", {}, "must not exceed 5000 kilometers"),
        (shapely.Point(1, 2), "1 Meters", {"method": "planar"}, "WGS 84 counts in degrees; project"),
        (None, "1 Meters", {}, "'features' holds no features with a geometry"),
    ],
)
def test_what_cannot_be_done_is_said(layer, geometry, distance, more, cause):
    with pytest.raises(ValueError, match=cause):
        buffered(layer([geometry]), distance, **more)


def test_no_features_at_all():
    with pytest.raises(ValueError, match="holds no features"):
        buffered(FeatureSet(), "1 Meters")


def test_progress_runs_to_the_end_and_a_stop_is_heeded(world):
    run = Run()
    features = FeatureSet.from_geodataframe(world)
    buffer(run, features, "10 Kilometers")
    shares = [event.fraction for event in run.notebook.events if hasattr(event, "fraction")]
    assert shares == sorted(shares)
    assert shares[-1] == 1

    class Impatient(Notebook):
        def tell(self, event):
            super().tell(event)
            if getattr(event, "name", "") == "buffering":
                self.stop = "cancelled"

    with pytest.raises(Stop):
        buffer(Run(Impatient()), features, "10 Kilometers")
