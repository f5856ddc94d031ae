"""The border of the map: neatline, grid, graticule, and a strip of figures in which none covers another."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import numpy as np
import shapely

from milepost.servers.production.sheet.areas import Box
from milepost.servers.production.sheet.definition import Product
from milepost.servers.production.sheet.frame.figures import degrees, grid_figure
from milepost.servers.production.sheet.frame.pen import INK, Align, Pen, text_width
from milepost.servers.production.sheet.geometry import MM
from milepost.servers.production.sheet.page import Page

STRIP: Final = 11 * MM
"""Points of the strip of figures around the neatline: the longest of the grid and those of the graticule side by side."""

SCALE_BAND: Final = 0.9 * MM
"""Of the band of minutes outside of it."""

OUTER: Final = 1.1 * MM
"""Of the gap to the outermost line, and its own width."""

BORDER: Final = STRIP + SCALE_BAND + OUTER + 1.2
"""Points that the border needs on every side of the neatline."""

SMALL: Final = 5.0
LARGE: Final = 9.0
CORNER: Final = 6.0
FREE: Final = 1.2
"""Points between two figures of the strip at least."""

EDGE: Final = 1.8
"""Points between the figures of the graticule and the band of minutes."""

GRID_ROW: Final = 11.0
"""Points above and below the neatline that the grid figures need: the corners stand outside of them."""

TICKS: Final = (1 / 6, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0)
"""Minutes that ticks may be apart."""

SIDES: Final = ("bottom", "right", "top", "left")
OUTWARD: Final = {"bottom": (0.0, -1.0), "right": (1.0, 0.0), "top": (0.0, 1.0), "left": (-1.0, 0.0)}

Point = tuple[float, float]


@dataclass
class Strip:
    """The figures written so far, so that a further one is left out where it would cover one of them."""

    taken: list[Box] = field(default_factory=list)

    def take(self, box: Box) -> bool:
        """Whether a box is free; it is taken then."""
        left, bottom, right, top = box
        for a, b, c, d in self.taken:
            if left < c + FREE and right > a - FREE and bottom < d + FREE and top > b - FREE:
                return False
        self.taken.append(box)
        return True


@dataclass(frozen=True)
class GridLine:
    """A line of the grid within the neatline.

    Attributes:
        value: metres east or north.
        easting: whether it is a line of one easting.
        ends: in points of the page, with the side on which each lies.
    """

    value: int
    easting: bool
    ends: tuple[tuple[Point, str], tuple[Point, str]]


@dataclass(frozen=True)
class Rest:
    """What completes the figures of a line to its value in metres.

    Attributes:
        text: such as ``000mE``.
        at: where it begins, at its foot.
        room: what it covers, but for what is next to its figures.
    """

    text: str
    at: Point
    room: Box


class Border:
    """Draws what lies on and around the neatline of a page."""

    def __init__(self, page: Page, product: Product) -> None:
        self.page, self.product, self.sheet = page, product, page.sheet
        ring = np.asarray(self.sheet.neatline.exterior.coords)
        x, y = page.point(ring[:, 0], ring[:, 1])
        self.neatline = shapely.Polygon(np.column_stack([x, y]))
        # Each side of the neatline has as many vertices, from the lower left counterclockwise.
        quarter = (len(ring) - 1) // 4
        points = list(zip(x.tolist(), y.tolist(), strict=True))
        self.sides = {side: points[n * quarter : (n + 1) * quarter + 1] for n, side in enumerate(SIDES)}
        self._lines = {side: shapely.LineString(line) for side, line in self.sides.items()}
        self.strip = Strip()

    def draw_grid(self, pen: Pen) -> None:
        """Draw the lines of the grid and the crosses of the graticule."""
        with pen.clipped(list(self.neatline.exterior.coords)):
            for line in self.grid_lines():
                thick = (
                    self.product.grid.emphasis
                    and (line.value // self.product.grid.interval) % self.product.grid.emphasis == 0
                )
                width = self.product.grid.width * MM * (2 if thick else 1)
                pen.line([line.ends[0][0], line.ends[1][0]], width, color=self.product.grid.color)
            self._crosses(pen)

    def draw(self, pen: Pen) -> None:
        """Draw the neatline and what is around it."""
        self.strip = Strip()
        self._ticks(pen)
        self._outline(pen)
        self._corners(pen)
        # The grid first: references are read from its figures.
        self._grid_figures(pen)
        self._graticule_figures(pen)

    # --- the grid ---

    def grid_lines(self) -> Iterator[GridLine]:
        """The lines of the grid that cross the map, eastings first and by value."""
        ring = np.asarray(self.sheet.neatline.exterior.coords)
        values = self.sheet.grid_of_sheet(ring[:, 0], ring[:, 1])
        step = self.product.grid.interval
        for axis in (0, 1):
            along, across = values[axis], values[1 - axis]
            ends = np.array([across.min() - step, across.max() + step])
            for number in range(int(np.ceil(along.min() / step)), int(np.floor(along.max() / step)) + 1):
                fixed = np.full(2, number * step)
                grid = (fixed, ends) if axis == 0 else (ends, fixed)
                x, y = self.page.point(*self.sheet.sheet_of_grid(*grid))
                inside = shapely.LineString(np.column_stack([x, y])) & self.neatline
                for part in shapely.get_parts(inside):
                    if part.length > 1:
                        first, *_, last = part.coords
                        yield GridLine(number * step, axis == 0, (self._side(first), self._side(last)))

    def _side(self, point: Point) -> tuple[Point, str]:
        """A point of the neatline with the side on which it lies."""
        place = shapely.Point(point)
        return point, min(SIDES, key=lambda side: self._lines[side].distance(place))

    def _grid_figures(self, pen: Pen) -> None:
        """The values of the grid lines; the first on each side in full."""
        # Where the grid is turned far, as around the poles, eastings are read at the left and right.
        upright = abs(np.cos(np.radians(self.sheet.convergence))) >= np.sqrt(0.5)
        read = {True: ("bottom", "top"), False: ("left", "right")}
        lines = list(self.grid_lines())
        found = [
            (side, point, line)
            for line in lines
            for point, side in line.ends
            if side in read[line.easting == upright]
        ]
        told: set[tuple[int, bool]] = set()
        for side in SIDES:
            axis = 0 if side in ("bottom", "top") else 1
            rests: list[Rest] = []
            for _, point, line in sorted(
                (each for each in found if each[0] == side), key=lambda each: each[1][axis]
            ):
                if rest := self._grid_figure(pen, side, point, line):
                    told.add((line.value, line.easting))
                    rests.append(rest)
            # After all figures, so that it takes the room of none.
            for rest in rests:
                if self._complete(pen, rest):
                    break
        # A line across a corner may end where the others of its kind are not read: it has its letter there.
        for line in lines:
            if (line.value, line.easting) not in told:
                for point, side in line.ends:
                    if (rest := self._grid_figure(pen, side, point, line)) and self._complete(pen, rest):
                        break

    def _grid_figure(self, pen: Pen, side: str, point: Point, line: GridLine) -> Rest | None:
        """Write the value of a line at its end, unless another figure is there.

        Returns:
            What completes it; None when it was not written.
        """
        figure = grid_figure(line.value, self.product.grid.interval)
        before = text_width(figure.before, "sans", SMALL) + (0.3 if figure.before else 0)
        large = text_width(figure.large, "sans-bold", LARGE)
        after = text_width(figure.after, "sans", SMALL) + (0.5 if figure.after else 0)
        rest = f"{figure.rest}m{'E' if line.easting else 'N'}"
        tail = text_width(rest, "sans", SMALL)
        width = before + large + after
        px, py = point
        gap = 2.6
        if side in ("bottom", "top"):
            # The principal figures stand on the line; what surrounds them hangs over.
            x = px - large / 2 - before if figure.large else px - before / 2
            y = py - gap - LARGE * 0.76 if side == "bottom" else py + gap
        else:
            x = px - gap - width if side == "left" else px + gap
            y = py - LARGE * 0.36
        if not self.strip.take((x, y, x + width, y + LARGE * 0.76)):
            return None
        pen.text(x, y + LARGE * 0.74 - SMALL * 0.74, figure.before, SMALL)
        pen.text(x + before, y, figure.large, LARGE, face="sans-bold")
        pen.text(x + before + large + 0.5, y + LARGE * 0.74 - SMALL * 0.74, figure.after, SMALL)
        if side in ("bottom", "top"):
            start, foot = x + width + 0.4, y
            room = (x + width + FREE, foot, start + tail, foot + SMALL * 0.76)
        else:
            start = x + width - tail if side == "left" else x
            foot = y - SMALL - 1.2
            room = (start, foot, start + tail, foot + SMALL * 0.76)
        return Rest(rest, (start, foot), room)

    def _complete(self, pen: Pen, rest: Rest) -> bool:
        """Write what completes a value, unless another figure is there; whether it was written."""
        if free := self.strip.take(rest.room):
            pen.text(*rest.at, rest.text, SMALL)
        return free

    # --- the graticule ---

    @property
    def _tick(self) -> float:
        """Minutes between ticks: those of the product, or more where they would stand too close."""
        minute = (
            self.sheet.points_per_metre
            * 1852
            * min(1.0, np.cos(np.radians(max(abs(self.sheet.south), abs(self.sheet.north)))))
        )
        wanted = [step for step in TICKS if step >= self.product.frame.ticks and step * minute >= 2.5 * MM]
        return wanted[0] if wanted else TICKS[-1]

    @property
    def _figure(self) -> float:
        """Minutes between figures: those of the product, or more where they would stand too close."""
        minute = (
            self.sheet.points_per_metre
            * 1852
            * np.cos(np.radians(max(abs(self.sheet.south), abs(self.sheet.north))))
        )
        wanted = [step for step in TICKS if step >= self.product.frame.graticule and step * minute >= 20 * MM]
        return wanted[0] if wanted else TICKS[-1]

    def _values(self, low: float, high: float, minutes: float) -> list[float]:
        """Degrees between two, at whole multiples of some minutes; the two themselves are left out."""
        step = minutes / 60
        first, last = int(np.ceil(low / step - 1e-6)), int(np.floor(high / step + 1e-6))
        return [n * step for n in range(first, last + 1) if low + 1e-7 < n * step < high - 1e-7]

    def _on_side(self, side: str, value: float) -> Point:
        """Where a longitude meets the bottom or top, or a latitude the left or right."""
        sheet = self.sheet
        place = {
            "bottom": (value, sheet.south),
            "top": (value, sheet.north),
            "left": (sheet.west, value),
            "right": (sheet.east, value),
        }[side]
        x, y = self.page.point(*sheet.sheet_of_lonlat(*place))
        return float(x), float(y)

    def _range(self, side: str) -> tuple[float, float]:
        """The degrees along a side."""
        sheet = self.sheet
        return (sheet.west, sheet.east) if side in ("bottom", "top") else (sheet.south, sheet.north)

    def _ticks(self, pen: Pen) -> None:
        """Ticks on the inside of the neatline."""
        for side in SIDES:
            dx, dy = OUTWARD[side]
            marked = {round(value * 3600) for value in self._values(*self._range(side), self._figure)}
            for value in self._values(*self._range(side), self._tick):
                x, y = self._on_side(side, value)
                length = (2.6 if round(value * 3600) in marked else 1.2) * MM
                pen.line([(x, y), (x - dx * length, y - dy * length)], 0.45)

    def _crosses(self, pen: Pen) -> None:
        """Crosses where meridians and parallels with figures meet."""
        arm = 1.8 * MM
        tick = 1e-3
        for longitude in self._values(*self._range("bottom"), self._figure):
            for latitude in self._values(*self._range("left"), self._figure):
                xs, ys = self.sheet.sheet_of_lonlat(
                    [longitude - tick, longitude + tick, longitude, longitude],
                    [latitude, latitude, latitude - tick, latitude + tick],
                )
                px, py = self.page.point(xs, ys)
                for a, b in ((0, 1), (2, 3)):
                    x, y, dx, dy = (px[a] + px[b]) / 2, (py[a] + py[b]) / 2, px[b] - px[a], py[b] - py[a]
                    k = arm / np.hypot(dx, dy)
                    pen.line([(x - dx * k, y - dy * k), (x + dx * k, y + dy * k)], 0.45)

    def _graticule_figures(self, pen: Pen) -> None:
        """The values of the longer ticks."""
        for side in SIDES:
            letters = "EW" if side in ("bottom", "top") else "NS"
            for value in self._values(*self._range(side), self._figure):
                x, y = self._on_side(side, value)
                text = degrees(value, letters, seconds=self._figure < 1)
                self._figure_at(pen, side, x, y, text)

    def _figure_at(self, pen: Pen, side: str, x: float, y: float, text: str) -> None:
        """Write a value on the outer side of the strip, along the band of minutes that it belongs to."""
        half, gap = text_width(text, "sans-italic", CORNER) / 2, STRIP - EDGE
        dx, dy = OUTWARD[side]
        x, y = x + dx * gap, y + dy * gap
        cap = CORNER * 0.76
        if side in ("left", "right"):
            foot = x + cap if side == "left" else x
            if self.strip.take((foot - cap, y - half, foot, y + half)):
                pen.text(foot, y, text, CORNER, face="sans-italic", align="centre", upwards=True)
        else:
            foot = y if side == "bottom" else y - cap
            if self.strip.take((x - half, foot, x + half, foot + cap)):
                pen.text(x, foot, text, CORNER, face="sans-italic", align="centre")

    def _corners(self, pen: Pen) -> None:
        """Longitude and latitude of the four corners, in full, within the strip beyond the grid figures."""
        sheet = self.sheet
        for longitude, side, align in ((sheet.west, "left", "left"), (sheet.east, "right", "right")):
            for latitude, level in ((sheet.south, "bottom"), (sheet.north, "top")):
                x, y = (float(v) for v in self.page.point(*sheet.sheet_of_lonlat(longitude, latitude)))
                texts = [degrees(latitude, "NS"), degrees(longitude, "EW")]
                width = max(text_width(text, "sans-bold", CORNER) for text in texts)
                edge = x - STRIP + 3 if side == "left" else x + STRIP - 3
                y0 = y + GRID_ROW if level == "top" else y - GRID_ROW - 2 * CORNER
                box = (
                    (edge, y0, edge + width, y0 + 2 * CORNER)
                    if side == "left"
                    else (edge - width, y0, edge, y0 + 2 * CORNER)
                )
                self.strip.take(box)
                aligned: Align = "left" if align == "left" else "right"
                pen.text(edge, y0 + CORNER + 1, texts[0], CORNER, face="sans-bold", align=aligned)
                pen.text(edge, y0, texts[1], CORNER, face="sans-bold", align=aligned)

    # --- the lines around ---

    def _outline(self, pen: Pen) -> None:
        """The neatline, the band of minutes outside of the strip, and a thick line around all."""
        pen.area(list(self.neatline.exterior.coords), stroke=INK, width=0.75)
        for distance, width in ((STRIP, 0.3), (STRIP + SCALE_BAND, 0.3), (STRIP + SCALE_BAND + OUTER, 1.6)):
            ring = self.neatline.buffer(distance, join_style="mitre", mitre_limit=5).exterior
            pen.area(list(ring.coords)[:-1], stroke=INK, width=width)
        for side in SIDES:
            self._minutes(pen, side)

    def _minutes(self, pen: Pen, side: str) -> None:
        """Every other minute, or whatever ticks are apart, filled in the band of a side."""
        low, high = self._range(side)
        step = self._tick / 60
        breaks = [low, *self._values(low, high, self._tick), high]
        for start, end in pairwise(breaks):
            if int(np.floor((start + end) / 2 / step)) % 2:
                continue
            values = np.linspace(start, end, 9)
            points = np.array([self._on_side(side, value) for value in values])
            dx, dy = np.gradient(points[:, 0]), np.gradient(points[:, 1])
            length = np.hypot(dx, dy)
            normal = np.column_stack([dy / length, -dx / length])
            out = OUTWARD[side]
            if normal[4] @ np.array(out) < 0:
                normal = -normal
            inner, outer = points + normal * STRIP, points + normal * (STRIP + SCALE_BAND)
            pen.area([tuple(p) for p in np.vstack([inner, outer[::-1]]).tolist()], fill=INK)
