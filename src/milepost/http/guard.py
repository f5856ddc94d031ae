"""The outermost layer: every request gets an id, an end in the log, and an answer whatever happens."""

import secrets
import time
from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from milepost.http.answers import JSON_TYPE, encode
from milepost.http.errors import ServiceError, envelope
from milepost.http.request import ClientGone

log = structlog.get_logger("milepost.http")

SLOW: Final = 1.0
"""Seconds from which an answer is worth a line in the log, whatever it was."""


class Guard:
    """Wraps an application. Nothing that goes wrong inside reaches the client as a traceback."""

    def __init__(self, app: ASGIApp):
        """Around ``app``."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = scope.setdefault("state", {})["request_id"] = secrets.token_hex(8)
        started = time.monotonic()
        status = 0

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except ClientGone:
            return
        except Exception:
            # The path without the query: a query may hold a token.
            log.exception("request failed", request=request_id, method=scope["method"], path=scope["path"])
            if not status:
                await self._apologize(send, request_id)
            return
        seconds = time.monotonic() - started
        if status >= 500 or seconds > SLOW or scope["method"] not in ("GET", "HEAD"):
            log.info(
                "request",
                request=request_id,
                method=scope["method"],
                path=scope["path"],
                status=status,
                seconds=round(seconds, 3),
            )

    async def _apologize(self, send: Send, request_id: str) -> None:
        error = ServiceError(
            500, f"The server met an error of its own; its log tells more under request {request_id}"
        )
        body = encode(envelope(error), pretty=False)
        headers = [(b"content-type", JSON_TYPE.encode()), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})
