"""Where a label may stand: the possible places of a text at a point, along a line and in an area."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray

from milepost.servers.production.sheet.frame.pen import load_fonts, text_width
from milepost.servers.production.sheet.geometry import MM
from milepost.servers.production.sheet.paths import Path
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
_MOST_TURN: Final = math.radians(24)
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

    def lines(self, text: str) -> list[str]:
        """A text in the lines in which it is set."""
        if self.label.capitals:
            text = text.upper()
        return [line for part in text.split("\n") for line in _wrapped(part, self.label.wrap)]

    def at_point(self, text: str, x: float, y: float, clear: float) -> Iterator[Candidate]:
        """Places around a point.

        Args:
            text: with its lines.
            x, y: of the point, in sheet metres.
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
        within = self.at_middle(text, *middle)
        if area.contains(within.shape):
            yield within
            return
        left, bottom, right, top = area.bounds
        width, height = self._block(self.lines(text))
        if min(right - left, top - bottom) > 1.5 * max(width, height):
            yield self.at_middle(text, *middle, cost=0.2)
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
        if line.length < width * 1.15 and self.label.box is None:
            return
        if self.label.distance < 0:
            yield from self._upon(text, width, line)
        else:
            path = Path(_even(line, self.size * 0.7))
            yield from self._beside(text, width, path)

    def _upon(self, text: str, width: float, line: Any) -> Iterator[Candidate]:
        """Straight places with the middle of the letters on the line; level ones on a plate."""
        path = Path.of(line)
        for middle in _steps(path.length, 0 if self.label.box else width / 2, _STEP * self.millimetre):
            x, y = path.at(middle)
            if self.label.box:
                yield self._straight(text, width, x, y, 0.0, 0.0)
                continue
            (ax, ay), (bx, by) = path.at(middle - width / 2), path.at(middle + width / 2)
            chord = math.hypot(bx - ax, by - ay)
            # The line must not swerve out of the gap that the text leaves in it.
            aside = abs((x - ax) * (by - ay) - (y - ay) * (bx - ax)) / max(chord, 1e-9)
            if chord < 0.97 * width or aside > 0.3 * self.size:
                continue
            angle = _upright(math.atan2(by - ay, bx - ax))
            cost = 2 * (1 - chord / width) + aside / self.size + 0.4 * abs(math.sin(angle))
            yield self._straight(text, width, (ax + bx) / 2, (ay + by) / 2, angle, cost)

    def _straight(self, text: str, width: float, x: float, y: float, angle: float, cost: float) -> Candidate:
        rise = 0.36 * self.size
        cos, sin = math.cos(angle), math.sin(angle)
        foot = (x - width / 2 * cos + rise * sin, y - width / 2 * sin - rise * cos)
        pad = 0.25 * self.size
        shape = _turned(x, y, width / 2 + pad, 0.36 * self.size + pad * 0.8, angle)
        return Candidate((Piece(text, *foot, angle),), shape, cost, (x, y))

    def _beside(self, text: str, width: float, path: Path) -> Iterator[Candidate]:
        """Places where letters stand beside the line and turn with it."""
        widths = [self.width(letter) for letter in text]
        for start in _steps(path.length - width, 0.0, _STEP * self.millimetre):
            ax, ay = path.at(start)
            bx, by = path.at(start + width)
            forward = bx >= ax if abs(bx - ax) > 0.05 * width else by >= ay
            found = self._letters(text, widths, path, start, width, forward)
            if found is not None:
                yield found

    def _letters(
        self, text: str, widths: Sequence[float], path: Path, start: float, width: float, forward: bool
    ) -> Candidate | None:
        gap = self.label.distance * self.millimetre
        pieces, boxes, angles = [], [], []
        at = start if forward else start + width
        for letter, wide in zip(text, widths, strict=True):
            step = wide if forward else -wide
            (ax, ay), (bx, by) = path.at(at), path.at(at + step)
            angle = math.atan2(by - ay, bx - ax)
            cos, sin = math.cos(angle), math.sin(angle)
            pieces.append(Piece(letter, ax - gap * sin, ay + gap * cos, angle))
            rise = gap + (ASCENT - DESCENT) / 2 * self.size
            middle = ((ax + bx) / 2 - rise * sin, (ay + by) / 2 + rise * cos)
            half = (ASCENT + DESCENT) / 2 * self.size
            boxes.append(_turned(*middle, wide / 2 + 0.05 * self.size, half, angle))
            angles.append(angle)
            at += step
        turns = [abs(_wrapped_angle(b - a)) for a, b in zip(angles, angles[1:], strict=False)]
        bend = max((abs(_wrapped_angle(each - angles[0])) for each in angles), default=0.0)
        if max(turns, default=0.0) > _MOST_TURN or bend > _MOST_BEND:
            return None
        if any(math.cos(each) < -0.2 for each in angles):
            return None
        shape = shapely.union_all(boxes)
        middle = path.at(start + width / 2)
        return Candidate(tuple(pieces), shape, bend * 0.8 + sum(turns) * 0.3, middle)

    def _block(self, lines: Sequence[str]) -> tuple[float, float]:
        height = self.size * (LEADING * (len(lines) - 1) + ASCENT + DESCENT)
        return max(self.width(line) for line in lines), height

    def _standing(
        self, lines: Sequence[str], left: float, bottom: float, cost: float, align: int, at: tuple[float, float]
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


def _even(line: Any, window: float) -> NDArray[np.float64]:
    """A line without its small bends, so that letters along it do not dance."""
    count = max(4, int(line.length / window * 2))
    xy = Path.of(line).even(count + 1)
    for _ in range(4):
        xy[1:-1] = (xy[:-2] + 2 * xy[1:-1] + xy[2:]) / 4
    return xy


def _steps(length: float, margin: float, step: float) -> Iterator[float]:
    """Lengths along a line, from its middle outwards."""
    reach = length / 2 - margin
    if reach < 0:
        return
    yield length / 2
    for number in range(1, int(reach / step) + 1):
        yield length / 2 + number * step
        yield length / 2 - number * step


def _turned(x: float, y: float, half_width: float, half_height: float, angle: float) -> Any:
    cos, sin = math.cos(angle), math.sin(angle)
    corners = [(-1, -1), (1, -1), (1, 1), (-1, 1)]
    return shapely.Polygon(
        [
            (
                x + a * half_width * cos - b * half_height * sin,
                y + a * half_width * sin + b * half_height * cos,
            )
            for a, b in corners
        ]
    )


def _upright(angle: float) -> float:
    """An angle at which text is not upside down."""
    angle = _wrapped_angle(angle)
    if angle > math.pi / 2:
        return angle - math.pi
    return angle + math.pi if angle <= -math.pi / 2 else angle


def _wrapped_angle(angle: float) -> float:
    return (angle + math.pi) % math.tau - math.pi


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
