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

    cheapness: list[float] = []

    def rate(client: LoadClient, server: Server, request: bytes, expect: bytes = b'"jobId"') -> float:
        before = server.cpu()
        answers = client.run(server.address, [request], connections=CLIENTS, seconds=seconds, expect=expect)
        used = server.cpu() - before
        answered.append(answers.p50)
        busy.append(used / seconds)
        cheapness.append(answers.count / used)
        return answers.rate

    def submission(server: Milepost, task: str) -> bytes:
        return post(f"{server.task(*task.split())}/submitJob", "seconds=0.2&f=json", server.headers)

    with LoadClient(client_core) as client, Commits(folder / "floor.sqlite") as commits:
        with Milepost(folder / "waiting") as server:
            # One job holds the only instance; all that follow are accepted and wait.
            server.submit(server.task("Bench/Blocked", "block"))
            request = submission(server, "Bench/Blocked block")
            waits, floor = in_turns(
                rounds, lambda: rate(client, server, request), lambda: commits.rate(seconds)
            )
        p50, used = statistics.median(answered), statistics.median(busy)
        own = [*cheapness]
        with Server(["benchmarks.hello", "83"]) as hello:
            request = get(f"{hello.address}/hello")
            cheapness.clear()
            greetings, floor_between = in_turns(
                rounds // 2, lambda: rate(client, hello, request, b"hello"), lambda: commits.rate(seconds)
            )
            theirs = [*cheapness]
        numbers = itertools.count()

        def at_work() -> float:
            # A server of its own for each turn: one that still works would slow the floor down.
            with Milepost(folder / f"working-{next(numbers)}") as server:
                return rate(client, server, submission(server, "Bench/Noop noop"))

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
                "for each second of CPU, jobs wait / hello-world",
                per_second(own),
                per_second(theirs),
                ratio([statistics.median(own)], [statistics.median(theirs)]),
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
