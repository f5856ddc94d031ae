"""Whole sheets, drawn by Mapnik, as other programs read them."""

import json
import re

import numpy as np
import pikepdf
import pyogrio
import pyproj
import pytest
import shapely
from PIL import Image

from milepost.operations import Run
from milepost.servers.production.sheet.make import MODELLED, make_sheet
from milepost.servers.production.sheet.order import Source
from tests.servers.production.sheet import ground
from tests.servers.production.sheet.witnesses import tool


def test_gdal_reads_where_a_sheet_lies_and_its_layers(made):
    path = made[3]
    about = json.loads(tool("gdalinfo", "-json", "-mdd", "LAYERS", path))
    assert re.search(r'ID\["EPSG",32632\]\]$', about["coordinateSystem"]["wkt"])
    told = {value for key, value in about["metadata"]["LAYERS"].items() if key.endswith("_NAME")}
    with pikepdf.open(path) as pdf:
        there = {str(each.Name).replace(" ", "_") for each in pdf.Root.OCProperties.OCGs}
    assert {each.replace(" ", "_") for each in told} == there
    assert {"Relief_shading", "Contours", "Transportation", "Grid"} <= there


def test_a_sheet_is_sound_and_its_fonts_are_inside(made):
    tool("qpdf", "--check", made[3])
    fonts = tool("pdffonts", made[3]).splitlines()[2:]
    assert fonts
    for line in fonts:
        assert re.search(r" yes +yes +yes +\d+ +\d+$", line), line


def distance_of_marker(path, longitude, latitude, folder):
    """Metres on the ground from a place to the middle of the marker that GDAL draws next to it."""
    target = folder / "points.tif"
    only = ["--config", "GDAL_PDF_LAYERS", "Points", "--config", "GDAL_PDF_DPI", "300"]
    tool("gdal_translate", "-q", *only, path, target)
    about = json.loads(tool("gdalinfo", "-json", target))
    a, b, c, d, e, f = about["geoTransform"]
    crs = pyproj.CRS.from_wkt(about["coordinateSystem"]["wkt"])
    east, north = pyproj.Transformer.from_crs(4326, crs, always_xy=True).transform(longitude, latitude)
    column, row = np.linalg.solve([[b, c], [e, f]], [east - a, north - d])
    dark = 255 - np.asarray(Image.open(target).convert("L")).astype(float)
    reach = 12  # a millimetre: no two of the points are nearer than three
    top, left = int(row) - reach, int(column) - reach
    window = dark[top : top + 2 * reach, left : left + 2 * reach]
    assert window.max() > 150, "there is no marker"
    rows, columns = np.nonzero(window > 128)
    across, down = columns.mean() + 0.5 + left - column, rows.mean() + 0.5 + top - row
    return float(np.hypot(b * across + c * down, e * across + f * down))


def test_a_summit_is_printed_where_it_is(made, tmp_path):
    longitude, latitude = ground.WEST + ground.HILL[0], ground.SOUTH + ground.HILL[1]
    assert distance_of_marker(made[3], longitude, latitude, tmp_path) < 30


@pytest.mark.timeout(300)
def test_the_highest_summit_of_a_real_country_is_printed_where_it_is(andorra, tmp_path):
    """Coma Pedrosa, 2942 m, whose place GDAL reads from the extract; the extract has no heights of summits."""
    area = shapely.box(1.42, 42.57, 1.48, 42.61)
    extract, heights = andorra / "andorra.osm.pbf", andorra / "N42E001.hgt.zip"
    points = pyogrio.read_dataframe(extract, layer="points", bbox=area.bounds)
    [summit] = points.geometry[points["name"] == "Pic de Comapedrosa"]
    order = ground.order(
        andorra,
        area=shapely.geometry.mapping(area),
        vectors=(Source(path=str(extract)),),
        elevation=(Source(path=str(heights)),),
    )
    path = make_sheet(Run(), order, tmp_path)
    text = tool("pdftotext", path, "-")
    assert re.search(r"Pic de Comapedrosa\s+29\d\d\s", text)
    assert MODELLED in " ".join(text.split())
    assert distance_of_marker(path, summit.x, summit.y, tmp_path) < 30
