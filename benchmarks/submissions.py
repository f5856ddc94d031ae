"""Jobs accepted durably over HTTP from 32 clients, against raw SQLite commits on the same disk."""

import itertools
import statistics
from pathlib import Path

from benchmarks.commits import Commits
from benchmarks.figures import Figure, Report, in_turns, per_second, ratio
from benchmarks.load import LoadClient, get, post
from benchmarks.options import Options
from benchmarks.processes import Milepost, Server, cores

CLIENTS = 32
AIM = 0.4


def run(options: Options, folder: Path) -> Report:
    """Measure."""
    _, client_core = cores()
    rounds, seconds = max(3, options.rounds // 2), options.seconds * 2
    answered: list[float] = []
    busy: list[float] = []

    def rate(client: LoadClient, server: Milepost, task: str) -> float:
        request = post(f"{task}/submitJob", "seconds=0.2&f=json", server.headers)
        before = server.cpu()
        answers = client.run(
            server.address, [request], connections=CLIENTS, seconds=seconds, expect=b'"jobId"'
        )
        answered.append(answers.p50)
        busy.append((server.cpu() - before) / seconds)
        return answers.rate

    with LoadClient(client_core) as client, Commits(folder / "floor.sqlite") as commits:
        with Milepost(folder / "waiting") as server:
            # One job holds the only instance; all that follow are accepted and wait.
            blocked = server.task("Bench/Blocked", "block")
            server.submit(blocked)
            waits, floor = in_turns(
                rounds, lambda: rate(client, server, blocked), lambda: commits.rate(seconds)
            )
        with Server(["benchmarks.hello", "83"]) as hello:
            request = get(f"{hello.address}/hello")
            greetings, floor_between = in_turns(
                rounds // 2,
                lambda: (
                    client.run(
                        hello.address, [request], connections=CLIENTS, seconds=seconds, expect=b"hello"
                    ).rate
                ),
                lambda: commits.rate(seconds),
            )
        p50, used = statistics.median(answered), statistics.median(busy)
        numbers = itertools.count()

        def at_work() -> float:
            # A server of its own for each turn: one that still works would slow the floor down.
            with Milepost(folder / f"working-{next(numbers)}") as server:
                return rate(client, server, server.task("Bench/Noop", "noop"))

        works, floor_again = in_turns(rounds // 2, at_work, lambda: commits.rate(seconds))
    found = ratio(waits, floor)
    return Report(
        [
            Figure(
                f"submissions, {CLIENTS} clients, jobs wait",
                per_second(waits),
                per_second(floor),
                found,
                f">= {AIM}",
                found.median >= AIM,
            ),
            Figure(
                f"submissions, {CLIENTS} clients, 2 instances at work",
                per_second(works),
                per_second(floor_again),
                ratio(works, floor_again),
            ),
            Figure(
                f"for comparison: hello-world, {CLIENTS} clients",
                per_second(greetings),
                per_second(floor_between),
                ratio(greetings, floor_between),
            ),
        ],
        f"A submission is answered after its commit; half of them within "
        f"{p50 * 1000:.1f} ms. Server and instances use both cores; the server was "
        f"{used:.0%} of one busy while jobs wait. The floor has the disk to itself.",
    )
