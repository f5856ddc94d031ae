"""What administrators configured of services, on top of what the code declares.

Each service that was ever changed has a file ``system/services/[FOLDER/]NAME.TYPE.json`` in the data folder,
which is replaced as a whole: after a crash there is the old one or the new one. What it says is what is wanted;
the engine brings about what it says, and knows how far that is.
"""

from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from msgspec.structs import asdict, replace

from milepost.operations import Service, site
from milepost.security import PrivateFileError, files

FOLDER: Final = "system/services"

State = Literal["STARTED", "STOPPED"]

SETTINGS: Final = (
    "description",
    "min_instances",
    "max_instances",
    "max_startup_time",
    "max_usage_time",
    "max_wait_time",
    "max_idle_time",
    "recycle_interval",
    "recycle_start",
    "grace_time",
    "rollback_time",
    "memory_limit",
)
"""The settings of a service that can be configured."""

_TOGETHER: Final = frozenset({"min_instances", "max_instances"})
"""Settings that only make sense with each other: both are kept when one of them is changed."""


class ConfigurationError(Exception):
    """The configuration of a service cannot be read or written; the text names the file and the cause."""


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """What is wanted of one service."""

    service: str
    """Full name."""
    revision: int = 0
    """Grows with each change; 0 as long as there was none."""
    state: State = "STARTED"
    deleted: bool = False
    """Whether the service is not to be there, although the code declares it."""
    settings: dict[str, Any] = {}
    """Those of ``SETTINGS`` that differ from what the code declares, by name."""
    changed_at: int = 0
    """UTC milliseconds since the epoch."""
    changed_by: str = ""

    def of(self, declared: Service) -> Service:
        """The service with what is configured."""
        return replace(declared, **{name: value for name, value in self.settings.items() if name in SETTINGS})


def changes(declared: Service, wanted: Service) -> dict[str, Any]:
    """The settings to keep, so that ``Configuration.of`` gives what is wanted."""
    before, after = asdict(declared), asdict(wanted)
    changed = {name for name in SETTINGS if before[name] != after[name]}
    if changed & _TOGETHER:
        changed |= _TOGETHER
    return {name: after[name] for name in SETTINGS if name in changed}


class Configurations:
    """The configurations of all services of a site."""

    def __init__(self, data: Path):
        """Those in the data folder."""
        self._folder = data / FOLDER

    def read(self, service: str) -> Configuration:
        """What is configured of a service; that it is started as declared if nothing is.

        Raises:
            ConfigurationError: the file cannot be read.
        """
        text = self.text(service)
        if text is None:
            return Configuration(service=service)
        path = self._path(service)
        try:
            return msgspec.json.decode(text, type=Configuration)
        except msgspec.DecodeError as error:
            raise ConfigurationError(
                f"{path} is damaged: {error}; put a copy from a backup in its place, or move it away to have"
                " the service as its code declares it"
            ) from error

    def all(self) -> dict[str, Configuration]:
        """Those of all services that were ever changed, by name.

        Raises:
            ConfigurationError: a file cannot be read.
        """
        found = [
            self.read(str(path.relative_to(self._folder)).removesuffix(".json"))
            for path in sorted(self._folder.rglob("*.json"))
        ]
        return {each.service: each for each in found}

    def text(self, service: str) -> str | None:
        """The file of a service as it is, None when there is none.

        Raises:
            ConfigurationError: it cannot be read.
        """
        try:
            return files.read(self._path(service)).decode()
        except FileNotFoundError:
            return None
        except (PrivateFileError, UnicodeDecodeError) as error:
            raise ConfigurationError(str(error)) from error

    def write(self, configuration: Configuration) -> None:
        """Configure a service.

        Raises:
            ConfigurationError: it cannot be written.
        """
        encoded = msgspec.json.format(msgspec.json.encode(configuration), indent=2)
        self.put(configuration.service, encoded.decode() + "\n")

    def put(self, service: str, text: str | None) -> None:
        """Make the file of a service what ``text`` told before; None for none.

        Raises:
            ConfigurationError: it cannot be written.
        """
        path = self._path(service)
        try:
            if text is not None:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                files.write(path, text.encode())
                return
            files.remove(path)
            for folder in {path.parent, self._folder} if path.parent != self._folder else {self._folder}:
                with suppress(OSError):  # it is not empty
                    folder.rmdir()
        except (PrivateFileError, OSError) as error:
            raise ConfigurationError(str(error)) from error

    def _path(self, service: str) -> Path:
        return self._folder / f"{service}.json"


def restore(service: str, text: str | None) -> None:
    """Undo a change: make what is configured of a service what it was before.

    Args:
        service: full name.
        text: its file before the change, None when there was none.
    """
    Configurations(site.data_folder()).put(service, text)
