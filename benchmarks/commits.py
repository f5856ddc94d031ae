"""The floor of everything durable: SQLite, one commit a row, as fast as this disk allows."""

import sqlite3
import time
from pathlib import Path
from typing import Self


class Commits:
    """A database in WAL mode with synchronous=FULL, as the store of jobs is."""

    def __init__(self, path: Path):
        """Made anew at ``path``, which should lie beside the data that it is compared with."""
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("CREATE TABLE rows (number INTEGER PRIMARY KEY, body TEXT NOT NULL)")

    def insert(self, rows: int, body: str = "r" * 300) -> None:
        """Insert rows, each in a commit of its own."""
        for _ in range(rows):
            self._connection.execute("INSERT INTO rows (body) VALUES (?)", (body,))

    def rate(self, seconds: float) -> float:
        """Commits a second."""
        count = 0
        begun = time.perf_counter()
        while (passed := time.perf_counter() - begun) < seconds:
            self.insert(1)
            count += 1
        return count / passed

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()
