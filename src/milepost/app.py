"""Puts the house together."""

import asyncio
import importlib.util
import re
from collections.abc import Callable
from typing import Any, Final

import structlog
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp

from milepost import __version__
from milepost.engine import Engine
from milepost.features import FeatureServices
from milepost.http import (
    Gate,
    Guard,
    PublicAddress,
    Resources,
    ServiceError,
    discard_arrived,
    own_fault,
)
from milepost.manager import JobManager
from milepost.operations import Catalog
from milepost.security import People, Seals, Tokens
from milepost.servers import features, geoprocessing, mission, production, video
from milepost.servers.access import access_table
from milepost.servers.administering import Flavour, errors_of
from milepost.servers.directory import Directory
from milepost.servers.enterprise import Enterprise, RegistryEdits
from milepost.servers.sharing import (
    TOKEN_PARAMETERS,
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
from milepost.store import FileStore, SQLiteStore

log = structlog.get_logger("milepost")

BUILT_IN: Final = (
    "milepost.servers.enterprise.operations.backup",
    "milepost.servers.enterprise.operations.health",
    "milepost.servers.enterprise.operations.registries",
    "milepost.servers.enterprise.operations.services",
    "milepost.servers.mission.operations",
    "milepost.servers.production.operations",
    "milepost.servers.video.exports.operations",
    "milepost.servers.video.operations",
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


_ARRIVING: Final = "arriving"
"""The folder of files that are being sent."""


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
        self.products: Final = production.Products(settings.data)
        self.sheet_sources: Final = _sheet_sources(settings)
        self.videos: Final = video.Videos(settings.data)
        self._exports: Final = video.Exports(settings.data)
        inbox = video.Inbox(self.videos.uploads, self.manager, keep=settings.video_keep_uploads)
        self._upkeep: Final = video.Upkeep(inbox, self._exports, self.videos, settings.data)
        self._arrivals: Final = video.Arrivals(
            inbox, settings.data, per_person=settings.video_uploads_per_person
        )
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
        await asyncio.to_thread(discard_arrived, self.settings.data / _ARRIVING)
        await self._upkeep.start()

    async def stop(self) -> None:
        """Stop in good order."""
        await self._upkeep.stop()
        await self._registry.stop()
        await self.engine.stop()
        await self.store.close()
        self.people.close()
        self.missions.close()
        self.products.close()
        self.videos.close()

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
            allow_methods=["GET", "HEAD", "POST", "DELETE", "OPTIONS"],
            allow_headers=["*"],
            allow_credentials="*" not in settings.cors,
            expose_headers=["Location", "Accept-Ranges", "Content-Length", "Content-Range", "ETag"],
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
            settings.data / _ARRIVING,
            settings.max_body,
            strict_post_token=settings.strict_post_token,
        )

    def routes(self, resources: Resources | None = None) -> list[BaseRoute]:
        """The resources of all dialects, below the context."""
        resources = resources or self._resources()
        kubernetes = self.settings.gp_admin == "kubernetes"
        credentials = Credentials(self.people, self.tokens)
        sharing = Sharing(credentials, self.tokens, resources, kubernetes=kubernetes)
        grants = Grants(self.people, self.tokens, self.seals)
        library = self._library(resources)
        return [
            *geoprocessing.Geoprocessing(self.manager, resources).routes(),
            *Enterprise(
                self.manager,
                resources,
                self.settings.gp_admin,
                self.settings.data,
                self.settings.certificate_file,
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
            *production.Production(
                self.products, self.features, self.sheet_sources, self.manager, resources
            ).routes(),
            *video.Video(
                library,
                self._exports,
                authentication_info,
                sharing.generate_token,
                TOKEN_PARAMETERS,
            ).routes(),
            # After those of videos: a folder of content is whatever else there is.
            *mission.Mission(
                self.missions,
                self.features,
                self.manager,
                self.tokens,
                self.people,
                resources,
                authentication_info,
                library.item,
            ).routes(),
            *sharing.routes(),
            *Portal(resources, _SERVERS, kubernetes=kubernetes).routes(),
            *Community(self.people, resources).routes(),
            *Members(self.people, credentials, resources).routes(),
            *OAuth(credentials, self.tokens, grants, resources, self.settings.redirect_uris).routes(),
            *BrowserSignIn(credentials, self.tokens, resources).routes(),
        ]

    def _library(self, resources: Resources) -> video.Library:
        return video.Library(
            self.videos,
            self.manager,
            resources,
            self.settings.data,
            self._arrivals,
            place=self.settings.video_storage,
            max_upload=self.settings.video_max_upload,
        )

    async def _health(self, _: Request) -> Response:
        """Whether the server can do its work: the store answers and instances can be started."""
        problems = await self.manager.problems()
        status = 503 if problems else 200
        about = {"status": "failing" if problems else "ok", "version": __version__, "problems": problems}
        return JSONResponse(about, status_code=status, headers={"Cache-Control": "no-store"})


def _sheet_sources(settings: Settings) -> production.Sources:
    """What sheets are made from, told to the instances too.

    Raises:
        SourcesError: the file that names it cannot be used.
    """
    file = settings.sheet_sources
    sources = production.read_sources(file) if file else production.Sources()
    production.keep_sources(settings.data, sources)
    for each in production.problems(sources):
        log.warning("map sheets", problem=each)
    return sources


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
