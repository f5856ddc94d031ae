"""Displacement: lines moved apart on paper where their symbols would run into each other, as in hairpins."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray

from milepost.servers.production.sheet.field import Field
from milepost.servers.production.sheet.network import Indices, Network
from milepost.servers.production.sheet.paths import Numbers, Path

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


def displaced(
    lines: Sequence[Any],
    widths: Numbers,
    gap: float,
    most: float,
    fixed: Sequence[Any] | NDArray[Any] = (),
    fixed_widths: Numbers | None = None,
) -> tuple[list[Any], "Field"]:
    """Lines that keep apart where they can; where lines met, they still meet.

    Args:
        lines: in sheet metres; where they meet, they share a vertex.
        widths: of the symbol of each line, in sheet metres.
        gap: that is to be left between two symbols, in sheet metres.
        most: how far a line may be moved, in sheet metres.
        fixed: lines that stay where they are, and which the others keep off.
        fixed_widths: of the symbols of those.

    Returns:
        The lines, and how what lies beside them has to move.
    """
    fixed, fixed_widths = _near(lines, fixed, fixed_widths, float(widths.max()) + gap + 2 * most)
    nodes = _Nodes.of(lines, widths, fixed, fixed_widths)
    moved = np.zeros_like(nodes.xy)
    pairs = wanted = None
    for number in range(ROUNDS):
        if pairs is None or number % LOOK_AGAIN == 0:
            pairs, wanted = nodes.strangers(nodes.xy + moved, gap)
        assert wanted is not None
        if not len(wanted):
            break
        moved += _pushes(nodes.xy + moved, pairs, wanted, nodes.free)
        moved = nodes.evened(moved)
        reach = np.maximum(np.hypot(*moved.T), 1e-9)
        moved *= np.minimum(1.0, most / reach)[:, None]
    free = nodes.free
    return nodes.lines(nodes.xy + moved), Field(nodes.xy[free], moved[free])


@dataclass(frozen=True)
class _Nodes:
    """Nodes along lines; where lines meet, they share one.

    Attributes:
        xy: of the nodes.
        half: of the width of the symbol at each node.
        free: whether each may be moved.
        line: that each node is on.
        at: of each node, the way along that line.
        length: of that line.
        ends: the nodes at both ends of the part of the line that each is on.
        away: of each node, the way along its part to both ends.
        members: the nodes of each part, in order.
        network: of the lines that may be moved; its parts are the first.
        crossings: places where lines cross fixed ones.
    """

    xy: Numbers
    half: Numbers
    free: NDArray[np.bool_]
    line: Indices
    at: Numbers
    length: Numbers
    ends: Indices
    away: Numbers
    members: tuple[Indices, ...]
    network: Network
    crossings: NDArray[Any]

    @classmethod
    def of(
        cls, lines: Sequence[Any], widths: Numbers, fixed: Sequence[Any], fixed_widths: Numbers
    ) -> "_Nodes":
        network = Network.of(lines)
        parts = [*network.parts, *(shapely.get_coordinates(each) for each in fixed)]
        paths = [Path(part) for part in parts]
        owner = [*network.owner.tolist(), *range(len(lines), len(lines) + len(fixed))]
        width = np.concatenate([widths, fixed_widths])
        step = max(float(widths.min()) / _PER_WIDTH, sum(path.length for path in paths) / MOST_NODES)
        shared: dict[tuple[float, float], int] = {}
        xy: list[Numbers] = []
        members: list[Indices] = []
        line, at, away, ends = [], [], [], []
        half: list[float] = []
        so_far = np.zeros(len(width))
        for path, owned in zip(paths, owner, strict=True):
            places = path.even(max(3, int(np.ceil(path.length / step)) + 1))
            nodes = np.empty(len(places), dtype=np.int64)
            for place in range(len(places)):
                key = (round(float(places[place, 0]), 2), round(float(places[place, 1]), 2))
                is_end = place in (0, len(places) - 1) and owned < len(lines)
                if is_end and key in shared:
                    nodes[place] = shared[key]
                    half[shared[key]] = max(half[shared[key]], float(width[owned]) / 2)
                    continue
                if is_end:
                    shared[key] = len(xy)
                nodes[place] = len(xy)
                way = path.length * place / (len(places) - 1)
                xy.append(places[place])
                half.append(float(width[owned]) / 2)
                line.append(owned)
                at.append(so_far[owned] + way)
                away.append((way, path.length - way))
                ends.append(len(members))
            so_far[owned] += path.length
            members.append(nodes)
        corners = np.array([(nodes[0], nodes[-1]) for nodes in members])
        lined = np.array(line)
        return cls(
            np.array(xy),
            np.array(half),
            lined < len(lines),
            lined,
            np.array(at),
            so_far[lined],
            corners[np.array(ends)],
            np.array(away),
            tuple(members),
            network,
            _crossings(lines, fixed),
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
        near &= self.free[pairs].any(axis=0) & ~self._at_crossing(xy, pairs, widest)
        pairs, wanted = pairs[:, near], wanted[near]
        # Short pieces are those of junctions and roundabouts, which are meant to be one spot.
        shorter = np.minimum(self.length[pairs[0]], self.length[pairs[1]])
        strange = (self._way(pairs) > _DETOUR * wanted) & (shorter > _SHORT * wanted)
        return pairs[:, strange], wanted[strange]

    def _at_crossing(self, xy: Numbers, pairs: Indices, widest: float) -> NDArray[np.bool_]:
        """Which pairs with a fixed node are where the lines cross, and cannot keep apart."""
        found = np.zeros(len(xy), dtype=bool)
        if len(self.crossings):
            tree = shapely.STRtree(shapely.points(xy))
            found[tree.query(self.crossings, predicate="dwithin", distance=widest)[1]] = True
        return np.asarray(found[pairs].all(axis=0) & ~self.free[pairs].all(axis=0))

    def _way(self, pairs: Indices) -> Numbers:
        """How long the way from node to node is, along one line or over an end that two lines share."""
        a, b = pairs
        same = self.line[a] == self.line[b]
        way = np.where(same, np.abs(self.at[a] - self.at[b]), np.inf)
        for one in (0, 1):
            for other in (0, 1):
                meet = self.ends[a, one] == self.ends[b, other]
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
        """The lines that may be moved, with their nodes at other places."""
        parts = tuple(xy[nodes] for nodes in self.members[: len(self.network.parts)])
        return Network(parts, self.network.owner, self.network.count).lines()


def _near(
    lines: Sequence[Any], fixed: Sequence[Any] | NDArray[Any], widths: Numbers | None, distance: float
) -> tuple[list[Any], Numbers]:
    """The pieces of fixed lines that may come near lines which are moved, and the widths of their symbols."""
    if widths is None or not len(fixed):
        return [], np.empty(0)
    zones = shapely.buffer(
        shapely.simplify(np.asarray(lines, dtype=object), distance / 8), distance, quad_segs=2
    )
    cut, index = shapely.get_parts(
        shapely.line_merge(shapely.intersection(np.asarray(fixed, dtype=object), shapely.union_all(zones))),
        return_index=True,
    )
    sound = (shapely.get_dimensions(cut) == 1) & (shapely.length(cut) > 0)
    return list(cut[sound]), widths[index[sound]]


def _crossings(lines: Sequence[Any], fixed: Sequence[Any]) -> NDArray[Any]:
    """Points where lines cross fixed ones."""
    if not len(fixed):
        return np.empty(0, dtype=object)
    these, those = shapely.STRtree(fixed).query(np.asarray(lines, dtype=object), predicate="intersects")
    met = shapely.intersection(np.asarray(lines, dtype=object)[these], np.asarray(fixed, dtype=object)[those])
    return np.asarray(shapely.points(shapely.get_coordinates(met)))


def _pushes(xy: Numbers, pairs: Indices, wanted: Numbers, free: NDArray[np.bool_]) -> Numbers:
    """How far each free node is pushed by all that are too near, on average."""
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
    total[~free] = 0.0
    # The nearest matter most: the mean of many weak pushes would move nothing.
    return np.asarray(total / np.sqrt(np.maximum(count, 1.0))[:, None], dtype=np.float64)
