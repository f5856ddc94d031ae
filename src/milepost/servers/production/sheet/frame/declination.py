"""The declination diagram: true, grid and magnetic north, and how bearings are converted."""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import pygeomag

from milepost.servers.production.sheet.frame.figures import MINUTE, minutes
from milepost.servers.production.sheet.frame.pen import INK, Align, Pen
from milepost.servers.production.sheet.frame.type import (
    HEAD,
    Paragraph,
    heading,
    table,
    table_height,
)
from milepost.servers.production.sheet.geometry import SheetGeometry

MILS: Final = 6400 / 360
APART: Final = 15.0
"""Degrees between two arrows of the diagram at least, so that each can be seen and their names do not touch."""

STEEP: Final = 50.0
"""Degrees beyond which an arrow is not turned, but for what sets it apart: a flat diagram is hard to read."""

DIAGRAM: Final = 62.0
"""Points of the diagram's width."""

ARROW: Final = 58.0


@dataclass(frozen=True)
class North:
    """Where the three norths are, in degrees from true north and positive to the east.

    Attributes:
        grid: the grid convergence.
        magnetic: the declination.
        change: of the declination in a year.
        model: the name of the magnetic model.
        date: for which it holds.
        doubtful: whether the horizontal field is too weak for a compass to be trusted.
        outdated: whether the model was not made for the date.
    """

    grid: float
    magnetic: float
    change: float
    model: str
    date: datetime
    doubtful: bool
    outdated: bool

    @property
    def grid_magnetic(self) -> float:
        """From grid north to magnetic north: the G-M angle, of the rounded values that are printed."""
        turned = (round(self.magnetic * 60) - round(self.grid * 60)) / 60
        return (turned + 180) % 360 - 180

    @classmethod
    def at(cls, sheet: SheetGeometry, height: float, date: datetime) -> "North":
        """The norths in the middle of a sheet.

        Args:
            sheet: where.
            height: of the ground above the sea, in metres.
            date: when.
        """
        model = pygeomag.GeoMag()
        start, end = model.life_span
        # The first day of the year and of the next one: the change is that of a whole year.
        year = date.year + (date.timetuple().tm_yday - 1) / (366 if date.year % 4 == 0 else 365)
        longitude = (sheet.longitude + 180) % 360 - 180

        def calculated(when: float) -> pygeomag.geomag.GeoMagResult:
            return model.calculate(
                glat=sheet.latitude,
                glon=longitude,
                alt=height / 1000,
                time=when,
                allow_date_outside_lifespan=True,
            )

        now = calculated(year)
        change = (calculated(year + 1).d - now.d + 180) % 360 - 180
        doubtful = bool(now.in_blackout_zone or now.in_caution_zone)
        return cls(sheet.convergence, now.d, change, model.model, date, doubtful, not start <= year <= end)


def side(angle: float) -> str:
    """``E`` or ``W``; empty for an angle that is printed as nothing."""
    return "" if round(angle * 60) == 0 else " E" if angle > 0 else " W"


def turned(grid: float, magnetic: float) -> dict[str, float]:
    """The angles at which the arrows are drawn, by their names.

    Their order from left to right is the true one, and they are far enough from each other to be told apart. Those
    that differ by less than a minute share an arrow.
    """
    angles = {"grid": grid, "magnetic": magnetic}
    drawn = {"true": 0.0}
    for sign in (-1, 1):
        last, last_drawn = 0.0, 0.0
        for name, angle in sorted(angles.items(), key=lambda item: abs(item[1])):
            if round(angle * 60) == 0:
                drawn[name] = 0.0
            elif angle * sign > 0:
                if round(angle * 60) != round(last * 60):
                    last_drawn = sign * max(min(abs(angle), STEEP), abs(last_drawn) + APART)
                last = angle
                drawn[name] = last_drawn
    return drawn


@dataclass(frozen=True)
class DeclinationBlock:
    """The diagram with its values and the rules of conversion."""

    north: North

    def rows(self) -> list[tuple[str, str]]:
        """The values beside the diagram."""
        north = self.north
        change = abs(north.change) * 60
        annual = f"{change:.1f}{MINUTE}{side(north.change) if change >= 0.05 else ''}"
        return [
            ("Grid convergence", _angle(north.grid)),
            ("Declination", _angle(north.magnetic)),
            (
                "G-M angle",
                f"{_angle(north.grid_magnetic)} ({abs(round(north.grid_magnetic * MILS))}\N{NO-BREAK SPACE}mils)",
            ),
            ("Annual change", annual),
        ]

    def rules(self) -> list[Paragraph]:
        """How bearings are converted, and what is to be known of the values."""
        north = self.north
        angle = minutes(north.grid_magnetic)
        if round(north.grid_magnetic * 60):
            add, subtract = ("add", "subtract") if north.grid_magnetic > 0 else ("subtract", "add")
            found = [
                Paragraph(f"{add} {angle}", "Magnetic to grid:"),
                Paragraph(f"{subtract} {angle}", "Grid to magnetic:"),
            ]
        else:
            found = [Paragraph("Grid and magnetic bearings are the same.")]
        words = f"Middle of the sheet, {north.date:%-d %B %Y}, {north.model}. Not to scale."
        if north.outdated:
            words += " The model was not made for this date; the values are uncertain."
        if north.doubtful:
            words += " The magnetic pole is near: do not trust a compass."
        return [*found, Paragraph(words, size=5.6)]

    def height(self, width: float) -> float:
        """Points that it needs at a width."""
        side_by_side = width - DIAGRAM
        text = table_height(self.rows(), side_by_side, 0.5) + 4
        text += sum(rule.height(side_by_side) + 1.5 for rule in self.rules())
        return HEAD + max(ARROW + 14, text)

    def draw(self, pen: Pen, left: float, top: float, width: float) -> None:
        """Draw it below and to the right of a corner."""
        below = heading(pen, left, top, width, f"{self.north.date.year} magnetic declination")
        self._diagram(pen, left, below)
        x, room = left + DIAGRAM, width - DIAGRAM
        y = table(pen, x, below, room, self.rows(), 0.5) - 4
        for rule in self.rules():
            rule.draw(pen, x, y, room)
            y -= rule.height(room) + 1.5

    def _diagram(self, pen: Pen, left: float, top: float) -> None:
        angles = turned(self.north.grid, self.north.magnetic)
        # The foot moves away from the side to which the arrows lean.
        lean = [math.sin(math.radians(angle)) for angle in angles.values()]
        spread = max(lean) - min(lean)
        shorter = min(ARROW * 0.78, (DIAGRAM - 24) / spread) if spread else ARROW * 0.78
        foot = left + (DIAGRAM - 6) / 2 - (max(lean) + min(lean)) / 2 * shorter
        base = top - ARROW - 8
        names: dict[float, list[str]] = {}
        for name, angle in angles.items():
            names.setdefault(angle, []).append(name)
        for angle, sharing in names.items():
            dx, dy = math.sin(math.radians(angle)), math.cos(math.radians(angle))
            length = ARROW if "true" in sharing else shorter
            x, y = foot + dx * length, base + dy * length
            pen.line([(foot, base), (x, y)], 0.6)
            if "true" in sharing:
                _star(pen, x, y + 2.6)
            if "magnetic" in sharing:
                # A half arrowhead on the outer side is how magnetic north is told from grid north.
                out = 1 if angle >= 0 else -1
                bx, by = x - dx * 7, y - dy * 7
                pen.area([(x, y), (bx + out * dy * 2.6, by - out * dx * 2.6), (bx, by)], fill=INK)
            labels = [text for name, text in (("grid", "GN"), ("magnetic", "MN")) if name in sharing]
            if labels:
                align: Align = "centre" if "true" not in sharing else "left"
                place = (x + dx * 3, y + dy * 3) if "true" not in sharing else (x + 5, y - 2)
                pen.text(place[0], place[1], " ".join(labels), 5.8, face="sans-bold", align=align)
        pen.circle(foot, base, 0.9, fill=INK)


def _angle(angle: float) -> str:
    return f"{minutes(angle)}{side(angle)}"


def _star(pen: Pen, x: float, y: float, radius: float = 3.0) -> None:
    """The star of true north."""
    points = []
    for number in range(10):
        turn = math.pi / 5 * number
        size = radius if number % 2 == 0 else radius * 0.42
        points.append((x + math.sin(turn) * size, y + math.cos(turn) * size))
    pen.area(points, fill=INK)
