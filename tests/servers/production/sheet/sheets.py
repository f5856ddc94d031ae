"""A small sheet with something of everything, and what the tests of this folder need to look at it."""

from contextlib import contextmanager
from datetime import UTC, datetime
from io import BytesIO

import shapely
from reportlab.pdfgen.canvas import Canvas

from milepost.servers.production.sheet import definition, symbols
from milepost.servers.production.sheet.contents import Contents, Entry, Place
from milepost.servers.production.sheet.frame.pen import Pen, text_width
from milepost.servers.production.sheet.geometry import SheetGeometry
from milepost.servers.production.sheet.order import Order, Source

MADE = datetime(2026, 11, 22, 10, 5, tzinfo=UTC)
AREA = (1.5, 42.48, 1.56, 42.54)
LINE = symbols.Line(color="#a8622a", width=0.1)


def product(scale=50_000, interval=1000, graticule=5.0):
    return definition.Product(
        name=f"MTM{scale // 1000}",
        title="Topographic map",
        scale=scale,
        themes=("Contours", "Water"),
        layers=(
            definition.Layer(
                name="rivers", theme="Water", geometry="line", rules=(definition.Rule(symbols=(LINE,)),)
            ),
        ),
        relief=definition.Relief(
            contours=definition.Contours(interval=20, line=LINE, index=LINE, label=symbols.Label())
        ),
        grid=definition.Grid(interval=interval),
        frame=definition.Frame(graticule=graticule),
    )


def order(area=AREA, made_by=None, **more):
    return Order(
        product=made_by or product(),
        version="2026-1",
        area=shapely.geometry.mapping(shapely.box(*area)),
        vectors=(Source(path="a.gpkg", credit="© OpenStreetMap contributors", licence="ODbL 1.0"),),
        elevation=(Source(path="a.hgt", credit="NASA SRTM v2.1", licence="public domain"),),
        **{"name": "Sant Julià", "number": "1205-III", **more},
    )


def sheet_of(ordered):
    return SheetGeometry.of(ordered.area, ordered.product.scale)


def entries(count):
    casing = symbols.Casing(color="#222222", width=0.12)
    kinds = [
        ("Main road", "line", (symbols.Line(color="#c8102e", width=0.7, casing=casing),)),
        ("Track", "line", (symbols.Line(color="#222222", width=0.2, dash=(1.2, 0.6), cap="butt"),)),
        ("Military area", "polygon", (symbols.Fill(pattern=symbols.Pattern(kind="hatch", color="#c8102e")),)),
        ("Marsh", "polygon", (symbols.Fill(pattern=symbols.Pattern(kind="marsh", color="#1f78b4")),)),
        ("Lake", "polygon", (symbols.Fill(color="#bfe0f5", outline=LINE),)),
        (
            "Chapel, with a rather long explanation",
            "point",
            (symbols.Marker(shape="chapel", size=1.6, color="#111111"),),
        ),
        (
            "Summit",
            "point",
            (symbols.Marker(shape="triangle", size=1.2, color="#111111"), symbols.Label(text="{height}")),
        ),
        ("Boundary", "outline", (LINE, symbols.Line(color="#7a1f5c", width=0.4, dash=(3, 1)))),
        ("Cable way", "line", (LINE, symbols.Marker(shape="circle", size=0.7, color="#111111", spacing=3))),
        ("Index contour", "line", (LINE, symbols.Label(text="{height}", placement="line"))),
    ]
    return tuple(
        Entry(
            text=kinds[n % 10][0],
            geometry=kinds[n % 10][1],
            symbols=kinds[n % 10][2],
            theme=f"Theme {n // 4}",
        )
        for n in range(count)
    )


def contents(count=10, **more):
    return Contents(
        **{
            "legend": entries(count),
            "lowest": 838.0,
            "highest": 2942.0,
            "sample": Place(name="Sant Julià de Lòria", longitude=1.5218, latitude=42.5063),
            "notes": ("Features cover only a part of the sheet",),
            **more,
        }
    )


class InkPen(Pen):
    """Remembers where it drew, and what it wrote."""

    def __init__(self):
        super().__init__(Canvas(BytesIO(), initialFontName="sans"))
        self.ink = []
        self.words = []
        self._clips = []

    @property
    def bounds(self):
        boxes = [box for box in self.ink if box]
        return (
            min(box[0] for box in boxes),
            min(box[1] for box in boxes),
            max(box[2] for box in boxes),
            max(box[3] for box in boxes),
        )

    def text(self, x, y, text, size, *, face="sans", align="left", upwards=False, spaced=0.0, **more):
        width = super().text(x, y, text, size, face=face, align=align, upwards=upwards, spaced=spaced, **more)
        assert width >= text_width(text, face, size)
        start = {"left": 0, "centre": width / 2, "right": width}[align]
        # Capitals and figures; what hangs below the foot is a fifth of the size.
        box = (x - start, y, x - start + width, y + size * 0.74)
        if upwards:
            box = (x - size * 0.74, y - start, x, y - start + width)
        self._mark(box)
        self.words.append((text, box))
        return width

    def circle(self, x, y, radius, **more):
        super().circle(x, y, radius, **more)
        self._mark((x - radius, y - radius, x + radius, y + radius))

    def _path(self, points, *, width, **more):
        super()._path(points, width=width, **more)
        half = width / 2 if more["stroke"] else 0.0
        xs, ys = [p[0] for p in points], [p[1] for p in points]
        self._mark((min(xs) - half, min(ys) - half, max(xs) + half, max(ys) + half))

    @contextmanager
    def clipped(self, points):
        xs, ys = [p[0] for p in points], [p[1] for p in points]
        self._clips.append((min(xs), min(ys), max(xs), max(ys)))
        with super().clipped(points) as canvas:
            yield canvas
        self._clips.pop()

    def _mark(self, box):
        for clip in self._clips:
            box = (max(box[0], clip[0]), max(box[1], clip[1]), min(box[2], clip[2]), min(box[3], clip[3]))
        if box[0] <= box[2] and box[1] <= box[3]:
            self.ink.append(box)


def overlap(one, other, slack=0.0):
    """Whether two boxes have more than some points in common."""
    return (
        min(one[2], other[2]) - max(one[0], other[0]) > slack
        and min(one[3], other[3]) - max(one[1], other[1]) > slack
    )


def within(inner, outer, slack=0.0):
    return (
        inner[0] >= outer[0] - slack
        and inner[1] >= outer[1] - slack
        and inner[2] <= outer[2] + slack
        and inner[3] <= outer[3] + slack
    )
