"""A product as data: what a series of map sheets shows, and how."""

from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from milepost.servers.production.sheet.symbols import Color, Data, Label, Line, Marker, Share, Symbol

Geometry = Literal["point", "line", "polygon", "outline"]
"""What kind of geometry a layer draws; ``outline`` takes polygons and lines and draws lines."""

Wanted = bool | str | float | tuple[str, ...]
"""What a column must hold: true for anything, false for nothing, a value, or one of several."""


class Rule(Data, frozen=True, kw_only=True):
    """Which features of a layer are drawn with which symbols."""

    where: tuple[dict[str, Wanted], ...] = ({},)
    """Alternatives; each names columns and what they must hold. The first rule that takes a feature keeps it."""
    symbols: tuple[Symbol, ...]
    """Drawn one upon the other."""
    legend: str = ""
    """What the legend calls it; nothing leaves it out."""


class Generalisation(Data, frozen=True, kw_only=True):
    """How a layer is made fit for the scale. Lengths are millimetres on paper."""

    simplify: Annotated[float, Meta(ge=0, le=2)] = 0.08
    """How far a line may lie from its place when vertices are left out."""
    smooth: bool = False
    """Round off corners."""
    least_length: float = 0.0
    """Shorter lines are left out."""
    least_area: float = 0.0
    """Square millimetres; smaller polygons are left out, and smaller holes filled."""
    merge: float = 0.0
    """Polygons nearer than this become one."""
    least_side: float = 0.0
    """Buildings: those smaller become squares with this side, turned as they are."""
    apart: float = 0.0
    """Points: no two nearer than this; the first rule and the largest weight win. Lines that may be moved: the gap
    that is left between them."""
    join: bool = False
    """Lines that meet and have the same rule and texts become one, so that labels and dashes run through."""
    displace: float = 0.0
    """Lines: how far they may be moved, so that the arms of hairpins and neighbours do not touch; 0 for not at all."""


class Structures(Data, frozen=True, kw_only=True):
    """How bridges and tunnels of a layer of lines are told from the ground, by OpenStreetMap's columns."""

    tunnel_dash: tuple[float, ...] = (0.8, 0.5)
    tunnel_tint: Share = 0.65
    """How much of the colour is taken out in tunnels."""
    parapet: Annotated[float, Meta(ge=0.08, le=2)] = 0.2
    """Width of the lines at both sides of a bridge."""
    least_length: float = 1.2
    """Millimetres; shorter ones are drawn as the ground."""


class Layer(Data, frozen=True, kw_only=True):
    """Features of one kind, from the tables of the sources that have such geometry."""

    name: str
    theme: str
    """The switchable layer of the PDF in which it is drawn."""
    geometry: Geometry
    rules: Annotated[tuple[Rule, ...], Meta(min_length=1)]
    """From the most important to the least: the former are drawn upon the latter, and listed first."""
    table: str | None = None
    """The only table of the sources that is read; None for any with such geometry."""
    generalisation: Generalisation = Generalisation()
    structures: Structures | None = None


class Light(Data, frozen=True, kw_only=True):
    """One source of light of the relief shading."""

    azimuth: float
    """Degrees clockwise from north."""
    weight: float


class Shading(Data, frozen=True, kw_only=True):
    """Relief shading below everything else."""

    lights: tuple[Light, ...] = (
        Light(azimuth=315, weight=0.6),
        Light(azimuth=360, weight=0.15),
        Light(azimuth=270, weight=0.15),
        Light(azimuth=225, weight=0.1),
    )
    altitude: float = 45.0
    """Of the light above the horizon, in degrees."""
    exaggeration: float = 1.0
    strength: Share = 0.5
    shadow: Color = "#6b7390"
    low: Color = "#f4f7ea"
    """Colour of the paper in the valleys."""
    high: Color = "#fdfaf3"
    """Colour of the paper on the heights."""


class Contours(Data, frozen=True, kw_only=True):
    """Lines of equal height."""

    interval: Annotated[float, Meta(gt=0)]
    """Metres."""
    index_every: Annotated[int, Meta(ge=2)] = 5
    """Every so many is an index contour."""
    line: Line
    index: Line
    label: Label
    tick: float = 0.5
    """Millimetres of the ticks that point down into depressions; 0 for none."""
    least_length: float = 3.0
    """Millimetres; shorter closed ones are left out."""
    smooth: float = 0.35
    """Millimetres over which the ground is evened out."""
    not_over: tuple[str, ...] = ()
    """Layers of polygons which contours do not cross."""


class SpotHeights(Data, frozen=True, kw_only=True):
    """Heights at summits and saddles that the elevation model has and no layer names."""

    theme: str
    """The switchable layer of the markers; the figures are with the names."""
    marker: Marker
    label: Label
    apart: float = 25.0
    """Millimetres between them and from any other height."""
    prominence: float = 20.0
    """Metres by which a summit must rise above its surroundings."""


SHADING: Final = "Relief shading"
"""The theme of the relief shading, the lowest of all."""


class Relief(Data, frozen=True, kw_only=True):
    """What is drawn of the ground."""

    shading: Shading | None = Shading()
    contours: Contours | None = None
    spot_heights: SpotHeights | None = None
    theme: str = "Contours"
    """The switchable layer of contours and depressions."""


class Grid(Data, frozen=True, kw_only=True):
    """The grid of the projection on the sheet."""

    interval: Annotated[int, Meta(gt=0)] = 1000
    """Metres."""
    color: Color = "#22262b"
    width: float = 0.08
    emphasis: int = 10
    """Every so many lines are thicker."""


class Frame(Data, frozen=True, kw_only=True):
    """What surrounds the map."""

    series: str = ""
    """What the series is called above the map; the title of the product when empty."""
    graticule: Annotated[float, Meta(gt=0)] = 5.0
    """Minutes between the ticks of geographic coordinates that have figures, and between crosses."""
    ticks: Annotated[float, Meta(gt=0)] = 1.0
    """Minutes between the small ticks."""
    adjoining: bool = True
    """Whether the diagram of adjoining sheets is drawn."""


class Product(Data, frozen=True, kw_only=True):
    """A series of map sheets."""

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.-]{0,63}$")]
    title: str
    description: str = ""
    scale: Annotated[int, Meta(ge=1_000, le=5_000_000)]
    """The denominator."""
    themes: tuple[str, ...]
    """The switchable layers of the PDF, the lowest first. Relief shading lies below them, labels lie above."""
    labels_theme: str = "Names and heights"
    relief: Relief = Relief()
    layers: tuple[Layer, ...]
    """In the order in which they are drawn, the lowest first."""
    grid: Grid = Grid()
    frame: Frame = Frame()


BUILT_IN: Final = Path(__file__).parents[1] / "products"


def read_product(document: bytes | str) -> Product:
    """The product that a JSON document describes.

    Raises:
        ValueError: it describes none; the text says where it is wrong, and what would be right.
    """
    try:
        product = msgspec.json.decode(document, type=Product)
    except msgspec.DecodeError as error:
        raise ValueError(f"this is no product: {error}") from error
    _check(product)
    return product


def write_product(product: Product) -> bytes:
    """The JSON document of a product."""
    return msgspec.json.format(msgspec.json.encode(product), indent=2)


def built_in() -> dict[str, Product]:
    """The products that come with Milepost, by name, from large scale to small."""
    products = [read_product(path.read_bytes()) for path in BUILT_IN.glob("*.json")]
    return {product.name: product for product in sorted(products, key=lambda each: each.scale)}


def _check(product: Product) -> None:
    """Refuse what has the right form but makes no sense."""
    names = [layer.name for layer in product.layers]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(
            f"product {product.name}: two layers are called {twice[0]!r}; give each a name of its own"
        )
    used = {layer.name: layer.theme for layer in product.layers}
    if product.relief.contours:
        used["relief"] = product.relief.theme
    if product.relief.spot_heights:
        used["spot heights"] = product.relief.spot_heights.theme
    for name, theme in used.items():
        if theme not in product.themes:
            raise ValueError(
                f"product {product.name}: {name} is in theme {theme!r}, which 'themes' does not list; "
                f"it lists {', '.join(product.themes) or 'none'}"
            )
    fields = {layer.name: layer for layer in product.layers}
    for name in product.relief.contours.not_over if product.relief.contours else ():
        if name not in fields or fields[name].geometry != "polygon":
            raise ValueError(
                f"product {product.name}: contours keep off {name!r}, which is no layer of polygons"
            )
    for layer in product.layers:
        for number, rule in enumerate(layer.rules):
            for symbol in rule.symbols:
                _check_symbol(f"product {product.name}: layer {layer.name}, rule {number + 1}", layer, symbol)


def _check_symbol(where: str, layer: Layer, symbol: Symbol) -> None:
    kind = type(symbol).__name__.lower()
    fits = {
        "point": ("marker", "label"),
        "line": ("line", "marker", "label"),
        "outline": ("line", "label"),
        "polygon": ("fill", "line", "marker", "label"),
    }[layer.geometry]
    if kind not in fits:
        raise ValueError(f"{where}: a layer of kind {layer.geometry} takes no {kind}; use {', '.join(fits)}")
    if isinstance(symbol, Label) and symbol.placement != "point":
        wanted = {"line": ("line", "outline"), "area": ("polygon",)}[symbol.placement]
        if layer.geometry not in wanted:
            raise ValueError(f"{where}: text with placement {symbol.placement!r} needs {' or '.join(wanted)}")
