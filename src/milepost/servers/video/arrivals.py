"""Uploads while they come: how far each one is, and whether there is room for it."""

import asyncio
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from milepost.http import ServiceError
from milepost.security import Person
from milepost.servers.video.inbox import Inbox, plain_name
from milepost.servers.video.records import Upload

LEFT: Final = 2**30
"""Bytes that uploads leave free on the disk, for the work of jobs; a twentieth of a small disk."""

_LOOK_EVERY: Final = 64 * 2**20
"""Bytes between two looks at whether there still is room."""


class Arrivals:
    """What is on its way to an inbox."""

    def __init__(self, inbox: Inbox, data: Path, *, per_person: int):
        """Of one site.

        Args:
            inbox: where it comes to.
            data: the data folder.
            per_person: bytes that the uploads of a person may have together; 0 for any number.
        """
        self.inbox: Final = inbox
        self._data = data
        self._per_person = per_person
        self._here: set[Arriving] = set()

    def follow(self, person: Person, parts: Mapping[str, str]) -> "Arriving":
        """What follows the files of a request: a new upload, or a part of the one that the path names."""
        return Arriving(self, person.username, parts.get("upload", ""))

    def progress(self, upload: Upload) -> tuple[int, int | None] | None:
        """Bytes of an upload that have come, and of how many where that is known; None when all are there."""
        if upload.committed:
            return None
        # All at once, since others come and go meanwhile.
        coming = [each for each in list(self._here) if each.upload and each.upload.id == upload.id]
        if upload.whole:
            return (coming[0].received, coming[0].expected or None) if coming else (0, None)
        return self.inbox.size(upload) + sum(each.received for each in coming), upload.size or None

    def stop(self, upload: Upload) -> None:
        """Let nothing more come of an upload, which was deleted."""
        for each in self._here:
            if each.upload and each.upload.id == upload.id:
                each.deleted = True

    def add(self, arriving: "Arriving") -> None:
        """Somebody begins to send."""
        self._here.add(arriving)

    def remove(self, arriving: "Arriving") -> None:
        """It is there, or will not come."""
        self._here.discard(arriving)

    async def require_room(self, owner: str, more: int = 0) -> None:
        """Nothing, if there is room for all that is on its way, and for more.

        Args:
            owner: who sends it.
            more: bytes that will come in no request, such as those of a file that is joined from parts.

        Raises:
            ServiceError: 400, the owner has too much; 500, the disk has too little.
        """
        coming = list(self._here)
        rest = more + sum(max(0, each.expected - each.received) for each in coming)
        about = await asyncio.to_thread(shutil.disk_usage, self._data)
        left = min(LEFT, about.total // 20)
        if about.free - rest < left:
            raise ServiceError(
                500,
                f"The disk of the server has no room for this file: uploads leave {size_in_words(left)} of it free."
                " Try again once there is room",
            )
        if not self._per_person:
            return
        mine = await asyncio.to_thread(self._taken, owner, [each for each in coming if each.owner == owner])
        if mine > self._per_person:
            raise ServiceError(
                400,
                f"Your uploads would have {size_in_words(mine)} together, and {size_in_words(self._per_person)} are allowed:"
                " delete those that you do not need any more",
            )

    def _taken(self, owner: str, coming: Iterable["Arriving"]) -> int:
        there = sum(self.inbox.size(each) for each in self.inbox.present(owner))
        return there + sum(max(each.expected, each.received) for each in coming)


class Arriving:
    """One request that brings a file: an ``Arrival``."""

    def __init__(self, arrivals: Arrivals, owner: str, upload: str):
        """Made by ``Arrivals``."""
        self._arrivals = arrivals
        self._named = upload
        self._looked = 0
        self.owner: Final = owner
        self.expected = 0
        """Bytes of the request; 0 when the client did not say."""
        self.received = 0
        self.upload: Upload | None = None
        """What they belong to, once that is known."""
        self._landed = False
        self.deleted = False
        """Whether the upload was deleted meanwhile."""

    async def expect(self, length: int) -> None:
        """See ``Arrival``."""
        if self._named:
            find = self._arrivals.inbox.find
            self.upload = await asyncio.to_thread(find, self._named, self.owner)
        self.expected = length
        self._arrivals.add(self)
        await self._arrivals.require_room(self.owner)

    async def came(self, size: int, files: Sequence[tuple[str, str]]) -> None:
        """See ``Arrival``."""
        self.received = size
        self.require_wanted()
        if size - self._looked > _LOOK_EVERY:
            self._looked = size
            await self._arrivals.require_room(self.owner)
        names = [name for field, name in files if field == "file" and name]
        if names and self.upload is None:
            name = plain_name("file", names[0])
            begin = self._arrivals.inbox.begin
            self.upload = await asyncio.to_thread(begin, self.owner, name, whole=True)

    async def end(self) -> None:
        """See ``Arrival``. An upload that came to nothing is none."""
        self._arrivals.remove(self)
        if self.upload is not None and self.upload.whole and not self._landed:
            await asyncio.to_thread(self._arrivals.inbox.remove, self.upload)

    def landed(self) -> None:
        """The file is where it belongs, and not on its way any more."""
        self._landed = True
        self._arrivals.remove(self)

    def require_wanted(self) -> None:
        """Nothing, unless the upload was deleted.

        Raises:
            ServiceError: 400.
        """
        if self.deleted:
            raise ServiceError(400, "The upload was deleted while it came")


def size_in_words(size: int) -> str:
    """Bytes as people write them."""
    return f"{size / 2**30:.4g} GiB" if size >= 2**30 else f"{size / 2**20:.3g} MiB"
