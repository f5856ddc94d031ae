"""Attributes of features as columns of a data frame, and columns as attributes.

Esri's field types against those of pandas: dates are milliseconds since 1970 here and UTC timestamps
there, whole numbers with gaps are nullable integers, booleans have no type of their own and are 0 and 1.
"""

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, Final

import numpy as np
import pandas as pd
from pandas.api import types as dtypes

_TEXT: Final = pd.Series(["text"]).dtype
"""What pandas takes for text: ``str`` since pandas 3, ``object`` before."""
_WHOLE_NUMBERS: Final = {
    "esriFieldTypeSmallInteger": "int16",
    "esriFieldTypeInteger": "int32",
    "esriFieldTypeBigInteger": "int64",
    "esriFieldTypeOID": "int64",
}
_REAL_NUMBERS: Final = {"esriFieldTypeSingle": "float32", "esriFieldTypeDouble": "float64"}
_TEXTS: Final = (
    "esriFieldTypeString",
    "esriFieldTypeGUID",
    "esriFieldTypeGlobalID",
    "esriFieldTypeXML",
    "esriFieldTypeDateOnly",
    "esriFieldTypeTimeOnly",
    "esriFieldTypeTimestampOffset",
)
_FIRST_DATE: Final = -62_135_596_800_000  # 0001-01-01
_LAST_DATE: Final = 253_402_300_799_999  # 9999-12-31


def read_columns(fields: list[dict[str, Any]], features: Sequence[dict[str, Any]]) -> dict[str, pd.Series]:
    """A column for each field, and for each attribute that no field announces.

    Raises:
        ValueError: an attribute does not fit its field; the text names both.
    """
    rows: list[dict[str, Any]] = [feature.get("attributes") or {} for feature in features]
    kinds = {field["name"]: field.get("type", "") for field in fields if field.get("name")}
    names = [name for name, kind in kinds.items() if kind != "esriFieldTypeGeometry"]
    names += [name for name in dict.fromkeys(chain.from_iterable(rows)) if name not in kinds]
    return {name: _read_column(name, kinds.get(name, ""), [row.get(name) for row in rows]) for name in names}


def _read_column(name: str, kind: str, values: list[Any]) -> pd.Series:
    if kind in _WHOLE_NUMBERS:
        return _read_integers(name, kind, values)
    if kind in _REAL_NUMBERS:
        try:
            return pd.Series(np.array(values, dtype=_REAL_NUMBERS[kind]))
        except (TypeError, ValueError) as error:
            raise _misfit(name, kind, values, float) from error
    if kind == "esriFieldTypeDate":
        return _read_dates(name, values)
    if kind in _TEXTS:
        texts = [value if value is None or isinstance(value, str) else str(value) for value in values]
        return pd.Series(texts, dtype=_TEXT)
    return _read_undeclared(values)


def _read_integers(name: str, kind: str, values: list[Any]) -> pd.Series:
    try:
        numbers = [None if value is None else _whole(value) for value in values]
        # Clients put large numbers into fields of any integer type: the column grows instead of failing.
        limits = np.iinfo(_WHOLE_NUMBERS[kind])
        fit = all(number is None or limits.min <= number <= limits.max for number in numbers)
        dtype = _WHOLE_NUMBERS[kind] if fit else "int64"
        if None in numbers:
            return pd.Series(pd.array(numbers, dtype=dtype.replace("int", "Int")))
        return pd.Series(np.array(numbers, dtype=dtype))
    except (TypeError, ValueError, OverflowError) as error:
        raise _misfit(name, kind, values, _whole) from error


def _whole(value: Any) -> int:
    number = int(value)
    if isinstance(value, str) or number != value or not -(2**63) <= number < 2**63:
        raise ValueError(f"{value!r} is no whole number of 64 bits")
    return number


def _read_dates(name: str, values: list[Any]) -> pd.Series:
    nat = np.iinfo(np.int64).min
    try:
        milliseconds = np.array(
            [nat if value is None else _moment(value) for value in values], dtype=np.int64
        )
    except (TypeError, ValueError, OverflowError) as error:
        raise _misfit(name, "esriFieldTypeDate", values, _moment) from error
    return pd.Series(milliseconds.view("datetime64[ms]")).dt.tz_localize("UTC")


def _moment(value: Any) -> int:
    if isinstance(value, bool | str) or not _FIRST_DATE <= value <= _LAST_DATE:
        raise ValueError("a date is given in milliseconds since 1970")
    return int(value)


def _read_undeclared(values: list[Any]) -> pd.Series:
    kinds = {type(value) for value in values if value is not None}
    gaps = None in values
    if kinds == {int} and all(-(2**63) <= value < 2**63 for value in values if value is not None):
        return pd.Series(pd.array(values, dtype="Int64") if gaps else np.array(values, dtype=np.int64))
    if kinds and kinds <= {int, float}:
        return pd.Series(np.array(values, dtype=np.float64))
    if kinds == {bool}:
        return pd.Series(pd.array(values, dtype="boolean") if gaps else np.array(values, dtype=bool))
    texts = [value if value is None or isinstance(value, str) else str(value) for value in values]
    return pd.Series(texts, dtype=_TEXT)


def _misfit(name: str, kind: str, values: list[Any], fit: Callable[[Any], Any]) -> ValueError:
    for number, value in enumerate(values):
        try:
            if value is not None:
                fit(value)
        except (TypeError, ValueError, OverflowError):
            shown = repr(value) if len(repr(value)) <= 40 else repr(value)[:37] + "..."
            return ValueError(f"attribute {name!r} of feature {number} is {shown}, which is no {kind}")
    return ValueError(f"the values of attribute {name!r} do not fit {kind}")


def write_columns(
    frame: pd.DataFrame, known: list[dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The fields of a frame without geometry, and the attributes of each row.

    Args:
        frame: what to write; its index is left out.
        known: definitions of fields, used again where the values still fit them.

    Raises:
        ValueError: a column has no Esri form; the text names it.
    """
    names = [str(name) for name in frame.columns]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"the frame has several columns named {', '.join(sorted(twice))}; rename them")
    definitions = {field.get("name"): field for field in known}
    fields, columns = [], []
    for number, name in enumerate(names):
        kind, values = _write_column(name, frame.iloc[:, number])
        fields.append(_field(name, kind, values, definitions.get(name)))
        columns.append(values)
    if not columns:
        return [], [{} for _ in range(len(frame))]
    return fields, [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _field(name: str, kind: str, values: list[Any], known: dict[str, Any] | None) -> dict[str, Any]:
    """The definition of a field: the known one where the values still fit it."""
    if known and known.get("type") == kind:
        return known
    if known and known.get("type") in _TEXTS and kind == "esriFieldTypeString":
        return known
    identifies = name.upper() == "OBJECTID" or (known or {}).get("type") == "esriFieldTypeOID"
    if identifies and kind in _WHOLE_NUMBERS and None not in values and len(set(values)) == len(values):
        return known or {"name": name, "alias": name, "type": "esriFieldTypeOID"}
    field = {"name": name, "alias": (known or {}).get("alias", name), "type": kind}
    if kind == "esriFieldTypeString":
        field["length"] = max([255, *(len(value) for value in values if value is not None)])
    return field


def _write_column(name: str, column: pd.Series) -> tuple[str, list[Any]]:
    """The Esri type of a column, and its values in JSON form."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    if dtypes.is_object_dtype(column.dtype):
        column = _make_definite(name, column)
    dtype, missing = column.dtype, column.isna().to_numpy()
    if dtypes.is_bool_dtype(dtype):
        return "esriFieldTypeSmallInteger", _with_gaps(column, missing, int)
    if dtypes.is_integer_dtype(dtype):
        return _integer_type(name, column), _with_gaps(column, missing, int)
    if dtypes.is_float_dtype(dtype):
        missing = missing | ~np.isfinite(column.to_numpy(dtype=np.float64, na_value=np.nan))
        single = getattr(dtype, "itemsize", 8) <= 4
        return "esriFieldTypeSingle" if single else "esriFieldTypeDouble", _with_gaps(column, missing, float)
    if dtypes.is_datetime64_any_dtype(dtype):
        moments = column.dt.tz_convert("UTC").dt.tz_localize(None) if column.dt.tz is not None else column
        milliseconds = moments.to_numpy(dtype="datetime64[ms]").astype(np.int64)
        return "esriFieldTypeDate", _with_gaps(milliseconds, missing, int)
    if dtypes.is_string_dtype(dtype) or dtypes.is_object_dtype(dtype):
        return "esriFieldTypeString", _with_gaps(column, missing, str)
    raise ValueError(f"column {name!r} is of type {dtype}, which has no Esri form; convert or drop it")


def _with_gaps(column: Any, missing: Any, convert: Callable[[Any], Any]) -> list[Any]:
    values = column.tolist()
    if missing.any():
        return [None if gap else convert(value) for value, gap in zip(values, missing, strict=True)]
    return values if values and type(values[0]) is convert else [convert(value) for value in values]


def _integer_type(name: str, column: pd.Series) -> str:
    size = getattr(column.dtype, "itemsize", 8) * (2 if dtypes.is_unsigned_integer_dtype(column.dtype) else 1)
    if size > 8 and column.max() > np.iinfo(np.int64).max:
        raise ValueError(f"column {name!r} has whole numbers of more than 63 bits; convert it to text")
    if size <= 2:
        return "esriFieldTypeSmallInteger"
    return "esriFieldTypeInteger" if size <= 4 else "esriFieldTypeBigInteger"


def _make_definite(name: str, column: pd.Series) -> pd.Series:
    """A column of Python objects as one of a definite type."""
    match dtypes.infer_dtype(column, skipna=True):
        case "string" | "empty":
            return column
        case "integer":
            return column.astype("Int64")
        case "floating" | "mixed-integer-float" | "decimal":
            return column.astype("Float64")
        case "boolean":
            return column.astype("boolean")
        case "datetime" | "datetime64":
            return pd.to_datetime(column, utc=True)
        case "date" | "time":
            return column.map(lambda value: value.isoformat(), na_action="ignore")
        case mixed:
            raise ValueError(
                f"column {name!r} holds values of several or unknown kinds ({mixed}); convert it"
            )
