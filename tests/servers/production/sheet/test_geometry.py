import math

import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from milepost.servers.production.sheet.geometry import SheetGeometry
from milepost.servers.production.sheet.grids import grid_at
from milepost.servers.production.sheet.page import Margins, Page

SCALES = [10_000, 25_000, 50_000, 100_000, 250_000]


@st.composite
def sheets(draw, latitudes=(-79.0, 83.0)):
    """Sheets between 150 and 700 mm, anywhere."""
    scale = draw(st.sampled_from(SCALES))
    latitude = draw(st.floats(*latitudes))
    longitude = draw(st.floats(-180, 180))
    height = draw(st.floats(0.15, 0.7)) * scale / 111_000
    width = draw(st.floats(0.15, 0.7)) * scale / 111_000 / math.cos(math.radians(latitude))
    area = shapely.box(longitude, latitude, longitude + width, latitude + height)
    return area, SheetGeometry.of(area, scale)


@settings(max_examples=60, deadline=None)
@given(sheets(), st.floats(0, 1), st.floats(0, 1))
def test_a_place_comes_back_from_the_sheet_and_from_the_page(made, across, up):
    _, sheet = made
    longitude = sheet.west + across * (sheet.east - sheet.west)
    latitude = sheet.south + up * (sheet.north - sheet.south)
    page = Page(sheet, Margins(70, 200, 80, 90))
    x, y = sheet.sheet_of_lonlat(longitude, latitude)
    assert page.sheet_of_point(*page.point(x, y)) == pytest.approx((x, y), abs=1e-6)
    back = sheet.lonlat_of_sheet(x, y)
    assert back == pytest.approx((longitude, latitude), abs=1e-8)
    east, north = sheet.grid_of_sheet(x, y)
    assert sheet.sheet_of_grid(east, north) == pytest.approx((x, y), abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(sheets())
def test_the_neatline_holds_the_area_and_the_frame_holds_the_neatline(made):
    area, sheet = made
    # The chords of a densified parallel may cut a hundredth of a millimetre off.
    slack = sheet.scale * 1e-5
    assert shapely.contains_properly(
        sheet.neatline.buffer(slack), sheet.on_sheet(shapely.segmentize(area, 0.01))
    )
    assert shapely.box(*sheet.frame).buffer(1e-6).contains(sheet.neatline)
    assert sheet.neatline.is_valid
    assert sheet.neatline.exterior.is_ccw
    west, south, east, north = sheet.lonlat_bounds()
    assert (west, south) <= (sheet.west + 1e-7, sheet.south + 1e-7)
    assert (east, north) >= (sheet.east - 1e-7, sheet.north - 1e-7)


@settings(max_examples=60, deadline=None)
@given(sheets())
def test_the_scale_on_paper_is_that_of_the_ground_within_the_scale_factor_of_the_grid(made):
    _, sheet = made
    geod = pyproj.Geod(ellps="WGS84")
    _, _, metres = geod.inv(sheet.longitude, sheet.south, sheet.longitude, sheet.north)
    page = Page(sheet, Margins(0, 0, 0, 0))
    (x0, x1), (y0, y1) = page.point(
        *sheet.sheet_of_lonlat([sheet.longitude, sheet.longitude], [sheet.south, sheet.north])
    )
    paper = math.hypot(x1 - x0, y1 - y0) / 72 * 0.0254
    factor = pyproj.Proj(sheet.crs).get_factors(sheet.longitude, sheet.latitude).meridional_scale
    assert paper * sheet.scale / metres == pytest.approx(factor, rel=2e-5)
    assert 0.9995 < factor < 1.006


@settings(max_examples=60, deadline=None)
@given(sheets())
def test_true_north_is_up_and_grid_north_turned_by_the_convergence(made):
    _, sheet = made
    x, y = sheet.sheet_of_lonlat([sheet.longitude] * 2, [sheet.latitude, sheet.latitude + 0.001])
    assert math.degrees(math.atan2(x[1] - x[0], y[1] - y[0])) == pytest.approx(0, abs=0.001)
    east, north = sheet.grid_of_lonlat(sheet.longitude, sheet.latitude)
    x, y = sheet.sheet_of_grid([east, east], [north, north + 1000])
    assert math.degrees(math.atan2(x[1] - x[0], y[1] - y[0])) == pytest.approx(sheet.convergence, abs=1e-6)


@pytest.mark.parametrize(
    ("longitude", "latitude", "title", "epsg"),
    [
        (1.5, 42.5, "UTM zone 31N", 32631),
        (5.99, 50, "UTM zone 31N", 32631),
        (6.01, 50, "UTM zone 32N", 32632),
        (-70.6, -33.4, "UTM zone 19S", 32719),
        (5, 60.4, "UTM zone 32N", 32632),  # Bergen lies in the wider zone 32
        (5, 64.1, "UTM zone 31N", 32631),
        (8, 78, "UTM zone 31N", 32631),
        (15.6, 78.2, "UTM zone 33N", 32633),  # Svalbard has no zones 32, 34 and 36
        (25, 80, "UTM zone 35N", 32635),
        (35, 80, "UTM zone 37N", 32637),
        (180, 10, "UTM zone 1N", 32601),
        (-180, 10, "UTM zone 1N", 32601),
        (179.9, -10, "UTM zone 60S", 32760),
        (0, 0, "UTM zone 31N", 32631),
        (20, 84.5, "UPS North", 5041),
        (20, -80.5, "UPS South", 5042),
    ],
)
def test_the_grid_of_a_place_is_the_one_on_its_maps(longitude, latitude, title, epsg):
    grid = grid_at(longitude, latitude)
    assert (grid.title, grid.epsg) == (title, epsg)


@pytest.mark.parametrize(
    "area",
    [
        shapely.box(179.9, -17, 180.1, -16.8),
        shapely.box(-180.1, -17, -179.9, -16.8),
        shapely.MultiPolygon([shapely.box(179.9, -17, 180, -16.8), shapely.box(-180, -17, -179.9, -16.8)]),
    ],
)
def test_an_area_across_the_antimeridian_is_one_sheet(area):
    sheet = SheetGeometry.of(area, 50_000)
    assert sheet.east - sheet.west == pytest.approx(0.2)
    x, _ = sheet.sheet_of_lonlat([179.95, -179.95], [-16.9, -16.9])
    assert x[0] < 0 < x[1]
    assert 350 < sheet.width * 25.4 / 72 < 450


def test_an_area_across_the_edge_of_a_zone_is_one_sheet_in_the_zone_of_its_middle():
    sheet = SheetGeometry.of(shapely.box(5.9, 45, 6.05, 45.1), 50_000)
    assert sheet.grid.zone == 31
    assert sheet.convergence == pytest.approx(3 * math.sin(math.radians(45)), abs=0.05)


def test_the_sides_are_whole_seconds_and_whole_minutes_stay():
    sheet = SheetGeometry.of(shapely.box(1.45, 42.45, 1.7, 42.65), 50_000)
    assert (sheet.west, sheet.south, sheet.east, sheet.north) == pytest.approx(
        (1.45, 42.45, 1.7, 42.65), abs=1e-12
    )
    sheet = SheetGeometry.of(shapely.box(1.4501, 42.4501, 1.7001, 42.6501), 50_000)
    assert sheet.west == pytest.approx(1.45)
    assert sheet.east * 3600 == pytest.approx(6121)


def test_a_sheet_beyond_the_end_of_utm_is_in_ups_with_true_north_up():
    sheet = SheetGeometry.of(shapely.box(20, 84.5, 21, 84.7), 50_000)
    assert sheet.grid.title == "UPS North"
    assert sheet.convergence == pytest.approx(20.5)


SQUARE = {
    "type": "Polygon",
    "coordinates": [[[1.4, 42.4], [1.7, 42.4], [1.7, 42.6], [1.4, 42.6], [1.4, 42.4]]],
}


def test_geojson_is_taken_as_geometry_or_feature():
    assert SheetGeometry.of(SQUARE, 50_000) == SheetGeometry.of(
        {"type": "Feature", "geometry": SQUARE}, 50_000
    )


@pytest.mark.parametrize(
    ("area", "scale", "words"),
    [
        (shapely.box(1.4, 42.4, 1.7, 42.6), 10, "choose one from 1:1000"),
        (shapely.Point(1, 42), 50_000, "a Point: give a polygon"),
        (shapely.Polygon(), 50_000, "an empty Polygon: give a polygon"),
        ({"type": "Polygon"}, 50_000, "not a GeoJSON polygon"),
        ({"type": "Cube", "coordinates": []}, 50_000, "not a GeoJSON polygon"),
        ({"type": "Feature", "geometry": None}, 50_000, "not a GeoJSON polygon"),
        ({"type": "Polygon", "coordinates": [[["a", 1], [2, 2], [1, 3]]]}, 50_000, "not a GeoJSON polygon"),
        (shapely.box(377000, 4700000, 398000, 4720000), 50_000, "not in degrees"),
        (shapely.Polygon([(1, 1), (1, 2), (1, 3)]), 50_000, "no extent"),
        (shapely.box(0, 40, 3, 43), 50_000, "choose a smaller area"),
        (shapely.box(1, 42, 1.001, 42.001), 50_000, "choose a larger area"),
        (shapely.box(0, 40, 14, 41), 1_000_000, "that UTM zone 32N can show there: choose a narrower"),
        (shapely.box(10, 70, 11, 88), 5_000_000, "UTM ends at"),
        (shapely.box(10, 89.8, 11, 90), 50_000, "cannot show a pole"),
        (shapely.box(-20, 86, 20, 87), 500_000, "more than the 30° that UPS North"),
    ],
)
def test_what_no_sheet_can_show_is_refused_with_a_cure(area, scale, words):
    with pytest.raises(ValueError, match=words):
        SheetGeometry.of(area, scale)
