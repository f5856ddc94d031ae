"""Where a sheet is made: the files that the stages leave for each other in the folder of a job."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Final

import geopandas as gpd
import pyogrio

from milepost.servers.production.sheet.definition import Layer
from milepost.servers.production.sheet.drawing import SUFFIX, file_name, write_features
from milepost.servers.production.sheet.geometry import SheetGeometry
from milepost.servers.production.sheet.order import Order
from milepost.servers.production.sheet.terrain import Heights

RAW: Final = "extracted"
DRAWN: Final = "generalised"
FINAL: Final = "final"
"""Stages after which the features of layers are kept."""

HEIGHTS: Final = "heights.npz"
"""The file with the heights of the sheet, if something of it needs them."""


class Workshop:
    """The order, the geometry and the folder of a sheet that is being made."""

    def __init__(self, order: Order, folder: Path):
        self.order = order
        self.folder = folder / "sheet"
        self.folder.mkdir(parents=True, exist_ok=True)

    @cached_property
    def geometry(self) -> SheetGeometry:
        """Of the sheet.

        Raises:
            ValueError: no sheet of this scale can show the area.
        """
        return SheetGeometry.of(self.order.area, self.order.product.scale)

    @property
    def scale(self) -> int:
        """The denominator."""
        return self.order.product.scale

    def path(self, name: str) -> Path:
        """Of a file in the folder."""
        return self.folder / name

    def keep(self, stage: str, layer: Layer, frame: gpd.GeoDataFrame) -> Layer:
        """Keep the features of a layer as a stage leaves them; returns the layer."""
        folder = self.path(stage)
        folder.mkdir(exist_ok=True)
        write_features(frame, folder / f"{file_name(layer.name)}{SUFFIX}")
        return layer

    def features(self, stage: str, layer: Layer) -> gpd.GeoDataFrame:
        """The features of a layer as a stage left them; none when it left none."""
        path = self.path(stage) / f"{file_name(layer.name)}{SUFFIX}"
        if not path.exists():
            return gpd.GeoDataFrame({"rule": [], "level": []}, geometry=[])
        return pyogrio.read_dataframe(path)

    def all_features(self, stage: str, layers: Sequence[Layer]) -> list[tuple[Layer, gpd.GeoDataFrame]]:
        """The features of layers as a stage left them."""
        return [(layer, self.features(stage, layer)) for layer in layers]

    def heights(self) -> Heights | None:
        """Of the ground; None when nothing of the sheet needs them."""
        path = self.path(HEIGHTS)
        return Heights.load(path) if path.exists() else None
