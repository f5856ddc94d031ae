"""Layers make room for each other: roads are thinned and moved off rivers, and take with them what lies beside."""

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import LineString, Point

from milepost.servers.production.sheet.beside import Beside, in_order
from milepost.servers.production.sheet.definition import Generalisation, Layer, Rule
from milepost.servers.production.sheet.displacement import displaced
from milepost.servers.production.sheet.generalise import generalise
from milepost.servers.production.sheet.network import Network, evened
from milepost.servers.production.sheet.symbols import Casing, Fill, Line
from milepost.servers.production.sheet.thinning import collapsed, thinned

SCALE = 50_000
MM = SCALE / 1000
SYMBOL = Line(color="#ff0000", width=0.4, casing=Casing(color="#000000", width=0.1))
STREETS = [LineString([(0, 0), (1000, 0)])]


def layer(name, geometry="line", symbol=SYMBOL, thin=0.0, **numbers):
    rule = Rule(symbols=(symbol,), thin=thin)
    return Layer(
        name=name,
        theme="Some",
        geometry=geometry,
        rules=(rule, rule),
        generalisation=Generalisation(simplify=0, **numbers),
    )


def frame(*shapes, rule=0):
    return gpd.GeoDataFrame({"rule": rule, "level": 0}, index=range(len(shapes)), geometry=list(shapes))


def kept(lines, ranks=None, spacing=30.0):
    ranks = np.zeros(len(lines)) if ranks is None else np.array(ranks)
    return thinned(lines, ranks, np.full(len(lines), spacing)).tolist()


def test_of_two_streets_side_by_side_the_more_important_stays():
    two = [LineString([(0, 0), (1000, 0)]), LineString([(0, 0), (20, 20), (980, 20), (1000, 0)])]
    assert kept(two) == [False, True]
    assert kept(two, ranks=[0, 1]) == [True, False]
    assert kept(two, spacing=15.0) == [True, True]


def test_short_dead_ends_go_and_long_ones_stay():
    main = LineString([(0, 0), (500, 0), (1000, 0)])
    ends = [LineString([(500, 0), (500, length)]) for length in (60, 400)]
    assert kept([main, *ends], ranks=[0, 1, 1]) == [True, False, True]


def test_what_a_street_leads_to_is_not_cut_off():
    # The short link is the only way to the far part of the town.
    lines = [
        LineString([(0, 0), (500, 0)]),
        LineString([(500, 0), (530, 0)]),
        LineString([(530, 0), (1000, 300)]),
    ]
    assert kept(lines) == [True, True, True]


GRID = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7), st.booleans()), min_size=2, max_size=60)


@settings(max_examples=60, deadline=None)
@given(GRID, st.floats(5, 60))
def test_thinning_never_tears_a_network_apart(edges, spacing):
    lines = [
        LineString([(40 * x, 40 * y), (40 * (x + across), 40 * (y + (not across)))])
        for x, y, across in dict.fromkeys(edges)
    ]
    stays = np.array(kept(lines, spacing=spacing))
    before = shapely.union_all(shapely.buffer(lines, 0.1))
    after = shapely.union_all(shapely.buffer(np.array(lines)[stays], 0.1))
    for group in shapely.get_parts(before):
        left = [part for part in shapely.get_parts(after) if part.intersects(group)]
        assert len(left) <= 1


def test_small_rings_become_junctions():
    ring = Point(0, 0).buffer(10, 4).exterior
    corners = shapely.get_coordinates(ring)
    lines = [LineString(ring.coords), *(LineString([corners[n], corners[n] * 20]) for n in (0, 4, 8))]
    found, stays = collapsed(lines, np.full(4, 30.0))
    assert stays.tolist() == [False, True, True, True]
    assert all(line.coords[0] == (0, 0) for line in found[1:])
    assert collapsed(lines, np.full(4, 15.0))[1].all()


def test_a_network_is_put_together_as_it_was():
    lines = [
        LineString([(0, 0), (50, 0), (100, 0)]),
        LineString([(50, 0), (50, 70), (0, 0)]),
        LineString([(0, 9), (50, 70), (8, 8), (0, 9)]),
    ]
    network = Network.of(lines)
    assert len(network.parts) == 6
    assert all(a.equals_exact(b) for a, b in zip(network.lines(), lines, strict=True))


def test_bends_are_evened_out_between_ends_that_stay():
    bends = LineString([(20 * n, 40 * (n % 2)) for n in range(41)])
    found = evened(bends, 150)
    assert found.coords[0] == bends.coords[0]
    assert found.coords[-1] == bends.coords[-1]
    assert found.length < 0.5 * bends.length


def test_a_street_stays_joined_to_the_road_that_was_moved():
    # It meets the road between two of its ends, and a river pushes the road aside.
    road, street = LineString([(0, 0), (500, 0), (1000, 0)]), LineString([(500, 0), (500, -400)])
    river = LineString([(0, 10), (1000, 10)])
    (road, street), _ = displaced([road, street], np.full(2, 30.0), 5, 40, [river], np.array([20.0]))
    assert road.distance(river) > 25
    assert road.distance(Point(street.coords[0])) < 1e-6


def test_what_lies_beside_a_road_moves_along():
    layers = [
        layer("Paths", follow="Roads"),
        layer("Houses", "polygon", Fill(color="#000000"), follow="Roads"),
        layer("Roads", displace=0.8, apart=0.1, avoid=("Rivers",)),
        layer("Rivers"),
    ]
    shapes = {
        "Rivers": [LineString([(0, 12), (1000, 12)])],
        "Roads": [LineString([(0, 0), (500, 0), (1000, 0)])],
        "Paths": [LineString([(500, 0), (500, -600)])],
        "Houses": [shapely.box(300, -30, 320, -20), shapely.box(300, -500, 320, -480)],
    }
    beside, found = Beside(SCALE), {}
    for each in in_order(layers):
        found[each.name] = list(generalise(each, frame(*shapes[each.name]), SCALE, beside).geometry)
    (road,), (path,) = found["Roads"], found["Paths"]
    assert road.distance(Point(path.coords[0])) < 0.1 * MM
    assert path.coords[-1] == (500, -600)
    near, far = sorted(found["Houses"], key=lambda each: each.distance(road))
    assert near.centroid.y < -28
    assert far.equals_exact(shapes["Houses"][1], 1e-9)


@pytest.mark.parametrize(("y", "count"), [(-32, 1), (-13, 1), (-5, 0)])
def test_houses_under_a_road_are_moved_out_of_it_or_left_out(y, count):
    houses = layer("Houses", "polygon", Fill(color="#000000"), avoid=("Roads",))
    beside = Beside(SCALE)
    road = LineString([(0, 0), (1000, 0)])
    generalise(layer("Roads"), frame(road), SCALE, beside)
    long = shapely.box(300, y - 3, 360, y + 8) if count else shapely.box(300, y - 3, 400, 8)
    found = generalise(houses, frame(long), SCALE, beside)
    assert len(found) == count
    assert all(each.distance(road) > 0.3 * MM - 1 for each in found.geometry)
