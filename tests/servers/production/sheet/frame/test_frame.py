import itertools
import math

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from milepost.servers.production.sheet.frame import Frame
from milepost.servers.production.sheet.frame.border import BORDER
from milepost.servers.production.sheet.frame.layout import GUTTER
from milepost.servers.production.sheet.frame.legend import LegendBlock
from milepost.servers.production.sheet.frame.naming import series_name, sheet_name
from milepost.servers.production.sheet.frame.pen import load_fonts
from milepost.servers.production.sheet.frame.reference_box import ReferenceBlock
from milepost.servers.production.sheet.frame.references import squares
from milepost.servers.production.sheet.geometry import SheetGeometry
from tests.servers.production.sheet import sheets

load_fonts()

SEARCH = settings(max_examples=12, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
"""Without shrinking: a frame takes long to lay out, and any is as good as another to look at."""

GRIDS = {10_000: (1000, 1.0), 25_000: (1000, 5.0), 50_000: (1000, 5.0), 250_000: (10_000, 15.0)}


@st.composite
def frames(draw):
    """Frames of sheets from a postcard to a metre, anywhere on Earth."""
    scale = draw(st.sampled_from(sorted(GRIDS)))
    latitude = draw(st.one_of(st.floats(-79, 83), st.floats(84.5, 88), st.floats(-88, -81)))
    longitude = draw(st.floats(-180, 180))
    height = draw(st.floats(0.05, 0.7)) * scale / 111_000
    width = draw(st.floats(0.05, 0.7)) * scale / 111_000 / math.cos(math.radians(latitude))
    area = (longitude, latitude, longitude + min(width, 25), latitude + height)
    interval, graticule = GRIDS[scale]
    name = draw(
        st.sampled_from(["Sant Julià", "X", "", "A very long name of a sheet with no end in sight, part two"])
    )
    number = draw(st.sampled_from(["1205-III", ""]))
    order = sheets.order(area, sheets.product(scale, interval, graticule), name=name, number=number)
    known = draw(st.booleans())
    heights = {} if known else {"lowest": None, "highest": None}
    contents = sheets.contents(draw(st.integers(0, 40)), **heights)
    return Frame(order, SheetGeometry.of(order.area, scale), contents, sheets.MADE)


def border_box(page):
    left, bottom, right, top = page.frame
    return left - BORDER, bottom - BORDER, right + BORDER, top + BORDER


@SEARCH
@given(frames())
def test_no_block_covers_another_or_the_map_and_none_leaves_the_paper(frame):
    paper = (0, 0, frame.page.width, frame.page.height)
    for placed in frame.placed:
        assert sheets.within(placed.box, paper)
        assert not sheets.overlap(placed.box, border_box(frame.page), 0.01), placed
    for one, other in itertools.combinations(frame.placed, 2):
        assert not sheets.overlap(one.box, other.box, 0.01), (one, other)


@SEARCH
@given(frames())
def test_every_block_stays_within_its_own_box(frame):
    for placed in frame.placed:
        pen = sheets.InkPen()
        placed.draw(pen)
        assert sheets.within(pen.bounds, placed.box, 1.6), (placed.block, pen.bounds, placed.box)


@SEARCH
@given(frames())
def test_no_figure_of_the_border_covers_another_and_all_stay_within_the_border(frame):
    pen = sheets.InkPen()
    frame.border.draw(pen)
    # Around a pole the corners are sharper than a right angle, and the outer line reaches into the gap beside it.
    assert sheets.within(pen.bounds, border_box(frame.page), 10.0)
    for (one, first), (other, second) in itertools.combinations(pen.words, 2):
        assert not sheets.overlap(first, second, 0.3), (one, other)
    west, south, east, north = frame.border.neatline.bounds
    assert sheets.within((west, south, east, north), frame.page.frame, 0.01)


@SEARCH
@given(frames())
def test_the_words_of_a_block_do_not_cover_each_other(frame):
    for placed in frame.placed:
        pen = sheets.InkPen()
        placed.draw(pen)
        for (one, first), (other, second) in itertools.combinations(pen.words, 2):
            # The title of a paragraph stands on the blanks that its first line begins with.
            if not one.startswith("\N{NO-BREAK SPACE}") and not other.startswith("\N{NO-BREAK SPACE}"):
                assert not sheets.overlap(first, second, 0.7), (one, other)


def words_of(frame):
    pen = sheets.InkPen()
    frame.border.draw(pen)
    for placed in frame.placed:
        placed.draw(pen)
    return [text for text, _ in pen.words]


@pytest.fixture(scope="module")
def small():
    order = sheets.order()
    return Frame(order, sheets.sheet_of(order), sheets.contents(), sheets.MADE)


def test_the_margin_says_what_a_reader_needs(small):
    words = words_of(small)
    told = " ".join(words).replace("\N{NO-BREAK SPACE}", " ")
    for text in (
        "SANT JULIÀ",
        "Sheet 1205-III",
        "Scale 1:50 000",
        "Series MTM50, scale 1:50 000",
        "kilometres",
        "yards",
        "nautical miles",
        "CONTOUR INTERVAL 20 METRES",
        "World Geodetic System 1984",
        "EPSG:32631",
        "2026 MAGNETIC DECLINATION",
        "WMM",
        "© OpenStreetMap contributors, ODbL 1.0",
        "NASA SRTM v2.1, public domain",
        "Features cover only a part of the sheet.",
        "2026-11-22 10:05 UTC by Milepost",
        "838 m",
        "2 942 m",
        "Main road",
    ):
        assert text in told, text


def test_the_corners_and_the_first_grid_lines_have_their_coordinates_in_full(small):
    words = words_of(small)
    for corner in ("42°28\N{PRIME}48\N{DOUBLE PRIME}N", "1°30\N{PRIME}00\N{DOUBLE PRIME}E"):
        # In the corners alone: there is no diagram of adjoining sheets that nobody knows.
        assert words.count(corner) == 2
    assert words.count("000mE") == 2
    assert words.count("000mN") == 2


def test_a_sheet_without_a_name_has_that_of_its_corner():
    made_by = replace(sheets.product(), title="Topographic map 1:50 000")
    order = sheets.order(name="", number="", made_by=made_by)
    sheet = sheets.sheet_of(order)
    frame = Frame(order, sheet, sheets.contents(), sheets.MADE)
    words = words_of(frame)
    assert sheet_name(order, sheet) == "CH 76 04"
    assert "CH 76 04" in words
    # The series tells the scale, and nothing tells it twice.
    assert words.count("Topographic map 1:50 000") == 1
    assert series_name(order) == "Topographic map 1:50 000"


def test_the_legend_has_only_what_is_on_the_sheet():
    order = sheets.order()
    frame = Frame(order, sheets.sheet_of(order), sheets.contents(2), sheets.MADE)
    words = words_of(frame)
    assert "Main road" in words
    assert "Marsh" not in words
    without = Frame(order, sheets.sheet_of(order), sheets.contents(0), sheets.MADE)
    assert "LEGEND" not in words_of(without)


def test_the_margin_does_not_tell_of_what_the_order_leaves_out():
    order = sheets.order(excluded=("Contours", "Relief shading"))
    words = words_of(Frame(order, sheets.sheet_of(order), sheets.contents(), sheets.MADE))
    assert "RELIEF" not in words
    assert "HEIGHTS IN METRES" in words
    assert not any("interval" in word.lower() or "ndex contours" in word for word in words)


def test_a_sheet_across_the_edge_of_a_zone_says_so():
    order = sheets.order((5.9, 45, 6.05, 45.1))
    frame = Frame(order, sheets.sheet_of(order), sheets.contents(), sheets.MADE)
    assert "The sheet reaches into zone 32" in " ".join(words_of(frame))


@pytest.mark.parametrize(
    ("area", "interval"),
    [
        ((15, 78.1, 15.4, 78.2), 1000),
        ((5.9, 45, 6.1, 45.1), 1000),
        ((15, 78.1, 15.15, 78.15), 500),
        ((-53.672, 87.417, -52, 87.5), 1000),
    ],
)
def test_every_line_of_the_grid_has_its_figure_and_every_longer_tick_its_own(area, interval):
    order = sheets.order(area, sheets.product(interval=interval))
    border = Frame(order, sheets.sheet_of(order), sheets.contents(0), sheets.MADE).border
    pen = sheets.InkPen()
    border.draw(pen)
    large = [
        ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
        for text, box in pen.words
        if len(text) == 2 and text.isdigit() and box[3] - box[1] > 6
    ]
    for line in border.grid_lines():
        nearest = min(math.dist(end, figure) for end, _ in line.ends for figure in large)
        assert nearest < 20, (line.value, line.easting)
    texts = [text for text, _ in pen.words]
    for text in ("78°10\N{PRIME}N", "45°05\N{PRIME}N"):
        assert texts.count(text) == (2 if area[1] < float(text[:2]) + int(text[3:5]) / 60 < area[3] else 0)


@pytest.mark.parametrize("area", [(1.4, 42.4, 1.8, 42.7), (0.2, 41, 3.4, 43.3)])
def test_every_square_of_the_sheet_has_its_letters_in_the_reference_box(area):
    order = sheets.order(area, sheets.product(250_000, 10_000, 15.0))
    frame = Frame(order, sheets.sheet_of(order), sheets.contents(0), sheets.MADE)
    [placed] = [each for each in frame.placed if isinstance(each.block, ReferenceBlock)]
    pen = sheets.InkPen()
    placed.draw(pen)
    texts = [text for text, _ in pen.words]
    there = squares(frame.sheet)
    assert len(there) >= 4
    assert {square.letters for square in there} <= set(texts)
    for (one, first), (other, second) in itertools.combinations(pen.words, 2):
        assert not sheets.overlap(first, second, 0.3), (one, other)


def test_a_group_of_the_legend_goes_on_under_its_name_and_leaves_no_entry_alone():
    entry = sheets.entries(1)[0]
    sizes = {"Points": 9, "Roads": 11, "Contours": 2, "Water": 5, "Boundaries": 3}
    entries = [
        replace(entry, text=f"{theme} {n}", theme=theme) for theme, size in sizes.items() for n in range(size)
    ]
    pen = sheets.InkPen()
    LegendBlock(entries).draw(pen, 0, 0, 400)
    columns = {}
    for text, box in pen.words[1:]:
        columns.setdefault(3 * box[0] // (400 + GUTTER), []).append(text)
    assert len(columns) == 3
    for texts in columns.values():
        runs = [list(run) for _, run in itertools.groupby(texts, key=lambda text: text.split()[0])]
        for name, *entries in runs:
            theme = name.removesuffix(" (continued)")
            assert theme in sizes
            assert len(entries) >= 2
            assert sizes[theme] > 3 or len(entries) == sizes[theme]
