"""Container registries to speak with: Debian's, and what stands before or beside one."""

import base64
import http.client
import json
import re
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from milepost.security import ensure_certificate

USER = "alice"
LOOPBACK = "127.0.0.0/8"

MISSING = [name for name in ("docker-registry", "htpasswd") if shutil.which(name) is None]
needs_registry = pytest.mark.skipif(
    bool(MISSING),
    reason=f"not installed: {', '.join(MISSING)}; run: apt-get install docker-registry apache2-utils",
)


def everything_of(password: str, user: str = USER) -> list[bytes]:
    """A password in every form in which it might be written somewhere."""
    return [
        password.encode(),
        base64.b64encode(password.encode()).rstrip(b"="),
        base64.b64encode(f"{user}:{password}".encode()).rstrip(b"="),
    ]


class DockerRegistry:
    """``docker-registry`` on a free port of this machine, with the users of a file of Apache's kind."""

    def __init__(self, folder: Path, auth: str):
        config = folder / "config.yml"
        config.write_text(
            "version: 0.1\n"
            "log: {level: info}\n"
            f"storage: {{filesystem: {{rootdirectory: {folder / 'storage'}}}}}\n"
            f"{auth}\n"
        )
        self._log = folder / "registry.log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                ["docker-registry", "serve", str(config)], stderr=log, stdout=log
            )
        self.port = self._listens()
        self.address = f"127.0.0.1:{self.port}"

    def _listens(self) -> int:
        pause = threading.Event()
        for _ in range(1000):
            if found := re.search(r"listening on 127\.0\.0\.1:(\d+)", self._log.read_text()):
                return int(found[1])
            assert self._process.poll() is None, self._log.read_text()
            pause.wait(0.02)
        raise AssertionError(self._log.read_text())

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


def set_password(folder: Path, password: str) -> None:
    """Let the user of a registry in with this password, and no other; it holds from the next request."""
    path = folder / "htpasswd"
    made = subprocess.run(
        ["htpasswd", "-nbBC", "4", USER, password], capture_output=True, text=True, check=True
    ).stdout
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.write_text(made)
    while path.stat().st_mtime_ns == before:  # the registry goes by the time of the file
        path.touch()


@contextmanager
def basic_registry(folder: Path, password: str) -> Iterator[DockerRegistry]:
    """A registry that asks for a password itself, over plain HTTP."""
    folder.mkdir(parents=True)
    set_password(folder, password)
    registry = DockerRegistry(
        folder,
        "http: {addr: '127.0.0.1:0'}\n"
        f"auth: {{htpasswd: {{realm: registry, path: {folder / 'htpasswd'}}}}}",
    )
    try:
        yield registry
    finally:
        registry.stop()


@contextmanager
def open_registry(folder: Path) -> Iterator[DockerRegistry]:
    """A registry that asks for nothing."""
    folder.mkdir(parents=True)
    registry = DockerRegistry(folder, "http: {addr: '127.0.0.1:0'}")
    try:
        yield registry
    finally:
        registry.stop()


class TokenService:
    """Gives out the tokens of a registry, signed with the key of its certificate."""

    def __init__(self, certificate: Path, key: Path, password: str):
        self.password = password
        self.asked: list[dict[str, list[str]]] = []
        """The queries of those who were let in."""
        chain = x509.load_pem_x509_certificate(certificate.read_bytes())
        self._x5c = [base64.b64encode(chain.public_bytes(Encoding.DER)).decode()]
        self._key = load_pem_private_key(key.read_bytes(), None)

    def answer(self, request: BaseHTTPRequestHandler) -> tuple[int, Mapping[str, str], bytes]:
        wanted = "Basic " + base64.b64encode(f"{USER}:{self.password}".encode()).decode()
        if request.headers.get("Authorization") != wanted:
            return 401, {}, b'{"details": "incorrect username or password"}'
        query = parse_qs(urlsplit(request.path).query)
        self.asked.append(query)
        now = int(time.time())
        claims = {
            "iss": "tests",
            "sub": USER,
            "aud": query["service"][0],
            "jti": "1",
            "access": [],
            "nbf": now - 10,
            "iat": now,
            "exp": now + 300,
        }
        token = jwt.encode(claims, self._key, algorithm="ES256", headers={"x5c": self._x5c})  # type: ignore[arg-type]
        return 200, {}, json.dumps({"token": token}).encode()


@contextmanager
def token_registry(folder: Path, certificate: tuple[Path, Path], password: str) -> Iterator[Any]:
    """A registry that sends its clients to a token service, both over TLS; the registry and the service."""
    folder.mkdir(parents=True)
    service = TokenService(*certificate, password)
    with ExitStack() as stack:
        realm = stack.enter_context(answering(service.answer, certificate))
        registry = DockerRegistry(
            folder,
            "http:\n  addr: 127.0.0.1:0\n"
            f"  tls: {{certificate: {certificate[0]}, key: {certificate[1]}}}\n"
            f"auth: {{token: {{realm: 'https://{realm}/token', service: tests-registry, issuer: tests,"
            f" rootcertbundle: {certificate[0]}}}}}",
        )
        stack.callback(registry.stop)
        yield registry, service


# -- servers of the tests' own -----------------------------------------------------------------

Answering = Callable[[BaseHTTPRequestHandler], tuple[int, Mapping[str, str], bytes]]


@contextmanager
def answering(answer: Answering, certificate: tuple[Path, Path] | None = None) -> Iterator[str]:
    """A web server on a free port that answers every GET so; its host and port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = answer(self)
            with suppress(OSError):  # nobody may be there any more
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            pass  # clients that do not trust the certificate hang up

    with Server(("127.0.0.1", 0), Handler) as server:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class Gate:
    """Stands before a registry, counts its requests, and holds back the answer to one of them."""

    def __init__(self, registry: DockerRegistry):
        self._registry = registry
        self._lock = threading.Lock()
        self._hold_at = 0
        self._go = threading.Event()
        self.count = 0
        self.held = threading.Event()
        """Set while an answer is held back."""
        self.refuse_from = 0
        """From which request on credentials are refused; 0 for never."""

    def hold(self, number: int) -> None:
        """Hold back the answer to the request of this number, counted from now."""
        with self._lock:
            self._hold_at, self.count = number, 0
            self._go = threading.Event()
            self.held.clear()

    def release(self) -> None:
        """Let go of it."""
        self._go.set()

    def answer(self, request: BaseHTTPRequestHandler) -> tuple[int, Mapping[str, str], bytes]:
        with self._lock:
            self.count += 1
            number, go, holds = self.count, self._go, self.count == self._hold_at
        if holds:
            self.held.set()
            go.wait(60)
        headers = {"Host": request.headers["Host"]}
        authorization = request.headers.get("Authorization")
        if authorization:
            headers["Authorization"] = authorization
        if authorization and self.refuse_from and number >= self.refuse_from:
            headers["Authorization"] = "Basic " + base64.b64encode(b"nobody:nothing").decode()
        connection = http.client.HTTPConnection(self._registry.address, timeout=10)
        try:
            connection.request("GET", request.path, headers=headers)
            answer = connection.getresponse()
            kept = {
                name: value
                for name, value in answer.getheaders()
                if name.lower() in ("www-authenticate", "docker-distribution-api-version", "content-type")
            }
            return answer.status, kept, answer.read()
        finally:
            connection.close()


@contextmanager
def gate_before(registry: DockerRegistry) -> Iterator[tuple[Gate, str]]:
    """A gate, and where it stands."""
    gate = Gate(registry)
    with answering(gate.answer) as address:
        yield gate, address


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of this machine that nobody has signed, and its key."""
    return ensure_certificate(folder)
