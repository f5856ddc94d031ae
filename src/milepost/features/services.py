"""Feature services: folders below one root, each with a definition and a GeoPackage.

``features/NAME.FeatureServer/`` or ``features/FOLDER/NAME.FeatureServer/`` holds ``service.json`` and
``features.gpkg``. A service is made beside its place and comes to be with one renaming; it goes with one, too.
Nothing is kept in memory, so any process may make, change and delete services while others use them.
"""

import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from milepost.features import edits as editing
from milepost.features.blobs import Bounds
from milepost.features.definition import Definition, check
from milepost.features.edits import EditResult, LayerEdits, LayerResults
from milepost.features.errors import FeatureError, NoSuchServiceError, ServiceExistsError
from milepost.features.fields import milliseconds
from milepost.features.geopackage import create, held, reading
from milepost.features.layers import FeatureLayer
from milepost.features.selection import Selection

SUFFIX: Final = ".FeatureServer"
DEFINITION: Final = "service.json"
FILE: Final = "features.gpkg"
_NAME: Final = re.compile(r"(?:[A-Za-z0-9_-]{1,80}/)?[A-Za-z0-9_-]{1,80}")


class Content(NamedTuple):
    """What the file says of a layer."""

    changed: int
    """When its features were last changed, in milliseconds since 1970."""
    bounds: Bounds | None
    """How far they ever reached; None without any."""


class FeatureService:
    """A feature service: its layers to be read, its features to be edited."""

    def __init__(self, name: str, folder: Path, definition: Definition):
        """Made by ``FeatureServices``."""
        self._path = folder / FILE
        self.name: Final = name
        """``Name`` or ``Folder/Name``."""
        self.definition: Final = definition
        self.layers: Final = tuple(
            FeatureLayer(self._path, number, layer) for number, layer in enumerate(definition.layers)
        )

    @property
    def folder(self) -> str:
        """The folder of the service; empty at the root."""
        return self.name.rpartition("/")[0]

    def layer(self, name: str) -> FeatureLayer:
        """The layer of that name.

        Raises:
            FeatureError: there is none.
        """
        for each in self.layers:
            if each.definition.name == name:
                return each
        raise FeatureError(f"service {self.name!r} has no layer {name[:60]!r}")

    def apply(
        self, edits: Sequence[LayerEdits], *, rollback_on_failure: bool = True, use_global_ids: bool = False
    ) -> list[LayerResults]:
        """Change features; see ``milepost.features.edits.apply``."""
        return editing.apply(
            self._path,
            self.definition,
            edits,
            rollback_on_failure=rollback_on_failure,
            use_global_ids=use_global_ids,
        )

    def add(self, layer: int, features: Sequence[Any]) -> list[int]:
        """Add features in Esri's JSON, all or none; their object ids.

        Raises:
            FeatureError: one of them does not fit the layer.
        """
        [results] = self.apply([LayerEdits(layer=layer, adds=features)])
        for number, each in enumerate(results.adds):
            if each.code == editing.REFUSED:
                raise FeatureError(f"feature {number}: {each.problem}")
        return [each.object_id for each in results.adds if each.object_id is not None]

    def delete(self, layer: int, selection: Selection) -> list[EditResult]:
        """Delete the features that a selection means; see ``milepost.features.edits.delete_where``."""
        return editing.delete_where(self._path, self.definition.layers[layer], selection)

    def hold(self) -> Callable[[], None]:
        """Keep the file open, which makes many edits in a row several times as quick.

        Returns:
            What lets go of it.

        Raises:
            NoSuchServiceError: the service is gone.
        """
        return held(self._path).close

    def contents(self) -> list[Content]:
        """What the file says of each layer, at little cost.

        Raises:
            NoSuchServiceError: the service is gone.
        """
        with reading(self._path) as connection:
            said = {
                row[0]: Content(milliseconds(row[1]), None if row[2] is None else row[2:])
                for row in connection.execute(
                    "SELECT table_name, last_change, min_x, min_y, max_x, max_y FROM gpkg_contents"
                )
            }
        return [said[each.name] for each in self.definition.layers]


class FeatureServices:
    """All feature services of a site."""

    def __init__(self, data: Path):
        """Below the data folder of the site; made when first needed."""
        self.root: Final = data.absolute() / "features"

    def create(self, name: str, definition: Definition) -> FeatureService:
        """Make a service with empty layers; it is there as a whole, and durable, or not at all.

        Args:
            name: ``Name`` or ``Folder/Name``: letters, digits, ``_`` and ``-``.
            definition: what it is made from.

        Raises:
            FeatureError: the name or the definition will not do.
            ServiceExistsError: there is one of that name.
            OSError, sqlite3.Error: the disk.
        """
        place = self.place(name)
        check(definition)
        if place.exists():
            raise _exists(name)
        place.parent.mkdir(parents=True, exist_ok=True)
        beside = place.parent / f".{place.name}.{secrets.token_hex(8)}.new"
        try:
            beside.mkdir(mode=0o700)
            create(beside / FILE, definition)
            write_definition(beside / DEFINITION, definition)
            sync(beside / FILE)
            sync(beside)
            try:
                # Fails when there is one by now: it is a folder that is not empty.
                beside.rename(place)
            except OSError as error:
                if place.exists():
                    raise _exists(name) from error
                raise
            sync(place.parent)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
        return FeatureService(name, place, definition)

    def open(self, name: str) -> FeatureService:
        """The service of that name.

        Raises:
            NoSuchServiceError: there is none.
        """
        place = self.place(name)
        try:
            definition = msgspec.json.decode((place / DEFINITION).read_bytes(), type=Definition)
        except OSError:
            raise NoSuchServiceError(f"there is no feature service {name!r}") from None
        return FeatureService(name, place, definition)

    def change(self, name: str, **changes: Any) -> FeatureService:
        """Change who owns, edits or may do what with a service; its layers stay.

        Args:
            name: of the service.
            **changes: ``owner``, ``description``, ``editors``, ``everybody_edits``, ``private``, ``capabilities``,
                ``max_records``.

        Raises:
            NoSuchServiceError: there is none.
            FeatureError: a change will not do.
        """
        place = self.place(name)
        if {"layers", "wkid"} & changes.keys():
            raise FeatureError("the layers and the spatial reference of a service stay as they were made")
        definition = msgspec.structs.replace(self.open(name).definition, **changes)
        check(definition)
        beside = place / f".{secrets.token_hex(8)}.json"
        write_definition(beside, definition)
        beside.rename(place / DEFINITION)
        sync(place)
        return FeatureService(name, place, definition)

    def delete(self, name: str) -> bool:
        """Delete a service, and what a creation of it that was cut off has left.

        Returns:
            Whether there was one. To delete twice does no harm.
        """
        place = self.place(name)
        there = True
        try:
            place.rename(place.parent / f".{place.name}.{secrets.token_hex(8)}.old")
        except FileNotFoundError:
            there = False
        for left in place.parent.glob(f".{place.name}.*"):
            shutil.rmtree(left, ignore_errors=True)
        return there

    def names(self, folder: str | None = None) -> list[str]:
        """The names of the services of a folder, ``""`` for the root, or of all if None; sorted."""
        return sorted(self._names(folder))

    def described(self, folder: str) -> list[tuple[str, Definition]]:
        """The names and definitions of the services of a folder, ``""`` for the root, sorted."""
        found = []
        for name in self.names(folder):
            try:
                found.append((name, self.open(name).definition))
            except NoSuchServiceError:
                continue  # deleted at this moment
        return found

    def folders(self) -> list[str]:
        """The folders that have services, sorted."""
        return sorted({each.rpartition("/")[0] for each in self.names() if "/" in each})

    def _names(self, folder: str | None) -> Iterator[str]:
        for each in _entries(self.root):
            if each.endswith(SUFFIX):
                if not folder:
                    yield each.removesuffix(SUFFIX)
            elif folder in (None, each):
                inner = _entries(self.root / each)
                yield from (f"{each}/{name.removesuffix(SUFFIX)}" for name in inner if name.endswith(SUFFIX))

    def place(self, name: str) -> Path:
        """The folder of a service of that name, whether there is one or not.

        Raises:
            NoSuchServiceError: it is no name of a service.
        """
        if not _NAME.fullmatch(name):
            raise NoSuchServiceError(
                f"{name[:80]!r} is no name of a feature service; use letters, digits, _ and -, after a folder or not"
            )
        return self.root / f"{name}{SUFFIX}"


def delete_service(data: str, name: str) -> None:
    """Delete a service, for ``run.on_rollback(delete_service, str(data_folder()), name)``; there need not be one."""
    FeatureServices(Path(data)).delete(name)


def _exists(name: str) -> ServiceExistsError:
    return ServiceExistsError(f"there is a feature service {name!r} already")


def _entries(folder: Path) -> list[str]:
    try:
        return [each.name for each in os.scandir(folder) if each.is_dir() and not each.name.startswith(".")]
    except FileNotFoundError:
        return []


def write_definition(path: Path, definition: Definition) -> None:
    """Write the definition of a service; it is on the disk when this returns."""
    with path.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(definition), indent=2))
        file.flush()
        os.fsync(file.fileno())


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
