"""Labels: every text of a sheet gets a place where it covers no other, the important ones first."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from milepost.servers.production.sheet.candidates import Candidate, Piece, Setter
from milepost.servers.production.sheet.definition import CONTOURS, Layer
from milepost.servers.production.sheet.paths import Path
from milepost.servers.production.sheet.sources import filled
from milepost.servers.production.sheet.symbols import Fill, Label, Line, Marker
from milepost.servers.production.sheet.terrain import Heights

CLEARANCE: Final = 0.25
"""Millimetres of paper between two labels."""
INSIDE: Final = 0.8
"""Millimetres from the neatline to the nearest label."""
SAME_TEXT: Final = 18.0
"""Millimetres between labels of one layer that say the same, such as those of a group of lakes."""
KEEP_APART: Final = 7.0
"""Millimetres between labels of one layer along lines, whatever they say, so that they form no clots."""
TOO_CROWDED: Final = 6.0
"""Cost beyond which a text is left out rather than written over other signs."""

_CELL: Final = 0.25
"""Millimetres of the cells in which signs are counted."""
_BUCKET: Final = 12.0
"""Millimetres of the squares in which labels are looked up."""


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


class Space:
    """What is taken on a sheet: by labels and markers altogether, by other signs more or less."""

    def __init__(self, neatline: Any, scale: int):
        self.millimetre = scale / 1000
        self.inner = neatline.buffer(-INSIDE * self.millimetre)
        shapely.prepare(self.inner)
        self.left, self.bottom, right, top = neatline.bounds
        self.cell = _CELL * self.millimetre
        shape = int((top - self.bottom) / self.cell) + 2, int((right - self.left) / self.cell) + 2
        self.ink: NDArray[np.float32] = np.zeros(shape, dtype=np.float32)
        self._sums: NDArray[np.float64] | None = None
        self._buckets: dict[tuple[int, int], list[tuple[Any, tuple[float, ...], int]]] = {}
        self._count = 0

    def add_ink(self, lines: Iterable[Any], weight: float) -> None:
        """Count signs along lines."""
        for line in lines:
            count = max(2, int(line.length / self.cell * 1.5) + 1)
            xy = Path.of(line).even(count)
            rows = ((xy[:, 1] - self.bottom) / self.cell).astype(int)
            columns = ((xy[:, 0] - self.left) / self.cell).astype(int)
            there = (rows >= 0) & (columns >= 0) & (rows < self.ink.shape[0]) & (columns < self.ink.shape[1])
            cells = self.ink[rows[there], columns[there]]
            self.ink[rows[there], columns[there]] = np.maximum(cells, weight)
        self._sums = None

    def crowded(self, shapes: Sequence[Any]) -> NDArray[np.float64]:
        """How much is written over by labels: about the millimetres of lines of weight 1."""
        if self._sums is None:
            sums = np.zeros((self.ink.shape[0] + 1, self.ink.shape[1] + 1))
            sums[1:, 1:] = self.ink.cumsum(0, dtype=np.float64).cumsum(1)
            self._sums = sums
        rows, columns = self.ink.shape
        bounds = shapely.bounds(shapes).reshape(-1, 4)
        c0, c1 = (
            np.clip((bounds[:, each] - self.left) // self.cell, 0, columns).astype(int) for each in (0, 2)
        )
        r0, r1 = (
            np.clip((bounds[:, each] - self.bottom) // self.cell, 0, rows).astype(int) for each in (1, 3)
        )
        total = self._sums[r1, c1] - self._sums[r0, c1] - self._sums[r1, c0] + self._sums[r0, c0]
        boxes = np.maximum((bounds[:, 2] - bounds[:, 0]) * (bounds[:, 3] - bounds[:, 1]), 1e-9)
        # A box around a turned text holds more than what the text covers.
        return np.asarray(total * _CELL * shapely.area(shapes) / boxes)

    def take(self, shape: Any) -> None:
        """Let nothing else stand where a shape is."""
        self._count += 1
        entry = (shape, shape.bounds, self._count)
        for bucket in self._around(shape.bounds):
            self._buckets.setdefault(bucket, []).append(entry)

    def free(self, shape: Any) -> bool:
        """Whether a label may stand there: inside the neatline, and touching no other."""
        if not self.inner.contains(shape):
            return False
        gap = CLEARANCE * self.millimetre
        left, bottom, right, top = shape.bounds
        seen = set()
        for bucket in self._around(shape.bounds):
            for other, box, number in self._buckets.get(bucket, ()):
                if number in seen:
                    continue
                seen.add(number)
                apart = (
                    box[0] > right + gap or box[2] < left - gap or box[1] > top + gap or box[3] < bottom - gap
                )
                if not apart and other.distance(shape) < gap:
                    return False
        return True

    def _around(self, bounds: Sequence[float]) -> Iterator[tuple[int, int]]:
        size = _BUCKET * self.millimetre
        c0, r0, c1, r1 = (math.floor(each / size) for each in bounds)
        for row in range(r0 - 1, r1 + 2):
            for column in range(c0 - 1, c1 + 2):
                yield row, column


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
    every = [each for layer, frame in layers for each in _texts(layer, frame, heights)]
    wanted = [each for each in every if Setter(each.label, scale).can_write(each.text)]
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


def _texts(layer: Layer, frame: gpd.GeoDataFrame, heights: Heights | None) -> Iterator[_Wanted]:
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
                text = filled(label.text, values)
                if text:
                    rank = (-float(label.importance), -_number(values.get(label.weight)), -_size(shape))
                    yield _Wanted(layer.name, int(row), label, text, shape, marker, rank)


def _place(
    space: Space, wanted: _Wanted, scale: int, said: dict[tuple[str, str], list[tuple[float, float]]]
) -> Iterator[Placed]:
    """Places of a text: one, or more along a line."""
    setter, label = Setter(wanted.label, scale), wanted.label
    millimetre = scale / 1000
    same = said.setdefault((wanted.layer, wanted.text), [])
    others = said.setdefault((wanted.layer, ""), [])
    along = label.placement == "line"
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
