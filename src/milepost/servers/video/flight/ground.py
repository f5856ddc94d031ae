"""The ground that a flight looks at: a picture with its place on the earth."""

import math
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Final

import numpy as np
import pyproj
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

SIDE: Final = 6000.0
"""Metres along a side of the drawn ground."""
_PIXELS: Final = 1500
_GRID: Final = 500
"""Metres between the lines of the grid that is drawn on it."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Ground:
    """A picture of flat ground.

    A flight counts in metres east and north of the middle of the picture, in a transverse Mercator
    projection of its own, so the picture may be in any coordinate system.
    """

    image: Image.Image
    """In RGB."""
    affine: tuple[float, float, float, float, float, float]
    """a, b, c, d, e, f with x = a column + b row + c and y = d column + e row + f."""
    crs: str
    """Coordinate system of x and y, such as ``EPSG:32631``."""
    elevation: float = 1000.0
    """Metres above the ellipsoid, which the sea of this flat world lies on."""

    @cached_property
    def middle(self) -> tuple[float, float]:
        """Longitude and latitude of the middle of the picture, in degrees."""
        x, y = self._x_y(np.array([[self.image.width / 2, self.image.height / 2]]))[0]
        to_degrees = pyproj.Transformer.from_crs(self.crs, "EPSG:4326", always_xy=True)
        longitude, latitude = to_degrees.transform(x, y)
        return float(longitude), float(latitude)

    @cached_property
    def side(self) -> float:
        """Metres along the shorter side of the picture."""
        w, h = self.image.size
        middles = self.to_local(np.array([[0, h / 2], [w, h / 2], [w / 2, 0], [w / 2, h]]))
        return float(min(math.dist(middles[0], middles[1]), math.dist(middles[2], middles[3])))

    def to_local(self, pixels: Floats) -> Floats:
        """Metres east and north of the middle, of columns and rows; both of the shape (n, 2)."""
        x_y = self._x_y(pixels)
        return np.column_stack(self._projected.transform(x_y[:, 0], x_y[:, 1]))

    def to_pixels(self, local: Floats) -> Floats:
        """Columns and rows of what lies so many metres east and north; both of the shape (n, 2)."""
        x_y = np.column_stack(self._projected.transform(local[:, 0], local[:, 1], direction="INVERSE"))
        a, b, c, d, e, f = self.affine
        found: Floats = np.linalg.solve(np.array([[a, b], [d, e]]), (x_y - [c, f]).T).T
        return found

    def to_degrees(self, local: Floats) -> Floats:
        """Longitudes and latitudes of what lies so many metres east and north; both of the shape (n, 2)."""
        return np.column_stack(self._local(local[:, 0], local[:, 1], inverse=True))

    def convergence(self, longitude: float, latitude: float) -> float:
        """Degrees from true north to the north of the metres, clockwise."""
        return float(self._local.get_factors(longitude, latitude).meridian_convergence)

    @cached_property
    def _local(self) -> Any:
        return pyproj.Proj(_plane(*self.middle))

    @cached_property
    def _projected(self) -> Any:
        return pyproj.Transformer.from_crs(self.crs, _plane(*self.middle), always_xy=True)

    def _x_y(self, pixels: Floats) -> Floats:
        a, b, c, d, e, f = self.affine
        moved: Floats = pixels @ np.array([[a, d], [b, e]]) + [c, f]
        return moved


def _plane(longitude: float, latitude: float) -> str:
    return (
        f"+proj=tmerc +lon_0={longitude:.12f} +lat_0={latitude:.12f} +k=1 +x_0=0 +y_0=0 +datum=WGS84 +units=m"
    )


@cache
def draw_ground(longitude: float = 1.55, latitude: float = 42.55, elevation: float = 1000.0) -> Ground:
    """Ground of nobody's country, the same each time: hills, fields, roads, a lake, and a grid with its metres.

    Args:
        longitude: of the middle, in degrees.
        latitude: of the middle, in degrees.
        elevation: metres above the ellipsoid.
    """
    pixel = SIDE / _PIXELS
    rng = np.random.default_rng(4609)
    height = _hills(rng)
    south, east = np.gradient(height)
    light = np.clip(0.75 + 60 * (south - east), 0.35, 1.15)
    colours = _colours(height)
    for top, left in rng.integers(100, _PIXELS - 300, (90, 2)):
        if height[top, left] > 0.42:
            tall, wide = rng.integers(40, 150, 2)
            colours[top : top + tall, left : left + wide] *= rng.uniform(0.75, 1.2, 3)
    colours[height < 0.36] = (70, 120, 170)
    image = Image.fromarray(np.clip(colours * light[..., None], 0, 255).astype(np.uint8), "RGB")
    _draw_roads(image, rng)
    _draw_grid(image)
    affine = (pixel, 0.0, -SIDE / 2, 0.0, -pixel, SIDE / 2)
    return Ground(image, affine, _plane(longitude, latitude), elevation)


def _hills(rng: np.random.Generator) -> Floats:
    """Heights from 0 to 1: noise of five sizes."""
    total = np.zeros((_PIXELS, _PIXELS))
    for size, weight in ((4, 1.0), (8, 0.5), (16, 0.25), (32, 0.12), (64, 0.06)):
        noise = Image.fromarray(rng.random((size, size)).astype(np.float32), "F")
        total += weight * np.asarray(noise.resize((_PIXELS, _PIXELS), Image.Resampling.BICUBIC), float)
    total -= total.min()
    return np.asarray(total / total.max(), float)


def _colours(height: Floats) -> Floats:
    at = np.array([0.0, 0.4, 0.55, 0.75, 1.0])
    tints = np.array(
        [(120, 150, 90), (130, 165, 95), (165, 170, 105), (165, 140, 105), (235, 232, 225)], float
    )
    return np.stack([np.interp(height, at, tints[:, each]) for each in range(3)], axis=-1)


def _draw_roads(image: Image.Image, rng: np.random.Generator) -> None:
    draw = ImageDraw.Draw(image)
    along = np.linspace(0, _PIXELS, 60)
    for turned in (False, True, False):
        across = rng.uniform(0.25, 0.75) * _PIXELS + 90 * np.sin(along / rng.uniform(120, 260))
        line = [
            (float(u), float(v)) if turned else (float(v), float(u))
            for u, v in zip(along, across, strict=True)
        ]
        draw.line(line, fill=(70, 60, 55), width=9, joint="curve")
        draw.line(line, fill=(240, 215, 130), width=5, joint="curve")


def _draw_grid(image: Image.Image) -> None:
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=17)
    step = round(_GRID * _PIXELS / SIDE)
    for each in range(0, _PIXELS, step):
        width = 3 if each == _PIXELS // 2 else 1
        draw.line([(each, 0), (each, _PIXELS)], fill=(255, 255, 255), width=width)
        draw.line([(0, each), (_PIXELS, each)], fill=(255, 255, 255), width=width)
    for row in range(0, _PIXELS, step):
        for column in range(0, _PIXELS, step):
            east, north = (column - _PIXELS // 2) * SIDE / _PIXELS, (_PIXELS // 2 - row) * SIDE / _PIXELS
            words = f"E {east:.0f}\nN {north:.0f}"
            draw.multiline_text(
                (column + 5, row + 4), words, (20, 20, 20), font, stroke_width=2, stroke_fill="white"
            )
