"""Themes drawn by Mapnik, each in a process of its own that ends with the job."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from milepost.operations import Run
from milepost.servers.production.sheet.drawing import Drawn, style_of
from milepost.servers.production.sheet.geometry import SheetGeometry
from milepost.servers.production.sheet.memory import kills

PROGRAM: Final = Path(__file__).with_name("mapnik_process.py")
LOOK_EVERY: Final = 0.2
"""Seconds between two looks whether the work must stop."""


_NO_MEMORY: Final = (b"MemoryError", b"bad_alloc", b"out of memory")
"""What a process says that got no more memory."""


class RenderError(RuntimeError):
    """Mapnik could not draw; the text is its own."""


def render(run: Run, drawn: Iterable[Drawn], geometry: SheetGeometry, path: Path) -> None:
    """Draw a theme as a PDF of one page, of the size of the map's frame.

    Args:
        run: asked whether the work must stop; if so, the process is ended.
        drawn: what is drawn, the lowest first.
        geometry: of the sheet.
        path: of the PDF.

    Raises:
        RenderError: Mapnik failed or died.
        MemoryError: it had not enough memory.
    """
    killed_before = kills()
    request = {
        "style": style_of(drawn),
        "output": str(path),
        "width": geometry.width,
        "height": geometry.height,
        "box": geometry.frame,
    }
    asked = path.with_suffix(".json")
    asked.write_text(json.dumps(request))
    # The process stays in the group of this one, which is ended as a whole when the job is.
    with (
        asked.open("rb") as given,
        subprocess.Popen(  # noqa: S603 - our own program, and no argument of a client
            [sys.executable, "-P", str(PROGRAM)],
            stdin=given,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        ) as process,
    ):
        try:
            said = _said(run, process)
        except BaseException:
            process.kill()
            raise
    asked.unlink()
    if process.returncode != 0:
        killed = process.returncode == -signal.SIGKILL and kills() > killed_before
        if killed or any(each in said for each in _NO_MEMORY):
            raise MemoryError(f"drawing {path.stem}")
        lines = said.decode(errors="replace").strip().splitlines()
        cause = lines[-1] if lines else f"its process ended with {process.returncode}"
        raise RenderError(f"drawing {path.stem} failed: {cause}")


def _said(run: Run, process: "subprocess.Popen[bytes]") -> bytes:
    """What the process writes on standard error until it ends."""
    while True:
        run.check()
        try:
            return process.communicate(timeout=LOOK_EVERY)[1]
        except subprocess.TimeoutExpired:
            continue
