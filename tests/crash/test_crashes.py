"""Whatever is killed, every accepted job is there, has a legal history, and comes to its end once."""

import os
import random
from pathlib import Path

import pytest

from tests.crash.harness import Harness

KILLS = int(os.environ.get("MILEPOST_TEST_KILLS", "24"))


@pytest.mark.timeout(600)
def test_no_kill_loses_doubles_or_half_undoes_a_job(tmp_path: Path) -> None:
    seed = int(os.environ.get("MILEPOST_TEST_SEED", random.randrange(10**6)))
    report = Harness(tmp_path, seed).run(KILLS)
    assert not report.problems, f"seed {seed}: {report}: {report.problems}"
    assert report.kills["server"]
    assert report.kills["instance"]
    assert report.outcomes["SUCCEEDED"]
    assert report.outcomes["CANCELLED"]
    assert report.pauses
