"""The URL that makes sheets: each one a job."""

import asyncio
import sqlite3
from typing import Any, Final

import msgspec
import structlog
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from milepost.features import FeatureError, FeatureServices
from milepost.http import Answer, Call, Field, Resources, ServiceError
from milepost.jobs import Job
from milepost.manager import JobManager
from milepost.operations import Operation, Service
from milepost.servers.jobs_of_type import sees_all
from milepost.servers.production import areas, orders, pages, wire
from milepost.servers.production.areas import LayerName
from milepost.servers.production.finding import Finder, require_libraries
from milepost.servers.production.orders import Wanted
from milepost.servers.production.products import Record
from milepost.servers.production.reading import required, wrong
from milepost.servers.production.sheet.definition import Product

log = structlog.get_logger("milepost.production")

OPERATION: Final = "generate_product"


def generate_fields(record: Record) -> tuple[Field, ...]:
    """The form that people make a sheet with."""
    return (
        Field("productName", "Product", value=record.name, kind="hidden"),
        Field(
            "productVersion",
            "Version",
            value=record.versions[0].name,
            choices=tuple(each.name for each in record.versions),
        ),
        Field("aoiLayer", "Layer with the areas", help="URL of a layer of a feature service of this server"),
        Field("aoiFeatureId", "Area", help="The object id of a feature there, or several with commas"),
        Field(
            "customAoi",
            "Or draw the area",
            kind="long",
            help='[{"geometry": {"xmin": 1.45, "ymin": 42.45, "xmax": 1.7, "ymax": 42.65}}] in degrees',
        ),
        Field("outputType", "Output", value="pdf", choices=("pdf", "tiff", "zip")),
        Field("outputName", "Name of the file"),
        Field("layerExclusion", "Layers to leave out", help="Names with commas"),
    )


class Generating:
    """Starts jobs that make sheets."""

    def __init__(self, manager: JobManager, features: FeatureServices, finder: Finder, resources: Resources):
        """With what all dialects share, and the feature services with areas."""
        self._manager = manager
        self._features = features
        self._finder = finder
        self._resources = resources

    def routes(self, service: str) -> list[BaseRoute]:
        """The route, below the context.

        Args:
            service: the path of a service.
        """
        return self._resources.at(
            f"{service}/generateProduct",
            self.generate,
            acts=True,
            parameters=orders.GENERATE,
            document="Generate Product",
        )

    async def generate(self, call: Call) -> Answer | Response:
        """Make a map sheet of an area, or one of each of several areas."""
        service = self._finder.maker(call)
        operation = self._operation(service)
        given = call.parameters
        record = await self._finder.product(
            required(given, "productName", "send the name of one of the products")
        )
        if not record.enabled:
            raise wrong("productName", f"product {record.name} is disabled; updateProduct enables it")
        version = orders.read_version_of(record, given)
        product, excluded = orders.read_product(record, version, given)
        features, drawn = orders.read_areas(given)
        layer = await self._area_layer(call) if features else None
        kind, output = orders.read_output(given)
        wanted = Wanted(
            product=product,
            version=version.name,
            username=call.person.username,
            sees_all=sees_all(call),
            layer=layer,
            drawn=drawn,
            sheet_id_field=record.sheet_id_field,
            excluded=excluded,
            ancillary=await self._ancillary(call, record, product),
            output=output,
            output_name=orders.read_output_name(given),
        )
        if drawn is not None and output.has_raster:
            await asyncio.to_thread(_check_raster, product, drawn, output.dpi)
        jobs: list[tuple[int | None, Job]] = []
        for feature in features or (None,):
            each = msgspec.structs.replace(wanted, feature=feature)
            jobs.append((feature, await self._submit(call, operation, each, kind)))
        return self._answer(call, service, jobs)

    def _operation(self, service: Service) -> Operation[..., Any]:
        found = self._manager.catalog.get(service.name, OPERATION)
        if found is None:
            raise ServiceError(400, "This server makes no sheets: it runs without its own operations")
        require_libraries()
        return found

    async def _submit(self, call: Call, operation: Operation[..., Any], wanted: Wanted, kind: str) -> Job:
        values = {
            "productName": wanted.product.name,
            "productVersion": wanted.version,
            "aoiLayer": call.parameters.get("aoiLayer"),
            "aoiFeatureId": wanted.feature,
            "outputType": kind,
            "order": msgspec.json.encode(wanted).decode(),
        }
        submission = await self._manager.submit(
            operation, values, owner=call.person.username, size=call.size, request=call.request_id
        )
        return submission.job

    async def _area_layer(self, call: Call) -> LayerName:
        """The layer with the areas, which the person may read."""
        url = required(
            call.parameters, "aoiLayer", "send the URL of a layer of a feature service of this server"
        )
        try:
            name = areas.layer_of(url, call.base)
            _, layer = await self._opened(call, name)
            if not areas.is_area(layer):
                raise ValueError(f"the features of layer {layer.definition.name} cover no areas")
        except (FeatureError, ValueError) as error:
            raise wrong("aoiLayer", str(error)) from None
        return name

    async def _ancillary(
        self, call: Call, record: Record, product: Product
    ) -> tuple[tuple[LayerName, str], ...]:
        found = []
        for each, where in orders.read_layers(record, call.parameters):
            try:
                name = areas.layer_of(each.layer, call.base)
                _, layer = await self._opened(call, name)
                found.append((name, orders.product_layer(product, each, layer.definition.name)))
            except (FeatureError, ValueError) as error:
                raise ServiceError(400, f"{where}: {error}") from None
        return tuple(found)

    async def _opened(self, call: Call, name: LayerName) -> Any:
        """A layer that the person may read."""
        try:
            return await asyncio.to_thread(
                areas.opened, self._features, name, call.person.username, sees_all=sees_all(call)
            )
        except (sqlite3.Error, OSError) as error:
            log.error("features cannot be read", reason=str(error))
            raise ServiceError(500, "The server cannot read features now; no job was started") from None

    def _answer(self, call: Call, service: Service, jobs: list[tuple[int | None, Job]]) -> Answer | Response:
        path = f"{call.base}{pages.jobs_path(call, service).removeprefix(call.home)}"
        if call.parameters.get("f", "html") == "html":
            job = f"/job/{wire.job_id(jobs[0][1])}" if len(jobs) == 1 else ""
            return RedirectResponse(f"{path}{job}", 303)
        items = [
            {
                "aoiFeatureId": feature,
                "jobId": wire.job_id(job),
                "statusUrl": f"{path}/job/{wire.job_id(job)}",
            }
            for feature, job in jobs
        ]
        answer: dict[str, Any] = {"success": True, **items[0]}
        del answer["aoiFeatureId"]
        if len(items) > 1:
            answer |= {"count": len(items), "jobs": items}
        return Answer(answer, title="Generate product", crumbs=pages.below_jobs(call, service))


def _check_raster(product: Product, drawn: dict[str, Any], dpi: int) -> None:
    """Refuse a raster with too many pixels before there is a job."""
    # Only here: a server without the libraries must start.
    from milepost.servers.production.sheet.geometry import SheetGeometry

    try:
        sheet = SheetGeometry.of(areas.area_drawn(drawn).geometry, product.scale)
    except (FeatureError, ValueError):
        return  # what is wrong with an area is told by its job, as for those of layers
    try:
        sheet.check_raster(dpi)
    except ValueError as error:
        raise wrong("outputSettings", str(error)) from None
