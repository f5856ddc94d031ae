"""The file of a feature service: a GeoPackage 1.4 that every GIS opens.

OGC 12-128r19; the triggers of the spatial index are those of its annex F.3, as GDAL writes them.
"""

import math
import sqlite3
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from milepost.features.blobs import FUNCTIONS
from milepost.features.definition import Definition, Layer
from milepost.features.errors import FeatureError, NoSuchServiceError, TooSlowError
from milepost.features.references import description_of

SHAPE: Final = "shape"
"""The column with the geometries."""

LONGEST_QUERY: Final = 30.0
"""Seconds that a query may take."""
_WAIT: Final = 60.0
"""Seconds that a writer waits for another one."""
_STEPS: Final = 20_000
"""Instructions of SQLite between two looks at the clock."""

_NO_ROOM_TO_SHARE: Final = "SQLITE_IOERR_SHMSIZE"
"""The disk is too full for the file by which several connections share another; who is alone needs none."""

_TOO_MUCH: Final = ("too large", "too many", "too complex", "too big", "overflow")

_APPLICATION: Final = 0x47504B47  # GPKG
_VERSION: Final = 10400

_TABLES: Final = """
CREATE TABLE gpkg_spatial_ref_sys (
  srs_name TEXT NOT NULL, srs_id INTEGER NOT NULL PRIMARY KEY, organization TEXT NOT NULL,
  organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL, description TEXT);
CREATE TABLE gpkg_contents (
  table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL, identifier TEXT UNIQUE, description TEXT DEFAULT '',
  last_change DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE, srs_id INTEGER,
  CONSTRAINT fk_gc_r_srs_id FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id));
CREATE TABLE gpkg_geometry_columns (
  table_name TEXT NOT NULL, column_name TEXT NOT NULL, geometry_type_name TEXT NOT NULL, srs_id INTEGER NOT NULL,
  z TINYINT NOT NULL, m TINYINT NOT NULL,
  CONSTRAINT pk_geom_cols PRIMARY KEY (table_name, column_name), CONSTRAINT uk_gc_table_name UNIQUE (table_name),
  CONSTRAINT fk_gc_tn FOREIGN KEY (table_name) REFERENCES gpkg_contents(table_name),
  CONSTRAINT fk_gc_srs FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys (srs_id));
CREATE TABLE gpkg_extensions (
  table_name TEXT, column_name TEXT, extension_name TEXT NOT NULL, definition TEXT NOT NULL, scope TEXT NOT NULL,
  CONSTRAINT ge_tce UNIQUE (table_name, column_name, extension_name));
INSERT INTO gpkg_spatial_ref_sys VALUES
  ('Undefined Cartesian SRS', -1, 'NONE', -1, 'undefined', 'undefined Cartesian coordinate reference system'),
  ('Undefined geographic SRS', 0, 'NONE', 0, 'undefined', 'undefined geographic coordinate reference system');
"""

_INDEX: Final = """
CREATE VIRTUAL TABLE "rtree_{t}_{g}" USING rtree(id, minx, maxx, miny, maxy);

CREATE TRIGGER "rtree_{t}_{g}_insert" AFTER INSERT ON "{t}"
  WHEN (new."{g}" NOT NULL AND NOT ST_IsEmpty(NEW."{g}")) BEGIN
  INSERT OR REPLACE INTO "rtree_{t}_{g}" VALUES (NEW."{i}",
    ST_MinX(NEW."{g}"), ST_MaxX(NEW."{g}"), ST_MinY(NEW."{g}"), ST_MaxY(NEW."{g}")); END;

CREATE TRIGGER "rtree_{t}_{g}_update6" AFTER UPDATE OF "{g}" ON "{t}"
  WHEN OLD."{i}" = NEW."{i}" AND (NEW."{g}" NOTNULL AND NOT ST_IsEmpty(NEW."{g}"))
  AND (OLD."{g}" NOTNULL AND NOT ST_IsEmpty(OLD."{g}")) BEGIN
  UPDATE "rtree_{t}_{g}" SET minx = ST_MinX(NEW."{g}"), maxx = ST_MaxX(NEW."{g}"),
    miny = ST_MinY(NEW."{g}"), maxy = ST_MaxY(NEW."{g}") WHERE id = NEW."{i}"; END;

CREATE TRIGGER "rtree_{t}_{g}_update7" AFTER UPDATE OF "{g}" ON "{t}"
  WHEN OLD."{i}" = NEW."{i}" AND (NEW."{g}" NOTNULL AND NOT ST_IsEmpty(NEW."{g}"))
  AND (OLD."{g}" ISNULL OR ST_IsEmpty(OLD."{g}")) BEGIN
  INSERT INTO "rtree_{t}_{g}" VALUES (NEW."{i}",
    ST_MinX(NEW."{g}"), ST_MaxX(NEW."{g}"), ST_MinY(NEW."{g}"), ST_MaxY(NEW."{g}")); END;

CREATE TRIGGER "rtree_{t}_{g}_update2" AFTER UPDATE OF "{g}" ON "{t}"
  WHEN OLD."{i}" = NEW."{i}" AND (NEW."{g}" ISNULL OR ST_IsEmpty(NEW."{g}")) BEGIN
  DELETE FROM "rtree_{t}_{g}" WHERE id = OLD."{i}"; END;

CREATE TRIGGER "rtree_{t}_{g}_update5" AFTER UPDATE ON "{t}"
  WHEN OLD."{i}" != NEW."{i}" AND (NEW."{g}" NOTNULL AND NOT ST_IsEmpty(NEW."{g}")) BEGIN
  DELETE FROM "rtree_{t}_{g}" WHERE id = OLD."{i}";
  INSERT OR REPLACE INTO "rtree_{t}_{g}" VALUES (NEW."{i}",
    ST_MinX(NEW."{g}"), ST_MaxX(NEW."{g}"), ST_MinY(NEW."{g}"), ST_MaxY(NEW."{g}")); END;

CREATE TRIGGER "rtree_{t}_{g}_update4" AFTER UPDATE ON "{t}"
  WHEN OLD."{i}" != NEW."{i}" AND (NEW."{g}" ISNULL OR ST_IsEmpty(NEW."{g}")) BEGIN
  DELETE FROM "rtree_{t}_{g}" WHERE id IN (OLD."{i}", NEW."{i}"); END;

CREATE TRIGGER "rtree_{t}_{g}_delete" AFTER DELETE ON "{t}" WHEN old."{g}" NOT NULL BEGIN
  DELETE FROM "rtree_{t}_{g}" WHERE id = OLD."{i}"; END;
"""
_INDEX_EXTENSION: Final = "http://www.geopackage.org/spec120/#extension_rtree"


def create(path: Path, definition: Definition) -> None:
    """Write the file with its empty layers; it is on the disk, all of it, when this returns.

    Raises:
        FeatureError: the spatial reference is not known.
        OSError, sqlite3.Error: the disk.
    """
    srs_id, name, organization, wkt = description_of(definition.wkid)
    connection = _opened(path, "rwc")
    try:
        # Nothing of it is to be rolled back: it is made beside its place, and given up as a whole.
        connection.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; BEGIN;" + _TABLES)
        connection.execute(
            "INSERT INTO gpkg_spatial_ref_sys VALUES (?, ?, ?, ?, ?, NULL)",
            (name, srs_id, organization, srs_id, wkt),
        )
        if srs_id != 4326:  # every GeoPackage has it
            _, name, organization, wkt = description_of(4326)
            connection.execute(
                "INSERT INTO gpkg_spatial_ref_sys VALUES (?, 4326, ?, 4326, ?, NULL)",
                (name, organization, wkt),
            )
        for layer in definition.layers:
            create_layer(connection, layer, srs_id)
        connection.execute("COMMIT")
        connection.executescript(
            f"PRAGMA application_id={_APPLICATION}; PRAGMA user_version={_VERSION}; PRAGMA journal_mode=WAL;"
        )
    finally:
        connection.close()


def create_layer(connection: sqlite3.Connection, layer: Layer, srs_id: int) -> None:
    """Make the table of a layer, within the transaction of the connection."""
    columns = [f'"{layer.object_id}" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL']
    if layer.geometry:
        columns.append(f'"{SHAPE}" {layer.geometry.sql_name}')
    for field in layer.fields:
        kind = f"TEXT({field.length})" if field.type.sql_name == "TEXT" else field.type.sql_name
        columns.append(f'"{field.name}" {kind}{"" if field.nullable else " NOT NULL"}')
    columns.append(f'"{layer.global_id}" {layer.all_fields[-1].type.sql_name} NOT NULL UNIQUE')
    connection.execute(f'CREATE TABLE "{layer.name}" ({", ".join(columns)})')
    connection.execute(
        "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, srs_id) VALUES (?, ?, ?, ?, ?)",
        (
            layer.name,
            "features" if layer.geometry else "attributes",
            layer.name,
            layer.description,
            srs_id if layer.geometry else 0,
        ),
    )
    if layer.time_field:
        connection.execute(f'CREATE INDEX "{layer.name}_time" ON "{layer.name}" ("{layer.time_field}")')
    if layer.geometry:
        connection.execute(
            "INSERT INTO gpkg_geometry_columns VALUES (?, ?, ?, ?, ?, 0)",
            (layer.name, SHAPE, layer.geometry.sql_name, srs_id, int(layer.has_z)),
        )
        connection.execute(
            "INSERT INTO gpkg_extensions VALUES (?, ?, 'gpkg_rtree_index', ?, 'write-only')",
            (layer.name, SHAPE, _INDEX_EXTENSION),
        )
        for statement in _INDEX.split("\n\n"):
            connection.execute(statement.format(t=layer.name, g=SHAPE, i=layer.object_id))


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that sees one moment of the file.

    Raises:
        NoSuchServiceError: there is no such file.
        TooSlowError: what is done with it takes too long.
    """
    connection = _seeing(path)
    deadline = time.monotonic() + LONGEST_QUERY
    try:
        connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
        yield connection
    except sqlite3.OperationalError as error:
        raise _explained(error) from error
    finally:
        connection.close()


def _seeing(path: Path) -> sqlite3.Connection:
    """A connection that only reads, and sees the file as it is now."""
    try:
        return _begun(path, alone=False)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorname != _NO_ROOM_TO_SHARE:
            raise
    return _begun(path, alone=True)


def _begun(path: Path, *, alone: bool) -> sqlite3.Connection:
    connection = _opened(path, "rw")
    try:
        connection.execute("PRAGMA query_only=1")
        if alone:
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("BEGIN")
        connection.execute("SELECT 1 FROM gpkg_contents LIMIT 1")
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def writing(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection in a transaction that is committed at the end, and rolled back if that is never reached.

    Raises:
        NoSuchServiceError: there is no such file.
    """
    connection = _opened(path, "rw")
    try:
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("BEGIN IMMEDIATE")
        yield connection
        connection.execute("COMMIT")
    except sqlite3.OperationalError as error:
        raise _explained(error) from error
    finally:
        connection.close()


def held(path: Path) -> sqlite3.Connection:
    """A connection that does nothing but be there.

    The last one to be closed folds the log of changes into the file, which takes several times as long as a change;
    as long as this one is open, none of the others is the last.

    Raises:
        NoSuchServiceError: there is no such file.
    """
    connection = _opened(path, "rw")
    connection.execute("SELECT count(*) FROM gpkg_contents").fetchone()
    return connection


def _explained(error: sqlite3.OperationalError) -> Exception:
    """What was asked too much of SQLite is told to whoever asked."""
    said = str(error)
    if said == "interrupted":
        return TooSlowError(f"the query took more than {LONGEST_QUERY:.0f} seconds; ask for less at a time")
    if any(each in said for each in _TOO_MUCH):
        return FeatureError(f"the query asks for too much at once ({said}); ask for less at a time")
    return error


def _opened(path: Path, mode: str) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,
            timeout=_WAIT,
            cached_statements=16,
            check_same_thread=False,
        )
    except sqlite3.OperationalError as error:
        if not path.exists():
            raise NoSuchServiceError("there is no such feature service; it may have been deleted") from error
        raise
    for name, function in FUNCTIONS.items():
        connection.create_function(name, 1, function, deterministic=True)
    connection.create_function("upper", 1, _cased(str.upper), deterministic=True)
    connection.create_function("lower", 1, _cased(str.lower), deterministic=True)
    for name, aggregate in _AGGREGATES.items():
        connection.create_aggregate(name, 1, aggregate)
    return connection


def _cased(change: Any) -> Any:
    """SQLite's own knows ASCII only."""
    return lambda value: change(value) if isinstance(value, str) else value


class _Variance:
    """Of a sample; None for fewer than two values."""

    def __init__(self) -> None:
        self._values: list[float] = []

    def step(self, value: float | None) -> None:
        """One more value."""
        if value is not None:
            self._values.append(value)

    def finalize(self) -> float | None:
        """The variance."""
        try:
            return statistics.variance(self._values) if len(self._values) > 1 else None
        except OverflowError:
            return None


class _Deviation(_Variance):
    """The standard deviation of a sample."""

    def finalize(self) -> float | None:
        """The deviation."""
        variance = super().finalize()
        return None if variance is None else math.sqrt(variance)


# SQLite has none of these.
_AGGREGATES: Final[dict[str, Any]] = {"stddev": _Deviation, "var": _Variance}
