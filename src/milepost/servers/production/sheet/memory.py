"""Sheets that need more memory than there is: how that shows, and what it is called."""

from pathlib import Path
from typing import Final

COUNTERS: Final = Path("/proc/vmstat")

TOO_LARGE: Final = (
    "the sheet needs more memory than the server has for it; choose a smaller area, fewer layers, fewer dpi or a product"
    " of a smaller scale, or ask the administrator to give the service more memory"
)


def kills(counters: Path = COUNTERS) -> int:
    """How many processes the system has ended for want of memory since it started; 0 where it does not tell."""
    try:
        lines = counters.read_text("ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
