"""The values that operations take and give back, and the marks that narrow them.

The vocabulary is that of geoprocessing services. Plain Python types stand for the plain
ones: ``str``, ``int``, ``float``, ``bool``, ``datetime``, ``Literal[...]`` for a choice and
``list[T]`` for several values of one type.
"""

import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from pandas import DataFrame

METERS_PER_UNIT: Final[dict[str, float]] = {
    "Meters": 1.0,
    "Kilometers": 1000.0,
    "Centimeters": 0.01,
    "Millimeters": 0.001,
    "Decimeters": 0.1,
    "Feet": 0.3048,
    "Inches": 0.0254,
    "Yards": 0.9144,
    "Miles": 1609.344,
    "NauticalMiles": 1852.0,
}
"""Lengths of the linear units in metres (international foot and its multiples)."""

_UNITS: Final = {name.lower(): name for name in METERS_PER_UNIT} | {"foot": "Feet", "inch": "Inches"}
_DISTANCE: Final = re.compile(
    r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([A-Za-z]*(?: [A-Za-z]+)*)\s*"
)

GEOMETRY_TYPES: Final = (
    "esriGeometryPoint",
    "esriGeometryMultipoint",
    "esriGeometryPolyline",
    "esriGeometryPolygon",
    "esriGeometryEnvelope",
)


class LinearUnit:
    """A distance with its unit: ``LinearUnit(100, "Meters")`` or ``LinearUnit("100 Meters")``."""

    __slots__ = ("distance", "units")

    def __init__(self, distance: "float | str", units: str = ""):
        """A distance in one of the units of ``METERS_PER_UNIT``, with or without ``esri`` before it.

        Raises:
            ValueError: no number, not finite, or an unknown unit.
        """
        if isinstance(distance, str):
            match = _DISTANCE.fullmatch(distance)
            if not match:
                raise ValueError(f"{shown(distance)} is not a distance such as '100 Meters'")
            distance, units = float(match[1]), match[2] or units
        plain = (units or "Meters").lower().removeprefix("esri").replace(" ", "")
        name = _UNITS.get(plain) or _UNITS.get(plain + "s")
        if not name:
            raise ValueError(f"unknown unit {shown(units)}; use one of {', '.join(METERS_PER_UNIT)}")
        try:
            distance = float(distance)
        except OverflowError:
            distance = math.inf
        if not math.isfinite(distance):
            raise ValueError("a distance must be a finite number")
        self.distance: Final = distance
        self.units: Final = name

    @property
    def meters(self) -> float:
        """The distance in metres."""
        return self.distance * METERS_PER_UNIT[self.units]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LinearUnit) and (self.distance, self.units) == (other.distance, other.units)

    def __hash__(self) -> int:
        return hash((self.distance, self.units))

    def __repr__(self) -> str:
        return f"LinearUnit({plain_number(self.distance)}, {self.units!r})"

    def __str__(self) -> str:
        return f"{plain_number(self.distance)} {self.units}"


class RecordSet(msgspec.Struct, rename="camel", omit_defaults=True):
    """A table: rows of attributes, in Esri's JSON form."""

    fields: list[dict[str, Any]] = []
    features: list[dict[str, Any]] = []

    def to_dataframe(self) -> "DataFrame":
        """The rows as a pandas data frame. Needs the ``gp`` extra."""
        from milepost.operations.frames import records_to_frame

        return records_to_frame(self)

    @classmethod
    def from_dataframe(cls, frame: "DataFrame") -> "RecordSet":
        """The rows of a pandas data frame. Needs the ``gp`` extra."""
        from milepost.operations.frames import frame_to_records

        return frame_to_records(frame)


class FeatureSet(msgspec.Struct, rename="camel", omit_defaults=True):
    """Features with geometry, attributes and a spatial reference, in Esri's JSON form."""

    geometry_type: str = "esriGeometryPoint"
    spatial_reference: dict[str, Any] = {}
    fields: list[dict[str, Any]] = []
    features: list[dict[str, Any]] = []
    has_z: bool = False
    has_m: bool = False
    display_field_name: str = ""

    def __len__(self) -> int:
        return len(self.features)

    def to_geodataframe(self) -> "GeoDataFrame":
        """The features as a GeoDataFrame with its coordinate reference system. Needs the ``gp`` extra."""
        from milepost.operations.frames import features_to_frame

        return features_to_frame(self)

    @classmethod
    def from_geodataframe(cls, frame: "GeoDataFrame") -> "FeatureSet":
        """The features of a GeoDataFrame. Needs the ``gp`` extra."""
        from milepost.operations.frames import frame_to_features

        return frame_to_features(frame)


class DataFile:
    """A file: an input that was staged for the job, or an output that the operation wrote."""

    __slots__ = ("path",)

    def __init__(self, path: Path | str):
        """``path``: where the file is; outputs lie in the workspace of the run."""
        self.path: Final = Path(path)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.path == other.path

    def __hash__(self) -> int:
        return hash((type(self), self.path))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"


class Raster(DataFile):
    """A raster file that GDAL can read, such as a GeoTIFF."""

    __slots__ = ()


class Range(NamedTuple):
    """Limits of a number, both included: ``Annotated[float, Range(0, 90)]``."""

    minimum: float = -math.inf
    maximum: float = math.inf


class Choices(tuple[Any, ...]):
    """The values allowed: ``Annotated[str, Choices("a", "b")]``; ``Literal["a", "b"]`` says the same."""

    __slots__ = ()

    def __new__(cls, *values: Any) -> "Choices":
        """The allowed values, in the order to show them."""
        return super().__new__(cls, values)


class Doc(str):
    """Words for people about one parameter or output: ``Annotated[float, Doc("Height in metres")]``."""

    __slots__ = ()


def check_features(value: Mapping[str, Any], *, geometry: bool = True) -> str | None:
    """Refuse what is no feature set (or record set) before anything works with it.

    Returns:
        The geometry type, taken from the first geometry when none is named; None without any geometry.

    Raises:
        ValueError: says which feature and what is wrong with it.
    """
    if geometry and value.get("type") == "FeatureCollection":
        raise ValueError("it is GeoJSON; send an Esri feature set, with geometryType and spatialReference")
    features = value.get("features")
    if not isinstance(features, list):
        raise ValueError("it has no list 'features'")
    if not isinstance(value.get("fields"), list | None):
        raise ValueError("'fields' must be a list")
    kind = value.get("geometryType")
    if geometry:
        if kind is None and features:
            kind = _guess_geometry_type(features)
        if kind is not None and kind not in GEOMETRY_TYPES:
            raise ValueError(f"unknown geometryType {shown(kind)}; use one of {', '.join(GEOMETRY_TYPES)}")
        if not isinstance(value.get("spatialReference"), dict | None):
            raise ValueError("'spatialReference' must be an object such as {\"wkid\": 4326}")
    for number, feature in enumerate(features):
        if not isinstance(feature, dict):
            raise ValueError(f"feature {number} is not an object")
        if not isinstance(feature.get("attributes"), dict | None):
            raise ValueError(f"the attributes of feature {number} are not an object")
        if geometry and feature.get("geometry") is not None:
            problem = _geometry_problem(kind, feature["geometry"])
            if problem:
                raise ValueError(f"the geometry of feature {number} {problem}")
    return kind


def _guess_geometry_type(features: Iterable[Any]) -> str | None:
    for feature in features:
        geometry = feature.get("geometry") if isinstance(feature, dict) else None
        if isinstance(geometry, dict):
            for key, kind in _KEY_OF_TYPE.items():
                if key in geometry:
                    return kind
    return None


_KEY_OF_TYPE: Final = {
    "x": "esriGeometryPoint",
    "points": "esriGeometryMultipoint",
    "paths": "esriGeometryPolyline",
    "rings": "esriGeometryPolygon",
    "xmin": "esriGeometryEnvelope",
}


def _geometry_problem(kind: str | None, geometry: Any) -> str:
    """What is wrong with a geometry, or an empty text."""
    if not isinstance(geometry, dict):
        return "is not an object"
    match kind:
        case "esriGeometryPoint":
            if not {"x", "y"} <= geometry.keys():
                return "has no x and y, as a point must"
            if not _finite((geometry["x"], geometry["y"])):
                return "has an x or y that is not a finite number"
            return "" if _measured((geometry.get("z"), geometry.get("m"))) else _BAD_MEASURE
        case "esriGeometryEnvelope":
            corners = [geometry.get(key) for key in ("xmin", "ymin", "xmax", "ymax")]
            return "" if _finite(corners) else "must have finite numbers xmin, ymin, xmax and ymax"
        case "esriGeometryMultipoint":
            points = geometry.get("points")
            if not isinstance(points, list):
                return "has no list 'points', as a multipoint must"
            return _points_problem(points, "points")
        case "esriGeometryPolyline" | "esriGeometryPolygon":
            key, least = ("paths", 2) if kind == "esriGeometryPolyline" else ("rings", 3)
            parts = geometry.get(key)
            if not isinstance(parts, list):
                return f"has no list {key!r}, as a {kind.removeprefix('esriGeometry').lower()} must"
            for part in parts:
                if not isinstance(part, list):
                    return f"has a member of {key!r} that is not a list of points"
                if len(part) < least:
                    return f"has a member of {key!r} with {len(part)} points; {least} are needed"
                problem = _points_problem(part, key)
                if problem:
                    return problem
            return ""
        case _:
            return "is of no known kind: set 'geometryType'"


def _points_problem(points: list[Any], key: str) -> str:
    for point in points:
        if not isinstance(point, list) or len(point) < 2:
            return f"has a point in {key!r} that is not a list of at least two numbers"
        if not _finite(point[:2]):
            return f"has a point in {key!r} with a coordinate that is not a finite number"
        if len(point) > 2 and not _measured(point[2:]):
            return _BAD_MEASURE
    return ""


_BAD_MEASURE: Final = "has a z or m that is no number"


def _measured(values: Iterable[Any]) -> bool:
    """Whether these can be z and m, which may be missing where x and y may not."""
    return all(value is None or value == "NaN" or _finite((value,)) for value in values)


def _finite(numbers: Iterable[Any]) -> bool:
    try:
        return all(
            isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number)
            for number in numbers
        )
    except OverflowError:  # a whole number beyond all floats
        return False


def shown(raw: Any) -> str:
    """A value as a message of an error shows it: never long, whatever a client sent."""
    if isinstance(raw, list | tuple):
        return "an array"
    if isinstance(raw, dict):
        return "an object"
    if isinstance(raw, int) and raw.bit_length() > 128:
        return "a number that large"
    text = repr(raw)
    return text if len(text) <= 40 else text[:37] + "..."


def plain_number(number: float) -> str:
    """A number without loss and without a needless fraction: ``100``, ``0.5``, ``1234567``."""
    return repr(float(number)).removesuffix(".0")


def sound_text(text: object) -> str:
    """A text that JSON can carry: what is no Unicode character, as in some file names, is written out."""
    return str(text).encode(errors="backslashreplace").decode()
