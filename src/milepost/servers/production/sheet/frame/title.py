"""The title above the map: series, name and number of the sheet."""

from dataclasses import dataclass
from typing import Final

from milepost.servers.production.sheet.frame.figures import thousands
from milepost.servers.production.sheet.frame.naming import sheet_name, tells_scale
from milepost.servers.production.sheet.frame.pen import Align, Pen, text_width, wrap
from milepost.servers.production.sheet.geometry import SheetGeometry
from milepost.servers.production.sheet.order import Order
from milepost.servers.production.sheet.symbols import Face

NAME: Final = 22.0
LEAST_NAME: Final = 12.0
SIDE: Final = 8.2
LINE: Final = 10.5
GAP: Final = 18.0


@dataclass(frozen=True)
class TitleBlock:
    """Series and scale at the left, the name of the sheet in the middle, its number and edition at the right.

    On a narrow sheet the name stands above the other two.
    """

    order: Order
    sheet: SheetGeometry

    @property
    def left_lines(self) -> list[str]:
        """Series and scale."""
        product = self.order.product
        title, scale = product.frame.series or product.title, f"1:{thousands(product.scale)}"
        told = tells_scale(title, product.scale)
        return [title, f"Series {product.name}" if told else f"Series {product.name}, scale {scale}"]

    @property
    def right_lines(self) -> list[str]:
        """Number and edition."""
        number = [f"Sheet {self.order.number}"] if self.order.number else []
        return [*number, f"Edition {self.order.version}"]

    @property
    def name(self) -> str:
        """The name, in capitals."""
        return sheet_name(self.order, self.sheet).upper()

    def height(self, width: float) -> float:
        """Points that it needs at a width."""
        lines, size, beside = self._name(width)
        if beside:
            return max(size * 1.1, LINE * 2 + 2)
        left, right = self._sides(width)
        return len(lines) * size * 1.15 + 4 + max(len(left), len(right)) * LINE

    def draw(self, pen: Pen, left: float, top: float, width: float) -> None:
        """Draw it below and to the right of a corner."""
        lines, size, beside = self._name(width)
        y = top - size * 0.8
        bottom = top - self.height(width)
        for line in lines:
            # Capitals beside two lines stand on the foot of the lower one.
            foot = bottom + 2.4 if beside else y
            pen.text(left + width / 2, foot, line, size, face="sans-bold", align="centre", spaced=0.6)
            y -= size * 1.15
        at_left, at_right = self._sides(width)
        sides: tuple[tuple[list[str], float, Align], ...] = (
            (at_left, left, "left"),
            (at_right, left + width, "right"),
        )
        for texts, x, align in sides:
            for number, text in enumerate(reversed(texts)):
                face: Face = "sans-bold" if number == len(texts) - 1 else "sans"
                pen.text(x, bottom + 2.4 + number * LINE, text, SIDE, face=face, align=align)

    def _sides(self, width: float) -> tuple[list[str], list[str]]:
        """The lines at both sides, broken where the sheet is narrow."""
        room = (width - GAP) / 2

        def broken(lines: list[str]) -> list[str]:
            return [part for line in lines for part in wrap(line, "sans-bold", SIDE, room)]

        return broken(self.left_lines), broken(self.right_lines)

    def _name(self, width: float) -> tuple[list[str], float, bool]:
        """The lines of the name, their size, and whether the other two are beside it."""
        side = max(text_width(line, "sans-bold", SIDE) for line in [*self.left_lines, *self.right_lines])
        for size in (NAME, NAME - 2, NAME - 4, NAME - 6):
            if self._wide(self.name, size) <= width - 2 * (side + GAP):
                return [self.name], size, True
        size = NAME
        while size > LEAST_NAME and self._wide(self.name, size) > width:
            size -= 1
        return wrap(self.name, "sans-bold", size, width - 0.6 * len(self.name)), size, False

    def _wide(self, text: str, size: float) -> float:
        return text_width(text, "sans-bold", size) + 0.6 * len(text)
