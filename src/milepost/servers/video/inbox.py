"""The files that people sent for their layers, or said that they will: what is known of them, and for how long."""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import structlog
from msgspec.structs import replace

from milepost.http import ServiceError, not_found, told_when_full, wrong
from milepost.jobs import UNFINISHED, JobFilter, Page
from milepost.manager import JobManager
from milepost.servers.video.claims import Claims
from milepost.servers.video.facts import OPERATIONS
from milepost.servers.video.kinds import TEXTS, content_type
from milepost.servers.video.parameters import read_upload_id
from milepost.servers.video.records import Upload
from milepost.servers.video.upload_records import UploadRecords

log = structlog.get_logger("milepost.video")

_OF_VIDEOS: Final = (
    *(".ts", ".m2ts", ".mts", ".m2t", ".mp4", ".m4v", ".mpeg4"),
    *(".mpg", ".mpeg", ".avi", ".mov"),
)
"""What the names of videos end with. Others may have any name: the content decides."""

_TYPE: Final = "VideoServer"

_LONGEST_NAME: Final = 250
_PAGE: Final = 500


class Inbox:
    """The uploads of a site. Everybody has their own."""

    def __init__(self, records: UploadRecords, manager: JobManager, *, keep: float):
        """Of one site.

        Args:
            records: of the uploads.
            manager: of the jobs, which has the files.
            keep: seconds for which a file is kept that nobody uses.
        """
        self._records = records
        self._manager = manager
        self._keep = keep
        self.claims: Final = Claims()

    def begin(
        self, owner: str, name: str, *, description: str = "", size: int = 0, whole: bool = False
    ) -> Upload:
        """A new upload, whose file is still to come.

        Args:
            owner: who sends it.
            name: a plain one, see ``plain_name``.
            description: in the words of the owner.
            size: bytes that the file will have, if that is known.
            whole: whether it comes in one request, and so never comes when that breaks off.

        Raises:
            ServiceError: the disk is full.
        """
        with told_when_full():
            upload_id, path = self._manager.start_upload(name)
        upload = Upload(
            id=upload_id,
            owner=owner,
            name=name,
            file=path.name,
            date=time.time_ns() // 1_000_000,
            description=description,
            size=size,
            whole=whole,
        )
        try:
            self._records.put(upload)
        except BaseException:
            self._manager.remove_upload(upload_id)
            raise
        return upload

    def finish(self, upload: Upload) -> Upload:
        """The upload now that its file is complete.

        Raises:
            ServiceError: 400, the file is none that can be published; 500, the disk is full.
        """
        path = self.path(upload)
        try:
            kind = content_type(path)
            if kind in TEXTS and upload.name.lower().endswith(_OF_VIDEOS):
                raise ValueError("it is named as a video, and its content is text")
        except ValueError as error:
            raise wrong("file", str(error)) from None
        done = replace(upload, content_type=kind, committed=True)
        with told_when_full():
            about = self._manager.finish_upload(
                upload.id,
                path,
                owner=upload.owner,
                service_type=_TYPE,
                description=upload.description,
            )
        self._records.put(done)
        log.info("uploaded", upload=upload.id, size=about.size, kind=kind, by=upload.owner)
        return done

    def find(self, text: str, owner: str = "") -> Upload:
        """An upload of somebody, or of anybody without an owner.

        Raises:
            ServiceError: 404; that others have one of that id is not told.
        """
        plain = read_upload_id(text)
        found = self._records.get(plain) if plain else None
        if found is None or (owner and found.owner != owner) or not self._is_there(found):
            raise not_found(f"Upload {text[:60]}")
        return found

    def present(self, owner: str = "") -> list[Upload]:
        """The uploads of somebody, or of everybody, that are still there, newest first."""
        return [each for each in self._records.of(owner) if self._is_there(each)]

    def folder(self, upload: Upload) -> Path:
        """Where the file of an upload comes to, below ``file``, and parts of it before that."""
        return self._manager.upload_folder(upload.id)

    def path(self, upload: Upload) -> Path:
        """The file of an upload."""
        return self.folder(upload) / "file" / upload.file

    def size(self, upload: Upload) -> int:
        """Bytes that an upload takes on the disk."""
        total = 0
        for folder, _, names in os.walk(self.folder(upload)):
            for name in names:
                with contextlib.suppress(FileNotFoundError):
                    total += os.lstat(os.path.join(folder, name)).st_size
        return total

    def use(self, upload_id: str) -> None:
        """Take note that a layer is made of an upload, which is kept for longer then."""
        found = self._records.get(upload_id)
        if found is not None:
            self._records.put(replace(found, used=time.time_ns() // 1_000_000))

    def remove(self, upload: Upload) -> None:
        """Let an upload be gone. What is left when the server is killed meanwhile is removed at the next start."""
        self._records.put(replace(upload, committed=False, whole=True))
        self._manager.remove_upload(upload.id)
        self._records.remove(upload.id)

    @contextlib.asynccontextmanager
    async def unused(self, upload: Upload) -> AsyncIterator[None]:
        """Have an upload for oneself to remove it; no job that needs it begins meanwhile.

        Raises:
            ServiceError: 400, a job needs it: after a crash the next attempt would not find it. Or something
                else is being done with it.
        """
        with self.claims.alone(upload.id, "deleted"):
            if upload.id in await self.in_jobs():
                raise ServiceError(
                    400, "A job needs this upload: delete it when the job has ended, or cancel the job"
                )
            yield

    def discard_broken(self) -> None:
        """Remove what was being sent when an earlier server was killed. No upload may be under way."""
        for each in self._records.of():
            if not each.committed and (each.whole or not self._is_there(each)):
                self.remove(each)
        self._manager.discard_uploads({each.id for each in self._records.of()})

    async def remove_stale(self, now: float) -> None:
        """Remove what has lain there for too long and is used by no job.

        Args:
            now: UTC seconds since 1970.
        """

        def stale() -> list[Upload]:
            return [each for each in self._records.of() if self._touched(each) < now - self._keep]

        for each in await asyncio.to_thread(stale):
            with contextlib.suppress(ServiceError):  # it is used now
                async with self.unused(each):
                    await asyncio.to_thread(self.remove, each)
                log.info("upload expired", upload=each.id, owner=each.owner)

    async def in_jobs(self) -> set[str]:
        """The ids of the uploads that jobs still need."""
        found: set[str] = set()
        page, wanted = Page(limit=_PAGE), JobFilter(statuses=UNFINISHED, service=OPERATIONS)
        while True:
            jobs = await self._manager.find(wanted, page)
            for job in jobs.jobs:
                named = str(job.attributes.get("inputs", {}).get("fileIds", "")).split(",")
                found |= {plain for each in named if (plain := read_upload_id(each))}
            if not jobs.more:
                return found
            page = Page(limit=_PAGE, offset=page.offset + _PAGE)

    def _touched(self, upload: Upload) -> float:
        """When somebody last did something with an upload, in UTC seconds since 1970."""
        folder, times = self.folder(upload), [max(upload.date, upload.used) / 1000]
        for each in (folder, folder / "file"):
            with contextlib.suppress(FileNotFoundError):
                times.append(each.stat().st_mtime)
        return max(times)

    def _is_there(self, upload: Upload) -> bool:
        """Whether the file, or the folder it is to come to, is there; others may remove it too."""
        if upload.committed:
            return self._manager.upload(upload.id) is not None
        return self.folder(upload).is_dir()


def plain_name(parameter: str, name: str) -> str:
    """The name of a file that is sent, without folders. It may be any: what a file is, its content tells.

    Raises:
        ServiceError: 400, it is empty or too long.
    """
    plain = name.replace("\\", "/").rpartition("/")[2].strip()
    if not 1 <= len(plain) <= _LONGEST_NAME:
        raise wrong(parameter, f"{plain[:60]!r} must have 1 to {_LONGEST_NAME} characters")
    return plain
