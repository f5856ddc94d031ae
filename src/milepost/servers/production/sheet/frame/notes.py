"""What a careful reader asks a map: its datum and projection, its sources and their terms, its limits, who made it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import pyproj

from milepost import __version__
from milepost.servers.production.sheet.contents import Contents
from milepost.servers.production.sheet.definition import Product
from milepost.servers.production.sheet.frame.figures import degrees, thousands
from milepost.servers.production.sheet.frame.pen import Pen
from milepost.servers.production.sheet.frame.type import HEAD, Paragraph, heading, table, table_height
from milepost.servers.production.sheet.geometry import SheetGeometry
from milepost.servers.production.sheet.grids import grid_at
from milepost.servers.production.sheet.order import Order, Source

SMALL: Final = 5.8
NOT_AUTHORITATIVE: Final = (
    "Boundaries and names are those of the sources and are not authoritative. Made from data by a program and not "
    "checked in the field: not for navigation."
)


@dataclass(frozen=True)
class DatumBlock:
    """The ellipsoid, projection and grid of a sheet."""

    sheet: SheetGeometry
    product: Product
    elevation: Sequence[Source] = ()

    def rows(self) -> list[tuple[str, str]]:
        """What is told, as pairs of a name and a value."""
        sheet, grid = self.sheet, self.sheet.grid
        factors = pyproj.Proj(sheet.crs).get_factors(sheet.longitude, sheet.latitude)
        if grid.name == "UTM":
            projection = (
                f"Transverse Mercator, central meridian {degrees(grid.central_meridian, 'EW', seconds=False)}"
            )
        else:
            projection = "Polar stereographic"
        rows = [
            ("Horizontal datum", "World Geodetic System 1984"),
            *([("Vertical datum", self._vertical())] if self.elevation else []),
            ("Projection", projection),
            (
                "Grid",
                f"{thousands(self.product.grid.interval)}\N{NO-BREAK SPACE}m {grid.title} (EPSG:{grid.epsg})",
            ),
            ("Scale factor", f"{factors.meridional_scale:.5f} in the middle of the sheet"),
        ]
        zones = {grid_at(side, sheet.latitude).zone for side in (sheet.west, sheet.east - 1e-9)} - {grid.zone}
        if zones and grid.zone:
            other = ", ".join(str(zone) for zone in sorted(zones))
            rows.append(
                ("Zone edge", f"The sheet reaches into zone {other}; its grid is that of zone {grid.zone}")
            )
        return rows

    def _vertical(self) -> str:
        """What heights are above, by source if they differ."""
        found: dict[str, list[str]] = {}
        for source in self.elevation:
            found.setdefault(source.vertical_datum or "not told by the source", []).append(source.credit)
        if len(found) == 1:
            [datum] = found
            return datum[:1].upper() + datum[1:]
        return "; ".join(
            f"{datum} ({', '.join(dict.fromkeys(named))})" if any(named) else datum
            for datum, named in found.items()
        )

    def height(self, width: float) -> float:
        """Points that it needs at a width."""
        return HEAD + table_height(self.rows(), width)

    def draw(self, pen: Pen, left: float, top: float, width: float) -> None:
        """Draw it below and to the right of a corner."""
        below = heading(pen, left, top, width, "Datum and projection")
        table(pen, left, below, width, self.rows())


@dataclass(frozen=True)
class NoteBlock:
    """Paragraphs in small type without a heading of their own."""

    paragraphs: Sequence[Paragraph]

    def height(self, width: float) -> float:
        """Points that it needs at a width."""
        return sum(paragraph.height(width) for paragraph in self.paragraphs)

    def draw(self, pen: Pen, left: float, top: float, width: float) -> None:
        """Draw it below and to the right of a corner."""
        for paragraph in self.paragraphs:
            paragraph.draw(pen, left, top, width)
            top -= paragraph.height(width)


def sources_text(sources: Sequence[Source]) -> str:
    """Whom a sheet credits, and under what terms; each only once."""
    found = dict.fromkeys(
        ", ".join(part for part in (source.credit, source.licence) if part) for source in sources
    )
    return "; ".join(credit for credit in found if credit)


def notes(order: Order, contents: Contents, made: datetime) -> list[NoteBlock]:
    """Sources, limits and the production note of a sheet."""
    features, heights = sources_text(order.vectors), sources_text(order.elevation)
    sources = [Paragraph(f"{features}.", "Features", size=SMALL)] if features else []
    sources += [Paragraph(f"{heights}.", "Heights", size=SMALL)] if heights else []
    limits = " ".join([*(f"{note.rstrip('.')}." for note in contents.notes), NOT_AUTHORITATIVE])
    production = f"{made:%Y-%m-%d %H:%M}\N{NO-BREAK SPACE}UTC by Milepost {__version__}, product {order.product.name}, version\N{NO-BREAK SPACE}{order.version}."
    blocks = [NoteBlock(sources)] if sources else []
    return [
        *blocks,
        NoteBlock([Paragraph(limits, "Limits", size=SMALL)]),
        NoteBlock([Paragraph(production, "Produced", size=SMALL)]),
    ]
