"""The files of a sheet, read by programs that had no part in making them."""

import json
import re
import sqlite3
import zipfile

import geopandas as gpd
import numpy as np
import pikepdf
import pypdfium2
import pytest
import shapely
from PIL import Image
from reportlab.pdfgen.canvas import Canvas

from milepost.servers.production.sheet.assemble import GRID, MARGIN, assemble
from milepost.servers.production.sheet.contents import Theme
from milepost.servers.production.sheet.frame import draw_frame
from milepost.servers.production.sheet.lettering import write_labels
from milepost.servers.production.sheet.order import Output
from milepost.servers.production.sheet.package import write_features, write_package
from milepost.servers.production.sheet.raster import write_geotiff
from tests.servers.production.sheet import sheets
from tests.servers.production.sheet.witnesses import tool

RED, GREEN = (200, 0, 0), (0, 150, 0)


class Made:
    """A sheet of a small area with two themes: a red cross at a known place, and green edges."""

    def __init__(self, folder, area=sheets.AREA, scale=50_000):
        self.folder = folder
        self.order = sheets.order(area, sheets.product(scale), output=Output(files=("data", "style")))
        self.sheet = sheets.sheet_of(self.order)
        self.frame = folder / "frame.pdf"
        self.page = draw_frame(self.order, self.sheet, sheets.contents(), sheets.MADE, self.frame)
        self.place = (self.sheet.west + 0.4 * (self.sheet.east - self.sheet.west), self.sheet.latitude)
        self._themes()
        self.pdf = folder / "sheet.pdf"
        themes = [
            Theme(name="Relief", file="relief.jpg", kind="jpeg", bounds=self.sheet.frame),
            Theme(name="Water", file="water.pdf", kind="pdf", bounds=self.sheet.frame),
            Theme(name="Marks", file="marks.pdf", kind="pdf", bounds=self.sheet.frame),
        ]
        assemble(self.pdf, self.page, folder, themes, self.frame, self.order, sheets.MADE)

    def _themes(self):
        Image.new("RGB", (60, 60), (250, 250, 240)).save(self.folder / "relief.jpg")
        size = (self.sheet.width, self.sheet.height)
        left, bottom, _, _ = self.sheet.frame
        for name in ("water", "marks"):
            canvas = Canvas(str(self.folder / f"{name}.pdf"), pagesize=size, initialFontName="sans")
            if name == "water":
                canvas.setStrokeColorRGB(*(value / 255 for value in GREEN))
                canvas.setLineWidth(30)
                canvas.rect(0, 0, *size)
            else:
                x, y = self.sheet.sheet_of_lonlat(*self.place)
                k = self.sheet.points_per_metre
                canvas.setFillColorRGB(*(value / 255 for value in RED))
                canvas.rect((x - left) * k - 4, (y - bottom) * k - 4, 8, 8, stroke=0, fill=1)
            canvas.save()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return Made(tmp_path_factory.mktemp("sheet"))


def drawn(pdf, dpi=200):
    document = pypdfium2.PdfDocument(pdf)
    try:
        return np.asarray(document[0].render(scale=dpi / 72).to_pil().convert("RGB")).astype(int)
    finally:
        document.close()


def middle_of(picture, color, tolerance=40):
    """Row and column in the middle of all pixels of a colour."""
    rows, columns = np.nonzero(np.abs(picture - np.array(color)).sum(axis=2) < tolerance)
    assert len(rows), f"nothing is {color}"
    return rows.mean() + 0.5, columns.mean() + 0.5


def test_gdal_reads_where_the_page_lies(made):
    about = json.loads(tool("gdalinfo", "-json", "-mdd", "LAYERS", made.pdf))
    wkt = about["coordinateSystem"]["wkt"]
    assert re.search(r'ID\["EPSG",32631\]\]$', wkt)
    a, b, c, d, e, f = about["geoTransform"]
    column, row = _pixel_of(made, about["size"])
    east, north = made.sheet.grid_of_lonlat(*made.place)
    pixel = abs(b)
    assert a + b * column + c * row == pytest.approx(float(east), abs=pixel)
    assert d + e * column + f * row == pytest.approx(float(north), abs=pixel)
    layers = [value for key, value in about["metadata"]["LAYERS"].items() if key.endswith("_NAME")]
    assert {name.replace("_", " ") for name in layers} == {"Relief", "Water", "Marks", GRID, MARGIN}


def _pixel_of(made, size):
    x, y = made.page.point(*made.sheet.sheet_of_lonlat(*made.place))
    return float(x) / made.page.width * size[0], (1 - float(y) / made.page.height) * size[1]


def test_gdal_draws_the_theme_where_it_is_on_the_earth(made, tmp_path):
    """GDAL's own drawing and georeference against the truth: a mark at a known place."""
    target = tmp_path / "marks.tif"
    only = ["--config", "GDAL_PDF_LAYERS", "Marks", "--config", "GDAL_PDF_DPI", "200"]
    tool("gdal_translate", "-q", *only, made.pdf, target)
    about = json.loads(tool("gdalinfo", "-json", target))
    row, column = middle_of(np.asarray(Image.open(target).convert("RGB")).astype(int), RED)
    a, b, c, d, e, f = about["geoTransform"]
    east, north = made.sheet.grid_of_lonlat(*made.place)
    assert a + b * column + c * row == pytest.approx(float(east), abs=abs(b))
    assert d + e * column + f * row == pytest.approx(float(north), abs=abs(b))


@pytest.mark.parametrize("northings", [False, True])
def test_printed_grid_lines_are_within_a_pixel_of_the_truth(made, tmp_path, northings):
    """Drawn by GDAL at 200 dpi without any other layer; every pixel of a line against its value."""
    target = tmp_path / "grid.tif"
    only = ["--config", "GDAL_PDF_LAYERS", GRID, "--config", "GDAL_PDF_DPI", "200"]
    tool("gdal_translate", "-q", *only, made.pdf, target)
    a, b, c, d, e, f = json.loads(tool("gdalinfo", "-json", target))["geoTransform"]
    dark = 255 - np.asarray(Image.open(target).convert("L")).astype(float)
    dark = dark.T if northings else dark
    sheet, errors = made.sheet, []
    # Away from crossings, the weighed middle of what is dark around a line.
    for line in range(6):
        for along in range(6):
            for offset in range(200, 900, 50):
                if northings:
                    east, north = 377_000 + 1000 * along + offset, 4_704_000 + 1000 * line
                else:
                    east, north = 377_000 + 1000 * line, 4_704_000 + 1000 * along + offset
                if not shapely.contains_xy(sheet.neatline, *sheet.sheet_of_grid(east, north)):
                    continue
                column, row = np.linalg.solve([[b, c], [e, f]], [east - a, north - d])
                across, at = (row, column) if northings else (column, row)
                first = int(across) - 5
                weights = dark[int(at), first : first + 11]
                if weights.sum() > 50:
                    found = (weights * (np.arange(first, first + 11) + 0.5)).sum() / weights.sum()
                    errors.append((found - across) * b)
    assert len(errors) > 100
    assert abs(np.mean(errors)) < 0.5 * abs(b)
    assert np.abs(errors).max() < abs(b)


def test_two_engines_draw_the_page_alike(made, tmp_path):
    tool("pdftoppm", "-r", "200", "-png", "-singlefile", made.pdf, tmp_path / "poppler")
    poppler = np.asarray(Image.open(tmp_path / "poppler.png").convert("RGB")).astype(int)
    pdfium = drawn(made.pdf, 200)
    assert middle_of(poppler, RED) == pytest.approx(middle_of(pdfium, RED), abs=1)
    # Edges of type and the least width of lines differ; what is seen from afar does not.
    far = [Image.fromarray(picture.astype(np.uint8)).reduce(16) for picture in (poppler, pdfium)]
    columns, rows = (min(picture.size[n] for picture in far) for n in (0, 1))
    one, other = (np.asarray(picture).astype(int)[:rows, :columns] for picture in far)
    assert np.abs(one - other).mean() < 2
    assert np.percentile(np.abs(one - other), 99) < 20


def test_the_file_is_sound_and_its_fonts_are_inside(made):
    tool("qpdf", "--check", made.pdf)
    lines = tool("pdffonts", made.pdf).splitlines()[2:]
    assert lines
    for line in lines:
        assert re.search(r" yes +yes +yes +\d+ +\d+$", line), line
    told = tool("pdfinfo", made.pdf)
    assert "Title:           Sant Julià, Topographic map 1:50\N{NO-BREAK SPACE}000" in told
    with pikepdf.open(made.pdf) as pdf:
        assert "OpenStreetMap" in str(pdf.open_metadata()["dc:rights"])
        assert pdf.pdf_version >= "1.7"


def test_labels_need_no_font_that_is_not_inside(made, tmp_path):
    write_labels([], made.sheet, tmp_path / "labels.pdf")
    assert len(tool("pdffonts", tmp_path / "labels.pdf").splitlines()) == 2


def test_what_a_theme_draws_ends_at_the_neatline(made):
    picture = drawn(made.pdf)
    rows, columns = np.nonzero(np.abs(picture - np.array(GREEN)).sum(axis=2) < 40)
    k = 200 / 72
    ring = np.asarray(made.sheet.neatline.exterior.coords)
    x, y = made.page.point(ring[:, 0], ring[:, 1])
    assert columns.min() >= x.min() * k - 1
    assert columns.max() <= x.max() * k + 1
    assert rows.min() >= (made.page.height - y.max()) * k - 1
    assert rows.max() <= (made.page.height - y.min()) * k + 1


def test_a_layer_can_be_switched_off(made, tmp_path):
    with pikepdf.open(made.pdf) as pdf:
        default = pdf.Root.OCProperties.D
        marks = next(layer for layer in pdf.Root.OCProperties.OCGs if str(layer.Name) == "Marks")
        default.OFF = pikepdf.Array([marks])
        default.ON = pikepdf.Array([layer for layer in default.ON if layer.objgen != marks.objgen])
        pdf.save(tmp_path / "off.pdf")
    picture = drawn(tmp_path / "off.pdf")
    assert not (np.abs(picture - np.array(RED)).sum(axis=2) < 40).any()
    assert (np.abs(picture - np.array(GREEN)).sum(axis=2) < 40).any()


def test_the_same_order_gives_the_same_file(made, tmp_path):
    again = Made(tmp_path)
    assert again.pdf.read_bytes() == made.pdf.read_bytes()


@pytest.mark.parametrize("area", [sheets.AREA, (20, 84.5, 20.3, 84.53), (179.97, -17, 180.03, -16.95)])
def test_the_geotiff_is_north_up_and_true(area, tmp_path):
    made = Made(tmp_path, area)
    target, told = tmp_path / "sheet.tif", []
    write_geotiff(made.pdf, made.page, target, 150, told.append)
    about = json.loads(tool("gdalinfo", "-json", target))
    assert f'"EPSG",{made.sheet.grid.epsg}' in about["coordinateSystem"]["wkt"]
    a, b, c, d, e, f = about["geoTransform"]
    assert (c, e) == (0, 0)
    assert b == -f == pytest.approx(0.0254 / 150 * 50_000)
    assert about["metadata"]["IMAGE_STRUCTURE"]["LAYOUT"] == "COG"
    assert [band["colorInterpretation"] for band in about["bands"]] == ["Red", "Green", "Blue", "Alpha"]
    assert about["bands"][0]["overviews"]
    with Image.open(target) as opened:
        picture = np.asarray(opened)
    row, column = middle_of(picture[:, :, :3].astype(int), RED, 60)
    east, north = made.sheet.grid_of_lonlat(*made.place)
    assert a + b * column == pytest.approx(float(east), abs=0.5 * b)
    assert d + f * row == pytest.approx(float(north), abs=0.5 * b)
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1)
    # Beyond the turned paper nothing is to be seen.
    assert picture[0, 0, 3] == picture[-1, -1, 3] == 0 or abs(made.sheet.convergence) < 0.2
    assert picture[len(picture) // 2, picture.shape[1] // 2, 3] == 255
    assert [path.name for path in tmp_path.glob("*.tif")] == ["sheet.tif"]


def test_a_raster_beyond_measure_is_refused(made, tmp_path):
    with pytest.raises(ValueError, match="choose fewer dpi"):
        write_geotiff(made.pdf, made.page, tmp_path / "sheet.tif", 20_000)


def test_the_package_holds_sheet_data_and_style(made, tmp_path):
    data = tmp_path / "data.gpkg"
    x, y = made.sheet.sheet_of_lonlat([1.51, 1.55], [42.49, 42.53])
    rivers = gpd.GeoDataFrame({"name": ["Valira"]}, geometry=[shapely.LineString(np.column_stack([x, y]))])
    write_features(data, made.sheet, "rivers", rivers)
    write_features(data, made.sheet, "lakes", rivers.iloc[:0])
    target = tmp_path / "sheet.zip"
    write_package(target, made.order, made.sheet, {"sheet.pdf": made.pdf, "data.gpkg": data}, sheets.MADE)
    with zipfile.ZipFile(target) as package:
        assert package.testzip() is None
        assert set(package.namelist()) == {"README.txt", "product.json", "sheet.pdf", "data.gpkg"}
        readme = package.read("README.txt").decode()
        assert json.loads(package.read("product.json"))["name"] == "MTM50"
        assert package.read("sheet.pdf") == made.pdf.read_bytes()
        package.extract("data.gpkg", tmp_path / "out")
    assert "© OpenStreetMap contributors, ODbL 1.0" in readme
    assert "EPSG:32631" in readme
    with sqlite3.connect(tmp_path / "out" / "data.gpkg") as base:
        assert base.execute("select table_name, srs_id from gpkg_contents").fetchall() == [("rivers", 32631)]
    said = tool("ogrinfo", "-so", tmp_path / "out" / "data.gpkg", "rivers")
    extent = [float(value) for value in re.search(r"Extent: \((.*), (.*)\) - \((.*), (.*)\)", said).groups()]
    assert extent[:2] == pytest.approx([float(v) for v in made.sheet.grid_of_lonlat(1.51, 42.49)], abs=0.1)


def test_a_package_without_style_has_none(made, tmp_path):
    order = sheets.order(output=Output(files=("data",)))
    write_package(tmp_path / "sheet.zip", order, made.sheet, {}, sheets.MADE)
    assert zipfile.ZipFile(tmp_path / "sheet.zip").namelist() == ["README.txt"]
