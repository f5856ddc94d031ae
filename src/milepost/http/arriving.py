"""Files on their way to the server: written to its own disk as they come, and gone unless somebody keeps them."""

import errno
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

from milepost.http.errors import ServiceError

DISK_FULL: Final = "The disk of the server is full; nothing was kept. Try again once there is room"

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


class Arrival(Protocol):
    """Follows a body with files from its first byte to the answer, for those who want to know or limit it."""

    async def expect(self, length: int) -> None:
        """It begins: ``length`` bytes, or 0 when the client does not say.

        Raises:
            ServiceError: it is not to come.
        """

    async def came(self, size: int, files: Sequence[tuple[str, str]]) -> None:
        """So many bytes have come, and among them the beginnings of files: the parameter and the name of each.

        Raises:
            ServiceError: the rest is not to come.
        """

    async def end(self) -> None:
        """The request is answered, or given up."""


class ArrivingFile:
    """A file that a request brings. It is removed when it is closed, unless it was kept."""

    def __init__(self, folder: Path):
        """In a folder, which is made when it is not there."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path: Final = folder / uuid.uuid4().hex
        self._file = self.path.open("x+b", buffering=0)

    def write(self, data: bytes) -> int:
        """Write all of it."""
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) or 0 :]
        return len(data)

    def read(self, size: int = -1) -> bytes:
        """So many bytes from where it stands, or fewer at the end."""
        return self._file.read(size) or b""

    def seek(self, offset: int) -> int:
        """Go to a place."""
        return self._file.seek(offset)

    def keep(self, path: Path) -> None:
        """Let it be the file at a path from now on; on the same disk nothing is copied."""
        try:
            self.path.rename(path)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            shutil.copyfile(self.path, path)

    def close(self) -> None:
        """Remove it, if nobody kept it."""
        if not self._file.closed:
            self._file.close()
            self.path.unlink(missing_ok=True)


def discard_arrived(folder: Path) -> None:
    """Remove what was on its way when an earlier server was killed."""
    if folder.is_dir():
        for each in os.scandir(folder):
            os.unlink(each)


@contextmanager
def told_when_full() -> Iterator[None]:
    """Work that writes what somebody sent.

    Raises:
        ServiceError: the disk is full.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise ServiceError(500, DISK_FULL) from None
