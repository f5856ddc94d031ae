"""Displacement: lines moved apart on paper where their symbols would run into each other, as in hairpins."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray

from milepost.servers.production.sheet.paths import Path

Numbers = NDArray[np.float64]
Indices = NDArray[np.int64]

ROUNDS: Final = 60
"""How often lines push each other."""
LOOK_AGAIN: Final = 15
"""Rounds after which the neighbours are looked up anew."""
MOST_NODES: Final = 300_000
"""Of a sheet; where there are more, they are farther apart."""

_PER_WIDTH: Final = 2
"""Nodes along a line in the width of the narrowest symbol."""
_DETOUR: Final = 1.7
"""How much longer the way along lines must be than the distance for two nodes to be strangers: a little more than
half a circle is longer than its diameter, so that the apex of a hairpin keeps its shape."""
_SHORT: Final = 4.0
"""Lines that are not so many times as long as two symbols are wide push nothing."""
_SOFT: Final = 0.45
"""Share of an overlap that is put right in a round."""


def displaced(lines: Sequence[Any], widths: Numbers, gap: float, most: float) -> list[Any]:
    """Lines that keep apart where they can; where lines met, they still meet.

    Args:
        lines: in sheet metres.
        widths: of the symbol of each line, in sheet metres.
        gap: that is to be left between two symbols, in sheet metres.
        most: how far a line may be moved, in sheet metres.
    """
    net = _Net.of(lines, widths)
    moved = np.zeros_like(net.xy)
    pairs = wanted = None
    for number in range(ROUNDS):
        if pairs is None or number % LOOK_AGAIN == 0:
            pairs, wanted = net.strangers(net.xy + moved, gap)
        assert wanted is not None
        if not len(wanted):
            break
        moved += _pushes(net.xy + moved, pairs, wanted)
        moved = net.evened(moved)
        reach = np.maximum(np.hypot(*moved.T), 1e-9)
        moved *= np.minimum(1.0, most / reach)[:, None]
    return net.lines(net.xy + moved)


@dataclass(frozen=True)
class _Net:
    """Nodes along lines; where lines meet, they share one.

    Attributes:
        xy: of the nodes.
        half: of the width of the symbol at each node.
        line: that each node is on.
        ends: the nodes at both ends of each line.
        away: of each node, the way along its line to both ends.
        members: the nodes of each line, in order.
    """

    xy: Numbers
    half: Numbers
    line: Indices
    ends: Indices
    away: Numbers
    members: tuple[Indices, ...]

    @classmethod
    def of(cls, lines: Sequence[Any], widths: Numbers) -> "_Net":
        paths = [Path.of(line) for line in lines]
        total = sum(path.length for path in paths)
        step = max(float(widths.min()) / _PER_WIDTH, total / MOST_NODES)
        shared: dict[tuple[float, float], int] = {}
        xy, line, away, members, ends = [], [], [], [], []
        half: list[float] = []
        count = 0
        for number, path in enumerate(paths):
            places = path.even(max(3, int(np.ceil(path.length / step)) + 1))
            nodes = np.empty(len(places), dtype=np.int64)
            for at in range(len(places)):
                key = (round(float(places[at, 0]), 2), round(float(places[at, 1]), 2))
                is_end = at in (0, len(places) - 1)
                if is_end and key in shared:
                    nodes[at] = shared[key]
                    half[shared[key]] = max(half[shared[key]], float(widths[number]) / 2)
                    continue
                if is_end:
                    shared[key] = count
                nodes[at] = count
                count += 1
                way = path.length * at / (len(places) - 1)
                xy.append(places[at])
                half.append(float(widths[number]) / 2)
                line.append(number)
                away.append((way, path.length - way))
            members.append(nodes)
            ends.append((nodes[0], nodes[-1]))
        return cls(
            np.array(xy), np.array(half), np.array(line), np.array(ends), np.array(away), tuple(members)
        )

    def strangers(self, xy: Numbers, gap: float) -> tuple[Indices, Numbers]:
        """Pairs of nodes, of shape (2, pairs), that are near each other by no short way; and how far apart they should be."""
        widest = 2 * float(self.half.max()) + gap
        points = shapely.points(xy)
        tree = shapely.STRtree(points)
        found = []
        for first in range(0, len(points), 50_000):
            part = tree.query(points[first : first + 50_000], predicate="dwithin", distance=1.3 * widest)
            part[0] += first
            found.append(part[:, part[0] < part[1]])
        pairs = np.concatenate(found, axis=1)
        wanted = self.half[pairs[0]] + self.half[pairs[1]] + gap
        near = np.hypot(*(xy[pairs[0]] - xy[pairs[1]]).T) < 1.3 * wanted
        pairs, wanted = pairs[:, near], wanted[near]
        # Short pieces are those of junctions and roundabouts, which are meant to be one spot.
        shorter = np.minimum(self.away[pairs[0]].sum(axis=1), self.away[pairs[1]].sum(axis=1))
        strange = (self._way(pairs) > _DETOUR * wanted) & (shorter > _SHORT * wanted)
        return pairs[:, strange], wanted[strange]

    def _way(self, pairs: Indices) -> Numbers:
        """How long the way from node to node is, along one line or over an end that two lines share."""
        a, b = pairs
        same = self.line[a] == self.line[b]
        way = np.where(same, np.abs(self.away[a, 0] - self.away[b, 0]), np.inf)
        for one in (0, 1):
            for other in (0, 1):
                meet = self.ends[self.line[a], one] == self.ends[self.line[b], other]
                over = self.away[a, one] + self.away[b, other]
                way = np.where(meet, np.minimum(way, over), way)
        return way

    def evened(self, moved: Numbers) -> Numbers:
        """Displacements that change little from node to node."""
        nodes = np.concatenate(self.members)
        inner = np.ones(len(nodes), dtype=bool)
        last = np.cumsum([len(each) for each in self.members]) - 1
        inner[last] = False
        inner[np.concatenate([[0], last[:-1] + 1])] = False
        along = moved[nodes]
        mean = along.copy()
        at = np.flatnonzero(inner)
        mean[at] = (along[at - 1] + 2 * along[at] + along[at + 1]) / 4
        total = np.column_stack([np.bincount(nodes, weights=each, minlength=len(moved)) for each in mean.T])
        count = np.bincount(nodes, minlength=len(moved))
        return np.asarray(total / count[:, None] * 0.995, dtype=np.float64)

    def lines(self, xy: Numbers) -> list[Any]:
        """The lines with their nodes at other places."""
        return [shapely.LineString(xy[nodes]) for nodes in self.members]


def _pushes(xy: Numbers, pairs: Indices, wanted: Numbers) -> Numbers:
    """How far each node is pushed by all that are too near, on average."""
    a, b = pairs
    apart = xy[a] - xy[b]
    distance = np.maximum(np.hypot(*apart.T), 1e-6)
    lacking = np.maximum(wanted - distance, 0.0)
    push = apart / distance[:, None] * (lacking * _SOFT / 2)[:, None]
    total, count = np.zeros_like(xy), np.zeros(len(xy))
    touching = lacking > 0
    for nodes, sign in ((a, 1.0), (b, -1.0)):
        for axis in (0, 1):
            total[:, axis] += sign * np.bincount(nodes, weights=push[:, axis], minlength=len(xy))
        count += np.bincount(nodes[touching], minlength=len(xy))
    # The nearest matter most: the mean of many weak pushes would move nothing.
    return np.asarray(total / np.sqrt(np.maximum(count, 1.0))[:, None], dtype=np.float64)
