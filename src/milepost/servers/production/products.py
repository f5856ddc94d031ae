"""The products of a site: those that come with Milepost, and what people added and changed.

Changes lie in an SQLite file that all processes share. A built-in product is read from the package; once
somebody changes it, what they made of it is kept in the file and goes before it, until that is removed. What a
product was before a change is kept too, under a number that no later state of a product of that name gets.
"""

import sqlite3
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import msgspec

from milepost.security import Records
from milepost.servers.production.sheet.definition import Product
from milepost.servers.production.sheet.reading import BUILT_IN, built_in, read_product

FILE: Final = "products.sqlite"

DEFINITION_TYPE: Final = "Milepost"
"""The ``definitionType`` of products that say no other."""

_MIGRATIONS: Final = (
    "CREATE TABLE products (name TEXT PRIMARY KEY COLLATE NOCASE, record BLOB NOT NULL) WITHOUT ROWID",
    (
        "CREATE TABLE revisions (name TEXT COLLATE NOCASE, revision INTEGER, record BLOB NOT NULL,"
        " PRIMARY KEY (name, revision)) WITHOUT ROWID"
    ),
)


_MOST_TOLD: Final = 1000
"""Revisions that the history of a product lists."""


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """Other values for a part of a product."""

    id: str
    """Name of the part: a layer, ``contours``, ``shading``, ``spotHeights``, ``grid``, ``frame`` or ``sheet``."""
    parameters: dict[str, Any]
    """Values by the name of the parameter, with dots between names that lie within each other."""


class Version(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A version of a product: the product with some of its values changed."""

    name: str
    template: str = ""
    operation_overrides: tuple[Override, ...] = ()
    excluded_operations: tuple[str, ...] = ()
    """Names of parts that are left out."""


class AncillaryLayer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A layer of a feature service whose features are added to a layer of the product."""

    layer: str
    """Its URL."""
    feature_class: str = ""
    """The layer of the product; the one that is called as the layer of the service if empty."""
    map: str = "BaseMap"
    layer_index: int = 0


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A product as it is listed."""

    name: str
    description: str
    definition: msgspec.Raw
    """The JSON document of the product."""
    versions: tuple[Version, ...]
    type: str = "Topographic map"
    definition_type: str = DEFINITION_TYPE
    grid_type: str = "MGRS"
    sheet_id_field: str = ""
    enabled: bool = True
    ancillary_layers: tuple[AncillaryLayer, ...] = ()
    modified: int = 0
    """UTC milliseconds since 1970."""
    changed_by: str = ""
    """Who made it what it is; empty for one that is as it came."""
    revision: int = 1
    """Grows with every change."""

    def product(self) -> Product:
        """What a sheet of it is made by.

        Raises:
            ValueError: this release cannot read it.
        """
        return read_product(bytes(self.definition))

    def version(self, name: str) -> Version | None:
        """The version of that name, in any case."""
        wanted = name.strip().lower()
        return next((each for each in self.versions if each.name.lower() == wanted), None)


class Products(Records):
    """All products of a site. Every method may be called from any thread and process."""

    def __init__(self, data: Path):
        """Below the data folder of the site.

        Raises:
            SecurityError: the file cannot be used.
        """
        super().__init__(data / FILE, _MIGRATIONS)

    def all(self) -> list[Record]:
        """All products: the built-in ones from large scale to small, then the others by name."""
        rows = self._database.read("SELECT record FROM products ORDER BY name")
        kept = {each.name.lower(): each for each in (_decoded(row[0]) for row in rows)}
        own = [kept.pop(each.name.lower(), each) for each in _built_in().values()]
        return own + list(kept.values())

    def get(self, name: str) -> Record | None:
        """The product of that name, in any case."""
        key = name.strip().lower()
        rows = self._database.read("SELECT record FROM products WHERE name = ?", key)
        return _decoded(rows[0][0]) if rows else _built_in().get(key)

    def add(self, record: Record) -> bool:
        """Let a product be; False when there is one of that name."""
        if record.name.lower() in _built_in():
            return False
        with self._database.change() as connection:
            # There may have been one of that name before.
            added = connection.execute(
                "INSERT INTO products VALUES (?, ?) ON CONFLICT (name) DO NOTHING",
                _row(
                    msgspec.structs.replace(
                        record, modified=_now(), revision=_last(connection, record.name) + 1
                    )
                ),
            )
            return added.rowcount > 0

    def change(self, name: str, change: Callable[[Record], Record]) -> Record | None:
        """Replace a product by what ``change`` makes of it; None when there is none."""
        key = name.strip().lower()
        with self._database.change() as connection:
            row = connection.execute("SELECT record FROM products WHERE name = ?", (key,)).fetchone()
            found = _decoded(row[0]) if row else _built_in().get(key)
            if found is None:
                return None
            _keep(connection, found)
            last = max(found.revision, _last(connection, found.name))
            changed = msgspec.structs.replace(change(found), modified=_now(), revision=last + 1)
            connection.execute("INSERT OR REPLACE INTO products VALUES (?, ?)", _row(changed))
        return changed

    def remove(self, name: str) -> bool:
        """Let a product be gone, or a built-in one be as it came; whether there was something to remove."""
        with self._database.change() as connection:
            row = connection.execute("SELECT record FROM products WHERE name = ?", (name.strip(),)).fetchone()
            if row is None:
                return False
            _keep(connection, _decoded(row[0]))
            connection.execute("DELETE FROM products WHERE name = ?", (name.strip(),))
        return True

    def revision(self, name: str, number: int) -> Record | None:
        """What a product was, by the number of its revision; None when there is no such one."""
        now = self.get(name)
        if now is None or now.revision == number:
            return now
        rows = self._database.read(
            "SELECT record FROM revisions WHERE name = ? AND revision = ?", now.name, number
        )
        return _decoded(rows[0][0]) if rows else None

    def history(self, name: str) -> list[Record]:
        """What a product is and was, the newest first; nothing when there is none."""
        now = self.get(name)
        if now is None:
            return []
        rows = self._database.read(
            "SELECT record FROM revisions WHERE name = ? ORDER BY revision DESC LIMIT ?", now.name, _MOST_TOLD
        )
        return [now, *(each for each in (_decoded(row[0]) for row in rows) if each.revision != now.revision)]


def is_built_in(name: str) -> bool:
    """Whether a product of that name comes with Milepost."""
    return name.strip().lower() in _built_in()


def _keep(connection: sqlite3.Connection, record: Record) -> None:
    """Keep what a product was before it is changed or removed."""
    name, body = _row(record)
    kept = connection.execute(
        "SELECT record FROM revisions WHERE name = ? AND revision = ?", (name, record.revision)
    ).fetchone()
    if kept is not None and kept[0] == body:
        return
    if kept is not None:  # a built-in one came otherwise with an earlier release
        record = msgspec.structs.replace(record, revision=_last(connection, name) + 1)
    connection.execute("INSERT INTO revisions VALUES (?, ?, ?)", (name, record.revision, _row(record)[1]))


def _last(connection: sqlite3.Connection, name: str) -> int:
    """The last number of a revision that a product of that name had; 0 if none was kept."""
    row = connection.execute("SELECT max(revision) FROM revisions WHERE name = ?", (name,)).fetchone()
    return int(row[0] or 0)


def _row(record: Record) -> tuple[str, bytes]:
    return record.name, msgspec.json.encode(record)


@lru_cache(maxsize=1)
def _built_in() -> dict[str, Record]:
    """By their names in lower case."""
    modified = int(max((path.stat().st_mtime for path in BUILT_IN.glob("*.json")), default=0)) * 1000
    return {
        each.name.lower(): Record(
            name=each.name,
            description=each.description or each.title,
            definition=msgspec.Raw(msgspec.json.encode(each)),
            versions=(Version(name="1.0"),),
            modified=modified,
        )
        for each in built_in().values()
    }


def _decoded(body: bytes) -> Record:
    record = msgspec.json.decode(body, type=Record)
    # A view into the row otherwise, which would be kept alive by it.
    return msgspec.structs.replace(record, definition=record.definition.copy())


def _now() -> int:
    return time.time_ns() // 1_000_000
