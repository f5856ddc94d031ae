"""What a health check looks at of what is stored: the databases of the site, and the files of its videos."""

import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from milepost.backups import BackupError
from milepost.backups.contents import LAYERS, VIDEOS, layers_here
from milepost.backups.databases import connect, faults
from milepost.features import FeatureServices
from milepost.features.services import FILE, SUFFIX
from milepost.servers.enterprise.checks import Check

RESTORE: Final = "Stop the server and restore the newest backup: milepost restore"

_MIB: Final = 2**20
_LISTED: Final = 5


def database(name: str, path: Path, look: Callable[[], None]) -> Check:
    """Whether a database answers and is sound, as far as a quick look tells.

    Args:
        name: of the check.
        path: of the database.
        look: called now and then; may raise to stop the work.
    """
    if wrong := _wrong(path, look):
        return Check(name, "failing", wrong, RESTORE)
    return Check(name, "ok", f"{path.name} is sound, {path.stat().st_size / _MIB:.1f} MiB")


def later_database(name: str, path: Path, look: Callable[[], None]) -> Check:
    """The same of a database that sites of earlier releases do not have."""
    if not path.exists():
        return Check(
            name,
            "warning",
            f"{path.name} is not there",
            "The server makes an empty one when it starts; if there was one before, restore the newest backup",
        )
    return database(name, path, look)


def videos(data: Path, look: Callable[[], None]) -> Check:
    """Whether the records of videos are sound, and the files of all layers that lie with the site are there.

    Args:
        data: the data folder.
        look: called now and then; may raise to stop the work.
    """
    name = "videos_database"
    found = later_database(name, data / VIDEOS, look)
    if found.state != "ok":
        return found
    try:
        with closing(connect(data / VIDEOS)) as connection:
            kept = layers_here(connection)
            lost = [each for each in kept if not (data / LAYERS / each).is_dir()]
            if lost:
                # Those that were deleted in this moment are no loss.
                lost = sorted(set(lost) & set(layers_here(connection)))
    except (BackupError, sqlite3.Error) as error:
        return Check(name, "failing", str(error), RESTORE)
    if lost:
        return Check(
            name,
            "failing",
            f"The files of {len(lost)} video layers are missing below {data / LAYERS}: {_some(lost)}",
            "Restore the newest backup that has them, or delete these layers and publish the videos again",
        )
    return Check(name, "ok", f"{found.seen}; the files of {len(kept)} layers are there")


def features(data: Path, look: Callable[[], None]) -> Check:
    """Whether the GeoPackage of every feature service is sound, as far as a quick look tells.

    Args:
        data: the data folder.
        look: called now and then; may raise to stop the work.
    """
    name = "feature_services"
    wrong = []
    size = count = 0
    services = FeatureServices(data)
    for service in services.names():
        path = services.root / f"{service}{SUFFIX}" / FILE
        said = _wrong(path, look)
        # One that was deleted in this moment is no loss.
        if said and path.parent.exists():
            wrong.append(f"{service}: {said}")
        elif not said:
            with suppress(FileNotFoundError):
                size += path.stat().st_size
                count += 1
    if wrong:
        return Check(name, "failing", _some(wrong), RESTORE)
    return Check(name, "ok", f"{count} feature services are sound, {size / _MIB:.1f} MiB")


def _wrong(path: Path, look: Callable[[], None]) -> str:
    """What is wrong with a database; empty when nothing is."""
    try:
        with closing(connect(path)) as connection:
            return faults(connection, look, quick=True)
    except (BackupError, sqlite3.Error) as error:
        return str(error)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{', '.join(names[:_LISTED])}{more}"
