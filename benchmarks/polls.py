"""Polls of one job by many connections, against a hello-world of the same web stack and size of answer."""

import statistics
from pathlib import Path

from benchmarks.figures import Figure, Report, in_turns, per_second, ratio
from benchmarks.load import Answers, LoadClient, get
from benchmarks.options import Options
from benchmarks.processes import Milepost, Server, cores

CONNECTIONS = 16
AIM = 0.9


def run(options: Options, folder: Path) -> Report:
    """Measure."""
    server_core, client_core = cores()
    with Milepost(folder / "polls", core=server_core) as milepost, LoadClient(client_core) as client:
        job = milepost.submit(milepost.task("Bench/Noop", "talk"))
        milepost.finish(job)
        by_header = get(f"{job}?f=json", milepost.headers)
        by_query = get(f"{job}?f=json&token={milepost.token}")
        size = len(milepost.text(f"{job}?f=json"))
        with Server(["benchmarks.hello", str(size)], core=server_core) as hello:
            used: dict[str, list[float]] = {}

            def rate(name: str, server: Server, request: bytes, expect: bytes) -> float:
                before = server.cpu()
                answers: Answers = client.run(
                    server.address,
                    [request],
                    connections=CONNECTIONS,
                    seconds=options.seconds,
                    expect=expect,
                )
                used.setdefault(name, []).append((server.cpu() - before) / answers.count)
                busy.append((server.cpu() - before) / options.seconds)
                return answers.rate

            busy: list[float] = []
            header, query, floor, bare = in_turns(
                options.rounds,
                lambda: rate("header", milepost, by_header, b"esriJobSucceeded"),
                lambda: rate("query", milepost, by_query, b"esriJobSucceeded"),
                lambda: rate("hello", hello, get(f"{hello.address}/hello"), b"hello"),
                lambda: rate("bare", hello, get(f"{hello.address}/bare"), b"hello"),
            )

    def figure(what: str, ours: list[float], floor: list[float], aim: float) -> Figure:
        found = ratio(ours, floor)
        return Figure(
            what,
            per_second(ours),
            per_second(floor),
            found,
            f">= {aim}" if aim else "",
            found.median >= aim if aim else None,
        )

    by_cpu = {name: [1 / each for each in samples] for name, samples in used.items()}
    return Report(
        [
            figure("polls, token in a header / hello-world", header, floor, AIM),
            figure("polls, token in the query / hello-world", query, floor, AIM),
            figure("the same for each second of CPU, header", by_cpu["header"], by_cpu["hello"], 0),
            figure("polls, token in a header / bare ASGI endpoint", header, bare, 0),
        ],
        f"{size} bytes of JSON, {CONNECTIONS} connections, one core for the server, another for the client; "
        f"the core of the server was {statistics.median(busy):.0%} busy with it.",
    )
