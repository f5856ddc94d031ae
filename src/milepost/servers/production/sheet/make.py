"""Makes a map sheet: an order becomes a file, stage by stage, each kept so that a crash costs only one."""

import re
import shutil
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

import geopandas as gpd
import numpy as np
import pikepdf
import shapely
from msgspec import Struct
from msgspec.structs import replace

from milepost.operations import Run
from milepost.servers.production.sheet.assemble import assemble
from milepost.servers.production.sheet.beside import Beside, in_order
from milepost.servers.production.sheet.contents import Contents, Entry, Place, Theme
from milepost.servers.production.sheet.definition import (
    CONTOURS,
    MARGIN,
    SHADING,
    SPOT_HEIGHTS,
    UNKNOWN,
    Layer,
)
from milepost.servers.production.sheet.drawing import draw_layer
from milepost.servers.production.sheet.frame import draw_frame
from milepost.servers.production.sheet.generalise import generalise
from milepost.servers.production.sheet.grid_figures import grid_figures
from milepost.servers.production.sheet.labels import Labels, Placed, names_ground, place_labels
from milepost.servers.production.sheet.lettering import write_labels
from milepost.servers.production.sheet.order import LONGEST_STEM, Order
from milepost.servers.production.sheet.package import write_features as pack_features
from milepost.servers.production.sheet.package import write_package
from milepost.servers.production.sheet.page import Margins, Page
from milepost.servers.production.sheet.raster import write_geotiff
from milepost.servers.production.sheet.relief import (
    contour_layers,
    cut_out,
    evened,
    interval_on,
    spot_layers,
    wants_contours,
    wants_shading,
    wants_spots,
)
from milepost.servers.production.sheet.render import render
from milepost.servers.production.sheet.shading import shade
from milepost.servers.production.sheet.sources import is_excluded, read_layers
from milepost.servers.production.sheet.stamps import check_unchanged
from milepost.servers.production.sheet.symbols import Marker
from milepost.servers.production.sheet.terrain import Heights, read_heights
from milepost.servers.production.sheet.workshop import Workshop

T = TypeVar("T")

RAW: Final = "extracted"
DRAWN: Final = "generalised"
FINAL: Final = "final"
"""Stages after which the features of layers are kept."""

STAGES: Final = 11
"""How many there are beside those that draw the themes."""

WORTH_TELLING: Final = 0.001
"""Share of a sheet: that much without heights, or with interpolated ones, the reader is told."""
MODELLED: Final = "Heights of points for which the sources give none are those of the elevation model."
"""Note of a sheet: not every figure was surveyed."""
COVERED: Final = 0.85
"""Share of a sheet that features should cover for it to count as whole."""


class Extracted(Struct, frozen=True, kw_only=True):
    """What was read."""

    made: datetime
    """When the sheet was begun, in UTC."""
    notes: tuple[str, ...] = ()


class Ground(Struct, frozen=True, kw_only=True):
    """What is known of the heights."""

    lowest: float | None = None
    highest: float | None = None
    interval: float | None = None
    """Metres from contour to contour."""
    notes: tuple[str, ...] = ()


class Lettered(Struct, frozen=True, kw_only=True):
    """What the labels came to."""

    count: int
    sample: Place | None = None
    notes: tuple[str, ...] = ()


def make_sheet(run: Run, order: Order, folder: Path) -> Path:
    """Make a map sheet.

    Args:
        run: told stages, messages and progress; it keeps what is done.
        order: of the sheet.
        folder: for all files; the same one in another attempt.

    Returns:
        The file that was ordered, in the folder.

    Raises:
        ValueError: the sheet cannot be made as it was ordered; the text says what to do.
    """
    return _Maker(run, order, folder).make()


def start_time() -> str:
    """The time as messages tell it, such as ``Start Time: Monday, September 21, 2020 03:48:22 PM``."""
    return f"Start Time: {datetime.fromtimestamp(time.time(), UTC):%A, %B %d, %Y %I:%M:%S %p}"


class _Maker:
    """One attempt at one sheet."""

    def __init__(self, run: Run, order: Order, folder: Path):
        self.run, self.order, self.folder = run, order, folder
        self.product = order.product
        self.shop = Workshop(order, folder)
        self.done = 0
        self.layers = [layer for layer in self.product.layers if not is_excluded(layer, order)]
        self.themes = self._themes()
        self.total = STAGES + len(self.themes)

    def make(self) -> Path:
        _check_exclusions(self.order)
        self.shop.geometry.check()
        if self.order.output.has_raster:
            self.shop.geometry.check_raster(self.order.output.dpi)
        extracted = self._stage("Import Template and Extract Features", self._extract)
        ground = self._stage("Prepare Elevation", self._ground)
        if ground.interval is not None:
            self._take_interval(ground.interval)
        self._stage("Generalize Features", self._generalise)
        shading = self._stage("Shade Relief", self._shade)
        contours = self._stage("Generate Contours", self._contours)
        spots = self._stage("Generate Spot Heights", self._spots)
        relief = [*contours, *spots]
        lettered = self._stage("Place Labels", self._label, relief)
        drawn = [self._stage(f"Draw {theme}", self._draw, theme, relief) for theme in self.themes]
        themes = [each for each in (shading, *drawn) if each is not None]
        if self.product.labels_theme not in self.order.excluded:
            themes.append(self._theme(self.product.labels_theme, "labels.pdf"))
        contents = self._contents(extracted, ground, lettered, relief)
        margins = self._stage(f"Draw {MARGIN}", self._frame, contents, extracted.made)
        page = Page(self.shop.geometry, Margins(*margins))
        self._stage("Assemble Product", self._assemble, page, themes, extracted.made)
        self._stage("Verify Product", self._verify, themes)
        path = self._stage("Export Product", self._export, page, relief, extracted.made)
        self.run.progress(1.0)
        return path

    def _stage(self, title: str, function: Callable[..., T], *arguments: object) -> T:
        """Do a stage, or take over what an earlier attempt has kept of it."""
        self.done += 1
        fraction = self.done / (self.total + 1)
        if self.run.has_done(title):
            return self.run.step(title, function, *arguments)
        self.run.message(f"Executing {title}")
        self.run.message(start_time())
        self.run.progress(fraction, title)
        with self.run.stage(title):
            return self.run.step(title, function, *arguments)

    # --- the stages ---

    def _extract(self) -> Extracted:
        notes = []
        points = []
        check_unchanged(self.order, self.order.vectors)
        for layer, frame in read_layers(self.order, self.shop.geometry, self._warn):
            self.shop.keep(RAW, layer, frame)
            points.append(shapely.get_coordinates(frame.geometry.array))
        if not self.order.vectors and not self.order.elevation:
            raise ValueError(
                "there is nothing to make a sheet from: name an OpenStreetMap extract or GeoPackage, and an "
                "elevation model, in the settings of the server"
            )
        if self.order.vectors:
            share = _covered(np.concatenate([*points, np.empty((0, 2))]), self.shop.geometry.neatline)
            if share < COVERED:
                what = "no features" if share < WORTH_TELLING else f"features in only {share:.0%}"
                names = ", ".join(Path(source.path).name for source in self.order.vectors)
                note = f"The sources ({names}) have {what} of the area of the sheet."
                self.run.message(note, level="warning")
                notes.append(f"Features cover {share:.0%} of the sheet.")
        return Extracted(made=datetime.now(UTC).replace(microsecond=0), notes=tuple(notes))

    def _ground(self) -> Ground:
        wanted = self._relief_wanted()
        if not wanted:
            return Ground()
        cure = (
            "name a GeoTIFF or .hgt file that covers it in the settings of the server, or exclude "
            f"{' and '.join(repr(each) for each in wanted)}"
        )
        if not self.order.elevation:
            raise ValueError(
                f"product {self.product.name} shows relief, but there is no elevation model: {cure}"
            )
        geometry = self.shop.geometry
        check_unchanged(self.order, self.order.elevation)
        heights = read_heights(self.order.elevation, geometry, self.shop.path("elevation"))
        xx, yy = np.meshgrid(heights.x[::4], heights.y[::4])
        inside = shapely.contains_xy(geometry.neatline, xx, yy)
        known = heights.values[::4, ::4][inside]
        unknown = float(np.isnan(known).mean())
        if unknown == 1:
            names = ", ".join(Path(source.path).name for source in self.order.elevation)
            raise ValueError(
                f"no elevation model has heights between {geometry.west:.3f} and {geometry.east:.3f} degrees of "
                f"longitude, {geometry.south:.3f} and {geometry.north:.3f} of latitude; there is {names}: {cure}"
            )
        heights.save(self.shop.path("heights.npz"))
        notes = []
        if unknown > WORTH_TELLING:
            notes.append(f"{_percent(unknown)} of the sheet has no elevation data and is hatched.")
            self.run.message(notes[-1], level="warning")
        if heights.filled > WORTH_TELLING:
            notes.append(
                f"Voids of the elevation model, {_percent(heights.filled)} of the sheet, were interpolated."
            )
            self.run.message(notes[-1])
        contours = self.product.relief.contours
        return Ground(
            lowest=float(np.nanmin(known)),
            highest=float(np.nanmax(known)),
            interval=interval_on(heights, contours, self.shop.scale) if contours else None,
            notes=tuple(notes),
        )

    def _take_interval(self, interval: float) -> None:
        """Go on with the interval of contours that the relief allows."""
        contours = self.product.relief.contours
        if contours and interval != contours.interval:
            self.run.message(
                f"The relief is steep: contours every {interval:g} m instead of {contours.interval:g} m."
            )
            relief = replace(self.product.relief, contours=replace(contours, interval=interval))
            self.product = replace(self.product, relief=relief)
            self.order = replace(self.order, product=self.product)

    def _generalise(self) -> None:
        beside = Beside(self.shop.scale)
        for number, layer in enumerate(in_order(self.layers)):
            frame = self.shop.features(RAW, layer)
            self.shop.keep(DRAWN, layer, generalise(layer, frame, self.shop.scale, beside))
            self._within((number + 1) / len(self.layers))

    def _shade(self) -> Theme | None:
        shading = self.product.relief.shading
        if shading is None or not wants_shading(self.order):
            return None
        ground = evened(self._heights(), self.product.relief.contours, self.shop.scale)
        path = self.shop.path("relief.jpg")
        frame = self.shop.geometry.frame
        bounds = shade(ground, shading, frame, path, self.order.output.jpeg_quality)
        return Theme(name=SHADING, file=path.name, kind="jpeg", bounds=bounds)

    def _contours(self) -> list[Layer]:
        if not self._has_heights():
            return []
        contours = self.product.relief.contours
        keep_off = contours.not_over if contours else ()
        lakes = [self.shop.features(DRAWN, layer) for layer in self.layers if layer.name in keep_off]
        found = contour_layers(self.order, self._heights(), self.shop.geometry, lakes)
        return [self.shop.keep(DRAWN, layer, frame) for layer, frame in found]

    def _spots(self) -> list[Layer]:
        if not self._has_heights():
            return []
        known = [self.shop.features(DRAWN, layer) for layer in self.layers if layer.geometry == "point"]
        found = spot_layers(self.order, self._heights(), self.shop.geometry, known)
        return [self.shop.keep(DRAWN, layer, frame) for layer, frame in found]

    def _label(self, relief: Sequence[Layer]) -> Lettered:
        layers = self.shop.all_features(DRAWN, [*relief, *self.layers])
        figures = [grid_figures(self.product.grid, self.shop.geometry)]
        heights = self._heights() if self._has_heights() else None
        placed, unplaced, unwritten = Labels([], {}, 0)
        if self.product.labels_theme not in self.order.excluded:
            placed, unplaced, unwritten = place_labels(
                [*layers, *figures], self.shop.geometry.neatline, self.shop.scale, heights, told=self._within
            )
            write_labels(placed, self.shop.geometry, self.shop.path("labels.pdf"))
        modelled = False
        for layer, frame in layers:
            kept = frame.drop(index=unplaced.get(layer.name, []))
            if layer.name == CONTOURS:
                kept = cut_out(kept, [each.shape for each in placed if each.layer == CONTOURS])
            self.shop.keep(FINAL, layer, kept)
            modelled |= heights is not None and names_ground(layer, kept)
        left = sum(len(each) for each in unplaced.values())
        if left:
            self.run.message(
                f"{len(placed)} labels were placed; {left} points were left out for want of room."
            )
        if unwritten:
            self.run.message(
                f"{unwritten} names are in a script that the type of the sheet lacks, have none in Latin letters, and were left out.",
                level="warning",
            )
        notes = (MODELLED,) if modelled and placed else ()
        return Lettered(count=len(placed), sample=self._sample(placed), notes=notes)

    def _draw(self, theme: str, relief: Sequence[Layer]) -> Theme | None:
        drawn = []
        folder = self.shop.path("drawn")
        folder.mkdir(exist_ok=True)
        for layer in (*relief, *self.layers):
            if layer.theme == theme:
                frame = self.shop.features(FINAL, layer)
                if len(frame):
                    drawn += draw_layer(layer, frame, folder, self.shop.scale)
        if not drawn:
            return None
        name = f"theme{self.product.themes.index(theme)}.pdf"
        render(self.run, drawn, self.shop.geometry, self.shop.path(name))
        return self._theme(theme, name)

    def _frame(self, contents: Contents, made: datetime) -> tuple[float, float, float, float]:
        page = draw_frame(self.order, self.shop.geometry, contents, made, self.shop.path("frame.pdf"))
        margins = page.margins
        return margins.left, margins.bottom, margins.right, margins.top

    def _assemble(self, page: Page, themes: Sequence[Theme], made: datetime) -> None:
        frame = self.shop.path("frame.pdf")
        assemble(self.shop.path("sheet.pdf"), page, self.shop.folder, themes, frame, self.order, made)

    def _verify(self, themes: Sequence[Theme]) -> None:
        """See to it that the PDF is sound and has its layers, before anybody is told that it is there."""
        with pikepdf.open(self.shop.path("sheet.pdf")) as pdf:
            problems = pdf.check_pdf_syntax()
            there = {str(each.Name) for each in pdf.Root.OCProperties.OCGs}
        missing = {theme.name for theme in themes} - there
        if problems or missing:
            raise RuntimeError(
                f"the PDF is not sound: {'; '.join(problems) or 'it lacks ' + ', '.join(sorted(missing))}"
            )

    def _export(self, page: Page, relief: Sequence[Layer], made: datetime) -> Path:
        output, pdf = self.order.output, self.shop.path("sheet.pdf")
        stem = _file_stem(self.order)
        target = self.folder / f"{stem}.{'tif' if output.type == 'tiff' else output.type}"
        match output.type:
            case "pdf":
                shutil.copyfile(pdf, target)
            case "tiff":
                write_geotiff(pdf, page, target, output.dpi, self._within)
            case "zip":
                files = {f"{stem}.pdf": pdf}
                if "raster" in output.files:
                    raster = self.shop.path("sheet.tif")
                    write_geotiff(pdf, page, raster, output.dpi, self._within)
                    files[f"{stem}.tif"] = raster
                if "data" in output.files:
                    data = self.shop.path("data.gpkg")
                    data.unlink(missing_ok=True)
                    for layer, frame in self.shop.all_features(FINAL, [*self.layers, *relief]):
                        pack_features(data, self.shop.geometry, layer.name, frame)
                    if data.exists():
                        files[f"{stem}.gpkg"] = data
                write_package(target, self.order, self.shop.geometry, files, made)
        return target

    # --- what they need ---

    def _warn(self, text: str) -> None:
        self.run.message(text, level="warning")

    def _within(self, share: float) -> None:
        """Progress within the stage that is going on."""
        self.run.progress((self.done + min(1.0, max(0.0, share))) / (self.total + 1))

    def _themes(self) -> list[str]:
        """The themes that may have something to draw."""
        relief = self.product.relief
        used = {layer.theme for layer in self.layers}
        if wants_contours(self.order):
            used.add(relief.theme)
        if relief.spot_heights and wants_spots(self.order):
            used.add(relief.spot_heights.theme)
        return [theme for theme in self.product.themes if theme in used]

    def _relief_wanted(self) -> list[str]:
        """What of the relief is to be drawn; by these names it can be excluded."""
        wanted = {
            SHADING: wants_shading(self.order),
            CONTOURS: wants_contours(self.order),
            SPOT_HEIGHTS: wants_spots(self.order),
        }
        return [name for name, is_wanted in wanted.items() if is_wanted]

    def _has_heights(self) -> bool:
        return self.shop.path("heights.npz").exists()

    def _heights(self) -> Heights:
        return Heights.load(self.shop.path("heights.npz"))

    def _theme(self, name: str, file: str) -> Theme:
        return Theme(name=name, file=file, kind="pdf", bounds=self.shop.geometry.frame)

    def _sample(self, placed: Sequence[Placed]) -> Place | None:
        """A place for the worked example: named, at a marker if possible, near the middle."""
        rules = {layer.name: layer.rules for layer in self.layers}
        best: tuple[tuple[bool, float], Place] | None = None
        for each in placed:
            if each.label.placement != "point" or each.layer not in rules:
                continue
            name = each.text.split("\n")[0]
            if not name[:1].isalpha():
                continue
            x, y = each.at
            marked = any(isinstance(symbol, Marker) for rule in rules[each.layer] for symbol in rule.symbols)
            key = (not marked, x * x + y * y)
            if best is None or key < best[0]:
                longitude, latitude = self.shop.geometry.lonlat_of_sheet(x, y)
                best = key, Place(name=name, longitude=float(longitude), latitude=float(latitude))
        return best[1] if best else None

    def _contents(
        self, extracted: Extracted, ground: Ground, lettered: Lettered, relief: Sequence[Layer]
    ) -> Contents:
        entries: dict[str, Entry] = {}
        neatline = self.shop.geometry.neatline
        order = list(reversed(self.product.themes))
        layers = sorted([*reversed(self.layers), *relief], key=lambda each: order.index(each.theme))
        for layer in layers:
            frame = self.shop.features(FINAL, layer)
            there = set(frame["rule"][frame.intersects(neatline)]) if len(frame) else set()
            for number, rule in enumerate(layer.rules):
                if rule.legend and number in there:
                    entry = Entry(
                        text=rule.legend,
                        geometry=layer.geometry,
                        symbols=rule.sample or rule.symbols,
                        theme=layer.theme,
                    )
                    entries.setdefault(rule.legend, entry)
        return Contents(
            legend=tuple(entries.values()),
            lowest=ground.lowest,
            highest=ground.highest,
            sample=lettered.sample,
            notes=(*extracted.notes, *ground.notes, *lettered.notes),
        )


def _check_exclusions(order: Order) -> None:
    product = order.product
    names = {SHADING, CONTOURS, SPOT_HEIGHTS, UNKNOWN, product.labels_theme, *product.themes}
    names |= {layer.name for layer in product.layers}
    wrong = sorted(set(order.excluded) - names)
    if wrong:
        raise ValueError(
            f"{wrong[0]!r} cannot be excluded: product {product.name} has no such layer; it has "
            f"{', '.join(sorted(names))}"
        )


def _covered(points: "np.ndarray[tuple[int, int], np.dtype[np.float64]]", neatline: gpd.GeoSeries) -> float:
    """About how much of a sheet lies among features, as a share."""
    if len(points) < 4:
        return 0.0
    hull = shapely.multipoints(points).convex_hull
    return float(hull.intersection(neatline).area / neatline.area)


def _percent(share: float) -> str:
    return f"{share:.1%}" if share < 0.1 else f"{share:.0%}"


def _file_stem(order: Order) -> str:
    """The name of the file that is handed over, of letters and digits that every system takes."""
    wanted = order.output_name or order.number or order.name or order.product.name
    stem = re.sub(r"[^\w.-]+", "_", wanted).encode()[:LONGEST_STEM].decode(errors="ignore")
    return stem.strip("._") or "sheet"
