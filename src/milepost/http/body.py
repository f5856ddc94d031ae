"""Bodies of requests: read while they arrive, within limits of size and patience."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import BinaryIO, Final, cast

from python_multipart.exceptions import FormParserError
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.types import Receive, Scope

from milepost.http.arriving import Arrival, ArrivingFile, told_when_full
from milepost.http.errors import ServiceError

PATIENCE: Final = 60.0
"""Seconds that a client may take for the next part of a body."""

DRAIN_FACTOR: Final = 16
"""How many times the limit is read and thrown away, so that the client can read the answer."""

_FIELDS_BESIDE_FILES: Final = 50
_FIELD_BESIDE_FILES: Final = 2**20


class ClientGone(Exception):  # noqa: N818 - says what happened
    """The client hung up before its request was answered; nobody waits for an answer."""


class BodyStream:
    """The body of a request, counted against the limit while it arrives."""

    def __init__(self, scope: Scope, receive: Receive, limit: int):
        """``limit``: bytes that are accepted."""
        self._receive = receive
        self._limit = limit
        self._more = True
        # Such a client sends the body only when it is told to go on.
        self._waits = any(name == b"expect" for name, _ in scope["headers"])
        self.size = 0
        """Bytes that came so far."""

    def expect(self, length: int) -> None:
        """Take note of the length that the client announced.

        Raises:
            ServiceError: it is more than is accepted.
        """
        if length > self._limit:
            if length > self._limit * DRAIN_FACTOR:
                self._more = False
            raise self._too_large()

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        """The parts of the body.

        Raises:
            ClientGone: the client hung up.
            ServiceError: it sends nothing more, or too much.
        """
        while self._more:
            chunk = await self._next()
            if self.size > self._limit:
                raise self._too_large()
            if chunk:
                yield chunk

    async def read(self) -> bytes:
        """The whole body."""
        return b"".join([chunk async for chunk in self])

    async def drain(self) -> None:
        """Take the rest off the client, within reason: many clients read no answer before they have sent all."""
        if self._waits and not self.size:
            return
        while self._more and self.size <= self._limit * DRAIN_FACTOR:
            await self._next()

    async def _next(self) -> bytes:
        try:
            async with asyncio.timeout(PATIENCE):
                message = await self._receive()
        except TimeoutError:
            self._more = False
            raise ServiceError(400, f"The rest of the request did not come within {PATIENCE:g} s") from None
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk: bytes = message.get("body", b"")
        self._more = message.get("more_body", False)
        self.size += len(chunk)
        return chunk

    def _too_large(self) -> ServiceError:
        return ServiceError(
            400,
            f"The request is larger than the {self._limit / 2**20:g} MiB this server accepts;"
            " send less, or send files ahead with uploads/upload and a token in a header",
        )


class _Parser(MultiPartParser):
    """Writes files to a folder of the server as they come."""

    def __init__(
        self,
        scope: Scope,
        stream: BodyStream,
        folder: Path,
        arrival: Arrival | None,
        max_fields: int,
        max_field: int,
    ):
        super().__init__(
            Headers(scope=scope),
            self._followed(stream),
            max_files=max_fields,
            max_fields=max_fields,
            max_part_size=max_field,
        )
        self._folder, self._arrival = folder, arrival
        self._begun: list[tuple[str, str]] = []
        self.files: list[ArrivingFile] = []
        """What was made, whoever is to close it."""

    async def _followed(self, stream: BodyStream) -> AsyncGenerator[bytes, None]:
        """The body. Whoever follows it is told once a part of it has been dealt with."""
        async for chunk in stream:
            yield chunk
            if self._arrival is not None:
                begun, self._begun = self._begun, []
                await self._arrival.came(stream.size, begun)

    def on_headers_finished(self) -> None:
        """A part begins."""
        super().on_headers_finished()
        upload = self._current_part.file
        if upload is None:
            return
        upload.file.close()
        self.files.append(file := ArrivingFile(self._folder))
        self._current_part.file = UploadFile(
            cast("BinaryIO", file), size=0, filename=upload.filename, headers=upload.headers
        )
        self._begun.append((self._current_part.field_name, upload.filename or ""))


async def read_multipart(
    scope: Scope,
    stream: BodyStream,
    max_fields: int,
    max_field: int | None,
    folder: Path,
    arrival: Arrival | None = None,
) -> tuple[list[tuple[str, str]], list[tuple[str, UploadFile]]]:
    """The fields and the files of a multipart body.

    Args:
        scope: of the request.
        stream: its body.
        max_fields: how many fields, and how many files, there may be.
        max_field: bytes a field may have; None where large files are expected and fields are small.
        folder: where files lie until they are kept.
        arrival: follows the body.

    Raises:
        ServiceError: it is no multipart body, or is too large, or the disk is full.
    """
    few = max_field is None
    parser = _Parser(
        scope,
        stream,
        folder,
        arrival,
        _FIELDS_BESIDE_FILES if few else max_fields,
        _FIELD_BESIDE_FILES if max_field is None else max_field,
    )
    try:
        try:
            with told_when_full():
                form = await parser.parse()
        except BaseException:
            for each in parser.files:
                each.close()
            raise
    except (MultiPartException, FormParserError, KeyError, UnicodeError) as error:
        reason = getattr(error, "message", str(error))
        raise ServiceError(400, f"The multipart body cannot be read: {reason}") from error
    fields = [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
    files = [(name, value) for name, value in form.multi_items() if isinstance(value, UploadFile)]
    return fields, files
