"""Thinning: which lines of a network are left out where there is no room for all, as in dense towns."""

import heapq
import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray

from milepost.servers.production.sheet.paths import Numbers, Path

_COVERED: Final = 0.5
"""Share of a line that must lie too near to others for it to be left out."""
_SHORT_LINK: Final = 1.5
"""Spacings that a line between two others must be long."""
_SHORT_END: Final = 3.0
"""Spacings that a dead end must be long."""
_DETOUR: Final = 3.0
"""How much longer than a line the way around may be for which it is left out, besides some spacings."""
_SAMPLES: Final = 3
"""Places along a line in each spacing, at which it is looked how near others are."""


def thinned(lines: Sequence[Any], ranks: NDArray[Any], spacing: Numbers) -> NDArray[np.bool_]:
    """Which lines stay: first the important ones, of equals the longer ones.

    A line goes when most of it lies nearer than its spacing to lines that stay, or when it is a short link or a
    short dead end; but never when what it leads to would be cut off, or be much farther away.

    Args:
        lines: in sheet metres; where they meet, they share a vertex.
        ranks: of each, the smallest for the most important.
        spacing: that each needs to those that stay, in sheet metres; 0 keeps it in any case.
    """
    stays = np.ones(len(lines), dtype=bool)
    if not len(lines) or not spacing.any():
        return stays
    meets = _Meetings(lines)
    tree = shapely.STRtree(lines)
    lengths = shapely.length(lines)
    settled = spacing == 0
    for number in np.lexsort((-lengths, ranks)).tolist():
        if settled[number]:
            continue
        settled[number] = True
        line, gap = lines[number], float(spacing[number])
        ends = meets.ends(number, stays)
        short = _SHORT_LINK if all(ends) and not line.is_closed else _SHORT_END
        if lengths[number] >= short * gap:
            near = tree.query(line, predicate="dwithin", distance=gap)
            near = near[settled[near] & stays[near] & (near != number)]
            if not len(near) or _covered(line, [lines[each] for each in near], gap, ends) <= _COVERED:
                continue
        stays[number] = not meets.hang_together(number, stays, _DETOUR * (lengths[number] + 4 * gap))
    return stays


def collapsed(lines: Sequence[Any], spacing: Numbers) -> tuple[list[Any], NDArray[np.bool_]]:
    """Lines that lead to the middle of small rings, such as roundabouts, instead of the rings.

    Args:
        lines: in sheet metres; where they meet, they share a vertex.
        spacing: of each; a ring that is narrower is small.

    Returns:
        The lines, and which of them stay: all but small rings that others meet.
    """
    stays = np.ones(len(lines), dtype=bool)
    meets = _Meetings(lines)
    middles: dict[int, tuple[float, float]] = {}
    for number, line in enumerate(lines):
        left, bottom, right, top = line.bounds
        if line.is_closed and 0 < max(right - left, top - bottom) < spacing[number]:
            vertices = meets.shared(number, stays)
            if len(vertices) > 1:
                stays[number] = False
                middles |= dict.fromkeys(vertices, ((left + right) / 2, (bottom + top) / 2))
    return meets.moved(lines, middles), stays


def _covered(line: Any, others: Sequence[Any], gap: float, ends: tuple[bool, bool]) -> float:
    """Which share of a line lies nearer than the gap to others, its own ends aside where it meets them."""
    path = Path.of(line)
    first = gap if ends[0] else 0.0
    last = path.length - (gap if ends[1] else 0.0)
    if last <= first:
        return 0.0
    places = path.many(np.linspace(first, last, max(3, int((last - first) / gap * _SAMPLES) + 1)))
    distances = shapely.distance(shapely.points(places), shapely.union_all(others))
    return float(np.mean(distances < gap))


class _Meetings:
    """Where lines meet, by the vertices that they share."""

    def __init__(self, lines: Sequence[Any]):
        xy, index = shapely.get_coordinates(lines, return_index=True)
        _, vertex = np.unique(np.round(xy, 2), axis=0, return_inverse=True)
        vertex = vertex.ravel()
        starts = np.searchsorted(index, np.arange(len(lines) + 1))
        self._vertices = [vertex[a:b].tolist() for a, b in pairwise(starts.tolist())]
        self._lines: dict[int, list[int]] = {}
        shared = np.bincount(vertex)[vertex] > 1
        for each, line in zip(vertex[shared].tolist(), index[shared].tolist(), strict=True):
            found = self._lines.setdefault(each, [])
            if line not in found:
                found.append(line)
        self._steps: dict[int, list[tuple[int, int, float]]] = {}
        """From each shared vertex, along which line one comes to which other one, and how far that is."""
        for line, vertices in enumerate(self._vertices):
            at = Path.of(lines[line]).lengths
            met = [n for n, each in enumerate(vertices) if each in self._lines]
            for a, b in pairwise(met):
                length = float(at[b] - at[a])
                self._steps.setdefault(vertices[a], []).append((line, vertices[b], length))
                self._steps.setdefault(vertices[b], []).append((line, vertices[a], length))

    def ends(self, line: int, stays: NDArray[np.bool_]) -> tuple[bool, bool]:
        """Whether each end of a line meets another one that stays."""
        first, last = self._vertices[line][0], self._vertices[line][-1]
        return self._met(first, line, stays), self._met(last, line, stays)

    def shared(self, line: int, stays: NDArray[np.bool_]) -> list[int]:
        """The vertices at which a line meets others that stay."""
        return [each for each in dict.fromkeys(self._vertices[line]) if self._met(each, line, stays)]

    def hang_together(self, line: int, stays: NDArray[np.bool_], longest: float) -> bool:
        """Whether the places where a line meets others can be reached from each other without it.

        Args:
            line: that is to be left out.
            stays: which lines there are.
            longest: way, in sheet metres.
        """
        first, *others = self.shared(line, stays) or [-1]
        wanted = set(others)
        ways = {first: 0.0}
        heap = [(0.0, first)]
        while heap and wanted:
            way, vertex = heapq.heappop(heap)
            if way > longest:
                break
            wanted.discard(vertex)
            for along, other, length in self._steps.get(vertex, ()):
                further = way + length
                if along != line and stays[along] and further < ways.get(other, math.inf):
                    ways[other] = further
                    heapq.heappush(heap, (further, other))
        return not wanted

    def moved(self, lines: Sequence[Any], places: dict[int, tuple[float, float]]) -> list[Any]:
        """Lines with some vertices at other places."""
        found = list(lines)
        for line in {line for vertex in places for line in self._lines[vertex]}:
            xy = shapely.get_coordinates(lines[line])
            for at, vertex in enumerate(self._vertices[line]):
                if vertex in places:
                    xy[at] = places[vertex]
            found[line] = shapely.LineString(xy)
        return found

    def _met(self, vertex: int, line: int, stays: NDArray[np.bool_]) -> bool:
        return any(other != line and stays[other] for other in self._lines.get(vertex, ()))
