"""What the sources have of a sheet: its features and its ground, and what the reader must be told of gaps."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import shapely
from msgspec import Struct
from msgspec.structs import replace

from milepost.operations import Run
from milepost.servers.production.sheet.definition import CONTOURS, SHADING, SPOT_HEIGHTS
from milepost.servers.production.sheet.order import Order
from milepost.servers.production.sheet.relief import (
    interval_on,
    wants_contours,
    wants_hatch,
    wants_shading,
    wants_spots,
)
from milepost.servers.production.sheet.sources import read_layers
from milepost.servers.production.sheet.stamps import check_unchanged
from milepost.servers.production.sheet.terrain import read_heights
from milepost.servers.production.sheet.workshop import HEIGHTS, RAW, Workshop

WORTH_TELLING: Final = 0.001
"""Share of a sheet: that much without heights, or with interpolated ones, the reader is told."""
COVERED: Final = 0.85
"""Share of a sheet that features should cover for it to count as whole."""


class Extracted(Struct, frozen=True, kw_only=True):
    """What was read."""

    made: datetime
    """When the sheet was begun, in UTC."""
    notes: tuple[str, ...] = ()
    vertices: dict[str, int] = {}
    """Of the features of each layer, by its name."""
    sources: frozenset[str] = frozenset()
    """Paths of those that had features."""


class Ground(Struct, frozen=True, kw_only=True):
    """What is known of the heights."""

    lowest: float | None = None
    highest: float | None = None
    interval: float | None = None
    """Metres from contour to contour."""
    notes: tuple[str, ...] = ()
    sources: frozenset[str] = frozenset()
    """Paths of those that had heights."""


def extract(run: Run, shop: Workshop, within: Callable[[float], None]) -> Extracted:
    """Read the features of a sheet, and keep them layer by layer.

    Args:
        run: told warnings.
        shop: where the sheet is made.
        within: told the share of the work that is done.

    Raises:
        ValueError: there is nothing to read, or it cannot be read; the text says what to do.
    """
    order, geometry = shop.order, shop.geometry
    notes = []
    points: list[Any] = []
    vertices: dict[str, int] = {}
    used: set[str] = set()
    check_unchanged(order, order.vectors)
    for layer, frame in read_layers(
        order, geometry, lambda text: run.message(text, level="warning"), used.add
    ):
        shop.keep(RAW, layer, frame)
        points.append(shapely.get_coordinates(frame.geometry.array))
        vertices[layer.name] = len(points[-1])
        within(len(points) / len(order.product.layers))
    if not order.vectors and not order.elevation:
        raise ValueError(
            "there is nothing to make a sheet from: name an OpenStreetMap extract or GeoPackage, and an "
            "elevation model, in the settings of the server"
        )
    if order.vectors:
        share = _covered(np.concatenate([*points, np.empty((0, 2))]), geometry.neatline)
        if share < COVERED:
            what = "no features" if share < WORTH_TELLING else f"features in only {share:.0%}"
            names = ", ".join(Path(source.path).name for source in order.vectors)
            run.message(f"The sources ({names}) have {what} of the area of the sheet.", level="warning")
            notes.append(f"Features cover {share:.0%} of the sheet.")
    return Extracted(
        made=datetime.now(UTC).replace(microsecond=0),
        notes=tuple(notes),
        vertices=vertices,
        sources=frozenset(used),
    )


def prepare_ground(run: Run, shop: Workshop) -> Ground:
    """Read the heights of a sheet, if something of it needs them, and keep them.

    Args:
        run: told what is missing.
        shop: where the sheet is made.

    Raises:
        ValueError: there are none, or they cannot be read; the text says what to do.
    """
    order, geometry = shop.order, shop.geometry
    wanted = _relief_wanted(order)
    if not wanted:
        return Ground()
    cure = (
        "name a GeoTIFF or .hgt file that covers it in the settings of the server, or exclude "
        f"{' and '.join(repr(each) for each in wanted)}"
    )
    if not order.elevation:
        raise ValueError(
            f"product {order.product.name} shows relief, but there is no elevation model: {cure}"
        )
    check_unchanged(order, order.elevation)
    used: set[str] = set()
    heights = read_heights(order.elevation, geometry, shop.path("elevation"), used.add)
    known = heights.within(geometry.neatline)
    unknown = float(np.isnan(known).mean())
    if unknown == 1:
        names = ", ".join(Path(source.path).name for source in order.elevation)
        raise ValueError(
            f"no elevation model has heights between {geometry.west:.3f} and {geometry.east:.3f} degrees of "
            f"longitude, {geometry.south:.3f} and {geometry.north:.3f} of latitude; there is {names}: {cure}"
        )
    heights.save(shop.path(HEIGHTS))
    notes = []
    if unknown > WORTH_TELLING:
        drawn = "hatched" if wants_hatch(order) else "left blank"
        notes.append(f"{_percent(unknown)} of the sheet has no elevation data and is {drawn}.")
        run.message(notes[-1], level="warning")
    if heights.filled > WORTH_TELLING:
        notes.append(
            f"Voids of the elevation model, {_percent(heights.filled)} of the sheet, were interpolated."
        )
        run.message(notes[-1])
    contours = order.product.relief.contours
    return Ground(
        lowest=float(np.nanmin(known)),
        highest=float(np.nanmax(known)),
        interval=interval_on(heights, contours, shop.scale) if contours else None,
        notes=tuple(notes),
        sources=frozenset(used),
    )


def contributing(order: Order, extracted: Extracted, ground: Ground) -> Order:
    """An order with those sources alone that something on the sheet is from: it credits no others.

    Raises:
        ValueError: nothing is on the sheet; the text says what to do.
    """
    if ground.lowest is None and not any(extracted.vertices.values()):
        names = ", ".join(Path(source.path).name for source in order.vectors) or "none are named"
        raise ValueError(
            f"the sheet would be empty: no relief is drawn, and no source has features in the area ({names}); name an"
            " OpenStreetMap extract or GeoPackage that covers it in the settings of the server, or leave less out"
        )
    return replace(
        order,
        vectors=tuple(each for each in order.vectors if each.path in extracted.sources),
        elevation=tuple(each for each in order.elevation if each.path in ground.sources),
    )


def _relief_wanted(order: Order) -> Sequence[str]:
    """What of the relief is to be drawn; by these names it can be excluded."""
    wanted = {
        SHADING: wants_shading(order),
        CONTOURS: wants_contours(order),
        SPOT_HEIGHTS: wants_spots(order),
    }
    return [name for name, is_wanted in wanted.items() if is_wanted]


def _covered(points: "np.ndarray[tuple[int, int], np.dtype[np.float64]]", neatline: Any) -> float:
    """About how much of a sheet lies among features, as a share."""
    if len(points) < 4:
        return 0.0
    hull = shapely.multipoints(points).convex_hull
    return float(hull.intersection(neatline).area / neatline.area)


def _percent(share: float) -> str:
    return f"{share:.1%}" if share < 0.1 else f"{share:.0%}"
