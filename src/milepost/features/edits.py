"""Changing the features of a service: everything of one call in one transaction."""

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import shapely

from milepost.features import blobs
from milepost.features.definition import Definition, Layer
from milepost.features.errors import FeatureError
from milepost.features.fields import guid, new_guid, stored, written
from milepost.features.geopackage import SHAPE, writing
from milepost.features.references import number_of, transform
from milepost.features.selection import Selection, condition

REFUSED: Final = 1000
ROLLED_BACK: Final = 1003
NOT_THERE: Final = 1019
"""Codes of edits that failed, as ArcGIS clients get them."""

_BATCH: Final = 5000
_OTHERS: Final = frozenset({SHAPE, "shape__area", "shape__length", "shape_area", "shape_length"})
"""Attributes that other servers work out; clients send them back and mean nothing by it."""


class LayerEdits(msgspec.Struct, frozen=True, kw_only=True):
    """What to change in one layer. Features are in Esri's JSON: ``attributes`` and ``geometry``."""

    layer: int
    adds: Sequence[Any] = ()
    updates: Sequence[Any] = ()
    """With the object id among the attributes; what they do not name stays."""
    deletes: Sequence[int | str] = ()
    """Object ids, or global ids."""


class EditResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one edit."""

    object_id: int | None
    global_id: str | None
    code: int = 0
    """0 when it was done."""
    problem: str = ""

    @property
    def success(self) -> bool:
        """Whether it was done."""
        return not self.code


class LayerResults(msgspec.Struct, frozen=True):
    """What became of the edits of one layer, in their order."""

    layer: int
    adds: list[EditResult]
    updates: list[EditResult]
    deletes: list[EditResult]

    @property
    def success(self) -> bool:
        """Whether all of them were done."""
        return all(each.success for each in (*self.adds, *self.updates, *self.deletes))


class _RollBack(Exception):  # noqa: N818 - a way out of the transaction, no error
    pass


def apply(
    path: Path,
    definition: Definition,
    edits: Sequence[LayerEdits],
    *,
    rollback_on_failure: bool = True,
    use_global_ids: bool = False,
) -> list[LayerResults]:
    """Do the edits: of each layer the additions, then the updates, then the deletions.

    Args:
        path: of the file.
        definition: of the service.
        edits: what to change.
        rollback_on_failure: whether nothing is done when one of them cannot be.
        use_global_ids: whether features are named by their global ids, and bring those with them.

    Raises:
        FeatureError: a layer does not exist. What is wrong with one feature is in its result.
        NoSuchServiceError: the service is gone.
    """
    for each in edits:
        if not 0 <= each.layer < len(definition.layers):
            raise FeatureError(
                f"the service has no layer {each.layer}; its layers are 0 to {len(definition.layers) - 1}"
            )
    prepared = [
        _Editor(definition, each, use_global_ids=use_global_ids, now=datetime.now(UTC)) for each in edits
    ]
    results: list[LayerResults] = []
    try:
        with writing(path) as connection:
            results = [each.apply(connection) for each in prepared]
            if rollback_on_failure and not all(each.success for each in results):
                raise _RollBack
    except _RollBack:
        return [
            LayerResults(
                each.layer, _undone(each.adds, known=False), _undone(each.updates), _undone(each.deletes)
            )
            for each in results
        ]
    return results


def delete_where(path: Path, layer: Layer, selection: Selection) -> list[EditResult]:
    """Delete the features that a selection means.

    Raises:
        FeatureError: the layer cannot be asked that.
        NoSuchServiceError: the service is gone.
    """
    table, key = f'"{layer.name}"', f'"{layer.object_id}"'
    with writing(path) as connection:
        which = condition(selection, layer, connection)
        found = connection.execute(
            f'SELECT {key}, "{layer.global_id}" FROM {table} WHERE {which.sql} ORDER BY {key}', which.values
        ).fetchall()
        connection.executemany(f"DELETE FROM {table} WHERE {key} = ?", [(each,) for each, _ in found])
        _touch(connection, layer, None)
    return [EditResult(object_id=each, global_id=name) for each, name in found]


def _undone(results: Sequence[EditResult], *, known: bool = True) -> list[EditResult]:
    """The results after all was rolled back; features that were added have no id any more."""
    return [
        EditResult(
            object_id=each.object_id if known else None,
            global_id=each.global_id,
            code=ROLLED_BACK,
            problem="Rolled back, since another edit of the request failed.",
        )
        if each.success
        else each
        for each in results
    ]


class _Editor:
    """Does the edits of one layer. What can be worked out without the file is worked out before."""

    def __init__(self, definition: Definition, edits: LayerEdits, *, use_global_ids: bool, now: datetime):
        self._layer = definition.layers[edits.layer]
        self._wkid = definition.wkid
        self._edits = edits
        self._by_global_id = use_global_ids
        self._now = now
        self._fields = {each.name.lower(): each for each in self._layer.all_fields}
        self._bounds: list[Any] = []
        self._add_shapes = self._shapes(edits.adds)
        self._update_shapes = self._shapes(edits.updates)

    def apply(self, connection: sqlite3.Connection) -> LayerResults:
        """Do them in the transaction of a connection."""
        edits = self._edits
        results = LayerResults(
            edits.layer,
            [self._add(connection, *each) for each in zip(edits.adds, self._add_shapes, strict=True)],
            [
                self._update(connection, *each)
                for each in zip(edits.updates, self._update_shapes, strict=True)
            ],
            [self._delete(connection, each) for each in edits.deletes],
        )
        if any(each.success for each in (*results.adds, *results.updates, *results.deletes)):
            bounds = np.array(self._bounds) if self._bounds else None
            _touch(connection, self._layer, bounds)
        return results

    def _shapes(self, features: Sequence[Any]) -> list[bytes | FeatureError | None]:
        """The geometries as the file holds them, or what is wrong with each."""
        found: list[bytes | FeatureError | None] = []
        for start in range(0, len(features), _BATCH):
            batch = [
                each.get("geometry") if isinstance(each, Mapping) else None
                for each in features[start : start + _BATCH]
            ]
            try:
                found += self._read(batch)
            except FeatureError:
                found += [self._read_one(each) for each in batch]
        return found

    def _read_one(self, geometry: Any) -> bytes | FeatureError | None:
        try:
            return self._read([geometry])[0]
        except FeatureError as error:
            return error

    def _read(self, forms: Sequence[Any]) -> list[bytes | None]:
        if self._layer.geometry is None:
            return [None] * len(forms)  # tables have none, whatever clients send
        if not all(each is None or isinstance(each, dict) for each in forms):
            raise FeatureError("the geometry is no JSON object")
        geometries = blobs.read(self._layer, forms)
        present = [number for number, each in enumerate(forms) if each]
        sources: dict[int, list[int]] = {}
        for number in present:
            reference = forms[number].get("spatialReference")
            sources.setdefault(number_of(reference) if reference else self._wkid, []).append(number)
        for source, numbers in sources.items():
            if source != self._wkid:
                there = transform(geometries[numbers], source, self._wkid)
                if shapely.is_missing(there).any():
                    raise FeatureError(
                        f"the geometry lies where spatial reference {self._wkid} has no coordinates"
                    )
                geometries[numbers] = there
        return blobs.blobs(geometries, self._wkid)

    def _attributes(self, feature: Any) -> dict[str, Any]:
        """The values of a feature by the names of their fields, as the file holds them.

        Raises:
            FeatureError: one does not fit.
        """
        given = feature.get("attributes") if isinstance(feature, Mapping) else None
        if given is None and isinstance(feature, Mapping):
            given = {}
        if not isinstance(given, Mapping):
            raise FeatureError("a feature is a JSON object with attributes and geometry")
        values: dict[str, Any] = {}
        for name, value in given.items():
            field = self._fields.get(name.lower())
            if field is None:
                if name.lower() in _OTHERS:
                    continue
                known = ", ".join(each.name for each in self._layer.all_fields)
                raise FeatureError(f"there is no field {name[:60]!r}; the fields are {known}")
            if field.editable:
                values[field.name] = stored(field, value)
        return values

    def _add(self, connection: sqlite3.Connection, feature: Any, shape: Any) -> EditResult:
        name: str | None = None
        try:
            if isinstance(shape, FeatureError):
                raise shape
            values = self._attributes(feature)
            for field in self._layer.fields:
                if field.name not in values:
                    default = None if field.default is None else stored(field, field.default)
                    if default is None and not field.nullable:
                        raise FeatureError(f"field {field.name!r} must have a value")
                    values[field.name] = default
            name = values[self._layer.global_id] = self._named(feature) if self._by_global_id else new_guid()
            if self._layer.geometry:
                values[SHAPE] = shape
            columns = ", ".join(f'"{each}"' for each in values)
            marks = ", ".join("?" * len(values))
            cursor = connection.execute(
                f'INSERT INTO "{self._layer.name}" ({columns}) VALUES ({marks})', tuple(values.values())
            )
        except FeatureError as error:
            return _failed(None, name, str(error))
        except sqlite3.IntegrityError:
            return _failed(None, name, f"there is a feature {name} already")
        self._note(shape)
        return EditResult(object_id=cursor.lastrowid, global_id=name)

    def _update(self, connection: sqlite3.Connection, feature: Any, shape: Any) -> EditResult:
        object_id: int | None = None
        name: str | None = None
        try:
            if isinstance(shape, FeatureError):
                raise shape
            values = self._attributes(feature)
            found = self._find(
                connection, self._named(feature) if self._by_global_id else self._numbered(feature)
            )
            if found is None:
                return _failed(None, None, "there is no such feature", NOT_THERE)
            object_id, name = found
            if self._layer.geometry and "geometry" in feature:
                values[SHAPE] = shape
            if values:
                columns = ", ".join(f'"{each}" = ?' for each in values)
                connection.execute(
                    f'UPDATE "{self._layer.name}" SET {columns} WHERE "{self._layer.object_id}" = ?',
                    (*values.values(), object_id),
                )
        except FeatureError as error:
            return _failed(object_id, name, str(error))
        self._note(shape)
        return EditResult(object_id=object_id, global_id=name)

    def _delete(self, connection: sqlite3.Connection, named: int | str) -> EditResult:
        found = self._find(connection, named)
        if found is None:
            known = named if isinstance(named, int) else None
            return _failed(known, None if known else str(named), "there is no such feature", NOT_THERE)
        connection.execute(
            f'DELETE FROM "{self._layer.name}" WHERE "{self._layer.object_id}" = ?', (found[0],)
        )
        return EditResult(object_id=found[0], global_id=found[1])

    def _find(self, connection: sqlite3.Connection, named: int | str) -> tuple[int, str] | None:
        layer = self._layer
        column = layer.object_id if isinstance(named, int) else layer.global_id
        if isinstance(named, int) and abs(named) >= 2**63:
            return None
        found: tuple[int, str] | None = connection.execute(
            f'SELECT "{layer.object_id}", "{layer.global_id}" FROM "{layer.name}" WHERE "{column}" = ?',
            (named,),
        ).fetchone()
        return found

    def _named(self, feature: Any) -> str:
        """The global id that a feature brings with it."""
        value = self._given(feature, self._layer.global_id)
        try:
            return guid(value)
        except (TypeError, ValueError):
            raise FeatureError(
                f"with useGlobalIds a feature needs a GUID as {self._layer.global_id}, not {str(value)[:60]!r}"
            ) from None

    def _numbered(self, feature: Any) -> int:
        value = self._given(feature, self._layer.object_id)
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
            raise FeatureError(f"an update needs the {self._layer.object_id} of its feature")
        return int(value)

    @staticmethod
    def _given(feature: Any, name: str) -> Any:
        attributes = feature.get("attributes") or {} if isinstance(feature, Mapping) else {}
        return next((value for key, value in attributes.items() if key.lower() == name.lower()), None)

    def _note(self, shape: Any) -> None:
        if isinstance(shape, bytes):
            self._bounds.append(blobs.bounds(shape))


def _failed(object_id: int | None, global_id: str | None, problem: str, code: int = REFUSED) -> EditResult:
    return EditResult(object_id=object_id, global_id=global_id, code=code, problem=problem)


def _touch(connection: sqlite3.Connection, layer: Layer, bounds: Any) -> None:
    """Note in the table of contents when the layer was changed, and how far it reaches at most."""
    now = written(datetime.now(UTC))
    connection.execute("UPDATE gpkg_contents SET last_change = ? WHERE table_name = ?", (now, layer.name))
    if bounds is not None:
        box = (*bounds[:, :2].min(axis=0).tolist(), *bounds[:, 2:].max(axis=0).tolist())
        connection.execute(
            "UPDATE gpkg_contents SET min_x = min(?1, ifnull(min_x, ?1)), min_y = min(?2, ifnull(min_y, ?2)),"
            " max_x = max(?3, ifnull(max_x, ?3)), max_y = max(?4, ifnull(max_y, ?4)) WHERE table_name = ?5",
            (*box, layer.name),
        )
