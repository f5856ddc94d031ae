"""What the sheets of a site are made from: a file of settings names it, and the data folder tells every process.

The file is TOML::

    [[vectors]]
    path = "andorra.osm.pbf"
    credit = "© OpenStreetMap contributors"
    licence = "ODbL 1.0"

    [[elevation]]
    path = "N42E001.hgt.zip"
    credit = "NASA SRTM version 2.1"
    licence = "public domain"

Relative paths begin at the folder of the file.
"""

import os
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from milepost.servers.production.needs import missing
from milepost.servers.production.sheet.order import Source

FILE: Final = "sources.json"

SAMPLE: Final = (
    "The sample of an installed package, for the country around Jacksboro, Tennessee; for any other place name sources"
    " with --sheet-sources"
)
"""What sheets are made from where no settings name anything."""

_VECTORS: Final = (".pbf", ".osm", ".gpkg")
_ELEVATION: Final = (".hgt", ".zip", ".tif", ".tiff")


class SourcesError(Exception):
    """The file of settings cannot be used; the text says why and what helps."""


class Sources(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The files that sheets are made from."""

    vectors: tuple[Source, ...] = ()
    elevation: tuple[Source, ...] = ()

    def credits(self) -> Iterator[Source]:
        """Every source, once."""
        yield from dict.fromkeys((*self.vectors, *self.elevation))


def read_sources(path: Path) -> Sources:
    """The sources that a file of settings names.

    Raises:
        SourcesError: it cannot be read, or names what no sheet can be made from.
    """
    try:
        document = tomllib.loads(path.read_text("utf-8"))
        found = msgspec.convert(document, Sources)
    except OSError as error:
        raise SourcesError(f"{path} cannot be read: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise SourcesError(
            f"{path} names no sources: {error}; write [[vectors]] and [[elevation]], each with a path, a credit"
            " and a licence"
        ) from error
    return Sources(
        vectors=_checked(path, found.vectors, "vectors", _VECTORS),
        elevation=_checked(path, found.elevation, "elevation", _ELEVATION),
    )


def _checked(
    file: Path, sources: Iterable[Source], name: str, endings: tuple[str, ...]
) -> tuple[Source, ...]:
    checked = []
    for each in sources:
        if not each.path.lower().endswith(endings):
            raise SourcesError(
                f"{file}: {each.path!r} is nothing that {name} come from; name a file that ends in"
                f" {', '.join(endings)}"
            )
        if not each.credit.strip():
            raise SourcesError(
                f"{file}: {each.path!r} has no credit; say whom a sheet must name for it, such as"
                " © OpenStreetMap contributors"
            )
        checked.append(msgspec.structs.replace(each, path=str((file.parent / each.path).absolute())))
    return tuple(checked)


def keep_sources(data: Path, sources: Sources) -> None:
    """Tell the instances of a server what sheets are made from."""
    path = data / FILE
    beside = path.with_suffix(".new")
    beside.write_bytes(msgspec.json.encode(sources))
    beside.chmod(0o600)
    os.replace(beside, path)


def kept_sources(data: Path) -> Sources:
    """What sheets are made from at a site; nothing where no server ever said."""
    try:
        return msgspec.json.decode((data / FILE).read_bytes(), type=Sources)
    except FileNotFoundError:
        return Sources()


def problems(sources: Sources) -> list[str]:
    """What keeps sheets from being made; empty when all is well."""
    found = []
    if absent := missing():
        found.append(
            f"No sheet can be made: {', '.join(absent)} are not installed; pip install 'milepost[production]'"
        )
    for each in sources.credits():
        path = Path(each.path)
        if not path.is_file():
            found.append(f"The source {path.name} is missing; put it back, or correct the file of sources")
        elif not os.access(path, os.R_OK):
            found.append(f"The source {path.name} may not be read; give the user of the server the right to")
    return found
