"""The sheets around a sheet: the features that touch its area in the layer of the feature service it comes from."""

from collections.abc import Callable
from typing import Final

import shapely

from milepost.features import FeatureLayer, FeatureService
from milepost.servers.production import areas
from milepost.servers.production.areas import Area
from milepost.servers.production.sheet.order import Direction

_TOUCH: Final = 1e-5
"""Degrees, about a metre: areas no farther apart touch."""
_MOST: Final = 200
"""Neighbours that are looked at."""
_PLACES: Final[dict[tuple[int, int], Direction]] = {
    (-1, 1): "NW",
    (0, 1): "N",
    (1, 1): "NE",
    (-1, 0): "W",
    (1, 0): "E",
    (-1, -1): "SW",
    (0, -1): "S",
    (1, -1): "SE",
}


def adjoining(
    service: FeatureService, layer: FeatureLayer, feature: int, area: Area, called: Callable[[Area], str]
) -> dict[Direction, str]:
    """What the sheets around an area are called, by where they lie; of several there, the nearest.

    Args:
        service: of the layer.
        layer: of the area.
        feature: that is the area.
        area: the area.
        called: tells the number or the name of the sheet of an area.

    Raises:
        FeatureError: the features cannot be read.
    """
    west, south, east, north = areas.bounds(area)
    window = (west - _TOUCH, south - _TOUCH, east + _TOUCH, north + _TOUCH)
    rows, shapes, _ = areas.features_within(service, layer, window, _MOST)
    found: dict[Direction, tuple[float, str]] = {}
    for row, shape in zip(rows, shapes, strict=True):
        name = called(Area({}, row))
        if shape is None or shape.is_empty or not name or row[layer.definition.object_id] == feature:
            continue
        middle = shapely.box(*shape.bounds).centroid
        # The shorter way around the Earth.
        x = (middle.x - (west + east) / 2 + 180) % 360 - 180
        y = middle.y - (south + north) / 2
        place = _PLACES.get((_side(x, (east - west) / 2), _side(y, (north - south) / 2)))
        if place is None:
            continue
        here = (x * x + y * y, name)
        found[place] = min(found.get(place, here), here)
    return {place: name for place, (_, name) in found.items()}


def _side(distance: float, half: float) -> int:
    """-1 before the sheet, 0 beside it, 1 behind it."""
    return 0 if abs(distance) < half else 1 if distance > 0 else -1
