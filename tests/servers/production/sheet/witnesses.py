"""What programs that had no part in making a sheet say of it."""

import shutil
import subprocess

import pytest


def tool(name, *arguments):
    """What a program of the system says."""
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    done = subprocess.run([name, *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout
