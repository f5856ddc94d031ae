"""Backups of a whole site: made while it is used, checked, and put back."""

from milepost.backups.archive import About, BackupError, check, read_about
from milepost.backups.contents import Contents
from milepost.backups.folder import (
    Backup,
    backups_folder,
    find,
    listed,
    new_name,
    remove,
    remove_older,
    usable_name,
)
from milepost.backups.making import check_backup, make
from milepost.backups.restoring import Restored, restore, unused
from milepost.backups.site import SiteReport

__all__ = [
    "About",
    "Backup",
    "BackupError",
    "Contents",
    "Restored",
    "SiteReport",
    "backups_folder",
    "check",
    "check_backup",
    "find",
    "listed",
    "make",
    "new_name",
    "read_about",
    "remove",
    "remove_older",
    "restore",
    "unused",
    "usable_name",
]
