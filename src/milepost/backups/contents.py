"""What of a data folder goes into a backup, frozen at one moment in a folder beside it.

Files that never change are linked, so that nobody can take them away while they are read; all
others are copied.
"""

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from milepost.backups import databases
from milepost.backups.archive import BackupError, key_file, usable_path
from milepost.jobs import ENDED, UNFINISHED, Status

JOBS: Final = "milepost.sqlite"
PEOPLE: Final = "people.sqlite"
MISSIONS: Final = "missions.sqlite"
PRODUCTS: Final = "products.sqlite"
VIDEOS: Final = "videos.sqlite"
LAYERS: Final = "videos"
"""The folder with the files of video layers that lie with the site, a folder each."""

_TRIES: Final = 50
"""Moments that are tried until one is found in which no job ends or is deleted while its files are linked."""

_TRIES_OF_LAYERS: Final = 5
"""How often the records of videos are copied until the files of all layers in them are there."""

_REMOVED: Final = (Status.DELETING, Status.DELETED)

_GOING: Final = f"""
SELECT id FROM jobs WHERE status IN ({",".join(str(int(each)) for each in sorted(UNFINISHED))})
AND EXISTS (
    SELECT 1 FROM events WHERE job = jobs.number AND json_extract(body, '$.kind') = 'StepFinished'
)
"""  # noqa: S608 - made of numbers
"""Jobs that would go on from a finished step, and so need what it left in their workspace."""


class Contents:
    """Collects what a backup holds, below ``folder``."""

    def __init__(self, data: Path, folder: Path, look: databases.Look, *, own_job: str = ""):
        """Of one data folder.

        Args:
            data: the data folder.
            folder: where to collect; empty, and on the same file system if links are to be made.
            look: called now and then; may raise to stop the work.
            own_job: the job that makes the backup, whose workspace is left out.
        """
        self.folder: Final = folder
        self.left_out: Final[list[str]] = []
        """What could not go into a backup: links and other things that are no plain files."""
        self.lost: list[str] = []
        """Video layers whose files are not there."""
        self.jobs = 0
        self._data = data
        self._look = look
        self._own_job = own_job
        self._jobs: sqlite3.Connection | None = None

    @contextlib.contextmanager
    def moment(self) -> Iterator[None]:
        """One moment of the jobs: inside, their files are linked and ``copy_jobs`` copies that moment.

        Raises:
            BackupError: there is no database of jobs, or no quiet moment was found.
        """
        path = self._data / JOBS
        if not path.is_file():
            raise BackupError(f"{self._data} holds no jobs of a server; name the data folder of one")
        with (
            contextlib.closing(databases.connect(path)) as frozen,
            contextlib.closing(databases.connect(path)) as live,
        ):
            self._jobs = frozen
            try:
                self._freeze(frozen, live)
                yield
            finally:
                self._jobs = None

    def _freeze(self, frozen: sqlite3.Connection, live: sqlite3.Connection) -> None:
        for _ in range(_TRIES):
            self.left_out.clear()
            frozen.execute("BEGIN")
            (self.jobs,) = frozen.execute("SELECT count(*) FROM jobs").fetchone()
            going = {row[0] for row in frozen.execute(_GOING)} - {self._own_job}
            for job_id in sorted(going):
                self._link_workspace(job_id)
            if not _ended(live, going):
                self._link_jobs(frozen)
                self._link_uploads()
                if _removed(live) == _removed(frozen):
                    self._settle_workspaces()
                    return
            frozen.execute("ROLLBACK")
            self._forget("scratch")
        raise BackupError(
            "no moment was found in which no job was being deleted; make the backup when less is deleted"
        )

    def copy_jobs(self) -> None:
        """The database of jobs, as it was at the moment."""
        assert self._jobs is not None, "only inside moment"
        databases.copy_from(self._jobs, self._data / JOBS, self.folder / JOBS, self._look)

    def copy_database(self, name: str) -> None:
        """A database of the site; nothing if it is not there."""
        if (self._data / name).is_file():
            databases.copy(self._data / name, self.folder / name, self._look)

    def copy_keys(self) -> None:
        """The signing key, and the certificate with its key."""
        for path in sorted(self._data.glob("*.key")):
            self._copy(path)
        self._copy_below("tls", keys=True)

    def copy_folder(self, name: str, *, keys: bool) -> None:
        """A folder of the site, with what databases it has; nothing if it is not there."""
        self._copy_below(name, keys=keys)

    def link_videos(self) -> None:
        """The records of videos, and the files of all layers that are in them and lie with the site."""
        if not (self._data / VIDEOS).is_file():
            return
        for _ in range(_TRIES_OF_LAYERS):
            # Those that are deleted meanwhile must have been linked before, those that are new afterwards.
            self._link_layers()
            (self.folder / VIDEOS).unlink(missing_ok=True)
            self.copy_database(VIDEOS)
            self._link_layers()
            self.lost = [key for key in self._kept_layers() if not (self.folder / LAYERS / key).is_dir()]
            if not self.lost:
                return

    def _link_layers(self) -> None:
        """A layer is one folder, which appears as a whole and whose files are only ever replaced."""
        for folder in _entries(self._data / LAYERS):
            if not folder.name.startswith("."):
                for path in self._files(folder, hidden=False):
                    self._look()
                    self._link(path)

    def _kept_layers(self) -> list[str]:
        """The layers in the copied records whose files lie with the site."""
        with databases.opened(self.folder / VIDEOS) as copied:
            return layers_here(copied)

    @property
    def size(self) -> int:
        """Bytes of what was collected by now."""
        return sum(
            Path(folder, name).stat().st_size for folder, _, names in os.walk(self.folder) for name in names
        )

    # -- the files of jobs -------------------------------------------------------------------

    def _link_workspace(self, job_id: str) -> None:
        self._forget(f"scratch/{job_id}")
        self._link_below(self._data / "scratch" / job_id)

    def _link_jobs(self, frozen: sqlite3.Connection) -> None:
        """Results and logs of the jobs that the moment knows."""
        ended = frozenset(map(int, ENDED))
        for shelf in _entries(self._data / "jobs"):
            for folder in _entries(shelf):
                self._look()
                row = frozen.execute("SELECT status FROM jobs WHERE id = ?", (folder.name,)).fetchone()
                staged = self._staged(folder)
                if row is None or row[0] in _REMOVED:
                    shutil.rmtree(staged, ignore_errors=True)
                elif row[0] in ended:
                    self._link_below(folder)
                else:  # what it put out so far is put out again
                    self._link(folder / "log.txt")

    def _link_uploads(self) -> None:
        for folder in _entries(self._data / "uploads"):
            if (folder / "upload.json").is_file():
                self._link_below(folder)

    def _settle_workspaces(self) -> None:
        """Copy what was linked of jobs at work: it goes on changing."""
        for folder, _, names in os.walk(self.folder / "scratch"):
            for name in names:
                self._look()
                path = Path(folder, name)
                copied = path.with_name(f"{name}.copied")
                shutil.copyfile(path, copied)
                copied.chmod(path.stat().st_mode & 0o770)
                copied.replace(path)

    def _link_below(self, folder: Path) -> None:
        for path in self._files(folder):
            self._link(path)

    def _link(self, path: Path) -> None:
        target = self._staged(path)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Gone meanwhile: whoever looks at the moment afterwards finds out whether that matters.
        with contextlib.suppress(FileNotFoundError, FileExistsError):
            try:
                os.link(path, target, follow_symlinks=False)
            except FileExistsError:
                pass
            except FileNotFoundError:
                raise
            except OSError:  # another file system
                shutil.copyfile(path, target)

    # -- everything else ---------------------------------------------------------------------

    def _copy_below(self, name: str, *, keys: bool) -> None:
        for path in self._files(self._data / name, hidden=False):
            key = key_file(PurePosixPath(path.relative_to(self._data)))
            if (keys or not key) and not databases.is_companion(path):
                self._copy(path)

    def _copy(self, path: Path) -> None:
        self._look()
        target = self._staged(path)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            if databases.is_database(path):
                databases.copy(path, target, self._look)
            else:
                shutil.copyfile(path, target)
                target.chmod(path.stat().st_mode & 0o770)
        except (BackupError, FileNotFoundError):
            if path.exists():
                raise
            # Removed in this very moment, perhaps with all that belongs to it.
            target.unlink(missing_ok=True)
            if not path.parent.exists():
                shutil.rmtree(target.parent)

    def _files(self, folder: Path, *, hidden: bool = True) -> Iterator[Path]:
        """The plain files below a folder; what else there is, is left out.

        Args:
            folder: below the data folder.
            hidden: whether to look at names that begin with a dot: what is being made or removed has such.
        """
        for parent, folders, names in os.walk(folder):
            if not hidden:
                folders[:] = [each for each in folders if not each.startswith(".")]
            for name in sorted(names):
                path = Path(parent, name)
                shown = path.relative_to(self._data).as_posix()
                if name.startswith(".") and not hidden:
                    continue
                if path.is_symlink() or not usable_path(shown):
                    self.left_out.append(shown)
                elif path.is_file():
                    yield path
            self.left_out.extend(
                Path(parent, each).relative_to(self._data).as_posix()
                for each in folders
                if Path(parent, each).is_symlink()
            )

    def _staged(self, path: Path) -> Path:
        return self.folder / path.relative_to(self._data)

    def _forget(self, name: str) -> None:
        shutil.rmtree(self.folder / name, ignore_errors=True)


def layers_here(videos: sqlite3.Connection) -> list[str]:
    """The keys of the video layers whose files lie with the site, by the records of videos."""
    rows = videos.execute(
        "SELECT key FROM layers WHERE record IS NOT NULL"
        " AND json_extract(CAST(record AS TEXT), '$.storage') = '' ORDER BY key"
    ).fetchall()
    return [row[0] for row in rows]


def _entries(folder: Path) -> list[Path]:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return sorted(folder.iterdir())
    return []


def _ended(live: sqlite3.Connection, going: Collection[str]) -> bool:
    """Whether one of the jobs has ended since."""
    ended = frozenset(map(int, ENDED))
    return any(
        live.execute("SELECT status FROM jobs WHERE id = ?", (each,)).fetchone()[0] in ended for each in going
    )


def _removed(connection: sqlite3.Connection) -> int:
    """How many jobs were deleted or are being so: the number only grows."""
    found: int = connection.execute(
        "SELECT count(*) FROM jobs WHERE status IN (?, ?)", tuple(map(int, _REMOVED))
    ).fetchone()[0]
    return found
