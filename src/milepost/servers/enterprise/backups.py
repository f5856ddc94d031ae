"""The backups of the site, below ``/admin/system/backups``: additions of this server."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute

from milepost.backups import Backup, BackupError, backups_folder, find, listed, new_name, remove
from milepost.http import Answer, Call, Field, Form, Resources, ServiceError, not_found
from milepost.manager import JobManager
from milepost.security import Role
from milepost.servers.administering import error_object, require_post
from milepost.servers.enterprise.operations.backup import create_backup, verify_backup
from milepost.servers.enterprise.starting import run_as_job

_BACKUPS: Final = "/admin/system/backups"
_BACKUP: Final = f"{_BACKUPS}/{{backup}}"

_FILE_HEADERS: Final = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}

_KEYS: Final = Field(
    "keys",
    "With the keys",
    value="true",
    choices=("true", "false"),
    help="Without the signing key and the certificate everybody signs in again after a restore.",
)

_KEEP: Final = Field(
    "keep", "Keep", value="0", help="How many of the newest backups stay; older ones are removed. 0 for all."
)


class Backups:
    """The backups of the site: made and verified as jobs, fetched and removed."""

    def __init__(self, manager: JobManager, resources: Resources, data: Path):
        """With what all dialects share, and the data folder of the site."""
        self._manager = manager
        self._data = data
        self._resources = resources.with_errors(error_object)

    def routes(self) -> list[BaseRoute]:
        """The routes, below the context."""
        at = self._resources.at
        return [
            *at(_BACKUPS, self.backups),
            *at(f"{_BACKUPS}/create", self.create, acts=True, parameters=("keys", "keep")),
            *at(_BACKUP, self.backup),
            *at(f"{_BACKUP}/verify", self.verify, acts=True, parameters=("async",)),
            *at(f"{_BACKUP}/download", self.download),
            *at(f"{_BACKUP}/delete", self.delete, acts=True),
        ]

    async def backups(self, call: Call) -> Answer:
        """The backups, newest first."""
        with _told():
            folder = backups_folder(self._data)
            found = await asyncio.to_thread(listed, folder)
        return Answer(
            {"folder": str(folder), "backups": [_about(each) for each in found]},
            title="Backups",
            crumbs=_above(call)[:2],
            links={each.name: f"{call.path}/{each.name}" for each in found},
            forms=[Form(action=f"{call.path}/create", title="Create backup", fields=(_KEYS, _KEEP))],
        )

    async def create(self, call: Call) -> Answer | Response:
        """Make a backup; always as a job."""
        if form := require_post(call, "Create backup"):
            return form
        keys = call.parameters.flag("keys", True)
        keep = call.parameters.number("keep", 0, least=0, most=10_000)
        if keep and call.person.role is not Role.ADMINISTRATOR:
            raise ServiceError(403, "Only administrators remove older backups; leave out 'keep'")
        return await run_as_job(
            self._manager,
            call,
            create_backup,
            {"backup": new_name(), "keys": keys, "keep": keep},
            name="createBackup",
            resource="backups",
            always_async=True,
        )

    async def backup(self, call: Call) -> Answer:
        """One backup."""
        found = await self._found(call)
        return Answer(
            _about(found),
            title=found.name,
            crumbs=_above(call),
            links={"Download": f"{call.path}/download"},
            forms=[
                Form(action=f"{call.path}/{each}", title=each.capitalize()) for each in ("verify", "delete")
            ],
        )

    async def verify(self, call: Call) -> Answer | Response:
        """Restore a backup into a temporary folder, to see that it can be restored."""
        found = await self._found(call)
        if form := require_post(call, "Verify"):
            return form
        return await run_as_job(
            self._manager,
            call,
            verify_backup,
            {"backup": found.name},
            name="verifyBackup",
            resource=found.name,
        )

    async def download(self, call: Call) -> Response:
        """The backup itself, a tar archive. It holds all secrets of the site."""
        found = await self._found(call)
        return FileResponse(
            found.path, filename=found.path.name, media_type="application/x-tar", headers=_FILE_HEADERS
        )

    async def delete(self, call: Call) -> Answer:
        """Remove a backup."""
        found = await self._found(call)
        if form := require_post(call, "Delete"):
            return form
        with _told():
            await asyncio.to_thread(remove, backups_folder(self._data), found.name)
        return Answer({"status": "success"}, title="Delete", crumbs=_above(call))

    async def _found(self, call: Call) -> Backup:
        name = call.part("backup")
        with _told():
            found = await asyncio.to_thread(find, backups_folder(self._data), name)
        if found is None:
            raise not_found(f"Backup {name[:60]}")
        return found


@contextmanager
def _told() -> Iterator[None]:
    """Turn what is wrong with the backups into an answer."""
    try:
        yield
    except BackupError as error:
        raise ServiceError(500, str(error)) from None


def _about(backup: Backup) -> dict[str, Any]:
    said = backup.about
    return {
        "name": backup.name,
        "status": "damaged" if said is None else "complete",
        "made": backup.made,
        "size": backup.size,
        "jobs": said.jobs if said else None,
        "keys": said.keys if said else None,
        "version": said.version if said else None,
        "problem": backup.problem or None,
    }


def _above(call: Call) -> list[tuple[str, str]]:
    root = f"{call.home}/admin"
    return [("Administration", root), ("System", f"{root}/system"), ("Backups", f"{root}/system/backups")]
