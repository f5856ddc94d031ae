"""Opens the door of the house: takes the data folder, listens, and serves until the process is told to stop."""

import asyncio
import contextlib
import errno
import fcntl
import re
import signal
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import structlog
import uvicorn
from starlette.types import ASGIApp

from milepost.app import Server, operation_sources
from milepost.configuration import ConfigurationError
from milepost.engine import StartError
from milepost.http import LimitedProtocol
from milepost.log import configure_log
from milepost.operations import LoadError, load_catalog
from milepost.security import SecurityError, ensure_certificate
from milepost.servers.enterprise import read_networks
from milepost.servers.production import SourcesError
from milepost.settings import Settings
from milepost.storage import StorageError, read_place
from milepost.store import StoreError

log = structlog.get_logger("milepost")

_BACKLOG: Final = 2048
"""Connections that may wait to be accepted."""

LONGEST_MESSAGE: Final = 64 * 1024
"""Bytes of one message on a WebSocket."""


class StartupError(Exception):
    """The server cannot start; the text says why and what helps."""


def serve(settings: Settings, on_ready: Callable[[str, str | None], None]) -> None:
    """Serve until the process is told to stop.

    Args:
        settings: of the server.
        on_ready: called once requests are answered, with the address and, at the very first
            start, the password that was made for the administrator.

    Raises:
        StartupError: the server cannot start.
    """
    configure_log(settings.log_format)
    with _only_one(settings.data):
        import uvloop

        uvloop.run(_serve(settings, on_ready))


async def _serve(settings: Settings, on_ready: Callable[[str, str | None], None]) -> None:
    sources = operation_sources(settings)
    try:
        _check_context(settings.context)
        _check_redirects(settings.redirect_uris)
        _check_networks(settings.registry_networks)
        read_place(settings.video_storage)
        catalog = load_catalog(sources)
        listener = _listen(settings)
        certificate = _certificate(settings)
        server = Server(settings, catalog, sources)
        await server.start()
        # Last of all: a password that is made here must come to be shown.
        password = await asyncio.to_thread(
            server.people.ensure_administrator,
            settings.administrator,
            settings.administrator_password or None,
        )
    except (
        SourcesError,
        LoadError,
        StartError,
        ConfigurationError,
        StoreError,
        SecurityError,
        StorageError,
        OSError,
    ) as error:
        raise StartupError(str(error)) from error
    scheme = "https" if certificate else "http"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"{scheme}://{host}:{listener.getsockname()[1]}{settings.base_path}"
    web = _Web(
        web_config(server.application(), certificate),
        lambda: on_ready(address, password),
    )
    try:
        await web.serve(sockets=[listener])
    finally:
        await server.stop()
        log.info("stopped")


def web_config(application: ASGIApp, certificate: tuple[str, str] | None = None) -> uvicorn.Config:
    """How the web server is set up; ``certificate`` names the files of the chain and the key."""
    return uvicorn.Config(
        application,
        http=LimitedProtocol,
        ws="websockets-sansio",
        ws_max_size=LONGEST_MESSAGE,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=5,
        ssl_certfile=certificate[0] if certificate else None,
        ssl_keyfile=certificate[1] if certificate else None,
    )


class _Web(uvicorn.Server):
    """The web server, which tells when it is ready."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]):
        super().__init__(config)
        self._on_ready = on_ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End in good order on the first signal, at once on the second.

        The base class raises the signal again once the web server has ended, which would cut off
        the end of everything behind it.
        """
        before = {each: signal.signal(each, self.handle_exit) for each in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()


@contextlib.contextmanager
def _only_one(data: Path) -> Iterator[None]:
    """Hold the data folder for this process: two engines on one store would run jobs twice."""
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Also a folder that was there before: jobs and their files are nobody else's business.
        data.chmod(data.stat().st_mode & ~0o007)
        handle = (data / "server.lock").open("a")
    except OSError as error:
        raise StartupError(f"the data folder {data} cannot be used: {error}") from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StartupError(
                f"another server uses the data folder {data}; stop it, or choose another with --data"
            ) from error
        yield


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        # At once: two servers may be bound to one port as long as neither listens.
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        cure = "; choose another with --port" if error.errno == errno.EADDRINUSE else ""
        raise StartupError(
            f"cannot listen on {settings.host} port {settings.port}: {error.strerror}{cure}"
        ) from error
    return listener


def _certificate(settings: Settings) -> tuple[str, str] | None:
    if not settings.tls:
        return None
    if bool(settings.certificate) != bool(settings.key):
        raise StartupError("--certificate and --key are given together or not at all")
    if settings.certificate and settings.key:
        for path in (settings.certificate, settings.key):
            if not path.is_file():
                raise StartupError(f"{path}: there is no such file")
        _check_certificate(settings.certificate, settings.key)
        return str(settings.certificate), str(settings.key)
    public = urlsplit(settings.public_url).hostname
    made = ensure_certificate(settings.data / "tls", [settings.host, *([public] if public else [])])
    return str(made[0]), str(made[1])


def _check_certificate(certificate: Path, key: Path) -> None:
    try:
        # An empty password, or else OpenSSL asks for one on the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except OSError as error:
        raise StartupError(
            f"the certificate {certificate} and the key {key} cannot be used ({error.strerror or error});"
            " give PEM files that belong together, the key without a password"
        ) from error


def _check_context(context: str) -> None:
    if context.strip("/") and not re.fullmatch(r"[\w.-]+(/[\w.-]+)*", context.strip("/"), re.ASCII):
        raise StartupError(
            f"the context {context!r} cannot be part of a URL; use letters, digits, '.', '_' and '-'"
        )


def _check_networks(networks: tuple[str, ...]) -> None:
    try:
        read_networks(networks)
    except ValueError as error:
        raise StartupError(f"--registry-network: {error}") from None


def _check_redirects(uris: Sequence[str]) -> None:
    for uri in uris:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+", uri) or {*uri} & {*' \\"<>#*'}:
            raise StartupError(
                f"--redirect-uri {uri!r} is no address that a sign-in can lead to; give an origin such as"
                " https://maps.example.com, or a whole URI without '#' and '*'"
            )
