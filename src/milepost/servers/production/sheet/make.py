"""Makes a map sheet: an order becomes a file, stage by stage, each kept so that a crash costs only one."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from milepost.operations import Run
from milepost.servers.production.sheet import costs
from milepost.servers.production.sheet.assemble import assemble
from milepost.servers.production.sheet.beside import Beside, in_order
from milepost.servers.production.sheet.contents import Contents, Place, Theme
from milepost.servers.production.sheet.definition import (
    CONTOURS,
    MARGIN,
    SHADING,
    SPOT_HEIGHTS,
    UNKNOWN,
    Layer,
)
from milepost.servers.production.sheet.delivery import export, verify
from milepost.servers.production.sheet.drawing import draw_layer
from milepost.servers.production.sheet.frame import draw_frame
from milepost.servers.production.sheet.generalise import generalise
from milepost.servers.production.sheet.grid_figures import grid_figures
from milepost.servers.production.sheet.labels import Labels, names_ground, place_labels
from milepost.servers.production.sheet.lettering import write_labels
from milepost.servers.production.sheet.order import Order
from milepost.servers.production.sheet.page import Margins, Page
from milepost.servers.production.sheet.relief import (
    contour_layers,
    cut_out,
    evened,
    spot_layers,
    wants_contours,
    wants_hatch,
    wants_shading,
    wants_spots,
)
from milepost.servers.production.sheet.render import render
from milepost.servers.production.sheet.shading import shade
from milepost.servers.production.sheet.sources import is_excluded
from milepost.servers.production.sheet.staging import Stages
from milepost.servers.production.sheet.surveying import (
    Extracted,
    Ground,
    contributing,
    extract,
    prepare_ground,
)
from milepost.servers.production.sheet.telling import legend, sample
from milepost.servers.production.sheet.workshop import DRAWN, FINAL, RAW, Workshop

MODELLED: Final = "Heights of points for which the sources give none are those of the elevation model."
"""Note of a sheet: not every figure was surveyed."""


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
        MemoryError: there is not enough memory for it.
    """
    return _Maker(run, order, folder).make()


def stage_costs(order: Order, shop: Workshop) -> dict[str, float]:
    """The titles of the stages of a sheet, in their order, and about what each costs."""
    titles = [
        *(costs.EXTRACT, costs.ELEVATION, costs.GENERALISE, costs.SHADE, costs.CONTOUR, costs.SPOT),
        costs.LABEL,
        *(costs.draw(theme) for theme in (*_themes(order), MARGIN)),
        *(costs.ASSEMBLE, costs.VERIFY, costs.EXPORT),
    ]
    return costs.expected(order, shop.geometry, titles)


class _Maker:
    """One attempt at one sheet."""

    def __init__(self, run: Run, order: Order, folder: Path):
        self.run, self.order, self.folder = run, order, folder
        self.product = order.product
        self.shop = Workshop(order, folder)
        self.layers = [layer for layer in self.product.layers if not is_excluded(layer, order)]

    def make(self) -> Path:
        _check_exclusions(self.order)
        self.shop.geometry.check()
        if self.order.output.has_raster:
            self.shop.geometry.check_raster(self.order.output.dpi)
        self.stages = stages = Stages(self.run, self.shop.folder, stage_costs(self.order, self.shop))
        extracted = stages.do(costs.EXTRACT, extract, self.run, self.shop, stages.within)
        stages.expect(costs.of_features(self.order, self.shop.geometry, extracted.vertices))
        ground = stages.do(costs.ELEVATION, prepare_ground, self.run, self.shop)
        self.order = self.shop.order = contributing(self.order, extracted, ground)
        if ground.interval is not None:
            self._take_interval(ground.interval)
        stages.do(costs.GENERALISE, self._generalise, extracted.vertices)
        shading = stages.do(costs.SHADE, self._shade)
        contours = stages.do(costs.CONTOUR, self._contours)
        spots = stages.do(costs.SPOT, self._spots)
        relief = [*contours, *spots]
        lettered = stages.do(costs.LABEL, self._label, relief)
        drawn = [stages.do(costs.draw(theme), self._draw, theme, relief) for theme in _themes(self.order)]
        themes = [each for each in (shading, *drawn) if each is not None]
        if self.product.labels_theme not in self.order.excluded:
            themes.append(self._theme(self.product.labels_theme, "labels.pdf"))
        contents = self._contents(extracted, ground, lettered, relief)
        margins = stages.do(costs.draw(MARGIN), self._frame, contents, extracted.made)
        page = Page(self.shop.geometry, Margins(*margins))
        stages.do(costs.ASSEMBLE, self._assemble, page, themes, extracted.made)
        stages.do(costs.VERIFY, verify, self.shop.path("sheet.pdf"), themes)
        path = stages.do(costs.EXPORT, self._export, page, relief, extracted.made)
        self.run.progress(1.0)
        return path

    def _take_interval(self, interval: float) -> None:
        """Go on with the interval of contours that the relief allows."""
        contours = self.product.relief.contours
        if contours and interval != contours.interval:
            self.run.message(
                f"The relief is steep: contours every {interval:g} m instead of {contours.interval:g} m."
            )
            relief = replace(self.product.relief, contours=replace(contours, interval=interval))
            self.product = replace(self.product, relief=relief)
            self.order = self.shop.order = replace(self.order, product=self.product)

    # --- the stages ---

    def _generalise(self, vertices: Mapping[str, int]) -> None:
        beside = Beside(self.shop.scale)
        whole, done = sum(costs.generalising(layer, vertices) for layer in self.layers), 0.0
        for layer in in_order(self.layers):
            frame = self.shop.features(RAW, layer)
            self.shop.keep(DRAWN, layer, generalise(layer, frame, self.shop.scale, beside))
            done += costs.generalising(layer, vertices)
            self.stages.within(done / whole)

    def _shade(self) -> Theme | None:
        shading = self.product.relief.shading
        if shading is None or not wants_shading(self.order):
            return None
        heights = self.shop.heights()
        assert heights is not None
        ground = evened(heights, self.product.relief.contours, self.shop.scale)
        path = self.shop.path("relief.jpg")
        frame = self.shop.geometry.frame
        bounds = shade(ground, shading, frame, path, self.order.output.jpeg_quality)
        return Theme(name=SHADING, file=path.name, kind="jpeg", bounds=bounds)

    def _contours(self) -> list[Layer]:
        heights = self.shop.heights()
        if heights is None:
            return []
        contours = self.product.relief.contours
        keep_off = contours.not_over if contours else ()
        lakes = [self.shop.features(DRAWN, layer) for layer in self.layers if layer.name in keep_off]
        found = contour_layers(self.order, heights, self.shop.geometry, lakes)
        return [self.shop.keep(DRAWN, layer, frame) for layer, frame in found]

    def _spots(self) -> list[Layer]:
        heights = self.shop.heights()
        if heights is None:
            return []
        known = [self.shop.features(DRAWN, layer) for layer in self.layers if layer.geometry == "point"]
        found = spot_layers(self.order, heights, self.shop.geometry, known)
        return [self.shop.keep(DRAWN, layer, frame) for layer, frame in found]

    def _label(self, relief: Sequence[Layer]) -> Lettered:
        layers = self.shop.all_features(DRAWN, [*relief, *self.layers])
        figures = [grid_figures(self.product.grid, self.shop.geometry)]
        heights = self.shop.heights()
        placed, unplaced, unwritten = Labels([], {}, 0)
        if self.product.labels_theme not in self.order.excluded:
            placed, unplaced, unwritten = place_labels(
                [*layers, *figures],
                self.shop.geometry.neatline,
                self.shop.scale,
                heights,
                told=self.stages.within,
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
        return Lettered(
            count=len(placed), sample=sample(self.shop, [*relief, *self.layers], placed), notes=notes
        )

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

    def _export(self, page: Page, relief: Sequence[Layer], made: datetime) -> Path:
        layers = [*self.layers, *relief]
        return export(self.shop, self.folder, page, layers, made, self.stages.within)

    # --- what they need ---

    def _theme(self, name: str, file: str) -> Theme:
        return Theme(name=name, file=file, kind="pdf", bounds=self.shop.geometry.frame)

    def _contents(
        self, extracted: Extracted, ground: Ground, lettered: Lettered, relief: Sequence[Layer]
    ) -> Contents:
        return Contents(
            legend=legend(self.shop, self.layers, relief),
            lowest=ground.lowest,
            highest=ground.highest,
            sample=lettered.sample,
            notes=(*extracted.notes, *ground.notes, *lettered.notes),
        )


def _themes(order: Order) -> list[str]:
    """The themes that may have something to draw."""
    relief = order.product.relief
    used = {layer.theme for layer in order.product.layers if not is_excluded(layer, order)}
    relief_drawn = wants_shading(order) or wants_contours(order) or wants_spots(order)
    if wants_contours(order) or (relief_drawn and wants_hatch(order)):
        used.add(relief.theme)
    if relief.spot_heights and wants_spots(order):
        used.add(relief.spot_heights.theme)
    return [theme for theme in order.product.themes if theme in used]


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
