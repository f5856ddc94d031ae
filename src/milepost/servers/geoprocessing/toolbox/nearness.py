"""The nearest of many geometries on the ellipsoid, exactly, whatever a map makes it look like.

Lines and the rims of polygons are cut into short pieces. Bounds on the distances of pieces, from
their middles and sizes, leave few pairs that could be nearest; these are measured in planes.
"""

from typing import Final, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Geod

from milepost.servers.geoprocessing.toolbox.geodesic import Numbers, bring_back, lay_out, midpoints, pieces
from milepost.servers.geoprocessing.toolbox.measuring import Geometries

PIECE: Final = 20_000.0
"""Length of a piece in metres."""
STEP: Final = 2_000.0
"""How close the points of geometries should be, in metres, for edges to be off by centimetres only."""

_RADIUS: Final = 6_371_008.8
_NO_SPHERE: Final = 1.006
"""How much a distance on the globe may differ from that on a sphere."""
_LEAST_RADIUS: Final = 6_335_000.0
"""Of curvature, in metres."""

Indices = NDArray[np.intp]


class Nearest(NamedTuple):
    """For each of some geometries, the nearest of others. Arrays of one length."""

    number: Indices
    """Which one; -1 when there is none within the limit."""
    distance: Numbers
    """Metres; NaN when there is none."""
    start: Numbers
    """Longitude and latitude of the place on the geometry, shape (n, 2)."""
    end: Numbers
    """Longitude and latitude of the nearest place on the other, shape (n, 2)."""


class NearestSearch:
    """Finds the nearest of the same geometries again and again."""

    def __init__(self, others: Geometries, geod: Geod):
        """``others``: longitudes and latitudes, none missing or empty."""
        self._geod = geod
        self._count = len(others)
        self._whole = shapely.STRtree(_around(others))
        self._pieces = _Pieces(others, geod)
        self._tree = shapely.STRtree(_around(self._pieces.shapes))

    def find(self, geometries: Geometries, limit: float) -> Nearest:
        """The nearest for each of ``geometries``, not farther away than ``limit`` metres."""
        size = len(geometries)
        places = np.full((size, 2), np.nan)
        found = Nearest(np.full(size, -1), np.full(size, np.nan), places, places.copy())
        self._touching(geometries, found)
        apart = np.flatnonzero(found.number < 0)
        if len(apart):
            self._apart(geometries[apart], apart, limit, found)
        return found

    def _touching(self, geometries: Geometries, found: Nearest) -> None:
        """Fill in those that meet another."""
        one, other = self._whole.query(geometries, predicate="intersects")
        order = np.lexsort((other % self._count, one))
        one, first = np.unique(one[order], return_index=True)
        other = other[order][first]
        meeting = geometries[one]
        extended = shapely.get_type_id(meeting) > 0
        meeting[extended] = shapely.intersection(meeting[extended], self._whole.geometries[other[extended]])
        # Any place that they share would do.
        place = shapely.get_coordinates(shapely.point_on_surface(meeting))
        found.number[one], found.distance[one] = other % self._count, 0.0
        found.start[one] = found.end[one] = place

    def _apart(self, geometries: Geometries, numbers: Indices, limit: float, found: Nearest) -> None:
        """Fill in those that meet no other, which ``numbers`` places among all."""
        mine, theirs = _Pieces(geometries, self._geod), self._pieces
        # Some pair is closest on the map; the closest on the globe is at most as far apart.
        one, other = self._tree.query_nearest(mine.shapes, all_matches=False)
        reach = self._least(mine, one, self._distance(mine.middle[one], theirs.middle[other % theirs.count]))
        boxes = _boxes(mine.shapes, np.minimum(reach, limit)[mine.owner])
        one, other = self._tree.query(boxes)
        other %= theirs.count
        # First on a sphere, which is quick; then on the ellipsoid, which leaves few pairs.
        apart = _RADIUS * _angle(mine.vector[one], theirs.vector[other])
        reach = np.minimum(reach, self._least(mine, one, apart * _NO_SPHERE))
        one, other = self._within(mine, one, other, apart / _NO_SPHERE, np.minimum(reach, limit))
        apart = self._distance(mine.middle[one], theirs.middle[other])
        reach = np.minimum(reach, self._least(mine, one, apart))
        one, other = self._within(mine, one, other, apart, np.minimum(reach, limit))

        distance, start, end = self._measure(mine, one, other)
        owner, number = mine.owner[one], theirs.owner[other]
        order = np.lexsort((number, distance, owner))
        best = order[np.unique(owner[order], return_index=True)[1]]
        best = best[distance[best] <= limit]
        into = numbers[owner[best]]
        found.number[into], found.distance[into] = number[best], distance[best]
        found.start[into], found.end[into] = start[best], end[best]

    def _within(
        self, mine: "_Pieces", one: Indices, other: Indices, apart: Numbers, reach: Numbers
    ) -> tuple[Indices, Indices]:
        """The pairs whose middles are not too far apart for the pieces to be within reach of each other."""
        close = apart - mine.size[one] - self._pieces.size[other] <= reach[mine.owner[one]]
        return one[close], other[close]

    def _measure(self, mine: "_Pieces", one: Indices, other: Indices) -> tuple[Numbers, Numbers, Numbers]:
        """The distance of each pair of pieces, and the places between which it is."""
        ones, others = mine.shapes[one], self._pieces.shapes[other]
        start = mine.middle[one]
        # Distances from the middle of a plane are exact, so the middle goes where the pair is closest.
        for _ in range(1 if not mine.size.any() else 3):
            line = shapely.shortest_line(lay_out(ones, start, self._geod), lay_out(others, start, self._geod))
            near, far = shapely.get_coordinates(line).reshape(-1, 2, 2).swapaxes(0, 1)
            start, end = bring_back(near, start, self._geod), bring_back(far, start, self._geod)
        return self._distance(start, end), start, end

    def _least(self, mine: "_Pieces", one: Indices, distance: Numbers) -> Numbers:
        """The least distance of the pieces of each owner, rounded up to the centimetre."""
        least = np.full(mine.owners, np.inf)
        np.minimum.at(least, mine.owner[one], distance + 0.01)
        return least

    def _distance(self, start: Numbers, end: Numbers) -> Numbers:
        distance: Numbers = self._geod.inv(*start.T, *end.T)[2]
        return distance


class _Pieces:
    """Geometries in pieces: points, and lines no longer than ``PIECE``."""

    def __init__(self, geometries: Geometries, geod: Geod):
        parts, owner = shapely.get_parts(geometries, return_index=True)
        extended = np.flatnonzero(shapely.get_type_id(parts) > 0)
        cut = [pieces(part, geod, PIECE) for part in parts[extended]]
        points = np.setdiff1d(np.arange(len(parts)), extended)
        self.owners: Final[int] = len(geometries)
        self.shapes: Final[Geometries] = np.concatenate([parts[points], *cut])
        self.owner: Final[Indices] = np.concatenate(
            [owner[points], np.repeat(owner[extended], [len(each) for each in cut])]
        )
        self.count: Final = len(self.shapes)
        self.middle: Final[Numbers] = np.concatenate(
            [shapely.get_coordinates(parts[points]), midpoints(self.shapes[len(points) :])]
        )
        coordinates, index = shapely.get_coordinates(self.shapes, return_index=True)
        away = geod.inv(*self.middle[index].T, *coordinates.T)[2]
        self.size: Final[Numbers] = np.zeros(self.count)
        np.maximum.at(self.size, index, away)
        longitude, latitude = np.radians(self.middle).T
        self.vector: Final[Numbers] = np.column_stack(
            [
                np.cos(latitude) * np.cos(longitude),
                np.cos(latitude) * np.sin(longitude),
                np.sin(latitude),
            ]
        )


def _around(geometries: Geometries) -> Geometries:
    """The globe three times side by side, so that nothing is far because of the antimeridian."""
    turns = [shapely.transform(geometries, lambda xy: xy - np.array([360.0, 0.0])), geometries]
    turns.append(shapely.transform(geometries, lambda xy: xy + np.array([360.0, 0.0])))
    return np.concatenate(turns)


def _angle(one: Numbers, other: Numbers) -> Numbers:
    """The angle between unit vectors, in radians."""
    chord = np.sqrt(((one - other) ** 2).sum(axis=1))
    angle: Numbers = 2 * np.arcsin(np.minimum(chord / 2, 1.0))
    return angle


def _boxes(geometries: Geometries, reach: Numbers) -> Geometries:
    """Boxes in degrees that hold everything within ``reach`` metres."""
    west, south, east, north = shapely.bounds(geometries).T
    angle = np.minimum(reach / _LEAST_RADIUS, np.pi)
    south, north = south - np.degrees(angle), north + np.degrees(angle)
    narrow = np.cos(np.radians(np.minimum(np.maximum(-south, north), 90)))
    around_pole = np.sin(np.minimum(angle, np.pi / 2)) >= narrow
    share = np.divide(np.sin(angle), narrow, out=np.ones_like(angle), where=~around_pole)
    wide = np.degrees(np.arcsin(share))
    all_around = around_pole | (east - west + 2 * wide >= 360)
    west = np.where(all_around, -180.0, west - wide)
    east = np.where(all_around, 180.0, east + wide)
    boxes: Geometries = shapely.box(west, south, east, north)
    return boxes
