"""What the camera of the demonstration flies over: the map sheet that was just made, else the bare terrain."""

from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from milepost.cli.demo_sheet import AREA

if TYPE_CHECKING:
    from milepost.servers.video.flight import Ground

SHEET: Final = "the map sheet above, laid flat"
TERRAIN: Final = "the shaded terrain of the contours above, laid flat"

_DPI: Final = 200
_LEVEL: Final = 450.0
"""Metres above the ellipsoid at which the flat ground lies: about where the valley of Jacksboro does."""
_INSIDE: Final = 0.995
"""How much of the map is flown over: not the line around it."""
_FINER: Final = 10
"""Pixels of shaded terrain for the width of a cell of heights."""


def sheet_ground(pdf: bytes) -> "Ground":
    """The map of a sheet, without its margin.

    The sheet itself tells where it lies: its viewport has the longitudes and latitudes of the corners of
    the map, and the coordinate system of its grid.
    """
    import pikepdf
    import pypdfium2
    import pyproj

    from milepost.servers.video.flight import Ground

    with pikepdf.open(BytesIO(pdf)) as document:
        page = document.pages[0]
        height = float(page.mediabox[3])
        viewport: Any = page.VP[0]
        left, bottom, right, top = _inside([float(each) for each in viewport.BBox])
        corners = [float(each) for each in viewport.Measure.GPTS]
        crs = f"EPSG:{int(viewport.Measure.GCS.EPSG)}"
        frame = [float(each) for each in viewport.BBox]
    scale = _DPI / 72
    drawn = pypdfium2.PdfDocument(pdf)
    try:
        picture = drawn[0].render(scale=scale).to_pil().convert("RGB")
    finally:
        drawn.close()
    column, row = round(left * scale), round((height - top) * scale)
    box = (column, row, round(right * scale), round((height - bottom) * scale))
    to_grid = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    grid = [to_grid.transform(x, y) for y, x in zip(corners[::2], corners[1::2], strict=True)]
    columns, rows = (frame[0], frame[2]), (height - frame[3], height - frame[1])
    # The corners come as lower left, upper left, upper right, lower right.
    pixels = [(columns[0], rows[1]), (columns[0], rows[0]), (columns[1], rows[0]), (columns[1], rows[1])]
    affine = _fitted([(x * scale - column, y * scale - row) for x, y in pixels], grid)
    return Ground(picture.crop(box), affine, crs, _LEVEL)


def terrain_ground() -> "Ground":
    """The heights that come with Matplotlib in the area of the sheet, tinted, the sun in the north-west."""
    import numpy as np
    from matplotlib import cbook
    from PIL import Image

    from milepost.servers.video.flight import Ground

    with np.load(str(cbook.get_sample_data("jacksboro_fault_dem.npz", asfileobj=False))) as sample:
        cells = sample["elevation"].astype(np.float32)
        west, north, dx, dy = (float(sample[name]) for name in ("xmin", "ymax", "dx", "dy"))
    column, row = int((AREA["xmin"] - west) / dx), int((north - AREA["ymax"]) / dy)
    right, below = int((AREA["xmax"] - west) / dx), int((north - AREA["ymin"]) / dy)
    cells, west, north = cells[row:below, column:right], west + column * dx, north - row * dy
    size = (cells.shape[1] * _FINER, cells.shape[0] * _FINER)
    heights = np.asarray(Image.fromarray(cells).resize(size, Image.Resampling.BICUBIC))
    metre = 111_000 * dy / _FINER
    south, east = np.gradient(heights, metre)
    light = np.clip(0.8 + 1.2 * (south - east), 0.3, 1.2)[..., None]
    at = np.array([200.0, 350.0, 600.0, 1100.0])
    tints = np.array([(122, 160, 110), (170, 190, 130), (190, 165, 120), (235, 225, 215)], float)
    colours = np.stack([np.interp(heights, at, tints[:, each]) for each in range(3)], axis=-1)
    image = Image.fromarray(np.clip(colours * light, 0, 255).astype(np.uint8), "RGB")
    return Ground(image, (dx / _FINER, 0.0, west, 0.0, -dy / _FINER, north), "EPSG:4326", _LEVEL)


def _inside(frame: Sequence[float]) -> tuple[float, float, float, float]:
    """A box, a little smaller about the same middle."""
    left, bottom, right, top = frame
    x, y = (1 - _INSIDE) / 2 * (right - left), (1 - _INSIDE) / 2 * (top - bottom)
    return left + x, bottom + y, right - x, top - y


def _fitted(
    pixels: Sequence[tuple[float, float]], grid: Sequence[tuple[float, float]]
) -> tuple[float, float, float, float, float, float]:
    """The affine map from columns and rows to coordinates that fits some places best."""
    import numpy as np

    known = np.column_stack([np.array(pixels), np.ones(len(pixels))])
    (a, d), (b, e), (c, f) = np.linalg.lstsq(known, np.array(grid), rcond=None)[0].tolist()
    return a, b, c, d, e, f
