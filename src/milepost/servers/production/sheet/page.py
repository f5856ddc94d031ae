"""The paper of a sheet."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from milepost.servers.production.sheet.areas import Box
from milepost.servers.production.sheet.geometry import MM, Coordinates, SheetGeometry


@dataclass(frozen=True)
class Margins:
    """Paper around the map, in points."""

    left: float
    bottom: float
    right: float
    top: float


@dataclass(frozen=True)
class Page:
    """The paper of a sheet: the frame of the map with margins around it.

    Attributes:
        sheet: the map.
        margins: between the frame of the map and the edges of the paper.
    """

    sheet: SheetGeometry
    margins: Margins

    @property
    def width(self) -> float:
        """In points."""
        return self.margins.left + self.sheet.width + self.margins.right

    @property
    def height(self) -> float:
        """In points."""
        return self.margins.bottom + self.sheet.height + self.margins.top

    @property
    def size_mm(self) -> tuple[float, float]:
        """Width and height in millimetres."""
        return self.width / MM, self.height / MM

    @property
    def frame(self) -> Box:
        """The frame of the map: left, bottom, right and top in points."""
        left, bottom = self.margins.left, self.margins.bottom
        return left, bottom, left + self.sheet.width, bottom + self.sheet.height

    def point(self, x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Coordinates, Coordinates]:
        """Points on the page of places in sheet metres."""
        left, bottom, _, _ = self.sheet.frame
        k = self.sheet.points_per_metre
        return (
            self.margins.left + (np.asarray(x, float) - left) * k,
            self.margins.bottom + (np.asarray(y, float) - bottom) * k,
        )

    def sheet_of_point(self, x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Coordinates, Coordinates]:
        """Sheet metres of points on the page."""
        left, bottom, _, _ = self.sheet.frame
        k = self.sheet.points_per_metre
        return (
            (np.asarray(x, float) - self.margins.left) / k + left,
            (np.asarray(y, float) - self.margins.bottom) / k + bottom,
        )
