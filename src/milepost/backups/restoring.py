"""Putting a site back from a backup: beside its place first, and there only as a whole."""

import contextlib
import ctypes
import errno
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from milepost.backups import archive, databases
from milepost.backups.archive import About, BackupError, Tick
from milepost.backups.site import SiteReport, check_site, end_own_job

_HERE: Final = -100
_EXCHANGE: Final = 2
"""``AT_FDCWD`` and ``RENAME_EXCHANGE`` of Linux."""


class Restored(msgspec.Struct, frozen=True):
    """What a restore did."""

    about: About
    site: SiteReport
    moved: Path | None
    """Where what was in the way lies now."""


def unpack(path: Path, folder: Path, tick: Tick, look: databases.Look) -> SiteReport:
    """Write the site in a backup into an empty folder and check it; what was written of a bad one stays there.

    Raises:
        BackupError: the backup is damaged, or what is in it is no whole site.
        OSError: the disk cannot be written.
    """
    about = archive.extract(path, folder, tick)
    report = check_site(folder, look)
    end_own_job(folder, about)
    return report


def restore(path: Path, data: Path, *, replace: bool = False, tick: Tick = lambda _: None) -> Restored:
    """Make a data folder from a backup.

    The backup is checked before anything is written; the site is then put together beside its place
    and moved there at the end. Whatever goes wrong, ``data`` is as it was.

    Args:
        path: the backup.
        data: the data folder to be.
        replace: whether a folder that holds something already may be moved aside.
        tick: told of every piece that was read.

    Raises:
        BackupError: the backup cannot be used, or ``data`` is in the way or in use.
        OSError: the disk cannot be read or written.
    """
    data = data.absolute()
    _check_place(data, replace=replace)
    about = archive.check(path, tick)
    data.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = data.with_name(f".{data.name}.restoring-{os.getpid()}")
    _sweep(data)
    beside.mkdir(mode=0o700)
    try:
        with beside.joinpath("server.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # so that a second restore does not sweep it away
            site = unpack(path, beside, tick, lambda: None)
            os.sync()
            moved = _put_in_place(beside, data, replace=replace)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    return Restored(about, site, moved)


def _check_place(data: Path, *, replace: bool) -> None:
    if data.is_symlink() or (data.exists() and not data.is_dir()):
        raise BackupError(f"{data} is no folder; name one that is empty or not there yet")
    if data.is_dir() and any(data.iterdir()) and not replace:
        raise BackupError(
            f"{data} holds something already and stays as it is; name a folder that is not there yet, or give"
            " --replace to have it moved aside"
        )


def _put_in_place(beside: Path, data: Path, *, replace: bool) -> Path | None:
    _check_place(data, replace=replace)
    if not data.is_dir() or not any(data.iterdir()):
        beside.rename(data)  # an empty folder gives way
        return None
    aside = data.with_name(f"{data.name}.before-restore-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")
    if aside.exists():
        raise BackupError(f"{aside} is there already; move it away and restore again")
    with unused(data):
        beside.rename(aside)
        try:
            exchange(aside, data)
        except BaseException:
            aside.rename(beside)
            raise
    return aside


def exchange(one: Path, other: Path) -> None:
    """Let two folders of a disk change their names, at one moment: there is never none of a name.

    Raises:
        OSError: it cannot be; both are as they were.
    """
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    done = rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) if rename else -1
    if done == 0:
        return
    if rename and ctypes.get_errno() not in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(other))
    # A file system, or a system, that does not have it.
    between = one.with_name(f".{one.name}.exchange")
    other.rename(between)
    try:
        one.rename(other)
    except BaseException:
        between.rename(other)
        raise
    between.rename(one)


@contextlib.contextmanager
def unused(data: Path) -> Iterator[None]:
    """Hold a data folder that no server uses.

    Raises:
        BackupError: a server uses it.
    """
    with (data / "server.lock").open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BackupError(f"a server uses the data folder {data}; stop it first") from error
        yield


def _sweep(data: Path) -> None:
    """Remove what restores left that were killed."""
    for each in data.parent.glob(f".{data.name}.restoring-*"):
        with contextlib.suppress(BackupError, OSError), unused(each):
            shutil.rmtree(each, ignore_errors=True)
