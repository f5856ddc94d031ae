"""The outermost layer: every request gets an id, and an answer whatever happens."""

import itertools
import time
import uuid
from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from milepost.http.answers import JSON_TYPE, encode
from milepost.http.body import ClientGone
from milepost.http.errors import ServiceError, envelope

log = structlog.get_logger("milepost.http")

_PROCESS: Final = str(uuid.uuid4())[:24]
"""What the ids of this process begin with, so that those of an earlier one are others.

All but the last 48 bits of a UUID; a counter fills those, which costs less than a random one each.
"""

_numbers: Final = itertools.count(1)

SLOW: Final = 1.0
"""Seconds from which an answer is worth a line in the log, whatever it was."""


def logged_path(scope: Scope) -> str:
    """The path as it was sent: without the query, which may hold a token, and without line breaks."""
    path: bytes = scope.get("raw_path") or b""
    return path[:400].decode("ascii", "backslashreplace")


def own_fault(scope: Scope) -> ServiceError:
    """The error of a request that failed for a reason the client has nothing to do with."""
    request_id = scope.get("state", {}).get("request_id", "")
    return ServiceError(
        500, f"The server met an error of its own; its log tells more under request {request_id}"
    )


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
        request_id = scope.setdefault("state", {})["request_id"] = f"{_PROCESS}{next(_numbers):012x}"
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
            log.exception(
                "request failed", request=request_id, method=scope["method"], path=logged_path(scope)
            )
            if not status:
                await self._apologize(scope, send)
            return
        seconds = time.monotonic() - started
        # What a request did to a job, or who signed in, is told by those who do it.
        if status >= 500 or seconds > SLOW:
            log.info(
                "request",
                request=request_id,
                method=scope["method"],
                path=logged_path(scope),
                status=status,
                seconds=round(seconds, 3),
            )

    async def _apologize(self, scope: Scope, send: Send) -> None:
        body = encode(envelope(own_fault(scope)), pretty=False)
        headers = [(b"content-type", JSON_TYPE.encode()), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})
