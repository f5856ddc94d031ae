"""What surrounds the map of a sheet: grid, border and the margin with all that a reader needs to use it."""

from datetime import datetime
from pathlib import Path
from typing import Final

import shapely
from reportlab.pdfgen.canvas import Canvas

from milepost.servers.production.sheet.contents import Contents
from milepost.servers.production.sheet.frame.border import BORDER, Border
from milepost.servers.production.sheet.frame.declination import DeclinationBlock, North
from milepost.servers.production.sheet.frame.diagrams import AdjoiningBlock, ReliefBlock
from milepost.servers.production.sheet.frame.figures import degrees
from milepost.servers.production.sheet.frame.layout import COLUMN, Block, Columns, Placed, arrange, share
from milepost.servers.production.sheet.frame.legend import LegendBlock
from milepost.servers.production.sheet.frame.notes import DatumBlock, notes
from milepost.servers.production.sheet.frame.pen import INK, Pen, load_fonts
from milepost.servers.production.sheet.frame.reference_box import ReferenceBlock
from milepost.servers.production.sheet.frame.references import squares, worked_example, zone_designations
from milepost.servers.production.sheet.frame.scale import ScaleBlock
from milepost.servers.production.sheet.frame.title import TitleBlock
from milepost.servers.production.sheet.geometry import MM, SheetGeometry
from milepost.servers.production.sheet.order import Order
from milepost.servers.production.sheet.page import Margins, Page
from milepost.servers.production.sheet.relief import wants_contours, wants_shading

__all__ = ["Frame", "draw_frame"]

PAPER: Final = 9 * MM
"""Points that stay white along the edges of the paper: what printers cannot reach."""

BELOW_TITLE: Final = 3 * MM
ABOVE_BLOCKS: Final = 6 * MM
ABOVE_NOTES: Final = 5 * MM
"""Points between the parts of a page."""


class Frame:
    """The page of a sheet: how large it is, and where each block stands on it.

    Attributes:
        page: the paper.
        placed: the title and the blocks of the margin.
    """

    def __init__(self, order: Order, sheet: SheetGeometry, contents: Contents, made: datetime) -> None:
        """Lay a page out.

        Args:
            order: what sheet it is.
            sheet: its map.
            contents: what came to be on it.
            made: when, in UTC.
        """
        load_fonts()
        self.order, self.sheet, self.contents = order, sheet, contents
        width = max(sheet.width + 2 * BORDER, COLUMN)
        title = TitleBlock(order, sheet)
        columns = Columns.within(width)
        stacks = arrange(columns, *self._blocks(made))
        blocks_height = max(stack.height for stack in stacks)
        lines = Columns.within(width)
        count = min(3, lines.count)
        spread = Columns(count, (width - (count - 1) * 6 * MM) / count, 0.0)
        footer = share(spread, 0, count, list(notes(order, contents, made)))
        footer_height = max(stack.height for stack in footer)
        side = (width - sheet.width) / 2 + PAPER
        bottom = PAPER + footer_height + ABOVE_NOTES + blocks_height + ABOVE_BLOCKS + BORDER
        top = BORDER + BELOW_TITLE + title.height(width) + PAPER
        self.page = Page(sheet, Margins(side, bottom, side, top))
        upper = self.page.height - PAPER
        self.placed = [Placed(title, (PAPER, upper - title.height(width), PAPER + width, upper))]
        below = bottom - BORDER - ABOVE_BLOCKS
        for stack in stacks:
            self.placed += stack.placed(PAPER, below)
        for stack in footer:
            self.placed += stack.placed(PAPER, PAPER + footer_height)
        self.rule = PAPER + footer_height + ABOVE_NOTES / 2

        self.border = Border(self.page, order.product)

    def draw_grid(self, pen: Pen) -> None:
        """Draw the lines of the grid and the crosses of the graticule, which lie on the map."""
        self.border.draw_grid(pen)

    def draw(self, pen: Pen) -> None:
        """Draw the border and all blocks."""
        self.border.draw(pen)
        for placed in self.placed:
            placed.draw(pen)
        pen.line([(PAPER, self.rule), (self.page.width - PAPER, self.rule)], 0.35, color=INK)

    def _blocks(self, made: datetime) -> tuple[Block | None, Block, list[Block]]:
        """The blocks below the map: the legend, the scale, and the others."""
        order, sheet, contents, product = self.order, self.sheet, self.contents, self.order.product
        lowest, highest = contents.lowest, contents.highest
        known = lowest is not None and highest is not None
        height = (lowest + highest) / 2 if lowest is not None and highest is not None else 0.0
        legend = LegendBlock(contents.legend) if contents.legend else None
        last: list[Block] = [
            DatumBlock(sheet, product, order.elevation),
            DeclinationBlock(North.at(sheet, height, made)),
        ]
        if product.frame.adjoining and order.adjoining:
            last.append(AdjoiningBlock(sheet, order.number or order.name, order.adjoining))
        last.append(self._reference())
        if product.relief.shading and wants_shading(order) and lowest is not None and highest is not None:
            last.append(ReliefBlock(product.relief.shading, lowest, highest))
        contours = product.relief.contours if wants_contours(order) else None
        return legend, ScaleBlock(product, known, contours), last

    def _reference(self) -> ReferenceBlock:
        """The grid reference box, with a place of the sheet or the cross nearest to its middle as example."""
        sheet, sample, interval = self.sheet, self.contents.sample, self.order.product.grid.interval
        if sample is not None:
            name, longitude, latitude = sample.name, sample.longitude, sample.latitude
        if sample is None or not shapely.contains_xy(
            sheet.neatline, *sheet.sheet_of_lonlat(longitude, latitude)
        ):
            longitude, latitude = sheet.longitude, sheet.latitude
            name = f"middle of the sheet, {degrees(latitude, 'NS')} {degrees(longitude, 'EW')}"
        example = worked_example(sheet, longitude, latitude, interval)
        return ReferenceBlock(sheet, zone_designations(sheet), squares(sheet), name, example, interval)


def draw_frame(order: Order, sheet: SheetGeometry, contents: Contents, made: datetime, path: Path) -> Page:
    """Draw what surrounds the map of a sheet, as a PDF of two pages: the grid upon the map, and all the rest.

    Args:
        order: what sheet it is.
        sheet: its map.
        contents: what came to be on it.
        made: when, in UTC.
        path: of the PDF.

    Returns:
        The paper, with the map on it.
    """
    frame = Frame(order, sheet, contents, made)
    page = frame.page
    canvas = Canvas(str(path), pagesize=(page.width, page.height), initialFontName="sans", invariant=1)
    frame.draw_grid(Pen(canvas))
    canvas.showPage()
    frame.draw(Pen(canvas))
    canvas.save()
    return page
