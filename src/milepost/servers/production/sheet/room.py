"""Room on the disk where a sheet is made: what is left of it is also what the server keeps its jobs in."""

import errno
import shutil
from pathlib import Path
from typing import Final

RESERVE: Final = 16 << 20
"""Bytes that a sheet leaves to the others, so that it can be recorded that there was no room."""

DISK_FULL: Final = (
    "the disk of the server is full; nothing of the sheet was kept. Ask for it again once there is room: it needs some"
    " hundred MB while it is made, and a raster four bytes a pixel besides"
)


def check_room(folder: Path) -> None:
    """See to it that there is room for others.

    Raises:
        ValueError: there is not.
    """
    if shutil.disk_usage(folder).free < RESERVE:
        raise ValueError(DISK_FULL)


def is_want_of_room(error: Exception, folder: Path) -> bool:
    """Whether something failed for want of room; libraries that write files have many words for it."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    return shutil.disk_usage(folder).free < RESERVE
