"""A hello-world of the same web stack: what no server built on it can be faster than.

Run as ``python -m benchmarks.hello SIZE``. ``/hello`` is the endpoint that every introduction to
Starlette shows, ``/bare`` an ASGI endpoint beside it whose bytes are ready before the request comes.
"""

import socket
import sys

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from milepost.serving import web_config


def application(size: int) -> Starlette:
    """Two endpoints that answer with ``size`` bytes of JSON."""
    content = {"hello": "w" * (size - len('{"hello":""}'))}

    async def hello(_: Request) -> JSONResponse:
        return JSONResponse(content)

    return Starlette(routes=[Route("/hello", hello), Route("/bare", _Bare(JSONResponse(content).body))])


class _Bare:
    def __init__(self, body: bytes | memoryview):
        self._body = body
        self._headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self._headers})
        await send({"type": "http.response.body", "body": self._body})


def main() -> None:
    """Serve until Ctrl-C."""
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"Hello serves http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    server = uvicorn.Server(web_config(application(int(sys.argv[1]))))
    uvloop.run(server.serve(sockets=[listener]))


if __name__ == "__main__":
    main()
