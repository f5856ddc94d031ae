"""The file that a backup is: a tar archive whose last member says what must be in it.

``about.json`` comes first, then the files of the site below ``data/``, then ``manifest.json`` with
the size and the SHA-256 sum of each. An archive that was cut off has no manifest.
"""

import hashlib
import io
import os
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Final

import msgspec

FORMAT: Final = 1
"""Version of the archive's form; a release reads its own and older ones."""

ABOUT: Final = "about.json"
MANIFEST: Final = "manifest.json"
DATA: Final = "data/"

_ROOTS: Final = frozenset(
    {
        "milepost.sqlite",
        "people.sqlite",
        "missions.sqlite",
        "products.sqlite",
        "videos.sqlite",
        "tls",
        "jobs",
        "scratch",
        "uploads",
        "features",
        "videos",
        "system",
    }
)
"""What may lie at the root of a data folder, beside files with keys."""

_WITH_PASSWORDS: Final = (("system", "components"), ("system", "changes"))
"""Folders with the credentials of the container registry, as its clients need them."""

_CHUNK: Final = 1 << 20
_LONGEST_ABOUT: Final = 1 << 16
_LONGEST_MANIFEST: Final = 1 << 30
_LONGEST_PATH: Final = 2000

_UNREADABLE: Final = (tarfile.TarError, EOFError, ValueError, OverflowError, IndexError)
"""What reading an archive may raise that is damaged; some of it is not meant to be."""

Tick = Callable[[int], None]
"""Told how many bytes were dealt with since the last time; may raise to stop the work."""


class BackupError(Exception):
    """A backup cannot be made, read or restored; the text says why and what helps."""


class About(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands at the beginning of a backup."""

    format: int
    version: str
    """Release of Milepost that made it."""
    made: int
    """To which moment of the site it goes back: UTC milliseconds since the epoch."""
    jobs: int
    """How many jobs are in it."""
    keys: bool
    """Whether the signing key and the certificate are in it."""
    job: str = ""
    """Id of the job that made it; empty when a command did."""


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    size: int
    sha256: str


class _Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    files: dict[str, _Entry]


class _Format(msgspec.Struct, frozen=True):
    format: int


def key_file(path: PurePosixPath) -> bool:
    """Whether a file below the data folder holds a key, or a password as it is."""
    return (
        path.parts[0] == "tls"
        or path.name.endswith((".key", "-key.pem"))
        or path.parts[:2] in _WITH_PASSWORDS
    )


def write(target: IO[bytes], about: About, site: Path, tick: Tick) -> None:
    """Write a backup of what lies below ``site``.

    Args:
        target: where to, seekable.
        about: what to say of it.
        site: folders and regular files.
        tick: told of every piece.

    Raises:
        BackupError: a file changed while it was read.
        OSError: something cannot be read or written.
    """
    entries: dict[str, _Entry] = {}
    with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as tar:
        _put_bytes(tar, ABOUT, msgspec.json.encode(about), about.made, entries)
        for folder, names, files in os.walk(site):
            names.sort()
            for name in sorted(files):
                path = Path(folder, name)
                _put_file(tar, DATA + path.relative_to(site).as_posix(), path, entries, tick)
        _put_bytes(tar, MANIFEST, msgspec.json.encode(_Manifest(entries)), about.made, entries)


def _put_bytes(
    tar: tarfile.TarFile, name: str, content: bytes, made: int, entries: dict[str, _Entry]
) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = len(content), made // 1000, 0o600
    tar.addfile(member, io.BytesIO(content))
    entries[name] = _Entry(len(content), hashlib.sha256(content).hexdigest())


def _put_file(tar: tarfile.TarFile, name: str, path: Path, entries: dict[str, _Entry], tick: Tick) -> None:
    with path.open("rb") as file:
        state = os.fstat(file.fileno())
        member = tarfile.TarInfo(name)
        # As long as it is now: the log of a job at work may grow meanwhile.
        member.size, member.mtime = state.st_size, int(state.st_mtime)
        member.mode = state.st_mode & 0o770
        reader = _Hashing(file, tick)
        try:
            tar.addfile(member, reader)  # type: ignore[arg-type]  # it asks for no more than read
        except OSError as error:
            if reader.size == state.st_size:
                raise
            raise BackupError(f"{name} became shorter while it was read; make the backup again") from error
        entries[name] = _Entry(reader.size, reader.sum.hexdigest())


class _Hashing:
    """A file that keeps account of what was read from it."""

    def __init__(self, file: IO[bytes], tick: Tick):
        self._file = file
        self._tick = tick
        self.size = 0
        self.sum = hashlib.sha256()

    def read(self, size: int) -> bytes:
        """The next bytes."""
        piece = self._file.read(size)
        self.size += len(piece)
        self.sum.update(piece)
        self._tick(len(piece))
        return piece


def read_about(path: Path) -> About:
    """What stands at the beginning of a backup.

    Raises:
        BackupError: it is no backup, or a newer release made it.
    """
    with _opened(path) as tar:
        return _about(path, tar.next(), tar)


def check(path: Path, tick: Tick) -> About:
    """See that a backup is whole: every file is there, and is what it was when the backup was made.

    Raises:
        BackupError: it is not, or a newer release made it.
    """
    return _read(path, tick, lambda _: None)


def extract(path: Path, target: Path, tick: Tick) -> About:
    """Write the files of a backup below ``target``, an empty folder, and check them on the way.

    Raises:
        BackupError: the backup is damaged; some files may have been written by then.
        OSError: they cannot be written.
    """

    def place(member: tarfile.TarInfo) -> IO[bytes]:
        file = target / member.name.removeprefix(DATA)
        try:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            mode = 0o600 if key_file(PurePosixPath(member.name)) else (member.mode & 0o770) | 0o600
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        except (FileExistsError, NotADirectoryError) as error:
            raise _damaged(path, f"{_shown(member.name)} is in the way of another file") from error
        return os.fdopen(descriptor, "wb")

    return _read(path, tick, place)


def _read(path: Path, tick: Tick, place: Callable[[tarfile.TarInfo], IO[bytes] | None]) -> About:
    """Read all of a backup; ``place`` says where to write a file."""
    found: dict[str, _Entry] = {}
    manifest: _Manifest | None = None
    with _opened(path) as tar:
        first = tar.next()
        about = _about(path, first, tar)
        content = msgspec.json.encode(about)
        found[ABOUT] = _Entry(len(content), hashlib.sha256(content).hexdigest())
        while (member := tar.next()) is not None:
            tar.members = []  # type: ignore[attr-defined]  # or it remembers every one
            if manifest is not None:
                raise _damaged(path, "something follows its manifest")
            if member.name == MANIFEST:
                manifest = _manifest(path, member, tar)
                continue
            _check_member(path, member)
            if member.name in found:
                raise _damaged(path, f"{_shown(member.name)} is in it twice")
            source = tar.extractfile(member)
            assert source is not None, "it is a regular file"
            reader = _Hashing(source, tick)
            file = place(member)
            try:
                while piece := reader.read(_CHUNK):
                    if file is not None:
                        file.write(piece)
            finally:
                if file is not None:
                    file.close()
            if reader.size != member.size:
                raise _damaged(path, f"{_shown(member.name)} is cut off")
            found[member.name] = _Entry(reader.size, reader.sum.hexdigest())
    if manifest is None:
        raise _damaged(path, "its end is missing")
    _compare(path, found, manifest.files)
    return about


def _compare(path: Path, found: dict[str, _Entry], wanted: dict[str, _Entry]) -> None:
    for name in sorted(found.keys() | wanted.keys()):
        if name not in found:
            raise _damaged(path, f"{_shown(name)} is missing")
        if name not in wanted:
            raise _damaged(path, f"{_shown(name)} is not named in its manifest")
        if found[name] != wanted[name]:
            raise _damaged(path, f"{_shown(name)} is not what it was when the backup was made")


@contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    try:
        tar = tarfile.open(path, "r:")  # noqa: SIM115 - closed below
    except FileNotFoundError:
        raise BackupError(f"{path}: there is no such file") from None
    except IsADirectoryError:
        raise BackupError(f"{path} is a folder, and a backup is one file") from None
    except _UNREADABLE as error:
        raise _no_backup(path) from error
    try:
        with tar:
            yield tar
    except _UNREADABLE as error:
        raise _damaged(path, str(error) or "it cannot be read to its end") from error


def _about(path: Path, member: tarfile.TarInfo | None, tar: tarfile.TarFile) -> About:
    if member is None or member.name != ABOUT:
        raise _no_backup(path)
    content = _content(path, member, tar, _LONGEST_ABOUT)
    try:
        made_by = msgspec.json.decode(content, type=_Format).format
        if made_by > FORMAT:
            raise BackupError(
                f"{path} was made by a newer release of Milepost (format {made_by}; this one knows {FORMAT});"
                " restore it with that release or a later one"
            )
        about = msgspec.json.decode(content, type=About)
    except msgspec.MsgspecError as error:
        raise _damaged(path, f"what it says of itself cannot be read: {error}") from error
    if about.format < 1 or msgspec.json.encode(about) != content:
        raise _damaged(path, "what it says of itself was changed")
    return about


def _manifest(path: Path, member: tarfile.TarInfo, tar: tarfile.TarFile) -> _Manifest:
    try:
        return msgspec.json.decode(_content(path, member, tar, _LONGEST_MANIFEST), type=_Manifest)
    except msgspec.MsgspecError as error:
        raise _damaged(path, f"its manifest cannot be read: {error}") from error


def _content(path: Path, member: tarfile.TarInfo, tar: tarfile.TarFile, limit: int) -> bytes:
    if not _plain_file(member) or member.size > limit:
        raise _damaged(path, f"{_shown(member.name)} is no file as Milepost writes it")
    source = tar.extractfile(member)
    assert source is not None, "it is a regular file"
    content = source.read()
    if len(content) != member.size:
        raise _damaged(path, f"{_shown(member.name)} is cut off")
    return content


def _check_member(path: Path, member: tarfile.TarInfo) -> None:
    """Refuse whatever is no plain file of a site: nothing may be written anywhere else.

    Raises:
        BackupError: it is a link, a device, or leads elsewhere.
    """
    if not _plain_file(member):
        raise _foreign(path, f"{_shown(member.name)} is a link or another thing that is no plain file")
    if not usable_path(member.name.removeprefix(DATA)) or not member.name.startswith(DATA):
        raise _foreign(path, f"{_shown(member.name)} leads out of the data folder or to nothing of Milepost")


def usable_path(name: str) -> bool:
    """Whether a path below the data folder may be in a backup."""
    parts = name.split("/")
    sound = all(part not in ("", ".", "..") and part.isprintable() for part in parts)
    if not sound or len(name) > _LONGEST_PATH or not _encodable(name):
        return False
    return parts[0] in _ROOTS or (len(parts) == 1 and parts[0].endswith(".key"))


def _encodable(name: str) -> bool:
    try:
        return max(map(len, name.encode().split(b"/"))) <= 255
    except UnicodeEncodeError:
        return False


def _plain_file(member: tarfile.TarInfo) -> bool:
    return member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not member.issparse()


def _shown(name: str) -> str:
    return repr(name[:120])


def _no_backup(path: Path) -> BackupError:
    return BackupError(
        f"{path} is no backup that Milepost made, or its beginning is damaged; name one that is whole"
    )


def _damaged(path: Path, what: str) -> BackupError:
    return BackupError(f"{path} is damaged: {what}; use another backup, or another copy of it")


def _foreign(path: Path, what: str) -> BackupError:
    return BackupError(f"{path} was not made by Milepost: {what}; use a backup that was")
