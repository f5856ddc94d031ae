"""The small map of the squares of 100 kilometres on a sheet, each with its letters in it or beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import shapely

from milepost.servers.production.sheet.frame.pen import INK, Pen, text_width
from milepost.servers.production.sheet.frame.references import Square
from milepost.servers.production.sheet.geometry import SheetGeometry

SIZES: Final = (9.0, 8.0, 7.0, 6.0, 5.0)
"""Of letters within their square."""

BESIDE: Final = 5.4
"""Of letters beside the map."""

LEADING: Final = 6.2
"""Points from one of those to the next."""

LEADER: Final = 6.0
"""Points between the map and the letters beside it."""

ASIDE: Final = 17.0
"""Points at both sides of a map that has letters beside it."""

HIGHEST: Final = 200.0
"""Points: a map is not made higher than this, however many squares there are."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Written:
    """Letters and where they stand, in points from the lower left of the room of the map.

    Attributes:
        letters: of the square.
        at: the middle of the letters.
        size: of the type.
        square: a point of the square that they name from beside the map; None when they stand in it.
    """

    letters: str
    at: Point
    size: float
    square: Point | None = None


@dataclass(frozen=True)
class SquareMap:
    """A sheet in small.

    Attributes:
        width: in points.
        height: in points.
        parts: what the sheet shows of each square.
        written: the letters of each.
    """

    width: float
    height: float
    parts: list[shapely.Polygon]
    written: list[Written]

    @classmethod
    def within(
        cls, sheet: SheetGeometry, squares: Sequence[Square], width: float, height: float
    ) -> "SquareMap":
        """The map of a width in points, and of a height or more, so that there is room for all letters."""
        while True:
            found = cls._of(sheet, squares, width, height)
            beside = [each.at[0] > width / 2 for each in found.written if each.square]
            if max(beside.count(True), beside.count(False)) * LEADING <= height or height >= HIGHEST:
                return found
            height += LEADING

    @classmethod
    def _of(cls, sheet: SheetGeometry, squares: Sequence[Square], width: float, height: float) -> "SquareMap":
        parts = _drawn(sheet, squares, width, height)
        if all(_inside(square.letters, part) for square, part in zip(squares, parts, strict=True)):
            written = [_inside(square.letters, part) for square, part in zip(squares, parts, strict=True)]
            return cls(width, height, parts, [each for each in written if each])
        parts = _drawn(sheet, squares, width, height, aside=ASIDE)
        found: list[Written] = []
        beside: dict[bool, list[tuple[str, Point]]] = {False: [], True: []}
        for square, part in zip(squares, parts, strict=True):
            if written_inside := _inside(square.letters, part):
                found.append(written_inside)
            else:
                right = part.centroid.x > width / 2
                beside[right].append((square.letters, _towards(part, right)))
        west, _, east, _ = shapely.MultiPolygon(parts).bounds
        for right, named in beside.items():
            named.sort(key=lambda each: each[1][1])
            for (letters, at), y in zip(named, _spread([y for _, (_, y) in named], height), strict=True):
                half = text_width(letters, "sans-bold", BESIDE) / 2
                x = east + LEADER + half if right else west - LEADER - half
                found.append(Written(letters, (x, y), BESIDE, at))
        return cls(width, height, parts, found)

    def draw(self, pen: Pen, left: float, bottom: float) -> None:
        """Draw it above and to the right of a corner."""
        for part in self.parts:
            pen.area([(left + x, bottom + y) for x, y in part.exterior.coords], stroke=INK, width=0.35)
        for each in self.written:
            x, y = left + each.at[0], bottom + each.at[1]
            if each.square:
                half = text_width(each.letters, "sans-bold", each.size) / 2 + 1.0
                to = left + each.square[0], bottom + each.square[1]
                pen.line([(x + half if to[0] > x else x - half, y), to], 0.25)
                pen.circle(*to, 0.5, fill=INK)
            pen.text(x, y - each.size * 0.36, each.letters, each.size, face="sans-bold", align="centre")


def _drawn(
    sheet: SheetGeometry, squares: Sequence[Square], width: float, height: float, aside: float = 0.0
) -> list[shapely.Polygon]:
    """The parts of the squares in the middle of a box, in points."""
    x0, y0, x1, y1 = sheet.frame
    k = min((width - 2 * aside) / (x1 - x0), height / (y1 - y0))
    dx, dy = width / 2 - (x0 + x1) / 2 * k, height / 2 - (y0 + y1) / 2 * k
    return [shapely.transform(square.part, lambda at: at * k + (dx, dy)) for square in squares]


def _towards(part: shapely.Polygon, right: bool) -> Point:
    """A point of a square on the side where its letters stand."""
    west, south, east, north = part.bounds
    edge = east - (east - west) * 0.3 if right else west + (east - west) * 0.3
    near = part & (shapely.box(edge, south, east, north) if right else shapely.box(west, south, edge, north))
    point = near.representative_point()
    return point.x, point.y


def _inside(letters: str, part: shapely.Polygon) -> Written | None:
    """The letters in a square, as large as it has room for; None when it has none."""
    x, y = part.centroid.x, part.centroid.y
    for size in SIZES:
        half = text_width(letters, "sans-bold", size) / 2 + 0.5
        if part.contains(shapely.box(x - half, y - size * 0.42, x + half, y + size * 0.42)):
            return Written(letters, (x, y), size)
    return None


def _spread(wanted: Sequence[float], height: float) -> list[float]:
    """Places of lines of letters, from the lowest, near those that are wanted and each above the one before."""
    found: list[float] = []
    for number, y in enumerate(wanted):
        least = found[-1] + LEADING if found else LEADING / 2
        most = height - LEADING / 2 - (len(wanted) - 1 - number) * LEADING
        found.append(max(least, min(y, most)))
    return found
