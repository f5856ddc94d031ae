"""What the layers of a sheet are to each other: which is generalised first, and what the next ones must know of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from milepost.servers.production.sheet.definition import Layer, Rule
from milepost.servers.production.sheet.field import Field
from milepost.servers.production.sheet.paths import Numbers
from milepost.servers.production.sheet.symbols import Line

_REACH: Final = 2.5
"""Millimetres from a line that was moved within which others move along."""
_THINNEST: Final = 0.2
"""Millimetres of the symbol of what has no lines of its own, such as the shore of a lake."""


def in_order(layers: Iterable[Layer]) -> list[Layer]:
    """Layers as they are to be generalised: those that stay, those that are moved, and those that go along."""

    def turn(layer: Layer) -> int:
        numbers = layer.generalisation
        return 1 if numbers.displace else 2 if numbers.follow or numbers.avoid else 0

    return sorted(layers, key=turn)


def width_of(rule: Rule) -> float:
    """Of the widest line of a rule, with its casing, in millimetres."""
    lines = [each for each in rule.symbols if isinstance(each, Line)]
    return max(
        (each.width + 2 * (each.casing.width if each.casing else 0) for each in lines), default=_THINNEST
    )


@dataclass
class Beside:
    """Layers that are generalised already.

    Attributes:
        scale: of the sheet, the denominator.
        lines: the lines or outlines of each layer, and the widths of their symbols, in sheet metres.
        fields: how the lines of layers were moved.
    """

    scale: int
    lines: dict[str, tuple[NDArray[Any], Numbers]] = field(default_factory=dict)
    fields: dict[str, Field] = field(default_factory=dict)

    def add(self, layer: Layer, frame: gpd.GeoDataFrame) -> None:
        """Take note of a layer of lines or areas that is generalised."""
        if layer.geometry == "point":
            return
        shapes = np.asarray(frame.geometry.array, dtype=object)
        if layer.geometry == "polygon":
            shapes = shapely.boundary(shapes)
        widths = np.array([width_of(layer.rules[int(rule)]) for rule in frame["rule"]], dtype=float)
        parts, index = shapely.get_parts(shapes, return_index=True)
        self.lines[layer.name] = parts, widths[index] * self.scale / 1000

    def symbols(self, names: Sequence[str]) -> tuple[NDArray[Any], Numbers]:
        """The lines of some layers, those that are on the sheet, and the widths of their symbols."""
        found = [self.lines[name] for name in names if name in self.lines]
        none: tuple[NDArray[Any], Numbers] = np.empty(0, dtype=object), np.empty(0)
        lines, widths = (np.concatenate(each) for each in zip(none, *found, strict=True))
        return lines, widths

    def carried(self, given: Any, name: str) -> NDArray[Any]:
        """Shapes that move along with what lies beside them of a layer."""
        shapes: NDArray[Any] = np.asarray(given, dtype=object)
        if name not in self.fields:
            return shapes
        millimetre = self.scale / 1000
        # Long straight lines bend only where they have vertices.
        lines = shapely.get_dimensions(shapes) == 1
        shapes = np.where(lines, shapely.segmentize(shapes, _REACH / 4 * millimetre), shapes)
        shapes = self.fields[name].carried(shapes, _REACH * millimetre)
        return np.where(lines, shapely.simplify(shapes, 0.03 * millimetre), shapes)
