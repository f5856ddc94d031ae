"""Buffers on the ellipsoid, and planes to measure in, for geometries in longitude and latitude.

Each piece of geometry is laid out in an azimuthal equidistant projection about
its own middle, in which distances from the middle are exact, and those across a piece as large as
``REACH`` err by less than 3 parts in 10,000.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Geod

from milepost.servers.geoprocessing.toolbox.measuring import HAIR, Geometries, gather, repair, unwrap, wrap

REACH: Final = 250_000.0
"""Half the size, in metres, of what is laid out in one plane."""
LONGEST_STEP: Final = 50_000.0
"""Metres between two points of an edge, at most."""
LONGEST_BUFFER: Final = 5_000_000.0
"""Metres. Farther out a plane is no picture of the globe any more."""
ROUNDNESS: Final = 16
"""Corners of a quarter of a circle."""

Numbers = NDArray[np.float64]


def step_for(distance: float) -> float:
    """How close points on an edge must be, in metres, for it to be off its course by a thousandth of ``distance``."""
    # A chord of length s on a sphere of radius R is off a parallel by s * s / (16 * R) at most.
    return float(np.clip(np.sqrt(0.001 * abs(distance) * 16 * 6_371_000), 100, LONGEST_STEP))


def geodesic_buffer(geometries: Geometries, distance: float, geod: Geod, west: float) -> Geometries:
    """All places within a distance of geometries; with a negative one, those of polygons that far inside.

    Args:
        geometries: longitudes and latitudes, with points as close as ``step_for`` says.
        distance: metres, up to ``LONGEST_BUFFER``.
        geod: the ellipsoid.
        west: the meridian at which results are cut.

    Returns:
        Polygons, some of them empty when the distance is negative.
    """
    if distance < 0:
        geometries = _mend(geometries)
    parts, owner = shapely.get_parts(geometries, return_index=True)
    middle = _middles(parts)
    coordinates, index = shapely.get_coordinates(parts, return_index=True)
    _, _, away = geod.inv(*middle[index].T, *coordinates.T)
    small = np.ones(len(parts), dtype=bool)
    small[index[away > REACH]] = False

    grown = wrap(parts, west)
    grown[small] = _in_planes(parts[small], middle[small], geod, west, lambda plane: _grow(plane, distance))
    for number in np.flatnonzero(~small):
        # When a polygon shrinks, the edges of the map are no edges of it.
        rim_pieces = pieces(parts[number], geod, 2 * REACH, within_map=distance < 0)
        rim = shapely.union_all(
            _in_planes(
                rim_pieces, midpoints(rim_pieces), geod, west, lambda plane: _grow(plane, abs(distance))
            )
        )
        combine = shapely.difference if distance < 0 else shapely.union
        grown[number] = combine(grown[number], rim)
    return gather(grown, owner, len(geometries))


def _grow(plane: Geometries, distance: float) -> Geometries:
    grown: Geometries = shapely.buffer(plane, distance, quad_segs=ROUNDNESS)
    return grown


def _mend(geometries: Geometries) -> Geometries:
    """Polygons that were cut at the antimeridian in one piece, which they keep when they shrink."""
    found = geometries.copy()
    west, _, east, _ = shapely.bounds(geometries).T
    for number in np.flatnonzero((west <= HAIR - 180) & (east >= 180 - HAIR)):
        parts = shapely.get_parts(geometries[number])
        left, _, right, _ = shapely.bounds(parts).T
        if not ((left <= HAIR - 180) & (right >= 180 - HAIR)).any():
            found[number] = shapely.union_all([*_shifted(parts[right <= 0], 360.0), *parts[right > 0]])
    return found


def pieces(part: shapely.Geometry, geod: Geod, length: float, *, within_map: bool = False) -> Geometries:
    """A line, or the rings of a polygon, in pieces of a length in metres; one of them may be a segment longer.

    With ``within_map`` the edges of the map, the antimeridian and the poles, are left out.
    """
    lines = shapely.get_rings(part) if part.geom_type == "Polygon" else [part]
    found = []
    for line in lines:
        points = shapely.get_coordinates(line)
        _, _, lengths = geod.inv(*points[:-1].T, *points[1:].T)
        number = np.cumsum(lengths) // length
        (x0, y0), (x1, y1) = points[:-1].T, points[1:].T
        at_pole = (np.abs(y0) >= 90 - HAIR) & (np.abs(y1) >= 90 - HAIR)
        edge = at_pole | ((np.abs(x0 - x1) < HAIR) & (np.abs(np.abs(x0) - 180) < HAIR))
        edge &= within_map
        change = np.flatnonzero((np.diff(number) != 0) | (np.diff(edge) != 0)) + 1
        for start, stop in zip([0, *change], [*change, len(number)], strict=True):
            if not edge[start]:
                found.append(shapely.LineString(points[start : stop + 1]))
    return np.array(found, dtype=object)


def _in_planes(
    geometries: Geometries, middle: Numbers, geod: Geod, west: float, work: Callable[[Geometries], Geometries]
) -> Geometries:
    """What ``work`` makes of geometries in planes about their middles, in degrees again."""
    # Straight in the plane is not straight in degrees, least so near a pole.
    done = shapely.segmentize(work(lay_out(geometries, middle, geod)), LONGEST_STEP)
    coordinates, owner = shapely.get_coordinates(done, return_index=True)
    back = shapely.set_coordinates(done, bring_back(coordinates, middle[owner], geod))
    return wrap(repair(unwrap(back)), west)


def lay_out(geometries: Geometries, middle: Numbers, geod: Geod) -> Geometries:
    """Geometries in metres, each in a plane about a place of its own."""
    coordinates, owner = shapely.get_coordinates(geometries, return_index=True)
    azimuth, _, distance = geod.inv(*middle[owner].T, *coordinates.T)
    angle = np.radians(azimuth)
    plane = np.column_stack([distance * np.sin(angle), distance * np.cos(angle)])
    laid_out: Geometries = shapely.set_coordinates(geometries.copy(), plane)
    return laid_out


def bring_back(points: Numbers, middle: Numbers, geod: Geod) -> Numbers:
    """Longitudes and latitudes of points, each in a plane about a place of its own."""
    azimuth = np.degrees(np.arctan2(points[:, 0], points[:, 1]))
    longitude, latitude, _ = geod.fwd(middle[:, 0], middle[:, 1], azimuth, np.hypot(*points.T))
    return np.column_stack([longitude, latitude])


def midpoints(lines: Geometries) -> Numbers:
    """The vertex halfway through each line."""
    points: Numbers = shapely.get_coordinates(shapely.get_point(lines, shapely.get_num_points(lines) // 2))
    return points


def _middles(geometries: Geometries) -> Numbers:
    west, south, east, north = shapely.bounds(geometries).T
    return np.column_stack([(west + east) / 2, (south + north) / 2])


def _shifted(geometries: Geometries, degrees: float) -> Geometries:
    shifted: Geometries = shapely.transform(geometries, lambda xy: xy + np.array([degrees, 0.0]))
    return shifted
