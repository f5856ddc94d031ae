"""A feature service that is made layer by layer, and appears as a whole.

For work that takes its time and may be interrupted: every call may come again, from another process,
and does only what is not done yet. What is begun and never published goes with ``delete_service``.
"""

import secrets
import shutil
from typing import Final

import msgspec

from milepost.features.definition import Definition, check
from milepost.features.errors import NoSuchServiceError
from milepost.features.geopackage import create, create_layer, writing
from milepost.features.references import description_of
from milepost.features.services import DEFINITION, FILE, FeatureServices, sync, write_definition


class Draft:
    """A feature service before it is there for others. Its layers may be added at the same time."""

    def __init__(self, services: FeatureServices, name: str, definition: Definition):
        """Of the service ``name``; nothing is made yet.

        Raises:
            FeatureError: the name or the definition will not do.
        """
        check(definition)
        self._place = services.place(name)
        self._folder = self._place.parent / f".{self._place.name}.draft"
        self._definition: Final = definition

    def begin(self) -> None:
        """Make the file, without layers yet."""
        if self._folder.exists() or self._place.exists():
            return
        self._place.parent.mkdir(parents=True, exist_ok=True)
        beside = self._folder.parent / f"{self._folder.name}.{secrets.token_hex(8)}"
        try:
            beside.mkdir(mode=0o700)
            create(beside / FILE, msgspec.structs.replace(self._definition, layers=()))
            write_definition(beside / DEFINITION, self._definition)
            sync(beside / FILE)
            sync(beside)
            beside.rename(self._folder)
            sync(self._folder.parent)
        finally:
            shutil.rmtree(beside, ignore_errors=True)

    def add_layer(self, number: int) -> None:
        """Make the table of a layer; once it is there it stays."""
        if self._place.exists():
            return
        layer = self._definition.layers[number]
        with writing(self._folder / FILE) as connection:
            there = connection.execute(
                "SELECT 1 FROM gpkg_contents WHERE table_name = ?", (layer.name,)
            ).fetchone()
            if not there:
                create_layer(connection, layer, description_of(self._definition.wkid)[0])

    def publish(self) -> None:
        """Put it in its place, where everybody finds it.

        Raises:
            NoSuchServiceError: what was made is gone; backups do not hold what is not published.
        """
        if self._folder.exists():
            self._folder.rename(self._place)
        elif not self._place.exists():
            raise NoSuchServiceError("what was made of the feature service is gone; make it anew")
        sync(self._place.parent)
