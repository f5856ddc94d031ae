"""The parts of a file that comes in several requests, in the folder of its upload."""

import re
import shutil
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Final

from milepost.http import ServiceError, wrong

_MOST: Final = 10_000
_PIECE: Final = 1 << 20


def part_at(folder: Path, text: str) -> Path:
    """Where the part of a number goes, as a client wrote it.

    Raises:
        ServiceError: 400, it is none.
    """
    if not re.fullmatch(r"[0-9]{1,5}", text) or int(text) > _MOST:
        raise wrong("partId", f"it must be a number from 0 to {_MOST}")
    return _part(folder, text)


def all_parts(folder: Path) -> list[Path]:
    """Those that came, in their order."""
    return sorted(folder.glob("part-[0-9]*"))


def named_parts(folder: Path, text: str) -> list[Path]:
    """The parts that a client names, with commas or as a JSON array; all that came when it names none.

    Raises:
        ServiceError: 400, one of them is none, was not sent, or is named twice.
    """
    named = [each.strip() for each in text.strip("[] ").split(",") if each.strip()]
    strange = [each for each in named if not re.fullmatch(r'"?[0-9]{1,5}"?', each)]
    if strange:
        raise wrong("parts", f"{strange[0][:40]!r} is no number of a part")
    parts = [_part(folder, each.strip('"')) for each in named] or all_parts(folder)
    twice = [_number(each) for each, times in Counter(parts).items() if times > 1]
    if twice:
        raise wrong("parts", f"{twice[0]} is named twice; name each part once")
    lost = [_number(each) for each in parts if not each.is_file()]
    if lost:
        raise wrong("parts", f"{lost[0]} was not sent")
    return parts


def join(parts: list[Path], path: Path) -> None:
    """Make one file of parts, which stay: until it is known what the file is, they may be joined in another way."""
    with path.open("wb") as target:
        for each in parts:
            with each.open("rb") as part:
                shutil.copyfileobj(part, target, _PIECE)


def require_size(files: list[Path], most: int) -> None:
    """Nothing, if files have so many bytes together at most.

    Raises:
        ServiceError: 400.
    """
    if sum(each.stat().st_size for each in files) > most:
        raise ServiceError(400, f"The file is larger than the {most / 2**30:g} GiB that an upload may have")


def require_announced(files: list[Path], size: int) -> None:
    """Nothing, if files have together what their owner said when they were registered.

    Raises:
        ServiceError: 400.
    """
    there = sum(each.stat().st_size for each in files)
    if there != size:
        raise ServiceError(
            400,
            f"{there} bytes are here, and {size} were registered: send what is missing, or register it anew",
        )


def require_no_gap(parts: list[Path]) -> None:
    """Nothing, unless a number is missing between those of the first part and the last one.

    Raises:
        ServiceError: 400.
    """
    numbers = [_number(each) for each in parts]
    for each, following in pairwise(numbers):
        if following != each + 1:
            raise wrong("parts", f"{each + 1} was not sent; send it, or name those of which the file is made")


def _number(part: Path) -> int:
    return int(part.name.removeprefix("part-"))


def _part(folder: Path, number: str) -> Path:
    return folder / f"part-{int(number):05}"
