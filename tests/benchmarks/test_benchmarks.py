"""The benchmarks run and print their tables; what the figures are is for people to read."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.figures import HEADER, Figure, Ratio, in_turns, ratio, table
from benchmarks.filling import OUTCOMES, SERVICES, fill
from benchmarks.options import Options

from benchmarks import missions, polls, queries, stored, videos
from milepost.jobs import fold
from milepost.jobs.events import decode, encode
from milepost.store import rows
from milepost.store.database import migrate

TINY = Options(rounds=2, seconds=0.1, jobs=2, stored=40, missions=5, video=1.0)


@pytest.mark.parametrize(
    "benchmark", [missions, polls, queries, stored, videos], ids=lambda each: each.__name__
)
def test_a_benchmark_gives_a_table(benchmark, tmp_path: Path):
    report = benchmark.run(TINY, tmp_path)

    assert report.note
    assert all(figure.value for figure in report.figures)
    assert any(figure.aim for figure in report.figures)
    lines = table(report.figures).splitlines()
    assert lines[0].split() == list(HEADER)
    assert len(lines) == 2 + len(report.figures)


def test_a_filled_store_is_as_the_store_would_have_written_it(tmp_path: Path):
    first, last = fill(tmp_path / "milepost.sqlite", 3000)
    connection = sqlite3.connect(tmp_path / "milepost.sqlite")
    jobs = []
    for number, job_id, sequence in connection.execute(
        "SELECT number, id, sequence FROM jobs ORDER BY number"
    ):
        found = connection.execute("SELECT body FROM events WHERE job = ? ORDER BY sequence", (number,))
        bodies = [body for (body,) in found]
        assert [encode(decode(body)).decode() for body in bodies] == bodies
        jobs.append(fold(job_id, map(decode, bodies)))
        assert jobs[-1].sequence == sequence
    columns = rows.INSERT_JOB.partition("(")[2].partition(")")[0]
    stored = connection.execute(f"SELECT {columns} FROM jobs ORDER BY number").fetchall()
    assert stored == [rows.new_row(job) for job in jobs]
    assert {job.status for job in jobs} == set(OUTCOMES)
    assert {job.service for job in jobs} == set(SERVICES)
    times = [job.submitted_at for job in jobs]
    assert first <= times[0] <= times[-1] == last
    assert times == sorted(times)
    migrate(connection)  # finds nothing left to do
    indexes = connection.execute("SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
    assert ("jobs_by_owner_and_service",) in indexes.fetchall()
    connection.close()


def test_the_command_names_its_benchmarks():
    shown = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--help"], capture_output=True, text=True, check=True
    ).stdout

    assert "polls " in shown
    assert "hello-world" in shown


def test_things_that_are_compared_take_turns_at_being_first():
    order: list[str] = []

    def measure(name: str) -> float:
        order.append(name)
        return float(len(order))

    ours, floor = in_turns(2, lambda: measure("ours"), lambda: measure("floor"))

    assert order == ["ours", "floor", "floor", "ours"]
    assert (ours, floor) == ([1, 4], [2, 3])


def test_a_ratio_is_the_median_of_pairs():
    assert ratio([2, 4, 90], [1, 1, 30]) == Ratio(3.0, 2.5, 3.5)


def test_a_figure_says_whether_its_aim_was_reached():
    shown = table([Figure("polls", "5/s", "10/s", Ratio(0.5, 0.4, 0.6), ">= 0.9", False)])

    assert shown.splitlines()[-1].split() == [
        "polls",
        "5/s",
        "10/s",
        "0.50",
        "0.40",
        "to",
        "0.60",
        ">=",
        "0.9",
        "NO",
    ]
