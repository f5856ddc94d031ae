"""The pen that draws what surrounds the map: lines, areas and embedded type, in points of the page."""

import importlib.util
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

from reportlab.lib.colors import HexColor
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from milepost.servers.production.sheet.symbols import Face

Align = Literal["left", "centre", "right"]
Point = tuple[float, float]

INK: Final = "#16181b"
"""Of all type and rules in the margin."""

FILES: Final[dict[Face, str]] = {
    "sans": "DejaVuSansCondensed.ttf",
    "sans-bold": "DejaVuSansCondensed-Bold.ttf",
    "sans-italic": "DejaVuSansCondensed-Oblique.ttf",
    "serif": "DejaVuSerifCondensed.ttf",
    "serif-italic": "DejaVuSerifCondensed-Italic.ttf",
}
"""The file of each face, among the fonts that Mapnik brings: the margin is set in the type of the map."""

CAPS: Final = {"butt": 0, "round": 1, "square": 2}


def fonts_folder() -> Path:
    """Where Mapnik keeps its fonts.

    Mapnik is found and not imported, since its import changes the settings of GDAL and PROJ of the process.

    Raises:
        ImportError: Mapnik is not installed.
    """
    found = importlib.util.find_spec("mapnik")
    if found is None or found.origin is None:
        raise ImportError("map sheets need Mapnik: pip install 'milepost[production]'")
    return Path(found.origin).parent / "lib" / "mapnik" / "fonts"


def load_fonts() -> None:
    """Make the faces known to ReportLab; once a process."""
    known = set(pdfmetrics.getRegisteredFontNames())
    for face, file in FILES.items():
        if face not in known:
            pdfmetrics.registerFont(TTFont(face, fonts_folder() / file))


@lru_cache(maxsize=20_000)  # laying out a page measures the same words again and again
def text_width(text: str, face: Face, size: float) -> float:
    """Points that a text is wide."""
    return float(pdfmetrics.stringWidth(text, face, size))


def words(text: str) -> list[str]:
    """The words of a text; a figure and its unit, with a no-break space between them, are one."""
    return [word for word in re.split(r"[ \t\n]", text) if word]


def wrap(text: str, face: Face, size: float, width: float) -> list[str]:
    """The lines of a text that is to fit a width; a word that is wider is broken, after a hyphen if it has one."""
    lines: list[str] = []
    line = ""
    for word in words(text):
        longer = f"{line} {word}" if line else word
        if text_width(longer, face, size) <= width:
            line = longer
            continue
        if line:
            lines.append(line)
        while text_width(word, face, size) > width and len(word) > 1:
            fits = [n for n in range(1, len(word)) if text_width(word[:n], face, size) <= width] or [1]
            part = max([n for n in fits if word[n - 1] == "-"], default=fits[-1])
            lines.append(word[:part])
            word = word[part:]
        line = word
    return [*lines, line] if line else lines


class Pen:
    """Draws on one page."""

    def __init__(self, canvas: Canvas) -> None:
        self.canvas = canvas

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        *,
        face: Face = "sans",
        align: Align = "left",
        color: str = INK,
        halo: float = 0.0,
        spaced: float = 0.0,
        upwards: bool = False,
    ) -> float:
        """Write a line.

        Args:
            x: of the left end, middle or right end of its foot, by ``align``.
            y: of its foot.
            text: what to write.
            size: in points.
            face: of the type.
            align: which part of the text stands at ``x``.
            color: of the letters.
            halo: points of white around the letters.
            spaced: points to add between letters.
            upwards: write it from below to above, its foot at the right.

        Returns:
            How wide it is, in points.
        """
        if not text:
            return 0.0
        width = text_width(text, face, size) + spaced * max(0, len(text) - 1)
        before = {"left": 0.0, "centre": width / 2, "right": width}[align]
        for mode in (1, 0) if halo else (0,):
            line: Any = self.canvas.beginText(-before, 0)
            line.setFont(face, size)
            line.setCharSpace(spaced)
            line.setTextRenderMode(mode)
            self.canvas.saveState()
            self.canvas.translate(x, y)
            if upwards:
                self.canvas.rotate(90)
            if mode:
                self.canvas.setStrokeColor(HexColor("#ffffff"))
                self.canvas.setLineWidth(2 * halo)
                self.canvas.setLineJoin(1)
            self.canvas.setFillColor(HexColor(color))
            line.textOut(text)
            self.canvas.drawText(line)
            self.canvas.restoreState()
        return width

    def line(
        self,
        points: Sequence[Point],
        width: float,
        *,
        color: str = INK,
        dash: Sequence[float] = (),
        cap: str = "butt",
        opacity: float = 1.0,
    ) -> None:
        """Draw a line through points."""
        self._path(
            points, closed=False, stroke=color, fill=None, width=width, dash=dash, cap=cap, opacity=opacity
        )

    def area(
        self,
        points: Sequence[Point],
        *,
        fill: str | None = None,
        stroke: str | None = None,
        width: float = 0.3,
        dash: Sequence[float] = (),
        opacity: float = 1.0,
    ) -> None:
        """Draw a closed shape, filled, outlined or both."""
        self._path(
            points, closed=True, stroke=stroke, fill=fill, width=width, dash=dash, cap="butt", opacity=opacity
        )

    def box(
        self,
        left: float,
        bottom: float,
        right: float,
        top: float,
        *,
        fill: str | None = None,
        stroke: str | None = None,
        width: float = 0.3,
        opacity: float = 1.0,
    ) -> None:
        """Draw a rectangle."""
        corners = [(left, bottom), (right, bottom), (right, top), (left, top)]
        self.area(corners, fill=fill, stroke=stroke, width=width, opacity=opacity)

    def circle(
        self,
        x: float,
        y: float,
        radius: float,
        *,
        fill: str | None = None,
        stroke: str | None = None,
        width: float = 0.3,
    ) -> None:
        """Draw a circle."""
        with self.kept() as canvas:
            if fill:
                canvas.setFillColor(HexColor(fill))
            if stroke:
                canvas.setStrokeColor(HexColor(stroke))
                canvas.setLineWidth(width)
            canvas.circle(x, y, radius, stroke=int(stroke is not None), fill=int(fill is not None))

    def clipped(self, points: Sequence[Point]) -> "_Kept":
        """Within a ``with``, only what lies inside a shape is drawn."""
        return _Kept(self.canvas, points)

    def kept(self) -> "_Kept":
        """Within a ``with``, changes of colours and widths are for a while."""
        return _Kept(self.canvas, ())

    def _path(
        self,
        points: Sequence[Point],
        *,
        closed: bool,
        stroke: str | None,
        fill: str | None,
        width: float,
        dash: Sequence[float],
        cap: str,
        opacity: float,
    ) -> None:
        with self.kept() as canvas:
            if opacity < 1:
                canvas.setFillAlpha(opacity)
                canvas.setStrokeAlpha(opacity)
            if fill:
                canvas.setFillColor(HexColor(fill))
            if stroke:
                canvas.setStrokeColor(HexColor(stroke))
                canvas.setLineWidth(width)
                canvas.setLineCap(CAPS[cap])
                canvas.setLineJoin(1 if cap == "round" else 0)
                if dash:
                    canvas.setDash(list(dash))
            canvas.drawPath(
                _shape(canvas, points, closed), stroke=int(stroke is not None), fill=int(fill is not None)
            )


class _Kept:
    """The state of a canvas, kept and given back."""

    def __init__(self, canvas: Canvas, clip: Sequence[Point]) -> None:
        self.canvas, self.clip = canvas, clip

    def __enter__(self) -> Any:
        self.canvas.saveState()
        if self.clip:
            self.canvas.clipPath(_shape(self.canvas, self.clip, True), stroke=0, fill=0)
        return self.canvas

    def __exit__(self, *_: object) -> None:
        self.canvas.restoreState()


def _shape(canvas: Canvas, points: Sequence[Point], closed: bool) -> Any:
    shape = canvas.beginPath()
    for number, (x, y) in enumerate(points):
        (shape.lineTo if number else shape.moveTo)(float(x), float(y))
    if closed:
        shape.close()
    return shape
