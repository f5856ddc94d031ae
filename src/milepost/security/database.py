"""Small SQLite files that only their owner can open, used by several threads and processes at once."""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from milepost.security import files
from milepost.security.errors import SecurityError

_WAIT: Final = 30.0
"""Seconds to wait for another process that is writing."""


class DatabaseError(SecurityError):
    """The file cannot be used; the text names it, the cause and the cure."""


class Database:
    """Two connections: one writes, the other reads and so never waits for a writer."""

    def __init__(self, path: Path, migrations: Sequence[str]) -> None:
        """Open the file, or make it, readable by its owner only, and bring it up to date.

        Args:
            path: the file.
            migrations: statement number n takes it from version n to n + 1 (PRAGMA user_version).

        Raises:
            DatabaseError: the file is damaged, or was made by a newer version.
            PrivateFileError: it cannot be used, or every user of the machine can open it.
        """
        self._path = path
        self._reading, self._writing = threading.Lock(), threading.Lock()
        self._changes = 0
        # One at a time: a switch to WAL does not wait for another connection that is switching.
        with files.only_one(path.parent), self._explained():
            files.claim(path)
            self._writer = self._connect()
            try:
                self._migrate(migrations)
                self._reader = self._connect()
            except BaseException:
                self._writer.close()
                raise

    def close(self) -> None:
        """Close the file; nothing else can be called afterwards."""
        with self._reading, self._writing:
            self._reader.close()
            self._writer.close()

    @property
    def changes(self) -> int:
        """How many changes were made through this object."""
        return self._changes

    def version(self) -> int:
        """A number that is another one after anybody, in any process, changed anything."""
        number: int = self.read("PRAGMA data_version")[0][0]
        return number

    def read(self, statement: str, *parameters: object) -> Sequence[Any]:
        """The rows that a statement finds."""
        with self._reading, self._explained():
            return self._reader.execute(statement, parameters).fetchall()

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """A transaction that sees and changes the file alone; undone when an error leaves it."""
        with self._writing, self._explained():
            with self._transaction():
                yield self._writer
            self._changes += 1

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._writer.execute("COMMIT")
        except BaseException:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            raise

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=_WAIT, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
            connection.execute("PRAGMA synchronous = FULL")
        except BaseException:
            connection.close()
            raise
        return connection

    def _migrate(self, migrations: Sequence[str]) -> None:
        version: int = self._writer.execute("PRAGMA user_version").fetchone()[0]
        if version > len(migrations):
            raise DatabaseError(
                f"{self._path} was made by a newer version of Milepost (format {version}; this one knows"
                f" {len(migrations)}); install that version or a later one"
            )
        for number in range(version, len(migrations)):
            with self._transaction():
                self._writer.execute(migrations[number])
                self._writer.execute(f"PRAGMA user_version = {number + 1}")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.ProgrammingError:
            raise
        except sqlite3.OperationalError as error:
            raise DatabaseError(
                f"{self._path} cannot be used now: {error}; see that no other program holds it, that it"
                " may be written and that the disk has room, then try again"
            ) from error
        except sqlite3.DatabaseError as error:
            raise DatabaseError(
                f"{self._path} is damaged or not Milepost's: {error}; put a copy from a backup in its"
                " place, or move it away to begin anew"
            ) from error


class Records:
    """What a site keeps in one such file. Every method may be called from any thread and process."""

    def __init__(self, path: Path, migrations: Sequence[str]) -> None:
        """Open the file, or make it and the folder it is in, and bring it up to date.

        Args:
            path: the file.
            migrations: statement number n takes it from version n to n + 1.

        Raises:
            DatabaseError: the file is damaged, or was made by a newer version.
            PrivateFileError: it cannot be used, or every user of the machine can open it.
        """
        self._database = Database(path, migrations)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; nothing else can be called afterwards."""
        self._database.close()
