"""The SQLite file of the store: connections to it, and its schema."""

import sqlite3
from importlib import resources
from pathlib import Path

import structlog

from milepost.store.protocol import StoreError

log = structlog.get_logger("milepost.store")


def open_database(path: Path) -> sqlite3.Connection:
    """The connection that writes, to a database with the newest schema."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = connect(path)
        try:
            migrate(connection)
        except BaseException:
            connection.close()
            raise
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"{path} cannot be used as the store of jobs: {error}") from error
    return connection


def connect(path: Path) -> sqlite3.Connection:
    """One more connection to a database in WAL mode with synchronous=FULL."""
    # Each connection is used by one thread at a time, but opened or closed by another.
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA cache_size = -32768")
    except BaseException:
        connection.close()
        raise
    return connection


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the schema of a database up to date, one numbered file after another.

    Raises:
        StoreError: the database was written by a newer release.
    """
    scripts = sorted(
        (
            each
            for each in resources.files("milepost.store").joinpath("migrations").iterdir()
            if each.name.endswith(".sql")
        ),
        key=lambda each: each.name,
    )
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(scripts):
        raise StoreError(
            f"the store has schema {version}, this release knows {len(scripts)}: use a newer release of Milepost"
        )
    if 0 < version < len(scripts):
        # It may take half a minute with a million jobs.
        log.info("the store is brought up to date", schema=version, new_schema=len(scripts))
    for number, script in enumerate(scripts[version:], version + 1):
        connection.executescript(f"BEGIN;\n{script.read_text()}\nPRAGMA user_version = {number};\nCOMMIT;")
