"""What the demonstration has done: jobs of the geoprocessing toolbox on input that ships with its libraries."""

from collections.abc import Callable, Iterator
from importlib.resources import files
from typing import Any, Final, NamedTuple

import msgspec

_COUNTRIES: Final = "tests/fixtures/naturalearth_lowres/naturalearth_lowres.shp"
"""The countries of Natural Earth, in the wheel of pyogrio."""

_TERRAIN: Final = (-84.41, 36.17, -84.08, 36.44)
"""West, south, east and north of the terrain in the wheel of Matplotlib, in degrees, a little inside."""


class Errand(NamedTuple):
    """A job of the demonstration."""

    title: str
    task: str
    """Path of the task below ``rest/services``."""
    inputs: dict[str, str]
    wrong: Callable[[Any], str]
    """What is wrong with the value of the result; empty when nothing is."""

    @property
    def name(self) -> str:
        """The name of the task."""
        return self.task.rpartition("/")[2]


def errands() -> Iterator[Errand]:
    """The jobs that are done to their end."""
    countries, number = _countries()
    yield Errand(
        f"Buffer: 100 kilometers around {number} countries, measured on the globe",
        "Analysis/Proximity/GPServer/buffer",
        {"features": countries, "distance": "100 Kilometers"},
        lambda value: _wrong_features(value, "esriGeometryPolygon", exactly=number),
    )
    yield Errand(
        "Contour: a line every 50 meters of height, on terrain measured from space",
        "Terrain/Surface/GPServer/contour",
        {"interval": "50 Meters"},
        lambda value: _wrong_features(value, "esriGeometryPolyline"),
    )
    yield Errand(
        "Viewshed: the ground that can be seen from four places in that terrain",
        "Terrain/Surface/GPServer/viewshed",
        {"observers": _observers(2, 2)},
        lambda value: _wrong_features(value, "esriGeometryPolygon"),
    )


def long_errand() -> Errand:
    """A job that takes long enough to be cancelled in the middle."""
    return Errand(
        "Viewshed from a thousand places: too much, so it is cancelled in the middle",
        "Terrain/Surface/GPServer/viewshed",
        {"observers": _observers(40, 25)},
        lambda _: "",
    )


def _observers(columns: int, rows: int) -> str:
    """Points spread evenly over the terrain, as a feature set in JSON."""
    west, south, east, north = _TERRAIN
    points = [
        {
            "geometry": {
                "x": west + (east - west) * (column + 0.5) / columns,
                "y": south + (north - south) * (row + 0.5) / rows,
            },
            "attributes": {},
        }
        for row in range(rows)
        for column in range(columns)
    ]
    body = {"geometryType": "esriGeometryPoint", "spatialReference": {"wkid": 4326}, "features": points}
    return msgspec.json.encode(body).decode()


def _countries() -> tuple[str, int]:
    """All countries as a feature set in JSON, and how many they are."""
    import pyogrio

    from milepost.types import FeatureSet

    frame = pyogrio.read_dataframe(files("pyogrio") / _COUNTRIES)
    return msgspec.json.encode(FeatureSet.from_geodataframe(frame)).decode(), len(frame)


def _wrong_features(value: Any, kind: str, exactly: int | None = None) -> str:
    if not isinstance(value, dict) or value.get("geometryType") != kind:
        return f"the result is no feature set of {kind}"
    found = value.get("features", [])
    if exactly is not None and len(found) != exactly:
        return f"{len(found)} features came out instead of {exactly}"
    if not found:
        return "no feature came out"
    if not all(feature.get("geometry") for feature in found):
        return "a feature has no geometry"
    return ""
