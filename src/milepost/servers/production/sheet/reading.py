"""Products as JSON documents: read, checked and written."""

from pathlib import Path
from typing import Final

import msgspec

from milepost.servers.production.sheet.definition import (
    CLOSEST_GRID,
    FINEST_CONTOURS,
    IN_WORDS,
    MARGIN,
    RESERVED,
    SHADING,
    WIDEST_GAP,
    Layer,
    Product,
)
from milepost.servers.production.sheet.symbols import LEAST_APART, Label, Marker, Symbol

BUILT_IN: Final = Path(__file__).parents[1] / "products"
"""Folder of the products that come with Milepost."""
_OF_TABLES: Final = ("gpkg_", "rtree_", "sqlite_")
"""How the tables begin that a GeoPackage has for itself."""


def read_product(document: bytes | str) -> Product:
    """The product that a JSON document describes.

    Raises:
        ValueError: it describes none; the text says where it is wrong, and what would be right.
    """
    try:
        product = msgspec.json.decode(document, type=Product)
    except msgspec.DecodeError as error:
        told = str(error)
        for pattern, words in IN_WORDS.items():
            told = told.replace(f"matching regex {pattern!r}", words)
        raise ValueError(f"this is no product: {told}") from error
    check(product)
    return product


def write_product(product: Product) -> bytes:
    """The JSON document of a product."""
    return msgspec.json.format(msgspec.json.encode(product), indent=2)


def built_in() -> dict[str, Product]:
    """The products that come with Milepost, by name, from large scale to small."""
    products = [read_product(path.read_bytes()) for path in BUILT_IN.glob("*.json")]
    return {product.name: product for product in sorted(products, key=lambda each: each.scale)}


def check(product: Product) -> None:
    """Refuse what has the right form but makes no sense.

    Raises:
        ValueError: the text says where, and what to do.
    """
    _check_names(product)
    _check_density(product)
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
    for layer in product.layers:
        _check_beside(f"product {product.name}: layer {layer.name}", layer, fields)
    for name in product.relief.contours.not_over if product.relief.contours else ():
        if name not in fields or fields[name].geometry != "polygon":
            raise ValueError(
                f"product {product.name}: contours keep off {name!r}, which is no layer of polygons"
            )
    for layer in product.layers:
        for number, rule in enumerate(layer.rules):
            for symbol in rule.symbols:
                _check_symbol(f"product {product.name}: layer {layer.name}, rule {number + 1}", layer, symbol)


def _check_beside(where: str, layer: Layer, layers: dict[str, Layer]) -> None:
    """Refuse layers that wait for each other, or for what there is not."""
    numbers = layer.generalisation
    for name in (*numbers.avoid, *filter(None, [numbers.follow])):
        if name not in layers or name == layer.name:
            raise ValueError(f"{where}: there is no other layer {name!r} that it could avoid or follow")
    if numbers.follow and not layers[numbers.follow].generalisation.displace:
        raise ValueError(
            f"{where}: nothing of layer {numbers.follow!r} is moved, so nothing can follow it; "
            "name a layer with 'displace'"
        )
    if numbers.follow and numbers.displace:
        raise ValueError(f"{where}: what is moved itself cannot follow; let 'displace' or 'follow' be none")
    for name in numbers.avoid:
        other = layers[name].generalisation
        if layer.geometry == "polygon" and layers[name].geometry == "polygon":
            raise ValueError(f"{where}: {name!r} is no layer of lines, which polygons could avoid")
        if numbers.displace and (other.displace or other.follow or other.avoid):
            raise ValueError(f"{where}: {name!r} does not stay where it is, so it cannot be avoided")


def _check_names(product: Product) -> None:
    """Refuse names that would be those of two things at once; clients and tables tell them in any case."""
    where = f"product {product.name}"
    themes = [*product.themes, product.labels_theme]
    for what, names in (("layers", [each.name for each in product.layers]), ("themes", themes)):
        seen: set[str] = set()
        for name in names:
            if name.lower() in seen:
                raise ValueError(f"{where}: two {what} are called {name!r}; give each a name of its own")
            seen.add(name.lower())
    reserved = {each.lower() for each in RESERVED}
    for layer in product.layers:
        if layer.name.lower() in reserved or layer.name.lower().startswith(_OF_TABLES):
            raise ValueError(
                f"{where}: no layer can be called {layer.name!r}, which is the name of something else; choose another"
            )
    for theme in themes:
        if theme.lower() in (SHADING.lower(), MARGIN.lower()):
            raise ValueError(
                f"{where}: no theme can be called {theme!r}, which every sheet has besides; choose another"
            )


def _check_density(product: Product) -> None:
    """Refuse what would fill the paper, and the memory, with lines."""
    where, contours = f"product {product.name}", product.relief.contours
    if product.grid.interval * 1000 < CLOSEST_GRID * product.scale:
        raise ValueError(
            f"{where}: grid lines every {product.grid.interval} m are less than {CLOSEST_GRID:g} mm apart at "
            f"1:{product.scale}; let grid.interval be {CLOSEST_GRID * product.scale / 1000:g} or more"
        )
    if contours and contours.interval * FINEST_CONTOURS < product.scale:
        raise ValueError(
            f"{where}: contours every {contours.interval:g} m are too dense for 1:{product.scale}; let their "
            f"interval be {product.scale / FINEST_CONTOURS:g} or more"
        )
    for layer in product.layers:
        numbers = layer.generalisation
        if numbers.displace and numbers.apart > WIDEST_GAP:
            raise ValueError(
                f"{where}: layer {layer.name}: lines that may be moved are kept at most {WIDEST_GAP:g} mm apart; "
                "let its 'apart' be less, or its 'displace' be 0"
            )


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
    if isinstance(symbol, Marker) and 0 < symbol.spacing < LEAST_APART:
        raise ValueError(f"{where}: markers stand at least {LEAST_APART:g} mm apart; 0 is for one of them")
    if isinstance(symbol, Label) and symbol.placement != "point":
        wanted = {"line": ("line", "outline"), "area": ("polygon",)}[symbol.placement]
        if layer.geometry not in wanted:
            raise ValueError(f"{where}: text with placement {symbol.placement!r} needs {' or '.join(wanted)}")
