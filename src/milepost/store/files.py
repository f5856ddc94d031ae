"""The files of jobs and the uploads of clients, in folders of their own."""

import contextlib
import os
import re
import secrets
import shutil
from collections.abc import Set
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import msgspec

_JOB_ID: Final = re.compile(r"[0-9a-f]{32}")
_RESULT_URL: Final = re.compile(r"/jobs/j?([0-9a-fA-F-]{32,36})/([^/?#]+)$")
_LONGEST_NAME: Final = 120
"""Bytes in the name of a file that is kept."""
_UPLOAD_ID: Final = re.compile(r"i[0-9a-f]{32}")


class Upload(msgspec.Struct, frozen=True):
    """A file that a client sent ahead of a job."""

    id: str
    name: str
    owner: str
    description: str
    size: int
    """Bytes."""
    uploaded_at: int
    """UTC milliseconds since the epoch."""
    service_type: str = "GPServer"
    """Of the services that it was sent to, which alone show it and remove it."""


class FileStore:
    """Folders below one root.

    ``jobs/<id>/results`` and ``jobs/<id>/log.txt`` stay as long as the job; ``scratch/<id>`` as long
    as it runs; ``uploads/<id>`` until the client removes it.
    """

    def __init__(self, root: Path):
        """The folders below ``root``; made when first needed."""
        self.root: Final = root.absolute()

    def folder(self, job_id: str) -> Path:
        """What stays of one job."""
        return self.root / "jobs" / _checked(job_id)[:2] / job_id

    def workspace(self, job_id: str) -> Path:
        """The private folder an operation works in; kept from one attempt to the next."""
        return self.root / "scratch" / _checked(job_id)

    def workspaces(self) -> list[str]:
        """The ids of all jobs that have a workspace."""
        scratch = self.root / "scratch"
        return (
            [each.name for each in scratch.iterdir() if _JOB_ID.fullmatch(each.name)]
            if scratch.is_dir()
            else []
        )

    def results(self, job_id: str) -> Path:
        """Files that came out of the job."""
        return self.folder(job_id) / "results"

    def log(self, job_id: str) -> Path:
        """What the operation and its child processes printed."""
        return self.folder(job_id) / "log.txt"

    def result(self, job_id: str, name: str) -> Path | None:
        """A file that came out of a job, or None."""
        path = self.results(job_id) / name
        return path if _plain(name) and path.is_file() and not path.is_symlink() else None

    def clean(self, job_id: str) -> None:
        """Remove the workspace of a job that has ended."""
        shutil.rmtree(self.workspace(job_id), ignore_errors=True)

    def remove(self, job_id: str) -> None:
        """Remove all files of a job."""
        self.clean(job_id)
        shutil.rmtree(self.folder(job_id), ignore_errors=True)

    def new_upload(self) -> tuple[str, Path]:
        """A fresh upload id and the folder for its file."""
        upload_id = "i" + secrets.token_hex(16)
        folder = self.root / "uploads" / upload_id
        folder.mkdir(parents=True)
        return upload_id, folder

    def finish_upload(self, upload: Upload) -> None:
        """Make an upload known, whose file lies in its folder by now. Both are on the disk when this returns.

        Raises:
            OSError: they cannot be written, such as on a full disk.
        """
        about = self._about(upload.id)
        fresh = about.with_name(".upload.json")
        fresh.write_bytes(msgspec.json.encode(upload))
        file = self.upload_file(upload)
        for each in (file, file.parent, fresh):
            _sync(each)
        fresh.replace(about)
        for each in (about.parent, about.parent.parent):
            _sync(each)

    def upload(self, upload_id: str) -> Upload | None:
        """What is known about an upload, or None; what cannot be read is no upload."""
        try:
            return self._read(upload_id)
        except OSError:
            return None

    def upload_file(self, upload: Upload) -> Path:
        """The file of an upload."""
        return self.root / "uploads" / upload.id / "file" / upload.name

    def remove_upload(self, upload_id: str) -> None:
        """Remove an upload and its file."""
        if _UPLOAD_ID.fullmatch(upload_id):
            # First of all, so that nobody takes for an upload what is left when the server is killed meanwhile.
            with contextlib.suppress(OSError):
                self._about(upload_id).unlink()
            shutil.rmtree(self.root / "uploads" / upload_id, ignore_errors=True)

    def discard_uploads(self, known: Set[str]) -> None:
        """Remove the folders of uploads that were never finished, but those of some ids. None may be under way."""
        uploads = self.root / "uploads"
        for each in uploads.iterdir() if uploads.is_dir() else ():
            # Of a disk that cannot be read it is not known what was finished.
            with contextlib.suppress(OSError):
                if each.name not in known and self._read(each.name) is None:
                    self.remove_upload(each.name)

    def _about(self, upload_id: str) -> Path:
        return self.root / "uploads" / upload_id / "upload.json"

    def _read(self, upload_id: str) -> Upload | None:
        """What is known about an upload; None when there is none, or half of it after a loss of power.

        Raises:
            OSError: the disk cannot be read.
        """
        if not _UPLOAD_ID.fullmatch(upload_id):
            return None
        try:
            return msgspec.json.decode(self._about(upload_id).read_bytes(), type=Upload)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError, msgspec.DecodeError):
            return None

    def resolve(self, reference: dict[str, Any]) -> Path:
        """The file that ``{"itemID": ...}`` of an upload or ``{"url": ...}`` of a result means.

        Raises:
            ValueError: there is no such file here; the text says why.
        """
        if "itemID" in reference:
            upload = self.upload(str(reference["itemID"]))
            if upload is None:
                raise ValueError(no_upload(reference["itemID"]))
            return self.upload_file(upload)
        found = result_of_url(str(reference.get("url", "")))
        path = found and self.result(*found)
        if not path:
            raise ValueError(
                f"{reference.get('url')!r} is no result file of this server; other URLs are not fetched: upload the file"
            )
        return path


class JobFiles:
    """The files as one running job sees them: ``operations.Files``."""

    def __init__(self, store: FileStore, job_id: str):
        """The files of one job."""
        self._store = store
        self._job_id = job_id

    def resolve(self, reference: dict[str, Any]) -> Path:
        """See ``FileStore.resolve``."""
        return self._store.resolve(reference)

    def keep(self, path: Path) -> dict[str, Any]:
        """Take an output from the workspace into the results; its name stays, unless taken.

        It stays in the workspace too: a later attempt may still need what a finished step left there.

        Raises:
            ValueError: there is no such file, or it lies outside the workspace.
        """
        workspace = self._store.workspace(self._job_id).resolve()
        full = (workspace / path).resolve()
        if not full.is_file() or not full.is_relative_to(workspace):
            raise ValueError(f"the output {path} is no file in the workspace of the run")
        results = self._store.results(self._job_id)
        results.mkdir(parents=True, exist_ok=True)
        first = target = results / safe_name(full.name)
        number = 1
        while target.exists():
            number += 1
            target = results / f"{first.stem}-{number}{first.suffix}"
        try:
            os.link(full, target)
        except OSError:  # a file system without hard links
            shutil.copyfile(full, target)
        return {"file": target.name, "size": target.stat().st_size}


def result_of_url(url: str) -> tuple[str, str] | None:
    """The job id and file name in the URL of a result file, or None when it is no such URL."""
    match = _RESULT_URL.search(url)
    if not match:
        return None
    job_id = match[1].replace("-", "").lower()
    return (job_id, unquote(match[2])) if _JOB_ID.fullmatch(job_id) else None


def no_upload(upload_id: object) -> str:
    """What is said of an upload that is not there, or not for who asks: the same, so that nobody learns which."""
    return f"there is no upload {upload_id!r}: send the file again"


def _checked(job_id: str) -> str:
    if not _JOB_ID.fullmatch(job_id):
        raise ValueError(f"{job_id!r} is no id of a job")
    return job_id


def _sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _plain(name: str) -> bool:
    """Whether it names a file in a folder, and not one elsewhere."""
    short = len(name.encode(errors="replace")) <= 255  # what file systems take
    return bool(name) and short and name not in (".", "..") and "/" not in name and "\x00" not in name


def safe_name(name: str) -> str:
    """A file name that is safe in a URL and on every file system; its suffix stays, since it tells the format."""
    plain = re.sub(r"[^\w.-]+", "_", name).lstrip(".") or "file"
    suffix = Path(plain).suffix.encode()
    if len(plain.encode()) <= _LONGEST_NAME or len(suffix) > 20:
        suffix = b""
    stem = plain.encode()[: _LONGEST_NAME - len(suffix)]
    return stem.decode(errors="ignore") + suffix.decode()
