"""The relief of a sheet as layers like all others: contours, depressions, spot heights, unknown ground."""

from collections.abc import Iterator
from typing import Any, Final

import geopandas as gpd
import numpy as np
import shapely

from milepost.servers.production.sheet.contours import (
    TICK_EVERY,
    contour_lines,
    depression_ticks,
    unknown_ground,
)
from milepost.servers.production.sheet.definition import (
    CONTOURS,
    SHADING,
    SPOT_HEIGHTS,
    UNKNOWN,
    Contours,
    Layer,
    Product,
    Rule,
)
from milepost.servers.production.sheet.geometry import SheetGeometry
from milepost.servers.production.sheet.numerals import grouped
from milepost.servers.production.sheet.order import Order
from milepost.servers.production.sheet.spots import spot_heights
from milepost.servers.production.sheet.symbols import Fill, Line, Pattern
from milepost.servers.production.sheet.terrain import Heights

_KNOWN: Final = ("ele",)
"""Columns by which points of other layers tell a height."""
_COARSE: Final = 0.6
"""Cells of the elevation model over which the ground is evened out, so that contours show no steps."""


def evened(heights: Heights, contours: Contours | None, scale: int) -> Heights:
    """The ground as it is drawn: without the roughness of the model, and what the scale cannot show."""
    smooth = contours.smooth * scale / 1000 if contours else 0.0
    return heights.smoothed(max(smooth, _COARSE * heights.cell))


def interval_on(heights: Heights, contours: Contours, scale: int) -> float:
    """The interval of contours that the relief of a sheet allows, in metres.

    Args:
        heights: of the ground, as they were read.
        contours: of the product.
        scale: of the sheet, the denominator.
    """
    if contours.steep is None or contours.steep.interval <= contours.interval:
        return contours.interval
    ground = evened(heights, contours, scale).values[::2, ::2]
    rise, run = np.gradient(ground, 2 * heights.step)
    slope = np.hypot(rise, run)
    if not np.isfinite(slope).any():
        return contours.interval
    # On paper the lines of a slope are that far apart; half of the sheet is steeper than its median.
    spacing = contours.interval / max(float(np.nanmedian(slope)), 1e-6) / scale * 1000
    return contours.steep.interval if spacing < contours.steep.spacing else contours.interval


def contour_layers(
    order: Order,
    heights: Heights,
    geometry: SheetGeometry,
    lakes: list[gpd.GeoDataFrame],
) -> Iterator[tuple[Layer, gpd.GeoDataFrame]]:
    """The layers of unknown ground and of contours, unless the order leaves them out, each with its features.

    Args:
        order: of the sheet.
        heights: of the ground, as they were read.
        geometry: of the sheet.
        lakes: polygons that contours do not cross.
    """
    product, scale = order.product, order.product.scale
    unknown = unknown_ground(heights).intersection(geometry.neatline)
    if not unknown.is_empty and wants_hatch(order):
        yield _unknown_layer(product), _frame([unknown], 0)
    contours = product.relief.contours
    if contours and wants_contours(order):
        ground = evened(heights, contours, scale)
        yield contour_layer(product, contours), _contours(ground, contours, scale, lakes)


def spot_layers(
    order: Order, heights: Heights, geometry: SheetGeometry, known: list[gpd.GeoDataFrame]
) -> Iterator[tuple[Layer, gpd.GeoDataFrame]]:
    """The layer of spot heights, unless the order leaves it out, with its features.

    Args:
        order: of the sheet.
        heights: of the ground, as they were read.
        geometry: of the sheet.
        known: features of other layers; near those that tell a height there is no other.
    """
    spots, scale = order.product.relief.spot_heights, order.product.scale
    if spots and wants_spots(order):
        points = [point for frame in known for point in _heights_in(frame)]
        inner = geometry.neatline.buffer(-2 * scale / 1000)
        found = spot_heights(heights, spots, inner, points, scale)
        found[["rule", "level"]] = 0
        rule = Rule(symbols=(spots.marker, spots.label), legend="Spot height")
        yield Layer(name=SPOT_HEIGHTS, theme=spots.theme, geometry="point", rules=(rule,)), found


def wants_shading(order: Order) -> bool:
    """Whether a sheet is to have relief shading."""
    return order.product.relief.shading is not None and SHADING not in order.excluded


def wants_contours(order: Order) -> bool:
    """Whether a sheet is to have contours."""
    relief = order.product.relief
    return relief.contours is not None and not {CONTOURS, relief.theme} & set(order.excluded)


def wants_spots(order: Order) -> bool:
    """Whether a sheet is to have spot heights of the elevation model."""
    spots = order.product.relief.spot_heights
    return spots is not None and not {SPOT_HEIGHTS, spots.theme} & set(order.excluded)


def wants_hatch(order: Order) -> bool:
    """Whether ground of which no height is known is to be hatched."""
    theme = order.product.relief.theme
    return theme in order.product.themes and not {UNKNOWN, theme} & set(order.excluded)


def contour_layer(product: Product, contours: Contours) -> Layer:
    """Contours as a layer: those with figures, those between them, and the ticks of depressions."""
    color, width, length = contours.line.color, contours.line.width, contours.tick
    tick = Line(color=color, width=width, cap="butt")
    # Ticks along a line, as a line of short dashes beside it.
    ticks = Line(
        color=color, width=max(length, 0.08), dash=(width, TICK_EVERY - width), cap="butt", offset=length / 2
    )
    every = contours.interval * contours.index_every
    return Layer(
        name=CONTOURS,
        theme=product.relief.theme,
        geometry="line",
        rules=(
            Rule(
                symbols=(contours.index, contours.label),
                legend=f"Index contour, every {grouped(every)}\N{NO-BREAK SPACE}m",
            ),
            Rule(
                symbols=(contours.line,),
                legend=f"Contour, every {grouped(contours.interval)}\N{NO-BREAK SPACE}m",
            ),
            Rule(symbols=(tick,), legend="Depression", sample=(contours.line, ticks)),
        ),
    )


def _contours(
    ground: Heights, contours: Contours, scale: int, lakes: list[gpd.GeoDataFrame]
) -> gpd.GeoDataFrame:
    lines = contour_lines(ground, contours, scale)
    ticks = depression_ticks(lines, contours.tick, scale) if contours.tick else lines[:0]
    lines["rule"] = 1 - lines["index"]
    lines["height"] = [f"{each:g}" for each in lines["height"]]
    parts = [lines[["height", "rule", "geometry"]]]
    if len(ticks):
        parts.append(ticks.assign(height=None, rule=2))
    rows = [row for part in parts for row in part.to_dict("records")]
    found = gpd.GeoDataFrame(rows, columns=["height", "rule", "geometry"], geometry="geometry")
    water = shapely.union_all([shape for frame in lakes for shape in frame.geometry])
    if not water.is_empty:
        cut = shapely.difference(found.geometry.array, water)
        found = found.set_geometry(cut).explode(ignore_index=True)
        found = found[~found.geometry.is_empty & (found.geom_type == "LineString")]
    found["level"] = 0
    return found.sort_values("rule", ascending=False, kind="stable").reset_index(drop=True)


def cut_out(frame: gpd.GeoDataFrame, shapes: list[Any]) -> gpd.GeoDataFrame:
    """Lines with gaps where shapes lie, such as those of their figures."""
    if not shapes or frame.empty:
        return frame
    found = frame.set_geometry(shapely.difference(frame.geometry.array, shapely.union_all(shapes)))
    found = found.explode(ignore_index=True)
    return found[~found.geometry.is_empty & (found.geom_type == "LineString")].reset_index(drop=True)


def _unknown_layer(product: Product) -> Layer:
    pattern = Pattern(kind="hatch", color="#9a9a9a", width=0.12, spacing=2.0)
    rule = Rule(symbols=(Fill(pattern=pattern),), legend=UNKNOWN)
    return Layer(name=UNKNOWN, theme=product.relief.theme, geometry="polygon", rules=(rule,))


def _frame(shapes: list[Any], rule: int) -> gpd.GeoDataFrame:
    whole = gpd.GeoDataFrame({"rule": [rule] * len(shapes), "level": 0}, geometry=shapes)
    whole = whole.explode(ignore_index=True)
    return whole[whole.geom_type == "Polygon"].reset_index(drop=True)


def _heights_in(frame: gpd.GeoDataFrame) -> list[Any]:
    names = [name for name in _KNOWN if name in frame.columns]
    return list(frame.geometry) if names and len(frame) and frame.geom_type.iloc[0] == "Point" else []
