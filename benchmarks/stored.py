"""Polls and pages of the list of jobs with 10 and with 1,000,000 jobs in the store, side by side."""

import time
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, Report, in_turns, milliseconds, per_second, ratio
from benchmarks.filling import fill
from benchmarks.load import LoadClient, get
from benchmarks.options import Options
from benchmarks.processes import Milepost, cores

FEW = 10
SLOPE = 1.25
"""A page may take this many times longer; less than that is noise here."""


def run(options: Options, folder: Path) -> Report:
    """Measure."""
    server_core, client_core = cores()
    many = options.stored
    begun = time.perf_counter()
    fill(folder / "many" / "milepost.sqlite", many)
    filled = time.perf_counter() - begun
    size = (folder / "many" / "milepost.sqlite").stat().st_size
    fill(folder / "few" / "milepost.sqlite", FEW)
    with (
        Milepost(folder / "few", core=server_core) as small,
        Milepost(folder / "many", core=server_core) as large,
        LoadClient(client_core) as client,
    ):
        jobs = {}
        for server in (small, large):
            jobs[server.address] = server.submit(server.task("Bench/Noop", "talk"))
            server.finish(jobs[server.address])

        def polls(server: Milepost) -> float:
            request = get(f"{jobs[server.address]}?f=json", server.headers)
            return client.run(
                server.address,
                [request],
                connections=16,
                seconds=options.seconds,
                expect=b"esriJobSucceeded",
            ).rate

        def page(server: Milepost, query: str) -> float:
            request = get(f"{server.address}/rest/jobs?f=json&{query}", server.headers)
            return client.run(
                server.address, [request], connections=1, seconds=options.seconds / 2, expect=b'"jobs":['
            ).p50

        poll_large, poll_small = in_turns(options.rounds, lambda: polls(large), lambda: polls(small))
        found = ratio(poll_large, poll_small)
        figures = [
            Figure(
                f"polls of a job, {many:,} / {FEW} stored",
                per_second(poll_large),
                per_second(poll_small),
                found,
                f">= {1 / SLOPE:.2f}",
                found.median >= 1 / SLOPE,
            )
        ]
        pages = {
            "first page": "num=10",
            "by status succeeded": "num=10&status=succeeded",
            "by status failed": "num=10&status=failed",
            "by owner": "num=10&owner=person7",
            "by service": "num=10&service=Bench/Service7.GPServer",
            "by owner and service": "num=10&owner=person7&service=Bench/Service7.GPServer",
        }
        for what, query in pages.items():
            times_large, times_small = in_turns(
                max(3, options.rounds // 4), partial(page, large, query), partial(page, small, "num=10")
            )
            figures.append(_page(f"page {what}", times_large, times_small))
        for part in (100, 2):
            start = max(1, many // part)
            times_deep, times_first = in_turns(
                max(3, options.rounds // 4),
                partial(page, large, f"num=10&start={start}"),
                partial(page, large, "num=10"),
            )
            figures.append(_page(f"page from job {start:,} / first", times_deep, times_first, aim=False))
        ready: Any = (large.started_in, small.started_in)
    return Report(
        [
            *figures,
            Figure(
                "start of the server", f"{ready[0]:.2f} s", f"{ready[1]:.2f} s", ratio([ready[0]], [ready[1]])
            ),
        ],
        f"Filled in {filled:.0f} s, {size / 2**20:,.0f} MiB. A page holds 10 jobs; each is compared with the "
        f"page that shows all {FEW} of the small store, whose filters would find fewer.",
    )


def _page(what: str, ours: list[float], floor: list[float], *, aim: bool = True) -> Figure:
    found = ratio(ours, floor)
    return Figure(
        what,
        milliseconds(ours),
        milliseconds(floor),
        found,
        f"<= {SLOPE}" if aim else "",
        found.median <= SLOPE if aim else None,
    )
