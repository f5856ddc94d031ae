"""A small country for the tests of this folder: hills, a hollow, a lake, roads with hairpins, a village, summits."""

import geopandas as gpd
import numpy as np
import pyogrio
import shapely
from pyproj import CRS
from shapely import LineString, Point, Polygon

from milepost.gdal.rasters import create_raster
from milepost.servers.production.sheet.order import Order, Source
from milepost.servers.production.sheet.reading import built_in

WEST, SOUTH = 10.0, 46.0
SIZE = 0.04
"""Degrees of the sides of the area; 3 by 4.4 km."""
CELL = 1 / 3600
HILL, HOLLOW = (0.012, 0.028), (0.030, 0.012)
"""Of the summit and the deepest place: degrees east and north of the corner."""


def heights(longitude, latitude, west=WEST, south=SOUTH):
    """Metres; smooth, so that any interpolation is right."""
    x, y = longitude - west, latitude - south

    def bump(at, width):
        return np.exp(-(((x - at[0]) / width) ** 2) - ((y - at[1]) / width) ** 2)

    return 600 + 4000 * x + 400 * bump(HILL, 0.008) - 260 * bump(HOLLOW, 0.005)


def write_heights(path, west=WEST, south=SOUTH, size=SIZE, margin=0.01, void=None, origin=None):
    """A GeoTIFF in degrees around an area; ``void`` is a box of degrees, from the corner, without heights."""
    count = round((size + 2 * margin) / CELL)
    left, top = west - margin, south - margin + count * CELL
    longitude = left + (np.arange(count) + 0.5) * CELL
    latitude = top - (np.arange(count) + 0.5) * CELL
    x, y = np.meshgrid(longitude, latitude)
    z = heights(x, y, *(origin or (west, south))).astype("float32")
    if void:
        x0, y0, x1, y1 = void
        inside = (x >= west + x0) & (x <= west + x1) & (y >= south + y0) & (y <= south + y1)
        z[inside] = -9999
    with create_raster(
        path,
        width=count,
        height=count,
        dtype="float32",
        transform=((left + 180) % 360 - 180, CELL, 0.0, top, 0.0, -CELL),
        crs=CRS.from_epsg(4326),
        nodata=-9999,
    ) as raster:
        raster.write(z)
    return path


def write_features(path, west=WEST, south=SOUTH, size=SIZE):
    """A GeoPackage with the columns of OpenStreetMap."""

    def at(x, y):
        return (west + x * size / SIZE, south + y * size / SIZE)

    def save(table, rows):
        frame = gpd.GeoDataFrame([values for values, _ in rows], geometry=[g for _, g in rows], crs=4326)
        pyogrio.write_dataframe(frame, path, layer=table, driver="GPKG", append=path.exists())

    def line(*places):
        return LineString([at(*each) for each in places])

    def box(x, y, width, height):
        return Polygon([at(x, y), at(x + width, y), at(x + width, y + height), at(x, y + height)])

    # The arms of the hairpins are 25 m apart: half a millimetre on the map.
    bends = [(0.016 + 0.006 * (n % 2), 0.018 + 0.00023 * n) for n in range(9)]
    save(
        "lines",
        [
            ({"highway": "primary", "ref": "N 7", "name": "Long Road"}, line((-0.01, 0.005), (0.05, 0.008))),
            ({"highway": "secondary", "ref": "FIXME"}, line((0.016, 0.007), *bends)),
            ({"highway": "residential", "name": "Mill Lane"}, line((0.005, 0.006), (0.005, 0.012))),
            ({"highway": "primary", "tunnel": "yes"}, line((0.002, 0.030), (0.02, 0.035))),
            ({"highway": "secondary", "bridge": "yes"}, line((0.022, 0.030), (0.024, 0.038))),
            ({"waterway": "river", "name": "Slow River"}, line((-0.01, 0.016), (0.02, 0.014), (0.05, 0.016))),
        ],
    )
    save(
        "multipolygons",
        [
            ({"natural": "water", "name": "Round Lake"}, Point(at(0.030, 0.030)).buffer(0.003)),
            ({"landuse": "forest"}, box(0.020, 0.020, 0.015, 0.004)),
            ({"landuse": "residential"}, box(0.002, 0.005, 0.008, 0.006)),
            ({"building": "yes"}, box(0.0060, 0.0100, 0.0001, 0.0001)),
            ({"building": "yes"}, box(0.0080, 0.0100, 0.0008, 0.0004)),
            ({"boundary": "administrative", "admin_level": "8"}, box(-0.01, -0.01, 0.025, 0.06)),
            ({"boundary": "administrative", "admin_level": "8"}, box(0.015, -0.01, 0.035, 0.06)),
        ],
    )
    save(
        "points",
        [
            ({"place": "village", "name": "Little Town"}, Point(at(0.006, 0.008))),
            ({"place": "hamlet", "name": "Mill"}, Point(at(0.034, 0.020))),
            ({"natural": "peak", "name": "High Hill", "ele": "1046.3 m"}, Point(at(*HILL))),
            ({"man_made": "survey_point", "ele": "1041"}, Point(at(HILL[0] + 0.0008, HILL[1]))),
        ],
    )
    return path


def square(west=WEST, south=SOUTH, size=SIZE):
    """An area as GeoJSON."""
    return shapely.geometry.mapping(shapely.box(west, south, west + size, south + size))


def order(folder, product="MTM50", **more):
    """An order of the small country, whose files are in a folder."""
    return Order(
        **{
            "product": built_in()[product],
            "version": "1",
            "name": "Little Town",
            "number": "12-3",
            "area": square(),
            "vectors": (Source(path=str(folder / "country.gpkg"), credit="Nobody", licence="CC0"),),
            "elevation": (Source(path=str(folder / "country.tif"), credit="Nobody"),),
            **more,
        }
    )
