"""What the margin tells of the map: its signs, and which place its worked example takes."""

import geopandas as gpd
import pytest
from shapely import LineString

from milepost.servers.production.sheet.candidates import Piece
from milepost.servers.production.sheet.definition import Layer, Rule, Structures
from milepost.servers.production.sheet.labels import Placed
from milepost.servers.production.sheet.symbols import Casing, Label, Line, Marker
from milepost.servers.production.sheet.telling import legend, sample
from milepost.servers.production.sheet.workshop import FINAL, Workshop
from tests.servers.production.sheet import ground

MARKER = Marker(shape="circle", size=1, color="#222222")
ROAD = Line(color="#ffffff", width=0.3, casing=Casing(color="#222222", width=0.1))
PATH = Line(color="#222222", width=0.1, dash=(0.8, 0.4))
LABEL = Label(text="{name}")
LAYERS = [
    Layer(name=name, theme="Names", geometry="point", rules=(Rule(symbols=symbols),))
    for name, symbols in (
        ("Summits", (MARKER, LABEL)),
        ("Regions", (LABEL,)),
        ("Spot heights", (MARKER, LABEL)),
    )
]


def label(layer, text, at):
    return Placed(layer, 0, LABEL, (Piece(text, *at, 0.0),), None, at)


def test_the_example_is_a_place_that_is_printed(tmp_path):
    shop = Workshop(ground.order(tmp_path), tmp_path)

    def chosen(*placed):
        found = sample(shop, LAYERS, placed)
        return found and found.name

    near, far = label("Spot heights", "812", (5.0, 5.0)), label("Spot heights", "930", (500.0, 0.0))
    region, summit = label("Regions", "Old Wood", (300.0, 0.0)), label("Summits", "High Hill", (900.0, 0.0))
    assert chosen(near, region, summit) == "High Hill"
    assert chosen(near, region) == "Old Wood"
    assert chosen(far, near) == "spot height 812"
    assert chosen(label("Figures of the grid", "79", (0.0, 0.0))) is None


@pytest.mark.parametrize(
    ("line", "level", "x", "told"),
    [
        (ROAD, -1, 0, ["Road", "Tunnel"]),
        (ROAD, 0, 0, ["Road"]),
        (ROAD, -1, 1e6, []),  # not on the sheet
        (PATH, -1, 0, ["Road"]),  # as dashed as any
    ],
)
def test_tunnels_are_in_the_legend_where_there_are_any(tmp_path, line, level, x, told):
    shop = Workshop(ground.order(tmp_path), tmp_path)
    layer = Layer(
        name="Roads",
        theme="Transportation",
        geometry="line",
        rules=(Rule(symbols=(line,), legend="Road"),),
        structures=Structures(),
    )
    shape = LineString([(x - 500, 0), (x + 500, 0)])
    shop.keep(FINAL, layer, gpd.GeoDataFrame({"rule": [0], "level": [level]}, geometry=[shape]))
    entries = legend(shop, [layer], [])
    assert [entry.text for entry in entries] == told
    if "Tunnel" in told:
        edges, inside = entries[-1].symbols
        assert edges.dash
        assert edges.width > inside.width
        assert inside.color == "#ffffff"
