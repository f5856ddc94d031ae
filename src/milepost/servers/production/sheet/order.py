"""An order: all that one sheet is made from."""

from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct

from milepost.servers.production.sheet.definition import Product

OutputType = Literal["pdf", "tiff", "zip"]
"""A PDF with layers, a GeoTIFF, or a package of the data, the style and the PDF."""

Direction = Literal["N", "NE", "E", "SE", "S", "SW", "W", "NW"]


LONGEST_STEM: Final = 200
"""Bytes of the name of a file without its suffix: systems take 255, and files on the way have longer suffixes."""


class Source(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of the site that sheets are made from."""

    path: str
    """A GeoPackage or OpenStreetMap extract of features; a GeoTIFF, ``.hgt`` or ``.hgt.zip`` of heights."""
    credit: str = ""
    """Whom the sheet names for it, such as ``© OpenStreetMap contributors``."""
    licence: str = ""
    """Under what terms, such as ``ODbL 1.0``."""
    vertical_datum: str = ""
    """Above what heights are, such as ``EGM96 geoid``."""


class Stamp(Struct, frozen=True, kw_only=True):
    """By which it shows whether a file was changed."""

    size: int
    """Bytes."""
    changed: int
    """When, in nanoseconds since 1970."""


class Ancillary(Struct, frozen=True, kw_only=True):
    """Features that the client adds to a layer of the product."""

    path: str
    """A GeoJSON file in longitude and latitude."""
    layer: str
    """The layer of the product whose rules and symbols they get."""
    name: str = ""
    """What the client knows them by."""


class Output(Struct, frozen=True, kw_only=True):
    """What is handed over."""

    type: OutputType = "pdf"
    dpi: Annotated[int, Meta(ge=72, le=600)] = 200
    """Pixels an inch of a GeoTIFF."""
    files: tuple[Literal["data", "style", "raster"], ...] = ("data", "style")
    """What a package holds beside the PDF."""
    jpeg_quality: Annotated[int, Meta(ge=50, le=100)] = 90
    """Of the relief shading in the PDF."""

    @property
    def has_raster(self) -> bool:
        """Whether a GeoTIFF is handed over."""
        return self.type == "tiff" or (self.type == "zip" and "raster" in self.files)


class Order(Struct, frozen=True, kw_only=True):
    """A sheet that is to be made."""

    product: Product
    version: str
    """Name of the version of the product."""
    area: dict[str, Any]
    """A GeoJSON Polygon in longitude and latitude; the sheet shows the degrees that it spans."""
    name: str = ""
    """What the sheet is called, such as ``ANDORRA LA VELLA``."""
    number: str = ""
    """Its number in the series."""
    adjoining: dict[Direction, str] = {}
    """Names of the adjoining sheets, by where they lie; without any there is no diagram of them."""
    output: Output = Output()
    output_name: str = ""
    """Of the file, without its suffix; the number or the name of the sheet when empty."""
    excluded: tuple[str, ...] = ()
    """Layers and themes of the product that are left out."""
    ancillary: tuple[Ancillary, ...] = ()
    vectors: tuple[Source, ...] = ()
    elevation: tuple[Source, ...] = ()
    """The former are preferred where several have heights."""
    stamps: dict[str, Stamp] = {}
    """How the files of sources were when the sheet was begun, by their paths."""
