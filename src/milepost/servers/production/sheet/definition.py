"""A product as data: what a series of map sheets shows, and how."""

from typing import Annotated, Final, Literal

from msgspec import Meta

from milepost.servers.production.sheet.symbols import (
    Apart,
    Color,
    Dash,
    Data,
    Degrees,
    Label,
    Line,
    Marker,
    Share,
    Symbol,
    Text,
    Width,
)

Geometry = Literal["point", "line", "polygon", "outline"]
"""What kind of geometry a layer draws; ``outline`` takes polygons and lines and draws lines."""

Wanted = bool | str | float | tuple[str, ...]
"""What a column must hold: true for anything, false for nothing, a value, or one of several."""


_NAME: Final = r"^[^\s\x00-\x1f]([^\x00-\x1f]{0,98}[^\s\x00-\x1f])?$(?!\n)"
Name = Annotated[str, Meta(pattern=_NAME)]
"""Of a layer or a theme: up to 100 characters on one line, with no space at either end."""

# Not only $, which Python also finds before a last end of line.
_PRODUCT_NAME: Final = r"^[A-Za-z0-9]([A-Za-z0-9 _.-]{0,62}[A-Za-z0-9_.-])?$(?!\n)"

IN_WORDS: Final = {
    _NAME: "of 1 to 100 characters on one line, with no space at either end",
    _PRODUCT_NAME: "of letters, digits, space, _ . -, at most 64, that begins with a letter or digit",
}
"""What patterns ask for, as people are told it."""


class Rule(Data, frozen=True, kw_only=True):
    """Which features of a layer are drawn with which symbols."""

    where: Annotated[tuple[dict[str, Wanted], ...], Meta(max_length=200)] = ({},)
    """Alternatives; each names columns and what they must hold. The first rule that takes a feature keeps it."""
    symbols: Annotated[tuple[Symbol, ...], Meta(max_length=20)]
    """Drawn one upon the other."""
    legend: Text = ""
    """What the legend calls it; nothing leaves it out."""
    thin: Annotated[float, Meta(ge=0, le=20)] = 0.0
    """Lines: millimetres that those of this rule need to others of the layer; those that have less over most of their
    way, short dead ends and links are left out, and small rings become junctions. 0 keeps all."""
    sample: Annotated[tuple[Symbol, ...], Meta(max_length=20)] = ()
    """What the legend shows where the symbols alone would not tell; the symbols when there is none."""


class Generalisation(Data, frozen=True, kw_only=True):
    """How a layer is made fit for the scale. Lengths are millimetres on paper."""

    simplify: Annotated[float, Meta(ge=0, le=2)] = 0.08
    """How far a line may lie from its place when vertices are left out."""
    smooth: bool = False
    """Round off corners."""
    least_length: Apart = 0.0
    """Shorter lines are left out."""
    least_area: Annotated[float, Meta(ge=0, le=100_000)] = 0.0
    """Square millimetres; smaller polygons are left out, and smaller holes filled."""
    merge: Annotated[float, Meta(ge=0, le=20)] = 0.0
    """Polygons nearer than this become one."""
    least_side: Annotated[float, Meta(ge=0, le=20)] = 0.0
    """Buildings: those smaller become squares with this side, turned as they are."""
    apart: Annotated[float, Meta(ge=0, le=100)] = 0.0
    """Points: no two nearer than this; the first rule and the largest weight win. Lines that may be moved: the gap
    that is left between them."""
    join: bool = False
    """Lines that meet and have the same rule and texts become one, so that labels and dashes run through."""
    straighten: Annotated[float, Meta(ge=0, le=20)] = 0.0
    """Lines: bends shorter than about this are evened out between junctions; 0 keeps them."""
    displace: Annotated[float, Meta(ge=0, le=5)] = 0.0
    """Lines: how far they may be moved, so that the arms of hairpins and neighbours do not touch; 0 for not at all."""
    avoid: Annotated[tuple[Name, ...], Meta(max_length=20)] = ()
    """Lines that may be moved: layers that stay where they are, and which these are moved away from. Polygons: layers
    of lines whose symbols they are moved out of; those that stay hidden are left out."""
    follow: Annotated[str, Meta(max_length=100)] = ""
    """A layer of lines that may be moved: what lies beside them moves along."""


class Structures(Data, frozen=True, kw_only=True):
    """How bridges and tunnels of a layer of lines are told from the ground, by OpenStreetMap's columns."""

    tunnel_dash: Dash = (0.8, 0.5)
    tunnel_tint: Share = 0.65
    """How much of the colour is taken out in tunnels."""
    parapet: Annotated[float, Meta(ge=0.08, le=2)] = 0.2
    """Width of the lines at both sides of a bridge."""
    least_length: Apart = 1.2
    """Millimetres; shorter ones are drawn as the ground."""


class Layer(Data, frozen=True, kw_only=True):
    """Features of one kind, from the tables of the sources that have such geometry."""

    name: Name
    theme: Text
    """The switchable layer of the PDF in which it is drawn."""
    geometry: Geometry
    rules: Annotated[tuple[Rule, ...], Meta(min_length=1, max_length=200)]
    """From the most important to the least: the former are drawn upon the latter, and listed first."""
    table: Text | None = None
    """The only table of the sources that is read; None for any with such geometry."""
    generalisation: Generalisation = Generalisation()
    structures: Structures | None = None


class Light(Data, frozen=True, kw_only=True):
    """One source of light of the relief shading."""

    azimuth: Degrees
    """Degrees clockwise from north."""
    weight: Annotated[float, Meta(ge=0, le=100)]


class Shading(Data, frozen=True, kw_only=True):
    """Relief shading below everything else."""

    lights: Annotated[tuple[Light, ...], Meta(max_length=16)] = (
        Light(azimuth=315, weight=0.6),
        Light(azimuth=360, weight=0.15),
        Light(azimuth=270, weight=0.15),
        Light(azimuth=225, weight=0.1),
    )
    altitude: Annotated[float, Meta(ge=5, le=85)] = 45.0
    """Of the light above the horizon, in degrees."""
    exaggeration: Annotated[float, Meta(ge=0, le=50)] = 1.0
    strength: Share = 0.5
    shadow: Color = "#6b7390"
    low: Color = "#f4f7ea"
    """Colour of the paper in the valleys."""
    high: Color = "#fdfaf3"
    """Colour of the paper on the heights."""


class Steep(Data, frozen=True, kw_only=True):
    """Another interval of contours, for sheets whose slopes would be filled with lines."""

    interval: Annotated[float, Meta(ge=0.1, le=5000)]
    """Metres; it is taken if it is more than that of other sheets."""
    spacing: Annotated[float, Meta(ge=0.1, le=10)]
    """Millimetres from line to line; when half of the sheet would have less, its relief is steep."""


class Contours(Data, frozen=True, kw_only=True):
    """Lines of equal height."""

    interval: Annotated[float, Meta(ge=0.1, le=5000)]
    """Metres; at a small scale more, see ``FINEST_CONTOURS``."""
    steep: Steep | None = None
    """What is taken on steep sheets; the margin tells it."""
    index_every: Annotated[int, Meta(ge=2, le=100)] = 5
    """Every so many is an index contour."""
    line: Line
    index: Line
    label: Label
    tick: Annotated[float, Meta(ge=0, le=10)] = 0.5
    """Millimetres of the ticks that point down into depressions; 0 for none."""
    least_length: Apart = 3.0
    """Millimetres; shorter closed ones are left out."""
    smooth: Annotated[float, Meta(ge=0, le=5)] = 0.35
    """Millimetres over which the ground is evened out."""
    not_over: tuple[str, ...] = ()
    """Layers of polygons which contours do not cross."""


class SpotHeights(Data, frozen=True, kw_only=True):
    """Heights at summits and saddles that the elevation model has and no layer names."""

    theme: Text
    """The switchable layer of the markers; the figures are with the names."""
    marker: Marker
    label: Label
    apart: Annotated[float, Meta(ge=2, le=200)] = 25.0
    """Millimetres between them and from any other height."""
    prominence: Annotated[float, Meta(ge=0, le=9000)] = 20.0
    """Metres by which a summit must rise above its surroundings."""


SHADING: Final = "Relief shading"
"""The theme of the relief shading, the lowest of all."""
MARGIN: Final = "Frame and Margin"
"""What is drawn last; no theme may be called so."""

CONTOURS: Final = "Contours"
SPOT_HEIGHTS: Final = "Spot heights"
UNKNOWN: Final = "No elevation data"
"""Names of the layers of the relief, by which an order may leave them out."""

RESERVED: Final = frozenset(
    {SHADING, CONTOURS, SPOT_HEIGHTS, UNKNOWN, MARGIN, "shading", "spotHeights", "sheet", "grid", "frame"}
)
"""What else there is on a sheet; no layer of a product may be called so, in any case."""
FINEST_CONTOURS: Final = 50_000
"""The interval of contours, in metres, is at least the denominator of the scale divided by this."""
CLOSEST_GRID: Final = 2.0
"""Millimetres of paper between two lines of the grid at least."""
WIDEST_GAP: Final = 5.0
"""Millimetres between lines that may be moved, at most: all that are nearer are looked at together."""


class Relief(Data, frozen=True, kw_only=True):
    """What is drawn of the ground."""

    shading: Shading | None = Shading()
    contours: Contours | None = None
    spot_heights: SpotHeights | None = None
    theme: Text = "Contours"
    """The switchable layer of contours and depressions."""


class Grid(Data, frozen=True, kw_only=True):
    """The grid of the projection on the sheet."""

    interval: Annotated[int, Meta(ge=1, le=1_000_000)] = 1000
    """Metres; on paper at least ``CLOSEST_GRID``."""
    color: Color = "#22262b"
    width: Width = 0.08
    emphasis: Annotated[int, Meta(ge=0, le=1000)] = 10
    """Every so many lines are thicker."""
    figures: Annotated[float, Meta(ge=0, le=1000)] = 160.0
    """Millimetres between the figures of one line within the map, so that a folded sheet has some; 0 for none."""


class Frame(Data, frozen=True, kw_only=True):
    """What surrounds the map."""

    series: Text = ""
    """What the series is called above the map; the title of the product when empty."""
    graticule: Annotated[float, Meta(gt=0, le=600)] = 5.0
    """Minutes between the ticks of geographic coordinates that have figures, and between crosses."""
    ticks: Annotated[float, Meta(gt=0, le=600)] = 1.0
    """Minutes between the small ticks."""
    adjoining: bool = True
    """Whether the diagram of adjoining sheets is drawn."""


class Product(Data, frozen=True, kw_only=True):
    """A series of map sheets."""

    name: Annotated[str, Meta(pattern=_PRODUCT_NAME)]
    title: Text
    description: Annotated[str, Meta(max_length=2000)] = ""
    scale: Annotated[int, Meta(ge=1_000, le=5_000_000)]
    """The denominator."""
    themes: Annotated[tuple[Name, ...], Meta(max_length=100)]
    """The switchable layers of the PDF, the lowest first. Relief shading lies below them, labels lie above."""
    labels_theme: Name = "Names and heights"
    relief: Relief = Relief()
    layers: Annotated[tuple[Layer, ...], Meta(max_length=300)]
    """In the order in which they are drawn, the lowest first."""
    grid: Grid = Grid()
    frame: Frame = Frame()
