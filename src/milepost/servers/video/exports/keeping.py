"""Where exports are until they expire: each in a folder of its own, whose name says until when.

The name is all that is known of an export, so it outlives a restart and there is nothing that could
contradict it: ``KEY.EXPIRES.NUMBER``, with the key of the layer, UTC milliseconds, and a random number.
"""

import math
import re
import time
import uuid
from pathlib import Path
from typing import Final

import structlog

from milepost.storage import LocalStorage

log = structlog.get_logger("milepost.video")

_ID: Final = re.compile(r"(\d{13,16})\.([0-9a-f]{32})", re.ASCII)
_NAME: Final = re.compile(rf"[0-9a-f]{{32}}\.{_ID.pattern}", re.ASCII)


class Exports:
    """The exports of a site. Every method may be called from any thread and process."""

    def __init__(self, data: Path):
        """Below the data folder of the site."""
        self.storage: Final = LocalStorage(data / "video-exports")

    def keep(self, folder: Path, name: str) -> None:
        """Take over a folder with all that is in it. It has expired or is there when this returns.

        Raises:
            StorageError: that cannot be done.
        """
        self.storage.put(folder, name, lambda _: None)

    def discard(self, name: str) -> None:
        """Let an export be gone; there need not be one."""
        self.storage.delete(name)

    def discard_all(self, key: str) -> None:
        """Let all exports of the layer with a key be gone."""
        for name in self.storage.names():
            if name.startswith(f"{key}."):
                self.discard(name)

    def finish_deletions(self) -> None:
        """Remove what is left of exports whose removal was cut off.

        Raises:
            StorageError: that cannot be done now.
        """
        self.storage.finish_deletions()

    def remove_expired(self) -> float:
        """Remove what has expired; seconds until the next one does, infinity when there is none."""
        now, left = time.time(), math.inf
        for name in self.storage.names():
            found = _NAME.fullmatch(name)
            if found is None:
                continue
            remaining = int(found[1]) / 1000 - now
            if remaining > 0:
                left = min(left, remaining)
            else:
                self.discard(name)
                log.info("export expired", export=name)
        return left


def new_id(expires: int) -> str:
    """The id of an export that is to be; ``expires`` in UTC milliseconds."""
    return f"{expires:013d}.{uuid.uuid4().hex}"


def name_of(key: str, export: str) -> str:
    """The name of the folder of an export of a layer; empty when there is none, or not any more."""
    found = _ID.fullmatch(export)
    return f"{key}.{export}" if found and int(found[1]) > time.time() * 1000 else ""
