import re
from pathlib import Path

import numpy as np
import pytest
import shapely
from pyproj import CRS, Geod

from milepost import Notebook, Run, Stop
from milepost.gdal.rasters import create_raster, open_raster
from milepost.jobs import events
from milepost.servers.geoprocessing.toolbox.terrain import contour, hillshade, slope, viewshed
from milepost.types import FeatureSet, LinearUnit, Raster

UTM = 32633
WEST, NORTH, CELL = 500_000.0, 5_200_000.0, 10.0


def write(path: Path, elevation, *, crs=UTM, transform=(WEST, CELL, 0.0, NORTH, 0.0, -CELL), nodata=None):
    height, width = elevation.shape
    with create_raster(
        path,
        width=width,
        height=height,
        dtype="float32",
        transform=transform,
        crs=CRS.from_user_input(crs),
        nodata=nodata,
    ) as raster:
        raster.write(elevation.astype(np.float32))
    return Raster(path)


def read(raster: Raster, dtype="float32"):
    with open_raster(raster.path) as found:
        return found.read(dtype=dtype)


def grid(rows=101, columns=101):
    """Metres east and north of the middle of the upper left cell, for each cell."""
    return np.meshgrid(np.arange(columns) * CELL, -np.arange(rows) * CELL)


def without_corners(values):
    """GDAL takes the ground at the four corners for half as steep."""
    values = values.copy()
    values[[0, 0, -1, -1], [0, -1, 0, -1]] = values[1, 1]
    return values


def place(column, row):
    """The middle of a cell, as a point of a feature set."""
    return {"geometry": {"x": WEST + (column + 0.5) * CELL, "y": NORTH - (row + 0.5) * CELL}}


def points(*features, wkid=UTM):
    return FeatureSet(spatial_reference={"wkid": wkid}, features=list(features))


def said(run: Run, level="info"):
    return " | ".join(
        event.text
        for event in run.notebook.events
        if isinstance(event, events.MessageAdded) and event.level == level
    )


def stages(found):
    return [event.name for event in found if isinstance(event, events.StageFinished)]


class StopsIn(Notebook):
    """Cancels while a stage runs, after the run was asked a few times whether it must stop."""

    def __init__(self, stage, after=3):
        super().__init__()
        self.stage, self.left, self.inside = stage, after, False

    def tell(self, event):
        super().tell(event)
        if isinstance(event, events.StageStarted):
            self.inside = event.name == self.stage

    record = tell

    def stop_reason(self):
        if self.inside:
            self.left -= 1
            if self.left < 0:
                self.stop = "cancelled"
        return super().stop_reason()


# Contours


def test_the_vertices_of_contours_lie_at_their_elevation():
    run = Run()
    lines = contour(run, interval=LinearUnit("50 Meters"))
    assert lines.spatial_reference["wkid"] == 4326
    assert lines.geometry_type == "esriGeometryPolyline"
    frame = lines.to_geodataframe()
    assert sorted(frame["elevation"].unique()) == list(range(250, 1100, 50))

    with open_raster(run.workspace / "terrain.tif") as terrain:
        left, width, _, top, _, height = terrain.transform
        elevation = terrain.read().astype(float)
        xy, owner = shapely.get_coordinates(frame.to_crs(terrain.crs).geometry.array, return_index=True)
    elevation[elevation == -9999] = np.nan
    column, row = (xy[:, 0] - left) / width - 0.5, (xy[:, 1] - top) / height - 0.5
    # Half a cell at the rim and around voids has no four cells to interpolate between.
    inside = (column > 0) & (row > 0) & (column < elevation.shape[1] - 1) & (row < elevation.shape[0] - 1)
    column, row, owner = column[inside], row[inside], owner[inside]
    c, r = column.astype(int), row.astype(int)
    across, down = column - c, row - r
    upper = elevation[r, c] * (1 - across) + elevation[r, c + 1] * across
    lower = elevation[r + 1, c] * (1 - across) + elevation[r + 1, c + 1] * across
    sampled = upper * (1 - down) + lower * down
    known = np.isfinite(sampled)
    assert known.sum() > 50_000
    np.testing.assert_allclose(sampled[known], frame["elevation"].to_numpy()[owner[known]], atol=0.01)


def test_the_contours_of_a_cone_are_circles(tmp_path):
    x, y = grid(201, 201)
    distance = np.hypot(x - 1000, y + 1000)
    dem = write(tmp_path / "cone.tif", 500 - distance / 5)
    frame = contour(Run(), interval="30 Meters", base="10 Meters", dem=dem).to_geodataframe().to_crs(UTM)
    assert {310, 340, 490} <= set(frame["elevation"])
    for elevation in (370, 400, 430):
        circle = shapely.Polygon(frame.set_index("elevation").geometry[elevation].coords)
        radius = (500 - elevation) * 5
        assert circle.area == pytest.approx(np.pi * radius**2, rel=0.002)
        assert circle.centroid.distance(shapely.Point(WEST + 1005, NORTH - 1005)) < 0.1


def test_an_interval_in_feet_gives_elevations_in_metres(tmp_path):
    x, _ = grid()
    dem = write(tmp_path / "plane.tif", x / 10)
    frame = contour(Run(), interval=LinearUnit(100, "Feet"), dem=dem).to_geodataframe()
    assert sorted(frame["elevation"]) == pytest.approx([0, 30.48, 60.96, 91.44], abs=1e-6) or sorted(
        frame["elevation"]
    ) == pytest.approx([30.48, 60.96, 91.44])


def test_terrain_without_a_contour_is_an_empty_result_and_a_warning(tmp_path):
    run = Run()
    x, _ = grid()
    lines = contour(run, interval="500 Meters", base="250 Meters", dem=write(tmp_path / "p.tif", x / 10))
    assert len(lines) == 0
    assert lines.geometry_type == "esriGeometryPolyline"
    assert "No contour lies between 0.0 and 100.0 m" in said(run, "warning")


def test_too_small_an_interval_is_refused_before_lines_are_drawn():
    with pytest.raises(
        ValueError, match=r"vertices, more than 1,000,000; use an interval of at least 3\.7 Met"
    ):
        contour(Run(), interval="1 Meters")


# Slope and hillshade


@pytest.mark.parametrize(("unit", "expected"), [("percent", 25.0), ("degrees", np.degrees(np.arctan(0.25)))])
def test_the_slope_of_a_plane(tmp_path, unit, expected):
    x, y = grid()
    dem = write(tmp_path / "plane.tif", 0.15 * x + 0.2 * y + 300)
    run = Run(workspace=tmp_path)
    found = slope(run, unit=unit, dem=dem)
    np.testing.assert_allclose(without_corners(read(found)), expected, rtol=1e-4)
    assert "WGS 84 / UTM zone 33N: 101 x 101 cells of 10 x 10 m" in said(run)
    assert "projecting terrain" in stages(run.notebook.events)


def test_the_slope_of_a_terrain_in_degrees_is_measured_in_metres(tmp_path):
    degrees = 1 / 1200
    transform = (14.0, degrees, 0.0, -33.0, 0.0, -degrees)
    latitude = -33 - (np.arange(80) + 0.5) * degrees
    _, _, metres = Geod(ellps="WGS84").inv(*np.full((2, 80), [[14.0], [-33.0]]), np.full(80, 14.0), latitude)
    dem = write(
        tmp_path / "degrees.tif", np.repeat(0.2 * metres[:, None], 90, axis=1), crs=4326, transform=transform
    )
    found = slope(Run(workspace=tmp_path), unit="percent", dem=dem)
    with open_raster(found.path) as raster:
        assert raster.crs == CRS.from_epsg(32733)
        percent = raster.read()
    np.testing.assert_allclose(percent[5:-5, 5:-5], 20, rtol=0.003)


def test_the_slope_of_the_sample_is_that_of_horns_formula():
    run = Run()
    found = read(slope(run))
    with open_raster(run.workspace / "terrain.tif") as terrain:
        z, cell = terrain.read().astype(float), terrain.transform[1]
    z[z == -9999] = np.nan
    a, b, c = z[:-2, :-2], z[:-2, 1:-1], z[:-2, 2:]
    d, f = z[1:-1, :-2], z[1:-1, 2:]
    g, h, i = z[2:, :-2], z[2:, 1:-1], z[2:, 2:]
    east = ((c + 2 * f + i) - (a + 2 * d + g)) / (8 * cell)
    south = ((g + 2 * h + i) - (a + 2 * b + c)) / (8 * cell)
    expected = np.degrees(np.arctan(np.hypot(east, south)))
    known = np.isfinite(expected) & np.isfinite(z[1:-1, 1:-1])
    assert known.mean() > 0.9
    np.testing.assert_allclose(found[1:-1, 1:-1][known], expected[known], atol=0.001)
    rows, columns = np.gradient(z, cell)
    simple = np.degrees(np.arctan(np.hypot(rows, columns)))[1:-1, 1:-1][known]
    assert np.abs(found[1:-1, 1:-1][known] - simple).mean() < 1
    assert (found[np.isnan(z)] == -9999).mean() > 0.9


@pytest.mark.parametrize("altitude", [30.0, 45.0, 90.0])
def test_flat_ground_is_as_bright_as_the_light_is_high(tmp_path, altitude):
    dem = write(tmp_path / "flat.tif", np.full((20, 20), 100.0))
    shade = read(hillshade(Run(workspace=tmp_path), altitude=altitude, dem=dem), "uint8")
    np.testing.assert_allclose(shade, 1 + 254 * np.sin(np.radians(altitude)), atol=0.6)


def test_slopes_that_face_the_light_are_brighter(tmp_path):
    x, _ = grid(40, 40)
    dem = write(tmp_path / "ridge.tif", 100 - np.abs(x - 195) / 2)
    shade = read(hillshade(Run(workspace=tmp_path), azimuth=270.0, altitude=45.0, dem=dem), "uint8")
    # The angle between the light and what stands up from the ground: 45 degrees and the slope apart.
    steep = np.arctan(0.5)
    np.testing.assert_allclose(shade[5:-5, 5:15], 1 + 254 * np.cos(np.pi / 4 - steep), atol=1)
    np.testing.assert_allclose(shade[5:-5, 25:-5], 1 + 254 * np.cos(np.pi / 4 + steep), atol=1)


# Viewshed


def wall(tmp_path):
    """Flat ground with a wall 12 m high from north to south, 50 cells from the left."""
    elevation = np.zeros((101, 101))
    elevation[:, 50] = 12
    return write(tmp_path / "wall.tif", elevation)


def cells_seen(found: FeatureSet):
    frame = found.to_geodataframe().to_crs(UTM)
    x, y = grid()
    middles = shapely.points(x + WEST + CELL / 2, y + NORTH - CELL / 2)
    seen = np.zeros(x.shape, dtype=int)
    for area, number in zip(frame.geometry, frame["observers"], strict=True):
        seen[shapely.contains(area, middles)] = number
    return seen


def test_a_wall_hides_what_is_behind_it(tmp_path):
    found = viewshed(Run(), observers=points(place(40, 50)), dem=wall(tmp_path))
    seen = cells_seen(found)
    assert (seen[:, :51] == 1).all()
    assert (seen[:, 51:] == 0).all()
    assert found.features[0]["attributes"]["area"] == pytest.approx(101 * 51 * CELL**2)
    assert found.spatial_reference["wkid"] == UTM


def test_high_targets_behind_a_wall_are_seen_up_to_the_line_of_sight(tmp_path):
    found = viewshed(Run(), observers=points(place(40, 50)), target_height="37.5 Meters", dem=wall(tmp_path))
    # From 2 m up, over 12 m in a distance of 100 m: 37.5 m are reached after 355 m.
    np.testing.assert_array_equal(cells_seen(found)[50, 51:], np.arange(51, 101) - 40 < 35.5)


def test_features_tell_how_many_observers_see_the_ground(tmp_path):
    observers = FeatureSet(
        geometry_type="esriGeometryMultipoint",
        spatial_reference={"wkid": UTM},
        features=[
            {"geometry": {"points": [list(place(40, 50)["geometry"].values())] * 2}},
            {"geometry": {"points": [list(place(60, 20)["geometry"].values())]}},
        ],
    )
    run = Run()
    seen = cells_seen(viewshed(run, observers=observers, dem=wall(tmp_path)))
    assert (seen[:, :50] == 2).all()
    assert (seen[:, 50] == 3).all()
    assert (seen[:, 51:] == 1).all()
    assert "Looking from 3 places" in said(run)
    assert "1.02 square kilometres are visible" in said(run)


def test_one_sees_as_far_as_max_distance_says(tmp_path):
    dem = write(tmp_path / "flat.tif", np.zeros((101, 101)))
    found = viewshed(
        Run(),
        observers=points(place(50, 50), place(20, 50)),
        max_distance=LinearUnit(0.2, "Kilometers"),
        dem=dem,
    )
    seen = cells_seen(found)
    x, y = grid()
    first, second = (np.hypot(x - at * CELL, y + 50 * CELL) for at in (50, 20))
    certain = (np.abs(first - 200) > CELL) & (np.abs(second - 200) > CELL)
    np.testing.assert_array_equal(seen[certain], ((first < 200).astype(int) + (second < 200))[certain])


def test_the_result_keeps_the_reference_of_the_observers():
    observers = points({"geometry": {"x": -9378_500.0, "y": 4_341_000.0}}, wkid=102100)
    found = viewshed(Run(), observers=observers, observer_height="10 Meters")
    assert found.spatial_reference["wkid"] == 102100
    frame = found.to_geodataframe()
    assert frame.is_valid.all()
    # Web Mercator stretches areas; the attribute is that on the ground.
    assert frame.area.sum() == pytest.approx(frame["area"].sum() / np.cos(np.radians(36.30)) ** 2, rel=0.01)
    assert frame.contains(shapely.Point(-9378_500.0, 4_341_000.0)).any()


# What the terrain is and can be


@pytest.mark.parametrize(
    ("west", "north", "expected", "warns"),
    [
        (-180.0, 10.0, 32601, False),
        (179.7, -45.0, 32760, False),
        (20.0, 86.0, 5041, True),
        (20.0, -85.0, 5042, True),
    ],
)
def test_terrain_is_projected_to_the_zone_it_lies_in(tmp_path, west, north, expected, warns):
    dem = write(
        tmp_path / "dem.tif", np.ones((30, 30)), crs=4326, transform=(west, 0.01, 0.0, north, 0.0, -0.01)
    )
    run = Run(workspace=tmp_path)
    with open_raster(hillshade(run, dem=dem).path) as raster:
        assert raster.crs == CRS.from_epsg(expected)
    assert ("are off by up to 0." in said(run, "warning")) == warns


def test_the_cell_size_can_be_asked_for():
    run = Run()
    with open_raster(hillshade(run, cell_size="200 Meters").path) as raster:
        assert (raster.transform[1], raster.transform[5]) == (200, -200)
    assert "cells of 200 x 200 m" in said(run)


def test_void_cells_are_left_out_and_counted(tmp_path):
    x, _ = grid()
    elevation = x / 10
    elevation[:10, :] = -32768
    run = Run(workspace=tmp_path)
    found = read(slope(run, dem=write(tmp_path / "voids.tif", elevation)))
    assert (found[:10] == -9999).all()
    np.testing.assert_allclose(found[11:-1], np.degrees(np.arctan(0.1)), rtol=1e-4)
    assert said(run, "warning") == "1,010 cells (9.9%) have no elevation"
    assert "elevations from 0.0 to 100.0 m" in said(run)


def test_the_void_value_of_a_file_counts(tmp_path):
    elevation = np.full((20, 20), 5.0)
    elevation[3, 3] = 1e20
    found = read(
        hillshade(Run(workspace=tmp_path), dem=write(tmp_path / "v.tif", elevation, nodata=1e20)), "uint8"
    )
    assert found[3, 3] == 0
    assert np.count_nonzero(found == 181) == 399


def test_elevations_in_feet_become_metres(tmp_path):
    x, _ = grid()
    dem = write(tmp_path / "feet.tif", x, crs="EPSG:32633+6360")  # NAVD88 height (ftUS)
    percent = read(slope(Run(workspace=tmp_path), unit="percent", dem=dem))
    np.testing.assert_allclose(without_corners(percent), 30.48006, rtol=1e-4)


def test_a_raster_that_hangs_askew_is_straightened(tmp_path):
    x, _ = grid()
    turned = (WEST, 8.0, 6.0, NORTH, 6.0, -8.0)  # cells of 10 m
    with open_raster(
        slope(
            Run(workspace=tmp_path), unit="percent", dem=write(tmp_path / "t.tif", x / 4, transform=turned)
        ).path
    ) as found:
        assert (found.transform[2], found.transform[4]) == (0, 0)
        percent = found.read()
    middle = percent[percent.shape[0] // 2 - 10 :, percent.shape[1] // 2 - 10 :][:20, :20]
    np.testing.assert_allclose(middle, 25, rtol=0.01)


def failing(operation, /, **arguments):
    with pytest.raises(ValueError, match=" ") as failure:
        operation(Run(), **arguments)
    return str(failure.value)


def test_what_cannot_be_worked_on_is_refused_in_words(tmp_path):
    flat = np.ones((20, 20))
    good = write(tmp_path / "good.tif", flat)
    nowhere = tmp_path / "nowhere.asc"
    nowhere.write_text("ncols 2\nnrows 2\nxllcorner 0\nyllcorner 0\ncellsize 1\n1 2\n3 4\n")
    assert "nowhere.asc has no coordinate reference system" in failing(slope, dem=Raster(nowhere))
    assert "holds no elevations" in failing(slope, dem=write(tmp_path / "v.tif", flat * -9999, nodata=-9999))
    wide = write(tmp_path / "wide.tif", flat, crs=4326, transform=(-40.0, 4.0, 0.0, 40.0, 0.0, -4.0))
    assert re.search("too wide|beyond where", failing(slope, dem=wide))
    picture = tmp_path / "picture.vrt"
    picture.write_text("<VRTDataset/>")
    assert "is no raster of the formats GTiff" in failing(slope, dem=Raster(picture))
    assert "use a cell_size of at least" in failing(slope, cell_size="1 Millimeters", dem=good)
    assert "'cell_size' must be more than 0" in failing(slope, cell_size="0 Meters", dem=good)
    assert "'interval' must be more than 0" in failing(contour, interval="0 Meters", dem=good)


def test_observers_must_stand_on_the_terrain(tmp_path):
    elevation = np.ones((20, 20))
    elevation[5, 5] = -9999
    dem = write(tmp_path / "dem.tif", elevation, nodata=-9999)
    outside = failing(viewshed, observers=points(place(3, 3), place(-3, 5)), dem=dem)
    assert (
        "the point 499975, 5199945 lies outside of the terrain, which covers longitudes from 15.0000"
        in outside
    )
    assert "has no elevation" in failing(viewshed, observers=points(place(5, 5)), dem=dem)
    assert "holds no features" in failing(viewshed, observers=points(), dem=dem)
    assert "at most 1,000" in failing(viewshed, observers=points(*[place(1, 1)] * 1001), dem=dem)
    assert "'target_height' must be 0 or more" in failing(
        viewshed, observers=points(place(3, 3)), target_height="-1 Meters", dem=dem
    )
    assert "'max_distance' must be more than 0" in failing(
        viewshed, observers=points(place(3, 3)), max_distance="0 Meters", dem=dem
    )
    area = FeatureSet(
        geometry_type="esriGeometryPolygon",
        spatial_reference={"wkid": UTM},
        features=[{"geometry": {"rings": [[[0, 0], [0, 1], [1, 1], [0, 0]]]}}],
    )
    assert "must hold points, not polygons" in failing(viewshed, observers=area, dem=dem)


# As jobs


@pytest.mark.parametrize(
    ("operation", "arguments", "stage"),
    [
        (contour, {"interval": "20 Meters"}, "projecting terrain"),
        (contour, {"interval": "20 Meters"}, "drawing contours"),
        (slope, {}, "computing slope"),
        (hillshade, {}, "shading relief"),
        (
            viewshed,
            {"observers": points({"geometry": {"x": -84.25, "y": 36.26}}, wkid=4326)},
            "looking around",
        ),
    ],
)
def test_cancelling_stops_in_the_middle_and_the_next_attempt_goes_on(tmp_path, operation, arguments, stage):
    channel = StopsIn(stage, after=6)
    with pytest.raises(Stop, match="cancelled"):
        operation(Run(channel, workspace=tmp_path), **arguments)
    assert stage not in stages(channel.events)

    kept = {e.name: e.result.value for e in channel.events if isinstance(e, events.StepFinished)}
    assert ("terrain" in kept) == (stage != "projecting terrain")
    again, whole = Run(workspace=tmp_path, steps=kept), Run()
    found, expected = operation(again, **arguments), operation(whole, **arguments)
    assert ("reading terrain" in stages(again.notebook.events)) == ("terrain" not in kept)
    if isinstance(found, Raster):
        np.testing.assert_array_equal(read(found), read(expected))
    else:
        assert found == expected


def test_progress_goes_from_0_to_1_and_never_back(monkeypatch):
    monkeypatch.setattr("milepost.operations.run.PROGRESS_EVERY", 0.0)
    observers = points(*[{"geometry": {"x": -84.25, "y": 36.2 + n / 50}} for n in range(5)], wkid=4326)
    for operation, arguments in (
        (contour, {"interval": "100 Meters"}),
        (slope, {}),
        (viewshed, {"observers": observers}),
    ):
        run = Run()
        operation(run, **arguments)
        shares = [e.fraction for e in run.notebook.events if isinstance(e, events.Progressed)]
        assert shares == sorted(shares)
        assert len(shares) > 50
        assert shares[0] < 0.2
        assert shares[-1] == 1
    texts = {e.text for e in run.notebook.events if isinstance(e, events.Progressed)}
    assert "Observer 5 of 5" in texts


def test_clients_need_to_give_no_terrain():
    found = contour.perform(Run(), contour.check({"interval": "200 Meters"}))["result"]
    assert {feature["attributes"]["elevation"] for feature in found["features"]} == {400, 600, 800, 1000}
