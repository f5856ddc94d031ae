"""What came to be on a sheet: what its margin tells and what its file is put together from."""

from typing import Literal

from msgspec import Struct

from milepost.servers.production.sheet.definition import Geometry
from milepost.servers.production.sheet.symbols import Symbol


class Entry(Struct, frozen=True, kw_only=True):
    """A line of the legend."""

    text: str
    geometry: Geometry
    symbols: tuple[Symbol, ...]
    theme: str
    """Entries of one theme stand together."""


class Place(Struct, frozen=True, kw_only=True):
    """A named place on the sheet."""

    name: str
    longitude: float
    latitude: float


class Contents(Struct, frozen=True, kw_only=True):
    """What is on a sheet."""

    legend: tuple[Entry, ...] = ()
    """Only what is really drawn within the neatline, in the order of the product."""
    lowest: float | None = None
    """Metres; None when nothing is known of the heights."""
    highest: float | None = None
    sample: Place | None = None
    """A place that a worked example may use."""
    notes: tuple[str, ...] = ()
    """What the reader should know, such as that a part has no data."""


class Theme(Struct, frozen=True, kw_only=True):
    """A switchable layer of the sheet, as a file: a PDF of one page or a JPEG that covers ``bounds``."""

    name: str
    file: str
    """Below the folder of the sheet."""
    kind: Literal["pdf", "jpeg"]
    bounds: tuple[float, float, float, float]
    """West, south, east and north, in sheet metres."""
