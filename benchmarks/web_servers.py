"""The same application on granian and on uvicorn, inside one process (needs ``pip install granian``)."""

import importlib.util
import sys
from pathlib import Path

from benchmarks.figures import Figure, Report, in_turns, per_second, ratio
from benchmarks.load import LoadClient, get, post
from benchmarks.options import Options
from benchmarks.processes import Milepost, cores


def run(options: Options, folder: Path) -> Report:
    """Measure."""
    if importlib.util.find_spec("granian") is None:
        sys.exit("granian is not installed here, and is no part of the project: pip install granian")
    server_core, client_core = cores()

    def on(name: str) -> Milepost:
        data = folder / name
        return Milepost(data, core=server_core, command=["benchmarks.embedded", name, str(data)])

    with on("granian") as granian, on("uvicorn") as uvicorn, LoadClient(client_core) as client:
        requests: dict[tuple[str, str], bytes] = {}
        for server in (granian, uvicorn):
            job = server.submit(server.task("Bench/Noop", "talk"))
            server.finish(job)
            blocked = server.task("Bench/Blocked", "block")
            server.submit(blocked)
            requests[server.address, "polls"] = get(f"{job}?f=json", server.headers)
            requests[server.address, "submissions"] = post(f"{blocked}/submitJob", "f=json", server.headers)

        def rate(server: Milepost, what: str, connections: int) -> float:
            return client.run(
                server.address,
                [requests[server.address, what]],
                connections=connections,
                seconds=options.seconds,
                expect=b'"jobId"',
            ).rate

        def figure(what: str, connections: int) -> Figure:
            ours, floor = in_turns(
                options.rounds,
                lambda: rate(granian, what, connections),
                lambda: rate(uvicorn, what, connections),
            )
            return Figure(
                f"{what}, on granian / on uvicorn", per_second(ours), per_second(floor), ratio(ours, floor)
            )

        figures = [figure("polls", 16), figure("submissions", 32)]
    return Report(figures, "Both in one process with the store and the engine, both on uvloop, on one core.")
