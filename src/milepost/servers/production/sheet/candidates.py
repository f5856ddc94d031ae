"""Where a label may stand: the possible places of a text at a point, along a line and in an area."""

import math
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import shapely
from reportlab.pdfbase import pdfmetrics

from milepost.servers.production.sheet.frame.pen import load_fonts, text_width
from milepost.servers.production.sheet.geometry import MM
from milepost.servers.production.sheet.paths import Numbers, Path, beside, steps, without_bends
from milepost.servers.production.sheet.symbols import Label

LEADING: Final = 1.12
"""From the foot of a line to that of the next, as a share of the size."""
ASCENT: Final = 0.76
"""Of capitals and of letters like b, as a share of the size."""
DESCENT: Final = 0.2
"""Of letters like g."""

_AROUND: Final = (
    # Where the text stands as seen from the point, and how much worse than the first that is.
    (1, 0.6, 0.0),
    (1, 0.0, 0.1),
    (1, -0.6, 0.2),
    (0, 1, 0.35),
    (-1, 0.6, 0.4),
    (-1, 0.0, 0.45),
    (0, -1, 0.5),
    (-1, -0.6, 0.55),
)
_STEP: Final = 2.0
"""Millimetres along a line from one possible place to the next."""
_SPACED: Final = 1.06
"""How much wider letters are set along a line, so that they do not touch in bends."""
_MOST_TURN: Final = math.radians(18)
"""From one letter to the next."""
_MOST_BEND: Final = math.radians(75)
"""From the first letter to the last."""


@dataclass(frozen=True)
class Piece:
    """Part of a text on a straight foot, in sheet metres and radians anticlockwise from east."""

    text: str
    x: float
    y: float
    angle: float


@dataclass(frozen=True)
class Candidate:
    """A place where a text may stand.

    Attributes:
        pieces: of the text.
        shape: what it covers, in sheet metres.
        cost: how much worse than the best it is, by itself.
        at: a place on the line or at the point that it names, by which labels of one text keep apart.
    """

    pieces: tuple[Piece, ...]
    shape: Any
    cost: float
    at: tuple[float, float]


class Setter:
    """Sets texts in a label's type, at the scale of a sheet."""

    def __init__(self, label: Label, scale: int):
        load_fonts()
        self.label = label
        self.millimetre = scale / 1000
        self.size = label.size / MM * self.millimetre
        """Sheet metres."""

    def width(self, text: str) -> float:
        """Sheet metres that a text is wide."""
        return text_width(text, self.label.face, self.label.size) / MM * self.millimetre

    def can_write(self, text: str) -> bool:
        """Whether the type has all letters, and they stand side by side from left to right."""
        letters = pdfmetrics.getFont(self.label.face).face.charToGlyph
        return all(
            letter == "\n"
            or (ord(letter) in letters and unicodedata.bidirectional(letter) not in ("R", "AL"))
            for letter in text
        )

    def lines(self, text: str) -> list[str]:
        """A text in the lines in which it is set."""
        if self.label.capitals:
            text = text.upper()
        return [line for part in text.split("\n") for line in _wrapped(part, self.label.wrap)]

    def at_point(self, text: str, x: float, y: float, clear: float) -> Iterator[Candidate]:
        """Places around a point.

        Args:
            text: with its lines.
            x: of the point, in sheet metres.
            y: of the point.
            clear: sheet metres around the point that belong to its marker.
        """
        lines = self.lines(text)
        width, height = self._block(lines)
        gap = clear + self.label.distance * self.millimetre
        for side, rise, cost in _AROUND:
            left = x - width / 2 if side == 0 else x + gap if side > 0 else x - gap - width
            if side == 0:
                bottom = y + gap if rise > 0 else y - gap - height
            else:
                bottom = y - height / 2 + rise * (height / 2 + gap * 0.2)
            yield self._standing(lines, left, bottom, cost, -side, (x, y))

    def at_middle(self, text: str, x: float, y: float, cost: float = 0.0) -> Candidate:
        """The text with its middle at a point."""
        lines = self.lines(text)
        width, height = self._block(lines)
        return self._standing(lines, x - width / 2, y - height / 2, cost, 0, (x, y))

    def in_area(self, text: str, area: Any) -> Iterator[Candidate]:
        """Places within an area, and around it when the text does not fit."""
        circle = shapely.maximum_inscribed_circle(area, tolerance=self.millimetre * 0.2)
        middle = shapely.get_coordinates(circle)[0]
        x, y = (float(each) for each in middle)
        within = self.at_middle(text, x, y)
        if area.contains(within.shape):
            yield within
            return
        left, bottom, right, top = area.bounds
        width, height = self._block(self.lines(text))
        if min(right - left, top - bottom) > 1.5 * max(width, height):
            yield self.at_middle(text, x, y, cost=0.2)
        reach_x, reach_y = (right - left) / 2, (top - bottom) / 2
        x, y = (left + right) / 2, (bottom + top) / 2
        gap = self.label.distance * self.millimetre
        lines = self.lines(text)
        for side, rise, cost in _AROUND:
            at = x - width / 2 if side == 0 else x + reach_x + gap if side > 0 else x - reach_x - gap - width
            if side == 0:
                foot = y + reach_y + gap if rise > 0 else y - reach_y - gap - height
            else:
                foot = y - height / 2 + rise * reach_y
            yield self._standing(lines, at, foot, cost + 0.2, -side, (x, y))

    def along(self, text: str, line: Any) -> Iterator[Candidate]:
        """Places along a line: bent with it beside it, or straight upon it."""
        text = " ".join(self.lines(text))
        width = self.width(text)
        if line.length < width * 1.15 and self.label.box is None and not self.label.level:
            return
        if self.label.distance < 0:
            yield from self._upon(text, width, line)
        else:
            xy, gap = without_bends(line, self.size * 0.8), self.label.distance * self.millimetre
            # Text is read from left to right, and stands above its line: on either side of it.
            for side in (xy, xy[::-1]):
                yield from self._beside(text, width, Path(beside(side, gap)))

    def _upon(self, text: str, width: float, line: Any) -> Iterator[Candidate]:
        """Straight places with the middle of the letters on the line; level ones where they are to be, as on a plate."""
        path, level = Path.of(line), self.label.level or self.label.box is not None
        middles = steps(path.length, 0 if level else width / 2, _STEP * self.millimetre)
        if not len(middles):
            return
        x, y = path.many(middles).T
        if level:
            yield from self._straight(text, width, x, y, np.zeros(len(x)), np.zeros(len(x)))
            return
        a, b = path.many(middles - width / 2), path.many(middles + width / 2)
        run, rise = (b - a).T
        chord = np.maximum(np.hypot(run, rise), 1e-9)
        # The line must not swerve out of the gap that the text leaves in it.
        aside = np.abs((x - a[:, 0]) * rise - (y - a[:, 1]) * run) / chord
        fits = (chord >= 0.97 * width) & (aside <= 0.3 * self.size)
        angle = _upright(np.arctan2(rise, run))
        cost = 2 * (1 - chord / width) + aside / self.size + 0.4 * np.abs(np.sin(angle))
        x, y = (a + b)[fits].T / 2
        yield from self._straight(text, width, x, y, angle[fits], cost[fits])

    def _straight(
        self, text: str, width: float, x: Numbers, y: Numbers, angle: Numbers, cost: Numbers
    ) -> Iterator[Candidate]:
        rise = 0.36 * self.size
        cos, sin = np.cos(angle), np.sin(angle)
        foot_x = x - width / 2 * cos + rise * sin
        foot_y = y - width / 2 * sin - rise * cos
        pad = 0.25 * self.size
        shapes = _turned(x, y, width / 2 + pad, 0.36 * self.size + pad * 0.8, angle)
        for number, shape in enumerate(shapes):
            piece = Piece(text, float(foot_x[number]), float(foot_y[number]), float(angle[number]))
            yield Candidate((piece,), shape, float(cost[number]), (float(x[number]), float(y[number])))

    def _beside(self, text: str, width: float, path: Path) -> Iterator[Candidate]:
        """Places where letters stand on a line and turn with it."""
        widths = np.array([self.width(letter) for letter in text])
        widths *= width / widths.sum() * _SPACED
        for middle in steps(path.length, widths.sum() / 2, _STEP * self.millimetre):
            found = self._letters(text, widths, path, float(middle))
            if found is not None:
                yield found

    def _letters(self, text: str, widths: Numbers, path: Path, middle: float) -> Candidate | None:
        """The letters around a place on a line, each turned as the line is there."""
        ends = np.concatenate([[0.0], np.cumsum(widths)]) - widths.sum() / 2
        feet = path.many(middle + ends)
        run, rise = feet[-1] - feet[0]
        if run < 0 or (run < 0.05 * widths.sum() and rise < 0):
            return None
        angles = np.arctan2(*np.diff(feet, axis=0).T[::-1])
        turns, bend = _difference(np.diff(angles)), _difference(angles - angles[0])
        if np.abs(turns).max(initial=0) > _MOST_TURN or np.abs(bend).max() > _MOST_BEND:
            return None
        if np.cos(angles).min() < -0.2:
            return None
        pieces = tuple(
            Piece(letter, float(feet[number, 0]), float(feet[number, 1]), float(angles[number]))
            for number, letter in enumerate(text)
        )
        up, half = (ASCENT - DESCENT) / 2 * self.size, (ASCENT + DESCENT) / 2 * self.size
        middles = (feet[:-1] + feet[1:]) / 2 + up * np.column_stack([-np.sin(angles), np.cos(angles)])
        boxes = _turned(middles[:, 0], middles[:, 1], widths / 2 + 0.05 * self.size, half, angles)
        cost = np.abs(bend).max() + np.abs(turns).sum() * 0.5
        return Candidate(pieces, shapely.union_all(boxes), float(cost), path.at(middle))

    def _block(self, lines: Sequence[str]) -> tuple[float, float]:
        height = self.size * (LEADING * (len(lines) - 1) + ASCENT + DESCENT)
        return max(self.width(line) for line in lines), height

    def _standing(
        self,
        lines: Sequence[str],
        left: float,
        bottom: float,
        cost: float,
        align: int,
        at: tuple[float, float],
    ) -> Candidate:
        """Level lines in a block; ``align`` is -1 for left, 0 for the middle, 1 for right."""
        width, height = self._block(lines)
        pieces = []
        for number, line in enumerate(lines):
            slack = width - self.width(line)
            x = left + slack * (align + 1) / 2
            y = bottom + height - self.size * (ASCENT + LEADING * number)
            pieces.append(Piece(line, x, y, 0.0))
        shape = shapely.box(left, bottom, left + width, bottom + height)
        return Candidate(tuple(pieces), shape, cost, at)


def _turned(x: Numbers, y: Numbers, half_width: Any, half_height: Any, angle: Numbers) -> Any:
    """Rectangles around places, turned by angles."""
    cos, sin = np.cos(angle), np.sin(angle)
    corners = [
        (x + a * half_width * cos - b * half_height * sin, y + a * half_width * sin + b * half_height * cos)
        for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))
    ]
    return shapely.polygons(np.stack([np.column_stack(each) for each in corners], axis=1))


def _upright(angles: Numbers) -> Numbers:
    """Angles at which text is not upside down, from those of its foot either way."""
    return np.pi / 2 - (np.pi / 2 - angles) % np.pi


def _difference(angles: Numbers) -> Numbers:
    """Differences of angles, from half a turn backwards to half a turn forwards."""
    return (angles + np.pi) % (2 * np.pi) - np.pi


def _wrapped(text: str, most: int) -> list[str]:
    """A text in lines of about so many characters, broken at spaces."""
    if not most or len(text) <= most:
        return [text]
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > most:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
