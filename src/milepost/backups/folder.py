"""Where backups lie, and which there are."""

import fcntl
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

import msgspec

from milepost.backups.archive import About, BackupError, read_about

VARIABLE: Final = "MILEPOST_BACKUPS"
"""Names the folder of the backups in the environment; ``DATA/backups`` without it."""

_SUFFIX: Final = ".tar"
_PARTIAL: Final = ".partial"
_OWN_NAME: Final = re.compile(r"milepost-\d{8}T\d{6}Z-[0-9a-f]{6}")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


class Backup(msgspec.Struct, frozen=True):
    """A backup that is there."""

    name: str
    path: Path
    size: int
    """Bytes."""
    about: About | None
    """What it says of itself; None when that cannot be read."""
    problem: str = ""
    """Why it cannot be read."""

    @property
    def made(self) -> int:
        """When it was made: UTC milliseconds since the epoch; 0 when it does not say."""
        return self.about.made if self.about else 0


def backups_folder(data: Path) -> Path:
    """Where the backups of a site lie.

    Raises:
        BackupError: the folder that was named cannot be meant.
    """
    named = os.environ.get(VARIABLE, "")
    if not named:
        return data / "backups"
    if not Path(named).is_absolute():
        raise BackupError(f"{VARIABLE} is {named!r}; give the whole path, beginning with /")
    return Path(named)


def new_name(now: float | None = None) -> str:
    """A name that no other backup has, which tells the time."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    return f"milepost-{stamp}-{secrets.token_hex(3)}"


def usable_name(name: str) -> bool:
    """Whether a backup may have that name."""
    return bool(_NAME.fullmatch(name))


def path_of(folder: Path, name: str) -> Path:
    """Where a backup of that name lies, once it is whole.

    Raises:
        BackupError: no backup may have that name.
    """
    if not usable_name(name):
        raise BackupError(f"{name[:60]!r} is no name of a backup; use letters, digits, '-' and '_'")
    return folder / f"{name}{_SUFFIX}"


def listed(folder: Path) -> list[Backup]:
    """The backups in a folder, newest first.

    Raises:
        BackupError: the folder cannot be read.
    """
    try:
        paths = [each for each in folder.iterdir() if each.suffix == _SUFFIX and usable_name(each.stem)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise BackupError(f"{folder} cannot be read: {error.strerror}") from error
    found = [each for each in map(_backup, paths) if each is not None]
    return sorted(found, key=lambda each: (each.made, each.name), reverse=True)


def find(folder: Path, name: str) -> Backup | None:
    """The backup of that name, or None."""
    return _backup(path_of(folder, name)) if usable_name(name) else None


def remove(folder: Path, name: str) -> None:
    """Remove a backup; nothing if it is gone.

    Raises:
        BackupError: it cannot be removed.
    """
    try:
        path_of(folder, name).unlink(missing_ok=True)
    except OSError as error:
        raise BackupError(f"the backup {name} cannot be removed: {error.strerror}") from error


def remove_older(folder: Path, keep: int) -> list[str]:
    """Remove all but the newest backups; their names.

    Those that cannot be read, and those with a name that somebody else gave them, neither count nor go.

    Args:
        folder: of the backups.
        keep: how many to keep.

    Raises:
        BackupError: one cannot be removed.
    """
    own = [each.name for each in listed(folder) if each.about is not None and _OWN_NAME.fullmatch(each.name)]
    for name in own[keep:]:
        remove(folder, name)
    return own[keep:]


def _backup(path: Path) -> Backup | None:
    try:
        if path.is_symlink() or not path.is_file():
            return None
        size = path.stat().st_size
        return Backup(path.stem, path, size, read_about(path))
    except FileNotFoundError:
        return None
    except (BackupError, OSError) as error:
        return Backup(path.stem, path, 0, None, str(error))


# -- a backup that is being written ------------------------------------------------------------


def partial_path(folder: Path, name: str) -> Path:
    """What a backup is called until it is whole. Nobody takes it for one."""
    return folder / f".{path_of(folder, name).name}{_PARTIAL}"


@contextmanager
def partial_file(folder: Path, name: str) -> Iterator[IO[bytes]]:
    """The file that is to become a backup, readable by its owner only; gone when an error leaves it."""
    path = partial_path(folder, name)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    sweep(folder)
    path.unlink(missing_ok=True)  # what an earlier attempt left
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield file
        except BaseException:
            path.unlink(missing_ok=True)
            raise


def publish(folder: Path, name: str, file: IO[bytes]) -> None:
    """Make a written backup known; after a crash it is there as a whole or not at all."""
    file.flush()
    os.fsync(file.fileno())
    partial_path(folder, name).rename(path_of(folder, name))
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def discard_partial(folder: str, name: str) -> None:
    """Remove what was written of a backup that is not to be: a rollback. A whole one stays."""
    partial_path(Path(folder), name).unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Remove what was written of backups that nobody writes any more."""
    for path in folder.glob(f".*{_SUFFIX}{_PARTIAL}"):
        with suppress(OSError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # whoever writes one holds it
            path.unlink(missing_ok=True)
