"""Fills a store with many ended jobs, as a site has them after a year of work.

The rows are written as the store writes them, but not by way of it: a test compares what is written
here with what the store would write. The indexes are made at the end, all at once.
"""

import os
import random
import sqlite3
import time
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

from milepost.jobs import Status
from milepost.jobs.query import type_of_service
from milepost.store import rows
from milepost.store.database import migrate

OWNERS: Final = tuple(f"person{number}" for number in range(1000))
"""The first ones submit most of the jobs."""

SERVICES: Final = {
    "Bench/Noop.GPServer": 300,
    **{f"Bench/Service{number}.GPServer": 30 for number in range(16)},
    "Bench/Sheets.TopographicProductionServer": 150,
    "Bench/Missions.MissionServer": 20,
    "Bench/Videos.VideoServer": 50,
}
"""Of 1,000 jobs, how many belong to each."""

OUTCOMES: Final = {
    Status.SUCCEEDED: 860,
    Status.FAILED: 70,
    Status.CANCELLED: 30,
    Status.TIMED_OUT: 10,
    Status.DELETED: 30,
}
"""Of 1,000 jobs, how many ended like this. All have ended, or a server would take them up."""

GAP: Final = 30_000
"""Milliseconds from one submission to the next, on average: a million jobs are a year."""

_BATCH: Final = 10_000
_DURATION: Final = 60_000
_DAY: Final = 24 * 60 * 60 * 1000


def fill(path: Path, count: int) -> tuple[int, int]:
    """Make a store of ``count`` jobs, the last of which ended a day ago.

    Returns:
        When the first and the last job was submitted, in milliseconds since the epoch.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, isolation_level=None)
    # A file that is not finished is thrown away, so nothing protects it while it is written.
    connection.execute("PRAGMA journal_mode = OFF")
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA cache_size = -1048576")
    migrate(connection)
    indexes = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    ).fetchall()
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}")
    first = last = time.time_ns() // 1_000_000 - 2 * _DAY - count * GAP
    chance = random.Random(1)
    connection.execute("BEGIN")
    for begin in range(1, count + 1, _BATCH):
        numbers = range(begin, min(begin + _BATCH, count + 1))
        jobs = list(_jobs(chance, numbers, last))
        last = jobs[-1][0][-1]
        connection.executemany(rows.INSERT_JOB, [row for row, _ in jobs])
        connection.executemany(
            rows.INSERT_EVENT,
            [
                (number, sequence, body)
                for number, (_, bodies) in zip(numbers, jobs, strict=True)
                for sequence, body in enumerate(bodies, 1)
            ],
        )
    for _, sql in indexes:
        connection.execute(sql)
    connection.execute("COMMIT")
    connection.close()
    with path.open("rb") as written:
        os.fsync(written.fileno())  # or who opens it next waits for the disk
    return first, last


def _jobs(chance: random.Random, numbers: range, at: int) -> Iterator[tuple[tuple[Any, ...], list[str]]]:
    """Of each job the values of its row and its events, submitted one after another from ``at`` on."""
    total = len(numbers)
    owners = chance.choices(
        OWNERS, cum_weights=list(accumulate(1 / (place + 10) for place in range(len(OWNERS)))), k=total
    )
    services = chance.choices(list(SERVICES), list(SERVICES.values()), k=total)
    outcomes = chance.choices(list(OUTCOMES), list(OUTCOMES.values()), k=total)
    for number, owner, service, status in zip(numbers, owners, services, outcomes, strict=True):
        at += int(chance.expovariate(1 / GAP))
        worker = f"node{number % 3}"
        end = at + 50 + int(chance.expovariate(1 / _DURATION))
        updated = end
        inputs = f'{{"distance":{{"value":"100 Meters"}},"number":{{"value":{number}}}}}'
        bodies = [
            f'{{"kind":"Submitted","at":{at},"owner":"{owner}","service":"{service}","operation":"work","inputs":{inputs}}}',
            f'{{"kind":"Started","at":{at + 5},"attempt":1,"worker":"{worker}","pid":4711,"born":1.0}}',
            f'{{"kind":"MessageAdded","at":{at + 30},"attempt":1,"text":"Buffered 120 of 400 features","code":201}}',
        ]
        if status is Status.FAILED:
            bodies.append(f'{{"kind":"Failed","at":{end},"error":"the features do not overlap"}}')
        elif status is Status.TIMED_OUT:
            bodies.append(f'{{"kind":"TimedOut","at":{end},"error":"it took longer than an hour"}}')
        elif status is Status.CANCELLED:
            bodies.append(f'{{"kind":"CancelRequested","at":{end - 10},"by":"admin"}}')
            bodies.append(f'{{"kind":"Cancelled","at":{end}}}')
        else:
            bodies.append(
                f'{{"kind":"Succeeded","at":{end},"attempt":1,"results":{{"result":{{"value":{number}}}}}}}'
            )
        if status is Status.DELETED:
            updated = end + 1000
            bodies.append(f'{{"kind":"DeleteRequested","at":{updated},"by":"admin"}}')
            bodies.append(f'{{"kind":"Deleted","at":{updated}}}')
        yield (
            (
                *(len(bodies), int(status), worker, updated, end, f"{chance.getrandbits(128):032x}"),
                *(owner, service, type_of_service(service), "work", 0, "", at),
            ),
            bodies,
        )
