"""Copies of SQLite files that others are writing, and whether such a file is sound."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from milepost.backups.archive import BackupError

_COMPANIONS: Final = ("-wal", "-shm", "-journal")
"""Endings of the files that SQLite keeps beside a database."""

_MAGIC: Final = b"SQLite format 3\x00"
_PAGES: Final = 1000
"""Pages copied at once."""
_WAIT: Final = 30.0
"""Seconds to wait for somebody who is writing."""

Look = Callable[[], None]
"""Called now and then; may raise to stop the work."""


def is_database(path: Path) -> bool:
    """Whether a file is a SQLite database."""
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def is_companion(path: Path) -> bool:
    """Whether SQLite keeps a file beside a database; what it holds is in a copy of that."""
    return any(
        path.name.endswith(each) and path.with_name(path.name.removesuffix(each)).is_file()
        for each in _COMPANIONS
    )


def connect(path: Path) -> sqlite3.Connection:
    """A connection that sees what others write, and makes no new file.

    Raises:
        BackupError: the file cannot be opened.
    """
    try:
        return sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=_WAIT
        )
    except sqlite3.Error as error:
        raise BackupError(f"{path} cannot be opened: {error}; see that it may be read and written") from error


def copy(path: Path, target: Path, look: Look) -> None:
    """Copy a database as it is at one moment.

    Raises:
        BackupError: it is damaged, or somebody else holds it for long.
    """
    with closing(connect(path)) as source:
        copy_from(source, path, target, look)


def copy_from(source: sqlite3.Connection, path: Path, target: Path, look: Look) -> None:
    """Copy what a connection sees; if it is in a transaction, what that sees.

    Args:
        source: the connection.
        path: of its file, for messages.
        target: the new file.
        look: called between two pieces.

    Raises:
        BackupError: the database is damaged, or somebody else holds it for long.
    """
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, path.stat().st_mode & 0o770)
    os.close(descriptor)
    try:
        with closing(sqlite3.connect(target, isolation_level=None)) as copied:
            source.backup(copied, pages=_PAGES, progress=lambda *_: look())
    except sqlite3.Error as error:
        raise BackupError(
            f"{path} cannot be copied: {error}; if it is damaged, put one from an older backup in its place"
        ) from error


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A copy of a database that nobody else uses.

    Raises:
        BackupError: it cannot be read.
    """
    try:
        with closing(connect(path)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise BackupError(f"{path.name} is damaged: {error}; use another backup") from error


def faults(connection: sqlite3.Connection, look: Look, *, quick: bool = False) -> str:
    """What SQLite finds wrong with a database; empty when it is sound.

    Args:
        connection: to the database.
        look: called now and then.
        quick: whether to leave out that the indexes agree with their tables.
    """
    reason: list[BaseException] = []

    def handler() -> int:
        try:
            look()
        except BaseException as error:  # noqa: BLE001 - it must not be lost in SQLite
            reason.append(error)
            return 1
        return 0

    connection.set_progress_handler(handler, 1_000_000)
    try:
        rows = connection.execute("PRAGMA quick_check" if quick else "PRAGMA integrity_check").fetchall()
    except sqlite3.OperationalError:
        if reason:
            raise reason[0] from None
        raise
    finally:
        connection.set_progress_handler(None, 0)
    said = [str(row[0]) for row in rows]
    return "" if said == ["ok"] else "; ".join(said)[:500]
