"""What is looked at in a health check. Each check says what was seen, and what to do about it."""

import importlib.metadata
import os
import re
import shutil
import sqlite3
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

import msgspec
from cryptography import x509

from milepost.backups import BackupError, backups_folder, listed
from milepost.backups.contents import JOBS, PEOPLE
from milepost.backups.databases import connect

State = Literal["ok", "warning", "failing"]

_MIB: Final = 2**20
_GIB: Final = 2**30
_DAY: Final = 86400.0

FULL: Final = 512 * _MIB
"""Bytes free below which jobs begin to fail."""

_AHEAD: Final = 5.0
"""Seconds that the newest event may lie in the future."""
_DRIFT: Final = 0.5
"""Seconds that the two clocks may differ by while the checks run."""

_EXTRA: Final = re.compile(r"([\w.-]+).*\bextra\s*==\s*['\"](\w+)['\"]")
PROGRAMS: Final = {"ffmpeg": "to work on video", "ffprobe": "to work on video"}


class Check(msgspec.Struct, frozen=True):
    """What one look found."""

    name: str
    state: State
    seen: str
    advice: str = ""
    """What to do; empty when all is well."""


class Clock:
    """Both clocks at one moment."""

    def __init__(self) -> None:
        self.wall: Final = time.time()
        self.steady: Final = time.monotonic()


def worst(states: Iterator[str]) -> State:
    """The state of everything together."""
    found = set(states)
    return "failing" if "failing" in found else "warning" if "warning" in found else "ok"


def disk(data: Path, least: float) -> Check:
    """Whether there is room.

    Args:
        data: the data folder.
        least: GiB that should be free.
    """
    usage = shutil.disk_usage(data)
    seen = f"{usage.free / _GIB:.1f} GiB of {usage.total / _GIB:.1f} GiB are free at {data}"
    cure = "Make room: delete old jobs or backups, or move the data folder to a larger disk"
    if usage.free < FULL:
        return Check("disk_space", "failing", seen, cure)
    return (
        Check("disk_space", "warning", seen, cure)
        if usage.free < least * _GIB
        else Check("disk_space", "ok", seen)
    )


def instances(tried: Mapping[str, str] | None) -> Check:
    """Whether every service can start an instance.

    Args:
        tried: by service, what kept one from starting; empty when nothing did. None when no server runs.
    """
    if tried is None:
        return Check(
            "instances", "warning", "Not tried: only the server itself can", "Ask the server, with --server"
        )
    wrong = [f"{name}: {reason}" for name, reason in sorted(tried.items()) if reason]
    if wrong:
        return Check(
            "instances", "failing", "; ".join(wrong), "Look into the log of the server, and start it again"
        )
    return Check("instances", "ok", f"Each of {len(tried)} services started an instance")


def clock(data: Path, since: Clock) -> Check:
    """Whether the clock runs evenly, and is not behind what was written before.

    Args:
        data: the data folder.
        since: the clocks when the checks began.
    """
    now = Clock()
    drift = (now.wall - since.wall) - (now.steady - since.steady)
    newest = 0
    try:
        with closing(connect(data / JOBS)) as connection:
            (newest,) = connection.execute("SELECT coalesce(max(updated_at), 0) FROM jobs").fetchone()
    except (BackupError, sqlite3.Error):
        pass  # another check tells
    ahead = newest / 1000 - time.time()
    cure = "Let the machine keep its time by NTP; tokens and time limits go by it"
    if ahead > _AHEAD:
        return Check(
            "clock",
            "failing",
            f"The newest event lies {ahead:.0f} s in the future: the clock was set back",
            cure,
        )
    if abs(drift) > _DRIFT:
        return Check("clock", "warning", f"The clock was set by {drift:+.1f} s while the checks ran", cure)
    return Check(
        "clock", "ok", f"{datetime.fromtimestamp(now.wall, UTC):%Y-%m-%d %H:%M:%S} UTC, running evenly"
    )


def extras() -> Check:
    """Which libraries of the extras are there."""
    missing: dict[str, list[str]] = {}
    there = []
    for line in importlib.metadata.requires("milepost") or []:
        match = _EXTRA.match(line)
        if match:
            try:
                there.append(f"{match[1]} {importlib.metadata.version(match[1])}")
            except importlib.metadata.PackageNotFoundError:
                missing.setdefault(match[2], []).append(match[1])
    seen = ", ".join(there) or "none"
    if missing:
        lacking = ", ".join(name for names in missing.values() for name in names)
        cure = "; ".join(f"pip install 'milepost[{each}]'" for each in sorted(missing))
        return Check("extras", "warning", f"There: {seen}. Missing: {lacking}", cure)
    return Check("extras", "ok", f"There: {seen}")


def programs() -> Check:
    """Which programs of others are there."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        needed = ", ".join(f"{name} ({PROGRAMS[name]})" for name in missing)
        return Check(
            "programs", "warning", f"Missing: {needed}", "Install them if you need what they are for"
        )
    return Check("programs", "ok", f"There: {', '.join(map(str, map(shutil.which, PROGRAMS)))}")


def permissions(data: Path) -> Check:
    """Whether only the owner can read keys and people, and nobody else gets into the data folder."""
    secret = [data / PEOPLE, *data.glob("*.key"), *(data / "tls").glob("*-key.pem")]
    system = data / "system"
    secret += [Path(folder, name) for folder, _, names in os.walk(system) for name in names]
    open_to: dict[str, list[str]] = {"everybody": [], "the group": []}
    cures = []
    for path in [data, *secret]:
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except FileNotFoundError:
            continue
        wanted = 0o700 if path == data else 0o600
        if mode & 0o007:
            open_to["everybody"].append(path.name)
        elif mode & 0o070 and path != data:
            open_to["the group"].append(path.name)
        else:
            continue
        cures.append(f"chmod {wanted:o} '{path}'")
    said = [f"Open to {who}: {', '.join(names)}" for who, names in open_to.items() if names]
    if said:
        state: State = "failing" if open_to["everybody"] else "warning"
        return Check("permissions", state, "; ".join(said), "; ".join(cures))
    return Check(
        "permissions", "ok", f"Keys and people are readable by their owner only ({len(secret)} files)"
    )


def certificate(path: Path | None) -> Check:
    """How long the certificate is good; None without TLS."""
    name = "certificate"
    if path is None:
        return Check(name, "ok", "The server speaks no TLS of its own")
    try:
        found = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        return Check(
            name, "failing", f"{path} cannot be read: {error}", "Give the server a certificate in PEM form"
        )
    left = (found.not_valid_after_utc - datetime.now(UTC)).total_seconds() / _DAY
    seen = f"{path.name} is good until {found.not_valid_after_utc:%Y-%m-%d}"
    cure = "Renew it and start the server again; one that the server made itself is renewed at the start"
    if left < 0:
        return Check(name, "failing", f"{path.name} ended on {found.not_valid_after_utc:%Y-%m-%d}", cure)
    return Check(name, "warning", f"{seen}, {left:.0f} days", cure) if left < 30 else Check(name, "ok", seen)


def backups(data: Path, oldest: float) -> Check:
    """Whether there is a backup that is new enough.

    Args:
        data: the data folder.
        oldest: days that the newest may be old.
    """
    cure = "Make one: milepost backup"
    try:
        found = listed(backups_folder(data))
    except BackupError as error:
        return Check("backups", "failing", str(error), "See that the folder of the backups can be read")
    whole = [each for each in found if each.about]
    if not whole:
        return Check("backups", "warning", "There is no backup", cure)
    age = (time.time() - whole[0].made / 1000) / _DAY
    seen = f"{len(whole)} backups, the newest {age:.1f} days old"
    if len(whole) < len(found):
        damaged = ", ".join(each.name for each in found if not each.about)
        return Check("backups", "warning", f"{seen}; damaged: {damaged}", "Delete what is damaged")
    return Check("backups", "warning", seen, cure) if age > oldest else Check("backups", "ok", seen)
