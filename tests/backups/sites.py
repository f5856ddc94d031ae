"""Data folders for the tests of backups."""

import asyncio
import os
import uuid
from pathlib import Path

from milepost.backups import make
from milepost.jobs import events as ev
from milepost.operations import Run
from milepost.security import People, Role, Tokens, ensure_certificate
from milepost.store import FileStore, SQLiteStore, keep

PASSWORD = "correct-horse-battery"
JOB_FILES = {"map.txt": b"a map", "größe.txt": "ein Maß".encode()}


def make_site(data: Path, *, jobs: int = 3) -> list[str]:
    """The folder of a server that ran some jobs and was stopped; the ids of the jobs, oldest first."""
    data.mkdir(mode=0o700)
    with People(data / "people.sqlite") as people:
        Tokens(data / "token.key", people).issue(people.add("root", PASSWORD, Role.ADMINISTRATOR))
    ensure_certificate(data / "tls")
    ids = asyncio.run(_run_jobs(data, jobs))
    upload = data / "uploads" / f"i{'0' * 32}"
    (upload / "file").mkdir(parents=True)
    (upload / "file" / "a.csv").write_text("a\n1\n")
    (upload / "upload.json").write_text("{}")
    (data / "system" / "registry").mkdir(parents=True)
    secret = data / "system" / "registry" / "config.json"
    secret.write_text("{}")
    secret.chmod(0o600)
    (data / "server.lock").touch()
    return ids


async def _run_jobs(data: Path, count: int) -> list[str]:
    store = SQLiteStore(data / "milepost.sqlite")
    files = FileStore(data)
    ids = []
    try:
        for number in range(count):
            job_id = uuid.uuid4().hex
            ids.append(job_id)
            results = files.results(job_id)
            results.mkdir(parents=True)
            for name, content in JOB_FILES.items():
                (results / name).write_bytes(content)
            files.log(job_id).write_text("worked\n")
            values = {
                "files": [{"file": name, "size": len(content)} for name, content in JOB_FILES.items()],
                "text": "long " * 2000,  # a payload
            }
            kept, payloads = keep(values, "results")
            await store.submit(
                job_id,
                ev.Submitted(at=number, owner="root", service="Tests/A.GPServer", operation="a"),
                ev.Started(at=number, attempt=1),
                ev.Succeeded(at=number, attempt=1, results=kept),
                payloads=payloads,
            )
    finally:
        await store.close()
    return ids


def back_up(data: Path, folder: Path, name: str = "one", *, keys: bool = True) -> Path:
    """A backup of a folder, made without a server."""
    make(Run(), data, folder, name, keys=keys)
    return folder / f"{name}.tar"


def tree(folder: Path) -> dict[str, bytes]:
    """All files below a folder, but those that only locks are put on."""
    return {
        Path(parent, name).relative_to(folder).as_posix(): Path(parent, name).read_bytes()
        for parent, _, names in os.walk(folder)
        for name in names
        if not name.endswith(".lock")
    }
