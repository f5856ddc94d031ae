"""The files of layers as players fetch them: in ranges, and again only when they have changed."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Final, cast
from urllib.parse import quote, urlencode

from starlette.datastructures import Headers
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute

from milepost.http import Call, not_found, parse_query
from milepost.servers.video.facts import ORIGINAL
from milepost.servers.video.ingest.containers import SUFFIXES, Container
from milepost.servers.video.library import LAYER, Library, unreadable
from milepost.servers.video.records import Layer
from milepost.storage import Entry, Storage, StorageError

TYPES: Final = {
    "m3u8": "application/vnd.apple.mpegurl",
    "m4s": "video/mp4",
    "mp4": "video/mp4",
    "ts": "video/mp2t",
    "vtt": "text/vtt; charset=utf-8",
    "jpg": "image/jpeg",
    "png": "image/png",
    "json": "application/json;charset=UTF-8",
    "geojson": "application/geo+json",
    "csv": "text/csv; charset=utf-8",
}
"""Content types by the suffix of a file; nothing else is served."""

_LONGEST_PLAYLIST: Final = 32 * 2**20

_RANGE: Final = re.compile(
    r"\s*bytes\s*=\s*(?:(\d{1,18})\s*-\s*(\d{1,18})?|-\s*(\d{1,18}))\s*", re.ASCII | re.IGNORECASE
)
_URI: Final = re.compile(r'(URI=")([^"]+)(")')

_HEADERS: Final = {
    "Accept-Ranges": "bytes",
    # Somebody may make another service of that name: a copy is asked about before it is used.
    "Cache-Control": "private, no-cache",
    "X-Content-Type-Options": "nosniff",
    # What came in a video must not act as a page of this server.
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",
}


class Media:
    """The content of layers."""

    def __init__(self, library: Library):
        """Of the layers of a library."""
        self._library = library

    def routes(self) -> list[BaseRoute]:
        """The routes, below the context."""
        at = self._library.resources.at
        content = f"{LAYER}/content"
        return [
            *at(f"{content}/{{folder}}/{{file}}", self.file, methods=("GET",), media=True),
            *at(f"{content}/{{file}}", self.file, methods=("GET",), media=True),
            *at(f"{LAYER}/original", self.original, methods=("GET",), media=True),
        ]

    async def file(self, call: Call) -> Response:
        """A file of a layer: a playlist, a segment, a picture, or its telemetry."""
        _, layer = await self._library.layer(call)
        folder, file = call.part("folder"), call.part("file")
        path = f"{folder}/{file}" if folder else file
        kind = TYPES.get(file.rpartition(".")[2].lower())
        # A file of somebody could be anything; it is only ever downloaded.
        if kind is None or folder == ORIGINAL:
            raise not_found(f"File {path[:120]}")
        token = token_of_query(call)
        if token and file.endswith(".m3u8"):
            return await self._playlist(layer, path, token)
        return await self._serve(call, layer, path, kind)

    async def original(self, call: Call) -> Response:
        """The file that a layer was made of."""
        _, layer = await self._library.layer(call)
        path = original_of(layer)
        names = [each.name for each in layer.sources if each.content_type.startswith("video/")]
        name = names[0] if names else path.rpartition("/")[2]
        headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
        return await self._serve(call, layer, path, "application/octet-stream", headers)

    async def _playlist(self, layer: Layer, path: str, token: str) -> Response:
        """A playlist for a player that can carry a token in URLs only: what it names carries it too."""
        content = await self._library.content(layer, path)
        if content is None or len(content) > _LONGEST_PLAYLIST:
            raise not_found(f"File {path[:120]}")
        said = with_query(content.decode(), urlencode({"token": token}))
        headers = {**_HEADERS, "Cache-Control": "no-store", "Accept-Ranges": "none"}
        return Response(said, media_type=TYPES["m3u8"], headers=headers)

    async def _serve(
        self, call: Call, layer: Layer, path: str, kind: str, more: Mapping[str, str] | None = None
    ) -> Response:
        try:
            storage = self._library.storage(layer.storage)
        except StorageError as error:
            raise unreadable(error) from None
        return await answer_file(call, storage, layer.key, path, kind, more)


def original_of(layer: Layer) -> str:
    """The path of the file that a layer was made of."""
    return f"{ORIGINAL}/source.{SUFFIXES[cast(Container, layer.facts.container)]}"


async def answer_file(
    call: Call, storage: Storage, key: str, path: str, kind: str, more: Mapping[str, str] | None = None
) -> Response:
    """A stored file, or the part of it that is asked for, unless the client has it already.

    Args:
        call: of who fetches it.
        storage: where it lies.
        key: of its folder.
        path: of the file in there.
        kind: its content type.
        more: further headers.

    Raises:
        ServiceError: 404, there is none; 500, the storage cannot be read.
    """
    try:
        about = await storage.look(key, path)
    except StorageError as error:
        raise unreadable(error) from None
    if about is None:
        raise not_found(f"File {path[:120]}")
    asked = Headers(scope=call.scope)
    headers = {**_HEADERS, **(more or {}), "Content-Type": kind, **_validators(about)}
    if not _has_changed(asked, about):
        return Response(status_code=304, headers=headers)
    begin, end, status = _asked_range(asked, about)
    if status == 416:
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{about.size}"})
    headers["Content-Length"] = str(end - begin)
    if status == 206:
        headers["Content-Range"] = f"bytes {begin}-{end - 1}/{about.size}"
    if call.method == "HEAD":
        return Response(status_code=status, headers=headers)
    return _streamed(storage, key, path, (begin, end), status, headers)


def with_query(playlist: str, query: str) -> str:
    """A playlist whose relative URIs carry a query.

    Args:
        playlist: of HTTP Live Streaming.
        query: without the question mark.
    """

    def carried(uri: str) -> str:
        if "://" in uri or uri.startswith("//"):
            return uri  # of another server, which must not get it
        return f"{uri}{'&' if '?' in uri else '?'}{query}"

    return "".join(
        _URI.sub(lambda found: found[1] + carried(found[2]) + found[3], line)
        if line.startswith("#")
        else carried(line.rstrip()) + "\n"
        if line.strip()
        else line
        for line in playlist.splitlines(keepends=True)
    )


def _streamed(
    storage: Storage, key: str, path: str, span: tuple[int, int], status: int, headers: Mapping[str, str]
) -> Response:
    pieces = storage.read(key, path, *span)
    return StreamingResponse(pieces, status_code=status, headers=headers)


def token_of_query(call: Call) -> str:
    """The token that a URL carries, and that those on its page must carry too; empty without one."""
    return dict(parse_query(call.scope["query_string"])).get("token", "")


def _validators(about: Entry) -> dict[str, str]:
    modified = datetime.fromtimestamp(int(about.modified), UTC)
    return {"ETag": f'"{about.tag}"', "Last-Modified": format_datetime(modified, usegmt=True)}


def _has_changed(asked: Headers, about: Entry) -> bool:
    """Whether what a client has is something else than what there is."""
    tags = asked.get("if-none-match")
    if tags is not None:
        known = {each.strip().removeprefix("W/") for each in tags.split(",")}
        return not known & {f'"{about.tag}"', "*"}
    since = _moment(asked.get("if-modified-since", ""))
    return since is None or int(about.modified) > since


def _asked_range(asked: Headers, about: Entry) -> tuple[int, int, int]:
    """The first byte, the one after the last, and the status: 200 for all, 206 for a part, 416 for none.

    Several ranges at once are answered with the whole, as servers may.
    """
    found = _RANGE.fullmatch(asked.get("range", ""))
    if found is None or not _range_holds(asked, about):
        return 0, about.size, 200
    first, last, suffix = found.groups()
    if suffix is not None:
        begin, end = max(0, about.size - int(suffix)), about.size
    else:
        begin, end = int(first), about.size if last is None else min(about.size, int(last) + 1)
        if last is not None and int(last) < begin:
            return 0, about.size, 200  # makes no sense, and is ignored
    return (begin, end, 206) if begin < end else (0, 0, 416)


def _range_holds(asked: Headers, about: Entry) -> bool:
    """Whether the part that a client wants is of what it has already."""
    condition = asked.get("if-range", "").strip()
    if not condition:
        return True
    if condition.startswith(('"', "W/")):
        return condition == f'"{about.tag}"'
    return _moment(condition) == int(about.modified)


def _moment(text: str) -> int | None:
    """UTC seconds of a date as HTTP writes it; None when it is none."""
    try:
        return int(parsedate_to_datetime(text).timestamp()) if text else None
    except (ValueError, TypeError, OverflowError):
        return None
