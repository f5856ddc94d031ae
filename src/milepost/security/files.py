"""Private files: readable by their owner only, written whole or not at all."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from milepost.security.errors import SecurityError

_LOCK: Final = ".security.lock"
_OTHERS: Final = 0o007
"""The bits that let anybody in. Those of the group are left alone: shared volumes set them on purpose."""


class PrivateFileError(SecurityError):
    """A file with secrets cannot be used; the text names the file, the cause and the cure."""


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Let one thread of one process at a time prepare the secrets in ``folder``, made when missing.

    Raises:
        PrivateFileError: the folder cannot be made or written.
    """
    with explained(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        # Closing the descriptor releases the lock, also when the process is killed.
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def read(path: Path) -> bytes:
    """The content of a private file.

    Raises:
        FileNotFoundError: there is no such file.
        PrivateFileError: it cannot be read, or anybody can read it.
    """
    with explained(path), path.open("rb") as file:
        _refuse_open_to_all(path, os.fstat(file.fileno()))
        return file.read()


def write(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Put ``content`` in the place of ``path``: after a crash there is the old file or the new one.

    Raises:
        PrivateFileError: the file cannot be written.
    """
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with explained(path):
        try:
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
            with open(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            fresh.replace(path)
        except BaseException:
            with suppress(OSError):
                fresh.unlink(missing_ok=True)
            raise
        _make_durable(path.parent)


def move(source: Path, path: Path) -> None:
    """Put the file ``source`` of the same disk in the place of ``path``; it needs no room.

    Raises:
        FileNotFoundError: there is no such file.
        PrivateFileError: it cannot be moved.
    """
    with explained(path):
        source.replace(path)
        _make_durable(path.parent)


def claim(path: Path) -> None:
    """Make sure that ``path`` is a file which only its owner can open, empty when it is new.

    Raises:
        PrivateFileError: it cannot be opened for writing, or anybody can read it.
    """
    with explained(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _refuse_open_to_all(path, os.fstat(descriptor))
        finally:
            os.close(descriptor)


def remove(path: Path) -> None:
    """See to it that there is no file at ``path``, also after a crash.

    Raises:
        PrivateFileError: it cannot be removed.
    """
    with explained(path), suppress(FileNotFoundError):
        path.unlink()
        _make_durable(path.parent)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn the operating system's errors about ``path`` into ones that name a cure.

    A missing file passes as it is: callers make one.
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except PermissionError as error:
        raise PrivateFileError(
            f"{path} cannot be used: {error.strerror}; run this as the user it belongs to, or give it to"
            " that user with chown"
        ) from error
    except OSError as error:
        raise PrivateFileError(
            f"{path} cannot be used: {error.strerror}; see that the folder is on a disk with room to write"
        ) from error


def _make_durable(folder: Path) -> None:
    """Have the names in a folder survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refuse_open_to_all(path: Path, state: os.stat_result) -> None:
    if state.st_mode & _OTHERS:
        # Closing it silently would hide that its secrets may have been read already.
        raise PrivateFileError(
            f"{path} holds secrets, but every user of this machine may open it (mode"
            f" {state.st_mode & 0o777:03o}); run: chmod 600 '{path}'"
        )
