"""What programs that had no part in making a sheet say of it."""

import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image


def tool(name, *arguments):
    """What a program of the system says."""
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    done = subprocess.run([name, *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def drawn_by_poppler(path, dpi, folder):
    """The grey values of a PDF of one page."""
    tool("pdftoppm", "-gray", "-r", dpi, "-singlefile", path, folder / "poppler")
    return np.asarray(Image.open(folder / "poppler.pgm"))
