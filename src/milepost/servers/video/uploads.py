"""Files that people send for their layers: whole, in parts, or put into place by an operator."""

import asyncio
import re
import shutil
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Final

import structlog
from msgspec.structs import replace
from starlette.routing import BaseRoute

from milepost.http import Answer, Call, Field, Form, ServiceError, not_found, save_upload
from milepost.servers.video import describing
from milepost.servers.video.kinds import content_type
from milepost.servers.video.library import ROOT, Library, above_services
from milepost.servers.video.parameters import read_upload_id
from milepost.servers.video.records import Upload

log = structlog.get_logger("milepost.video")

UPLOADS: Final = f"{ROOT}/uploads"
UPLOAD: Final = f"{UPLOADS}/{{upload}}"

SUFFIXES: Final = (
    *(".ts", ".mp4", ".mpg", ".mpeg", ".mpeg4", ".avi", ".mov"),
    *(".txt", ".csv", ".gpx"),
)
"""What the names of files may end with."""

_MOST_PARTS: Final = 10_000
_PIECE: Final = 1 << 20
_LONGEST_NAME: Final = 250
_LONGEST_DESCRIPTION: Final = 1000


class Uploads:
    """The uploads of a Video Server. Everybody has their own."""

    def __init__(self, library: Library):
        """Those of a library."""
        self._library = library
        self._committing: set[str] = set()

    def routes(self) -> list[BaseRoute]:
        """The routes, below the context."""
        at = self._library.resources.at
        largest = self._library.max_upload
        return [
            *at(
                f"{UPLOADS}/upload",
                self.upload,
                acts=True,
                max_file=largest,
                parameters=("file", "description"),
                document="Upload",
            ),
            *at(
                f"{UPLOADS}/register",
                self.register,
                acts=True,
                parameters=("fileName", "itemName", "description"),
                document="Register",
            ),
            *at(
                f"{UPLOAD}/uploadPart",
                self.part,
                acts=True,
                max_file=largest,
                parameters=("partId", "partNum", "partFile", "file"),
                document="Upload Part",
            ),
            *at(f"{UPLOAD}/commit", self.commit, acts=True, parameters=("parts",), document="Commit"),
            *at(f"{UPLOAD}/delete", self.delete, acts=True, document="Delete upload"),
            *at(UPLOAD, self.item, document="Upload item"),
            *at(UPLOADS, self.mine, document="Uploads"),
        ]

    async def mine(self, call: Call) -> Answer:
        """One's uploads, newest first."""
        found = await self.present(call.person.username)
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
            {"uploads": [describing.upload_listed(each) for each in found]},
            title="Uploads",
            crumbs=above_services(call),
            links=links,
            forms=forms,
        )

    async def present(self, owner: str = "") -> list[Upload]:
        """The uploads of somebody, or of everybody, that are still there."""

        def read() -> list[Upload]:
            return [each for each in self._library.videos.uploads.of(owner) if self._is_there(each)]

        return await asyncio.to_thread(read)

    async def upload(self, call: Call) -> Answer:
        """Take a file."""
        sent = call.parameters.files("file")
        if not sent:
            raise ServiceError(400, "Parameter 'file': send the file as multipart/form-data")
        upload, path = self._begin(call, "file", sent[-1].filename or "")
        try:
            await save_upload(sent[-1], path)
            upload = await self._finish(call, upload, path)
        except BaseException:
            await self.remove(upload)
            raise
        return self._told(call, upload)

    async def register(self, call: Call) -> Answer:
        """Announce a file: it comes in parts, or an operator puts it into its folder."""
        name = call.parameters.get("fileName") or call.parameters.get("itemName")
        if not name.strip():
            raise ServiceError(400, "Parameter 'fileName' is required")
        upload, _ = self._begin(call, "fileName", name)
        await asyncio.to_thread(self._library.videos.uploads.put, upload)
        return self._told(call, upload)

    async def part(self, call: Call) -> Answer:
        """Take a part of a file that was announced. A part that was sent before is replaced."""
        upload, folder = await self._open(call)
        text = (call.parameters.get("partId") or call.parameters.get("partNum")).strip()
        if not re.fullmatch(r"[0-9]{1,5}", text) or int(text) > _MOST_PARTS:
            raise ServiceError(400, f"Parameter 'partId': it must be a number from 0 to {_MOST_PARTS}")
        sent = call.parameters.files("partFile") or call.parameters.files("file")
        if not sent:
            raise ServiceError(400, "Parameter 'partFile': send the part as multipart/form-data")
        target = _part(folder, text)
        fresh = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
        try:
            await save_upload(sent[-1], fresh)
            # Without a pause in between: parts that arrive at the same time are counted too.
            self._check_size([fresh, *(each for each in _all_parts(folder) if each != target)])
            fresh.replace(target)
        finally:
            fresh.unlink(missing_ok=True)
        return Answer(
            {"success": True, "partId": int(text)}, title="Upload part", crumbs=_above(call, upload)
        )

    async def commit(self, call: Call) -> Answer:
        """Make one file of the parts; or take the one that lies in the folder."""
        upload, folder = await self._open(call)
        named = [
            each.strip() for each in call.parameters.get("parts").strip("[] ").split(",") if each.strip()
        ]
        wrong = [each for each in named if not re.fullmatch(r'"?[0-9]{1,5}"?', each)]
        if wrong:
            raise ServiceError(400, f"Parameter 'parts': {wrong[0][:40]!r} is no number of a part")
        parts = [_part(folder, each.strip('"')) for each in named] or _all_parts(folder)
        twice = [each.name for each, times in Counter(parts).items() if times > 1]
        if twice:
            number = int(twice[0].removeprefix("part-"))
            raise ServiceError(400, f"Parameter 'parts': {number} is named twice; name each part once")
        lost = [each.name for each in parts if not each.is_file()]
        if lost:
            raise ServiceError(400, f"Parameter 'parts': {lost[0].removeprefix('part-')} was not sent")
        self._check_size(parts)
        path = folder / "file" / upload.file
        if not parts and (not path.is_file() or path.is_symlink()):
            raise ServiceError(
                400, "Nothing was sent: send parts with uploadPart, or put the file into its folder"
            )
        if upload.id in self._committing:
            raise ServiceError(400, "The upload is being committed already; ask for it until that is done")
        self._committing.add(upload.id)
        try:
            if parts:
                await asyncio.to_thread(_join, parts, path)
            upload = await self._finish(call, upload, path)
        except Exception:
            if parts:  # they are still there, and another commit can make a file of them
                path.unlink(missing_ok=True)
            raise
        finally:
            self._committing.discard(upload.id)
        for each in _all_parts(folder):
            each.unlink(missing_ok=True)
        return self._told(call, upload)

    async def item(self, call: Call) -> Answer:
        """What is known of an upload."""
        upload = await self._find(call)
        forms = [Form(f"{call.path}/delete", "Delete")]
        if not upload.committed:
            part = (Field("partId", "Number", required=True), Field("partFile", "Part", kind="file"))
            forms = [
                Form(f"{call.path}/uploadPart", "Send a part", part),
                Form(f"{call.path}/commit", "Commit", (Field("parts", "Parts", help="All if empty"),)),
                *forms,
            ]
        return Answer(describing.upload_listed(upload), title=upload.name, crumbs=_above(call), forms=forms)

    async def delete(self, call: Call) -> Answer:
        """Remove an upload. Layers that were made of it stay."""
        await self.remove(await self._find(call))
        return Answer({"success": True}, title="Delete", crumbs=_above(call))

    async def find(self, text: str, owner: str) -> Upload:
        """An upload of somebody, or of anybody without an owner.

        Raises:
            ServiceError: 404; that others have one of that id is not told.
        """
        plain = read_upload_id(text)
        found = await asyncio.to_thread(self._library.videos.uploads.get, plain) if plain else None
        if found is None or (owner and found.owner != owner) or not self._is_there(found):
            raise not_found(f"Upload {text[:60]}")
        return found

    async def remove(self, upload: Upload) -> None:
        """Let an upload be gone."""

        def remove() -> None:
            self._library.videos.uploads.remove(upload.id)
            self._library.manager.remove_upload(upload.id)

        await asyncio.to_thread(remove)

    async def _find(self, call: Call) -> Upload:
        return await self.find(call.part("upload"), call.person.username)

    async def _open(self, call: Call) -> tuple[Upload, Path]:
        """An upload that still takes parts, and its folder."""
        upload = await self._find(call)
        if upload.committed:
            raise ServiceError(400, "The upload is complete; announce another one with register")
        return upload, self._library.manager.upload_folder(upload.id)

    def _begin(self, call: Call, parameter: str, name: str) -> tuple[Upload, Path]:
        """A new upload and where its file goes."""
        plain = name.replace("\\", "/").rpartition("/")[2].strip()
        if len(plain) > _LONGEST_NAME or not plain.lower().endswith(SUFFIXES):
            raise ServiceError(
                400,
                f"Parameter '{parameter}': {plain[:60]!r} must end with one of {', '.join(SUFFIXES)}"
                f" and have {_LONGEST_NAME} characters at most",
            )
        upload_id, path = self._library.manager.start_upload(plain)
        upload = Upload(
            id=upload_id,
            owner=call.person.username,
            name=plain,
            file=path.name,
            date=time.time_ns() // 1_000_000,
            description=call.parameters.get("description")[:_LONGEST_DESCRIPTION],
        )
        return upload, path

    async def _finish(self, call: Call, upload: Upload, path: Path) -> Upload:
        """The upload once its file is complete.

        Raises:
            ServiceError: 400, the file is none that can be published.
        """
        try:
            kind = await asyncio.to_thread(content_type, path)
        except ValueError as error:
            raise ServiceError(400, f"Parameter 'file': {error}") from None
        done = replace(upload, content_type=kind, committed=True)

        def keep() -> int:
            file = self._library.manager.finish_upload(
                upload.id, path, owner=upload.owner, description=upload.description
            )
            self._library.videos.uploads.put(done)
            return file.size

        size = await asyncio.to_thread(keep)
        log.info("uploaded", upload=upload.id, size=size, kind=kind, by=call.person.username)
        return done

    def _told(self, call: Call, upload: Upload) -> Answer:
        spelled = describing.upload_id(upload.id)
        return Answer(
            {"success": True, **describing.upload(upload)},
            title="Upload",
            crumbs=_above(call),
            links={"Upload": f"{call.home}{UPLOADS}/{spelled}"},
        )

    def _is_there(self, upload: Upload) -> bool:
        """Whether the file, or the folder it is to come to, is there; others may remove it too."""
        manager = self._library.manager
        if upload.committed:
            return manager.upload(upload.id) is not None
        return manager.upload_folder(upload.id).is_dir()

    def _check_size(self, files: list[Path]) -> None:
        """Nothing, if files are not larger than one upload may be.

        Raises:
            ServiceError: 400.
        """
        if sum(each.stat().st_size for each in files) > self._library.max_upload:
            limit = f"{self._library.max_upload / 2**30:g} GiB"
            raise ServiceError(400, f"The file is larger than the {limit} that an upload may have")


def _part(folder: Path, number: str) -> Path:
    return folder / f"part-{int(number):05}"


def _all_parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("part-[0-9]*"))


def _join(parts: list[Path], path: Path) -> None:
    with path.open("wb") as target:
        for each in parts:
            with each.open("rb") as part:
                shutil.copyfileobj(part, target, _PIECE)


def _above(call: Call, upload: Upload | None = None) -> list[tuple[str, str]]:
    above = [*above_services(call), ("Uploads", call.home + UPLOADS)]
    if upload is not None:
        above.append((upload.name, f"{call.home}{UPLOADS}/{describing.upload_id(upload.id)}"))
    return above
