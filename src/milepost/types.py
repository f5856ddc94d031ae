"""The types that parameters of operations can have, beside Python's own."""

from milepost.operations.types import Choices, DataFile, Doc, FeatureSet, LinearUnit, Range, Raster, RecordSet

__all__ = ["Choices", "DataFile", "Doc", "FeatureSet", "LinearUnit", "Range", "Raster", "RecordSet"]
