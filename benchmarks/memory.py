"""Memory of an idle server, its template and its instances, against a hello-world process."""

import statistics
from pathlib import Path

import psutil

from benchmarks.figures import Figure, Ratio, Report
from benchmarks.options import Options
from benchmarks.processes import Milepost, Server


def run(_: Options, folder: Path) -> Report:
    """Measure."""
    figures = []
    with Server(["benchmarks.hello", "586"]) as hello:
        floor = _pss(psutil.Process(hello.process.pid))
    for toolbox in (False, True):
        name = "with the toolbox" if toolbox else "without toolbox"
        with Milepost(folder / name.replace(" ", "-"), toolbox=toolbox) as milepost:
            milepost.finish(milepost.submit(milepost.task("Bench/Noop", "noop")))
            server = psutil.Process(milepost.process.pid)
            (template,) = server.children()
            instances = template.children()
            for what, sizes in (
                ("server", [_pss(server)]),
                ("template", [_pss(template)]),
                (f"each of {len(instances)} instances", [_pss(each) for each in instances]),
                ("all together", [sum(_pss(each) for each in (server, template, *instances))]),
            ):
                size = statistics.median(sizes)
                share = size / floor
                figures.append(Figure(f"{what}, {name}", _mib(size), _mib(floor), Ratio(share, share, share)))
    return Report(
        figures,
        "Proportional set size (memory that processes share is divided among them); the floor is a hello-world "
        "of the same web stack.",
    )


def _pss(process: psutil.Process) -> float:
    info = process.memory_full_info()
    return float(getattr(info, "pss", 0) or info.rss)


def _mib(size: float) -> str:
    return f"{size / 2**20:.1f} MiB"
