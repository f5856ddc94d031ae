"""Where coordinates can be measured in, and the way between coordinate systems and degrees.

Degrees are no distances, and the metres of a map projection are true only where its scale is. Here
geometries become longitudes and latitudes that run on across the antimeridian instead of jumping
back, so that geodesic tools can work on them, and become features of a coordinate system again.
"""

import math
from functools import lru_cache
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Geod, Proj, Transformer

Geometries = NDArray[np.object_]

METERS_PER_DEGREE: Final = 111_195.0
"""Of latitude, and of longitude at the equator."""

HAIR: Final = 1e-9
"""Degrees, a tenth of a millimetre: what lies as close to the edge of a map as that lies on it."""


def scale_error(crs: CRS, bounds: NDArray[np.float64], margin: float = 0.0) -> float:
    """By how much, at worst, a length within ``bounds`` differs from that on the ground.

    Args:
        crs: a projected system.
        bounds: smallest x and y, largest x and y.
        margin: how far around them, in metres.

    Returns:
        The error as a share: 0.001 is one metre in a kilometre. Infinite outside of the projection.
    """
    x0, y0, x1, y1 = bounds + np.array([-1, -1, 1, 1]) * margin / meters_per_unit(crs)
    x, y = (axis.ravel() for axis in np.meshgrid(np.linspace(x0, x1, 7), np.linspace(y0, y1, 7)))
    longitude, latitude = transformer(crs, geographic_of(crs)).transform(x, y)
    factors = Proj(crs).get_factors(longitude, latitude, errcheck=False)
    scales = np.concatenate([factors.tissot_semimajor, factors.tissot_semiminor])
    return float(np.abs(scales - 1).max()) if np.isfinite(scales).all() else math.inf


def meters_per_unit(crs: CRS) -> float:
    """The length of the unit of a projected system."""
    return float(crs.axis_info[0].unit_conversion_factor)


@lru_cache(maxsize=64)
def transformer(source: CRS, target: CRS) -> Transformer:
    """From one system to another; x, or longitude, comes first."""
    return Transformer.from_crs(source, target, always_xy=True)


@lru_cache(maxsize=64)
def geographic_of(crs: CRS) -> CRS:
    """The system in degrees that a system rests on: that of its own datum where it counts from Greenwich.

    Raises:
        ValueError: the system has no place on Earth.
    """
    base = crs.geodetic_crs
    if base is None:
        raise ValueError(
            f"the coordinate system {crs.name!r} has no known place on Earth; name a geographic or projected one"
        )
    base = base.to_2d()
    greenwich = base.prime_meridian is not None and base.prime_meridian.longitude == 0
    return base if greenwich and base.axis_info[0].unit_name == "degree" else CRS.from_epsg(4326)


@lru_cache(maxsize=64)
def ellipsoid_of(crs: CRS) -> Geod:
    """The ellipsoid that distances are measured on."""
    found = geographic_of(crs).get_geod()
    return found if found is not None else Geod(ellps="WGS84")


def to_degrees(geometries: Geometries, crs: CRS, step: float | None, base: CRS | None = None) -> Geometries:
    """Geometries in longitude and latitude.

    Edges keep the course they have in ``crs``, where they are straight: points are put in. Longitudes
    run on beyond 180 degrees where geometries of a projected system cross the antimeridian; polygons
    around a pole of such a system reach up to it.

    Args:
        geometries: without z; none of them missing.
        crs: the system they are in.
        step: how far apart points are put in, in metres; none are when None.
        base: the system in degrees to bring them to; that of ``crs`` itself when None.

    Raises:
        ValueError: some lie outside of where the system is defined; the text says how many.
    """
    base = base or geographic_of(crs)
    unit = METERS_PER_DEGREE if crs.is_geographic else meters_per_unit(crs)
    dense = geometries if step is None else shapely.segmentize(geometries, step / unit)
    if crs.is_geographic and crs.equals(base, ignore_axis_order=True):
        return dense
    found, outside = transform(dense, crs, base)
    if outside.any():
        raise ValueError(f"{outside.sum()} features lie outside of where {crs.name} is defined")
    return repair(found if crs.is_geographic else unwrap(found))


def from_degrees(geometries: Geometries, crs: CRS) -> Geometries:
    """Geometries in ``crs``, of such as ``wrap`` cut at its ``seam``.

    Where the projection has no seam there, as around a pole, the cut is mended.

    Raises:
        ValueError: some reach beyond what the system can show.
    """
    base = geographic_of(crs)
    if crs.is_geographic and crs.equals(base, ignore_axis_order=True):
        return geometries
    left = seam(crs)
    # On the seam itself a longitude may count as either edge of the map.
    inside = np.array([left + HAIR, left + 360 - HAIR])
    kept = shapely.transform(geometries, lambda xy: np.column_stack([np.clip(xy[:, 0], *inside), xy[:, 1]]))
    found, outside = transform(kept, base, crs)
    if outside.any():
        raise ValueError(
            f"{outside.sum()} results reach beyond what {crs.name} can show; "
            "give the features in another spatial reference, such as 4326"
        )
    found = repair(found)
    if crs.is_projected:
        west, south, east, north = shapely.bounds(kept).T
        cut = np.flatnonzero((west <= inside[0]) & (east >= inside[1]))
        middle = (south[cut] + north[cut]) / 2
        (x0, y0), (x1, y1) = (
            transformer(base, crs).transform(np.full(len(cut), edge), middle) for edge in inside
        )
        grid = 0.001 / meters_per_unit(crs)
        for number in cut[np.hypot(x1 - x0, y1 - y0) < grid]:
            found[number] = shapely.union_all(shapely.get_parts(found[number]), grid_size=grid)
    return found


def transform(geometries: Geometries, source: CRS, target: CRS) -> tuple[Geometries, NDArray[np.bool_]]:
    """Geometries in another system, and which of them lie outside of where that is defined.

    Heights (z) stay as they are; measures (m) are left out. Polygons may come out invalid.
    """
    flat = _without_measures(geometries)
    with_z = bool(shapely.has_z(flat).any())
    coordinates, owner = shapely.get_coordinates(flat, include_z=with_z, return_index=True)
    coordinates[:, 0], coordinates[:, 1] = transformer(source, target).transform(*coordinates[:, :2].T)
    beyond = np.zeros(len(geometries), dtype=bool)
    beyond[owner[~np.isfinite(coordinates[:, :2]).all(axis=1)]] = True
    return shapely.set_coordinates(flat, coordinates), beyond


def repair(geometries: Geometries) -> Geometries:
    """Valid geometries: polygons whose edges touch or cross are put together anew."""
    broken = ~shapely.is_valid(geometries)
    found = geometries.copy()
    with np.errstate(all="ignore"):  # GEOS divides by zero on its way, and copes
        found[broken] = shapely.make_valid(geometries[broken], method="structure", keep_collapsed=False)
    return found


def seam(crs: CRS) -> float:
    """The longitude at which maps in a system begin: half the globe west of their middle."""
    operation = crs.coordinate_operation
    for parameter in operation.params if operation else ():
        if parameter.name in (
            "Longitude of natural origin",
            "Longitude of false origin",
            "Longitude of origin",
        ):
            return float(parameter.value) * math.degrees(parameter.unit_conversion_factor) - 180
    return -180.0


def unwrap(geometries: Geometries) -> Geometries:
    """Geometries whose longitudes jump by 360 degrees within a line or ring, made to run on instead.

    A ring that goes around a pole is led along the pole, and so closed.
    """
    coordinates, owner = shapely.get_coordinates(geometries, return_index=True)
    jumps = (np.abs(np.diff(coordinates[:, 0])) > 180) & (owner[1:] == owner[:-1])
    found = geometries.copy()
    for number in np.unique(owner[1:][jumps]):
        parts = [_unwrap_part(part) for part in shapely.get_parts(geometries[number])]
        found[number] = parts[0] if len(parts) == 1 else shapely.union_all(parts)
    return found


def wrap(geometries: Geometries, west: float) -> Geometries:
    """Geometries cut at the meridian ``west`` and brought into the 360 degrees east of it."""
    left, _, right, _ = shapely.bounds(geometries).T
    found = geometries.copy()
    for number in np.flatnonzero((left < west - HAIR) | (right > west + 360 + HAIR)):
        turns = range(math.floor((left[number] - west) / 360), math.floor((right[number] - west) / 360) + 1)
        pieces = []
        for turn in turns:
            world = shapely.box(west + 360 * turn, -90, west + 360 * (turn + 1), 90)
            pieces.append(_shift(shapely.intersection(geometries[number], world), -360.0 * turn))
        found[number] = shapely.union_all(pieces)
    return found


def gather(parts: Geometries, owner: NDArray[np.intp], count: int) -> Geometries:
    """The union of the parts of each owner; an empty polygon for one that has none."""
    found = np.full(count, shapely.Polygon(), dtype=object)
    sizes = np.bincount(owner, minlength=count)
    single = sizes[owner] == 1
    found[owner[single]] = parts[single]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    for number in np.flatnonzero(sizes > 1):
        found[number] = shapely.union_all(parts[starts[number] : starts[number + 1]])
    return found


def _without_measures(geometries: Geometries) -> Geometries:
    """A copy; coordinates of geometries with measures cannot be set."""
    flat = geometries.copy()
    measured, high = shapely.has_m(geometries), shapely.has_z(geometries)
    flat[measured & ~high] = shapely.force_2d(geometries[measured & ~high])
    flat[measured & high] = shapely.from_wkb(shapely.to_wkb(geometries[measured & high], output_dimension=3))
    return flat


def _shift(geometry: shapely.Geometry, degrees: float) -> shapely.Geometry:
    return shapely.transform(geometry, lambda xy: xy + np.array([degrees, 0.0])) if degrees else geometry


def _unwrap_part(part: shapely.Geometry) -> shapely.Geometry:
    if part.geom_type != "Polygon":
        coordinates = shapely.get_coordinates(part)
        return (
            shapely.set_coordinates(
                part, np.column_stack([np.unwrap(coordinates[:, 0], period=360), coordinates[:, 1]])
            )
            if len(coordinates) > 1
            else part
        )
    shell, *holes = [_fill(ring) for ring in shapely.get_rings(part)]
    if not holes:
        return shell
    # A hole may have come out in another turn around the globe than its shell.
    gone = shapely.union_all([_shift(hole, turn) for hole in holes for turn in (-360.0, 0.0, 360.0)])
    return shapely.difference(shell, gone)


def _fill(ring: shapely.LinearRing) -> shapely.Geometry:
    """The area within a ring given in degrees that may jump."""
    points = shapely.get_coordinates(ring)
    longitude = np.unwrap(points[:, 0], period=360)
    if abs(longitude[-1] - longitude[0]) > 180:
        # From the vertex nearest to the pole the way there crosses no other edge.
        points = np.roll(points[:-1], -int(np.argmax(np.abs(points[:-1, 1]))), axis=0)
        points = np.concatenate([points, points[:1]])
        longitude = np.unwrap(points[:, 0], period=360)
        pole = math.copysign(90, points[0, 1])
        points = np.concatenate([points, [[0, pole], [0, pole]]])
        longitude = np.concatenate([longitude, longitude[[-1, 0]]])
    points[:, 0] = longitude
    filled = np.array([shapely.Polygon(points)])
    return repair(filled)[0]
