"""Grid references: the squares of MGRS on a sheet, and how a reference is read step by step."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely

from milepost.servers.production.sheet.geometry import SheetGeometry
from milepost.servers.production.sheet.grids import Grid

SQUARE: Final = 100_000
"""Metres of the squares that have two letters."""

COLUMNS: Final = ("ABCDEFGH", "JKLMNPQR", "STUVWXYZ")
ROWS: Final = "ABCDEFGHJKLMNPQRSTUV"
POLAR: Final = {
    False: ("RSTUXYZABCFGHJ", "ABCDEFGHJKLMNP", 13),
    True: ("JKLPQRSTUXYZABCFGHJKLPQR", "ABCDEFGHJKLMNPQRSTUVWXYZ", 8),
}
"""Around the poles, by whether it is the southern one: columns, rows, and the hundreds of kilometres where both begin."""
BANDS: Final = "CDEFGHJKLMNPQRSTUVWX"


@dataclass(frozen=True)
class Square:
    """The part of a square of 100 kilometres that is on a sheet.

    Attributes:
        letters: its two letters.
        part: what the sheet shows of it, in sheet metres.
    """

    letters: str
    part: shapely.Polygon


@dataclass(frozen=True)
class Example:
    """A worked example of a grid reference.

    Attributes:
        letters: of the square.
        east: principal figures of the grid line to the left of the place.
        east_tenths: tenths of the way from it to the next one.
        north: principal figures of the grid line below.
        north_tenths: tenths of the way from it.
    """

    letters: str
    east: str
    east_tenths: str
    north: str
    north_tenths: str

    @property
    def reference(self) -> str:
        """Such as ``CH 786 069``."""
        return f"{self.letters} {self.east}{self.east_tenths} {self.north}{self.north_tenths}"


def letters_at(grid: Grid, east: float, north: float) -> str:
    """The letters of the square of a place, also where a grid goes on beyond the edge of its zone.

    Empty where MGRS has none: farther than its squares reach.
    """
    if grid.name == "UPS":
        columns, rows, first = POLAR[grid.south]
        column, row = math.floor(east / SQUARE) - first, math.floor(north / SQUARE) - first
        inside = 0 <= column < len(columns) and 0 <= row < len(rows)
        return columns[column] + rows[row] if inside else ""
    column = math.floor(east / SQUARE) - 1
    if not 0 <= column < 8:
        return ""
    row = (math.floor(north / SQUARE) + (5 if grid.zone % 2 == 0 else 0)) % 20
    return COLUMNS[(grid.zone - 1) % 3][column] + ROWS[row]


def zone_designations(sheet: SheetGeometry) -> list[str]:
    """The grid zone designations of a sheet, such as ``31T``: its zone, and the bands of latitude from the south."""
    if sheet.grid.name == "UPS":
        halves = "AB" if sheet.grid.south else "YZ"
        east, west = sheet.east > 0 or sheet.east > 180, sheet.west < 0
        return [letter for letter, there in zip(halves, (west, east), strict=True) if there]
    bands = [
        min(19, max(0, math.floor((latitude + 80) / 8))) for latitude in (sheet.south, sheet.north - 1e-9)
    ]
    return [f"{sheet.grid.zone}{BANDS[band]}" for band in range(bands[0], bands[1] + 1)]


def squares(sheet: SheetGeometry) -> list[Square]:
    """The squares of 100 kilometres on a sheet, from the one with the largest part to the smallest."""
    ring = np.asarray(sheet.neatline.exterior.coords)
    east, north = sheet.grid_of_sheet(ring[:, 0], ring[:, 1])
    found = []
    for column in range(math.floor(east.min() / SQUARE), math.floor(east.max() / SQUARE) + 1):
        for row in range(math.floor(north.min() / SQUARE), math.floor(north.max() / SQUARE) + 1):
            x, y = sheet.sheet_of_grid(
                np.array([column, column + 1, column + 1, column]) * SQUARE,
                np.array([row, row, row + 1, row + 1]) * SQUARE,
            )
            part = shapely.Polygon(np.column_stack([x, y])) & sheet.neatline
            letters = letters_at(sheet.grid, (column + 0.5) * SQUARE, (row + 0.5) * SQUARE)
            # A sliver that no letter fits into is not worth telling.
            if part.geom_type == "Polygon" and letters and part.area > (0.002 * sheet.scale) ** 2:
                found.append(Square(letters, part))
    return sorted(found, key=lambda square: -square.part.area)


def worked_example(sheet: SheetGeometry, longitude: float, latitude: float, interval: int) -> Example:
    """How the reference of a place is read from the grid lines of a sheet.

    Args:
        sheet: whose grid is read.
        longitude: of the place.
        latitude: of the place.
        interval: metres between the grid lines: 10 000 or more gives references of a kilometre, less of 100 metres.
    """
    east, north = (float(value) for value in sheet.grid_of_lonlat(longitude, latitude))
    unit, digits = (10_000, 1) if interval >= 10_000 else (1_000, 2)
    parts = []
    for value in (east, north):
        # As the rules of MGRS want it: figures are cut off, not rounded.
        within = math.floor(value % SQUARE / unit * 10 + 1e-9)
        parts += [f"{within // 10:0{digits}d}", str(within % 10)]
    return Example(letters_at(sheet.grid, east, north), *parts)
