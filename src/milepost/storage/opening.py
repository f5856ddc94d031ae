"""From how a storage is configured to the storage."""

import re
from functools import lru_cache
from pathlib import Path
from typing import Final

from milepost.storage.local import LocalStorage
from milepost.storage.objects import ObjectStorage
from milepost.storage.protocol import Storage, StorageError

_S3: Final = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:/[\w-][\w.-]*)*)/?", re.ASCII)


def read_place(place: str) -> str:
    """A place as it is configured, in the one way of writing it that is the same in every process.

    Raises:
        StorageError: says how it must look.
    """
    if "://" in place and not _S3.fullmatch(place):
        raise StorageError(
            f"{place!r} names no storage; give a folder, or s3://BUCKET or s3://BUCKET/PREFIX, and the"
            " credentials in the environment"
        )
    return place if "://" in place or not place else str(Path(place).expanduser().absolute())


@lru_cache(maxsize=16)
def open_storage(place: str, default: Path) -> Storage:
    """The storage at a place.

    Args:
        place: a folder, ``s3://bucket/prefix``, or empty for the default.
        default: the folder in which things lie when nothing else is configured.

    Raises:
        StorageError: there is no such kind of storage, or what it needs is missing.
    """
    place = read_place(place)
    found = _S3.fullmatch(place)
    if found:
        return ObjectStorage(found[1], found[2].strip("/"), place)
    return LocalStorage(Path(place) if place else default.absolute(), place)
