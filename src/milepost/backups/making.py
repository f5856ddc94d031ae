"""Making a backup, stage by stage: what is to be in it, the archive, and the proof that it can be restored."""

import shutil
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import milepost
from milepost.backups import archive, folder
from milepost.backups.archive import About, BackupError
from milepost.backups.contents import MISSIONS, PEOPLE, PRODUCTS, Contents
from milepost.backups.restoring import unpack
from milepost.backups.site import SiteReport
from milepost.operations import Run

STAGES: Final = (
    "results_and_uploads",
    "jobs_database",
    "people",
    "keys",
    "feature_services",
    "videos",
    "system_configuration",
    "archive",
    "verification",
)

_MARGIN: Final = 64 * 2**20
"""Bytes of the disk that a backup leaves to others."""

_LISTED: Final = 5


def make(run: Run, data: Path, target: Path, name: str, *, keys: bool = True, job: str = "") -> SiteReport:
    """Back a site up while it is used, and see that the backup can be restored.

    The backup appears under its name when all of that is done, and not before.

    Args:
        run: told how it goes; a stop leaves nothing behind. Its workspace should be on the disk of the data
            folder, and needs as much room as the site.
        data: the data folder.
        target: the folder of the backups, made if missing.
        name: of the backup; one of that name that is there is not made again, but looked at.
        keys: whether the signing key and the certificate are to be in it.
        job: id of the job that makes it.

    Raises:
        BackupError: it cannot be made, or not be restored.
        OSError: the disk cannot be read or written.
    """
    if folder.path_of(target, name).exists():
        # An earlier attempt was stopped between giving the name and saying so.
        return check_backup(run, target, name)
    run.plan_stages(*STAGES)
    staging = run.workspace / "backup"
    shutil.rmtree(staging, ignore_errors=True)  # what an earlier attempt left
    site = staging / "site"
    site.mkdir(mode=0o700, parents=True)
    contents = Contents(data, site, run.check, own_job=job)
    try:
        made = _now()
        _collect(run, contents, keys=keys)
        if contents.left_out:
            run.message(_about_left_out(contents.left_out), level="warning")
        if contents.lost:
            run.message(f"The files of video layers are missing: {_some(contents.lost)}", level="warning")
        about = About(
            format=archive.FORMAT,
            version=milepost.__version__,
            made=made,
            jobs=contents.jobs,
            keys=keys,
            job=job,
        )
        size = contents.size
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_room(size, target, staging)
        with folder.partial_file(target, name) as file:
            with run.stage("archive"):
                run.message(f"Writing {size / 2**20:.1f} MiB with {contents.jobs} jobs")
                archive.write(file, about, site, _share(run, size, 0.0, 0.5))
                file.flush()
            with run.stage("verification"):
                report = _prove(run, folder.partial_path(target, name), staging, _share(run, size, 0.5, 0.9))
                run.check()
                folder.publish(target, name, file)
        return report
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def check_backup(run: Run, target: Path, name: str) -> SiteReport:
    """See that a backup can be restored, by doing so in the workspace of the run.

    Args:
        run: told how it goes.
        target: the folder of the backups.
        name: of the backup.

    Raises:
        BackupError: it cannot be restored.
        OSError: the disk cannot be read or written.
    """
    path = folder.path_of(target, name)
    with run.stage("verification"):
        size = path.stat().st_size if path.is_file() else 0
        _check_room(size, run.workspace)
        return _prove(run, path, run.workspace, _share(run, size, 0.0, 0.9))


def _prove(run: Run, path: Path, place: Path, tick: archive.Tick) -> SiteReport:
    """Restore a backup into a folder below ``place``, look at what came out, and remove it again."""
    restored = place / "restored"
    shutil.rmtree(restored, ignore_errors=True)  # what an earlier attempt left
    restored.mkdir(mode=0o700)
    try:
        report = unpack(path, restored, tick, run.check)
    finally:
        shutil.rmtree(restored, ignore_errors=True)
    run.message(
        f"Restored it in a temporary folder: {report.databases} databases are sound, {report.jobs} jobs"
        f" make sense, {report.files} result files are there"
    )
    return report


def _collect(run: Run, contents: Contents, *, keys: bool) -> None:
    """Everything that is to be in the backup; the jobs and their files are those of one moment."""
    with ExitStack() as moment:
        with run.stage("results_and_uploads"):
            moment.enter_context(contents.moment())
        with run.stage("jobs_database"):
            contents.copy_jobs()
    with run.stage("people"):
        contents.copy_database(PEOPLE)
    with run.stage("keys"):
        if keys:
            contents.copy_keys()
        else:
            run.message("The keys are left out: everybody signs in again after a restore")
    with run.stage("feature_services"):
        # Before their layers: a mission that is made meanwhile is better left out than without them.
        contents.copy_database(MISSIONS)
        contents.copy_folder("features", keys=True)
    with run.stage("videos"):
        contents.link_videos()
    with run.stage("system_configuration"):
        contents.copy_database(PRODUCTS)
        contents.copy_folder("system", keys=keys)


def _check_room(size: int, *places: Path) -> None:
    """Refuse to begin what would fill a disk; each of the places is to take so many bytes.

    Raises:
        BackupError: there is too little room.
    """
    wanted: dict[int, tuple[Path, int]] = {}
    for place in places:
        disk = place.stat().st_dev
        wanted[disk] = (place, wanted.get(disk, (place, 0))[1] + size)
    for place, needed in wanted.values():
        free = shutil.disk_usage(place).free
        if free < needed + _MARGIN:
            raise BackupError(
                f"the backup and the proof that it can be restored need {needed / 2**20:.0f} MiB at {place}, where"
                f" {free / 2**20:.0f} MiB are free; make room, or name another folder with {folder.VARIABLE}"
            )


def _share(run: Run, size: int, begin: float, end: float) -> archive.Tick:
    """Reports the bytes that were dealt with as a part of the whole progress."""
    done = 0

    def tick(piece: int) -> None:
        nonlocal done
        done += piece
        run.progress(begin + (end - begin) * min(1.0, done / max(1, size)))

    return tick


def _about_left_out(paths: list[str]) -> str:
    return f"Left out, since they are links or no plain files: {_some(paths)}"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{', '.join(names[:_LISTED])}{more}"


def _now() -> int:
    return time.time_ns() // 1_000_000
