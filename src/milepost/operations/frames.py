"""Feature and record sets as data frames, and data frames as feature and record sets.

What a data frame has no place for (aliases and exact types of fields, the geometry type of a
set without geometries, the number that named the spatial reference) rides along in
``frame.attrs["esri"]`` and is used again where it still fits.

A feature set without a spatial reference is in WGS 84 degrees (EPSG 4326). Where its coordinates
cannot be degrees it is refused rather than put somewhere on Earth.
"""

from itertools import chain, count
from typing import Any

try:
    import geopandas as gpd
    import numpy as np
    import pandas as pd
    import shapely

    from milepost.operations.columns import read_columns, write_columns
    from milepost.operations.geometries import from_esri, to_esri
    from milepost.operations.references import crs_of, reference_of
except ImportError as error:  # pragma: no cover - the tests run with the extra installed
    raise ImportError(
        f"data frames need the geoprocessing extra ({error}); install it with: pip install 'milepost[gp]'"
    ) from error

from milepost.operations.types import FeatureSet, RecordSet


def features_to_frame(features: FeatureSet) -> gpd.GeoDataFrame:
    """The features as a GeoDataFrame, one row each, in the order they came.

    Dates become UTC timestamps, whole numbers with gaps nullable integers, envelopes polygons. The
    geometry column is ``geometry``, or ``SHAPE`` when an attribute has that name.

    Raises:
        ValueError: a geometry, an attribute or the spatial reference does not fit; the text names it.
    """
    shapes = [feature.get("geometry") for feature in features.features]
    geometries = from_esri(features.geometry_type, shapes, has_z=features.has_z, has_m=features.has_m)
    reference = features.spatial_reference or next(
        (shape["spatialReference"] for shape in shapes if shape and shape.get("spatialReference")), {}
    )
    if not reference:
        _refuse_all_but_degrees(geometries)
    crs = crs_of(reference)
    columns = read_columns(features.fields, features.features)
    names = chain(("geometry", "SHAPE"), (f"SHAPE_{number}" for number in count(1)))
    name = next(each for each in names if each not in columns)
    frame = gpd.GeoDataFrame({**columns, name: geometries}, geometry=name, crs=crs)
    frame.attrs["esri"] = {
        "fields": features.fields,
        "displayFieldName": features.display_field_name,
        "geometryType": features.geometry_type,
        "spatialReference": reference,
    }
    return frame


def frame_to_features(frame: gpd.GeoDataFrame) -> FeatureSet:
    """The rows of a GeoDataFrame as features; the index is left out.

    Dates become milliseconds since 1970, NaN, NaT and infinities null, booleans 1 and 0.

    Raises:
        ValueError: no coordinate system, geometries of several types, or a column that has no Esri form.
    """
    if not isinstance(frame, gpd.GeoDataFrame) or frame.active_geometry_name is None:
        raise ValueError("the frame has no geometry column; make a RecordSet of it, or use set_geometry")
    if frame.crs is None:
        raise ValueError(
            "the frame has no coordinate reference system; name it with set_crs, such as frame.set_crs(4326)"
        )
    known = frame.attrs.get("esri", {})
    kind, shapes, has_z, has_m = to_esri(np.asarray(frame.geometry.array, dtype=object))
    fields, rows = write_columns(
        pd.DataFrame(frame).drop(columns=frame.geometry.name), known.get("fields", [])
    )
    reference = known.get("spatialReference") or {}
    return FeatureSet(
        geometry_type=kind or _type_of_nothing(known.get("geometryType")),
        spatial_reference=reference
        if reference and crs_of(reference) == frame.crs
        else reference_of(frame.crs),
        fields=fields,
        features=[{"attributes": row, "geometry": shape} for row, shape in zip(rows, shapes, strict=True)],
        has_z=has_z,
        has_m=has_m,
        display_field_name=_still_there(known.get("displayFieldName", ""), fields),
    )


def records_to_frame(records: RecordSet) -> pd.DataFrame:
    """The rows of a record set as a data frame; see ``features_to_frame`` for the types.

    Raises:
        ValueError: an attribute does not fit its field; the text names both.
    """
    frame = pd.DataFrame(read_columns(records.fields, records.features), index=range(len(records.features)))
    frame.attrs["esri"] = {"fields": records.fields}
    return frame


def frame_to_records(frame: pd.DataFrame) -> RecordSet:
    """The rows of a data frame as records; see ``frame_to_features`` for the types.

    Raises:
        ValueError: a column has no Esri form; the text names it.
    """
    fields, rows = write_columns(pd.DataFrame(frame), frame.attrs.get("esri", {}).get("fields", []))
    return RecordSet(fields=fields, features=[{"attributes": row} for row in rows])


def _refuse_all_but_degrees(geometries: Any) -> None:
    x, y = np.abs(shapely.get_coordinates(geometries)).T
    if (x > 360).any() or (y > 90).any():
        raise ValueError(
            "the features have no spatialReference and their coordinates are no degrees; "
            'name their system, such as {"wkid": 102100}'
        )


def _type_of_nothing(given: str | None) -> str:
    """The geometry type of a set without geometries."""
    if given is None:
        return "esriGeometryPoint"
    return "esriGeometryPolygon" if given == "esriGeometryEnvelope" else given


def _still_there(name: str, fields: list[dict[str, Any]]) -> str:
    return name if any(field["name"] == name for field in fields) else ""
