"""The command: ``python -m benchmarks [--quick] [NAME ...]``."""

import argparse
import importlib
import tempfile
import time
from pathlib import Path

from benchmarks.figures import machine, table
from benchmarks.options import QUICK, Options

NAMES = ("polls", "submissions", "latency", "stored", "queries", "missions", "memory", "videos", "sheets")
"""What runs by default. A name is that of a module with a function ``run``."""

FURTHER = ("web_servers",)
"""What runs only when it is named, since it needs more than the project does."""


def main() -> None:
    """Run what is asked for and print one table for each."""
    summaries = "\n".join(f"  {name:<12} {_summary(name)}" for name in (*NAMES, *FURTHER))
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure Milepost against floors and peers, in turns in the same run.",
        epilog=f"benchmarks:\n{summaries}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", choices=(*NAMES, *FURTHER, []), help="all by default"
    )
    parser.add_argument(
        "--quick", action="store_true", help="show that everything runs; the figures mean little"
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("/var/tmp") if Path("/var/tmp").is_dir() else None,
        help="where data is kept during the run; must be on a real disk (default: %(default)s)",
    )
    arguments = parser.parse_args()
    options = QUICK if arguments.quick else Options()
    print(machine())
    for name in arguments.names or NAMES:
        begun = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="milepost-bench-", dir=arguments.folder) as folder:
            report = importlib.import_module(f"benchmarks.{name}").run(options, Path(folder))
        print(f"\n{name} ({time.perf_counter() - begun:.0f} s)\n{table(report.figures)}", flush=True)
        if report.note:
            print(report.note, flush=True)


def _summary(name: str) -> str:
    return (importlib.import_module(f"benchmarks.{name}").__doc__ or "").partition("\n")[0]


if __name__ == "__main__":
    main()
