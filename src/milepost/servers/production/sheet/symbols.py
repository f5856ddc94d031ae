"""Symbols: how the features of a rule are drawn. Lengths are millimetres on paper, sizes of text are points."""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

Color = Annotated[str, Meta(pattern=r"^#[0-9a-fA-F]{6}$", description="A colour such as #1f78b4")]
Share = Annotated[float, Meta(ge=0, le=1)]
Width = Annotated[float, Meta(ge=0.08, le=10, description="Millimetres; thinner lines vanish in print")]
Size = Annotated[float, Meta(ge=0.2, le=30, description="Millimetres")]
Points = Annotated[float, Meta(ge=5, le=72, description="Points; smaller text is not legible")]
Dash = Annotated[tuple[Annotated[float, Meta(ge=0.05, le=100)], ...], Meta(max_length=16)]
Degrees = Annotated[float, Meta(ge=-360, le=360)]
Text = Annotated[str, Meta(max_length=200)]
Apart = Annotated[float, Meta(ge=0, le=1000, description="Millimetres; 0 for none")]
Importance = Annotated[int, Meta(ge=0, le=1000)]

Face = Literal["sans", "sans-bold", "sans-italic", "serif", "serif-italic"]
"""The faces that a sheet may use: DejaVu Sans and Serif Condensed, which are embedded into it."""

LEAST_APART: Final = 0.5
"""Millimetres between marks along a line; nearer ones run into each other, and are too many."""

LEAST_TEXT: Final = 5.0
"""Points; nothing smaller can be read."""


class Data(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, rename="camel"):
    """Part of a product: immutable, its JSON in camel case, unknown names refused."""


class Casing(Data, frozen=True, kw_only=True):
    """A border on both sides of a line."""

    color: Color
    width: Width
    """Of each side, beyond the width of the line."""


class Line(Data, frozen=True, kw_only=True, tag="line"):
    """A line along lines, or along the outlines of polygons.

    Symbols of one rule are drawn one upon the other. The casings of all rules of a layer lie below all
    lines of the layer, so that roads join where they meet.
    """

    color: Color
    width: Width
    dash: Dash = ()
    """Lengths of strokes and gaps in turn."""
    cap: Literal["butt", "round", "square"] = "round"
    opacity: Share = 1.0
    casing: Casing | None = None
    offset: Annotated[float, Meta(ge=-50, le=50)] = 0.0
    """To the right of the line, seen in its direction."""


class Pattern(Data, frozen=True, kw_only=True):
    """Marks all over a polygon."""

    kind: Literal["hatch", "dots", "marsh", "trees"]
    color: Color
    width: Width = 0.12
    spacing: Annotated[float, Meta(ge=0.4, le=50)] = 2.0
    """Millimetres from one mark to the next."""
    angle: Degrees = 45.0
    """Of a hatch, in degrees anticlockwise from east."""


class Fill(Data, frozen=True, kw_only=True, tag="fill"):
    """The inside of polygons."""

    color: Color | None = None
    """None for only a pattern."""
    opacity: Share = 1.0
    outline: Line | None = None
    pattern: Pattern | None = None


class Marker(Data, frozen=True, kw_only=True, tag="marker"):
    """A mark at points, or in the middle of lines and polygons."""

    shape: Literal["circle", "square", "triangle", "cross", "saddle", "chapel", "tower", "spring", "mast"]
    size: Size
    color: Color
    outline: Color | None = None
    spacing: Apart = 0.0
    """Along lines: millimetres from one mark to the next; 0 for one mark in the middle."""


class Label(Data, frozen=True, kw_only=True, tag="label"):
    """Text at a point, along a line or within a polygon.

    All labels of a sheet share one space: the more important one is placed first, and no label covers
    another.
    """

    text: Text = "{name}"
    """With names of columns in braces; ``{height}`` is that of the ground at the place."""
    face: Face = "sans"
    size: Points = 6.0
    color: Color = "#111111"
    halo: Annotated[float, Meta(ge=0, le=3)] = 0.25
    """Millimetres of white around the letters."""
    placement: Literal["point", "line", "area"] = "point"
    distance: Annotated[float, Meta(ge=-50, le=50)] = 0.6
    """Millimetres from the point, or from the line to the foot of the letters; below 0 the text is on the line."""
    importance: Importance = 0
    """Those of more importance are placed first."""
    weight: Text = ""
    """Column by which features of one importance are ordered, the largest first."""
    spacing: Apart = 0.0
    """Millimetres from one label to the next along a line, or to the next one of the same text; 0 for one."""
    wrap: Annotated[int, Meta(ge=0, le=200)] = 0
    """Characters after which the text goes on in a new line; 0 for one line."""
    capitals: bool = False
    level: bool = False
    """Whether text on a line stands upright, however the line runs."""
    box: Color | None = None
    """Colour of a plate behind the text, such as that of a road number."""
    required: bool = False
    """Whether markers of the same rule are left out where the text finds no place."""


Symbol = Line | Fill | Marker | Label
