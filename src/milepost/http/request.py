"""Requests: parameters out of the query and the body, wherever a client puts them, and the public address."""

import asyncio
import re
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import msgspec
from starlette.datastructures import Headers, UploadFile
from starlette.types import Receive, Scope

from milepost.http.arriving import Arrival, ArrivingFile, told_when_full
from milepost.http.body import BodyStream, read_multipart
from milepost.http.errors import ServiceError
from milepost.http.parameters import Parameters

MAX_FIELDS: Final = 1000
_BIG: Final = 256 * 1024

_HOST: Final = re.compile(r"(?:[\w.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?", re.ASCII)
_PREFIX: Final = re.compile(r"(?:/[\w.~-]+)*", re.ASCII)
"""What proxies and clients say of the address; anything else would end up in links as it is."""

_FORMS: Final = frozenset({"", "application/x-www-form-urlencoded", "text/plain", "application/octet-stream"})
"""Types under which a form is sent; several clients forget the type, and a form is what they mean."""


async def read_parameters(
    scope: Scope,
    receive: Receive,
    query: list[tuple[str, str]],
    limit: int,
    folder: Path,
    file_limit: int = 0,
    arrival: Arrival | None = None,
) -> tuple[Parameters, int]:
    """The parameters of a request and the size of its body in bytes.

    Args:
        scope: of the request.
        receive: gives its body.
        query: its query, as ``parse_query`` read it.
        limit: bytes the body may have; this much may be held in memory.
        folder: where files lie from when they come until they are kept.
        file_limit: bytes a body with files may have instead.
        arrival: follows a body with files.

    Raises:
        ServiceError: the body is too large, is not what its type says, or finds no room.
        ClientGone: there is nobody to answer to.
    """
    kind = coding = ""
    length = 0
    comes = False
    for name, value in scope["headers"]:
        if name == b"content-type":
            kind = value.decode("latin-1")
        elif name == b"content-encoding":
            coding = value.decode("latin-1").strip().lower()
        elif name == b"content-length":
            length = int(value)
        elif name == b"transfer-encoding":
            comes = True
    if not (comes or length) or scope["method"] in ("HEAD", "OPTIONS"):
        return Parameters(query, []), 0
    media = kind.partition(";")[0].strip().lower()
    multipart = media == "multipart/form-data"
    stream = BodyStream(scope, receive, max(limit, file_limit) if multipart else limit)
    try:
        if coding not in ("", "identity"):
            raise ServiceError(
                400, f"Content-Encoding {coding[:40]!r} is not accepted; send the body as it is"
            )
        stream.expect(length)
        if multipart:
            if arrival is not None:
                await arrival.expect(length)
            most = limit if limit >= file_limit else None
            fields, files = await read_multipart(scope, stream, MAX_FIELDS, most, folder, arrival)
            return Parameters(query, fields, files), stream.size
        pairs = await _pairs(media, await stream.read())
        return Parameters(query, pairs), stream.size
    except ServiceError as error:
        refusal = error.with_traceback(None)
    # Here nothing holds on to what was read any more.
    await stream.drain()
    raise refusal


def parse_query(query: bytes) -> list[tuple[str, str]]:
    """The pairs of a query string.

    Raises:
        ServiceError: it holds something else than UTF-8, or too much.
    """
    return _form(query) if query else []


async def _pairs(media: str, body: bytes) -> list[tuple[str, str]]:
    if media.endswith("json") or (media in _FORMS and body.lstrip()[:1] == b"{"):
        parse = _json_members
    elif media in _FORMS:
        parse = _form
    else:
        raise ServiceError(
            400,
            f"Content-Type {media[:60]!r} is not understood; send the parameters as"
            " application/x-www-form-urlencoded, multipart/form-data or application/json",
        )
    return await asyncio.to_thread(parse, body) if len(body) > _BIG else parse(body)


def _form(body: bytes) -> list[tuple[str, str]]:
    if body.count(b"&") >= MAX_FIELDS:
        raise ServiceError(400, f"The request has more than {MAX_FIELDS} parameters")
    try:
        return parse_qsl(body.decode("utf-8"), keep_blank_values=True, encoding="utf-8", errors="strict")
    except UnicodeDecodeError as error:
        raise ServiceError(400, "The parameters are not valid UTF-8") from error


def _json_members(body: bytes) -> list[tuple[str, str]]:
    """The members of a JSON object as if they had come as a form."""
    try:
        value: Any = msgspec.json.decode(body)
        if not isinstance(value, dict):
            raise ServiceError(400, "The body must be a JSON object with the parameters")
        return [
            (
                name,
                item if isinstance(item, str) else "" if item is None else msgspec.json.encode(item).decode(),
            )
            for name, item in value.items()
        ]
    except (msgspec.DecodeError, UnicodeError) as error:
        raise ServiceError(400, f"The body is not valid JSON: {error}") from error
    except RecursionError as error:
        raise ServiceError(400, "The body is not valid JSON: it is nested too deeply") from error


async def save_upload(upload: UploadFile, path: Path) -> None:
    """Let an uploaded file be the one at ``path``, which should be on the same disk.

    Raises:
        ServiceError: the disk is full.
    """
    file: object = upload.file
    assert isinstance(file, ArrivingFile)
    with told_when_full():
        await asyncio.to_thread(file.keep, path)


class PublicAddress:
    """Where clients find the server: what stands before it may have another name, and a path of its own."""

    def __init__(self, public_url: str, context: str):
        """The address of a context.

        Args:
            public_url: as configured, such as ``https://gis.example.com``; empty to go by the request.
            context: such as ``/arcgis``.
        """
        self._public_url = public_url.rstrip("/")
        self._context = context

    def base(self, scope: Scope) -> str:
        """The URL of the context for a request, without a slash at the end."""
        if self._public_url:
            return self._public_url + self._context
        headers = Headers(scope=scope)
        scheme = headers.get("x-forwarded-proto", scope.get("scheme", "http")).partition(",")[0].strip()
        host = headers.get("x-forwarded-host", headers.get("host", "")).partition(",")[0].strip()
        if not _HOST.fullmatch(host):
            host = "localhost"
        return f"{'https' if scheme == 'https' else 'http'}://{host}{self._prefix(scope)}{self._context}"

    def home(self, scope: Scope) -> str:
        """The path of the context, without a slash at the end."""
        return self._prefix(scope) + self._context

    def path(self, scope: Scope) -> str:
        """The path of a request, without a slash at the end."""
        return self._prefix(scope) + str(scope["path"]).rstrip("/")

    def _prefix(self, scope: Scope) -> str:
        """What stands before the server put before its paths."""
        if self._public_url:
            return urlsplit(self._public_url).path
        prefix = Headers(scope=scope).get("x-forwarded-prefix", "").rstrip("/")
        return prefix if _PREFIX.fullmatch(prefix) else ""
