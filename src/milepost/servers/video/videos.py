"""The video services of a site with their layers, in an SQLite file that the server and its jobs share."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from milepost.security import Records
from milepost.servers.video.records import LAST_ID, Layer, RecordError, Service
from milepost.servers.video.upload_records import UploadRecords

_MIGRATIONS: Final = (
    """
    CREATE TABLE services (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE COLLATE NOCASE,
        item TEXT NOT NULL UNIQUE,
        owner TEXT NOT NULL COLLATE NOCASE,
        shared INTEGER NOT NULL,
        next_layer INTEGER NOT NULL DEFAULT 0,
        record BLOB NOT NULL
    )
    """,
    """
    CREATE TABLE layers (
        key TEXT PRIMARY KEY,
        item TEXT NOT NULL,
        id INTEGER NOT NULL,
        record BLOB,
        UNIQUE (item, id)
    ) WITHOUT ROWID
    """,
    "CREATE TABLE removals (key TEXT NOT NULL, storage TEXT NOT NULL, PRIMARY KEY (key, storage)) WITHOUT ROWID",
    """
    CREATE TABLE uploads (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        owner TEXT NOT NULL COLLATE NOCASE,
        record BLOB NOT NULL
    )
    """,
    "CREATE TABLE spent (item TEXT NOT NULL, id INTEGER NOT NULL, PRIMARY KEY (item, id)) WITHOUT ROWID",
)

# The next layer of a service comes after those that were deleted, by its own record, and after those that are.
_LAST: Final = """
    SELECT max(next_layer - 1, (SELECT coalesce(max(id), -1) FROM layers WHERE layers.item = services.item))
    FROM services WHERE item = ?
"""
_TAKEN: Final = """
    SELECT 1 FROM layers WHERE item = ? AND id = ? UNION ALL SELECT 1 FROM spent WHERE item = ? AND id = ?
"""


class Videos(Records):
    """All video services of a site. Every method may be called from any thread and process."""

    def __init__(self, data: Path):
        """Below the data folder of the site.

        Raises:
            SecurityError: the file cannot be used.
        """
        super().__init__(data / "videos.sqlite", _MIGRATIONS)
        self.uploads: Final = UploadRecords(self._database)

    # -- services ----------------------------------------------------------------------------

    def add(self, service: Service) -> None:
        """Let a service be.

        Raises:
            RecordError: there is one of that name.
        """
        with self._database.change() as connection:
            if connection.execute("SELECT 1 FROM services WHERE name = ?", (service.name,)).fetchone():
                raise RecordError(f"there is a video service {service.name!r} already; choose another name")
            connection.execute(
                "INSERT INTO services (name, item, owner, shared, record) VALUES (?, ?, ?, ?, ?)",
                (*_columns(service), _encoded(service)),
            )

    def service(self, name: str) -> Service | None:
        """The service of a name, however its letters are written."""
        rows = self._database.read("SELECT record FROM services WHERE name = ?", name)
        return msgspec.json.decode(rows[0][0], type=Service) if rows else None

    def service_of_item(self, item: str) -> Service | None:
        """The service that an item of the portal is."""
        rows = self._database.read("SELECT record FROM services WHERE item = ?", item)
        return msgspec.json.decode(rows[0][0], type=Service) if rows else None

    def page(self, username: str, *, start: int, limit: int) -> tuple[list[Service], int]:
        """The services that somebody sees, newest first, and how many there are.

        Args:
            username: who; empty for one who sees those of everybody.
            start: the number of the first one, from 1.
            limit: how many at most.
        """
        seen = "FROM services WHERE ? = '' OR owner = ? OR shared"
        rows = self._database.read(
            f"SELECT record {seen} ORDER BY number DESC LIMIT ? OFFSET ?",
            *(username, username, limit, start - 1),
        )
        total = self._database.read(f"SELECT count(*) {seen}", username, username)
        return [msgspec.json.decode(row[0], type=Service) for row in rows], total[0][0]

    def change_service(self, item: str, change: Callable[[Service], Service]) -> Service | None:
        """Replace a service by what ``change`` makes of it; None when there is none."""
        with self._database.change() as connection:
            row = connection.execute("SELECT record FROM services WHERE item = ?", (item,)).fetchone()
            if row is None:
                return None
            changed = change(msgspec.json.decode(row[0], type=Service))
            connection.execute(
                "UPDATE services SET name = ?, item = ?, owner = ?, shared = ?, record = ? WHERE item = ?",
                (*_columns(changed), _encoded(changed), item),
            )
        return changed

    def remove_service(self, item: str) -> bool:
        """Let a service and its layers be gone, their files being left to ``removals``; whether there was one.

        A layer that is being made finds no service any more, and its job fails.
        """
        with self._database.change() as connection:
            for row in connection.execute("SELECT record FROM layers WHERE item = ?", (item,)).fetchall():
                if row[0] is not None:
                    layer = msgspec.json.decode(row[0], type=Layer)
                    _note_removal(connection, layer.key, layer.storage)
            connection.execute("DELETE FROM layers WHERE item = ?", (item,))
            connection.execute("DELETE FROM spent WHERE item = ?", (item,))
            return connection.execute("DELETE FROM services WHERE item = ?", (item,)).rowcount > 0

    # -- layers ------------------------------------------------------------------------------

    def layers(self, item: str) -> list[Layer]:
        """The layers of a service that can be played, by id."""
        rows = self._database.read(
            "SELECT record FROM layers WHERE item = ? AND record IS NOT NULL ORDER BY id", item
        )
        return [msgspec.json.decode(row[0], type=Layer) for row in rows]

    def layer(self, item: str, number: int) -> Layer | None:
        """A layer that can be played."""
        rows = self._database.read(
            "SELECT record FROM layers WHERE item = ? AND id = ? AND record IS NOT NULL", item, number
        )
        return msgspec.json.decode(rows[0][0], type=Layer) if rows else None

    def last_id(self, item: str) -> int:
        """The highest id that a layer of a service has or had, or that is reserved; -1 for none."""
        rows = self._database.read(_LAST, item)
        return rows[0][0] if rows else -1

    def is_free(self, item: str, number: int) -> bool:
        """Whether no layer of a service has or had an id, and none is reserved under it."""
        return not self._database.read(_TAKEN, item, number, item, number)

    def is_there(self, key: str) -> bool:
        """Whether a layer can be played."""
        return bool(self._database.read("SELECT 1 FROM layers WHERE key = ? AND record IS NOT NULL", key))

    def reserve(self, item: str, key: str, wanted: int | None) -> int:
        """Keep an id for a layer that is to be; the same one again for the same key.

        Args:
            item: of the service.
            key: of the layer.
            wanted: the id it should have; None for the one after the last.

        Raises:
            RecordError: there is no such service any more, or the id is taken or was that of another layer.
        """
        with self._database.change() as connection:
            kept = connection.execute("SELECT id FROM layers WHERE key = ?", (key,)).fetchone()
            if kept is not None:
                return int(kept[0])
            row = connection.execute(_LAST, (item,)).fetchone()
            if row is None:
                raise RecordError("the video service was deleted")
            number: int = row[0] + 1 if wanted is None else wanted
            if number > LAST_ID:
                raise RecordError(f"the layer id {LAST_ID} was the last one; name one that is free")
            if connection.execute(_TAKEN, (item, number) * 2).fetchone():
                raise RecordError(f"the layer id {number} is taken; choose another, or none")
            connection.execute("INSERT INTO layers VALUES (?, ?, ?, NULL)", (key, item, number))
        return number

    def finish(self, item: str, layer: Layer) -> None:
        """Let a layer be played whose id was reserved.

        Raises:
            RecordError: the service was deleted meanwhile.
        """
        with self._database.change() as connection:
            done = connection.execute(
                "UPDATE layers SET record = ? WHERE key = ? AND item = ?", (_encoded(layer), layer.key, item)
            )
            if not done.rowcount:
                raise RecordError("the video service was deleted")

    def release(self, key: str, storage: str) -> None:
        """Let a layer be gone, finished or not, and its id be free; there need not be one.

        What lies under its key in the storage is left to ``removals``.
        """
        with self._database.change() as connection:
            _note_removal(connection, key, storage)
            connection.execute("DELETE FROM layers WHERE key = ?", (key,))

    def change_layer(self, item: str, number: int, change: Callable[[Layer], Layer]) -> Layer | None:
        """Replace a layer by what ``change`` makes of it; None when there is none."""
        with self._changing_layer(item, number) as (connection, layer):
            if layer is None:
                return None
            changed = change(layer)
            connection.execute("UPDATE layers SET record = ? WHERE key = ?", (_encoded(changed), layer.key))
        return changed

    def remove_layer(self, item: str, number: int) -> bool:
        """Let a layer be gone, its files being left to ``removals``; whether there was one.

        Its id is not given away again: who knows it must not come upon another video.
        """
        with self._changing_layer(item, number) as (connection, layer):
            if layer is None:
                return False
            _note_removal(connection, layer.key, layer.storage)
            connection.execute("DELETE FROM layers WHERE key = ?", (layer.key,))
            connection.execute("INSERT INTO spent VALUES (?, ?)", (item, number))
            connection.execute(
                "UPDATE services SET next_layer = max(next_layer, ?) WHERE item = ?", (number + 1, item)
            )
        return True

    @contextmanager
    def _changing_layer(self, item: str, number: int) -> Iterator[tuple[sqlite3.Connection, Layer | None]]:
        with self._database.change() as connection:
            row = connection.execute(
                "SELECT record FROM layers WHERE item = ? AND id = ? AND record IS NOT NULL", (item, number)
            ).fetchone()
            yield connection, msgspec.json.decode(row[0], type=Layer) if row else None

    def removals(self) -> list[tuple[str, str]]:
        """Key and storage of each folder that must still be removed."""
        return [(row[0], row[1]) for row in self._database.read("SELECT key, storage FROM removals")]

    def removed(self, key: str, storage: str) -> None:
        """Take note that a folder is removed."""
        with self._database.change() as connection:
            connection.execute("DELETE FROM removals WHERE key = ? AND storage = ?", (key, storage))


def _columns(service: Service) -> Sequence[Any]:
    return service.name, service.item, service.owner, service.access == "org"


def _encoded(record: msgspec.Struct) -> bytes:
    return msgspec.json.encode(record)


def _note_removal(connection: sqlite3.Connection, key: str, storage: str) -> None:
    connection.execute("INSERT OR IGNORE INTO removals VALUES (?, ?)", (key, storage))
