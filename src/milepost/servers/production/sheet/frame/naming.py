"""What a sheet is called where it has to have a name, and how its series is named with the scale."""

from milepost.servers.production.sheet.frame.figures import thousands
from milepost.servers.production.sheet.frame.references import worked_example
from milepost.servers.production.sheet.geometry import SheetGeometry
from milepost.servers.production.sheet.order import Order


def sheet_name(order: Order, sheet: SheetGeometry) -> str:
    """The name of a sheet, its number, or else the letters and figures of its south-western corner: ``CH 79 09``."""
    return order.name or order.number or _corner(sheet)


def tells_scale(title: str, scale: int) -> bool:
    """Whether a title has the scale in it already."""
    return f"1:{thousands(scale)}" in title.replace(" ", "\N{NO-BREAK SPACE}")


def series_name(order: Order) -> str:
    """The title of the product with the scale, which is told once."""
    title, scale = order.product.title, order.product.scale
    return title if tells_scale(title, scale) else f"{title} 1:{thousands(scale)}"


def _corner(sheet: SheetGeometry) -> str:
    corner = worked_example(sheet, sheet.west, sheet.south, 1000)
    return f"{corner.letters} {corner.east} {corner.north}".strip()
