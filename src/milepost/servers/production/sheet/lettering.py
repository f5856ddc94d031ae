"""The labels of a sheet as a PDF of one page, in embedded type that can be searched and copied."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from reportlab.lib.colors import HexColor
from reportlab.pdfgen.canvas import Canvas

from milepost.servers.production.sheet.candidates import Piece
from milepost.servers.production.sheet.frame.pen import load_fonts, text_width
from milepost.servers.production.sheet.geometry import MM, SheetGeometry
from milepost.servers.production.sheet.labels import Placed

_FILL: Final = 0
_STROKE: Final = 1
"""How PDF shows text: its letters filled, or only their outlines."""


def write_labels(placed: Sequence[Placed], geometry: SheetGeometry, path: Path) -> None:
    """Write labels at their places on a page of the size of the map's frame."""
    load_fonts()
    size = (geometry.width, geometry.height)
    # ReportLab would else name a font of its own, which is not embedded.
    canvas = Canvas(str(path), pagesize=size, pageCompression=1, initialFontName="sans")
    for each in placed:
        if each.label.box:
            _plate(canvas, each, geometry)
    # All halos first, so that none lies over the letters of a neighbour.
    for each in placed:
        if each.label.halo and not each.label.box:
            for piece in each.pieces:
                _write(canvas, each, piece, geometry, halo=True)
    for each in placed:
        for piece in each.pieces:
            _write(canvas, each, piece, geometry, halo=False)
    canvas.showPage()
    canvas.save()


def _write(canvas: Canvas, placed: Placed, piece: Piece, geometry: SheetGeometry, *, halo: bool) -> None:
    label = placed.label
    x, y = _point(geometry, piece.x, piece.y)
    canvas.saveState()
    canvas.translate(x, y)
    if piece.angle:
        canvas.rotate(math.degrees(piece.angle))
    text: Any = canvas.beginText(0, 0)
    text.setFont(label.face, label.size)
    text.setTextRenderMode(_STROKE if halo else _FILL)
    if halo:
        canvas.setStrokeColor(HexColor("#ffffff"), alpha=0.85)
        canvas.setLineWidth(2 * label.halo * MM)
        canvas.setLineJoin(1)
    else:
        canvas.setFillColor(HexColor(label.color))
    text.textOut(piece.text)
    canvas.drawText(text)
    canvas.restoreState()


def _plate(canvas: Canvas, placed: Placed, geometry: SheetGeometry) -> None:
    """The plate behind a text, such as the number of a road."""
    label, piece = placed.label, placed.pieces[0]
    x, y = _point(geometry, piece.x, piece.y)
    width = text_width(piece.text, label.face, label.size)
    pad = 0.22 * label.size
    canvas.saveState()
    canvas.setFillColor(HexColor(label.box))
    canvas.setStrokeColor(HexColor(label.color))
    canvas.setLineWidth(0.1 * MM)
    canvas.roundRect(
        x - pad, y - pad * 0.8, width + 2 * pad, 0.73 * label.size + 1.6 * pad, 0.2 * label.size, fill=1
    )
    canvas.restoreState()


def _point(geometry: SheetGeometry, x: float, y: float) -> tuple[float, float]:
    """Points on the page of a place in sheet metres."""
    left, bottom, _, _ = geometry.frame
    k = geometry.points_per_metre
    return (x - left) * k, (y - bottom) * k
