"""What a server answers about telemetry."""

import pytest
import shapely

from milepost.servers.video.telemetry import Interval, Track, corners_at, part_of_coverage, seen
from milepost.servers.video.telemetry.features import as_geojson

HOLD = 5.0


def _square(x, y, half=0.01):
    return (x - half, y + half, x + half, y + half, x + half, y - half, x - half, y - half)


def _track(start=1_000_000, samples=None, **more):
    """A camera that sees a square go east by 0.01 degrees a second, for ten seconds."""
    if samples is None:
        samples = [
            [second * 1000, second / 100, 39.9, 3000, second / 100, 40, 500, *_square(second / 100, 40)]
            for second in range(11)
        ]
    given = {"source": "test", "time_system": "UTC", "extent": None, "sets": len(samples), "every": 1}
    return Track(start=start, end=None, hold=HOLD, samples=samples, **{**given, **more})


def test_everything_is_seen_when_nothing_is_asked():
    assert seen(_track()) == [Interval(0, 10)]


def test_a_place_is_seen_while_the_footprint_passes_over_it():
    assert seen(_track(), shapely.Point(0.05, 40)) == [Interval(4, 7)]
    assert seen(_track(), shapely.box(0.085, 39, 1, 41)) == [Interval(8, 10)]
    assert seen(_track(), shapely.Point(0.05, 41)) == []
    assert seen(_track(), shapely.Point()) == []


def test_a_place_that_is_seen_twice_has_two_stretches():
    there = [[second * 1000, *[None] * 6, *_square(0 if second % 4 else 1, 40)] for second in range(1, 8)]
    assert seen(_track(samples=there), shapely.Point(0, 40)) == [Interval(1, 4), Interval(5, 7)]


def test_times_of_day_bound_what_is_seen():
    track = _track()
    assert seen(track, None, (1_002_500, 1_004_000)) == [Interval(2.5, 4)]
    assert seen(track, shapely.Point(0.05, 40), (None, 1_005_000)) == [Interval(4, 5)]
    assert seen(track, None, (1_020_000, None)) == []


def test_a_time_of_day_cannot_be_asked_when_nobody_knows_it():
    with pytest.raises(ValueError, match="no time of day"):
        seen(_track(start=None), None, (0, 1))
    assert seen(_track(start=None)) == [Interval(0, 10)]


def test_without_a_footprint_the_middle_counts_and_then_the_sensor():
    nothing = [None] * 8
    track = _track(
        samples=[[0, 1.0, 2.0, None, 3.0, 4.0, None, *nothing], [1000, 1.0, 2.0, None, *[None] * 3, *nothing]]
    )
    assert seen(track, shapely.Point(3, 4)) == [Interval(0, 1)]
    assert seen(track, shapely.Point(1, 2)) == [Interval(1, 1)]


def test_a_gap_in_the_telemetry_is_not_filled():
    track = _track(samples=[[0, *[None] * 6, *_square(0, 40)], [60_000, *[None] * 6, *_square(0, 40)]])
    assert seen(track, shapely.Point(0, 40)) == [Interval(0, HOLD), Interval(60, 60)]
    assert track.at(30) is None


def test_footprints_are_seen_across_the_antimeridian():
    corners = (179.99, 1, -179.99, 1, -179.99, 0, 179.99, 0)
    track = _track(samples=[[0, *[None] * 6, *corners], [1000, *[None] * 6, *corners]])
    assert seen(track, shapely.Point(179.995, 0.5)) == [Interval(0, 1)]
    assert seen(track, shapely.Point(-179.995, 0.5)) == [Interval(0, 1)]
    assert seen(track, shapely.Point(0, 0.5)) == []


def test_corners_are_interpolated():
    (found,) = corners_at(_track(), [2.5])
    assert list(found) == ["topLeft", "topRight", "bottomRight", "bottomLeft"]
    assert found["topLeft"] == {"x": 0.015, "y": 40.01, "z": 500, "spatialReference": {"wkid": 4326}}
    assert found["bottomRight"]["x"] == 0.035
    assert corners_at(_track(), [12, 90])[1] == {}


def test_corners_are_interpolated_across_the_antimeridian():
    track = _track(samples=[[0, *[None] * 6, *_square(179.95, 0)], [2000, *[None] * 6, *_square(-179.95, 0)]])
    (found,) = corners_at(track, [1.5])
    assert found["topRight"]["x"] == pytest.approx(-179.965)


def test_parts_of_the_coverage():
    coverage = {"area": {"rings": []}, "sensorPoints": {"points": []}, "telemetry": {"start": {}}}
    assert part_of_coverage(coverage, "") == coverage
    assert part_of_coverage(coverage, "telemetry") == {"telemetry": {"start": {}}}
    assert part_of_coverage(coverage, "SensorPoints") == {"sensorPoints": {"points": []}}
    with pytest.raises(ValueError, match="area, sensorPoints, telemetry"):
        part_of_coverage(coverage, "colour")


def test_geojson_goes_on_over_the_antimeridian():
    samples = [
        [0, 179.9, 0, 3000, 179.95, 0, 0, *_square(179.995, 0)],
        [1000, -179.9, 0, 3000, -179.95, 0, 0, *_square(-179.995, 0)],
    ]
    content = as_geojson(_track(samples=samples, extent=(179.9, -0.01, 180.1, 0.01)))
    for each in content["features"]:
        west, _, east, _ = shapely.geometry.shape(each["geometry"]).bounds
        assert 179.8 < west < east < 180.2
