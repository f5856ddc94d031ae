"""Spatial references: what a file says of one, and the way of coordinates from one into another.

WGS 84 and Web Mercator are known by themselves, all others through pyproj where it is installed.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import msgspec
import numpy as np
import shapely
from numpy.typing import NDArray

from milepost.features.errors import FeatureError
from milepost.operations.geometries import Geometries

WGS84: Final = 4326
WEB_MERCATOR: Final = 3857
_NAMES_OF_WEB_MERCATOR: Final = frozenset({102100, 102113, 3785, 900913, WEB_MERCATOR})

_RADIUS: Final = 6378137.0
_HIGHEST: Final = 89.99
"""Degrees of latitude beyond which Web Mercator is cut off, since it has no poles."""

_KNOWN: Final = {
    WGS84: (
        "WGS 84 geodetic",
        (
            'GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563,AUTHORITY["EPSG","7030"]],'
            'AUTHORITY["EPSG","6326"]],PRIMEM["Greenwich",0,AUTHORITY["EPSG","8901"]],UNIT["degree",'
            '0.0174532925199433,AUTHORITY["EPSG","9122"]],AXIS["Latitude",NORTH],AXIS["Longitude",EAST],'
            'AUTHORITY["EPSG","4326"]]'
        ),
    ),
    WEB_MERCATOR: (
        "WGS 84 / Pseudo-Mercator",
        (
            'PROJCS["WGS 84 / Pseudo-Mercator",GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,'
            '298.257223563,AUTHORITY["EPSG","7030"]],AUTHORITY["EPSG","6326"]],PRIMEM["Greenwich",0,'
            'AUTHORITY["EPSG","8901"]],UNIT["degree",0.0174532925199433,AUTHORITY["EPSG","9122"]],'
            'AUTHORITY["EPSG","4326"]],PROJECTION["Mercator_1SP"],PARAMETER["central_meridian",0],'
            'PARAMETER["scale_factor",1],PARAMETER["false_easting",0],PARAMETER["false_northing",0],'
            'UNIT["metre",1,AUTHORITY["EPSG","9001"]],AXIS["Easting",EAST],AXIS["Northing",NORTH],'
            'EXTENSION["PROJ4","+proj=merc +a=6378137 +b=6378137 +lat_ts=0 +lon_0=0 +x_0=0 +y_0=0 +k=1 +units=m '
            '+nadgrids=@null +wktext +no_defs"],AUTHORITY["EPSG","3857"]]'
        ),
    ),
}

Coordinates = NDArray[np.float64]
_Way = Callable[[Coordinates, Coordinates], tuple[Coordinates, Coordinates]]


def read_reference(text: str) -> int:
    """The number of the spatial reference that a client names: a number, or Esri's JSON.

    Raises:
        FeatureError: it is not known, or has no number.
    """
    named = text.strip()
    if named.startswith("{"):
        try:
            form: Any = msgspec.json.decode(named)
        except (msgspec.DecodeError, RecursionError) as error:
            raise FeatureError(f"the spatial reference is not valid JSON ({error})") from None
        return number_of(form)
    return number_of({"wkid": named.rpartition(":")[2]})


def number_of(form: Any) -> int:
    """The number of a spatial reference in Esri's JSON; of several for the same, the one of EPSG.

    Raises:
        FeatureError: it is not known, or has no number.
    """
    given = form if isinstance(form, dict) else {}
    named = given.get("latestWkid") or given.get("wkid")
    if named is None and (given.get("wkt") or given.get("wkt2")):
        return _from_text(given)
    if isinstance(named, float) and named.is_integer():
        named = int(named)
    digits = str(named).strip()
    if isinstance(named, bool) or not (digits.isascii() and digits.isdigit() and len(digits) < 10):
        raise FeatureError(f"{digits[:60]!r} names no spatial reference; give a wkid such as 4326 or 3857")
    number = WEB_MERCATOR if int(digits) in _NAMES_OF_WEB_MERCATOR else int(digits)
    if number not in _KNOWN:
        _crs(number)
    return number


def form_of(number: int) -> dict[str, int]:
    """Esri's JSON of a spatial reference."""
    return {"wkid": 102100 if number == WEB_MERCATOR else number, "latestWkid": number}


def description_of(number: int) -> tuple[int, str, str, str]:
    """What a file says of a spatial reference: its number, name, the organization that gave it, its WKT.

    Raises:
        FeatureError: it is not known.
    """
    if number in _KNOWN:
        return number, _KNOWN[number][0], "EPSG", _KNOWN[number][1]
    crs = _crs(number)
    authority = (crs.to_authority() or ("EPSG", ""))[0]
    return number, crs.name, authority, crs.to_wkt("WKT1_GDAL")


def transform(geometries: Geometries, source: int, target: int) -> Geometries:
    """The geometries in another spatial reference. What lies where that has no coordinates is left out.

    Raises:
        FeatureError: there is no way from the one into the other.
    """
    if source == target:
        return geometries
    change = _way(source, target)

    def moved(points: Coordinates) -> Coordinates:
        with np.errstate(all="ignore"):
            x, y = change(points[:, 0], points[:, 1])
        return np.column_stack([x, y, *points[:, 2:].T])

    has_z = bool(shapely.has_z(geometries).any())
    found = np.asarray(shapely.transform(geometries, moved, include_z=has_z), dtype=object)
    lost = ~np.isfinite(shapely.bounds(found)).all(axis=1)
    found[lost] = None
    return found


def _way(source: int, target: int) -> _Way:
    if (source, target) == (WGS84, WEB_MERCATOR):
        return _to_mercator
    if (source, target) == (WEB_MERCATOR, WGS84):
        return _from_mercator
    way: _Way = _transformer(source, target).transform
    return way


def _to_mercator(x: Coordinates, y: Coordinates) -> tuple[Coordinates, Coordinates]:
    latitude = np.radians(np.clip(y, -_HIGHEST, _HIGHEST))
    return np.radians(x) * _RADIUS, np.arctanh(np.sin(latitude)) * _RADIUS


def _from_mercator(x: Coordinates, y: Coordinates) -> tuple[Coordinates, Coordinates]:
    return np.degrees(x / _RADIUS), np.degrees(np.arctan(np.sinh(y / _RADIUS)))


@lru_cache(maxsize=64)
def _transformer(source: int, target: int) -> Any:
    from_crs, to_crs = _crs(source), _crs(target)
    from pyproj import Transformer
    from pyproj.exceptions import ProjError

    try:
        return Transformer.from_crs(from_crs, to_crs, always_xy=True)
    except ProjError as error:
        raise FeatureError(
            f"there is no way from spatial reference {source} into {target} ({error})"
        ) from error


def _crs(number: int) -> Any:
    try:
        from milepost.operations.references import crs_of
    except ImportError:
        raise FeatureError(
            f"this server knows the spatial references 4326 and 3857, but not {number};"
            " others need pip install 'milepost[gp]'"
        ) from None
    try:
        return crs_of({"wkid": number})
    except ValueError as error:
        raise FeatureError(str(error)) from error


def _from_text(form: dict[str, Any]) -> int:
    try:
        from milepost.operations.references import crs_of, reference_of

        found = reference_of(crs_of(form))
    except ImportError:
        raise FeatureError(
            "this server reads no well-known text of spatial references: give a wkid; or pip install 'milepost[gp]'"
        ) from None
    except ValueError as error:
        raise FeatureError(str(error)) from error
    if "latestWkid" not in found:
        raise FeatureError("the spatial reference has no wkid of its own; give one that has")
    return int(found["latestWkid"])
