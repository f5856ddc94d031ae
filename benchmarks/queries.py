"""Queries by status and date range among 1,000,000 stored jobs, against the same SQL by hand on the same file."""

import random
import sqlite3
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
import uvloop
from starlette.types import ASGIApp

from benchmarks.figures import Figure, Ratio, Report, milliseconds, ratio
from benchmarks.filling import fill
from benchmarks.options import Options
from benchmarks.processes import OPERATIONS, PASSWORD
from milepost.app import Server
from milepost.jobs import JobFilter, Page, Status
from milepost.operations import load_catalog
from milepost.security import Role
from milepost.settings import Settings
from milepost.store.database import connect

FEW: Final = 10_000
"""Jobs in the smaller store."""

AIM: Final = 0.010
"""Seconds that 95 of 100 queries by status and date range take at most."""

SLOPE: Final = 1.25
"""A query may take this many times longer in the larger store; less than that is noise here."""

ASKED: Final = 10
"""How often each question is asked in a round, each time of another day."""

DAY: Final = 24 * 60 * 60 * 1000
GP: Final = "Bench/Noop.GPServer"
SHEETS: Final = "Bench/Sheets.TopographicProductionServer"
LISTED: Final = sorted(set(Status) - {Status.DELETED})

Span = tuple[int, int]
"""The first and the last millisecond that is asked for."""


class House:
    """A server in this process that is asked without HTTP, and a connection to its file for the SQL by hand."""

    def __init__(self, data: Path, count: int):
        """Fill the store and open it. Call it in the event loop."""
        begun = time.perf_counter()
        self.first, self.last = fill(data / "milepost.sqlite", count)
        self.filled_in: Final = time.perf_counter() - begun
        sources = [str(OPERATIONS)]
        self.server: Final = Server(Settings(data=data, toolbox=False), load_catalog(sources), sources)
        self.server.people.add("admin", PASSWORD, Role.ADMINISTRATOR)
        self.application: Final[ASGIApp] = self.server.application()
        self.by_hand: Final = connect(data / "milepost.sqlite")
        token, _ = self.server.tokens.issue(self.server.people.get("admin"), 60)
        self._headers = [
            (b"host", b"gis.example.com"),
            (b"x-esri-authorization", f"Bearer {token}".encode()),
        ]

    async def ask(self, path: str, **query: Any) -> bytes:
        """What a resource answers, by the way that a request takes behind the web server."""
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": f"/arcgis{path}",
            "raw_path": f"/arcgis{path}".encode(),
            "root_path": "",
            "query_string": urlencode({"f": "json", **query}).encode(),
            "headers": self._headers,
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.application(scope, receive, send)
        return b"".join(each.get("body", b"") for each in sent)

    def day(self, chance: random.Random) -> Span:
        """Some day since the first job, in whole seconds."""
        since = (self.first + chance.randrange(max(1, self.last - DAY - self.first))) // 1000 * 1000
        return since, since + DAY - 1

    async def close(self) -> None:
        """Let go of everything."""
        self.by_hand.close()
        await self.server.stop()


@dataclass
class Question:
    """Something to ask of a store, and how the same rows are read by hand."""

    what: str
    ours: Callable[[House, Span], Awaitable[int]]
    """Asks; how many jobs came."""
    by_hand: Callable[[sqlite3.Connection, Span], int]
    aim: bool = True
    whole: bool = False
    """Whether all of the store is asked for, and not a day."""
    times: dict[tuple[House, bool], list[list[float]]] = field(default_factory=dict)
    """Seconds, one list a round, in each store: by ours (True) and by hand."""


async def _manager(house: House, span: Span) -> int:
    wanted = JobFilter(statuses=frozenset({Status.FAILED}), submitted_from=span[0], submitted_to=span[1])
    return len((await house.server.manager.find(wanted, Page(limit=10))).jobs)


def _production(status: Status) -> Callable[[House, Span], Awaitable[int]]:
    async def ask(house: House, span: Span) -> int:
        answer = await house.ask(
            "/rest/services/Bench/Sheets/TopographicProductionServer/jobs/query",
            status=int(status),
            startDate=_written(span[0]),
            endDate=_written(span[1]),
        )
        return answer.count(b'"jobId":')

    return ask


def _administration(*statuses: str) -> Callable[[House, Span], Awaitable[int]]:
    async def ask(house: House, span: Span) -> int:
        answer = await house.ask(
            f"/admin/services/{GP}/jobs/query",
            jobStatus=",".join(statuses),
            startTime=_written(span[0]),
            endTime=_written(span[1]),
        )
        return int(msgspec.json.decode(answer)["total"])

    return ask


def _page_by_hand(
    condition: str, values: Sequence[Any], limit: int, *, order: str = "DESC", counted: bool = False
) -> Callable[[sqlite3.Connection, Span], int]:
    """The rows of a page, and the count of all that match if the answer has one; nothing is decoded."""
    matching = (
        f"FROM jobs WHERE {condition} AND submitted_at BETWEEN ?{len(values) + 1} AND ?{len(values) + 2}"
    )
    page = f"SELECT number {matching} ORDER BY submitted_at {order}, number {order} LIMIT {limit}"

    def read(connection: sqlite3.Connection, span: Span) -> int:
        numbers = [row[0] for row in connection.execute(page, (*values, *span))]
        marks = ",".join("?" * len(numbers))
        events = f"SELECT body FROM events WHERE job IN ({marks}) ORDER BY job, sequence"
        connection.execute(events, numbers).fetchall()
        if not counted:
            return len(numbers)
        total: int = connection.execute(f"SELECT count(*) {matching}", (*values, *span)).fetchone()[0]
        return total

    return read


def _questions() -> list[Question]:
    one = "service = ?1 AND status = ?2"
    # Those who ask for jobs of a time ask of a production server for those that ended in it.
    ended = f"{one} AND ended_at <= ?4"
    every = f"service = ?1 AND status IN ({','.join(str(int(each)) for each in LISTED)})"
    return [
        Question(
            "10 failed jobs of a day, manager",
            _manager,
            _page_by_hand("status = ?1", (Status.FAILED,), 10),
        ),
        Question(
            "failed sheets of a day, production resource",
            _production(Status.FAILED),
            _page_by_hand(ended, (SHEETS, Status.FAILED), 1000, order="ASC"),
        ),
        Question(
            "finished sheets of a day, production resource",
            _production(Status.SUCCEEDED),
            _page_by_hand(ended, (SHEETS, Status.SUCCEEDED), 1000, order="ASC"),
            aim=False,
        ),
        Question(
            "10 failed jobs of a day and their total, GP admin",
            _administration("esriJobFailed"),
            _page_by_hand(one, (GP, Status.FAILED), 10, counted=True),
        ),
        Question(
            "10 failed jobs of all times and their total, GP admin",
            _administration("esriJobFailed"),
            _page_by_hand(one, (GP, Status.FAILED), 10, counted=True),
            whole=True,
        ),
        Question(
            "10 jobs of all times and their total, GP admin",
            _administration(),
            _page_by_hand(every, (GP,), 10, counted=True),
            aim=False,
            whole=True,
        ),
    ]


def run(options: Options, folder: Path) -> Report:
    """Measure."""
    return uvloop.run(_measure(options, folder))


async def _measure(options: Options, folder: Path) -> Report:
    few = House(folder / "few", min(FEW, options.stored))
    many = House(folder / "many", options.stored)
    try:
        questions = _questions()
        sizes = {}
        chance = random.Random(1)
        for number in range(options.rounds):
            for question in questions:
                for house in (few, many) if number % 2 else (many, few):
                    sizes[question.what, house] = await _ask(question, house, chance)
        figures = [_figure(each, many) for each in questions]
        figures += [_slope(each, many, few) for each in questions if not each.whole]
        found = "; ".join(f"{each.what}: {sizes[each.what, many]:,.0f}" for each in questions)
        note = (
            f"Filled in {many.filled_in:.0f} s. Values are the 95th percentile, ratios those of the medians; the "
            f"slope is that of the medians with {options.stored:,} and {min(FEW, options.stored):,} jobs. "
            f"Jobs found, on average: {found}."
        )
        return Report(figures, note)
    finally:
        await few.close()
        await many.close()


async def _ask(question: Question, house: House, chance: random.Random) -> float:
    """One round of one question; how many jobs were found on average."""
    ours, by_hand, sizes = [], [], []
    for number in range(ASKED):
        span = (house.first, house.last) if question.whole else house.day(chance)
        # The second one finds in the cache what the first one had to read.
        for mine in (True, False) if number % 2 else (False, True):
            begun = time.perf_counter()
            if mine:
                found = await question.ours(house, span)
                ours.append(time.perf_counter() - begun)
            else:
                expected = question.by_hand(house.by_hand, span)
                by_hand.append(time.perf_counter() - begun)
        if found != expected:
            raise RuntimeError(f"{question.what}: {found} jobs instead of {expected}")
        sizes.append(found)
    question.times.setdefault((house, True), []).append(ours)
    question.times.setdefault((house, False), []).append(by_hand)
    return statistics.mean(sizes)


def _figure(question: Question, house: House) -> Figure:
    ours, by_hand = question.times[house, True], question.times[house, False]
    p95 = _p95(ours)
    return Figure(
        question.what,
        milliseconds([p95]),
        milliseconds([_p95(by_hand)]),
        _of_medians(ours, by_hand),
        f"<= {AIM * 1000:.0f} ms" if question.aim else "",
        p95 <= AIM if question.aim else None,
    )


def _slope(question: Question, many: House, few: House) -> Figure:
    large, small = question.times[many, True], question.times[few, True]
    found = _of_medians(large, small)
    return Figure(
        f"slope: {question.what}",
        milliseconds([statistics.median(map(statistics.median, large))]),
        milliseconds([statistics.median(map(statistics.median, small))]),
        found,
        f"<= {SLOPE}",
        found.median <= SLOPE,
    )


def _of_medians(ours: list[list[float]], floor: list[list[float]]) -> Ratio:
    return ratio([statistics.median(each) for each in ours], [statistics.median(each) for each in floor])


def _p95(rounds: list[list[float]]) -> float:
    times = sorted(each for some in rounds for each in some)
    return times[int(len(times) * 0.95)]


def _written(at: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at // 1000))
