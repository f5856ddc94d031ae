"""Backups of the site, as jobs."""

from typing import Final, NamedTuple

from milepost.backups import backups_folder, check_backup, make, remove_older
from milepost.backups.folder import discard_partial
from milepost.operations import Run, Service, operation, site

SAFETY: Final = Service(
    name="System/Safety.SystemServer",
    description="Backups of the site.",
    min_instances=0,
    max_instances=1,
    max_usage_time=0.0,  # a large site takes its time
)


class Made(NamedTuple):
    """What came of a backup."""

    backup: str
    jobs: int
    files: int


@operation(service=SAFETY, name="create_backup")
def create_backup(run: Run, backup: str, keys: bool = True, keep: int = 0) -> Made:
    """Back up the whole site while it runs, and see that the backup can be restored.

    Args:
        run: of the job.
        backup: what it is called.
        keys: whether the signing key and the certificate are to be in it.
        keep: how many of the newest backups stay; 0 for all.
    """
    data = site.data_folder()
    folder = backups_folder(data)
    run.on_rollback(discard_partial, str(folder), backup)
    report = make(run, data, folder, backup, keys=keys, job=run.workspace.name)
    if keep:
        # The new one is there for good by now: not even a cancel takes it away.
        for name in remove_older(folder, keep):
            run.message(f"Removed the older backup {name}")
    return Made(backup, report.jobs, report.files)


@operation(service=SAFETY, name="verify_backup")
def verify_backup(run: Run, backup: str) -> Made:
    """See that a backup is whole, by restoring it into a temporary folder.

    Args:
        run: of the job.
        backup: its name.
    """
    report = check_backup(run, backups_folder(site.data_folder()), backup)
    return Made(backup, report.jobs, report.files)
