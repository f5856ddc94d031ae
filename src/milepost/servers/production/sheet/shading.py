"""Relief shading: the ground in the light of several lamps, as a picture below the vectors."""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from milepost.servers.production.sheet.definition import Shading
from milepost.servers.production.sheet.terrain import Heights

_ROWS: Final = 512
"""Shaded at a time, so that large sheets need little memory."""


def shade(
    heights: Heights, shading: Shading, box: tuple[float, float, float, float], path: Path, quality: int
) -> tuple[float, float, float, float]:
    """Write the relief shading of a sheet as a JPEG.

    Args:
        heights: of the sheet, evened out.
        shading: how.
        box: what of it is wanted: left, bottom, right and top in sheet metres.
        path: of the picture.
        quality: of the JPEG, up to 100.

    Returns:
        What the picture covers: left, bottom, right and top in sheet metres.
    """
    step = heights.step
    c0, c1 = int(np.floor((box[0] - heights.left) / step)), int(np.ceil((box[2] - heights.left) / step))
    r0, r1 = int(np.floor((heights.top - box[3]) / step)), int(np.ceil((heights.top - box[1]) / step))
    rows, columns = heights.values.shape
    c0, r0, c1, r1 = max(c0, 1), max(r0, 1), min(c1, columns - 2), min(r1, rows - 2)
    low, high = (float(each) for each in np.nanpercentile(heights.values[::4, ::4], (2, 98)))
    picture = Image.new("RGB", (c1 - c0 + 1, r1 - r0 + 1))
    for first in range(r0, r1 + 1, _ROWS):
        last = min(first + _ROWS, r1 + 1)
        part = heights.values[first - 1 : last + 1, c0 - 1 : c1 + 2]
        colors = _colors(part, step, shading, low, max(high, low + 1))
        picture.paste(Image.fromarray(colors), (0, first - r0))
    picture.save(path, quality=quality, subsampling=0, optimize=True)
    half = step / 2
    return (
        heights.left + c0 * step - half,
        heights.top - r1 * step - half,
        heights.left + c1 * step + half,
        heights.top - r0 * step + half,
    )


def _colors(
    heights: NDArray[np.float32], step: float, shading: Shading, low: float, high: float
) -> NDArray[np.uint8]:
    """Colours of the inner nodes of a part, of shape (rows, columns, 3)."""
    inner = heights[1:-1, 1:-1]
    east = (heights[1:-1, 2:] - heights[1:-1, :-2]) / (2 * step) * shading.exaggeration
    north = (heights[:-2, 1:-1] - heights[2:, 1:-1]) / (2 * step) * shading.exaggeration
    length = np.sqrt(1 + east**2 + north**2)
    altitude = np.radians(shading.altitude)
    total = sum(light.weight for light in shading.lights) or 1.0
    light = np.zeros(inner.shape, dtype=np.float32)
    for lamp in shading.lights:
        azimuth = np.radians(lamp.azimuth)
        towards = -(east * np.sin(azimuth) + north * np.cos(azimuth)) * np.cos(altitude) + np.sin(altitude)
        light += (lamp.weight / total * np.clip(towards / length, 0, 1)).astype(np.float32)
    # Level ground is left as the paper is; only what is turned away from the light gets darker.
    level = np.float32(np.sin(altitude))
    dark = np.clip((level * 1.06 - light) / level, 0, 1) * shading.strength
    bright = np.clip((light - level) / (1 - level), 0, 1) * 0.5
    tint = np.clip((inner - low) / (high - low), 0, 1)[..., None]
    paper = _rgb(shading.low) * (1 - tint) + _rgb(shading.high) * tint
    lit = paper + (255 - paper) * bright[..., None]
    found = lit * (1 - dark[..., None]) + _rgb(shading.shadow) * dark[..., None]
    # Where the neighbours are not known there is no slope, and so no light.
    return np.where(np.isfinite(found), found, 255).clip(0, 255).astype(np.uint8)


def _rgb(color: str) -> NDArray[np.float32]:
    return np.array([int(color[at : at + 2], 16) for at in (1, 3, 5)], dtype=np.float32)
