"""Where a map sheet lies on the Earth, and where a place on the Earth lies on the sheet.

Four kinds of coordinates are used throughout:

* *geographic*: longitude and latitude of WGS 84 in degrees. East of the antimeridian longitudes go on beyond 180.
* *grid*: metres east and north in the projection of the sheet, UTM or UPS.
* *sheet*: ground metres right and up from the middle of the sheet. It is the grid, turned by the convergence so
  that true north is up there.
* *page*: points (1/72 inch) right and up from the lower left corner of the paper.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyproj
import shapely

from milepost.servers.production.sheet.areas import Box, bounds_of, polygons_of
from milepost.servers.production.sheet.grids import UTM_NORTH, UTM_SOUTH, Grid, grid_at

Coordinates = npt.NDArray[np.float64]

POINTS_PER_METRE: Final = 72 / 0.0254
"""Points in a metre of paper."""

MM: Final = POINTS_PER_METRE / 1000
"""Points in a millimetre of paper."""

STEPS: Final = 64
"""Pieces of each side of a neatline: the chords of a parallel then stay within a hundredth of a millimetre."""

SCALES: Final = (1_000, 5_000_000)
"""The largest and the smallest scale of a sheet, as denominators."""

SMALLEST_SIDE: Final = 0.02
"""Metres of paper below which a side of the map is refused: such an area was not meant as a sheet."""

LARGEST_SIDE: Final = 2.5
"""Metres of paper beyond which a side of the map is refused: no printer takes it, and readers of PDF end at 5 m."""

LARGEST_AREA: Final = 3.0
"""Square metres of paper beyond which a map is refused, three times A0: what a sheet needs of memory grows with it."""

MOST_PIXELS: Final = 1_500_000_000
"""Of a map as a raster, beyond which it is refused; the margin of the paper comes on top."""

WIDEST: Final = 8.0
"""Degrees of the equator that a sheet may be wide: beyond, the scale of UTM differs by more than half a percent."""

TURNED: Final = 30.0
"""Degrees of longitude that a sheet may be wide: beyond, north at its sides is far from up."""


@dataclass(frozen=True)
class SheetGeometry:
    """The map of a sheet: a quadrangle of meridians and parallels at a scale.

    Attributes:
        west, south, east, north: its sides, in degrees. ``east`` is greater than ``west``, beyond 180 if need be.
        scale: the denominator, such as 50000.
    """

    west: float
    south: float
    east: float
    north: float
    scale: int

    @classmethod
    def of(cls, area: Mapping[str, Any] | shapely.Geometry, scale: int) -> "SheetGeometry":
        """The sheet that shows an area.

        Its sides are whole seconds, so that the values in its corners are true.

        Args:
            area: GeoJSON geometry or feature, or a geometry: one or more polygons in longitude and latitude. One that
                crosses the antimeridian is given in two parts, or goes on beyond 180.
            scale: the denominator.

        Raises:
            ValueError: the area is broken, or no sheet of this scale can show it; the text says what to do.
        """
        if not SCALES[0] <= scale <= SCALES[1]:
            raise ValueError(
                f"a scale of 1:{scale} is not possible: choose one from 1:{SCALES[0]} to 1:{SCALES[1]}"
            )
        west, south, east, north = bounds_of(polygons_of(area))
        second = 3600
        sheet = cls(
            math.floor(west * second + 1e-4) / second,
            math.floor(south * second + 1e-4) / second,
            math.ceil(east * second - 1e-4) / second,
            math.ceil(north * second - 1e-4) / second,
            scale,
        )
        sheet.check()
        return sheet

    def check(self) -> None:
        """See to it that the projection and the paper can take the area.

        Raises:
            ValueError: they cannot; the text says what to do.
        """
        grid = self.grid
        if grid.name == "UTM" and (self.south < UTM_SOUTH - 0.5 or self.north > UTM_NORTH + 0.5):
            raise ValueError(
                f"the area reaches from {self.south:g}° to {self.north:g}° of latitude; UTM ends at {UTM_SOUTH}° and "
                f"{UTM_NORTH}°, so choose areas that lie on one side of it"
            )
        if abs(self.south) > 89.9 or abs(self.north) > 89.9:
            raise ValueError(
                "a sheet with true north up cannot show a pole: choose an area within 89.9° of latitude"
            )
        wide = self.east - self.west
        most = min(WIDEST / math.cos(math.radians(min(abs(self.south), abs(self.north)))), TURNED)
        if wide > most:
            raise ValueError(
                f"the area is {wide:.3g}° of longitude wide, more than the {most:.3g}° that {grid.title} can show there: "
                "choose a narrower area, or several"
            )
        width, height = (points / POINTS_PER_METRE for points in (self.width, self.height))
        if max(width, height) > LARGEST_SIDE:
            raise ValueError(
                f"at 1:{self.scale} the map would be {width:.1f} m wide and {height:.1f} m high, more than "
                f"{LARGEST_SIDE} m: choose a smaller area or a product of a smaller scale"
            )
        if width * height > LARGEST_AREA:
            raise ValueError(
                f"at 1:{self.scale} the map would be {width:.2f} m wide and {height:.2f} m high, {width * height:.1f} square "
                f"metres and more than {LARGEST_AREA:g}: choose a smaller area or a product of a smaller scale"
            )
        if min(width, height) < SMALLEST_SIDE:
            raise ValueError(
                f"at 1:{self.scale} the map would be {width * 1000:.1f} mm wide and {height * 1000:.1f} mm high, less "
                f"than {SMALLEST_SIDE * 1000:g} mm: choose a larger area or a product of a larger scale"
            )

    def check_raster(self, dpi: int) -> None:
        """See to it that the map has not too many pixels, with north of its grid up.

        Args:
            dpi: pixels an inch of paper.

        Raises:
            ValueError: it has; the text says what to do.
        """
        left, bottom, right, top = self.frame
        east, north = self.grid_of_sheet([left, right, right, left], [bottom, bottom, top, top])
        pixel = 72 / dpi / self.points_per_metre
        width, height = math.ceil(np.ptp(east) / pixel), math.ceil(np.ptp(north) / pixel)
        if width * height > MOST_PIXELS:
            raise ValueError(
                f"at {dpi} dpi the map has {width} x {height} pixels, too many: choose fewer dpi or a smaller area"
            )

    # --- what it is ---

    @property
    def longitude(self) -> float:
        """Of the middle, in degrees."""
        return (self.west + self.east) / 2

    @property
    def latitude(self) -> float:
        """Of the middle, in degrees."""
        return (self.south + self.north) / 2

    @cached_property
    def grid(self) -> Grid:
        """The grid of the middle of the sheet."""
        return grid_at(self.longitude, self.latitude)

    @cached_property
    def crs(self) -> pyproj.CRS:
        """The projection of the grid."""
        return pyproj.CRS.from_epsg(self.grid.epsg)

    @cached_property
    def convergence(self) -> float:
        """Degrees from true north to grid north in the middle of the sheet, positive to the east."""
        factors = pyproj.Proj(self.crs).get_factors(self.longitude, self.latitude)
        return float(factors.meridian_convergence)

    @cached_property
    def neatline(self) -> shapely.Polygon:
        """The edge of the map in sheet metres, counterclockwise from the lower left; parallels bow."""
        t = np.linspace(0, 1, STEPS, endpoint=False)
        x = self.west + t * (self.east - self.west)
        y = self.south + t * (self.north - self.south)
        whole = np.ones(STEPS)
        longitudes = np.concatenate([x, whole * self.east, self.east + self.west - x, whole * self.west])
        latitudes = np.concatenate([whole * self.south, y, whole * self.north, self.north + self.south - y])
        return shapely.Polygon(np.column_stack(self.sheet_of_lonlat(longitudes, latitudes)))

    # --- from one kind of coordinates to another ---

    @cached_property
    def _projection(self) -> pyproj.Transformer:
        return pyproj.Transformer.from_crs(4326, self.crs, always_xy=True)

    @cached_property
    def _origin(self) -> tuple[float, float]:
        return self._projection.transform(self.longitude, self.latitude)

    @cached_property
    def affine(self) -> tuple[float, float, float, float, float, float]:
        """From grid to sheet as ``(a, b, d, e, x, y)`` of :func:`shapely.affinity.affine_transform`."""
        turn = math.radians(self.convergence)
        cos, sin, (east, north) = math.cos(turn), math.sin(turn), self._origin
        return (cos, sin, -sin, cos, -cos * east - sin * north, sin * east - cos * north)

    def grid_of_lonlat(
        self, longitude: npt.ArrayLike, latitude: npt.ArrayLike
    ) -> tuple[Coordinates, Coordinates]:
        """Grid metres east and north of places in degrees."""
        east, north = self._projection.transform(np.asarray(longitude, float), np.asarray(latitude, float))
        return np.asarray(east), np.asarray(north)

    def lonlat_of_grid(self, east: npt.ArrayLike, north: npt.ArrayLike) -> tuple[Coordinates, Coordinates]:
        """Longitudes, within 180 degrees of the middle, and latitudes of places in grid metres."""
        longitude, latitude = self._projection.transform(
            np.asarray(east, float), np.asarray(north, float), direction="INVERSE"
        )
        return np.asarray(_near(np.asarray(longitude), self.longitude)), np.asarray(latitude)

    def sheet_of_grid(self, east: npt.ArrayLike, north: npt.ArrayLike) -> tuple[Coordinates, Coordinates]:
        """Sheet metres of places in grid metres."""
        a, b, d, e, x, y = self.affine
        east, north = np.asarray(east, float), np.asarray(north, float)
        return a * east + b * north + x, d * east + e * north + y

    def grid_of_sheet(self, x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Coordinates, Coordinates]:
        """Grid metres of places in sheet metres."""
        a, b, d, e, _, _ = self.affine
        x, y = np.asarray(x, float), np.asarray(y, float)
        return a * x + d * y + self._origin[0], b * x + e * y + self._origin[1]

    def sheet_of_lonlat(
        self, longitude: npt.ArrayLike, latitude: npt.ArrayLike
    ) -> tuple[Coordinates, Coordinates]:
        """Sheet metres of places in degrees."""
        return self.sheet_of_grid(*self.grid_of_lonlat(longitude, latitude))

    def lonlat_of_sheet(self, x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Coordinates, Coordinates]:
        """Degrees of places in sheet metres."""
        return self.lonlat_of_grid(*self.grid_of_sheet(x, y))

    def on_sheet(self, geometries: Any) -> Any:
        """Geometries in degrees, one or an array of them, in sheet metres."""
        return shapely.transform(geometries, self.sheet_of_lonlat, interleaved=False)

    # --- on paper ---

    @property
    def points_per_metre(self) -> float:
        """Points of paper for one ground metre of the sheet."""
        return POINTS_PER_METRE / self.scale

    @cached_property
    def frame(self) -> Box:
        """The box around the neatline that is drawn: left, bottom, right and top in sheet metres.

        It is widened to a whole number of points each way, since renderers count in whole ones.
        """
        left, bottom, right, top = self.neatline.bounds
        points = [math.ceil(side * self.points_per_metre - 1e-6) for side in (right - left, top - bottom)]
        dx, dy = (n / self.points_per_metre for n in points)
        x, y = (left + right) / 2, (bottom + top) / 2
        return x - dx / 2, y - dy / 2, x + dx / 2, y + dy / 2

    @property
    def width(self) -> int:
        """Of the frame on paper, in points."""
        return round((self.frame[2] - self.frame[0]) * self.points_per_metre)

    @property
    def height(self) -> int:
        """Of the frame on paper, in points."""
        return round((self.frame[3] - self.frame[1]) * self.points_per_metre)

    def lonlat_bounds(self, margin: float = 0.0) -> Box:
        """West, south, east and north of all that the frame shows, in degrees.

        Args:
            margin: paper to add on all sides, in points, so that what crosses the neatline is drawn to it.
        """
        left, bottom, right, top = shapely.box(*self.frame).buffer(margin / self.points_per_metre).bounds
        t = np.linspace(0, 1, STEPS)
        x, y = left + t * (right - left), bottom + t * (top - bottom)
        edge = np.ones(STEPS)
        longitude, latitude = self.lonlat_of_sheet(
            np.concatenate([x, x, edge * left, edge * right]),
            np.concatenate([edge * bottom, edge * top, y, y]),
        )
        return float(longitude.min()), float(latitude.min()), float(longitude.max()), float(latitude.max())


def _near(longitude: Any, middle: float) -> Any:
    """Longitudes, by whole turns, within 180 degrees of another one."""
    return (longitude - middle + 180) % 360 - 180 + middle
