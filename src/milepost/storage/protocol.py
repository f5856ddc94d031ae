"""What every storage can do."""

import re
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Final, Protocol

import msgspec

Tick = Callable[[int], None]
"""Called with the number of bytes that were dealt with; may raise to stop the work."""

_NAME: Final = re.compile(r"[0-9A-Za-z_-][0-9A-Za-z_.-]{0,254}")
"""Of folders and files: safe in every file system, in URLs and as the key of an object."""


class StorageError(Exception):
    """The storage cannot be used. The text names the cause and the cure, and may be told to everybody."""

    def __init__(self, text: str, place: str = ""):
        """With the place, which is for the log of the server: where files lie is nobody else's business."""
        super().__init__(text)
        self.place: Final = place


class Entry(msgspec.Struct, frozen=True):
    """A file that lies in the storage."""

    size: int
    """Bytes."""
    tag: str
    """Another one whenever the content is."""
    modified: float
    """UTC seconds since the epoch."""


class Storage(Protocol):
    """Folders of files, each under a name. Every method may be called from any thread and process."""

    place: str
    """As it is configured, and kept with what lies there."""

    def put(self, folder: Path, name: str, tick: Tick) -> None:
        """Store a folder with all below it; it is there when this returns, and readers must not look before.

        The folder may be gone afterwards. A folder that was put already stays as it is.

        Raises:
            StorageError: it cannot be stored, or there is none to store.
        """

    def write(self, name: str, path: str, content: bytes) -> None:
        """Put one small file into a folder that is there, in place of one with that path."""

    def remove(self, name: str, path: str) -> None:
        """Remove one file of a folder; there need not be one."""

    def fetch(self, name: str, path: str, target: Path, tick: Tick) -> None:
        """Bring a file to this machine.

        Raises:
            StorageError: there is no such file.
        """

    def paths(self, name: str) -> list[str]:
        """The paths of all files in a folder, sorted; none when it is not there."""

    def names(self) -> list[str]:
        """The names of all folders that were put, sorted."""

    def delete(self, name: str) -> None:
        """Remove a folder with all below it; there need not be one."""

    async def look(self, name: str, path: str) -> Entry | None:
        """What is known of a file, or None."""

    def read(self, name: str, path: str, begin: int, end: int) -> AsyncGenerator[bytes, None]:
        """The bytes of a file from ``begin`` to before ``end``, piece by piece."""


def usable(name: str, path: str = "") -> bool:
    """Whether a folder and a path in it can be there at all: no part of them leads elsewhere."""
    return all(_NAME.fullmatch(part) for part in (name, *(path.split("/") if path else ())))


def checked(name: str, path: str = "") -> str:
    """``name/path``.

    Raises:
        ValueError: a part of it cannot be the name of a file.
    """
    if not usable(name, path):
        raise ValueError(f"{name}/{path} cannot be the name of a stored file")
    return f"{name}/{path}" if path else name


def files_below(folder: Path) -> list[tuple[Path, str]]:
    """All files below a folder, with their paths in it.

    Raises:
        StorageError: there are none, or something else than plain files.
    """
    found = sorted(each for each in folder.rglob("*") if not each.is_dir() or each.is_symlink())
    odd = [each for each in found if each.is_symlink() or not each.is_file()]
    if odd or not found:
        what = f"it holds {odd[0].name}, which is no plain file" if odd else "it holds nothing"
        raise StorageError(f"what was made cannot be stored: {what}", str(folder))
    return [(each, each.relative_to(folder).as_posix()) for each in found]
