"""Reading a layer: features, counts, ids, extents, distinct values and statistics."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import Connection
from typing import Any, Final, NamedTuple

import msgspec

from milepost.features import blobs
from milepost.features.definition import Layer
from milepost.features.errors import FeatureError
from milepost.features.fields import Field, FieldType, told
from milepost.features.geopackage import SHAPE, reading
from milepost.features.literals import Clause
from milepost.features.selection import Selection, condition
from milepost.operations.geometries import Geometries

STATISTICS: Final = ("count", "sum", "min", "max", "avg", "stddev", "var")
"""What can be asked of the values of a field."""

_NAME: Final = re.compile(r"\w{1,100}")
_NUMBERS: Final = (
    FieldType.OBJECT_ID,
    FieldType.SHORT,
    FieldType.LONG,
    FieldType.BIG,
    FieldType.SINGLE,
    FieldType.DOUBLE,
)


class Order(NamedTuple):
    """A field to sort by."""

    name: str
    descending: bool = False


class Statistic(NamedTuple):
    """A statistic over the values of a field."""

    kind: str
    """One of ``STATISTICS``."""
    field: str
    name: str
    """What the answer calls it."""


class Features(msgspec.Struct, frozen=True):
    """Features that a query found."""

    fields: tuple[Field, ...]
    rows: list[dict[str, Any]]
    """The attributes of each, as clients get them."""
    geometries: Geometries | None = None
    """Of each, in the spatial reference of the service; None when they were not asked for."""
    more: bool = False
    """Whether there are more than these."""


class FeatureLayer:
    """A layer of a feature service, to be read. Every call sees the layer as it is at that moment."""

    def __init__(self, path: Path, number: int, layer: Layer):
        """The layer ``number`` of the file at ``path``."""
        self._path = path
        self.id: Final = number
        self.definition: Final = layer

    def features(
        self,
        selection: Selection | None = None,
        *,
        names: Sequence[str] | None = None,
        order: Sequence[Order] = (),
        offset: int = 0,
        limit: int | None = None,
        shapes: bool = True,
        distinct: bool = False,
    ) -> Features:
        """Features, sorted as asked and then by their ids.

        Args:
            selection: which; all if None.
            names: of the fields; all if None.
            order: what to sort by.
            offset: how many to pass over.
            limit: how many to give; all if None.
            shapes: whether with their geometries.
            distinct: whether each combination of the fields counts once; there are no geometries then.

        Raises:
            FeatureError: the layer cannot be asked that.
        """
        layer = self.definition
        fields = self._fields(names)
        shapes = shapes and layer.geometry is not None and not distinct
        columns = [f'"{each.name}"' for each in fields] + ([f'"{SHAPE}"'] if shapes else [])
        sorting = [self._sorting(each) for each in order]
        if not distinct:
            sorting.append(f'"{layer.object_id}"')
        elif not fields:
            raise FeatureError("distinct values need the names of the fields")
        tail = f" ORDER BY {', '.join(sorting or columns)} LIMIT ? OFFSET ?"
        window = (-1 if limit is None else limit + 1, offset)
        with self._asking(selection) as (connection, which):
            rows = connection.execute(
                f'SELECT {"DISTINCT " if distinct else ""}{", ".join(columns) or "NULL"} FROM "{layer.name}"'
                f" WHERE {which.sql}{tail}",
                (*which.values, *window),
            ).fetchall()
        more = limit is not None and len(rows) > limit
        if more:
            rows.pop()
        shown = [each.name for each in fields]
        moments = [each.name for each in fields if each.type is FieldType.MOMENT]
        found = [dict(zip(shown, row, strict=False)) for row in rows]
        for row in found:
            for name in moments:
                row[name] = told(FieldType.MOMENT, row[name])
        forms = blobs.geometries([row[-1] for row in rows]) if shapes else None
        return Features(fields, found, forms, more)

    def count(self, selection: Selection | None = None, *, distinct: Sequence[str] | None = None) -> int:
        """How many features there are, or how many combinations of values of some fields.

        Raises:
            FeatureError: the layer cannot be asked that.
        """
        what = f'"{self.definition.name}" WHERE '
        with self._asking(selection) as (connection, which):
            if distinct is not None:
                columns = ", ".join(f'"{each.name}"' for each in self._fields(distinct))
                statement = f"SELECT count(*) FROM (SELECT DISTINCT {columns} FROM {what}{which.sql})"
            else:
                statement = f"SELECT count(*) FROM {what}{which.sql}"
            return int(connection.execute(statement, which.values).fetchone()[0])

    def ids(self, selection: Selection | None = None, *, order: Sequence[Order] = ()) -> list[int]:
        """The object ids of features, all of them.

        Raises:
            FeatureError: the layer cannot be asked that.
        """
        name = f'"{self.definition.object_id}"'
        sorting = ", ".join([*(self._sorting(each) for each in order), name])
        with self._asking(selection) as (connection, which):
            return [
                row[0]
                for row in connection.execute(
                    f'SELECT {name} FROM "{self.definition.name}" WHERE {which.sql} ORDER BY {sorting}',
                    which.values,
                )
            ]

    def extent(self, selection: Selection | None = None) -> tuple[int, blobs.Bounds | None]:
        """How many features there are, and their bounds in the spatial reference of the service.

        Raises:
            FeatureError: the layer cannot be asked that.
        """
        if self.definition.geometry is None:
            return self.count(selection), None
        limits = ", ".join(
            f'{function}(ST_{name}("{SHAPE}"))'
            for function, name in (("min", "MinX"), ("min", "MinY"), ("max", "MaxX"), ("max", "MaxY"))
        )
        with self._asking(selection) as (connection, which):
            count, *bounds = connection.execute(
                f'SELECT count(*), {limits} FROM "{self.definition.name}" WHERE {which.sql}', which.values
            ).fetchone()
        return count, None if bounds[0] is None else (bounds[0], bounds[1], bounds[2], bounds[3])

    def statistics(
        self,
        statistics: Sequence[Statistic],
        selection: Selection | None = None,
        *,
        groups: Sequence[str] = (),
        order: Sequence[Order] = (),
        offset: int = 0,
        limit: int | None = None,
    ) -> Features:
        """Statistics over features, one row for each combination of values of ``groups``.

        Raises:
            FeatureError: the layer cannot be asked that.
        """
        grouped = self._fields(groups) if groups else ()
        fields = [*grouped, *(self._measured(each) for each in statistics)]
        names = [each.name.lower() for each in fields]
        if not statistics:
            raise FeatureError("statistics need at least one that is asked for")
        if len(set(names)) < len(names):
            raise FeatureError("the statistics and the fields they are grouped by need names of their own")
        columns = [f'"{each.name}"' for each in grouped]
        measures = [self._measure(each) for each in statistics]
        for each in order:
            if each.name.lower() not in names:
                raise FeatureError(
                    f"statistics cannot be sorted by {each.name[:60]!r}, but by {', '.join(names)}"
                )
        sorting = [self._sorting(each, fields) for each in order] or columns
        tail = f" GROUP BY {', '.join(columns)}" if columns else ""
        tail += f" ORDER BY {', '.join(sorting)}" if sorting else ""
        with self._asking(selection) as (connection, which):
            rows = connection.execute(
                f'SELECT {", ".join([*columns, *measures])} FROM "{self.definition.name}"'
                f" WHERE {which.sql}{tail} LIMIT ? OFFSET ?",
                (*which.values, -1 if limit is None else limit + 1, offset),
            ).fetchall()
        more = limit is not None and len(rows) > limit
        found = [
            {field.name: told(field.type, value) for field, value in zip(fields, row, strict=True)}
            for row in rows[:limit]
        ]
        return Features(tuple(fields), found, more=more)

    @contextmanager
    def _asking(self, selection: Selection | None) -> Iterator[tuple[Connection, Clause]]:
        with reading(self._path) as connection:
            yield connection, condition(selection or Selection(), self.definition, connection)

    def _fields(self, names: Sequence[str] | None) -> tuple[Field, ...]:
        if names is None:
            return self.definition.all_fields
        return tuple({field.name: field for field in map(self._field, names)}.values())

    def _field(self, name: str) -> Field:
        field = self.definition.field(name)
        if field is None:
            known = ", ".join(each.name for each in self.definition.all_fields)
            raise FeatureError(
                f"layer {self.definition.name!r} has no field {name[:60]!r}; its fields are {known}"
            )
        return field

    def _sorting(self, order: Order, fields: Sequence[Field] = ()) -> str:
        lower = order.name.lower()
        field = next((each for each in fields if each.name.lower() == lower), None) or self._field(order.name)
        return f'"{field.name}"{" DESC" if order.descending else ""}'

    def _measure(self, statistic: Statistic) -> str:
        column = f'"{self._field(statistic.field).name}"'
        if statistic.kind == "sum":  # of whole numbers, it would be an error beyond 64 bits
            column = f"1.0 * {column}"
        return f'{statistic.kind}({column}) AS "{statistic.name}"'

    def _measured(self, statistic: Statistic) -> Field:
        """The field of the answer that holds a statistic."""
        if statistic.kind not in STATISTICS:
            raise FeatureError(
                f"there is no statistic {statistic.kind[:60]!r}; there are {', '.join(STATISTICS)}"
            )
        if not _NAME.fullmatch(statistic.name):
            raise FeatureError(
                f"a statistic cannot be called {statistic.name[:60]!r}; use letters, digits and _"
            )
        field = self._field(statistic.field)
        if statistic.kind == "count":
            return Field(name=statistic.name, type=FieldType.LONG)
        if statistic.kind in ("min", "max"):
            kind = FieldType.BIG if field.type is FieldType.OBJECT_ID else field.type
            return Field(name=statistic.name, type=kind, length=field.length)
        if field.type not in _NUMBERS:
            raise FeatureError(f"field {field.name!r} holds no numbers, which {statistic.kind} needs")
        return Field(name=statistic.name, type=FieldType.DOUBLE)
