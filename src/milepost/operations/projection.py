"""Features that an operation returned, in the spatial reference that a client asked for."""

import math
from typing import Any, Final

import msgspec

from milepost.operations.types import FeatureSet

OUTPUT_REFERENCE: Final = "outSR"
"""Attribute of a job: the Esri ``spatialReference`` in which features should come back."""

_LONGEST: Final = 20_000


def read_output_reference(text: str) -> dict[str, Any]:
    """The Esri ``spatialReference`` that a client asks for, as a number, as JSON or as well-known text.

    Raises:
        ValueError: it is not known, features cannot be brought into it, or this server cannot do it.
    """
    try:
        from milepost.operations.references import crs_of_text, reference_of
    except ImportError as error:
        raise ValueError(
            "this server cannot reproject features; it needs pip install 'milepost[gp]'"
        ) from error
    if len(text) > _LONGEST:
        raise ValueError("it is too long for a spatial reference")
    crs = crs_of_text(text)
    if not (crs.is_geographic or crs.is_projected):
        raise ValueError(f"{crs.name} is not a system of coordinates on the ground")
    return reference_of(crs)


def project(value: Any, reference: dict[str, Any]) -> Any:
    """The same feature set, or list of feature sets, in another spatial reference; other values as they are.

    Raises:
        ValueError: the features have none of their own, or some lie where the other one has no coordinates.
    """
    if isinstance(value, list):
        return [project(each, reference) for each in value]
    return _project(value, reference) if isinstance(value, FeatureSet) else value


def _project(features: FeatureSet, reference: dict[str, Any]) -> FeatureSet:
    from milepost.operations.references import crs_of

    crs = crs_of(reference)
    if not features.features:
        return msgspec.structs.replace(features, spatial_reference=reference)
    if features.spatial_reference and crs_of(features.spatial_reference) == crs:
        return features
    from pyproj.exceptions import ProjError

    from milepost.operations.frames import features_to_frame, frame_to_features

    try:
        frame = features_to_frame(features).to_crs(crs)
    except ProjError as error:
        raise ValueError(f"there is no way from their own into it ({error})") from error
    bounds = frame.total_bounds
    if any(map(math.isinf, bounds)):
        raise ValueError("some of the features lie where it has no coordinates")
    return frame_to_features(frame)
