"""The benchmarks run and print their tables; what the figures are is for people to read."""

import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.figures import HEADER, Figure, Ratio, in_turns, ratio, table
from benchmarks.options import Options

from benchmarks import polls, stored

TINY = Options(rounds=2, seconds=0.1, jobs=2, stored=40)


@pytest.mark.parametrize("benchmark", [polls, stored], ids=lambda each: each.__name__)
def test_a_benchmark_gives_a_table(benchmark, tmp_path: Path):
    report = benchmark.run(TINY, tmp_path)

    assert report.note
    assert all(figure.value for figure in report.figures)
    assert any(figure.aim for figure in report.figures)
    lines = table(report.figures).splitlines()
    assert lines[0].split() == list(HEADER)
    assert len(lines) == 2 + len(report.figures)


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
