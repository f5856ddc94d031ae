"""The table of telemetry: every set, and in it everything that it tells."""

import json
from typing import Any, Final

from milepost.servers.video.telemetry.klv import NAMES, SECURITY_NAMES
from milepost.servers.video.telemetry.samples import Sample, Telemetry

_DOCUMENTED: Final = {
    "Sensor Latitude": 13,
    "Sensor Longitude": 14,
    "Sensor Ellipsoid Height Extended": 104,
    "Sensor True Altitude": 15,
    "Platform Heading Angle": 5,
    "Platform Pitch Angle": 6,
    "Platform Roll Angle": 7,
    "Sensor Relative Roll Angle": 20,
    "Sensor Relative Elevation Angle": 19,
    "Sensor Relative Azimuth Angle": 18,
    "Sensor Horizontal Field of View": 16,
    "Sensor Vertical Field of View": 17,
}
"""The fields of video metadata as ArcGIS documents them, beside the time."""
_SAME: Final = {104: 75, 6: 90, 7: 91}
"""Tags that tell the same in another range."""
PLACES: Final = {
    "Frame Center Latitude": 23,
    "Frame Center Longitude": 24,
    "Frame Center Elevation": 25,
    **{
        f"Corner {axis} Point {number + 1}": 82 + 2 * number + at
        for number in range(4)
        for at, axis in enumerate(("Latitude", "Longitude"))
    },
}
"""What is seen, told or computed, and the tags that tell it."""


class Columns:
    """The columns of a table: those that are documented, then all that the telemetry has beside them."""

    def __init__(self, found: Telemetry):
        """Of telemetry, which is read once for that."""
        tags: set[int] = set()
        security: set[int] = set()
        for sample in found.samples():
            tags.update(sample.values)
            security.update(sample.security)
        self._tags = sorted(tags - {*_DOCUMENTED.values(), *PLACES.values()})
        self._security = sorted(security)
        self.names: Final = (
            "Precision Timestamp",
            *_DOCUMENTED,
            *PLACES,
            *map(name_of, self._tags),
            *(SECURITY_NAMES[each] for each in self._security),
        )

    def row(self, sample: Sample, utc: int | None) -> list[Any]:
        """A sample, with its time in microseconds since the epoch."""
        values = sample.values
        told = [values.get(tag, values.get(_SAME.get(tag, 0))) for tag in _DOCUMENTED.values()]
        x, y, z = sample.center or (None, None, None)
        corners = [each for x, y in sample.corners for each in (y, x)] if sample.corners else [None] * 8
        others = [values.get(tag) for tag in self._tags]
        markings = [sample.security.get(tag) for tag in self._security]
        return [cell(each) for each in (utc, *told, y, x, z, *corners, *others, *markings)]


def name_of(tag: int) -> str:
    """What a tag of ST 0601 is called."""
    return NAMES.get(tag, f"Item {tag}")


def cell(value: Any) -> Any:
    """A value as one cell holds it: what has a structure is JSON, and None is empty."""
    if value is None:
        return ""
    return json.dumps(value, separators=(",", ":")) if isinstance(value, dict | list) else value
