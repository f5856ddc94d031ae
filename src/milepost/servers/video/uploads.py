"""The URLs of uploads: files that people send for their layers, whole, in parts, or put into place by an operator."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace
from starlette.routing import BaseRoute

from milepost.http import Answer, Call, Field, Form, ServiceError, missing, save_upload, told_when_full, wrong
from milepost.servers.video import describing
from milepost.servers.video.arrivals import Arriving
from milepost.servers.video.inbox import plain_name
from milepost.servers.video.library import ROOT, Library, above_services
from milepost.servers.video.parts import (
    all_parts,
    join,
    named_parts,
    part_at,
    require_announced,
    require_no_gap,
    require_size,
)
from milepost.servers.video.records import Upload

UPLOADS: Final = f"{ROOT}/uploads"
UPLOAD: Final = f"{UPLOADS}/{{upload}}"

_LONGEST_DESCRIPTION: Final = 1000


class Uploads:
    """The uploads of a Video Server. Everybody has their own."""

    def __init__(self, library: Library):
        """Those of a library."""
        self._library = library
        self._arrivals = library.arrivals
        self._inbox = library.arrivals.inbox

    def routes(self) -> list[BaseRoute]:
        """The routes, below the context."""
        at = self._library.resources.at
        largest = self._library.max_upload
        return [
            *at(
                f"{UPLOADS}/upload",
                self.upload,
                methods=("POST",),
                acts=True,
                max_file=largest,
                follow=self._arrivals.follow,
                parameters=("file", "description"),
                document="Upload",
            ),
            *at(
                f"{UPLOADS}/register",
                self.register,
                methods=("POST",),
                acts=True,
                parameters=("fileName", "itemName", "description", "size"),
                document="Register",
            ),
            *at(
                f"{UPLOAD}/uploadPart",
                self.part,
                methods=("POST",),
                acts=True,
                max_file=largest,
                follow=self._arrivals.follow,
                parameters=("partId", "partNum", "partFile", "file"),
                document="Upload Part",
            ),
            *at(
                f"{UPLOAD}/commit",
                self.commit,
                methods=("POST",),
                acts=True,
                parameters=("parts",),
                document="Commit",
            ),
            *at(f"{UPLOAD}/delete", self.delete, methods=("POST",), acts=True, document="Delete upload"),
            *at(UPLOAD, self.item, document="Upload item"),
            *at(UPLOADS, self.mine, document="Uploads"),
        ]

    async def mine(self, call: Call) -> Answer:
        """One's uploads, newest first; those that are still on their way tell how far they are."""
        found = await asyncio.to_thread(self._inbox.present, call.person.username)
        links = {
            f"{each.name} ({each.id[:9]})": f"{call.path}/{describing.upload_id(each.id)}" for each in found
        }
        forms = []
        if call.person.may_use(self._library.resources.access[f"{UPLOADS}/upload"]):
            forms = [
                Form(
                    f"{call.path}/upload",
                    "Upload a file",
                    (Field("file", "File", kind="file", required=True), Field("description", "Description")),
                ),
                Form(
                    f"{call.path}/register",
                    "Announce a file that comes in parts",
                    (Field("fileName", "Name", required=True), Field("description", "Description")),
                ),
            ]
        return Answer(
            {"uploads": await self.listed(found)},
            title="Uploads",
            crumbs=above_services(call),
            links=links,
            forms=forms,
        )

    async def listed(self, uploads: list[Upload]) -> list[dict[str, Any]]:
        """Uploads as lists have them."""

        def describe() -> list[dict[str, Any]]:
            return [describing.upload_listed(each, self._arrivals.progress(each)) for each in uploads]

        return await asyncio.to_thread(describe)

    async def upload(self, call: Call) -> Answer:
        """Take a file."""
        sent = call.parameters.files("file")
        if not sent:
            raise wrong("file", "send the file as multipart/form-data")
        name = plain_name("file", sent[-1].filename or "")
        async with self._arriving(call, name) as arriving:
            assert arriving.upload is not None
            upload = replace(arriving.upload, name=name, description=_description(call))
            arriving.require_wanted()
            with self._inbox.claims.alone(upload.id, "kept"):
                await save_upload(sent[-1], self._inbox.path(upload))
                upload = await asyncio.to_thread(self._inbox.finish, upload)
                arriving.landed()
        return self._told(call, upload)

    async def register(self, call: Call) -> Answer:
        """Announce a file: it comes in parts, or an operator puts it into its folder."""
        given = call.parameters
        name = given.get("fileName") or given.get("itemName")
        if not name.strip():
            raise missing("fileName", "the name of the file that will be sent")
        plain = plain_name("fileName", name)
        size = given.number("size", 0, least=1, most=self._library.max_upload)
        await self._arrivals.require_room(call.person.username, size)
        begin, said = self._inbox.begin, _description(call)
        upload = await asyncio.to_thread(begin, call.person.username, plain, description=said, size=size)
        return self._told(call, upload)

    async def part(self, call: Call) -> Answer:
        """Take a part of a file that was announced. A part that was sent before is replaced."""
        upload = await self._open(call)
        self._inbox.claims.require_free(upload.id)
        folder = self._inbox.folder(upload)
        text = (call.parameters.get("partId") or call.parameters.get("partNum")).strip()
        target = part_at(folder, text)
        sent = call.parameters.files("partFile") or call.parameters.files("file")
        if not sent:
            raise wrong("partFile", "send the part as multipart/form-data")
        fresh = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
        try:
            await save_upload(sent[-1], fresh)
            # A commit that began meanwhile has not counted on it.
            await self._open(call)
            # Without a pause from here on: parts that arrive at the same time are counted too.
            self._inbox.claims.require_free(upload.id)
            others = [each for each in all_parts(folder) if each != target]
            require_size([fresh, *others], self._library.max_upload)
            fresh.replace(target)
            if isinstance(call.arrival, Arriving):
                call.arrival.landed()
        finally:
            fresh.unlink(missing_ok=True)
        return Answer(
            {"success": True, "partId": int(text)}, title="Upload part", crumbs=_above(call, upload)
        )

    async def commit(self, call: Call) -> Answer:
        """Make one file of the parts; or take the one that lies in the folder."""
        upload = await self._find(call)
        with self._inbox.claims.alone(upload.id, "committed"):
            upload = await self._open(call)
            folder, path = self._inbox.folder(upload), self._inbox.path(upload)
            named = call.parameters.get("parts")
            parts = named_parts(folder, named)
            require_size(parts, self._library.max_upload)
            if not parts and (not path.is_file() or path.is_symlink()):
                raise ServiceError(
                    400, "Nothing was sent: send parts with uploadPart, or put the file into its folder"
                )
            if upload.size:
                require_announced(parts or [path], upload.size)
            elif not named:
                require_no_gap(parts)
            try:
                if parts:
                    await self._join(upload.owner, parts, path)
                upload = await asyncio.to_thread(self._inbox.finish, upload)
            except Exception:
                if parts:  # they are still there, and another commit can make a file of them
                    path.unlink(missing_ok=True)
                raise
            for each in all_parts(folder):
                each.unlink(missing_ok=True)
        return self._told(call, upload)

    async def item(self, call: Call) -> Answer:
        """What is known of an upload."""
        upload = await self._find(call)
        forms = [Form(f"{call.path}/delete", "Delete")]
        if not upload.committed and not upload.whole:
            part = (Field("partId", "Number", required=True), Field("partFile", "Part", kind="file"))
            forms = [
                Form(f"{call.path}/uploadPart", "Send a part", part),
                Form(f"{call.path}/commit", "Commit", (Field("parts", "Parts", help="All if empty"),)),
                *forms,
            ]
        [said] = await self.listed([upload])
        return Answer(said, title=upload.name, crumbs=_above(call), forms=forms)

    async def delete(self, call: Call) -> Answer:
        """Remove an upload. Layers that were made of it stay."""
        await self.remove(await self._find(call))
        return Answer({"success": True}, title="Delete", crumbs=_above(call))

    async def remove(self, upload: Upload) -> None:
        """Let an upload be gone, also one that is still on its way.

        Raises:
            ServiceError: 400, a job needs it, or it is being committed.
        """
        async with self._inbox.unused(upload):
            self._arrivals.stop(upload)
            await asyncio.to_thread(self._inbox.remove, upload)

    @asynccontextmanager
    async def _arriving(self, call: Call, name: str) -> AsyncIterator[Arriving]:
        """What followed the file of a call; where the token came with the file, nobody could follow it."""
        if isinstance(call.arrival, Arriving):
            yield call.arrival
            return
        arriving = self._arrivals.follow(call.person, {})
        try:
            await arriving.expect(call.size)
            await arriving.came(call.size, [("file", name)])
            yield arriving
        finally:
            await arriving.end()

    async def _join(self, owner: str, parts: list[Path], path: Path) -> None:
        await self._arrivals.require_room(owner, sum(each.stat().st_size for each in parts))
        with told_when_full():
            await asyncio.to_thread(join, parts, path)

    async def _find(self, call: Call) -> Upload:
        return await asyncio.to_thread(self._inbox.find, call.part("upload"), call.person.username)

    async def _open(self, call: Call) -> Upload:
        """An upload that still takes parts."""
        upload = await self._find(call)
        if upload.committed:
            raise ServiceError(400, "The upload is complete; announce another one with register")
        if upload.whole:
            raise ServiceError(400, "The upload comes in one request; announce another one with register")
        return upload

    def _told(self, call: Call, upload: Upload) -> Answer:
        spelled = describing.upload_id(upload.id)
        return Answer(
            {"success": True, **describing.upload(upload)},
            title="Upload",
            crumbs=_above(call),
            links={"Upload": f"{call.home}{UPLOADS}/{spelled}"},
        )


def _description(call: Call) -> str:
    return call.parameters.get("description")[:_LONGEST_DESCRIPTION]


def _above(call: Call, upload: Upload | None = None) -> list[tuple[str, str]]:
    above = [*above_services(call), ("Uploads", call.home + UPLOADS)]
    if upload is not None:
        above.append((upload.name, f"{call.home}{UPLOADS}/{describing.upload_id(upload.id)}"))
    return above
