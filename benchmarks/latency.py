"""How soon a submitted job starts and ends on an idle server, when it has nothing to do."""

import http.client
import json
import statistics
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.commits import Commits
from benchmarks.figures import Figure, Report, in_turns, milliseconds, ratio
from benchmarks.options import Options
from benchmarks.processes import Milepost, Server

AIM = 0.010
PAUSE = 0.06
"""Seconds between jobs, in which the used instance is replaced by a fresh one."""


def run(options: Options, folder: Path) -> Report:
    """Measure."""
    starts: list[float] = []
    with (
        Milepost(folder / "latency") as milepost,
        Server(["benchmarks.hello", "586"]) as hello,
        Commits(folder / "floor.sqlite") as commits,
    ):
        task = milepost.task("Bench/Noop", "noop")
        ours = _Client(milepost.address, milepost.headers)
        theirs = _Client(hello.address, {})

        def start() -> float:
            time.sleep(PAUSE)
            sent = time.time_ns()
            job = f"{task}/jobs/{ours.post(f'{task}/submitJob')['jobId']}"
            time.sleep(PAUSE)
            milepost.finish(job)
            first_line = int(milepost.json(f"{job}/results/result")["value"])
            starts.append((first_line - sent) / 1e9)
            return starts[-1]

        def done() -> float:
            time.sleep(PAUSE)
            begun = time.perf_counter()
            ours.post(f"{task}/execute")
            return time.perf_counter() - begun

        def floor() -> float:
            begun = time.perf_counter()
            theirs.get(f"{hello.address}/hello")
            commits.insert(2)
            return time.perf_counter() - begun

        start()  # the first connection and the first look at everything
        starts.clear()
        began, ended, least = in_turns(options.jobs, start, done, floor)
        ours.close()
        theirs.close()
    found = ratio(began, least)
    p50 = statistics.median(began)
    return Report(
        [
            Figure(
                "submit to the first line of a no-op, p50",
                milliseconds(began),
                milliseconds(least),
                found,
                f"< {AIM * 1000:.0f} ms",
                p50 < AIM,
            ),
            Figure("submit to the first line of a no-op, p95", milliseconds([_p95(began)])),
            Figure(
                "submit to the answer with its result, p50",
                milliseconds(ended),
                milliseconds(least),
                ratio(ended, least),
            ),
            Figure("submit to the answer with its result, p95", milliseconds([_p95(ended)])),
        ],
        f"{options.jobs} jobs one after another, each in a process of its own that stood ready. "
        "The floor is a hello-world and two SQLite commits.",
    )


def _p95(samples: list[float]) -> float:
    return statistics.quantiles(samples, n=20, method="inclusive")[-1]


class _Client:
    """One connection that is kept, with as little between the clock and the wire as there can be."""

    def __init__(self, address: str, headers: dict[str, str]):
        parts = urlsplit(address)
        self._connection = http.client.HTTPConnection(parts.netloc, timeout=60)
        self._headers = headers

    def close(self) -> None:
        self._connection.close()

    def get(self, url: str) -> bytes:
        self._connection.request("GET", url, headers=self._headers)
        return self._connection.getresponse().read()

    def post(self, url: str) -> Any:
        form = {"Content-Type": "application/x-www-form-urlencoded", **self._headers}
        self._connection.request("POST", urlsplit(url).path, body="f=json", headers=form)
        answer = json.loads(self._connection.getresponse().read())
        if "error" in answer:
            raise RuntimeError(f"{url}: {answer['error']}")
        return answer
