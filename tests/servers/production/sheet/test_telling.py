"""What the margin tells of the map: which place its worked example takes."""

from milepost.servers.production.sheet.candidates import Piece
from milepost.servers.production.sheet.definition import Layer, Rule
from milepost.servers.production.sheet.labels import Placed
from milepost.servers.production.sheet.symbols import Label, Marker
from milepost.servers.production.sheet.telling import sample
from milepost.servers.production.sheet.workshop import Workshop
from tests.servers.production.sheet import ground

MARKER = Marker(shape="circle", size=1, color="#222222")
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
