"""Fills a store with many ended jobs: the events, the folding, the schema and the rows are the store's own."""

import random
import sqlite3
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from milepost.jobs import Job, fold
from milepost.jobs import events as ev
from milepost.store import rows as store_rows
from milepost.store.database import migrate

OWNERS = 1000
SERVICES = 20
BATCH = 10_000

_OUTCOMES = ("succeeded",) * 90 + ("failed",) * 8 + ("cancelled",) * 2


def fill(path: Path, count: int) -> None:
    """Make a store of ``count`` jobs that ended in the past, about one a second until yesterday."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, isolation_level=None)
    # A file that is not finished is thrown away, so nothing protects it while it is written.
    connection.execute("PRAGMA journal_mode = OFF")
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA cache_size = -1048576")
    migrate(connection)
    jobs = _jobs(count)
    number = 0
    while number < count:
        rows, bodies = [], []
        for job, history in jobs:
            number += 1
            rows.append(store_rows.new_row(job))
            bodies += [(number, index, ev.encode(event).decode()) for index, event in enumerate(history, 1)]
            if len(rows) == BATCH:
                break
        connection.execute("BEGIN")
        connection.executemany(store_rows.INSERT_JOB, rows)
        connection.executemany(store_rows.INSERT_EVENT, bodies)
        connection.execute("COMMIT")
    connection.close()


def _jobs(count: int) -> Iterator[tuple[Job, list[ev.Event]]]:
    chance = random.Random(1)
    begin = time.time_ns() // 1_000_000 - 86_400_000 - count * 1000
    for number in range(count):
        at = begin + number * 1000
        history: list[ev.Event] = [
            ev.Submitted(
                at=at,
                owner=f"person{chance.randrange(OWNERS)}",
                service=f"Bench/Service{number % SERVICES}.GPServer",
                operation="work",
                inputs={"distance": ev.Kept("100 Meters"), "number": ev.Kept(number)},
            ),
            ev.Started(at=at + 5, attempt=1, worker="node", pid=4711, born=1.0),
            ev.MessageAdded(at=at + 300, attempt=1, text="Buffered 120 of 400 features", code=201),
        ]
        outcome = chance.choice(_OUTCOMES)
        if outcome == "succeeded":
            history.append(ev.Succeeded(at=at + 900, attempt=1, results={"result": ev.Kept(number)}))
        elif outcome == "failed":
            history.append(ev.Failed(at=at + 900, error="the features do not overlap"))
        else:
            history += [ev.CancelRequested(at=at + 800, by="admin"), ev.Cancelled(at=at + 900)]
        yield fold(uuid.UUID(int=chance.getrandbits(128), version=4).hex, history), history
