"""The package of a sheet: its PDF with the data that it shows, as a GeoPackage, and the product that says how."""

import zipfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

import geopandas as gpd
import pyogrio
import shapely

from milepost import __version__
from milepost.servers.production.sheet.frame.naming import series_name, sheet_name
from milepost.servers.production.sheet.frame.notes import sources_text
from milepost.servers.production.sheet.geometry import SheetGeometry
from milepost.servers.production.sheet.order import Order
from milepost.servers.production.sheet.reading import write_product

PRODUCT: Final = "product.json"
README: Final = "README.txt"

PACKED: Final = (".pdf", ".tif")
"""Files that are compressed already."""


def write_features(path: Path, sheet: SheetGeometry, name: str, frame: gpd.GeoDataFrame) -> None:
    """Add features to a GeoPackage, in the projection of the grid; one without features adds no table.

    Args:
        path: of the GeoPackage; made when it is not there.
        sheet: on which they are.
        name: of the table; one of that name is replaced.
        frame: the features, in sheet metres.
    """
    if frame.empty:
        return

    shapes = shapely.transform(frame.geometry.to_numpy(), sheet.grid_of_sheet, interleaved=False)
    placed = gpd.GeoDataFrame(frame.drop(columns=frame.geometry.name), geometry=shapes, crs=sheet.crs)
    pyogrio.write_dataframe(placed, path, layer=name, driver="GPKG", append=False)


def write_package(
    path: Path, order: Order, sheet: SheetGeometry, files: Mapping[str, Path], made: datetime
) -> None:
    """Write the ZIP of a sheet: some files, the product, and a note of what they are and whose data they hold.

    Args:
        path: of the ZIP.
        order: what sheet it is.
        sheet: its map.
        files: what to pack, by the names that they get in it.
        made: when, in UTC.
    """
    stamp = made.timetuple()[:6]
    with zipfile.ZipFile(path, "w") as package:

        def info(name: str) -> zipfile.ZipInfo:
            entry = zipfile.ZipInfo(name, stamp)
            entry.compress_type = zipfile.ZIP_STORED if name.endswith(PACKED) else zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            return entry

        texts = {README: _readme(order, sheet, [*files, *_style(order)], made).encode(), **_style(order)}
        for name, content in texts.items():
            package.writestr(info(name), content)
        for name, file in files.items():
            # In pieces: a raster may be larger than the memory of the machine.
            with file.open("rb") as source, package.open(info(name), "w", force_zip64=True) as target:
                while piece := source.read(1 << 20):
                    target.write(piece)


def _style(order: Order) -> dict[str, bytes]:
    return {PRODUCT: write_product(order.product)} if "style" in order.output.files else {}


def _readme(order: Order, sheet: SheetGeometry, names: list[str], made: datetime) -> str:
    """What is in a package, for people."""
    product = order.product
    told = {
        "pdf": "the sheet, with layers that can be switched",
        "tif": "the sheet as a GeoTIFF",
        "gpkg": f"the features as they are drawn, one table a layer, in EPSG:{sheet.grid.epsg}",
        "json": "the product: layers, rules, symbols and frame",
    }
    lines = [sheet_name(order, sheet), series_name(order), ""]
    lines += [f"{name}: {told[name.rpartition('.')[2]]}" for name in names if name.rpartition(".")[2] in told]
    lines.append("")
    for title, sources in (("Features", order.vectors), ("Heights", order.elevation)):
        if credit := sources_text(sources):
            lines.append(f"{title}: {credit}")
    lines.append(
        f"Made {made:%Y-%m-%d %H:%M} UTC by Milepost {__version__}, product {product.name}, version {order.version}."
    )
    return "\n".join(lines) + "\n"
