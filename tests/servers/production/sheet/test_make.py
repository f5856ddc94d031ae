"""Sheets of a small country from end to end: what they say, what is on them, and what happens when it goes wrong."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import geopandas as gpd
import msgspec
import numpy as np
import pikepdf
import pyogrio
import pypdfium2
import pytest
import shapely
from msgspec.structs import replace
from PIL import Image

from milepost.jobs import events
from milepost.operations import Run
from milepost.operations.run import Notebook, Stop
from milepost.servers.production.sheet.definition import UNKNOWN
from milepost.servers.production.sheet.drawing import draw_layer
from milepost.servers.production.sheet.make import MODELLED, make_sheet
from milepost.servers.production.sheet.order import Ancillary, Output, Source
from milepost.servers.production.sheet.reading import built_in, read_product
from milepost.servers.production.sheet.render import render
from milepost.servers.production.sheet.stamps import stamps
from milepost.servers.production.sheet.surveying import prepare_ground
from milepost.servers.production.sheet.workshop import Workshop
from tests.servers.production.sheet import ground
from tests.servers.production.sheet.witnesses import tool

TIME = r"Start Time: (Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, [A-Z][a-z]+ \d\d, \d{4} \d\d:\d\d:\d\d [AP]M"


def messages(run, level="info"):
    return [
        each.text
        for each in run.notebook.events
        if isinstance(each, events.MessageAdded) and each.level == level
    ]


def words(path):
    return pypdfium2.PdfDocument(path)[0].get_textpage().get_text_bounded()


def drawn(path, scale=1.0):
    with pypdfium2.PdfDocument(path) as pdf:
        return np.asarray(pdf[0].render(scale=scale).to_numpy())


def layers(path):
    with pikepdf.open(path) as pdf:
        return [str(each.Name) for each in pdf.Root.OCProperties.OCGs]


def features(folder, order, name):
    """The features of a layer as they were drawn."""
    layer = next(each for each in order.product.layers if each.name == name)
    return Workshop(order, folder).features("final", layer)


def test_every_stage_is_told_with_its_start(made):
    said = [each for each in messages(made[0]) if "Executing" in each or "Start Time" in each]
    assert said[0] == "Executing Import Template and Extract Features"
    assert said[-2] == "Executing Export Product"
    assert all(re.fullmatch(TIME, each) for each in said[1::2])
    assert all(each.startswith("Executing ") for each in said[::2])


def test_progress_moves_on_with_the_work(made):
    told = [each for each in made[0].notebook.events if isinstance(each, events.Progressed)]
    begun = [each.name for each in made[0].notebook.events if isinstance(each, events.StageStarted)]
    assert list(dict.fromkeys(each.text for each in told if each.text)) == begun
    shares = [each.fraction for each in told]
    assert (shares[0], shares[-1]) == (0, 1)
    assert shares == sorted(shares)
    # No piece of work is a large part of the whole.
    assert max(np.diff(shares)) < 0.15
    # Reading and labels are long: there it moves on within the stage.
    assert sum(0 < each < 0.3 for each in shares) > 10


def test_the_pdf_has_the_layers_of_the_product(made):
    _, order, _, path = made
    assert path.name == "12-3.pdf"
    there = layers(path)
    assert there[0] == "Relief shading"
    drawn = [theme for theme in order.product.themes if theme in there]
    assert drawn == [
        "Land cover",
        "Contours",
        "Hydrography",
        "Boundaries",
        "Buildings",
        "Transportation",
        "Points",
    ]
    # Names lie above the grid.
    assert there.index("Grid") < there.index("Names") < there.index("Frame and margin")


def test_names_can_be_searched_in_it(made):
    text = words(made[3])
    for name in ("Little Town", "High Hill", "1046", "N 7"):
        assert name in text
    assert "FIXME" not in text
    assert "<NA>" not in text


def test_a_summit_is_named_once(made):
    # A survey point beside it tells another height of the same summit.
    assert "1041" not in words(made[3])


def test_only_what_is_on_the_sheet_is_in_the_legend(made):
    text = words(made[3])
    assert "Woodland" in text
    assert "Railway" not in text


def test_a_second_attempt_goes_on_after_the_last_stage(made):
    run, order, folder, path = made
    kept = {
        each.name: each.result.value for each in run.notebook.events if isinstance(each, events.StepFinished)
    }
    del kept["Export Product"]
    again = Run(steps=kept)
    assert make_sheet(again, order, folder) == path
    assert [each for each in messages(again) if "Executing" in each] == ["Executing Export Product"]


def test_a_sheet_that_is_killed_in_every_stage_is_the_same_sheet(made, tmp_path):
    run, order, _, path = made
    (tmp_path / "order.json").write_bytes(msgspec.json.encode(order))
    program = [sys.executable, "-m", "tests.servers.production.sheet.dying"]
    done = subprocess.run(
        [*program, tmp_path / "order.json", tmp_path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    stages = [each.name for each in run.notebook.events if isinstance(each, events.StageStarted)]
    assert said["killed"] == stages
    before, after = drawn(path), drawn(said["path"])
    # Only the margin tells when it was made.
    assert before.shape == after.shape
    differ = np.flatnonzero((before != after).any(axis=(1, 2)))
    assert not len(differ) or differ.min() > len(before) / 2
    assert layers(path) == layers(said["path"])
    assert words(path).splitlines()[:5] == words(said["path"]).splitlines()[:5]
    assert set(os.listdir(tmp_path)) == {"order.json", "sheet", Path(said["path"]).name}


@pytest.mark.parametrize("name", ["country.gpkg", "country.tif"])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda path: os.utime(path, (1, 1)),
            "was changed after this sheet was begun, .* ask for the sheet anew",
        ),
        (lambda path: path.unlink(), r"cannot be read \(No such file or directory\); put it back"),
    ],
)
def test_a_source_that_is_another_one_by_now_is_not_mixed_in(tmp_path, name, change, said):
    ground.write_features(tmp_path / "country.gpkg")
    ground.write_heights(tmp_path / "country.tif")
    order = ground.order(tmp_path)
    order = replace(order, stamps=stamps([*order.vectors, *order.elevation]))
    change(tmp_path / name)
    with pytest.raises(ValueError, match=f"the source {name} {said}"):
        make_sheet(Run(), order, tmp_path / "work")


def test_heights_that_nobody_surveyed_are_told(country, made, tmp_path):
    assert MODELLED not in " ".join(words(made[3]).split())
    summit = gpd.GeoDataFrame(
        {"natural": ["peak"], "name": ["Low Hill"]}, geometry=[shapely.Point(10.012, 46.028)], crs=4326
    )
    pyogrio.write_dataframe(summit, tmp_path / "summit.gpkg", layer="points")
    order = ground.order(
        country,
        vectors=(Source(path=str(tmp_path / "summit.gpkg")),),
        excluded=("Contours", "Spot heights"),
    )
    text = " ".join(words(make_sheet(Run(), order, tmp_path)).split())
    assert "Low Hill" in text
    assert MODELLED in text


class StopsWithin(Notebook):
    """A channel that asks to stop once a stage has begun."""

    def __init__(self, stage):
        super().__init__()
        self.stage = stage
        self.looks = 0

    def stop_reason(self):
        if any(isinstance(each, events.StageStarted) and each.name == self.stage for each in self.events):
            self.looks += 1
        return "cancelled" if self.looks > 1 else ""


def test_a_cancel_ends_the_process_that_draws(country, tmp_path):
    channel = StopsWithin("Draw Land cover")
    with pytest.raises(Stop):
        make_sheet(Run(channel), ground.order(country), tmp_path)
    assert not list(tmp_path.glob("*.pdf"))


def exported(made, folder, **change):
    """Another output of the sheet that was made: only its last stage is done again."""
    run, order, before, _ = made
    kept = {
        each.name: each.result.value for each in run.notebook.events if isinstance(each, events.StepFinished)
    }
    del kept["Export Product"]
    shutil.copytree(before / "sheet", folder / "sheet")
    return make_sheet(Run(steps=kept), replace(order, **change), folder)


def test_the_geotiff_is_the_sheet_where_it_lies(made, tmp_path):
    path = exported(made, tmp_path, output=Output(type="tiff", dpi=100), output_name="a b/c")
    assert path.name == "a_b_c.tif"
    about = json.loads(tool("gdalinfo", "-json", path))
    assert re.search(r'ID\["EPSG",32632\]\]$', about["coordinateSystem"]["wkt"])
    left, pixel, _, top, _, down = about["geoTransform"]
    assert (pixel, -down) == pytest.approx((0.0254 / 100 * 50_000,) * 2)
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB"), dtype=int)
    # The lake is blue where it is on the Earth, and the paper around the map white.
    geometry = Workshop(made[1], tmp_path).geometry
    east, north = geometry.grid_of_lonlat(ground.WEST + 0.030, ground.SOUTH + 0.0315)
    red, _, blue = pixels[int((top - float(north)) / pixel), int((float(east) - left) / pixel)]
    assert blue > red + 10
    # It is the same picture as the PDF, but for the turn of the grid.
    page = drawn(made[3], 100 / 72)[:, :, :3]
    assert pixels.mean() == pytest.approx(page.mean(), abs=6)


def test_the_package_makes_the_same_sheet_again(made, tmp_path):
    # Longer than a file can be called, as a field of an area may have it.
    name = {"number": "", "name": "道" * 150}
    path = exported(made, tmp_path, output=Output(type="zip"), **name)
    assert path.name == "道" * 66 + ".zip"
    with zipfile.ZipFile(path) as package:
        package.extractall(tmp_path / "out")
    [data], [pdf] = (tmp_path / "out").glob("*.gpkg"), (tmp_path / "out").glob("*.pdf")
    assert pdf.read_bytes() == made[3].read_bytes()
    product = read_product((tmp_path / "out" / "product.json").read_bytes())
    assert product == made[1].product
    shop = Workshop(made[1], tmp_path)
    tables = {name for name, _ in pyogrio.list_layers(data)}
    kept = {layer.name: shop.features("final", layer) for layer in product.layers}
    assert {name for name, frame in kept.items() if len(frame)} <= tables
    # Drawn by the style in the package, the features in there are those of the sheet.
    for layer in product.layers:
        if layer.name not in tables or layer.theme != "Hydrography":
            continue
        frame = pyogrio.read_dataframe(data, layer=layer.name)
        assert frame.crs.to_epsg() == shop.geometry.grid.epsg
        placed = shapely.transform(frame.geometry.to_numpy(), shop.geometry.sheet_of_grid, interleaved=False)
        (tmp_path / layer.name).mkdir()
        again = draw_layer(layer, frame.set_geometry(placed, crs=None), tmp_path / layer.name, product.scale)
        render(Run(), again, shop.geometry, tmp_path / "again.pdf")
        (tmp_path / f"{layer.name} before").mkdir()
        before = draw_layer(layer, kept[layer.name], tmp_path / f"{layer.name} before", product.scale)
        render(Run(), before, shop.geometry, tmp_path / "before.pdf")
        one, other = drawn(tmp_path / "again.pdf"), drawn(tmp_path / "before.pdf")
        assert one.min() < 200
        assert np.abs(one.astype(int) - other).mean() < 0.1


def test_layers_in_any_script_keep_their_features_apart(tmp_path):
    layers = built_in()["MTM50"].layers[:4]
    names = ("道路", "Дороги", "Roads (1)", "roads-1")
    layers = [msgspec.structs.replace(layer, name=name) for layer, name in zip(layers, names, strict=True)]
    shop = Workshop(ground.order(tmp_path), tmp_path)
    for number, layer in enumerate(layers):
        found = {"rule": [number], "level": [0]}
        shop.keep("final", layer, gpd.GeoDataFrame(found, geometry=[shapely.Point(number, 0)]))
    assert [list(frame["rule"]) for _, frame in shop.all_features("final", layers)] == [[0], [1], [2], [3]]


def test_layers_can_be_left_out(country, tmp_path):
    excluded = ("Transportation", "Relief shading", "Contours", "Spot heights", "Names", "Lakes")
    path = make_sheet(Run(), ground.order(country, excluded=excluded, elevation=()), tmp_path)
    assert not {"Transportation", "Relief shading", "Contours", "Names"} & set(layers(path))


def test_a_layer_that_is_not_there_cannot_be_left_out(country, tmp_path):
    with pytest.raises(
        ValueError, match=r"'Rods' cannot be excluded: product MTM50 has no such layer; it has .*Roads"
    ):
        make_sheet(Run(), ground.order(country, excluded=("Rods",)), tmp_path)


def test_clients_add_features_of_their_own(country, tmp_path):
    added = {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "properties": {"place": "hamlet", "name": "Tent Camp"},
                "geometry": {"type": "Point", "coordinates": [10.02, 46.02]},
            }
        ],
    }
    (tmp_path / "added.geojson").write_text(json.dumps(added))
    order = ground.order(
        country, ancillary=(Ancillary(path=str(tmp_path / "added.geojson"), layer="Places"),)
    )
    assert "Tent Camp" in words(make_sheet(Run(), order, tmp_path))


def test_a_product_of_ones_own(country, tmp_path):
    """A product that knows nothing of OpenStreetMap: one table, its own columns, a pattern."""
    symbols = [
        {
            "type": "fill",
            "color": "#ffeecc",
            "pattern": {"kind": "hatch", "color": "#cc8800", "spacing": 1.5},
        },
        {"type": "label", "text": "{name}", "placement": "area", "size": 7},
    ]
    rules = [{"where": [{"natural": "water"}], "symbols": symbols, "legend": "Flooded"}]
    layer = {
        "name": "Floods",
        "theme": "Floods",
        "geometry": "polygon",
        "table": "multipolygons",
        "rules": rules,
    }
    product = {"name": "FLOOD", "title": "Floods", "scale": 25000, "themes": ["Floods"], "layers": [layer]}
    product["relief"] = {"shading": None}
    order = ground.order(country, product="MTM50")
    order = ground.order(country, area=order.area, elevation=())
    own = type(order)(
        **{name: getattr(order, name) for name in order.__struct_fields__}
        | {"product": read_product(json.dumps(product))}
    )
    path = make_sheet(Run(), own, tmp_path)
    assert {"Round Lake", "Flooded"} <= set(re.findall("Round Lake|Flooded", words(path)))
    assert layers(path)[0] == "Floods"


PLACES = {
    "south of the equator": (-70.02, -33.5, 0.04),
    "across a zone edge": (11.98, 46.0, 0.04),
    "far north": (15.0, 78.2, 0.06),
    "across the antimeridian": (179.98, -16.8, 0.04),
}


@pytest.mark.parametrize("name", PLACES)
def test_anywhere_on_earth(name, tmp_path):
    west, south, size = PLACES[name]
    ground.write_heights(tmp_path / "country.tif", west, south, size, margin=0.02)
    ground.write_features(tmp_path / "country.gpkg", west, south, size)
    order = ground.order(tmp_path, product="MTM25", area=ground.square(west, south, size))
    run = Run()
    path = make_sheet(run, order, tmp_path)
    geometry = Workshop(order, tmp_path).geometry
    summits = features(tmp_path, order, "Summits and passes")
    x, y = geometry.sheet_of_lonlat(west + ground.HILL[0] * size / 0.04, south + ground.HILL[1] * size / 0.04)
    assert summits.distance(shapely.Point(float(x), float(y))).min() < 1
    assert "High Hill" in words(path)
    assert not [each for each in messages(run, "warning") if "elevation" in each]


def test_a_model_that_covers_a_part_is_hatched(country, tmp_path):
    ground.write_heights(tmp_path / "part.tif", size=0.015)
    run = Run()
    ground.write_heights(tmp_path / "far.tif", west=20, south=10, size=0.015)
    ground.write_features(tmp_path / "far.gpkg", west=20, south=10)
    elevation = tuple(
        Source(
            path=str(tmp_path / f"{name}.tif"), credit=f"Heights of {name}", vertical_datum=f"{name} geoid"
        )
        for name in ("far", "part")
    )
    order = ground.order(country, elevation=elevation)
    far = Source(path=str(tmp_path / "far.gpkg"), credit="Features of far")
    path = make_sheet(run, replace(order, vectors=(far, *order.vectors)), tmp_path)
    assert re.search(
        r"\d\d% of the sheet has no elevation data and is hatched\.", messages(run, "warning")[0]
    )
    text = " ".join(words(path).split())
    assert "No elevation data" in text
    # Only what is on the sheet is credited.
    assert "Features Nobody, CC0." in text
    assert "Heights Heights of part." in text
    assert "Part geoid" in text
    assert not re.search(r"\bfar\b", text)
    blank = prepare_ground(run, Workshop(replace(order, excluded=(UNKNOWN,)), tmp_path / "blank"))
    assert blank.notes[0].endswith("of the sheet has no elevation data and is left blank.")


def test_features_that_end_before_the_sheet_are_told_of(country, tmp_path):
    run = Run()
    ground.write_heights(tmp_path / "large.tif", size=0.16)
    order = ground.order(
        country, area=ground.square(size=0.15), elevation=(Source(path=str(tmp_path / "large.tif")),)
    )
    make_sheet(run, order, tmp_path)
    assert re.match(
        r"The sources \(country\.gpkg\) have features in only \d+% of the area", messages(run, "warning")[0]
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"elevation": ()}, "shows relief, but there is no elevation model: name a GeoTIFF .* or exclude 'Relief shading'"),
        ({"area": ground.square(30, 10)}, r"no elevation model has heights between 30\.000 and 30\.040 .* country\.tif: name"),
        ({"elevation": (), "vectors": ()}, "there is nothing to make a sheet from: name an OpenStreetMap extract"),
        ({"vectors": (Source(path="/nowhere/a.gpkg"),)}, r"there is no file a\.gpkg; see to the sources"),
        ({"elevation": (Source(path="/nowhere/a.tif"),)}, r"there is no file a\.tif; see to the sources"),
        ({"vectors": (Source(path=__file__),)}, r"test_make\.py holds no features that can be read; use a GeoPackage"),
        ({"ancillary": (Ancillary(path="a", layer="Camps"),)}, "drawn as 'Camps', which product MTM50 does not have; it has"),
        (
            {"area": ground.square(30, 10), "excluded": ("Relief shading", "Contours", "Spot heights")},
            r"the sheet would be empty: no relief is drawn, and no source has features in the area \(country\.gpkg\)",
        ),
        ({"area": ground.square(10, 46, 1.1)}, r"\d\.\d square metres and more than 3: choose a smaller area"),
        ({"area": ground.square(10, 46, 0.9), "output": Output(type="tiff", dpi=600)}, "pixels, too many: choose fewer dpi"),
        ({"area": ground.square(10, 46, 5)}, "choose a smaller area or a product of a smaller scale"),
    ],
)  # fmt: skip
def test_what_cannot_be_made_says_what_to_do(country, tmp_path, change, said):
    with pytest.raises(ValueError, match=said):
        make_sheet(Run(), ground.order(country, **change), tmp_path)


def test_only_the_modules_that_draw_need_the_extra():
    """The server reads products and orders without Mapnik, GDAL and ReportLab."""
    code = (
        "import sys; import milepost.servers.production.sheet.order;"
        "print([name for name in ('mapnik', 'pyogrio', 'reportlab', 'pikepdf', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_mapnik_stays_out_of_the_process(made):
    assert "mapnik" not in sys.modules


def test_andorra(andorra, tmp_path):
    order = ground.order(
        andorra,
        name="Andorra",
        area=shapely.geometry.mapping(shapely.box(1.48, 42.53, 1.58, 42.60)),
        vectors=(Source(path=str(andorra / "andorra.osm.pbf")),),
        elevation=(Source(path=str(andorra / "N42E001.hgt.zip")),),
    )
    path = make_sheet(Run(), order, tmp_path)
    text = words(path)
    for name in ("Ordino", "La Massana", "CG-3", "Ansalonga"):
        assert name in text
