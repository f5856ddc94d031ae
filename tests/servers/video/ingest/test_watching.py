"""Programs that take too much."""

import sys

import pytest

from milepost.servers.video.ingest.watching import Hung, watch


def run(program, **bounds):
    watch([sys.executable, "-c", program], line=lambda _: True, check=lambda: None, patience=60, **bounds)


def test_a_program_that_gets_on_for_ever_is_killed():
    with pytest.raises(Hung, match="it took more than 2 seconds, which is far too long"):
        run("import time\nwhile True: print('on', flush=True); time.sleep(0.05)", most=2)


def test_a_program_that_takes_too_much_memory_is_killed_with_what_it_started():
    child = "import sys, time; much = b'1' * (300 << 20); time.sleep(600)"
    with pytest.raises(Hung, match=r"GiB of memory and may take 0\.2"):
        run(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])", memory=200 << 20)


def test_a_program_that_takes_little_is_not_disturbed():
    run("print('done')", most=60, memory=1 << 30)
