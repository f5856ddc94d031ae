"""Products as data: those that come with Milepost, and what is said about those that are wrong."""

import itertools
import json
import math

import pytest
from PIL import Image, ImageCms, ImageColor

from milepost.servers.production.sheet.reading import built_in, read_product, write_product
from milepost.servers.production.sheet.symbols import Fill, Label, Line

PRODUCT = {
    "name": "TOWN10",
    "title": "Town map",
    "scale": 10_000,
    "themes": ["Roads"],
    "layers": [
        {
            "name": "Streets",
            "theme": "Roads",
            "geometry": "line",
            "rules": [{"symbols": [{"type": "line", "color": "#222222", "width": 0.3}]}],
        }
    ],
}


def changed(path, value):
    product = json.loads(json.dumps(PRODUCT))
    at = product
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return json.dumps(product)


def test_three_scales_come_with_milepost():
    assert [(name, product.scale) for name, product in built_in().items()] == [
        ("MTM25", 25_000),
        ("MTM50", 50_000),
        ("OVR250", 250_000),
    ]


@pytest.mark.parametrize("product", built_in().values(), ids=lambda each: each.name)
def test_nothing_in_them_is_too_small_to_read(product):
    symbols = [each for layer in product.layers for rule in layer.rules for each in rule.symbols]
    assert min(each.size for each in symbols if isinstance(each, Label)) >= 5
    assert min(each.width for each in symbols if isinstance(each, Line)) >= 0.1


def seen(fill):
    """The colour of a fill on white paper, in CIE L*a*b*."""
    paper = 255 * (1 - fill.opacity)
    color = tuple(round(part * fill.opacity + paper) for part in ImageColor.getrgb(fill.color))
    lab = ImageCms.createProfile("LAB")
    turn = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), lab, "RGB", "LAB")
    light, *hues = ImageCms.applyTransform(Image.new("RGB", (1, 1), color), turn).getpixel((0, 0))
    return (light * 100 / 255, *(hue - 256 if hue > 127 else hue for hue in hues))


@pytest.mark.parametrize("product", built_in().values(), ids=lambda each: each.name)
def test_the_tones_of_areas_are_told_apart(product):
    plain = {
        rule.legend: seen(symbol)
        for layer in product.layers
        for rule in layer.rules
        for symbol in rule.symbols
        if isinstance(symbol, Fill) and symbol.color and not symbol.pattern and not symbol.outline
    }
    assert len(plain) >= 5
    for one, other in itertools.combinations(plain, 2):
        assert math.dist(plain[one], plain[other]) > 8, (one, other)


@pytest.mark.parametrize("product", built_in().values(), ids=lambda each: each.name)
def test_what_is_written_is_read_again(product):
    assert read_product(write_product(product)) == product


def test_a_small_product_is_enough():
    assert read_product(json.dumps(PRODUCT)).layers[0].name == "Streets"


SYMBOL = ("layers", 0, "rules", 0, "symbols", 0)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("scale",), "1:10000", r"Expected `int`, got `str` - at `\$.scale`"),
        (("layers",), 3, r"at `\$.layers`"),
        ((*SYMBOL, "width"), 0.01, r">= 0.08 - at `\$.layers\[0\].rules\[0\].symbols\[0\].width`"),
        ((*SYMBOL, "colour"), "#ffffff", "unknown field `colour`"),
        ((*SYMBOL, "color"), "red", "matching regex"),
        ((*SYMBOL, "type"), "blob", "Invalid value 'blob'"),
        (SYMBOL, {"type": "label", "size": 4}, r">= 5.0"),
        (
            SYMBOL,
            {"type": "fill", "color": "#ffffff"},
            "rule 1: a layer of kind line takes no fill; use line, marker",
        ),
        (SYMBOL, {"type": "label", "placement": "area"}, "placement 'area' needs polygon"),
        (("themes",), ["Water"], "Streets is in theme 'Roads', which 'themes' does not list; it lists Water"),
        (("layers", 0, "rules"), [], "length >= 1"),
        (
            ("layers", 0, "generalisation"),
            {"follow": "Roads"},
            "no other layer 'Roads' that it could avoid or follow",
        ),
        (("layers",), [PRODUCT["layers"][0]] * 2, "two layers are called 'Streets'"),
        (("layers",), [{**PRODUCT["layers"][0], "name": each} for each in ("Bars", "bars")], "called 'bars'"),
        (("layers", 0, "name"), "Contours", "no layer can be called 'Contours'"),
        (("layers", 0, "name"), "no elevation DATA", "no layer can be called"),
        (("layers", 0, "name"), "gpkg_contents", "no layer can be called 'gpkg_contents'"),
        (("layers", 0, "name"), "x" * 101, r"at either end - at `\$.layers\[0\].name`"),
        (("layers", 0, "name"), "Streets\n", "on one line"),
        (("themes",), ["Roads", "Water", "roads"], "two themes are called 'roads'"),
        (("themes",), ["Roads", "Frame and Margin"], "no theme can be called 'Frame and Margin'"),
        (("themes",), ["Roads", "Relief shading"], "no theme can be called 'Relief shading'"),
        (("labelsTheme",), "Roads", "two themes are called 'Roads'"),
        (("labelsTheme",), "Frame and Margin", "no theme can be called 'Frame and Margin'"),
        (("name",), "../../etc", "letters, digits, space, _ . -, at most 64"),
        (("name",), "TOWN10 ", "letters, digits, space, _ . -, at most 64"),
        (("name",), "TOWN10\n", "letters, digits, space, _ . -, at most 64"),
        (("title",), "x" * 201, "length <= 200"),
        (("grid",), {"interval": 1}, "grid.interval be 20 or more"),
        (("grid",), {"interval": 0}, ">= 1"),
        (("layers", 0, "generalisation"), {"apart": 1e6}, "<= 100"),
        (("layers", 0, "generalisation"), {"apart": 50, "displace": 1}, "at most 5 mm apart"),
        ((*SYMBOL, "dash"), [1e-9, 1], ">= 0.05"),
        (SYMBOL, {"type": "marker", "shape": "circle", "size": 1, "color": "#222222", "spacing": 1e-6},
         "markers stand at least 0.5 mm apart"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(path, value, said):
    with pytest.raises(ValueError, match=said):
        read_product(changed(path, value))


CONTOURS = {
    "interval": 10,
    "line": {"color": "#aa6633", "width": 0.1},
    "index": {"color": "#aa6633", "width": 0.2},
    "label": {},
}


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({"interval": 1e-9}, r">= 0.1 - at `\$.relief.contours.interval`"),
        ({"interval": 0.1}, "too dense for 1:10000; let their interval be 0.2 or more"),
        ({"smooth": 1e9}, "<= 5"),
        ({"indexEvery": 10**9}, "<= 100"),
        ({"tick": 1e9}, "<= 10"),
    ],
)
def test_contours_without_measure_are_refused(numbers, said):
    contours = {**CONTOURS, **numbers}
    with pytest.raises(ValueError, match=said):
        read_product(changed(("relief",), {"theme": "Roads", "contours": contours}))


def test_names_in_any_script_are_taken():
    layers = [{**PRODUCT["layers"][0], "name": each} for each in ("Дороги", "道路")]
    assert [each.name for each in read_product(changed(("layers",), layers)).layers] == ["Дороги", "道路"]


def test_contours_keep_off_layers_that_are_there():
    contours = {**CONTOURS, "notOver": ["Streets"]}
    with pytest.raises(ValueError, match="contours keep off 'Streets', which is no layer of polygons"):
        read_product(changed(("relief",), {"theme": "Roads", "contours": contours}))
