"""Contours: lines of equal height, their depressions, and where nothing is known of the ground."""

import itertools
from typing import Any, Final

import contourpy
import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from milepost.servers.production.sheet.definition import Contours
from milepost.servers.production.sheet.paths import Path
from milepost.servers.production.sheet.terrain import Heights

TICK_EVERY: Final = 1.5
"""Millimetres from tick to tick along the edge of a depression."""
_EXACT: Final = 0.03
"""Millimetres by which vertices may be left out."""

MOST_LEVELS: Final = 2000
"""Heights at which a sheet has contours, at most."""


def contour_lines(heights: Heights, contours: Contours, scale: int) -> gpd.GeoDataFrame:
    """The contours of a sheet.

    Args:
        heights: of the ground, evened out.
        contours: how they are to be.
        scale: of the sheet, the denominator.

    Returns:
        Lines in sheet metres with ``height`` in metres, ``index`` (1 for index contours, else 0) and
        ``depression`` (1 when the ground inside of a closed line is lower).

    Raises:
        ValueError: they would be too many.
    """
    millimetre = scale / 1000
    low, high = np.nanmin(heights.values), np.nanmax(heights.values)
    interval = contours.interval
    if (high - low) / interval > MOST_LEVELS:
        raise ValueError(
            f"contours every {interval:g} m between {low:.0f} and {high:.0f} m are too many; "
            f"let their interval be {(high - low) / MOST_LEVELS:.1f} m or more"
        )
    levels = np.arange(np.ceil(low / interval), np.floor(high / interval) + 1) * interval
    # No node may lie on a level: lines would touch there, and close in other ways than the ground does.
    values = np.ma.masked_invalid(heights.values + np.float32(0.003))
    generator = contourpy.contour_generator(heights.x, heights.y, values)
    rows: list[tuple[float, int, int, Any]] = []
    for level in levels:
        index = int(round(level / interval) % contours.index_every == 0)
        for each in generator.lines(float(level)):
            vertices = np.asarray(each)
            line = shapely.LineString(vertices)
            if line.is_closed and line.length < contours.least_length * millimetre:
                continue
            rows.append((float(level), index, int(_is_depression(vertices, heights, level)), line))
    names = ["height", "index", "depression"]
    found = gpd.GeoDataFrame(
        {name: [row[number] for row in rows] for number, name in enumerate(names)},
        geometry=[row[3] for row in rows],
    )
    return found.set_geometry(found.geometry.simplify(_EXACT * millimetre, preserve_topology=False))


def depression_ticks(lines: gpd.GeoDataFrame, length: float, scale: int) -> gpd.GeoDataFrame:
    """Ticks that point down from the contours around depressions.

    Args:
        lines: contours as ``contour_lines`` makes them.
        length: of the ticks in millimetres.
        scale: of the sheet, the denominator.
    """
    millimetre = scale / 1000
    ticks: list[Any] = []
    for ring in lines.geometry[lines["depression"] == 1]:
        inward = 1.0 if shapely.is_ccw(shapely.LinearRing(ring.coords)) else -1.0
        path = Path.of(ring)
        count = max(4, round(path.length / (TICK_EVERY * millimetre)))
        at = (np.arange(count) + 0.5) / count * path.length
        feet, near = path.many(at), 0.1 * millimetre
        along = path.many((at + near) % path.length) - path.many((at - near) % path.length)
        reach = np.maximum(np.hypot(*along.T), 1e-9)[:, None]
        ends = feet + along[:, ::-1] * (-1, 1) / reach * inward * length * millimetre
        ticks += list(shapely.linestrings(np.stack([feet, ends], axis=1)))
    return gpd.GeoDataFrame(geometry=ticks)


def unknown_ground(heights: Heights) -> Any:
    """Where there are no heights, as a geometry in sheet metres; empty when all is known."""
    unknown = np.isnan(heights.values)
    if not unknown.any():
        return shapely.MultiPolygon()
    # A frame of known cells closes areas that run over the edge.
    share = np.pad(unknown.astype(np.float32), 1)
    x = np.concatenate([[heights.x[0] - heights.step], heights.x, [heights.x[-1] + heights.step]])
    y = np.concatenate([[heights.y[0] + heights.step], heights.y, [heights.y[-1] - heights.step]])
    generator = contourpy.contour_generator(x, y, share, fill_type=contourpy.FillType.OuterOffset)
    polygons = []
    for points, offsets in zip(*generator.filled(0.5, 2.0), strict=True):
        rings = [points[a:b] for a, b in itertools.pairwise(offsets)]
        polygons.append(shapely.Polygon(rings[0], rings[1:]))
    return shapely.make_valid(shapely.MultiPolygon(polygons))


def _is_depression(vertices: NDArray[np.float64], heights: Heights, level: float) -> bool:
    """Whether a contour is closed and the ground just inside of it is lower."""
    if len(vertices) < 4 or not (vertices[0] == vertices[-1]).all():
        return False
    polygon = shapely.Polygon(vertices)
    inside = polygon.buffer(-heights.step / 2)
    if inside.is_empty:
        inside = polygon
    edge = shapely.get_coordinates(inside.exterior if inside.geom_type == "Polygon" else inside.convex_hull)
    return bool(np.nanmedian(heights.at(edge[:, 0], edge[:, 1])) < level)
