"""The GeoTIFF of a sheet: its PDF drawn with north of the grid up, so that every reader can place it."""

import ctypes
import math
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium

from milepost.gdal.rasters import create_raster, open_raster, run_algorithm
from milepost.servers.production.sheet.page import Page

BAND: Final = 8_000_000
"""Pixels that are drawn at a time: a band of the sheet, so that memory does not grow with it."""


def write_geotiff(
    pdf: Path, page: Page, path: Path, dpi: int, progress: Callable[[float], None] | None = None
) -> None:
    """Draw a sheet as a GeoTIFF in the projection of its grid, cloud optimised, with overviews.

    The page is drawn already turned, not resampled, so that type stays sharp. What lies beyond the paper is
    transparent.

    Args:
        pdf: the sheet.
        page: its paper.
        path: of the raster to write.
        dpi: pixels an inch of paper.
        progress: told the share of the work that is done.

    Raises:
        ValueError: the sheet would have too many pixels.
        GdalError: the raster cannot be written.
    """
    sheet = page.sheet
    sheet.check_raster(dpi)
    pixel = 72 / dpi / sheet.points_per_metre
    x, y = page.sheet_of_point(
        np.array([0, page.width, page.width, 0]), np.array([0, 0, page.height, page.height])
    )
    east, north = sheet.grid_of_sheet(x, y)
    # Whole pixels from the origin of the grid, so that neighbouring sheets fit each other.
    left, top = math.floor(east.min() / pixel) * pixel, math.ceil(north.max() / pixel) * pixel
    width, height = math.ceil((east.max() - left) / pixel), math.ceil((top - north.min()) / pixel)
    told = progress or (lambda _: None)
    raw = path.with_name(f"{path.stem}-raw.tif")
    rows = max(1, BAND // width)
    document = pypdfium2.PdfDocument(pdf)
    try:
        paper = document[0]
        transform = (left, pixel, 0.0, top, 0.0, -pixel)
        with create_raster(
            raw, width=width, height=height, dtype="uint8", transform=transform, crs=sheet.crs, bands=4
        ) as raster:
            for first in range(0, height, rows):
                count = min(rows, height - first)
                pixels = _draw(paper, page, (left, top - first * pixel), (width, count), pixel)
                for band in range(4):
                    raster.write(pixels[:, :, band], first, band=band + 1)
                told(0.7 * (first + count) / height)
    finally:
        document.close()
    options = ["COMPRESS=DEFLATE", "PREDICTOR=YES", "BLOCKSIZE=512", "OVERVIEW_RESAMPLING=AVERAGE"]
    with open_raster(raw) as raster:
        arguments = {
            "input": raster,
            "output": path,
            "output-format": "COG",
            "creation-option": options,
            "overwrite": True,
        }
        run_algorithm("raster convert", arguments, lambda share: told(0.7 + 0.3 * share))
    raw.unlink()


def _draw(
    paper: pypdfium2.PdfPage, page: Page, corner: tuple[float, float], size: tuple[int, int], pixel: float
) -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
    """Part of a page in the grid.

    Args:
        paper: the page to draw.
        page: where it lies.
        corner: the upper left of the part, in grid metres.
        size: its width and height in pixels.
        pixel: grid metres.

    Returns:
        Red, green, blue and opacity, of shape (rows, columns, 4).
    """
    columns, rows = size
    # Where the upper left of the page, and what lies a point to the right of and below it, are in pixels.
    x, y = page.sheet_of_point(
        np.array([0.0, 1.0, 0.0]), np.array([page.height, page.height, page.height - 1])
    )
    east, north = page.sheet.grid_of_sheet(x, y)
    across, down = (east - corner[0]) / pixel, (corner[1] - north) / pixel
    matrix = pdfium.FS_MATRIX(
        across[1] - across[0], down[1] - down[0], across[2] - across[0], down[2] - down[0], across[0], down[0]
    )
    bitmap = pypdfium2.PdfBitmap.new_native(columns, rows, pdfium.FPDFBitmap_BGRA, rev_byteorder=True)
    try:
        bitmap.fill_rect((255, 255, 255, 255), 0, 0, columns, rows)
        clip = pdfium.FS_RECTF(0, 0, columns, rows)
        flags = pdfium.FPDF_REVERSE_BYTE_ORDER | pdfium.FPDF_PRINTING
        pdfium.FPDF_RenderPageBitmapWithMatrix(bitmap, paper, ctypes.byref(matrix), ctypes.byref(clip), flags)
        drawn = np.array(bitmap.to_numpy())
    finally:
        bitmap.close()
    # Points of the page at the middle of each pixel, by Cramer's rule; those off the paper are transparent.
    a, b, c, d, e, f = matrix.a, matrix.b, matrix.c, matrix.d, across[0], down[0]
    i = (np.arange(columns) + 0.5 - e).astype(np.float32)
    j = (np.arange(rows) + 0.5 - f).astype(np.float32)[:, None]
    right, below = (d * i - c * j) / (a * d - b * c), (a * j - b * i) / (a * d - b * c)
    inside = (right >= 0) & (right <= page.width) & (below >= 0) & (below <= page.height)
    drawn[:, :, 3] = np.where(inside, 255, 0)
    return drawn
