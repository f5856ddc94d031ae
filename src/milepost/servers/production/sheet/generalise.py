"""Generalisation: features made fit for the scale, so that nothing coalesces and nothing is too small to read."""

from typing import Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from milepost.servers.production.sheet.beside import Beside, width_of
from milepost.servers.production.sheet.buildings import cleared, seen
from milepost.servers.production.sheet.definition import Generalisation, Layer
from milepost.servers.production.sheet.displacement import displaced
from milepost.servers.production.sheet.network import Network, evened
from milepost.servers.production.sheet.sources import STRUCTURE_COLUMNS
from milepost.servers.production.sheet.symbols import Label
from milepost.servers.production.sheet.thinning import collapsed, thinned

_EXACT: Final = 0.04
"""Millimetres by which lines may change that have been made fit already."""
_MITRE: Final = {"join_style": "mitre", "mitre_limit": 2.0}


def generalise(
    layer: Layer, frame: gpd.GeoDataFrame, scale: int, beside: Beside | None = None
) -> gpd.GeoDataFrame:
    """The features of a layer as they are drawn, the least important first.

    Args:
        layer: of the product.
        frame: as ``read_layers`` yields them, in sheet metres.
        scale: of the sheet, the denominator.
        beside: the layers that are finished, of which some may matter to this one; this one is added.
    """
    numbers, beside = layer.generalisation, beside or Beside(scale)
    if len(frame):
        match layer.geometry:
            case "point":
                frame = _points(layer, frame, scale)
            case "line":
                frame = _lines(layer, frame, scale, beside)
            case "outline":
                frame = _lines(layer, _outlines(frame), scale, beside)
            case "polygon":
                frame = _polygons(numbers, frame, scale)
        if numbers.follow:
            frame = frame.set_geometry(beside.carried(frame.geometry.array, numbers.follow))
        if layer.geometry == "polygon" and numbers.avoid:
            lines, widths = beside.symbols(numbers.avoid)
            shapes = np.asarray(frame.geometry.array, dtype=object)
            frame = frame.set_geometry(cleared(shapes, lines, widths, scale / 1000))
    frame = frame[~frame.geometry.is_empty]
    beside.add(layer, frame)
    return frame.sort_values("rule", ascending=False, kind="stable").reset_index(drop=True)


def _points(layer: Layer, frame: gpd.GeoDataFrame, scale: int) -> gpd.GeoDataFrame:
    """Points that keep their distance; of two that do not, the more important one stays."""
    apart = layer.generalisation.apart * scale / 1000
    if not apart:
        return frame
    weights = [_weight_column(layer, int(rule)) for rule in frame["rule"]]
    weight = np.array(
        [_number(frame[name].iloc[row]) if name else 0.0 for row, name in enumerate(weights)], dtype=float
    )
    # Of equals, the one with more to say: a summit with a name before one with a height alone.
    said = frame.drop(columns=["geometry", "rule", "level"]).notna().sum(axis=1).to_numpy()
    order = np.lexsort((-weight, -said, frame["rule"].to_numpy()))
    points = np.asarray(frame.geometry.array)
    tree = shapely.STRtree(points)
    dropped = np.zeros(len(frame), dtype=bool)
    for number in order:
        if not dropped[number]:
            near = tree.query(points[number], predicate="dwithin", distance=apart)
            dropped[near[near != number]] = True
    return frame[~dropped]


def _lines(layer: Layer, frame: gpd.GeoDataFrame, scale: int, beside: Beside) -> gpd.GeoDataFrame:
    numbers, millimetre = layer.generalisation, scale / 1000
    if numbers.join:
        frame = _joined(frame)
    frame = _thinned(layer, frame, millimetre)
    frame = frame[frame.geometry.length >= numbers.least_length * millimetre]
    if layer.structures:
        # Where there is no room to tell them from the ground they would be mere blots.
        short = frame.geometry.length < layer.structures.least_length * millimetre
        frame = frame.assign(level=frame["level"].where(~short, 0))
        if numbers.join:
            frame = _joined(frame)
    if (numbers.displace or numbers.straighten) and len(frame):
        network = Network.of(list(frame.geometry))
        network = network.each(lambda part: part.simplify(numbers.simplify * millimetre))
        if numbers.straighten:
            network = network.each(lambda part: evened(part, numbers.straighten * millimetre))
        frame = frame.set_geometry(network.lines())
    if numbers.displace and len(frame):
        widths = np.array([width_of(layer.rules[int(rule)]) for rule in frame["rule"]]) * millimetre
        gap, most = numbers.apart * millimetre, numbers.displace * millimetre
        fixed, fixed_widths = beside.symbols(numbers.avoid)
        moved, beside.fields[layer.name] = displaced(
            list(frame.geometry), widths, gap, most, fixed, fixed_widths
        )
        frame = frame.set_geometry(moved)
    shapes = frame.geometry.simplify((_EXACT if numbers.displace else numbers.simplify) * millimetre)
    if numbers.smooth:
        shapes = shapes.map(smoothed)
    return frame.set_geometry(shapes)


def _thinned(layer: Layer, frame: gpd.GeoDataFrame, millimetre: float) -> gpd.GeoDataFrame:
    """Lines without those for which there is no room, by the rules that ask for it."""
    spacing = np.array([layer.rules[int(rule)].thin for rule in frame["rule"]]) * millimetre
    if not spacing.any():
        return frame
    lines, stays = collapsed(list(frame.geometry), spacing)
    frame = frame.set_geometry(lines)[stays]
    stays = thinned(list(frame.geometry), frame["rule"].to_numpy(), spacing[stays])
    frame = frame[stays]
    return _joined(frame) if layer.generalisation.join else frame


def _joined(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Lines that meet end to end and are alike in everything as one."""
    keys = [name for name in frame.columns if name not in ("geometry", *STRUCTURE_COLUMNS)]
    filled = frame[keys].astype("string").fillna("\0")
    parts = []
    for _, rows in frame.groupby([filled[name] for name in keys], sort=False):
        lines = shapely.get_parts(shapely.line_merge(shapely.multilinestrings(list(rows.geometry))))
        part = rows.iloc[np.zeros(len(lines), dtype=int)].copy()
        part["geometry"] = list(lines)
        parts.append(part)
    return gpd.GeoDataFrame(pd.concat(parts, ignore_index=True), geometry="geometry")


def _outlines(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Outlines of areas, each piece once, as that of the most important one that has it."""
    parts, drawn = [], shapely.MultiLineString()
    for rule, rows in frame.groupby("rule", sort=True):
        shapes = np.asarray(rows.geometry.array)
        lines = np.where(shapely.get_dimensions(shapes) == 2, shapely.boundary(shapes), shapes)
        union = shapely.union_all(lines)
        new = shapely.difference(union, shapely.buffer(drawn, 1.0)) if not drawn.is_empty else union
        drawn = shapely.union(drawn, union)
        merged = shapely.get_parts(shapely.line_merge(new))
        kept = rows.iloc[np.zeros(len(merged), dtype=int)].copy()
        kept["geometry"], kept["rule"] = list(merged), rule
        parts.append(kept)
    return gpd.GeoDataFrame(pd.concat(parts, ignore_index=True), geometry="geometry")


def _polygons(numbers: Generalisation, frame: gpd.GeoDataFrame, scale: int) -> gpd.GeoDataFrame:
    millimetre = scale / 1000
    if numbers.merge:
        frame = _merged(frame, numbers.merge * millimetre / 2)
    if numbers.least_side:
        frame = seen(frame, numbers.least_side * millimetre)
    least = numbers.least_area * millimetre**2
    if least:
        frame = frame[frame.geometry.area >= least]
        frame = frame.set_geometry(frame.geometry.map(lambda each: _without_small_holes(each, least)))
    shapes = shapely.make_valid(np.asarray(frame.geometry.simplify(numbers.simplify * millimetre).array))
    frame = frame.set_geometry(gpd.GeoSeries(shapes, index=frame.index)).explode(ignore_index=True)
    frame = frame[frame.geom_type == "Polygon"]
    if numbers.smooth:
        frame = frame.set_geometry(frame.geometry.map(smoothed))
    return frame


def _merged(frame: gpd.GeoDataFrame, gap: float) -> gpd.GeoDataFrame:
    """Polygons of one rule that almost touch as one, with the values of the largest."""
    parts = []
    for _, rows in frame.groupby("rule", sort=False):
        shapes = np.asarray(rows.geometry.array)
        closed = shapely.buffer(shapely.union_all(shapely.buffer(shapes, gap, **_MITRE)), -gap, **_MITRE)
        merged = shapely.get_parts(closed)
        largest = np.argsort(-shapely.area(shapes), kind="stable")
        tree = shapely.STRtree(shapes[largest])
        found = [tree.query(each, predicate="intersects") for each in merged]
        owners = [largest[hits.min()] if len(hits) else largest[0] for hits in found]
        part = rows.iloc[owners].copy()
        part["geometry"] = list(merged)
        parts.append(part)
    return gpd.GeoDataFrame(pd.concat(parts, ignore_index=True), geometry="geometry")


def _without_small_holes(shape: Any, least: float) -> Any:
    if shape.geom_type != "Polygon":
        return shape
    holes = [ring for ring in shape.interiors if shapely.Polygon(ring).area >= least]
    return shapely.Polygon(shape.exterior, holes)


def smoothed(shape: Any) -> Any:
    """A line or polygon with its corners rounded off, after Chaikin; ends of lines stay where they are."""
    if shape.geom_type == "Polygon":
        rings = [_rounded(ring, closed=True) for ring in (shape.exterior, *shape.interiors)]
        return shapely.Polygon(rings[0], rings[1:])
    return shapely.LineString(_rounded(shape, closed=shape.is_closed))


def _rounded(line: Any, *, closed: bool) -> Any:
    xy = shapely.get_coordinates(line)
    for _ in range(2):
        if len(xy) < 3:
            break
        near, far = 0.75 * xy[:-1] + 0.25 * xy[1:], 0.25 * xy[:-1] + 0.75 * xy[1:]
        inner = np.column_stack([near, far]).reshape(-1, 2)
        xy = np.vstack([inner, inner[:1]]) if closed else np.vstack([xy[:1], inner[1:-1], xy[-1:]])
    return xy


def _weight_column(layer: Layer, rule: int) -> str:
    labels = [each for each in layer.rules[rule].symbols if isinstance(each, Label)]
    return next((each.weight for each in labels if each.weight), "")


def _number(value: Any) -> float:
    found = pd.to_numeric(value, errors="coerce")
    return 0.0 if pd.isna(found) else float(found)
