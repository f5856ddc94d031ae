"""Where and when: the parameters with which clients ask services for a place and a time."""

import math
from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec
import shapely

from milepost.features import FeatureError, number_of, read_reference, shapes, transform
from milepost.http import Parameters, wrong

T = TypeVar("T")

_KINDS: Final = {
    "x": "esriGeometryPoint",
    "points": "esriGeometryMultipoint",
    "paths": "esriGeometryPolyline",
    "rings": "esriGeometryPolygon",
    "xmin": "esriGeometryEnvelope",
}
"""What a geometry is, by a member that no other kind has."""


def told(name: str, read: Callable[[], T]) -> T:
    """What ``read`` gives, with its error as that of a parameter."""
    try:
        return read()
    except FeatureError as error:
        raise wrong(name, str(error)) from None


def read_json(given: Parameters, name: str, kind: type[Any] | Any) -> Any:
    """The JSON of a parameter; None when it is not given.

    Raises:
        ServiceError: it is no JSON, or something else than a ``kind``.
    """
    text = given.get(name)
    if not text:
        return None
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise wrong(name, f"it is not the JSON that belongs there ({error})") from None


def read_time(text: str) -> tuple[float | None, float | None] | None:
    """A moment, or the first and the last one, in milliseconds since 1970; None when it is not given.

    Raises:
        ServiceError: it is something else.
    """
    parts = [each.strip().lower() for each in text.strip().strip("[]").split(",")]
    if parts == [""]:
        return None
    try:
        limits = [None if each in ("null", "") else float(each) for each in parts]
    except ValueError:
        limits = []
    if not 1 <= len(limits) <= 2 or not all(each is None or math.isfinite(each) for each in limits):
        raise wrong("time", "it must be milliseconds since 1970, one number or two with a comma between")
    return limits[0], limits[-1]


def read_geometry(given: Parameters, wkid: int) -> shapely.Geometry | None:
    """The geometry that ``geometry``, ``geometryType`` and ``inSR`` tell; None when there is none.

    Args:
        given: the parameters.
        wkid: the spatial reference in which it is wanted, and in which it is when nothing says otherwise.

    Raises:
        ServiceError: 400, it is not understood.
    """
    text = given.get("geometry").strip()
    if not text:
        return None
    if text.startswith("{"):
        form = read_json(given, "geometry", dict[str, Any])
        kind = next((each for member, each in _KINDS.items() if member in form), None)
        kind = kind or given.get("geometryType") or "esriGeometryEnvelope"
    else:
        kind, form = _read_numbers(text, given.get("geometryType"))
    if kind not in _KINDS.values():
        raise wrong("geometryType", f"{kind[:60]!r} is not one of {', '.join(_KINDS.values())}")
    [geometry] = found = told("geometry", lambda: shapes(kind, [form]))
    if geometry is None or geometry.is_empty:
        raise wrong("geometry", "it has no coordinates")
    named = form.get("spatialReference")
    if given.get("inSR"):
        source = told("inSR", lambda: read_reference(given.get("inSR")))
    elif named:
        source = told("geometry", lambda: number_of(named))
    else:
        source = wkid
    [moved] = told("inSR", lambda: transform(found, source, wkid))
    if moved is None:
        raise wrong("geometry", f"it lies where spatial reference {wkid} of the layer has no coordinates")
    return moved


def _read_numbers(text: str, kind: str) -> tuple[str, dict[str, Any]]:
    """A point or an envelope without JSON: ``x,y`` or ``xmin,ymin,xmax,ymax``."""
    try:
        numbers = [float(each) for each in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) == 2 and kind in ("", "esriGeometryPoint"):
        return "esriGeometryPoint", dict(zip("xy", numbers, strict=True))
    if len(numbers) == 4 and kind in ("", "esriGeometryEnvelope"):
        names = ("xmin", "ymin", "xmax", "ymax")
        return "esriGeometryEnvelope", dict(zip(names, numbers, strict=True))
    raise wrong("geometry", "it must be JSON, or x,y of a point, or xmin,ymin,xmax,ymax of an envelope")
