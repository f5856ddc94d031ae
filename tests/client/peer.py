"""A real HTTP server that answers as it is told: the other side of the client in tests."""

import json
import ssl
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Answer:
    """One HTTP answer; ``body`` is sent as JSON unless it is bytes."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class Drop:
    """Close the connection without a word."""


@dataclass
class Asked:
    method: str
    path: str
    query: dict[str, str]
    form: dict[str, str]
    headers: dict[str, str]
    body: bytes


class Peer:
    """Answers each path with what was scripted for it, in order; the last answer repeats."""

    def __init__(self, url: str):
        self.url = url
        self.asked: list[Asked] = []
        self._scripts: dict[str, list[Any]] = defaultdict(list)
        self._lock = threading.Lock()

    def script(self, path: str, *answers: Any) -> str:
        self._scripts[path] = list(answers)
        return self.url + path

    def answer(self, asked: Asked) -> Any:
        with self._lock:
            self.asked.append(asked)
            waiting = self._scripts.get(asked.path)
            if not waiting:
                return Answer({"error": {"code": 404, "message": "Not Found", "details": []}})
            found = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if callable(found) and not isinstance(found, type):
            found = found(asked)
        return found

    def times(self, path: str) -> int:
        return sum(asked.path == path for asked in self.asked)


@contextmanager
def running_peer(certificate: tuple[Path, Path] | None = None) -> Iterator[Peer]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            urlencoded = "urlencoded" in self.headers.get("Content-Type", "")
            found = peer.answer(
                Asked(
                    self.command,
                    parts.path,
                    dict(parse_qsl(parts.query)),
                    dict(parse_qsl(body.decode(), keep_blank_values=True)) if urlencoded else {},
                    {name.lower(): value for name, value in self.headers.items()},
                    body,
                )
            )
            if found is Drop:
                self.close_connection = True
                return
            answer = found if isinstance(found, Answer) else Answer(found)
            content = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            self.send_response(answer.status)
            for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = answer  # noqa: N815

        def log_message(self, *arguments: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # clients that give up are part of the tests

    with Server(("127.0.0.1", 0), Handler) as server:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "https" if certificate else "http"
        peer = Peer(f"{scheme}://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield peer
        server.shutdown()
        thread.join()
