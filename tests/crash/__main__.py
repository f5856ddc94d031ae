"""A long run of the harness."""

import argparse
import random
import sys
import tempfile
from pathlib import Path

from tests.crash.harness import Harness

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--kills", type=int, default=300)
parser.add_argument("--seed", type=int, default=random.randrange(10**6))
given = parser.parse_args()
with tempfile.TemporaryDirectory(prefix="milepost-crash-") as folder:
    report = Harness(Path(folder), given.seed).run(given.kills)
sys.stdout.write("\n  ".join([f"seed {given.seed}: {report}", *report.problems]) + "\n")
sys.exit(bool(report.problems))
