"""What the stages of a sheet cost: about the seconds of one core, by how much there is to be done.

The numbers were measured with sheets of the sample, of Andorra and of the largest size, so that the progress of a
sheet is near a straight line over the time. Only their ratios count.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from milepost.servers.production.sheet.definition import Layer
from milepost.servers.production.sheet.geometry import POINTS_PER_METRE, SheetGeometry
from milepost.servers.production.sheet.order import Order
from milepost.servers.production.sheet.symbols import Fill

EXTRACT: Final = "Import Template and Extract Features"
ELEVATION: Final = "Prepare Elevation"
GENERALISE: Final = "Generalize Features"
SHADE: Final = "Shade Relief"
CONTOUR: Final = "Generate Contours"
SPOT: Final = "Generate Spot Heights"
LABEL: Final = "Place Labels"
ASSEMBLE: Final = "Assemble Product"
VERIFY: Final = "Verify Product"
EXPORT: Final = "Export Product"
"""The titles of stages, beside those that draw."""

_LEAST: Final = 0.03
"""Of a stage with nothing to do."""
_DRAW: Final = 0.25
"""Of a process that draws nearly nothing."""


def draw(theme: str) -> str:
    """The title of the stage that draws a theme."""
    return f"Draw {theme}"


def expected(order: Order, geometry: SheetGeometry, titles: Iterable[str]) -> dict[str, float]:
    """What stages cost, as far as can be told before anything was read.

    Args:
        order: of the sheet.
        geometry: of the sheet.
        titles: of its stages.
    """
    area = _area(geometry)
    size = sum(_megabytes(source.path) for source in order.vectors)
    known = {title: _DRAW for title in titles if title.startswith(draw(""))} | {
        EXTRACT: 0.4 + 8.0 * size,
        GENERALISE: 0.05 + 10.0 * size,
        LABEL: 0.3 + 0.05 * area + 3.0 * size,
        ASSEMBLE: 0.1 + 0.04 * area,
    }
    if order.output.has_raster:
        known[EXPORT] = (1.5 + 0.9 * area) * (order.output.dpi / 200) ** 2
    if order.elevation:
        known |= {ELEVATION: 0.13 * area, SHADE: 0.04 * area, CONTOUR: 0.13 * area, SPOT: 0.02 * area}
        known[draw(order.product.relief.theme)] = _DRAW + 0.1 * area
    return {title: max(_LEAST, known.get(title, _LEAST)) for title in titles}


def of_features(order: Order, geometry: SheetGeometry, vertices: Mapping[str, int]) -> dict[str, float]:
    """What the stages cost that deal with features, once these were read.

    Args:
        order: of the sheet.
        geometry: of the sheet.
        vertices: of the features of each layer, by its name.
    """
    area = _area(geometry)
    layers = [(layer, vertices.get(layer.name, 0) / 1000) for layer in order.product.layers]
    total = sum(thousands for _, thousands in layers)
    found = {
        GENERALISE: 0.05 + sum(generalising(layer, vertices) for layer in order.product.layers),
        LABEL: 0.3 + 0.05 * area + 0.06 * total,
    }
    for theme in {layer.theme for layer, _ in layers} - {order.product.relief.theme}:
        of_theme = [(layer, thousands) for layer, thousands in layers if layer.theme == theme and thousands]
        patterns = sum(
            min(0.2 * area, 0.8 * thousands) for layer, thousands in of_theme if _has_patterns(layer)
        )
        plain = 0.01 * sum(thousands for _, thousands in of_theme)
        found[draw(theme)] = _DRAW + plain + patterns if of_theme else _LEAST
    return found


def generalising(layer: Layer, vertices: Mapping[str, int]) -> float:
    """What the generalisation of a layer costs; lines that make room for each other cost most."""
    return 0.01 + (0.44 if layer.generalisation.displace else 0.02) * vertices.get(layer.name, 0) / 1000


def _has_patterns(layer: Layer) -> bool:
    return any(isinstance(each, Fill) and each.pattern for rule in layer.rules for each in rule.symbols)


def _area(geometry: SheetGeometry) -> float:
    """Square decimetres of the map on paper."""
    return geometry.width * geometry.height / POINTS_PER_METRE**2 * 100


def _megabytes(path: str) -> float:
    """Of features in a source; an extract of OpenStreetMap is packed more tightly than a GeoPackage."""
    try:
        size = Path(path).stat().st_size / 2**20
    except OSError:
        return 0.0  # that it is not there is told when it is read
    return size * (1.0 if path.lower().endswith(".pbf") else 0.1)
