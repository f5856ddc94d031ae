"""Labels: every text of a sheet gets a place where it covers no other, the important ones first."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import geopandas as gpd
import numpy as np
import shapely

from milepost.servers.production.sheet.candidates import Candidate, Piece, Setter
from milepost.servers.production.sheet.definition import CONTOURS, Layer
from milepost.servers.production.sheet.sources import OTHER_NAMES, filled, template_columns
from milepost.servers.production.sheet.space import Space
from milepost.servers.production.sheet.symbols import Fill, Label, Line, Marker
from milepost.servers.production.sheet.terrain import Heights

SAME_TEXT: Final = 18.0
"""Millimetres between labels of one layer that say the same, such as those of a group of lakes."""
KEEP_APART: Final = 7.0
"""Millimetres between labels of one layer along lines, whatever they say, so that they form no clots."""
TOO_CROWDED: Final = 6.0
"""Cost beyond which a text is left out rather than written over other signs."""
LEGIBLE: Final = 0.8
"""Millimetres of lines of weight 1 that a text without a halo or a plate may cross: a path, but no road."""


@dataclass(frozen=True)
class Placed:
    """A text with its place.

    Attributes:
        layer: name of the layer that it belongs to.
        feature: number of the feature in the frame of the layer.
        label: how it is written.
        pieces: what is written where.
        shape: what it covers, in sheet metres.
        at: the place that it names, in sheet metres.
    """

    layer: str
    feature: int
    label: Label
    pieces: tuple[Piece, ...]
    shape: Any
    at: tuple[float, float]

    @property
    def text(self) -> str:
        """What it says."""
        between = "" if len(self.pieces) > 1 and self.label.placement == "line" else "\n"
        return between.join(piece.text for piece in self.pieces)


@dataclass(frozen=True)
class _Wanted:
    """A text that is to be placed."""

    layer: str
    feature: int
    label: Label
    text: str
    geometry: Any
    marker: Marker | None
    rank: tuple[float, float, float]


class Labels(NamedTuple):
    """What became of the texts of a sheet."""

    placed: list[Placed]
    unplaced: dict[str, list[int]]
    """By name of layer, the features whose text found no place though their marker says nothing without it."""
    unwritten: int
    """Texts that the type of the sheet has no letters for."""


def place_labels(
    layers: Sequence[tuple[Layer, gpd.GeoDataFrame]],
    neatline: Any,
    scale: int,
    heights: Heights | None = None,
    taken: Sequence[Any] = (),
    told: Callable[[float], None] = lambda _: None,
) -> Labels:
    """Find a place for the texts of all layers.

    Args:
        layers: with their generalised features.
        neatline: of the sheet.
        scale: of the sheet, the denominator.
        heights: of the ground, for texts that name its height.
        taken: shapes in sheet metres that are to stay free of labels.
        told: the share of the work that is done, now and then.

    Returns:
        What was placed, and what was not.
    """
    space = Space(neatline, scale)
    for shape in taken:
        space.take(shape)
    for layer, frame in layers:
        _count_signs(space, layer, frame)
        _take_markers(space, layer, frame, scale)
    every = [each for layer, frame in layers for each in _texts(layer, frame, heights, scale)]
    wanted = [each for each in every if each.text]
    wanted.sort(key=lambda each: each.rank)
    placed: list[Placed] = []
    unplaced: dict[str, list[int]] = {}
    said: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for number, each in enumerate(wanted):
        told(number / len(wanted))
        box = _marker_box(each.geometry, each.marker, scale) if each.marker and each.label.required else None
        found = list(_place(space, each, scale, said)) if box is None or space.free(box) else []
        placed += found
        if box is not None and found:
            space.take(box)
        if each.label.required and not found:
            unplaced.setdefault(each.layer, []).append(each.feature)
    return Labels(placed, unplaced, len(every) - len(wanted))


def _count_signs(space: Space, layer: Layer, frame: gpd.GeoDataFrame) -> None:
    for number, rule in enumerate(layer.rules):
        shapes = np.asarray(frame.geometry[frame["rule"] == number].array)
        if not len(shapes):
            continue
        widths = [
            each.width + 2 * (each.casing.width if each.casing else 0)
            for each in rule.symbols
            if isinstance(each, Line)
        ]
        fills = [each for each in rule.symbols if isinstance(each, Fill) and each.color]
        edged = any(each.outline for each in fills)
        if widths and layer.geometry != "polygon":
            # Text may lie on contours, which are everywhere; elsewhere thick lines weigh more than thin ones.
            weight = 0.02 if layer.name == CONTOURS else min(1.6, max(0.1, 1.4 * max(widths)))
            space.add_ink(shapes, weight)
        elif fills and (edged or _is_dark(fills[0].color or "#ffffff")):
            space.add_ink(shapely.get_parts(shapely.boundary(shapes)), 0.8)


def _take_markers(space: Space, layer: Layer, frame: gpd.GeoDataFrame, scale: int) -> None:
    """Keep labels off the markers that are drawn in any case."""
    for number, rule in enumerate(layer.rules):
        markers = [each for each in rule.symbols if isinstance(each, Marker)]
        if any(isinstance(each, Label) and each.required for each in rule.symbols):
            continue
        for shape in frame.geometry[frame["rule"] == number] if layer.geometry == "point" else ():
            for marker in markers:
                space.take(_marker_box(shape, marker, scale))


def _is_dark(color: str) -> bool:
    red, green, blue = (int(color[at : at + 2], 16) for at in (1, 3, 5))
    return 0.3 * red + 0.6 * green + 0.1 * blue < 128


def _texts(layer: Layer, frame: gpd.GeoDataFrame, heights: Heights | None, scale: int) -> Iterator[_Wanted]:
    """The texts of a layer; empty where the type has no letters for what is to be written."""
    for number, rule in enumerate(layer.rules):
        labels = [each for each in rule.symbols if isinstance(each, Label)]
        marker = next((each for each in rule.symbols if isinstance(each, Marker)), None)
        rows = np.flatnonzero(frame["rule"].to_numpy() == number)
        for row in rows:
            values = {str(name): value for name, value in frame.iloc[row].items()}
            shape = values["geometry"]
            if "height" not in values and heights is not None:
                spot = shape if layer.geometry == "point" else shape.representative_point()
                found = float(heights.at(spot.x, spot.y))
                values["height"] = None if math.isnan(found) else round(found)
            for label in labels:
                if filled(label.text, values):
                    text = _writable(Setter(label, scale), values)
                    rank = (-float(label.importance), -_number(values.get(label.weight)), -_size(shape))
                    yield _Wanted(layer.name, int(row), label, text, shape, marker, rank)


def _writable(setter: Setter, values: dict[str, Any]) -> str:
    """A text that the type has letters for, if need be with a name in Latin letters instead of that of the place."""
    names = [values.get("name"), *(values.get(each) for each in OTHER_NAMES)]
    for name in names:
        text = filled(setter.label.text, {**values, "name": name})
        if text and setter.can_write(text):
            return text
    return ""


def names_ground(layer: Layer, frame: gpd.GeoDataFrame) -> bool:
    """Whether a text of a layer of points tells a height that is the ground's, for want of one of the feature."""
    if layer.geometry != "point":
        return False
    for number, rule in enumerate(layer.rules):
        texts = [symbol.text for symbol in rule.symbols if isinstance(symbol, Label)]
        for names in (each for text in texts for each in template_columns(text) if "height" in each):
            own = [name for name in names[: names.index("height")] if name in frame]
            if bool(frame.loc[frame["rule"] == number, own].isna().all(axis=1).any()):
                return True
    return False


def _place(
    space: Space, wanted: _Wanted, scale: int, said: dict[tuple[str, str], list[tuple[float, float]]]
) -> Iterator[Placed]:
    """Places of a text: one, or more along a line."""
    setter, label = Setter(wanted.label, scale), wanted.label
    millimetre = scale / 1000
    same = said.setdefault((wanted.layer, wanted.text), [])
    others = said.setdefault((wanted.layer, ""), [])
    along = label.placement == "line"
    bare = not label.halo and label.box is None
    if along:
        candidates = list(setter.along(wanted.text, wanted.geometry))
    elif label.placement == "area":
        candidates = list(setter.in_area(wanted.text, wanted.geometry))
    else:
        clear = wanted.marker.size / 2 * millimetre if wanted.marker else 0.0
        point = wanted.geometry
        candidates = list(setter.at_point(wanted.text, point.x, point.y, clear))
        if wanted.marker is None:
            candidates.insert(0, setter.at_middle(wanted.text, point.x, point.y, 0.3))
    crowded = space.crowded([each.shape for each in candidates])
    costs = [(each.cost + crowded[number] / 2, number) for number, each in enumerate(candidates)]
    count = 0
    for cost, number in sorted(costs):
        candidate: Candidate = candidates[number]
        if cost > (TOO_CROWDED if label.importance < 600 else 1e9):
            break
        if not label.required and _nearest(same, candidate.at) < max(label.spacing, SAME_TEXT) * millimetre:
            continue
        if along and _nearest(others, candidate.at) < KEEP_APART * millimetre:
            continue
        if bare and crowded[number] > LEGIBLE:
            continue
        if not space.free(candidate.shape):
            continue
        space.take(candidate.shape)
        same.append(candidate.at)
        others.append(candidate.at)
        yield Placed(wanted.layer, wanted.feature, label, candidate.pieces, candidate.shape, candidate.at)
        count += 1
        if not along or not label.spacing:
            break


def _marker_box(point: Any, marker: Marker, scale: int) -> Any:
    half = marker.size / 2 * scale / 1000
    return shapely.box(point.x - half, point.y - half, point.x + half, point.y + half)


def _nearest(points: Sequence[tuple[float, float]], at: tuple[float, float]) -> float:
    return min((math.hypot(x - at[0], y - at[1]) for x, y in points), default=math.inf)


def _size(shape: Any) -> float:
    return float(shape.area or shape.length)


def _number(value: Any) -> float:
    try:
        found = float(value)
    except (TypeError, ValueError):
        return 0.0
    return 0.0 if math.isnan(found) else found
