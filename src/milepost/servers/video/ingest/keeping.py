"""Files kept where nobody else removes them."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

_PART: Final = 8 << 20
"""Bytes that are copied between two looks at whether to stop."""


def link_or_copy(path: Path, target: Path, check: Callable[[], None]) -> None:
    """Have a file under another name too, whose folder is made; what had that name is replaced.

    It is linked, and copied only where that cannot be: on another disk, or when it is a file of somebody else.

    Args:
        path: the file, which is not changed later.
        target: the other name. It is there only once it is whole.
        check: called often; what it raises ends the work.

    Raises:
        OSError: the file cannot be read, or not be copied.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(path)
    except FileNotFoundError:
        raise
    except OSError:
        begun = target.with_name(f"{target.name}.part")
        with path.open("rb") as reading, begun.open("wb") as writing:
            while part := reading.read(_PART):
                writing.write(part)
                check()
        begun.rename(target)
