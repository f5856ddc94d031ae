"""Areas that sheets are made of: read from GeoJSON, looked at, and brought together across the antimeridian."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import shapely

Box = tuple[float, float, float, float]

_BROKEN: Final = (ValueError, TypeError, KeyError, IndexError, AttributeError)
"""What shapely raises for objects that are no GeoJSON, by what is wrong with them."""


def polygons_of(area: Mapping[str, Any] | shapely.Geometry) -> shapely.Geometry:
    """An area as a geometry of polygons with finite coordinates in degrees."""
    if isinstance(area, Mapping):
        if area.get("type") == "Feature":
            area = area.get("geometry") or {}
        try:
            area = shapely.geometry.shape(area)
        except (*_BROKEN, shapely.errors.ShapelyError) as error:
            raise ValueError(f"the area is not a GeoJSON polygon: {error}") from None
    if area.geom_type not in ("Polygon", "MultiPolygon") or area.is_empty:
        what = f"an empty {area.geom_type}" if area.is_empty else f"a {area.geom_type}"
        raise ValueError(f"the area is {what}: give a polygon")
    numbers = shapely.get_coordinates(area)
    if not np.isfinite(numbers).all():
        raise ValueError("the area has a coordinate that is not a number")
    if np.abs(numbers[:, 0]).max() > 540 or np.abs(numbers[:, 1]).max() > 90:
        raise ValueError("the area is not in degrees: give longitude and latitude of WGS 84")
    return area


def bounds_of(area: shapely.Geometry) -> Box:
    """West, south, east and north of an area; parts on both sides of the antimeridian are brought together."""
    west, south, east, north = area.bounds
    if east - west > 180:
        numbers = shapely.get_coordinates(area)[:, 0] % 360
        west, east = float(numbers.min()), float(numbers.max())
    if west >= 180:
        west, east = west - 360, east - 360
    if not (east > west and north > south):
        raise ValueError("the area has no extent: give a polygon with a width and a height")
    return west, south, east, north
