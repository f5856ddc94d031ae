"""Samples of the legend: they show what the map shows, whole, and at any resolution."""

import pytest
from reportlab.pdfgen.canvas import Canvas

from milepost.servers.production.sheet.frame.pen import Pen, load_fonts
from milepost.servers.production.sheet.frame.samples import HEIGHT, WIDTH, draw_sample
from milepost.servers.production.sheet.symbols import Casing, Fill, Line, Pattern
from tests.servers.production.sheet import sheets, witnesses

load_fonts()


def test_a_narrow_road_has_both_its_sides_wherever_it_stands_on_the_page(tmp_path):
    road = Line(color="#ffffff", width=0.17, casing=Casing(color="#000000", width=0.09))
    path = tmp_path / "legend.pdf"
    pen = Pen(Canvas(str(path), pagesize=(40, 200), initialFontName="sans"))
    # Each sample lies otherwise on the pixels of 200 dpi.
    feet = [4 + 12.13 * number for number in range(16)]
    for foot in feet:
        draw_sample(pen, 5, foot, "line", (road,))
    pen.canvas.save()
    picture = witnesses.drawn_by_poppler(path, 200, tmp_path)
    middle = 255 - picture[:, picture.shape[1] // 2].astype(float)
    for foot in feet:
        row = (200 - foot - HEIGHT / 2) * 200 / 72
        # Two sides of 0.09 mm, as much ink as 1.4 black pixels.
        assert middle[int(row) - 4 : int(row) + 5].sum() / 255 == pytest.approx(1.42, abs=0.4), foot


@pytest.mark.parametrize(("kind", "spacing"), [("marsh", 2.2), ("marsh", 4.0), ("dots", 1.1), ("trees", 1.7)])
@pytest.mark.parametrize("foot", [0, 3.3, 101.7])
def test_the_marks_of_a_pattern_stand_in_the_middle_of_their_sample(kind, spacing, foot):
    pen = sheets.InkPen()
    pattern = Pattern(kind=kind, color="#1f78b4", spacing=spacing)
    draw_sample(pen, foot, foot, "polygon", (Fill(pattern=pattern),))
    left, _, right, _ = pen.bounds
    assert (left + right) / 2 == pytest.approx(foot + WIDTH / 2, abs=0.01)
    assert len(pen.ink) >= 3


def test_the_dashes_of_stacked_lines_have_their_lengths():
    pen = sheets.InkPen()
    band, dashes = Line(color="#d9a0c8", width=1.0), Line(color="#7a1f5c", width=0.3, dash=(3, 1, 0.5, 1))
    draw_sample(pen, 0, 0, "line", (band, dashes))
    points = 72 / 25.4
    lengths = [(box[2] - box[0]) / points for box in pen.ink]
    assert lengths == pytest.approx([WIDTH / points, 3, 0.5, 3, 0.5], abs=0.01)
    assert max(box[2] for box in pen.ink) <= WIDTH + 1e-6
