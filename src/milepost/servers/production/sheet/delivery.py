"""The file that is handed over: the PDF when it is found sound, or what is made of it."""

import re
import shutil
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import pikepdf

from milepost.servers.production.sheet.contents import Theme
from milepost.servers.production.sheet.definition import Layer
from milepost.servers.production.sheet.order import LONGEST_STEM, Order
from milepost.servers.production.sheet.package import write_features, write_package
from milepost.servers.production.sheet.page import Page
from milepost.servers.production.sheet.raster import write_geotiff
from milepost.servers.production.sheet.workshop import FINAL, Workshop

_SUFFIX: Final = re.compile(r"\.(pdf|tiff?|zip)$", re.IGNORECASE)
"""With which clients name a file that gets its suffix anyway."""


def verify(pdf: Path, themes: Sequence[Theme]) -> None:
    """See to it that a PDF is sound and has its layers, before anybody is told that it is there.

    Raises:
        RuntimeError: it has not.
    """
    with pikepdf.open(pdf) as opened:
        problems = opened.check_pdf_syntax()
        there = {str(each.Name) for each in opened.Root.OCProperties.OCGs}
    missing = {theme.name for theme in themes} - there
    if problems or missing:
        raise RuntimeError(
            f"the PDF is not sound: {'; '.join(problems) or 'it lacks ' + ', '.join(sorted(missing))}"
        )


def export(
    shop: Workshop,
    folder: Path,
    page: Page,
    layers: Sequence[Layer],
    made: datetime,
    within: Callable[[float], None],
) -> Path:
    """Write the file that was ordered.

    Args:
        shop: where the sheet was made.
        folder: for the file.
        page: its paper.
        layers: whose features a package holds.
        made: when, in UTC.
        within: told the share of the work that is done.

    Returns:
        The file.
    """
    output, pdf = shop.order.output, shop.path("sheet.pdf")
    stem = file_stem(shop.order)
    target = folder / f"{stem}.{'tif' if output.type == 'tiff' else output.type}"
    match output.type:
        case "pdf":
            shutil.copyfile(pdf, target)
        case "tiff":
            write_geotiff(pdf, page, target, output.dpi, within)
        case "zip":
            files = {f"{stem}.pdf": pdf}
            if "raster" in output.files:
                raster = shop.path("sheet.tif")
                write_geotiff(pdf, page, raster, output.dpi, within)
                files[f"{stem}.tif"] = raster
            if "data" in output.files:
                data = shop.path("data.gpkg")
                data.unlink(missing_ok=True)
                for layer, frame in shop.all_features(FINAL, layers):
                    write_features(data, shop.geometry, layer.name, frame)
                if data.exists():
                    files[f"{stem}.gpkg"] = data
            write_package(target, shop.order, shop.geometry, files, made)
    return target


def file_stem(order: Order) -> str:
    """The name of the file that is handed over, of letters and digits that every system takes."""
    named = _SUFFIX.sub("", order.output_name)
    wanted = named or order.number or order.name or order.product.name
    stem = re.sub(r"[^\w.-]+", "_", wanted).encode()[:LONGEST_STEM].decode(errors="ignore")
    return stem.strip("._") or "sheet"
