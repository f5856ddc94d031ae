"""Samples of symbols for the legend, drawn as the map draws them."""

from collections.abc import Iterable, Sequence
from itertools import cycle
from typing import Final

import shapely
from shapely.affinity import translate

from milepost.servers.production.sheet.areas import Box
from milepost.servers.production.sheet.definition import Geometry
from milepost.servers.production.sheet.frame.pen import Align, Pen, text_width
from milepost.servers.production.sheet.geometry import MM
from milepost.servers.production.sheet.marks import marker_shapes, pattern_shapes
from milepost.servers.production.sheet.symbols import Fill, Label, Line, Marker, Pattern, Symbol

WIDTH: Final = 30.0
HEIGHT: Final = 8.4
"""Points of a sample."""

MILLIMETRES: Final = 1000
"""The scale at which marks count in millimetres."""


def draw_sample(pen: Pen, left: float, bottom: float, geometry: Geometry, symbols: Sequence[Symbol]) -> None:
    """Draw the symbols of a rule into a field of :data:`WIDTH` by :data:`HEIGHT` points."""
    box = (left, bottom, left + WIDTH, bottom + HEIGHT)
    if geometry == "polygon":
        _polygon(pen, box, symbols)
    elif geometry == "point":
        _point(pen, left + WIDTH / 2, bottom + HEIGHT / 2, symbols)
    else:
        _line(pen, box, symbols)


def _line(pen: Pen, box: Box, symbols: Sequence[Symbol]) -> None:
    left, bottom, right, top = box
    y = (bottom + top) / 2
    lines = [symbol for symbol in symbols if isinstance(symbol, Line)]
    # As on the map, all casings lie below all lines.
    casings = [
        Line(color=line.casing.color, width=line.width + 2 * line.casing.width)
        for line in lines
        if line.casing
    ]
    for line in (*casings, *lines):
        _stroke(pen, left, right, y - line.offset * MM, line, stacked=len(casings) + len(lines) > 1)
    for symbol in symbols:
        if isinstance(symbol, Marker):
            every = symbol.spacing * MM
            count = max(1, round(WIDTH / every)) if every else 1
            for number in range(count):
                draw_marker(pen, left + WIDTH * (number + 0.5) / count, y, symbol)
        elif isinstance(symbol, Label):
            text = _example(symbol)
            half = text_width(text, symbol.face, symbol.size) / 2
            if (
                text
                and half < WIDTH / 2
                and symbol.placement == "line"
                and ("{height}" in symbol.text or "{ele" in symbol.text)
            ):
                pen.box(
                    (left + right) / 2 - half - 1, bottom, (left + right) / 2 + half + 1, top, fill="#ffffff"
                )
                pen.text(
                    (left + right) / 2,
                    y - symbol.size * 0.36,
                    text,
                    symbol.size,
                    face=symbol.face,
                    color=symbol.color,
                    align="centre",
                )


def _stroke(pen: Pen, left: float, right: float, y: float, line: Line, *, stacked: bool) -> None:
    """Draw a level line, or its dashes.

    Where lines are stacked they are drawn as areas: viewers give strokes, and rectangles of four corners, whole
    pixels, so that of a narrow road only one side would show, or none.
    """
    dash, width = [length * MM for length in line.dash], line.width * MM
    if not stacked:
        pen.line([(left, y), (right, y)], width, color=line.color, dash=dash, opacity=line.opacity)
        return
    start = left
    for number, length in enumerate(cycle(dash or [right - left])):
        if start >= right:
            return
        if number % 2 == 0:
            end = min(start + length, right)
            along = (start, (start + end) / 2, end)
            below, above = ([(x, y + side) for x in along] for side in (-width / 2, width / 2))
            pen.area([*below, *reversed(above)], fill=line.color, opacity=line.opacity)
        start += length


def _polygon(pen: Pen, box: Box, symbols: Sequence[Symbol]) -> None:
    left, bottom, right, top = box
    corners = [(left, bottom), (right, bottom), (right, top), (left, top)]
    for symbol in symbols:
        if isinstance(symbol, Fill):
            if symbol.color:
                pen.area(corners, fill=symbol.color, opacity=symbol.opacity)
            if symbol.pattern:
                with pen.clipped(corners):
                    _pattern(pen, box, symbol.pattern)
            if symbol.outline:
                _outline(pen, corners, symbol.outline)
        elif isinstance(symbol, Line):
            _outline(pen, corners, symbol)
        elif isinstance(symbol, Marker):
            draw_marker(pen, (left + right) / 2, (bottom + top) / 2, symbol)


def _outline(pen: Pen, corners: Sequence[tuple[float, float]], line: Line) -> None:
    dash = [length * MM for length in line.dash]
    pen.area(corners, stroke=line.color, width=line.width * MM, dash=dash, opacity=line.opacity)


def _point(pen: Pen, x: float, y: float, symbols: Sequence[Symbol]) -> None:
    markers = [symbol for symbol in symbols if isinstance(symbol, Marker)]
    labels = [symbol for symbol in symbols if isinstance(symbol, Label)]
    heights = [label for label in labels if "{height}" in label.text or "{ele" in label.text]
    shown = heights[:1] if markers else labels[:1]
    texts = [(label, _example(label)) for label in shown]
    space = sum(text_width(text, label.face, label.size) + 2 for label, text in texts)
    if markers:
        x -= space / 2
    for marker in markers:
        draw_marker(pen, x, y, marker)
    size = max([marker.size * MM / 2 for marker in markers], default=0)
    for label, text in texts:
        align: Align = "left" if markers else "centre"
        pen.text(
            x + (size + 1.5 if markers else 0),
            y - label.size * 0.36,
            text,
            label.size,
            face=label.face,
            color=label.color,
            align=align,
        )


def _example(label: Label) -> str:
    """What a label of the map would look like."""
    text = "1234" if "{height}" in label.text or "{ele" in label.text else "Name"
    return text.upper() if label.capitals else text


def draw_marker(pen: Pen, x: float, y: float, marker: Marker) -> None:
    """Draw a mark at a place of the page."""
    for shape in marker_shapes([shapely.Point(x / MM, y / MM)], marker, MILLIMETRES):
        _polygons(pen, shape, marker.color, marker.outline)


def _pattern(pen: Pen, box: Box, pattern: Pattern) -> None:
    """Fill a box with the marks of a pattern, in rows about its middle: as many as find room."""
    left, bottom, right, top = (value / MM for value in box)
    x, y = (left + right) / 2, (bottom + top) / 2
    # A row lies in the middle, or one on either side of it.
    ways = [
        (up, pattern_shapes([shapely.box(left - x, bottom - up, right - x, top - up)], pattern, MILLIMETRES))
        for up in (y, y + pattern.spacing / 2)
    ]
    up, shapes = max(ways, key=lambda way: len(way[1]))
    for shape in (translate(each, x, up) for each in shapes):
        if pattern.kind == "hatch":
            pen.line(_points(shape.coords), pattern.width * MM, color=pattern.color)
        else:
            _polygons(pen, shape, pattern.color, None)


def _polygons(pen: Pen, shape: shapely.Geometry, color: str, outline: str | None) -> None:
    for part in shapely.get_parts(shape):
        pen.area(_points(part.exterior.coords), fill=color, stroke=outline, width=0.12 * MM)


def _points(coordinates: Iterable[Sequence[float]]) -> list[tuple[float, float]]:
    return [(each[0] * MM, each[1] * MM) for each in coordinates]
