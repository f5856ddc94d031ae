"""Features of the sources: read within the sheet, told apart by the rules of the product, in sheet metres."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pyproj
import shapely
from numpy.typing import NDArray

from milepost.servers.production.sheet.definition import Geometry, Layer, Product, Wanted
from milepost.servers.production.sheet.geometry import MM, SheetGeometry
from milepost.servers.production.sheet.order import Ancillary, Order
from milepost.servers.production.sheet.symbols import Label

MARGIN: Final = 5.0
"""Millimetres around the sheet from which features are read, so that what crosses the neatline is whole."""

TYPES: Final[dict[Geometry, tuple[str, ...]]] = {
    "point": ("Point", "MultiPoint"),
    "line": ("LineString", "MultiLineString", "LinearRing"),
    "polygon": ("Polygon", "MultiPolygon"),
    "outline": ("Polygon", "MultiPolygon", "LineString", "MultiLineString"),
}
"""The types of geometries that a layer of a kind takes."""

STRUCTURE_COLUMNS: Final = ("bridge", "tunnel", "covered", "layer")
"""Columns of OpenStreetMap that tell bridges and tunnels from the ground."""

OTHER_NAMES: Final = ("int_name", "name:en")
"""Columns with names in Latin letters, for those that cannot be written as they are."""

TAGS: Final = "other_tags"
"""Column in which GDAL keeps the tags of OpenStreetMap that have no column of their own."""

_TEMPLATE: Final = re.compile(r"\{([^{}]+)\}")
_LONGEST_EDGE: Final = 0.05
"""Degrees; longer edges are bent as the projection bends them."""


def columns_of(layer: Layer) -> tuple[str, ...]:
    """The columns of features that a layer needs."""
    names = {name for rule in layer.rules for each in rule.where for name in each}
    for rule in layer.rules:
        for symbol in rule.symbols:
            if isinstance(symbol, Label):
                names.update(name for each in template_columns(symbol.text) for name in each)
                names.update(filter(None, [symbol.weight]))
    if layer.structures:
        names.update(STRUCTURE_COLUMNS)
    if "name" in names:
        names.update(OTHER_NAMES)
    return tuple(sorted(names - {"height"}))


def template_columns(text: str) -> list[tuple[str, ...]]:
    """The columns that a text names, each with those that may stand in for it: ``{ele|height}``."""
    return [tuple(found.split("|")) for found in _TEMPLATE.findall(text)]


def filled(text: str, values: dict[str, Any]) -> str:
    """A text of a label with the values of a feature. A line with a value that is missing is left out."""

    def value(names: str) -> str:
        return next((str(values[name]) for name in names.split("|") if _there(values.get(name))), "\0")

    lines = (_TEMPLATE.sub(lambda found: value(found[1]), line) for line in text.split("\n"))
    return "\n".join(line for line in lines if "\0" not in line and line.strip())


def read_layers(
    order: Order,
    geometry: SheetGeometry,
    told: Callable[[str], None] = lambda _: None,
    used: Callable[[str], None] = lambda _: None,
) -> Iterator[tuple[Layer, gpd.GeoDataFrame]]:
    """The features of each layer of a product, those of no excluded layer.

    Args:
        order: of the sheet.
        geometry: of the sheet.
        told: a warning when a client adds features that fit no rule of the layer.
        used: told the path of a source from which a layer has features, maybe several times.

    Returns:
        Each layer with a frame in sheet metres: the columns that it names, ``rule`` (the number of the
        rule that took the feature) and ``level`` (-1 in a tunnel, 1 on a bridge, else 0).

    Raises:
        ValueError: a source cannot be read, or an ancillary layer fits no layer of the product.
    """
    wanted = [layer for layer in order.product.layers if not is_excluded(layer, order)]
    _check_ancillary(order.ancillary, order.product)
    reader = _Reader(geometry, sorted({name for layer in wanted for name in columns_of(layer)}))
    for layer in wanted:
        frames = []
        for source in order.vectors:
            for frame in reader.tables(Path(source.path), layer):
                frames.append(frame)
                if (_rules_of(layer, frame) >= 0).any():
                    used(source.path)
        for added in order.ancillary:
            if added.layer == layer.name:
                frames += reader.added(added, layer, told)
        yield layer, _selected(layer, frames, geometry)


def is_excluded(layer: Layer, order: Order) -> bool:
    """Whether an order leaves a layer out."""
    return bool({layer.name, layer.theme} & set(order.excluded))


def _check_ancillary(added: Iterable[Ancillary], product: Product) -> None:
    names = [layer.name for layer in product.layers]
    for each in added:
        if each.layer not in names:
            raise ValueError(
                f"an ancillary layer is to be drawn as {each.layer!r}, which product {product.name} does not have; "
                f"it has {', '.join(names)}"
            )


class _Reader:
    """Reads tables of files within a sheet, each table once."""

    def __init__(self, geometry: SheetGeometry, columns: Sequence[str]):
        self._bounds = geometry.lonlat_bounds(MARGIN * MM)
        self._columns = columns
        self._read: dict[tuple[Path, str], gpd.GeoDataFrame] = {}
        self._listed: dict[Path, list[tuple[str, str]]] = {}

    def tables(self, path: Path, layer: Layer) -> Iterator[gpd.GeoDataFrame]:
        """The tables of a file that may hold features of a layer, in degrees."""
        for name, kind in self._tables_of(path):
            if layer.table not in (None, name) or not _may_hold(kind, layer.geometry):
                continue
            frame = self._frame(path, name)
            yield frame[frame.geom_type.isin(TYPES[layer.geometry])]

    def added(self, added: Ancillary, layer: Layer, told: Callable[[str], None]) -> list[gpd.GeoDataFrame]:
        """What a client adds to a layer, from whichever table the layer takes its own."""
        whole = [self._frame(Path(added.path), name) for name, _ in self._tables_of(Path(added.path))]
        found = [frame[frame.geom_type.isin(TYPES[layer.geometry])] for frame in whole]
        count = sum(len(frame) for frame in whole)
        left = count - sum(int((_rules_of(layer, frame) >= 0).sum()) for frame in found)
        if left:
            fields = sorted({name for rule in layer.rules for each in rule.where for name in each})
            told(
                f"{left} of {count} features of ancillary layer {added.name!r} are not drawn: they fit no rule of"
                f" {layer.name!r}, a layer of kind {layer.geometry}"
                + (f" whose rules look at {', '.join(fields)}." if fields else ".")
            )
        return found

    def _frame(self, path: Path, name: str) -> gpd.GeoDataFrame:
        if (path, name) not in self._read:
            self._read[path, name] = self._table(path, name)
        return self._read[path, name]

    def _tables_of(self, path: Path) -> list[tuple[str, str]]:
        if path not in self._listed:
            if not path.is_file():
                raise ValueError(
                    f"there is no file {path.name}; see to the sources in the settings of the server"
                )
            try:
                self._listed[path] = [(str(n), str(k)) for n, k in pyogrio.list_layers(path)]
            except pyogrio.errors.DataSourceError as error:
                raise ValueError(
                    f"{path.name} holds no features that can be read; use a GeoPackage, an OpenStreetMap extract "
                    f"(.osm.pbf) or GeoJSON"
                ) from error
        return self._listed[path]

    def _table(self, path: Path, name: str) -> gpd.GeoDataFrame:
        about = pyogrio.read_info(path, layer=name)
        crs = pyproj.CRS.from_user_input(about["crs"] or 4326)
        there = list(about["fields"])
        columns = [each for each in [*self._columns, TAGS] if each in there]
        parts = []
        for box in _boxes(self._bounds):
            bounds = pyproj.Transformer.from_crs(4326, crs, always_xy=True).transform_bounds(*box)
            try:
                part = pyogrio.read_dataframe(path, layer=name, columns=columns, bbox=bounds)
            except pyogrio.errors.DataSourceError as error:
                raise ValueError(f"table {name} of {path.name} cannot be read: {error}") from error
            part = part[part.geometry.notna() & ~part.geometry.is_empty].set_crs(crs, allow_override=True)
            part = part.to_crs(4326)
            if len(part):
                part = part.set_geometry(_within(part.geometry.array, box), crs=4326)
            parts.append(part[~part.geometry.is_empty])
        frame = pd.concat(parts, ignore_index=True)
        for column in self._columns:
            if column not in frame:
                frame[column] = _tag(frame[TAGS], column) if TAGS in frame else None
        for column in self._columns:
            frame[column] = _sound(frame[column])
        if "ref" in frame:
            # A road with several numbers has them in one text; the first is that which is signposted.
            frame["ref"] = frame["ref"].astype("string").str.split(";").str[0].str.strip()
        if "ele" in frame:
            frame["ele"] = _heights(frame["ele"])
        for column in self._columns:
            # Nothing else than None is written to files as nothing.
            frame[column] = frame[column].astype(object).where(frame[column].notna(), None)
        return frame[[*self._columns, "geometry"]]


def _within(geometries: Any, box: tuple[float, float, float, float]) -> Any:
    """Geometries in degrees, sound, cut off outside of a box: what is far away cannot be projected."""
    geometries = np.asarray(geometries)
    broken = ~shapely.is_valid(geometries)
    geometries[broken] = shapely.make_valid(geometries[broken])
    inside = shapely.clip_by_rect(geometries, *box)
    return shapely.segmentize(inside, _LONGEST_EDGE)


def _boxes(bounds: tuple[float, float, float, float]) -> list[tuple[float, float, float, float]]:
    """The bounds as boxes of longitudes from -180 to 180: two across the antimeridian."""
    west, south, east, north = bounds
    south, north = max(south, -90.0), min(north, 90.0)
    if east > 180:
        return [(west, south, 180.0, north), (-180.0, south, east - 360, north)]
    if west < -180:
        return [(west + 360, south, 180.0, north), (-180.0, south, east, north)]
    return [(west, south, east, north)]


def _may_hold(kind: str, geometry: Geometry) -> bool:
    """Whether a table that is said to hold one kind of geometry may hold what a layer takes."""
    return kind.split(" ")[0] in (*TYPES[geometry], "Unknown", "GeometryCollection", "None", "")


def _tag(tags: "pd.Series[Any]", key: str) -> "pd.Series[Any]":
    found = tags.str.extract(rf'"{re.escape(key)}"=>"((?:[^"\\]|\\.)*)"')[0]
    return found.str.replace(r"\\(.)", r"\1", regex=True)


def _sound(values: "pd.Series[Any]") -> "pd.Series[Any]":
    """Values without those that only say that none is known."""
    said = values.astype("string").str.strip().str.lower()
    return values.where(~said.isin(["", "?", "fixme", "unknown", "null", "none"]).fillna(True), None)


def _heights(values: "pd.Series[Any]") -> "pd.Series[Any]":
    """Heights as whole metres in text, whatever follows the number; None where there is none."""
    numbers = pd.to_numeric(values.astype("string").str.extract(r"^\s*(-?\d+(?:\.\d+)?)")[0], errors="coerce")
    return numbers.round().map(lambda each: None if pd.isna(each) else str(int(each)))


def _selected(layer: Layer, frames: Sequence[gpd.GeoDataFrame], geometry: SheetGeometry) -> gpd.GeoDataFrame:
    """The features that a rule takes, projected."""
    columns = list(columns_of(layer))
    parts = []
    for frame in frames:
        rules = _rules_of(layer, frame)
        part = frame.loc[rules >= 0, [*columns, "geometry"]].copy()
        part["rule"] = rules[rules >= 0]
        part["level"] = _levels(part) if layer.structures else 0
        parts.append(part)
    if not parts:
        return gpd.GeoDataFrame({name: [] for name in [*columns, "rule", "level"]}, geometry=[])
    whole = pd.concat(parts, ignore_index=True)
    shapes = geometry.on_sheet(np.asarray(whole["geometry"].array))
    whole = gpd.GeoDataFrame(whole.drop(columns="geometry"), geometry=shapes).explode(ignore_index=True)
    kinds = {"outline": ("LineString", "Polygon")}.get(layer.geometry, TYPES[layer.geometry][:1])
    whole = whole[whole.geom_type.isin(kinds) & ~whole.geometry.is_empty]
    return whole.reset_index(drop=True)


def _rules_of(layer: Layer, frame: gpd.GeoDataFrame) -> NDArray[np.int64]:
    """The number of the first rule that takes each feature; -1 for none."""
    taken = np.full(len(frame), -1)
    for number, rule in enumerate(layer.rules):
        fits = np.zeros(len(frame), dtype=bool)
        for alternative in rule.where:
            all_of_it = np.ones(len(frame), dtype=bool)
            for column, wanted in alternative.items():
                all_of_it &= _holds(frame[column], wanted)
            fits |= all_of_it
        taken[fits & (taken < 0)] = number
    return taken


def _holds(values: "pd.Series[Any]", wanted: Wanted) -> NDArray[np.bool_]:
    """Which values of a column are as a rule wants them."""
    if isinstance(wanted, bool):
        there = values.notna() & ~values.astype("string").isin(["", "no", "0", "False", "false"]).fillna(
            False
        )
        return np.asarray(there if wanted else ~there, dtype=bool)
    if isinstance(wanted, int | float):
        return np.asarray(pd.to_numeric(values, errors="coerce") == wanted, dtype=bool)
    options = [wanted] if isinstance(wanted, str) else list(wanted)
    return np.asarray(values.astype("string").isin(options).fillna(False), dtype=bool)


def _levels(frame: gpd.GeoDataFrame) -> NDArray[np.int64]:
    below = _holds(frame["tunnel"], True) | _holds(frame["covered"], "yes")
    above = _holds(frame["bridge"], True) & ~below
    return above.astype(np.int64) - below.astype(np.int64)


def _there(value: Any) -> bool:
    return not pd.isna(value) and str(value) != ""
