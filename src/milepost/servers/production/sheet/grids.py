"""The plane grids of maps: UTM, and UPS towards the poles."""

from dataclasses import dataclass

UTM_NORTH, UTM_SOUTH = 84, -80
"""The parallels where UTM ends and UPS begins."""


@dataclass(frozen=True)
class Grid:
    """The plane grid of a sheet.

    Attributes:
        name: ``UTM`` or ``UPS``.
        zone: of UTM, 1 to 60; 0 with UPS.
        south: whether it is the grid of the southern hemisphere.
    """

    name: str
    zone: int
    south: bool

    @property
    def epsg(self) -> int:
        """Its code in the registry of EPSG; axes are east and north."""
        if self.name == "UPS":
            return 5042 if self.south else 5041
        return (32700 if self.south else 32600) + self.zone

    @property
    def title(self) -> str:
        """What it is called in the margin."""
        if self.name == "UPS":
            return f"UPS {'South' if self.south else 'North'}"
        return f"UTM zone {self.zone}{'S' if self.south else 'N'}"

    @property
    def central_meridian(self) -> float:
        """Degrees of longitude where grid north is true north."""
        return self.zone * 6.0 - 183.0 if self.zone else 0.0


def grid_at(longitude: float, latitude: float) -> Grid:
    """The grid that maps use at a place, with the wider zones of Norway and Svalbard."""
    if not UTM_SOUTH <= latitude <= UTM_NORTH:
        return Grid("UPS", 0, latitude < 0)
    longitude = (longitude + 180) % 360 - 180
    zone = int((longitude + 180) // 6) + 1
    if 56 <= latitude < 64 and 3 <= longitude < 6:
        zone = 32
    if latitude >= 72 and 0 <= longitude < 42:
        zone = 31 + 2 * int((longitude + 3) // 12)
    return Grid("UTM", zone, latitude < 0)
