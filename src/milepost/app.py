"""Puts the house together and opens its door."""

import asyncio
import contextlib
import errno
import fcntl
import importlib.util
import re
import signal
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp

from milepost import __version__
from milepost.configuration import ConfigurationError
from milepost.engine import Engine, StartError
from milepost.features import FeatureServices
from milepost.http import Gate, Guard, LimitedProtocol, PublicAddress, Resources, ServiceError, own_fault
from milepost.log import configure_log
from milepost.manager import JobManager
from milepost.operations import Catalog, LoadError, load_catalog
from milepost.security import People, Seals, SecurityError, Tokens, ensure_certificate
from milepost.servers import features, geoprocessing, mission, production, video
from milepost.servers.access import access_table
from milepost.servers.administering import Flavour, errors_of
from milepost.servers.directory import Directory
from milepost.servers.enterprise import Enterprise, RegistryEdits, read_networks
from milepost.servers.sharing import (
    BrowserSignIn,
    Community,
    Credentials,
    FederatedServer,
    Grants,
    Members,
    OAuth,
    Portal,
    Sharing,
    authentication_info,
)
from milepost.settings import Settings
from milepost.store import FileStore, SQLiteStore, StoreError

log = structlog.get_logger("milepost")

_BACKLOG: Final = 2048
"""Connections that may wait to be accepted."""

LONGEST_MESSAGE: Final = 64 * 1024
"""Bytes of one message on a WebSocket."""

BUILT_IN: Final = (
    "milepost.servers.enterprise.operations.backup",
    "milepost.servers.enterprise.operations.health",
    "milepost.servers.enterprise.operations.registries",
    "milepost.servers.enterprise.operations.services",
    "milepost.servers.mission.operations",
)
"""Modules with operations that every server has."""

TOOLBOX: Final = "milepost.servers.geoprocessing.toolbox"
TOOLBOX_NEEDS: Final = ("geopandas", "matplotlib", "pyogrio", "pyproj", "shapely")


_SERVERS: Final = (
    FederatedServer("ArcGIS", "", ""),
    FederatedServer("ARCGIS_MISSION_SERVER", "MissionServer", "/mission"),
    FederatedServer("ARCGIS_VIDEO_SERVER", "VideoServer", "/video"),
)
"""What the portal says of the servers that are spoken here."""


_ROOTS: Final = {
    "Mission Server": mission.ROOT,
    "Video Server": video.ROOT,
    "Administration": "/admin",
    "Portal": "/sharing/rest",
    "Portal administration": "/portaladmin",
}
"""Systems with a front page of their own."""


class StartupError(Exception):
    """The server cannot start; the text says why and what helps."""


class Server:
    """A running server: store, engine, manager and what they are made of."""

    def __init__(self, settings: Settings, catalog: Catalog, sources: list[str]):
        """Open everything below the data folder. Call it in the event loop.

        Raises:
            StoreError, SecurityError: something there cannot be used.
        """
        files = FileStore(settings.data)
        self.store: Final = SQLiteStore(settings.data / "milepost.sqlite")
        self.engine: Final = Engine(self.store, files, catalog, sources)
        self.manager: Final = JobManager(self.store, self.engine, catalog, files)
        self.people: Final = People(settings.data / "people.sqlite")
        self.tokens: Final = Tokens(
            settings.data / "token.key", self.people, strict_referer=settings.strict_referer
        )
        self.features: Final = FeatureServices(settings.data)
        self.missions: Final = mission.Missions(settings.data)
        self.seals: Final = Seals(settings.data / "token.key")
        self.settings: Final = settings
        self._registry: Final = RegistryEdits(settings.data, self.manager, settings.registry_networks)

    async def start(self) -> None:
        """Take up what an earlier process left.

        Raises:
            StartError: the operations cannot be loaded in a process of their own.
        """
        await self.engine.start()
        await self.manager.finish_deletions()
        await self._registry.start()

    async def stop(self) -> None:
        """Stop in good order."""
        await self._registry.stop()
        await self.engine.stop()
        await self.store.close()
        self.people.close()
        self.missions.close()

    def application(self) -> ASGIApp:
        """Everything that is spoken over HTTP."""
        settings = self.settings
        resources = self._resources()
        base = settings.base_path
        refusals = _Refusals(resources, f"{base}/admin", settings.gp_admin)
        channels = mission.Channels(self.missions, self.features, resources.gate)
        app = Starlette(
            # The mount comes last: with an empty context it takes every path.
            routes=[
                Route("/health", self._health),
                # Where people begin to look.
                *(Route(path, _front_page(resources)) for path in {"/", base or "/"}),
                Mount(settings.base_path, routes=[*channels.routes(), *self.routes(resources)]),
            ],
            exception_handlers={
                404: refusals.no_such_resource,
                405: refusals.wrong_method,
                500: refusals.own_fault,
            },
        )
        app.router.redirect_slashes = False
        server = CORSMiddleware(
            Guard(_PlainPaths(app)),
            allow_origins=settings.cors,
            allow_methods=["GET", "POST", "DELETE", "OPTIONS"],
            allow_headers=["*"],
            allow_credentials="*" not in settings.cors,
            expose_headers=["Location"],
            max_age=86400,
        )
        return geoprocessing.Geoprocessing(self.manager, resources).in_front(settings.base_path, server)

    def _resources(self) -> Resources:
        settings = self.settings
        address = PublicAddress(settings.public_url, settings.base_path)
        trusted = tuple(each for each in settings.cors if each != "*")
        return Resources(
            Gate(self.tokens, self.seals, trusted),
            address,
            access_table(settings.gp_admin),
            settings.max_body,
            strict_post_token=settings.strict_post_token,
        )

    def routes(self, resources: Resources | None = None) -> list[BaseRoute]:
        """The resources of all dialects, below the context."""
        resources = resources or self._resources()
        kubernetes = self.settings.gp_admin == "kubernetes"
        credentials = Credentials(self.people, self.tokens)
        grants = Grants(self.people, self.tokens, self.seals)
        return [
            *geoprocessing.Geoprocessing(self.manager, resources).routes(),
            *Enterprise(
                self.manager,
                resources,
                self.settings.gp_admin,
                self.settings.data,
                certificate_file(self.settings),
                self._registry,
            ).routes(),
            *geoprocessing.Administration(self.manager, resources, self.settings.gp_admin).routes(),
            *features.FeatureDialect(self.features, resources).routes(),
            *Directory(
                self.manager,
                self.features,
                resources,
                authentication_info,
                listed=(geoprocessing.TYPE, production.TYPE),
                job_paths={each.TYPE: each.job_path for each in (geoprocessing, mission, production, video)},
                roots=_ROOTS,
            ).routes(),
            *mission.Mission(
                self.missions,
                self.features,
                self.manager,
                self.tokens,
                self.people,
                resources,
                authentication_info,
            ).routes(),
            *production.Production(self.manager, resources).routes(),
            *video.Video(self.manager, resources, authentication_info).routes(),
            *Sharing(credentials, self.tokens, resources, kubernetes=kubernetes).routes(),
            *Portal(resources, _SERVERS, kubernetes=kubernetes).routes(),
            *Community(self.people, resources).routes(),
            *Members(self.people, credentials, resources).routes(),
            *OAuth(credentials, self.tokens, grants, resources, self.settings.redirect_uris).routes(),
            *BrowserSignIn(credentials, self.tokens, resources).routes(),
        ]

    async def _health(self, _: Request) -> Response:
        """Whether the server can do its work: the store answers and instances can be started."""
        problems = await self.manager.problems()
        status = 503 if problems else 200
        about = {"status": "failing" if problems else "ok", "version": __version__, "problems": problems}
        return JSONResponse(about, status_code=status, headers={"Cache-Control": "no-store"})


class _PlainPaths:
    """Takes slashes out of paths that some clients put at the end, or two of in the middle."""

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and (scope["path"].endswith("/") or "//" in scope["path"]):
            scope["path"] = re.sub("//+", "/", scope["path"]).rstrip("/") or "/"
        await self._app(scope, receive, send)


def _front_page(resources: Resources) -> Callable[[Request], Response]:
    return lambda request: RedirectResponse(f"{resources.address.home(request.scope)}/rest")


class _Refusals:
    """Answers what no route takes, in the format that the request asks for."""

    def __init__(self, resources: Resources, administration: str, flavour: Flavour):
        self._resources = resources
        self._administration = re.compile(re.escape(administration) + "(?:/|$)")
        self._administrators = resources.with_errors(errors_of(flavour))

    def _of(self, request: Request) -> Resources:
        """Those whose dialect the path belongs to."""
        found = self._administration.match(request.scope["path"])
        return self._administrators if found else self._resources

    async def no_such_resource(self, request: Request, _: Exception) -> Response:
        error = ServiceError(404, "There is no such resource", [request.scope["path"][:200]])
        return await self._of(request).refuse(request.scope, request.receive, error)

    async def wrong_method(self, request: Request, error: Exception) -> Response:
        allowed = (getattr(error, "headers", None) or {}).get("Allow", "GET, POST")
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": allowed})
        refusal = ServiceError(405, f"{request.method} is not allowed here, only {allowed}")
        return await self._of(request).refuse(request.scope, request.receive, refusal)

    async def own_fault(self, request: Request, _: Exception) -> Response:
        return await self._of(request).refuse(request.scope, None, own_fault(request.scope))


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
    except (LoadError, StartError, ConfigurationError, StoreError, SecurityError, OSError) as error:
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


def operation_sources(settings: Settings) -> list[str]:
    """Where operations come from: this server, the toolbox if it can run here, and what the settings name."""
    sources = [*BUILT_IN, *settings.operations]
    if settings.toolbox:
        missing = [name for name in TOOLBOX_NEEDS if importlib.util.find_spec(name) is None]
        if missing:
            log.warning(
                "the geoprocessing toolbox is off",
                missing=", ".join(missing),
                cure="pip install 'milepost[gp]'",
            )
        else:
            sources.insert(0, TOOLBOX)
    return sources


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


def certificate_file(settings: Settings) -> Path | None:
    """The certificate that the server shows; None without TLS."""
    return (settings.certificate or settings.data / "tls" / "certificate.pem") if settings.tls else None


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
