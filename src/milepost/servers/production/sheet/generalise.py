"""Generalisation: features made fit for the scale, so that nothing coalesces and nothing is too small to read."""

from typing import Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from milepost.servers.production.sheet.definition import Generalisation, Layer, Rule
from milepost.servers.production.sheet.displacement import displaced
from milepost.servers.production.sheet.sources import STRUCTURE_COLUMNS
from milepost.servers.production.sheet.symbols import Label, Line

_EXACT: Final = 0.04
"""Millimetres by which lines may change that have been made fit already."""
_MITRE: Final = {"join_style": "mitre", "mitre_limit": 2.0}


def generalise(layer: Layer, frame: gpd.GeoDataFrame, scale: int) -> gpd.GeoDataFrame:
    """The features of a layer as they are drawn, the least important first.

    Args:
        layer: of the product.
        frame: as ``read_layers`` yields them, in sheet metres.
        scale: of the sheet, the denominator.
    """
    numbers = layer.generalisation
    if len(frame):
        match layer.geometry:
            case "point":
                frame = _points(layer, frame, scale)
            case "line":
                frame = _lines(layer, frame, scale)
            case "outline":
                frame = _lines(layer, _outlines(frame), scale)
            case "polygon":
                frame = _polygons(numbers, frame, scale)
    frame = frame[~frame.geometry.is_empty]
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


def _lines(layer: Layer, frame: gpd.GeoDataFrame, scale: int) -> gpd.GeoDataFrame:
    numbers, millimetre = layer.generalisation, scale / 1000
    if numbers.join:
        frame = _joined(frame)
    frame = frame[frame.geometry.length >= numbers.least_length * millimetre]
    if layer.structures:
        # Where there is no room to tell them from the ground they would be mere blots.
        short = frame.geometry.length < layer.structures.least_length * millimetre
        frame = frame.assign(level=frame["level"].where(~short, 0))
        if numbers.join:
            frame = _joined(frame)
    if numbers.displace and len(frame):
        widths = np.array([_width(layer.rules[int(rule)]) for rule in frame["rule"]]) * millimetre
        gap, most = numbers.apart * millimetre, numbers.displace * millimetre
        lines = list(frame.geometry.simplify(numbers.simplify * millimetre))
        frame = frame.set_geometry(displaced(lines, widths, gap, most))
    shapes = frame.geometry.simplify((_EXACT if numbers.displace else numbers.simplify) * millimetre)
    if numbers.smooth:
        shapes = shapes.map(smoothed)
    return frame.set_geometry(shapes)


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
        frame = _buildings(frame, numbers.least_side * millimetre)
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


def _buildings(frame: gpd.GeoDataFrame, side: float) -> gpd.GeoDataFrame:
    """Buildings with no side too short to be seen; those hidden by a larger one are left out."""
    shapes = [_seen(each, side) for each in frame.geometry]
    order = np.argsort([-each.area for each in shapes], kind="stable")
    kept: list[int] = []
    tree = shapely.STRtree(np.asarray(shapes, dtype=object))
    dropped = np.zeros(len(shapes), dtype=bool)
    for number in order:
        if dropped[number]:
            continue
        kept.append(int(number))
        for other in tree.query(shapes[number], predicate="intersects"):
            if other != number and not dropped[other]:
                hidden = shapes[number].intersection(shapes[other]).area / shapes[other].area
                dropped[other] |= hidden > 0.5
    chosen = sorted(kept)
    return frame.iloc[chosen].set_geometry(
        gpd.GeoSeries([shapes[each] for each in chosen], index=frame.index[chosen])
    )


def _seen(shape: Any, side: float) -> Any:
    """A building as it is, or as an upright rectangle of its direction with sides that can be seen."""
    box = shape.minimum_rotated_rectangle
    if box.geom_type != "Polygon":
        return shape.centroid.buffer(side / 2, cap_style="square")
    corners = shapely.get_coordinates(box)[:4]
    u, v = corners[1] - corners[0], corners[3] - corners[0]
    long, short = np.hypot(*u), np.hypot(*v)
    if min(long, short) >= side:
        return shape
    u, v = u / max(long, 1e-9) * max(long, side), v / max(short, 1e-9) * max(short, side)
    middle = corners.mean(axis=0)
    return shapely.Polygon([middle + (a * u + b * v) / 2 for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))])


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


def _width(rule: Rule) -> float:
    """Of the widest line of a rule, with its casing, in millimetres."""
    lines = [each for each in rule.symbols if isinstance(each, Line)]
    return max((each.width + 2 * (each.casing.width if each.casing else 0) for each in lines), default=0.2)


def _weight_column(layer: Layer, rule: int) -> str:
    labels = [each for each in layer.rules[rule].symbols if isinstance(each, Label)]
    return next((each.weight for each in labels if each.weight), "")


def _number(value: Any) -> float:
    found = pd.to_numeric(value, errors="coerce")
    return 0.0 if pd.isna(found) else float(found)
