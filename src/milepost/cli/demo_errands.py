"""What the demonstration has done: jobs of the geoprocessing toolbox on input that ships with its libraries."""

from collections.abc import Callable, Iterator
from importlib.resources import files
from typing import Any, Final, NamedTuple

import msgspec

_COUNTRIES: Final = "tests/fixtures/naturalearth_lowres/naturalearth_lowres.shp"
"""The countries of Natural Earth, in the wheel of pyogrio."""


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
        "Contour: a line every 100 meters of height, on terrain measured from space",
        "Terrain/Surface/GPServer/contour",
        {"interval": "100"},
        lambda value: _wrong_features(value, "esriGeometryPolyline"),
    )


LONG_ERRAND: Final = Errand(
    "Contour again, every 5 centimeters: far too much, so it is cancelled",
    "Terrain/Surface/GPServer/contour",
    {"interval": "0.05"},
    lambda _: "",
)


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
