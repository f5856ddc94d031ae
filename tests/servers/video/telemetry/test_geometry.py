"""Footprints: told, computed, or honestly not known."""

import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from milepost.servers.video.telemetry.geometry import Seen

_GEOD = pyproj.Geod(ellps="WGS84")
ANGLES = {5, 6, 7, 18, 19, 20}


def _area(corners):
    longitudes, latitudes = zip(*corners, strict=True)
    return abs(_GEOD.polygon_area_perimeter(longitudes, latitudes)[0])


def _check_within_a_hundredth(samples, truth):
    assert len(samples) == len(truth.moments)
    for sample, moment in zip(samples, truth.moments, strict=True):
        area = _area(moment.corners)
        assert _area(sample.corners) == pytest.approx(area, rel=0.01)
        reach = area**0.5 * 0.01
        for mine, true in zip(sample.corners, moment.corners, strict=True):
            assert _GEOD.inv(*mine, *true)[2] < reach
        assert _GEOD.inv(*sample.center[:2], *moment.center[:2])[2] < reach
        a, b = shapely.Polygon(sample.corners), shapely.Polygon(moment.corners)
        assert a.symmetric_difference(b).area < 0.01 * b.area


@pytest.mark.parametrize("corners", ["full", "offset"])
def test_corners_that_are_told_are_taken(film, read, corners):
    path, truth = film(corners=corners)
    _, samples = read(path)
    _check_within_a_hundredth(samples, truth)


@pytest.mark.parametrize(
    "omit",
    [
        (),
        (21, 22, 23, 24),
        (22, 23, 24, 25, 78),
        (75, 78),
        (15, 25),
        (17,),
        (22, 23, 24, 17, 21),
    ],
    ids=[
        "all else",
        "no centre",
        "no centre, no ground",
        "above the sea",
        "above the ellipsoid",
        "one view",
        "least",
    ],
)
def test_corners_that_are_not_told_are_computed(film, read, omit):
    path, truth = film(corners="none", omit=omit)
    found, samples = read(path)
    assert found.warnings == ()
    _check_within_a_hundredth(samples, truth)


def test_without_the_angles_the_way_to_the_centre_counts(film, read):
    path, truth = film(corners="none", omit=(6, 7, 18, 19, 20))
    _, samples = read(path)
    for sample, moment in zip(samples, truth.moments, strict=True):
        a, b = shapely.Polygon(sample.corners), shapely.Polygon(moment.corners)
        # The roll of the camera cannot be known.
        assert a.symmetric_difference(b).area < 0.1 * b.area


def test_ground_of_unknown_height_is_taken_for_the_sea_and_said(film, read):
    path, _ = film(corners="none", omit=(21, 22, 23, 24, 25, 78))
    found, samples = read(path)
    assert samples[0].corners is not None
    assert "ground at height 0" in found.warnings[0]


@pytest.mark.parametrize("elevation", [0.0, 5.0, 45.0])
def test_a_camera_that_looks_at_the_sky_has_no_footprint(elevation):
    values = {
        13: 42.0,
        14: 1.5,
        15: 3000.0,
        16: 30.0,
        17: 20.0,
        5: 0.0,
        6: 0.0,
        7: 0.0,
        18: 0.0,
        19: elevation,
        25: 0.0,
    }
    seen = Seen(values, 1.5)
    assert seen.sensor == (1.5, 42.0, 3000.0)
    assert seen.corners is None


def test_a_camera_that_looks_straight_down_sees_a_rectangle_below_it():
    values = {
        13: 42.0,
        14: 1.5,
        15: 1000.0,
        16: 90.0,
        17: 90.0,
        5: 90.0,
        6: 0.0,
        7: 0.0,
        18: 0.0,
        19: -90.0,
        25: 0.0,
    }
    seen = Seen(values, 1.0)
    assert _area(seen.corners) == pytest.approx(4e6, rel=1e-3)
    assert seen.center[:2] == pytest.approx((1.5, 42.0), abs=1e-6)
    # The top of the picture is where the aircraft flies to: east.
    assert seen.corners[0][0] > 1.5
    assert seen.corners[0][1] > 42.0
    assert seen.corners[1][1] < 42.0


def test_footprints_go_on_over_the_antimeridian():
    values = {
        13: 0.0,
        14: 179.999,
        15: 2000.0,
        16: 60.0,
        17: 40.0,
        5: 90.0,
        6: 0.0,
        7: 0.0,
        18: 0.0,
        19: -90.0,
        25: 0.0,
    }
    seen = Seen(values, 1.0)
    longitudes = [x for x, _ in seen.corners]
    assert min(longitudes) < -179.9
    assert max(longitudes) > 179.9


def test_corners_that_are_all_one_point_are_none():
    assert Seen({82 + each: 0.0 for each in range(8)}, 1.0).corners is None


@given(
    st.tuples(st.floats(-85, 85), st.floats(-180, 180), st.floats(500, 15_000), st.floats(0, 400)),
    st.tuples(st.floats(0, 360), st.floats(-20, 20), st.floats(-50, 50)),
    st.tuples(st.floats(0, 360), st.floats(-90, 10), st.floats(0, 360)),
    st.floats(1, 60),
)
def test_corners_are_at_the_angles_of_the_field_of_view(place, platform, sensor, view):
    latitude, longitude, height, ground = place
    values = {13: latitude, 14: longitude, 15: height, 25: ground, 16: view, 17: view / 2}
    values |= dict(zip((5, 6, 7, 18, 19, 20), (*platform, *sensor), strict=True))
    seen = Seen(values, 2.0)
    if seen.corners is None:
        return
    here = f"+proj=topocentric +lon_0={longitude!r} +lat_0={latitude!r} +h_0={height!r} +ellps=WGS84"
    to_here = pyproj.Transformer.from_pipeline(f"+proj=pipeline +step +proj=cart +ellps=WGS84 +step {here}")
    middle = np.array(to_here.transform(*seen.center))
    assert np.linalg.norm(middle) > 0
    x, y = np.tan(np.radians([view / 2, view / 4]))
    for corner in seen.corners:
        way = np.array(to_here.transform(*corner, ground))
        cosine = way @ middle / np.linalg.norm(way) / np.linalg.norm(middle)
        assert cosine == pytest.approx(1 / np.sqrt(1 + x * x + y * y), abs=1e-6)
