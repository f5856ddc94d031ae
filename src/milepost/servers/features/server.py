"""The URLs of feature services."""

import asyncio
import sqlite3
from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec
import structlog
from starlette.responses import Response
from starlette.routing import BaseRoute

from milepost.features import (
    FeatureError,
    FeatureLayer,
    FeatureService,
    FeatureServices,
    LayerEdits,
    NoSuchServiceError,
    is_full,
)
from milepost.http import JSON_HEADERS, Answer, Call, Resources, ServiceError, not_found
from milepost.security import Role
from milepost.servers.crumbs import above_service, service_path
from milepost.servers.features import changes, pages, queries, shaping, wire

log = structlog.get_logger("milepost.features")

TYPE: Final = "FeatureServer"
SERVICE: Final = "/rest/services/[{folder}/]{service}/FeatureServer"
LAYER: Final = SERVICE + "/{layer}"

_EDITING: Final = ("rollbackOnFailure", "useGlobalIds")

T = TypeVar("T")


class FeatureDialect:
    """The resources of all feature services of a site."""

    def __init__(self, services: FeatureServices, resources: Resources):
        """With what all dialects share."""
        self._services = services
        self._resources = resources

    def routes(self) -> list[BaseRoute]:
        """The routes, below the context."""
        at = self._resources.at
        only = queries.PARAMETERS
        return [
            *at(
                f"{SERVICE}/query",
                self.query_service,
                parameters=("layerDefs", *only),
                document="Query (Feature Service)",
            ),
            *at(
                f"{SERVICE}/applyEdits",
                self.edit_service,
                acts=True,
                parameters=("edits", *_EDITING),
                document="Apply Edits (Feature Service)",
            ),
            *at(
                f"{LAYER}/query",
                self.query,
                formats=("geojson",),
                parameters=only,
                document="Query (Feature Service/Layer)",
            ),
            *at(
                f"{LAYER}/addFeatures",
                self.add,
                acts=True,
                parameters=("features", *_EDITING),
                document="Add Features",
            ),
            *at(
                f"{LAYER}/updateFeatures",
                self.update,
                acts=True,
                parameters=("features", *_EDITING),
                document="Update Features",
            ),
            *at(
                f"{LAYER}/deleteFeatures",
                self.delete,
                acts=True,
                parameters=(
                    "objectIds",
                    "where",
                    "geometry",
                    "geometryType",
                    "inSR",
                    "spatialRel",
                    *_EDITING,
                ),
                document="Delete Features",
            ),
            *at(
                f"{LAYER}/applyEdits",
                self.edit,
                acts=True,
                parameters=("adds", "updates", "deletes", *_EDITING),
                document="Apply Edits (Feature Service/Layer)",
            ),
            *at(f"{SERVICE}/layers", self.layers, document="All Layers and Tables (Feature Service)"),
            *at(
                f"{LAYER}/{{feature}}",
                self.feature,
                parameters=("outFields", "outSR", "returnGeometry", "returnZ"),
                document="Feature (Feature Service)",
            ),
            *at(LAYER, self.layer, document="Layer (Feature Service)"),
            *at(SERVICE, self.service, document="Feature Service"),
        ]

    async def service(self, call: Call) -> Answer:
        """A feature service: its layers and what it lets people do."""
        service = await self._service(call)
        contents = await _work(service.contents)
        forms = [pages.service_query_form(call.path)]
        if _may_edit(call, service):
            forms.append(pages.service_edit_form(call.path))
        return Answer(
            wire.service(service, contents),
            title=f"{service.name.rpartition('/')[2]} (FeatureServer)",
            crumbs=above_service(call, pages.full_name(service)),
            links={
                "All layers and tables": f"{call.path}/layers",
                **{
                    each.definition.title or each.definition.name: f"{call.path}/{each.id}"
                    for each in service.layers
                },
            },
            forms=forms,
        )

    async def layer(self, call: Call) -> Answer:
        """A layer or a table: its fields, and what can be asked of it."""
        service, layer = await self._layer(call)
        contents = await _work(service.contents)
        forms = [pages.query_form(call.path, layer)]
        if _may_edit(call, service):
            forms += pages.edit_forms(call.path)
        return Answer(
            wire.layer(service, layer.id, contents[layer.id]),
            title=layer.definition.title or layer.definition.name,
            crumbs=pages.above_layer(call, service),
            forms=forms,
        )

    async def layers(self, call: Call) -> Answer:
        """All layers and tables of a service, with what each says of itself."""
        service = await self._service(call)
        contents = await _work(service.contents)
        said = [wire.layer(service, each.id, contents[each.id]) for each in service.layers]
        crumbs = pages.above_layer(call, service)
        return Answer(
            {
                "layers": [each for each in said if each["type"] != "Table"],
                "tables": [each for each in said if each["type"] == "Table"],
            },
            title="All layers and tables",
            crumbs=crumbs,
        )

    async def feature(self, call: Call) -> Answer:
        """One feature of a layer."""
        service, layer = await self._layer(call)
        named = call.part("feature")
        if not (named.isascii() and named.isdigit()) or len(named) > 18:
            raise not_found(f"Feature {named[:20]}")
        found = await _work(lambda: queries.feature(service, layer, int(named), call.parameters))
        if found is None:
            raise not_found(f"Feature {named}")
        return Answer(
            {"feature": found}, title=f"Feature {named}", crumbs=pages.below_layer(call, service, layer)
        )

    async def query(self, call: Call) -> Answer | Response:
        """Features of a layer, or what there is to say of them."""
        service, layer = await self._layer(call)
        geojson = call.parameters.get("f").strip().lower() == "geojson"
        body = await _work(lambda: queries.answer(service, layer, call.parameters, geojson=geojson))
        if geojson:
            return Response(body, media_type=shaping.GEOJSON, headers=JSON_HEADERS)
        form = pages.query_form(call.path.rpartition("/")[0], layer)
        crumbs = pages.below_layer(call, service, layer)
        return Answer(msgspec.Raw(body), title="Query", crumbs=crumbs, forms=[form])

    async def query_service(self, call: Call) -> Answer:
        """Features of several layers."""
        service = await self._service(call)
        body = await _work(lambda: queries.answer_layers(service, call.parameters))
        form = pages.service_query_form(service_path(call, pages.full_name(service)))
        return Answer(msgspec.Raw(body), title="Query", crumbs=pages.above_layer(call, service), forms=[form])

    async def add(self, call: Call) -> Answer:
        """Add features to a layer."""
        service, layer = await self._layer(call)
        changes.check_rights(call, service, "Create")
        edits = LayerEdits(layer=layer.id, adds=changes.read_features(call.parameters, "features"))
        [done] = await _work(lambda: changes.apply(service, [edits], call.parameters))
        return _edited(call, service, layer, {"addResults": changes.results(done.adds)})

    async def update(self, call: Call) -> Answer:
        """Change features of a layer."""
        service, layer = await self._layer(call)
        changes.check_rights(call, service, "Update")
        edits = LayerEdits(layer=layer.id, updates=changes.read_features(call.parameters, "features"))
        [done] = await _work(lambda: changes.apply(service, [edits], call.parameters))
        return _edited(call, service, layer, {"updateResults": changes.results(done.updates)})

    async def delete(self, call: Call) -> Answer:
        """Delete features of a layer."""
        service, layer = await self._layer(call)
        changes.check_rights(call, service, "Delete")
        done = await _work(lambda: changes.delete(service, layer.id, call.parameters))
        return _edited(call, service, layer, {"deleteResults": changes.results(done)})

    async def edit(self, call: Call) -> Answer:
        """Add, change and delete features of a layer."""
        service, layer = await self._layer(call)
        edits = changes.of_layer(layer.id, call.parameters)
        changes.check_rights(call, service, *_needed([edits]))
        [done] = await _work(lambda: changes.apply(service, [edits], call.parameters))
        return _edited(call, service, layer, changes.layer_results(done))

    async def edit_service(self, call: Call) -> Answer:
        """Add, change and delete features of several layers, all of it in one transaction."""
        service = await self._service(call)
        edits = changes.of_service(call.parameters)
        changes.check_rights(call, service, *_needed(edits))
        done = await _work(lambda: changes.apply(service, edits, call.parameters))
        said = [{"id": each.layer, **changes.layer_results(each)} for each in done]
        return Answer(said, title="Apply edits", crumbs=pages.above_layer(call, service))

    async def _service(self, call: Call) -> FeatureService:
        folder = call.part("folder")
        name = f"{folder}/{call.part('service')}" if folder else call.part("service")
        service = await _work(lambda: self._services.open(name))
        who = call.person
        if who.role is not Role.ADMINISTRATOR and not service.definition.may_read(who.username):
            raise not_found(f"Service {name[:80]}")  # nor is it told that there is one
        return service

    async def _layer(self, call: Call) -> tuple[FeatureService, FeatureLayer]:
        service = await self._service(call)
        named = call.part("layer")
        if not (named.isascii() and named.isdigit()) or len(named) > 9 or int(named) >= len(service.layers):
            raise not_found(f"Layer {named[:20]} of the feature service {service.name}")
        return service, service.layers[int(named)]


def _may_edit(call: Call, service: FeatureService) -> bool:
    try:
        changes.check_rights(call, service)
    except ServiceError:
        return False
    return True


def _needed(edits: list[LayerEdits]) -> list[str]:
    """The capabilities that edits need."""
    parts = {"Create": "adds", "Update": "updates", "Delete": "deletes"}
    return [name for name, part in parts.items() if any(getattr(each, part) for each in edits)]


def _edited(call: Call, service: FeatureService, layer: FeatureLayer, said: dict[str, Any]) -> Answer:
    return Answer(said, title="Results", crumbs=pages.below_layer(call, service, layer))


async def _work(function: Callable[[], T]) -> T:
    """What a function gives that works on files, away from the event loop.

    Raises:
        ServiceError: it cannot be done.
    """
    try:
        return await asyncio.to_thread(function)
    except NoSuchServiceError as error:
        raise ServiceError(404, f"Service not found: {error}") from None
    except FeatureError as error:
        raise ServiceError(400, str(error), [str(error)]) from None
    except (sqlite3.Error, OSError) as error:
        log.error("features cannot be read or stored", reason=str(error))
        if is_full(error):
            raise ServiceError(
                500, "The disk of the server is full; nothing was changed. Try again once there is room"
            ) from None
        raise ServiceError(500, "The server cannot read or store features now; nothing was changed") from None
