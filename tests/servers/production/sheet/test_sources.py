"""Features of sources: which rule takes them, what their values say, and where they end up on the sheet."""

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import shapely
from shapely import LineString, Point

from milepost.servers.production.sheet.definition import Layer, Product, Rule
from milepost.servers.production.sheet.geometry import SheetGeometry
from milepost.servers.production.sheet.order import Ancillary, Order, Source
from milepost.servers.production.sheet.sources import read_layers
from milepost.servers.production.sheet.symbols import Label, Line, Marker
from tests.servers.production.sheet import ground

LINE = Line(color="#000000", width=0.2)
MARK = Marker(shape="circle", size=1, color="#000000")


def read(paths, layer, area=None, **more):
    product = Product(name="X", title="X", scale=25_000, themes=("T",), layers=(layer,))
    order = Order(
        product=product,
        version="1",
        area=area or ground.square(),
        vectors=tuple(Source(path=str(path)) for path in paths),
        **more,
    )
    geometry = SheetGeometry.of(order.area, product.scale)
    return next(read_layers(order, geometry))[1]


def layer(geometry, *wheres, **more):
    rules = tuple(Rule(where=where, symbols=(MARK if geometry == "point" else LINE,)) for where in wheres)
    return Layer(name="L", theme="T", geometry=geometry, rules=rules, **more)


@pytest.fixture
def table(tmp_path):
    """A GeoPackage of points in a projection of its own, with columns of several kinds."""
    frame = gpd.GeoDataFrame(
        {
            "kind": ["a", "b", "c", None, "a"],
            "size": [1, 2, 3, 4, 5],
            "ref": ["R 1; R 2", "FIXME", "?", "", None],
            "ele": ["12.6 m", "x", None, "-3", "7"],
        },
        geometry=[Point(10.01 + n * 0.005, 46.02) for n in range(5)],
        crs=4326,
    )
    pyogrio.write_dataframe(frame.to_crs(3857), tmp_path / "table.gpkg", layer="things")
    return tmp_path / "table.gpkg"


@pytest.mark.parametrize(
    ("wheres", "rules"),
    [
        ([({},)], [0, 0, 0, 0, 0]),
        ([({"kind": "a"},), ({"kind": ("a", "b")},)], [0, 0, 1]),
        ([({"kind": True},)], [0, 0, 0, 0]),
        ([({"kind": False},)], [0]),
        ([({"size": 2},)], [0]),
        ([({"kind": "a", "size": 5},)], [0]),
        ([({"kind": "b"}, {"kind": "c"})], [0, 0]),
        ([({"nothing": "there"},)], []),
        ([({"kind": "z"},), ({"nothing": False},)], [1, 1, 1, 1, 1]),
    ],
)
def test_the_first_rule_that_fits_takes_a_feature(table, wheres, rules):
    assert sorted(read([table], layer("point", *wheres))["rule"]) == rules


def test_features_of_any_projection_are_put_on_the_sheet(table):
    found = read([table], layer("point", ({"kind": "b"},)))
    x, y = SheetGeometry.of(ground.square(), 25_000).sheet_of_lonlat(10.015, 46.02)
    assert found.geometry.iloc[0].distance(Point(float(x), float(y))) < 0.01


def test_values_that_say_nothing_are_none(table):
    wanted = Layer(
        name="L",
        theme="T",
        geometry="point",
        rules=(
            Rule(
                symbols=(MARK, Label(text="{ref}{ele}")),
            ),
        ),
    )
    found = read([table], wanted)
    assert [each for each in found["ref"] if isinstance(each, str)] == ["R 1"]
    assert [each if isinstance(each, str) else None for each in found["ele"]] == ["13", None, None, "-3", "7"]


def test_only_one_table_is_read_when_it_is_named(country):
    path = country / "country.gpkg"
    assert len(read([path], layer("line", ({"highway": True},), table="lines"))) == 5
    assert read([path], layer("line", ({"highway": True},), table="points")).empty


def test_what_a_client_adds_goes_to_a_layer_with_a_table_and_what_fits_no_rule_is_told(country, tmp_path):
    added = gpd.GeoDataFrame(
        {"highway": ["primary", None, "track", "track"]},
        geometry=[
            LineString([(10.01, 46.01), (10.02, 46.02)]),
            LineString([(10.01, 46.02), (10.02, 46.01)]),
            Point(10.01, 46.01),
            LineString([(11, 47), (11.1, 47)]),
        ],
        crs=4326,
    )
    added.to_file(tmp_path / "added.geojson")
    roads, told = layer("line", ({"highway": True},), table="lines"), []
    product = Product(name="X", title="X", scale=25_000, themes=("T",), layers=(roads,))
    order = Order(
        product=product,
        version="1",
        area=ground.square(),
        ancillary=(Ancillary(path=str(tmp_path / "added.geojson"), layer="L", name="Tracks"),),
    )
    [(_, found)] = read_layers(order, SheetGeometry.of(order.area, product.scale), told.append)
    assert list(found["highway"]) == ["primary"]
    [warning] = told
    assert warning == (
        "2 of 3 features of ancillary layer 'Tracks' are not drawn: they fit no rule of 'L', a layer of kind line "
        "whose rules look at highway."
    )


def test_a_source_without_such_features_is_no_error(table):
    assert read([table], layer("polygon", ({},))).empty


def test_what_is_far_away_is_not_read(table):
    assert read([table], layer("point", ({},)), area=ground.square(12, 44)).empty


def test_features_on_both_sides_of_the_antimeridian(tmp_path):
    frame = gpd.GeoDataFrame(
        {"kind": ["west", "east", "far"]},
        geometry=[Point(179.995, 0.01), Point(-179.995, 0.01), Point(0, 0.01)],
        crs=4326,
    )
    pyogrio.write_dataframe(frame, tmp_path / "a.gpkg")
    found = read([tmp_path / "a.gpkg"], layer("point", ({"kind": True},)), area=ground.square(179.98, 0))
    assert sorted(found["kind"]) == ["east", "west"]
    assert np.ptp(shapely.get_x(found.geometry.array)) == pytest.approx(1113, rel=0.01)


def test_long_lines_bend_as_the_projection_does(tmp_path):
    parallel = gpd.GeoDataFrame({"kind": ["p"]}, geometry=[LineString([(9, 46.02), (11, 46.02)])], crs=4326)
    pyogrio.write_dataframe(parallel, tmp_path / "a.gpkg")
    sheet = SheetGeometry.of(ground.square(), 25_000)
    found = read([tmp_path / "a.gpkg"], layer("line", ({},))).geometry.iloc[0]
    x, y = sheet.sheet_of_lonlat(10.02, 46.02)
    assert found.distance(Point(float(x), float(y))) < 0.5


def test_andorra_is_read_from_its_extract(andorra):
    found = read(
        [andorra / "andorra.osm.pbf"],
        layer("point", ({"natural": "peak", "name": True},)),
        area=shapely.geometry.mapping(shapely.box(1.4, 42.45, 1.7, 42.65)),
    )
    assert len(found) > 20
