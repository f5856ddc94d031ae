"""The URL that makes sheets: each one a job."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import structlog
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from milepost.features import FeatureError, FeatureServices
from milepost.http import Answer, Call, Field, Resources, ServiceError, required, wrong
from milepost.jobs import Job
from milepost.manager import JobManager
from milepost.operations import InputError, Operation, Service
from milepost.servers.jobs_of_type import sees_all
from milepost.servers.production import areas, orders, pages, wire
from milepost.servers.production.areas import Area, LayerName
from milepost.servers.production.finding import Finder, require_libraries
from milepost.servers.production.orders import Wanted
from milepost.servers.production.products import Record
from milepost.servers.production.reading import reading
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
        asked = orders.read_asked_version(record, given)
        record, name = await self._finder.asked(record, asked.name)
        version = orders.version_of(record, name, asked)
        product, excluded = orders.read_product(record, version, given)
        features, drawn = orders.read_areas(given)
        layer, found = await self._area_layer(call, features) if features else (None, {})
        kind, output = orders.read_output(given)
        wanted = Wanted(
            product=product,
            version=asked.name,
            made_by=version.name if record.revision == 1 else f"{version.name}@{record.revision}",
            username=call.person.username,
            layer=layer,
            drawn=drawn,
            sheet_id_field=record.sheet_id_field,
            excluded=excluded,
            ancillary=await self._ancillary(call, record, product),
            output=output,
            output_name=orders.read_output_name(given),
        )
        sheets = [
            msgspec.structs.replace(wanted, feature=feature, area=area) for feature, area in found.items()
        ]
        if output.has_raster:
            await asyncio.to_thread(_check_raster, product, drawn, found, output.dpi)
        jobs: list[tuple[int | None, Job]] = []
        for each in sheets or [wanted]:
            try:
                jobs.append((each.feature, await self._submit(call, operation, each, kind)))
            except Exception as error:
                if not jobs:
                    raise
                # Whatever it was: the client must learn of the jobs that there are.
                log.error(
                    "not all sheets were begun", begun=len(jobs), wanted=len(sheets), reason=repr(error)
                )
                raise _only_some(jobs, sheets, error) from error
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
            # It is told to whoever may see the job.
            "aoiLayer": areas.without_query(call.parameters.get("aoiLayer")),
            "aoiFeatureId": wanted.feature,
            "outputType": kind,
            "order": msgspec.json.encode(wanted).decode(),
        }
        submission = await self._manager.submit(
            operation, values, owner=call.person.username, size=call.size, request=call.request_id
        )
        return submission.job

    async def _area_layer(self, call: Call, features: Sequence[int]) -> tuple[LayerName, dict[int, Area]]:
        """The layer with the areas, which the person may read, and those of them that are wanted."""
        url = required(
            call.parameters, "aoiLayer", "send the URL of a layer of a feature service of this server"
        )
        try:
            name = areas.layer_of(url, call.base)
            service, layer = await self._opened(call, name)
            if not areas.is_area(layer):
                raise ValueError(f"the features of layer {layer.definition.name} cover no areas")
        except (FeatureError, ValueError) as error:
            raise wrong("aoiLayer", f"{error}; or draw the area: 'customAoi'") from None
        try:
            return name, await reading(areas.areas_of_features, service, layer, features)
        except (FeatureError, ValueError) as error:
            raise wrong("aoiFeatureId", str(error)) from None

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
        return await reading(
            areas.opened, self._features, name, call.person.username, sees_all=sees_all(call)
        )

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


def _only_some(
    jobs: Sequence[tuple[int | None, Job]], sheets: Sequence[Wanted], error: Exception
) -> ServiceError:
    """The error of a request of which only the first sheets became jobs; the details name each of them."""
    code, reason = (
        (400, str(error)) if isinstance(error, InputError) else (500, "the server cannot begin jobs now")
    )
    left = ", ".join(str(each.feature) for each in sheets[len(jobs) :])
    return ServiceError(
        code,
        f"Only {len(jobs)} of {len(sheets)} sheets were begun: {reason}. Ask for the others again: {left}",
        [f"aoiFeatureId {feature} is job {wire.job_id(job)}" for feature, job in jobs],
    )


def _check_raster(
    product: Product, drawn: dict[str, Any] | None, found: Mapping[int, Area], dpi: int
) -> None:
    """Refuse rasters with too many pixels before there is a job."""
    # Only here: a server without the libraries must start.
    from milepost.servers.production.sheet.geometry import SheetGeometry

    for feature, area in ({None: None} if drawn is not None else found).items():
        try:
            shown = area or areas.area_drawn(drawn or {})
            sheet = SheetGeometry.of(shown.geometry, product.scale)
        except (FeatureError, ValueError):
            continue  # that no sheet can show an area is told by its job
        try:
            sheet.check_raster(dpi)
        except ValueError as error:
            where = f"of feature {feature}: " if feature is not None else ""
            raise wrong("outputSettings", f"{where}{error}") from None
