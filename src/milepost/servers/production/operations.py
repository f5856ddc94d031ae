"""The work of a Topographic Production Server: an area becomes a map sheet."""

# ruff: noqa: ARG001, N803 - the documents name the inputs, and the resource of a job tells them.

from pathlib import Path
from typing import Any, Final

import msgspec

from milepost.features import FeatureError, FeatureServices
from milepost.operations import Run, Service, operation, site
from milepost.security import People, Role
from milepost.servers.production import areas
from milepost.servers.production.adjoining import adjoining
from milepost.servers.production.areas import Area
from milepost.servers.production.finding import MAKER
from milepost.servers.production.orders import Wanted
from milepost.servers.production.sheet.order import Ancillary, Direction, Order, Stamp
from milepost.servers.production.sheet.stamps import stamps
from milepost.servers.production.sources import Sources, kept_sources
from milepost.types import DataFile

SHEETS: Final = Service(
    name=MAKER,
    description="Map sheets: an area becomes a topographic map, as a PDF with layers or a GeoTIFF.",
    min_instances=0,
    max_instances=2,
    max_usage_time=3600.0,
    # For each process; a sheet of the largest size takes less than two thirds of it.
    memory_limit=3 << 30,
)

PEOPLE: Final = "people.sqlite"
"""In the data folder: who may do what."""

_NAMES: Final = ("name", "sheet_name", "sheetname", "title")
"""Fields of an area that tell what its sheet is called."""


@operation(service=SHEETS, retries=3)
def generate_product(
    run: Run,
    productName: str,
    productVersion: str,
    outputType: str,
    order: str,
    aoiLayer: str = "",
    aoiFeatureId: int | None = None,
) -> DataFile:
    """Make a map sheet of an area.

    Args:
        run: of the job.
        productName: of the product.
        productVersion: of its version.
        outputType: what is asked for.
        order: all of it, as JSON.
        aoiLayer: URL of the layer with the area.
        aoiFeatureId: the feature there that is the area.
    """
    # Only here: it imports what draws, and the server reads this module too.
    from milepost.servers.production.sheet.make import make_sheet
    from milepost.servers.production.sheet.memory import TOO_LARGE
    from milepost.servers.production.sheet.staging import start_time

    wanted = msgspec.json.decode(order, type=Wanted)
    if not run.has_done("begun"):
        run.message("Submitted.")
        run.message("Executing...")
        run.message(start_time())
        run.message(f"Starting to generate product {productName}.")
        run.message(start_time())
        if "@" in wanted.made_by:
            run.message(f"The product was changed here: its version is {wanted.made_by}.")
        run.step("begun", _begun)
    area = run.step("area", _area, wanted)
    services = FeatureServices(site.data_folder())
    sees_all = _sees_all(wanted.username)
    try:
        around = run.step("adjoining", _adjoining, wanted, area, services, sees_all)
        ancillary = run.step("ancillary", _ancillary, run, wanted, area, services, sees_all)
    except FeatureError as error:
        raise ValueError(f"The features cannot be read: {error}") from error
    # Another attempt, after whatever was changed in the settings meanwhile, credits and reads the same files.
    sources, stamped = run.step("sources", _sources, area, run.workspace)
    number, name = _called(area, wanted.sheet_id_field)
    sheet = Order(
        product=wanted.product,
        version=wanted.made_by or productVersion,
        area=area.geometry,
        name=name,
        number=number,
        output=wanted.output,
        output_name=wanted.output_name,
        excluded=wanted.excluded,
        adjoining=around,
        ancillary=ancillary,
        vectors=sources.vectors,
        elevation=sources.elevation,
        stamps=stamped,
    )
    try:
        return DataFile(make_sheet(run, sheet, run.workspace))
    except MemoryError:
        raise ValueError(TOO_LARGE) from None


def _begun() -> None:
    """What is told once was told."""


def _area(wanted: Wanted) -> Area:
    if wanted.drawn is not None:
        return areas.area_drawn(wanted.drawn)
    assert wanted.area is not None
    return wanted.area


def _sees_all(username: str) -> bool:
    """Whether somebody may read all features now; when the sheet was asked for it may have been otherwise."""
    with People(site.data_folder() / PEOPLE) as people:
        person = people.get(username)
    return person is not None and person.role is Role.ADMINISTRATOR


def _adjoining(wanted: Wanted, area: Area, services: FeatureServices, sees_all: bool) -> dict[Direction, str]:
    """What the sheets around the sheet are called, where its area is one of a layer."""
    if wanted.layer is None or wanted.feature is None:
        return {}
    service, layer = areas.opened(services, wanted.layer, wanted.username, sees_all=sees_all)

    def called(neighbour: Area) -> str:
        number, name = _called(neighbour, wanted.sheet_id_field)
        return number or name

    return adjoining(service, layer, wanted.feature, area, called)


def _ancillary(
    run: Run, wanted: Wanted, area: Area, services: FeatureServices, sees_all: bool
) -> tuple[Ancillary, ...]:
    """Files with the features of ancillary layers in the area."""
    found = []
    for number, (name, product_layer) in enumerate(wanted.ancillary):
        service, layer = areas.opened(services, name, wanted.username, sees_all=sees_all)
        path = run.workspace / f"ancillary{number}.geojson"
        called = layer.definition.name
        if areas.write_features(service, layer, areas.bounds(area), path):
            found.append(Ancillary(path=str(path), layer=product_layer, name=called))
        else:
            run.message(f"Ancillary layer {called!r} has no features in the area.", level="warning")
    return tuple(found)


def _called(area: Area, field: str) -> tuple[str, str]:
    """The number and the name of the sheet, as far as the area has fields that tell them."""
    values = {name.lower(): value for name, value in area.attributes.items()}
    number = values.get(field.lower()) if field else None
    name = next((values[each] for each in _NAMES if values.get(each)), None)
    return _text(number), _text(name)


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()[:80]


def _sources(area: Area, folder: Path) -> tuple[Sources, dict[str, Stamp]]:
    """What the sheet is made from, what the settings name or an installed package ships, and how it is now.

    Raises:
        ValueError: there is nothing for the area; the text says what to do.
    """
    configured = kept_sources(site.data_folder())
    if configured.vectors or configured.elevation:
        return configured, stamps(configured.credits())
    from milepost.servers.production.sheet.builtin import COVERS, built_in_sources

    west, south, east, north = areas.bounds(area)
    if east <= COVERS[0] or west >= COVERS[2] or north <= COVERS[1] or south >= COVERS[3]:
        raise ValueError(
            "This server has no maps and heights of the area: its settings name none, and the sample lies between"
            f" {COVERS[0]} and {COVERS[2]} degrees of longitude, {COVERS[1]} and {COVERS[3]} of latitude. Name the"
            " files that cover the area in a file, and start the server with --sheet-sources"
        )
    vectors, elevation = built_in_sources(folder)
    found = Sources(vectors=vectors, elevation=elevation)
    return found, stamps(found.credits())
