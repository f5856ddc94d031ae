"""What the margin of a sheet tells of its map: the signs that are on it, and a place for the worked example."""

from collections.abc import Sequence
from typing import Any

import geopandas as gpd

from milepost.servers.production.sheet.contents import Entry, Place
from milepost.servers.production.sheet.definition import Layer
from milepost.servers.production.sheet.drawing import in_tunnel
from milepost.servers.production.sheet.labels import Placed
from milepost.servers.production.sheet.symbols import Line, Marker
from milepost.servers.production.sheet.workshop import FINAL, Workshop


def legend(shop: Workshop, layers: Sequence[Layer], relief: Sequence[Layer]) -> tuple[Entry, ...]:
    """The signs that are on the map within the neatline, in the order of the product.

    Args:
        shop: where the sheet is made.
        layers: of the product, as they are drawn.
        relief: the layers made from the elevation.
    """
    entries: dict[str, Entry] = {}
    neatline = shop.geometry.neatline
    order = list(reversed(shop.order.product.themes))
    for layer in sorted([*reversed(layers), *relief], key=lambda each: order.index(each.theme)):
        frame = shop.features(FINAL, layer)
        there = set(frame["rule"][frame.intersects(neatline)]) if len(frame) else set()
        for number, rule in enumerate(layer.rules):
            if rule.legend and number in there:
                entry = Entry(
                    text=rule.legend,
                    geometry=layer.geometry,
                    symbols=rule.sample or rule.symbols,
                    theme=layer.theme,
                )
                entries.setdefault(rule.legend, entry)
        if below := _in_tunnel(layer, frame, neatline):
            entry = Entry(text="Tunnel", geometry="line", symbols=below, theme=layer.theme)
            entries.setdefault(entry.text, entry)
    return tuple(entries.values())


def _in_tunnel(layer: Layer, frame: gpd.GeoDataFrame, neatline: Any) -> tuple[Line, ...]:
    """The most important line of a layer that is on the map in a tunnel, as it is drawn there."""
    if not layer.structures or frame.empty:
        return ()
    there = set(frame["rule"][(frame["level"] < 0) & frame.intersects(neatline)])
    for rule in (layer.rules[number] for number in sorted(there)):
        # Lines that are dashed on the ground look no different below it.
        if any(isinstance(each, Line) and (each.casing or not each.dash) for each in rule.symbols):
            return in_tunnel(rule.symbols, layer.structures)
    return ()


def sample(shop: Workshop, layers: Sequence[Layer], placed: Sequence[Placed]) -> Place | None:
    """A place for the worked example: named, at a marker if possible, else a height; near the middle.

    Args:
        shop: where the sheet is made.
        layers: with labels of places and heights.
        placed: the labels on the sheet.
    """
    rules = {layer.name: layer.rules for layer in layers}
    best: tuple[tuple[int, float], Place] | None = None
    for each in placed:
        if each.label.placement != "point" or each.layer not in rules:
            continue
        name = each.text.split("\n")[0]
        marked = any(isinstance(symbol, Marker) for rule in rules[each.layer] for symbol in rule.symbols)
        if name[:1].isalpha():
            rank = 0 if marked else 1
        elif marked and name.isdecimal():
            rank, name = 2, f"spot height {name}"
        else:
            continue
        x, y = each.at
        key = (rank, x * x + y * y)
        if best is None or key < best[0]:
            longitude, latitude = shop.geometry.lonlat_of_sheet(x, y)
            best = key, Place(name=name, longitude=float(longitude), latitude=float(latitude))
    return best[1] if best else None
