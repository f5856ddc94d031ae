"""Stored folders in a folder of this machine."""

import asyncio
import errno
import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from milepost.storage.protocol import Entry, StorageError, Tick, checked, files_below, usable

_PIECE: Final = 1 << 18
"""Bytes that are read at a time."""

_MADE: Final = ".made-"
_GONE: Final = ".gone-"
"""What the names of folders begin with that are being made or removed; nobody lists or reads them."""


class LocalStorage:
    """Folders below one folder. A folder appears and disappears all at once."""

    def __init__(self, root: Path, place: str = ""):
        """Below ``root``, made when first needed; ``place`` is how it is configured."""
        self.root: Final = root
        self.place = place

    def put(self, folder: Path, name: str, tick: Tick) -> None:
        """See ``Storage``."""
        target = self._path(name)
        if target.is_dir():
            return
        files = files_below(folder)
        with _explained(self.root):
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            made = target.with_name(f"{_MADE}{target.name}")
            shutil.rmtree(made, ignore_errors=True)  # what an earlier attempt left
            if _can_be_moved(folder, made):
                for path, _ in files:
                    _make_durable(path)
                    tick(path.stat().st_size)
            else:
                # Under a name that nobody reads, which then becomes the right one.
                for path, name in files:
                    _copy(path, made / name, tick)
                    _make_durable(made / name)
                files, folder = files_below(made), made
            for each in {path.parent for path, _ in files}:
                _make_durable(each)
            folder.rename(target)
            _make_durable(self.root)

    def write(self, name: str, path: str, content: bytes) -> None:
        """See ``Storage``."""
        target = self._path(name, path)
        fresh = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
        with _explained(self.root):
            try:
                fresh.write_bytes(content)
                _make_durable(fresh)
                fresh.replace(target)
            finally:
                fresh.unlink(missing_ok=True)

    def remove(self, name: str, path: str) -> None:
        """See ``Storage``."""
        with _explained(self.root):
            self._path(name, path).unlink(missing_ok=True)

    def fetch(self, name: str, path: str, target: Path, tick: Tick) -> None:
        """See ``Storage``. The file is linked where that can be done: it must not be changed."""
        source = self._path(name, path)
        with _explained(self.root):
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            try:
                target.hardlink_to(source)
            except FileNotFoundError:
                raise StorageError(f"there is no file {path} in {name} any more") from None
            except OSError:  # another disk
                _copy(source, target, tick)
            else:
                tick(target.stat().st_size)

    def paths(self, name: str) -> list[str]:
        """See ``Storage``."""
        folder = self._path(name)
        found = (each for each in folder.rglob("*") if each.is_file() and not each.name.startswith("."))
        return sorted(each.relative_to(folder).as_posix() for each in found)

    def names(self) -> list[str]:
        """See ``Storage``."""
        with _explained(self.root):
            found = list(self.root.iterdir()) if self.root.is_dir() else []
        return sorted(each.name for each in found if usable(each.name) and each.is_dir())

    def delete(self, name: str) -> None:
        """See ``Storage``."""
        target = self._path(name)
        gone = target.with_name(f"{_GONE}{target.name}")
        with _explained(self.root):
            shutil.rmtree(gone, ignore_errors=True)
            with suppress(FileNotFoundError):
                target.rename(gone)
            for left in (gone, target.with_name(f"{_MADE}{target.name}")):
                with suppress(FileNotFoundError):
                    shutil.rmtree(left)

    def finish_deletions(self) -> None:
        """Remove what is left of folders whose deletion was cut off, which nobody else would remove."""
        with _explained(self.root):
            for each in self.root.glob(f"{_GONE}*"):
                with suppress(FileNotFoundError):  # another process removes it too
                    shutil.rmtree(each)

    async def look(self, name: str, path: str) -> Entry | None:
        """See ``Storage``."""
        if not usable(name, path):
            return None
        return await asyncio.to_thread(_about, self._path(name, path))

    async def read(self, name: str, path: str, begin: int, end: int) -> AsyncGenerator[bytes, None]:
        """See ``Storage``."""
        with _explained(self.root):
            file = await asyncio.to_thread(self._path(name, path).open, "rb")
            try:
                await asyncio.to_thread(file.seek, begin)
                while begin < end:
                    piece = await asyncio.to_thread(file.read, min(_PIECE, end - begin))
                    if not piece:
                        return
                    begin += len(piece)
                    yield piece
            finally:
                file.close()

    def _path(self, name: str, path: str = "") -> Path:
        return self.root / checked(name, path)


@contextmanager
def _explained(root: Path) -> Iterator[None]:
    """Turn what the disk refuses into words."""
    try:
        yield
    except OSError as error:
        raise StorageError(_reason(error), str(root)) from error


def _reason(error: OSError) -> str:
    """Why a disk cannot be used, and what helps."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk of the storage is full; try again once there is room"
    why = os.strerror(error.errno) if error.errno else "it cannot be read or written"
    return f"the storage cannot be used: {why}; see that the server may read and write there"


def _about(path: Path) -> Entry | None:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    if not path.is_file() or path.is_symlink():
        return None
    return Entry(found.st_size, f"{found.st_mtime_ns:x}-{found.st_size:x}", found.st_mtime)


def _can_be_moved(folder: Path, target: Path) -> bool:
    """Whether a folder can be renamed to one that is not there. Disks are mounted in ways that only trying tells."""
    probe = Path(tempfile.mkdtemp(dir=folder.parent))
    try:
        probe.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        probe.rmdir()
        return False
    target.rmdir()
    return True


def _copy(path: Path, target: Path, tick: Tick) -> None:
    """Copy a file to another disk."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("rb") as source, target.open("wb") as copy:
        while piece := source.read(_PIECE * 16):
            copy.write(piece)
            tick(len(piece))


def _make_durable(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
