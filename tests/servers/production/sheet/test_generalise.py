"""Generalisation: what would run together on paper is told apart, what is too small to see is not drawn small."""

import geopandas as gpd
import numpy as np
import pytest
import shapely
from shapely import LineString, Point, Polygon

from milepost.servers.production.sheet.definition import Generalisation, Layer, Rule, Structures
from milepost.servers.production.sheet.displacement import displaced
from milepost.servers.production.sheet.generalise import generalise
from milepost.servers.production.sheet.symbols import Casing, Fill, Label, Line, Marker

SCALE = 50_000
MM = SCALE / 1000
ROAD = Rule(symbols=(Line(color="#ff0000", width=0.4, casing=Casing(color="#000000", width=0.1)),))
AREA = Rule(symbols=(Fill(color="#00ff00"),))


def layer(geometry, *rules, structures=None, **numbers):
    return Layer(
        name="Some",
        theme="Some",
        geometry=geometry,
        rules=rules,
        generalisation=Generalisation(**numbers),
        structures=structures,
    )


def frame(*shapes, rule=0, level=0, **columns):
    count = len(shapes)
    values = {"rule": rule, "level": level, **columns}
    return gpd.GeoDataFrame(
        {name: value if isinstance(value, list) else [value] * count for name, value in values.items()},
        geometry=list(shapes),
    )


def hairpins(arms=6, apart=30.0, length=300.0):
    return LineString([(length * (n % 2), apart * n) for n in range(arms)])


def test_hairpins_do_not_run_together():
    # Zigzag with arms that open from nothing: in their outer half they should keep apart.
    road = LineString([(0, 0)] + [(x, 32 * n) for n in range(6) for x in ((300, 0) if n % 2 else (0, 300))])
    ((moved,), _) = displaced([road], np.array([0.6 * MM]), 0.1 * MM, 0.8 * MM)
    before, after = (_least_gap(each) for each in (road, moved))
    assert before < 32.1
    assert after > 34
    assert moved.hausdorff_distance(road) <= 0.8 * MM + 1


def _least_gap(road):
    """Between the middles of neighbouring arms, as a line across them shows."""
    across = LineString([(150, -200), (150, 400)])
    y = sorted(point.y for point in shapely.get_parts(road.intersection(across)))
    return float(np.diff(y).min())


def test_what_met_still_meets():
    roads = [
        LineString([(0, 0), (500, 0)]),
        LineString([(500, 0), (0, 20)]),
        LineString([(500, 0), (900, 0)]),
    ]
    moved, _ = displaced(roads, np.full(3, 30.0), 5.0, 40.0)
    assert moved[0].coords[-1] == moved[1].coords[0] == moved[2].coords[0]


def test_what_has_room_stays_where_it_is():
    roads = [LineString([(0, 0), (1000, 0)]), LineString([(0, 200), (1000, 200)])]
    moved, _ = displaced(roads, np.full(2, 30.0), 5.0, 40.0)
    assert all(a.hausdorff_distance(b) < 1e-6 for a, b in zip(roads, moved, strict=True))


def test_small_buildings_become_squares_that_can_be_seen():
    small, large = shapely.box(0, 0, 6, 8), shapely.box(500, 0, 560, 40)
    found = generalise(layer("polygon", AREA, least_side=0.4, simplify=0), frame(small, large), SCALE)
    areas = sorted(found.area)
    assert areas == [pytest.approx((0.4 * MM) ** 2), pytest.approx(2400)]
    assert found.contains(Point(3, 4)).any()


def test_buildings_hidden_by_others_are_left_out():
    found = generalise(
        layer("polygon", AREA, least_side=0.5, simplify=0),
        frame(*(shapely.box(x, 0, x + 5, 5) for x in (0, 6, 12, 400))),
        SCALE,
    )
    assert len(found) == 2


def test_areas_that_almost_touch_become_one():
    two = (shapely.box(0, 0, 100, 100), shapely.box(110, 0, 200, 100))
    assert len(generalise(layer("polygon", AREA, merge=0.3), frame(*two), SCALE)) == 1
    assert len(generalise(layer("polygon", AREA, merge=0.1), frame(*two), SCALE)) == 2


def test_small_areas_and_holes_vanish():
    island = Polygon(shapely.box(0, 0, 500, 500).exterior, [shapely.box(10, 10, 20, 20).exterior])
    found = generalise(
        layer("polygon", AREA, least_area=1.0), frame(island, shapely.box(900, 0, 920, 20)), SCALE
    )
    assert [len(each.interiors) for each in found.geometry] == [0]


def test_boundaries_between_two_areas_are_drawn_once():
    state, one, two = shapely.box(0, 0, 200, 100), shapely.box(0, 0, 100, 100), shapely.box(100, 0, 200, 100)
    found = generalise(
        layer("outline", ROAD, ROAD, simplify=0), frame(state, one, two, rule=[0, 1, 1]), SCALE
    )
    lengths = {int(rule): float(rows.length.sum()) for rule, rows in found.groupby("rule")}
    assert lengths[0] == pytest.approx(600)
    # Only what is no border of the state; less what lies within a metre of it.
    assert lengths[1] == pytest.approx(100, abs=3)


def test_of_points_too_near_the_more_important_stays():
    rules = (
        Rule(symbols=(Marker(shape="circle", size=1, color="#000000"), Label(text="{ele}", weight="ele"))),
    ) * 2
    points = [Point(0, 0), Point(60, 0), Point(500, 0), Point(540, 0)]
    found = generalise(
        layer("point", *rules, apart=3),
        frame(*points, rule=[1, 0, 1, 1], ele=["9", "1", "2741", "2745"], name=None),
        SCALE,
    )
    assert sorted(found["ele"]) == ["1", "2745"]


def test_lines_that_are_alike_are_joined():
    parts = (
        LineString([(0, 0), (100, 0)]),
        LineString([(200, 0), (100, 0)]),
        LineString([(200, 0), (300, 9)]),
    )
    found = generalise(layer("line", ROAD, join=True), frame(*parts, name=["a", "a", "b"]), SCALE)
    assert sorted(round(each) for each in found.length) == [100, 200]


def test_bridges_too_short_to_be_seen_are_part_of_the_road():
    parts = (
        LineString([(0, 0), (400, 0)]),
        LineString([(400, 0), (420, 0)]),
        LineString([(420, 0), (800, 0)]),
    )
    road = layer("line", ROAD, join=True, structures=Structures())
    found = generalise(road, frame(*parts, level=[0, 1, 0], bridge=[None, "yes", None]), SCALE)
    assert list(found["level"]) == [0]
    assert found.length.iloc[0] == pytest.approx(800)


def test_nothing_gives_nothing():
    for geometry in ("point", "line", "outline", "polygon"):
        assert generalise(layer(geometry, ROAD, join=True, merge=1), frame(), SCALE).empty
