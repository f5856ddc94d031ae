"""Statistics of attributes by group, as tools that merge features or sum them up give them."""

from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api import types as dtypes

STATISTICS: Final = ("SUM", "MEAN", "MIN", "MAX", "STD", "COUNT")


class Statistic(NamedTuple):
    """One statistic of one field."""

    field: str
    function: str
    """One of ``STATISTICS``."""

    @property
    def name(self) -> str:
        """The field that holds it in the result."""
        return f"{self.function}_{self.field}"


def parse_statistics(texts: list[str] | None, frame: pd.DataFrame) -> list[Statistic]:
    """The statistics that texts such as ``population SUM`` ask for.

    Raises:
        ValueError: a field does not exist, is of a type without such a statistic, or a text is no statistic.
    """
    return [_parse(text, frame) for text in dict.fromkeys(texts or [])]


def summarize(
    frame: pd.DataFrame, rows: NDArray[np.intp], groups: NDArray[np.intp], statistics: list[Statistic]
) -> pd.DataFrame:
    """COUNT, and the statistics, of the rows of each group.

    Args:
        frame: the attributes.
        rows: numbers of rows of the frame; a row may come several times.
        groups: the group that each of them is in.
        statistics: what to calculate. Values that are null do not count.

    Returns:
        A row for each group that has any, with its number as the index.
    """
    table = frame.iloc[rows]
    columns: dict[str, Any] = {"COUNT": pd.Series(groups).groupby(groups).size().astype(np.int32)}
    for each in statistics:
        values = table[each.field].reset_index(drop=True).groupby(groups)
        if each.function == "SUM":
            columns[each.name] = values.sum(min_count=1)
        elif each.function == "COUNT":
            columns[each.name] = values.count().astype(np.int32)
        else:
            columns[each.name] = values.agg(each.function.lower())
    return pd.DataFrame(columns)


def _parse(text: str, frame: pd.DataFrame) -> Statistic:
    field, _, function = text.strip().rpartition(" ")
    field, function = field.strip(), function.upper()
    if function not in STATISTICS or not field:
        raise ValueError(
            f"Parameter 'statistics' has {text!r}; give a field and one of {', '.join(STATISTICS)}, "
            'such as "population SUM"'
        )
    if field not in frame.columns:
        raise ValueError(f"Parameter 'statistics' names the field {field!r}; {fields_of(frame)}")
    dtype = frame[field].dtype
    dated = dtypes.is_datetime64_any_dtype(dtype) and function in ("MIN", "MAX")
    if function != "COUNT" and not dated and not dtypes.is_numeric_dtype(dtype):
        raise ValueError(
            f"Parameter 'statistics' asks for the {function} of {field!r}, which holds no numbers"
        )
    return Statistic(field, function)


def fields_of(frame: pd.DataFrame) -> str:
    """What fields there are, in words."""
    geometry = getattr(frame, "active_geometry_name", None)
    names = [str(name) for name in frame.columns if name != geometry]
    return f"the fields are {', '.join(names)}" if names else "there are no fields"
