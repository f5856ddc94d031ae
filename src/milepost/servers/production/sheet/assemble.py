"""The PDF of a sheet: themes as layers that can be switched, and where on the Earth the page lies."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pikepdf
from pikepdf import Array, Dictionary, Name, String
from PIL import Image

from milepost import __version__
from milepost.servers.production.sheet.contents import Theme
from milepost.servers.production.sheet.frame.naming import series_name, sheet_name
from milepost.servers.production.sheet.frame.notes import sources_text
from milepost.servers.production.sheet.order import Order
from milepost.servers.production.sheet.page import Page

GRID: Final = "Grid"
MARGIN: Final = "Frame and margin"
"""The names of the two upper layers."""

EDGE: Final = 8
"""Points of each side of the neatline in the bounds of the georeference."""


class Sheet:
    """A PDF of one page that is put together layer by layer, the lowest first."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.pdf = pikepdf.new()
        self.pdf.add_blank_page(page_size=(round(page.width, 3), round(page.height, 3)))
        self._layers: dict[str, Any] = {}
        self._pictures, self._properties = Dictionary(), Dictionary()
        self._neatline = _clip(page)
        self._drawing: list[str] = []
        self._others: dict[Path, pikepdf.Pdf] = {}

    def add_page(
        self, name: str, path: Path, number: int, box: tuple[float, float, float, float], *, clip: bool
    ) -> None:
        """Add a page of another PDF to a layer.

        Args:
            name: of the layer; what has the same name is switched together.
            path: of the PDF.
            number: of its page, from 0.
            box: where it stands: left, bottom, right and top in points.
            clip: whether to cut it off at the neatline.
        """
        # Opened once, so that pages of one file share their fonts.
        if path not in self._others:
            self._others[path] = pikepdf.open(path)
        source = self._others[path].pages[number]
        # A form of the same file would be read only when the page's contents have been replaced by itself.
        form = self.pdf.copy_foreign(source.as_form_xobject())
        _, _, width, height = (float(value) for value in source.mediabox)
        left, bottom, right, top = box
        matrix = ((right - left) / width, 0, 0, (top - bottom) / height, left, bottom)
        self._add(name, form, matrix, clip=clip)

    def add_picture(self, name: str, path: Path, box: tuple[float, float, float, float]) -> None:
        """Add a JPEG to a layer, as it is."""
        with Image.open(path) as picture:
            width, height, grey = picture.width, picture.height, picture.mode == "L"
        stream = self.pdf.make_stream(
            path.read_bytes(),
            Type=Name.XObject,
            Subtype=Name.Image,
            Width=width,
            Height=height,
            ColorSpace=Name.DeviceGray if grey else Name.DeviceRGB,
            BitsPerComponent=8,
            Filter=Name.DCTDecode,
            Interpolate=True,
        )
        left, bottom, right, top = box
        self._add(name, stream, (right - left, 0, 0, top - bottom, left, bottom), clip=True)

    def write(self, path: Path, title: str, order: Order, made: datetime) -> None:
        """Write the file.

        Args:
            path: of the PDF.
            title: of the document.
            order: whose sources are credited.
            made: when, in UTC.
        """
        page = self.pdf.pages[0]
        page.obj.Contents = self.pdf.make_stream("\n".join(self._drawing).encode())
        page.obj.Resources = Dictionary(XObject=self._pictures, Properties=self._properties)
        page.obj.VP = Array([self.pdf.make_indirect(_viewport(self.page))])
        layers = list(self._layers.values())
        self.pdf.Root.OCProperties = Dictionary(
            OCGs=Array(layers),
            D=Dictionary(
                Name=String("Layers"),
                BaseState=Name.ON,
                ON=Array(layers),
                Order=Array(layers[::-1]),
                ListMode=Name.AllPages,
            ),
        )
        self.pdf.Root.PageMode = Name.UseOC
        self.pdf.Root.ViewerPreferences = Dictionary(DisplayDocTitle=True)
        self.pdf.Root.Lang = String("en")
        self._describe(title, order, made)
        self.pdf.save(
            path,
            min_version="1.7",
            compress_streams=True,
            recompress_flate=True,
            object_stream_mode=pikepdf.ObjectStreamMode.generate,
            deterministic_id=True,
        )
        for other in self._others.values():
            other.close()

    def _add(self, name: str, content: Any, matrix: Sequence[float], *, clip: bool) -> None:
        if name not in self._layers:
            self._layers[name] = self.pdf.make_indirect(Dictionary(Type=Name.OCG, Name=String(name)))
            self._properties[f"/L{len(self._layers)}"] = self._layers[name]
        layer = list(self._layers).index(name) + 1
        key = f"/X{len(self._pictures.keys())}"
        self._pictures[key] = content
        numbers = " ".join(f"{value:.5f}".rstrip("0").rstrip(".") for value in matrix)
        cut = self._neatline if clip else ""
        self._drawing.append(f"/OC /L{layer} BDC q {cut} {numbers} cm {key} Do Q EMC")

    def _describe(self, title: str, order: Order, made: datetime) -> None:
        """Title, rights and dates, for catalogues of documents."""
        rights = "; ".join(
            text for text in (sources_text(order.vectors), sources_text(order.elevation)) if text
        )
        with self.pdf.open_metadata(set_pikepdf_as_editor=False, update_docinfo=True) as about:
            about["dc:title"] = title
            about["dc:description"] = order.product.description or order.product.title
            about["dc:language"] = {"en"}
            if rights:
                about["dc:rights"] = rights
            about["pdf:Producer"] = f"Milepost {__version__}"
            about["xmp:CreatorTool"] = f"Milepost {__version__}, product {order.product.name} {order.version}"
            about["xmp:CreateDate"] = about["xmp:ModifyDate"] = made.isoformat(timespec="seconds")


def assemble(
    path: Path, page: Page, folder: Path, themes: Sequence[Theme], frame: Path, order: Order, made: datetime
) -> None:
    """Put the PDF of a sheet together.

    Args:
        path: of the PDF to write.
        page: the paper.
        folder: where the files of the themes are.
        themes: the lowest first; those of one name are switched together.
        frame: the PDF of the grid and of what surrounds the map.
        order: what sheet it is.
        made: when, in UTC.
    """
    sheet = Sheet(page)
    whole = (0.0, 0.0, page.width, page.height)
    names = {theme.name for theme in themes}
    for theme in themes:
        if theme.name == order.product.labels_theme:
            # Grid lines below names, so that they do not strike them out.
            sheet.add_page(GRID, frame, 0, whole, clip=False)
        left, bottom, right, top = theme.bounds
        (x0, x1), (y0, y1) = page.point([left, right], [bottom, top])
        box = (float(x0), float(y0), float(x1), float(y1))
        if theme.kind == "jpeg":
            sheet.add_picture(theme.name, folder / theme.file, box)
        else:
            sheet.add_page(theme.name, folder / theme.file, 0, box, clip=True)
    if order.product.labels_theme not in names:
        sheet.add_page(GRID, frame, 0, whole, clip=False)
    sheet.add_page(MARGIN, frame, 1, whole, clip=False)
    sheet.write(path, f"{sheet_name(order, page.sheet)}, {series_name(order)}", order, made)


def _clip(page: Page) -> str:
    """Operators that cut off what lies beyond the neatline."""
    ring = np.asarray(page.sheet.neatline.exterior.coords)[:-1]
    x, y = page.point(ring[:, 0], ring[:, 1])
    steps = [
        f"{a:.3f} {b:.3f} {'l' if number else 'm'}" for number, (a, b) in enumerate(zip(x, y, strict=True))
    ]
    return " ".join(steps) + " h W n"


def _viewport(page: Page) -> Dictionary:
    """Where the map lies, as ISO 32000-2 has it: the corners of the frame, in the unit square and in degrees.

    The frame is a rectangle in the grid, so that its corners say all; where the map ends, the bounds say.
    """
    sheet = page.sheet
    left, bottom, right, top = sheet.frame
    corners = ((left, bottom), (left, top), (right, top), (right, bottom))
    unit = (0, 0, 0, 1, 1, 1, 1, 0)
    places: list[float] = []
    for x, y in corners:
        longitude, latitude = sheet.lonlat_of_sheet(x, y)
        places += [round(float(latitude), 9), round((float(longitude) + 180) % 360 - 180, 9)]
    ring = np.asarray(sheet.neatline.exterior.coords)
    edge = ring[:: max(1, (len(ring) - 1) // (4 * EDGE))]
    bounds = np.column_stack([(edge[:, 0] - left) / (right - left), (edge[:, 1] - bottom) / (top - bottom)])
    measure = Dictionary(
        Type=Name.Measure,
        Subtype=Name.GEO,
        Bounds=Array([round(value, 6) for value in bounds.ravel().tolist()]),
        GPTS=Array(places),
        LPTS=Array(list(unit)),
        GCS=Dictionary(Type=Name.PROJCS, EPSG=sheet.grid.epsg, WKT=String(sheet.crs.to_wkt("WKT1_ESRI"))),
        PDU=Array([Name.M, Name.SQM, Name.DEG]),
    )
    box = Array([round(value, 3) for value in page.frame])
    return Dictionary(Type=Name.Viewport, Name=String("Map"), BBox=box, Measure=measure)
