"""Requests: parameters from the query and the body, wherever a client puts them."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec
from python_multipart.exceptions import FormParserError
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.types import Receive, Scope

from milepost.http.errors import ServiceError

MAX_FIELDS: Final = 1000
DRAIN_FACTOR: Final = 16
"""How many times the limit is read and thrown away, so that the client can read the answer."""
_BIG: Final = 256 * 1024


class Parameters:
    """The parameters of a request. An empty text means that a parameter was not given."""

    def __init__(
        self, query: list[tuple[str, str]], body: list[tuple[str, str]], files: dict[str, UploadFile]
    ):
        """From pairs of the query and of the body; the body goes before the query."""
        self._values: dict[str, list[str]] = {}
        for source in (body, query):
            mine: dict[str, list[str]] = {}
            for name, value in source:
                if value.strip():
                    mine.setdefault(name, []).append(value)
            for name, values in mine.items():
                self._values.setdefault(name, values)
        self.files: Final = files

    def get(self, name: str, default: str = "") -> str:
        """The value of a parameter; the last one when it was given several times."""
        values = self._values.get(name)
        return values[-1] if values else default

    def all(self, name: str) -> list[str]:
        """Every value of a parameter that may be given several times."""
        return self._values.get(name, [])

    def flag(self, name: str, default: bool) -> bool:
        """A yes or no in any spelling that clients use.

        Raises:
            ServiceError: it is neither.
        """
        text = self.get(name).strip().lower()
        if not text:
            return default
        if text in ("true", "1", "yes"):
            return True
        if text in ("false", "0", "no"):
            return False
        raise ServiceError(400, f"Parameter '{name}': {text[:40]!r} is neither true nor false")

    def number(self, name: str, default: int, *, least: int, most: int) -> int:
        """A whole number within limits.

        Raises:
            ServiceError: it is none, or lies outside.
        """
        text = self.get(name).strip()
        if not text:
            return default
        try:
            number = int(text)
        except ValueError:
            raise ServiceError(400, f"Parameter '{name}': {text[:40]!r} is not a whole number") from None
        if not least <= number <= most:
            raise ServiceError(400, f"Parameter '{name}': {number} is not between {least} and {most}")
        return number

    def as_dict(self) -> dict[str, str]:
        """Every parameter with its last value."""
        return {name: values[-1] for name, values in self._values.items()}


async def read_parameters(scope: Scope, receive: Receive, limit: int) -> tuple[Parameters, int]:
    """The parameters of a request and the size of its body in bytes.

    Raises:
        ServiceError: the body is larger than ``limit``, or is not what its type says.
    """
    query = parse_query(scope["query_string"])
    if scope["method"] in ("HEAD", "OPTIONS"):
        return Parameters(query, [], {}), 0
    kind = ""
    for name, value in scope["headers"]:
        if name == b"content-type":
            kind = value.decode("latin-1")
    media = kind.partition(";")[0].strip().lower()
    stream = _BodyStream(receive, limit)
    if media == "multipart/form-data":
        fields, files = await _multipart(Headers(scope=scope), stream, limit)
        return Parameters(query, fields, files), stream.size
    body = await stream.read()
    if not body:
        return Parameters(query, [], {}), 0
    if media == "application/json":
        return Parameters(query, _json_fields(body), {}), len(body)
    # Several clients forget the type; a form is what they mean.
    parse = asyncio.to_thread(_form, body) if len(body) > _BIG else None
    return Parameters(query, await parse if parse else _form(body), {}), len(body)


def parse_query(query: bytes) -> list[tuple[str, str]]:
    """The pairs of a query string."""
    return _form(query) if query else []


class _BodyStream:
    """The body of a request, counted against the limit while it arrives."""

    def __init__(self, receive: Receive, limit: int):
        self._receive = receive
        self._limit = limit
        self.size = 0

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            chunk = message.get("body", b"")
            more = message.get("more_body", False)
            self.size += len(chunk)
            if self.size > self._limit:
                if not more or self.size > self._limit * DRAIN_FACTOR:
                    raise self._too_large()
                continue
            if chunk:
                yield chunk
        if self.size > self._limit:
            raise self._too_large()

    async def read(self) -> bytes:
        return b"".join([chunk async for chunk in self])

    def _too_large(self) -> ServiceError:
        return ServiceError(
            400,
            f"The request is larger than the {self._limit / 2**20:g} MiB this server accepts;"
            " send less, or upload files with uploads/upload",
        )


class ClientGone(Exception):  # noqa: N818 - says what happened
    """The client hung up before its request was complete; nobody waits for an answer."""


async def _multipart(
    headers: Headers, stream: _BodyStream, limit: int
) -> tuple[list[tuple[str, str]], dict[str, UploadFile]]:
    parser = MultiPartParser(
        headers, aiter(stream), max_files=MAX_FIELDS, max_fields=MAX_FIELDS, max_part_size=limit
    )
    try:
        form: FormData = await parser.parse()
    except (MultiPartException, FormParserError, KeyError, UnicodeError) as error:
        reason = getattr(error, "message", str(error))
        raise ServiceError(400, f"The multipart body cannot be read: {reason}") from error
    fields = [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
    files = {name: value for name, value in form.multi_items() if isinstance(value, UploadFile)}
    return fields, files


def _form(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            body.decode("utf-8"),
            keep_blank_values=True,
            max_num_fields=MAX_FIELDS,
            encoding="utf-8",
            errors="strict",
        )
    except UnicodeDecodeError as error:
        raise ServiceError(400, "The parameters are not valid UTF-8") from error
    except ValueError as error:
        raise ServiceError(400, f"The parameters cannot be read: {error}") from error


def _json_fields(body: bytes) -> list[tuple[str, str]]:
    """The members of a JSON object as if they had come as a form."""
    try:
        value: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ServiceError(400, f"The body is not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise ServiceError(400, "The body must be a JSON object with the parameters")
    return [
        (name, item if isinstance(item, str) else "" if item is None else msgspec.json.encode(item).decode())
        for name, item in value.items()
    ]


async def save_upload(upload: UploadFile, path: Path) -> None:
    """Write an uploaded file to ``path``, without keeping others waiting."""

    def copy() -> None:
        with path.open("wb") as target:
            while chunk := upload.file.read(1 << 20):
                target.write(chunk)

    await asyncio.to_thread(copy)


BaseURL = Callable[[Scope], str]
"""Gives the public URL of the context for a request, without a slash at the end."""


def base_url(public_url: str, context: str) -> BaseURL:
    """How to tell the public URL of the context.

    Args:
        public_url: as configured, such as ``https://gis.example.com``; empty to go by the request.
        context: such as ``/arcgis``.
    """

    def tell(scope: Scope) -> str:
        if public_url:
            return public_url.rstrip("/") + context
        headers = Headers(scope=scope)
        scheme = headers.get("x-forwarded-proto", scope.get("scheme", "http")).partition(",")[0].strip()
        host = headers.get("x-forwarded-host", headers.get("host", "localhost")).partition(",")[0].strip()
        prefix = headers.get("x-forwarded-prefix", "").rstrip("/")
        return f"{scheme}://{host}{prefix}{context}"

    return tell
