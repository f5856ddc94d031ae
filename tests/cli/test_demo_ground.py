"""What the camera of the demonstration flies over lies where it is said to lie."""

from io import BytesIO

import numpy as np
import pikepdf
import pyproj
import pytest
from pikepdf import Array, Dictionary, Name

from milepost.cli.demo_ground import sheet_ground, terrain_ground
from milepost.cli.demo_sheet import AREA
from milepost.servers.video.flight import Ground

WIDE, HIGH = 6000.0, 4000.0
"""Metres of the map on the sheet below."""
WEST, SOUTH = 740_000.0, 4_020_000.0
"""In UTM zone 16N, of its corner."""


def pixel_of(ground: Ground, longitude: float, latitude: float) -> tuple[float, float]:
    plane = pyproj.Transformer.from_crs(
        "EPSG:4326",
        f"+proj=tmerc +lon_0={ground.middle[0]} +lat_0={ground.middle[1]} +datum=WGS84",
        always_xy=True,
    )
    column, row = ground.to_pixels(np.array([plane.transform(longitude, latitude)]))[0]
    return column, row


def sheet() -> bytes:
    """A page of 500 by 400 points with a map of 300 by 200, on which 30 by 20 are red, a third from its corner."""
    to_degrees = pyproj.Transformer.from_crs("EPSG:32616", "EPSG:4326", always_xy=True)
    corners = []
    for x, y in ((0.0, 0.0), (0.0, HIGH), (WIDE, HIGH), (WIDE, 0.0)):
        longitude, latitude = to_degrees.transform(WEST + x, SOUTH + y)
        corners += [latitude, longitude]
    measure = Dictionary(GPTS=Array(corners), GCS=Dictionary(EPSG=32616))
    document = pikepdf.new()
    page = document.add_blank_page(page_size=(500, 400))
    page.VP = Array([Dictionary(Type=Name.Viewport, BBox=Array([100, 50, 400, 250]), Measure=measure)])
    page.contents_add(b"1 0 0 rg 200 150 30 20 re f")
    content = BytesIO()
    document.save(content)
    return content.getvalue()


def test_a_sheet_is_flown_over_where_it_lies() -> None:
    ground = sheet_ground(sheet())
    to_degrees = pyproj.Transformer.from_crs("EPSG:32616", "EPSG:4326", always_xy=True)
    # The middle of what is red, in metres from the corner of the map: 20 of them are a point of paper.
    column, row = pixel_of(ground, *to_degrees.transform(WEST + 115 * 20, SOUTH + 110 * 20))
    red = np.argwhere(np.asarray(ground.image)[:, :, 1] < 128)
    assert (column, row) == pytest.approx((red[:, 1].mean() + 0.5, red[:, 0].mean() + 0.5), abs=1)
    assert ground.side == pytest.approx(HIGH, rel=0.01)


def test_the_terrain_is_that_of_the_sheet() -> None:
    ground = terrain_ground()
    middle = ((AREA["xmin"] + AREA["xmax"]) / 2, (AREA["ymin"] + AREA["ymax"]) / 2)
    assert ground.middle == pytest.approx(middle, abs=1e-3)
    column, row = pixel_of(ground, AREA["xmin"], AREA["ymax"])
    assert (column, row) == pytest.approx((0, 0), abs=12)  # about a cell of heights
