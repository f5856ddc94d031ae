"""Feature sets as the tools take them in and give them out."""

from collections.abc import Iterator
from typing import Any, Final, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from milepost import Run
from milepost.servers.geoprocessing.toolbox.measuring import Geometries, repair
from milepost.types import FeatureSet

Kind = Literal["point", "line", "polygon"]

CHUNK: Final = 256
"""Features that are worked on between two reports of progress, at most."""

_NAMES: Final[dict[Kind, str]] = {"point": "points", "line": "lines", "polygon": "polygons"}
_KINDS: Final[dict[str, Kind]] = {
    "esriGeometryPoint": "point",
    "esriGeometryMultipoint": "point",
    "esriGeometryPolyline": "line",
    "esriGeometryPolygon": "polygon",
    "esriGeometryEnvelope": "polygon",
}
_ESRI: Final[dict[Kind, str]] = {
    "point": "esriGeometryPoint",
    "line": "esriGeometryPolyline",
    "polygon": "esriGeometryPolygon",
}
_DIMENSION: Final[dict[Kind, int]] = {"point": 0, "line": 1, "polygon": 2}


def kind_of(features: FeatureSet) -> Kind:
    """Whether features are points, lines or polygons."""
    return _KINDS[features.geometry_type]


def read_layer(run: Run, features: FeatureSet, parameter: str, *kinds: Kind) -> gpd.GeoDataFrame:
    """The features that have a geometry, with all of these valid.

    What had to be repaired or left out is said in warnings, with numbers.

    Args:
        run: told the warnings.
        features: what a client gave.
        parameter: as what, for messages.
        kinds: the kinds of geometry that will do; any when there are none.

    Raises:
        ValueError: there is nothing to work on, or it is of another kind; the text names the parameter.
    """
    kind = kind_of(features)
    if kinds and kind not in kinds:
        wanted = " or ".join(_NAMES[each] for each in kinds)
        raise ValueError(f"Parameter '{parameter}' must hold {wanted}, not {_NAMES[kind]}")
    if not len(features):
        raise ValueError(f"Parameter '{parameter}' holds no features")
    frame = features.to_geodataframe()
    geometries = np.asarray(frame.geometry.array, dtype=object)
    nothing = shapely.is_missing(geometries) | shapely.is_empty(geometries)
    broken = ~nothing & ~shapely.is_valid(geometries)
    geometries[broken] = of_kind(repair(geometries[broken]), kind)
    lost = broken & shapely.is_empty(geometries)
    if broken.any() and not lost[broken].all():
        count = int((broken & ~lost).sum())
        run.message(
            f"{counted(count)} of '{parameter}' had an invalid geometry, which was repaired", level="warning"
        )
    for left_out, cause in ((nothing, "no geometry"), (lost, "a geometry without extent")):
        if left_out.any():
            run.message(
                f"{counted(int(left_out.sum()))} of '{parameter}' had {cause} and had to be left out",
                level="warning",
            )
    kept = ~(nothing | lost)
    if not kept.any():
        raise ValueError(f"Parameter '{parameter}' holds no features with a geometry")
    frame = frame.set_geometry(gpd.GeoSeries(geometries, index=frame.index, crs=frame.crs))
    return frame[kept].reset_index(drop=True)


def of_kind(geometries: Geometries, kind: Kind) -> Geometries:
    """The parts of geometries that are of a kind; empty ones where there are none."""
    parts, owner = shapely.get_parts(geometries, return_index=True)
    # A part of a part: collections may lie in collections.
    parts, inner = shapely.get_parts(parts, return_index=True)
    owner = owner[inner]
    fits = shapely.get_dimensions(parts) == _DIMENSION[kind]
    if fits.all():
        return geometries
    found = geometries.copy()
    for number in np.unique(owner[~fits]):
        found[number] = shapely.union_all(parts[(owner == number) & fits])
    return found


def write_layer(frame: gpd.GeoDataFrame, kind: Kind) -> FeatureSet:
    """The features of a result, each with an ``OBJECTID`` of its own, kept where it was there before."""
    column = next((name for name in frame.columns if str(name).upper() == "OBJECTID"), None)
    if column is None:
        frame = frame.copy()
        frame.insert(0, "OBJECTID", np.arange(1, len(frame) + 1, dtype=np.int32))
    elif not pd.api.types.is_integer_dtype(frame[column].dtype) or not _identifies(frame[column]):
        frame = frame.assign(**{column: np.arange(1, len(frame) + 1, dtype=np.int32)})
    known: dict[str, Any] = frame.attrs.get("esri", {})
    frame.attrs["esri"] = {**known, "geometryType": _ESRI[kind]}
    return FeatureSet.from_geodataframe(frame)


def name_fields(frame: gpd.GeoDataFrame, aliases: dict[str, str]) -> gpd.GeoDataFrame:
    """The frame, with names for people of some of its fields."""
    known: dict[str, Any] = frame.attrs.get("esri", {})
    others = [field for field in known.get("fields", []) if field.get("name") not in aliases]
    fields = [*others, *({"name": name, "alias": alias} for name, alias in aliases.items())]
    frame.attrs["esri"] = {**known, "fields": fields}
    return frame


def object_ids(frame: gpd.GeoDataFrame) -> np.ndarray[Any, np.dtype[np.int64]]:
    """What identifies the features: their ``OBJECTID``, or else their place in the order, from 1."""
    for name in frame.columns:
        whole = pd.api.types.is_integer_dtype(frame[name].dtype)
        if str(name).upper() == "OBJECTID" and whole and _identifies(frame[name]):
            return frame[name].to_numpy(dtype=np.int64)  # type: ignore[no-any-return]
    return np.arange(1, len(frame) + 1)


def chunks(run: Run, count: int, doing: str) -> Iterator[slice]:
    """Slices of ``count`` features, one after the other; progress is reported in between.

    Args:
        run: told the progress, and asked whether the work must stop.
        count: how many features there are.
        doing: what happens to them, such as ``Buffered``.
    """
    size = min(CHUNK, max(8, count // 50))
    for start in range(0, count, size):
        run.progress(start / count, f"{doing} {start} of {counted(count)}")
        yield slice(start, min(start + size, count))
    run.progress(1.0, f"{doing} {count} of {counted(count)}")


def unite(run: Run, geometries: Geometries) -> shapely.Geometry:
    """The union of geometries, made of the unions of neighbours so that it can be stopped in between."""
    order = (
        np.argsort(gpd.GeoSeries(geometries).hilbert_distance()) if len(geometries) > CHUNK else slice(None)
    )
    left = geometries[order]
    while len(left) > 1:
        united = []
        for start in range(0, len(left), CHUNK):
            run.check()
            united.append(shapely.union_all(left[start : start + CHUNK]))
        left = np.array(united, dtype=object)
    return left[0]


def _identifies(column: pd.Series) -> bool:
    return bool(column.notna().all() and column.is_unique)


def counted(number: int, what: str = "feature") -> str:
    """A number of things in words: ``1 feature``, ``2 features``."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
