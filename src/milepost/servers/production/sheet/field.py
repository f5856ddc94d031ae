"""How what lies beside displaced lines moves with them, so that junctions, paths and buildings stay in their place."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import shapely

from milepost.servers.production.sheet.paths import Numbers

_AT_A_TIME: Final = 5_000
"""Places looked up at once."""


@dataclass(frozen=True)
class Field:
    """Displacements, known at nodes.

    Attributes:
        xy: of the nodes before they were moved, in sheet metres, of shape (nodes, 2).
        moved: how far each was moved.
    """

    xy: Numbers
    moved: Numbers

    @cached_property
    def _tree(self) -> shapely.STRtree:
        return shapely.STRtree(shapely.points(self.xy))

    def at(self, places: Numbers, reach: float) -> Numbers:
        """How far places move: with the nodes around them, the nearer ones counting more; not at all beyond a reach.

        Args:
            places: of shape (places, 2), in sheet metres.
            reach: sheet metres.
        """
        found = np.zeros_like(places)
        if not len(self.xy):
            return found
        for first in range(0, len(places), _AT_A_TIME):
            part = places[first : first + _AT_A_TIME]
            place, node = self._tree.query(shapely.points(part), predicate="dwithin", distance=reach)
            apart = np.hypot(*(part[place] - self.xy[node]).T)
            nearest = np.full(len(part), reach)
            np.minimum.at(nearest, place, apart)
            # A place upon a line moves just as the line does.
            weight = 1 / (apart**2 + (0.02 * reach) ** 2) ** 1.5
            total = np.bincount(place, weights=weight, minlength=len(part))
            fading = np.clip(2 * (1 - nearest / reach), 0, 1)
            for axis in (0, 1):
                pull = np.bincount(place, weights=weight * self.moved[node, axis], minlength=len(part))
                found[first : first + len(part), axis] = pull / np.maximum(total, 1e-30) * fading
        return found

    def carried(self, shapes: Any, reach: float) -> Any:
        """Lines bent with the field, points and polygons moved as a whole.

        Args:
            shapes: array of geometries, in sheet metres.
            reach: sheet metres.
        """
        shapes = np.asarray(shapes, dtype=object).copy()
        lines = shapely.get_dimensions(shapes) == 1
        if lines.any():
            shapes[lines] = shapely.transform(shapes[lines], lambda xy: xy + self.at(xy, reach))
        rest = np.flatnonzero(~lines & ~shapely.is_empty(shapes))
        if len(rest):
            xy, index = shapely.get_coordinates(shapes[rest], return_index=True)
            step = self.at(shapely.get_coordinates(shapely.centroid(shapes[rest])), reach)[index]
            shapes[rest] = shapely.set_coordinates(shapes[rest], xy + step)
        return shapes
