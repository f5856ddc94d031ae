"""Labels: none covers another, none is cut off, the important ones come first, all can be read."""

import math

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely import LineString, Point

from milepost.servers.production.sheet.candidates import Setter
from milepost.servers.production.sheet.definition import Layer, Rule
from milepost.servers.production.sheet.labels import place_labels
from milepost.servers.production.sheet.sources import filled
from milepost.servers.production.sheet.symbols import Label, Line, Marker

SCALE = 50_000
MM = SCALE / 1000
SHEET = shapely.box(0, 0, 100 * MM, 100 * MM)
MARK = Marker(shape="circle", size=0.6, color="#000000")


def points(places, names, *symbols, name="Places"):
    layer = Layer(name=name, theme="Points", geometry="point", rules=(Rule(symbols=symbols),))
    shapes = [Point(x * MM, y * MM) for x, y in places]
    return layer, gpd.GeoDataFrame({"rule": 0, "level": 0, "name": names}, geometry=shapes)


def line(xy, name, *symbols):
    layer = Layer(name="Lines", theme="Lines", geometry="line", rules=(Rule(symbols=symbols),))
    shape = LineString([(x * MM, y * MM) for x, y in xy])
    return layer, gpd.GeoDataFrame({"rule": [0], "level": [0], "name": [name]}, geometry=[shape])


PLACES = st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), min_size=1, max_size=60)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(PLACES, st.floats(5, 12))
def test_no_label_covers_another_or_leaves_the_sheet(places, size):
    towns = points(places, [f"Town {n}\n{n * 7}" for n in range(len(places))], MARK, Label(size=size))
    wave = [(x, 50 + 20 * math.sin(x / 9)) for x in range(2, 98)]
    river = line(wave, "Long River", Label(placement="line", spacing=30))
    placed, *_ = place_labels([towns, river], SHEET, SCALE)
    shapes = [each.shape for each in placed]
    tree = shapely.STRtree(shapes)
    for number, shape in enumerate(shapes):
        assert SHEET.contains(shape)
        assert list(tree.query(shape, predicate="intersects")) == [number]


def test_the_important_one_wins():
    for weight in (0, 1):
        layer = Layer(
            name="Places",
            theme="Points",
            geometry="point",
            rules=(Rule(symbols=(Label(size=30, weight="people"),)),),
        )
        crowd = gpd.GeoDataFrame(
            {"rule": 0, "level": 0, "name": ["Great City", "Other City"], "people": [1, 2 * weight]},
            geometry=[Point(50 * MM, 50 * MM), Point(51 * MM, 51 * MM)],
        )
        placed, *_ = place_labels([(layer, crowd)], shapely.box(0, 40 * MM, 100 * MM, 62 * MM), SCALE)
        assert placed[0].text == ["Great City", "Other City"][weight]


def test_markers_that_say_nothing_without_a_text_are_left_out():
    crowd = points([(50, 50)] * 40, [str(n) for n in range(40)], MARK, Label(size=20, required=True))
    placed, unplaced, _ = place_labels([crowd], SHEET, SCALE)
    assert len(placed) + len(unplaced["Places"]) == 40
    assert unplaced["Places"]


def test_labels_keep_off_the_markers_of_others():
    places = [(50, 50), (53, 50.5), (47, 50), (50, 52)]
    placed, *_ = place_labels([points(places, list("ABCD"), MARK, Label(size=8))], SHEET, SCALE)
    markers = [Point(x * MM, y * MM).buffer(0.3 * MM) for x, y in places]
    assert len(placed) == 4
    assert not any(each.shape.intersects(marker) for each in placed for marker in markers)


@pytest.mark.parametrize("turn", range(0, 360, 30))
def test_text_along_lines_is_upright(turn):
    angle = math.radians(turn)
    xy = [(50 + r * math.cos(angle), 50 + r * math.sin(angle)) for r in range(-40, 41, 5)]
    for label in (Label(placement="line"), Label(placement="line", distance=-1)):
        placed, *_ = place_labels([line(xy, "1200", label)], SHEET, SCALE)
        assert placed[0].text == "1200"
        for piece in placed[0].pieces:
            assert -math.pi / 2 - 1e-6 <= piece.angle <= math.pi / 2 + 1e-6


def test_text_beside_a_line_stands_above_it():
    placed, *_ = place_labels([line([(10, 50), (90, 50)], "River", Label(placement="line"))], SHEET, SCALE)
    assert placed[0].shape.bounds[1] > 50 * MM


def test_figures_of_contours_lie_on_straight_parts():
    zigzag = [(x, 50 + 3 * (x % 2)) for x in range(5, 60)] + [(60, 50), (90, 50)]
    label = Label(text="{name}", placement="line", distance=-1)
    placed, *_ = place_labels([line(zigzag, "1200", label)], SHEET, SCALE)
    assert placed[0].shape.bounds[0] > 59 * MM


def test_labels_along_a_line_are_repeated_at_a_distance():
    label = Label(placement="line", spacing=20)
    placed, *_ = place_labels([line([(2, 50), (98, 50)], "River", label)], SHEET, SCALE)
    x = sorted(each.at[0] / MM for each in placed)
    assert len(x) >= 4
    assert np.diff(x).min() >= 19.9


def test_bare_figures_are_not_written_on_roads():
    along = [(2, 50), (98, 50)]
    road = line(along, "", Line(color="#ff0000", width=0.5))
    for more, written in (({"halo": 0.0}, 0), ({}, 1), ({"halo": 0.0, "box": "#ffffff"}, 1)):
        contour = line(along, "1200", Label(placement="line", distance=-1, **more))
        assert len(place_labels([road, contour], SHEET, SCALE).placed) == written
    half = line([(2, 50), (60, 50)], "", Line(color="#ff0000", width=0.5))
    placed, *_ = place_labels(
        [half, line(along, "1200", Label(placement="line", distance=-1, halo=0.0))], SHEET, SCALE
    )
    assert placed[0].shape.bounds[0] > 60 * MM


def test_text_keeps_off_thick_lines_where_it_can():
    road = Layer(
        name="Roads",
        theme="Roads",
        geometry="line",
        rules=(Rule(symbols=(Line(color="#ff0000", width=1.0),)),),
    )
    lines = gpd.GeoDataFrame(
        {"rule": [0], "level": [0]}, geometry=[LineString([(51 * MM, 0), (51 * MM, 100 * MM)])]
    )
    placed, *_ = place_labels(
        [(road, lines), points([(50, 50)], ["Village"], MARK, Label(size=8))], SHEET, SCALE
    )
    assert not placed[0].shape.intersects(lines.geometry[0])


def test_long_names_are_set_in_lines():
    assert Setter(Label(wrap=10), SCALE).lines("Mountain of the Old Bear") == [
        "Mountain",
        "of the Old",
        "Bear",
    ]
    assert Setter(Label(capitals=True), SCALE).lines("Town") == ["TOWN"]


@pytest.mark.parametrize(
    ("text", "values", "said"),
    [
        ("{name}", {"name": "Hill"}, "Hill"),
        ("{name}\n{ele|height}", {"name": "Hill", "height": 7}, "Hill\n7"),
        ("{name}\n{ele|height}", {"name": None, "ele": "8", "height": 7}, "8"),
        ("{name}", {"name": float("nan")}, ""),
        ("No. {ref}", {}, ""),
    ],
)
def test_texts_are_filled_with_what_is_known(text, values, said):
    assert filled(text, values) == said


def test_names_that_the_type_cannot_write_are_counted():
    places = points([(20, 20), (40, 40), (60, 60), (80, 80)], ["Αθήνα", "Москва", "東京", "القاهرة"], Label())
    placed, _, unwritten = place_labels([places], SHEET, SCALE)
    assert sorted(each.text for each in placed) == ["Αθήνα", "Москва"]
    assert unwritten == 2


def test_a_name_without_letters_for_it_gives_way_to_one_in_latin_letters():
    layer, frame = points(
        [(20, 20), (60, 60), (20, 80)],
        ["\u6771\u4eac", "\u05d7\u05d9\u05e4\u05d4", "\u0410\u0444\u0438\u043d\u0430"],
        MARK,
        Label(),
    )
    frame["name:en"] = ["Tokyo", None, "Athens"]
    placed, _, unwritten = place_labels([(layer, frame)], SHEET, SCALE)
    # What the type can write stays as it is there.
    assert {each.text for each in placed} == {"Tokyo", "\u0410\u0444\u0438\u043d\u0430"}
    assert unwritten == 1
