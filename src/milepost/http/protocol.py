"""HTTP over a connection: uvicorn's, with limits where it has none.

A client that sends headers without end, or begins a request and never goes on, would otherwise
keep memory or a connection of the server for as long as it likes.
"""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from milepost.http.answers import JSON_TYPE, encode
from milepost.http.errors import ServiceError, envelope

MAX_HEAD: Final = 128 * 1024
"""Bytes that the request line and the headers may have together."""

HEAD_PATIENCE: Final = 30.0
"""Seconds that a client may take for the request line and the headers."""


class LimitedProtocol(HttpToolsProtocol):
    """Ends connections on which no request begins within limits of size and time.

    Between two requests the time is limited by uvicorn itself.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        """See the base class."""
        super().__init__(*args, **kwargs)
        self._in_head = True
        self._head = 0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See the base class."""
        super().connection_made(transport)
        self._timer = self.loop.call_later(HEAD_PATIENCE, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """See the base class."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See the base class; what came before the headers were complete is counted."""
        if self._in_head:
            self._head += len(data)
        super().data_received(data)
        if self._in_head and self._head and not self.transport.is_closing():
            if self._head > MAX_HEAD:
                self._refuse()
            elif self._timer is None:
                self._timer = self.loop.call_later(HEAD_PATIENCE, self.transport.close)

    def on_headers_complete(self) -> None:
        """See the base class."""
        self._in_head = False
        self._head = 0
        self._stop_timer()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """See the base class."""
        self._in_head = True
        super().on_message_complete()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self) -> None:
        error = ServiceError(
            400,
            f"The URL and the headers of the request are larger than {MAX_HEAD // 1024} KiB;"
            " send the parameters in the body of a POST",
        )
        body = encode(envelope(error), pretty=False)
        head = (
            f"HTTP/1.1 200 OK\r\ncontent-type: {JSON_TYPE}\r\ncontent-length: {len(body)}\r\n"
            "cache-control: no-store\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
