"""What is configured about the one container registry, and a change of it that is under way.

Below ``system`` in the data folder:

* ``containerregistry.json``: the registry, its password encrypted;
* ``changes/ID/``: a change that is under way: what is to be (``change``, encrypted), and what was before;
* ``components/NAME/config.json``: the pull secret of each component, as clients of registries read it.

A change is handed to the operation that carries it out by its id alone. Its folder stays until the job
has ended, for a job may be undone until then.
"""

import secrets
import shutil
import string
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from milepost.security import PrivateFileError, Vault, files
from milepost.security.vault import FILE as KEY_FILE
from milepost.servers.enterprise.registry.credentials import Credentials

NAME: Final = "default"
"""Name of the registry: there is one."""

COMPONENTS: Final = (
    "relational_store",
    "object_store",
    "spatio_temporal_index_store",
    "queue_store",
    "in_memory_store",
    "key_framework_components",
    "gis_services_and_other_components",
)
"""Who pulls images with the credentials, in the order in which they get new ones."""

_STORED: Final = "container registry"
_CHANGE: Final = "change of the container registry"
_ID_LENGTH: Final = 21
_ID_LETTERS: Final = string.ascii_lowercase + string.digits
_ABSENT: Final = ".absent"
"""Ends the name of what says that there was no file before."""


class Registry(msgspec.Struct, frozen=True, rename="camel"):
    """The registry as it is configured. Empty texts: not yet."""

    id: str
    registry_url: str = ""
    registry_repository: str = ""
    username: str = ""
    password: str = ""
    """Encrypted."""


class Change(msgspec.Struct, frozen=True):
    """What the registry is to become."""

    registry_url: str
    registry_repository: str
    credentials: Credentials
    credentials_only: bool
    """Whether URL and repository stay as they are."""
    networks: tuple[str, ...]
    """Where private addresses are allowed."""


class UnknownChange(Exception):  # noqa: N818 - says what is the matter
    """There is no such change under way."""


class Configuration:
    """The files of one data folder. The server and its instances use them at the same time."""

    def __init__(self, data: Path):
        """Below this data folder; nothing is written before it must be."""
        self._folder: Final = data / "system"
        self._vault: Final = Vault(data / KEY_FILE)

    # -- the registry ----------------------------------------------------------------------------

    def registry(self) -> Registry:
        """The registry. The first call decides its id.

        Raises:
            PrivateFileError: it cannot be read or written.
        """
        with files.only_one(self._folder):
            try:
                content = files.read(self._registry_file)
            except FileNotFoundError:
                fresh = Registry("".join(secrets.choice(_ID_LETTERS) for _ in range(_ID_LENGTH)))
                self._write_registry(fresh)
                return fresh
        try:
            return msgspec.json.decode(content, type=Registry)
        except msgspec.DecodeError as error:
            raise PrivateFileError(
                f"{self._registry_file} is damaged ({error}); put it back from a backup, or delete it and"
                " enter the registry again"
            ) from None

    def configure(self, change_id: str) -> None:
        """Make the registry what a change says. ``deconfigure`` undoes it.

        Raises:
            UnknownChange: there is none.
            SecurityError: it cannot be read, or the registry cannot be written.
        """
        change = self.change(change_id)
        before = self.registry()
        self._keep(self._registry_file, change_id)
        self._write_registry(
            Registry(
                before.id,
                change.registry_url,
                change.registry_repository,
                change.credentials.username,
                self._vault.encrypt(_STORED, change.credentials.password),
            )
        )

    def deconfigure(self, change_id: str) -> None:
        """Make the registry what it was before a change."""
        self._put_back(self._registry_file, change_id)

    def _write_registry(self, registry: Registry) -> None:
        files.write(self._registry_file, msgspec.json.format(msgspec.json.encode(registry), indent=2) + b"\n")

    @property
    def _registry_file(self) -> Path:
        return self._folder / "containerregistry.json"

    # -- changes ---------------------------------------------------------------------------------

    def add_change(self, change: Change) -> str:
        """Write down a change; its id.

        Raises:
            PrivateFileError: it cannot be written.
        """
        change_id = secrets.token_hex(16)
        folder = self._change_folder(change_id)
        text = self._vault.encrypt(f"{_CHANGE} {change_id}", msgspec.json.encode(change).decode())
        try:
            with files.explained(folder):
                folder.mkdir(mode=0o700, parents=True)
            files.write(folder / "change", text.encode())
        except BaseException:
            self.remove_change(change_id)
            raise
        return change_id

    def change(self, change_id: str) -> Change:
        """A change that is under way.

        Raises:
            UnknownChange: there is none.
            SecurityError: it cannot be read.
        """
        try:
            text = files.read(self._change_folder(change_id) / "change").decode()
        except FileNotFoundError:
            raise UnknownChange(change_id) from None
        plain = self._vault.decrypt(f"{_CHANGE} {change_id}", text)
        return msgspec.json.decode(plain, type=Change)

    def changes(self) -> list[str]:
        """The ids of all changes under way."""
        with suppress(FileNotFoundError):
            return sorted(each.name for each in (self._folder / "changes").iterdir() if _is_id(each.name))
        return []

    def remove_change(self, change_id: str) -> None:
        """Forget a change, and what was before it."""
        shutil.rmtree(self._change_folder(change_id), ignore_errors=True)

    def _change_folder(self, change_id: str) -> Path:
        if not _is_id(change_id):
            raise UnknownChange(change_id)
        return self._folder / "changes" / change_id

    # -- components ------------------------------------------------------------------------------

    def pull_secret(self, component: str) -> bytes:
        """The ``config.json`` of a component.

        Raises:
            FileNotFoundError: it has none.
            PrivateFileError: it cannot be read.
        """
        return files.read(self._secret_file(component))

    def give(self, component: str, content: bytes, change_id: str) -> None:
        """Write the ``config.json`` of a component, whole or not at all. ``take_back`` undoes it.

        Raises:
            PrivateFileError: it cannot be written, or what was there not be kept.
        """
        path = self._secret_file(component)
        self._keep(path, change_id)
        with files.explained(path):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        files.write(path, content)

    def take_back(self, component: str, change_id: str) -> None:
        """Make the ``config.json`` of a component what it was before a change."""
        path = self._secret_file(component)
        self._put_back(path, change_id)
        for folder in (path.parent, path.parent.parent):
            with suppress(OSError):  # it is not empty
                folder.rmdir()

    def _secret_file(self, component: str) -> Path:
        return self._folder / "components" / component / "config.json"

    # -- what was before -------------------------------------------------------------------------

    def _keep(self, path: Path, change_id: str) -> None:
        """Keep a file as it is before the change, unless that was done already."""
        kept, absent = self._kept(path, change_id)
        if kept.exists() or absent.exists():
            return
        try:
            files.write(kept, files.read(path))
        except FileNotFoundError:
            files.write(absent, b"")

    def _put_back(self, path: Path, change_id: str) -> None:
        """Put a file back that was kept; does nothing for one that was not, or the second time."""
        kept, absent = self._kept(path, change_id)
        with files.explained(path):
            if absent.exists():
                path.unlink(missing_ok=True)
                absent.unlink()
            elif kept.exists():
                files.move(kept, path)

    def _kept(self, path: Path, change_id: str) -> tuple[Path, Path]:
        name = "-".join(path.relative_to(self._folder).parts)
        folder = self._change_folder(change_id)
        return folder / name, folder / f"{name}{_ABSENT}"


def _is_id(text: str) -> bool:
    return len(text) == 32 and set(text) <= set(string.hexdigits)
