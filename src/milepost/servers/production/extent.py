"""The URL that finds the area of a sheet around a point."""

import asyncio
from typing import Any, Final

import shapely
from starlette.routing import BaseRoute

from milepost.features import FeatureError, FeatureServices, form_of, number_of, read_reference, transform
from milepost.http import Answer, Call, Resources, json_of, required, wrong
from milepost.operations.geometries import from_esri, to_esri
from milepost.servers.crumbs import service_path
from milepost.servers.jobs_of_type import sees_all
from milepost.servers.production import areas, orders, pages
from milepost.servers.production.areas import Area, array_of
from milepost.servers.production.finding import Finder, require_libraries
from milepost.servers.production.reading import reading
from milepost.servers.production.sheet.definition import Product

CALCULATE: Final = ("productName", "productVersion", "aoiLayer", "inputGeometry", "outSpatialReference")

MILLIMETRES: Final = 1025
"""The ``uwkid`` of what layouts are measured in."""

_WGS84: Final = 4326
_SIDES: Final = (1, 2, 2.5, 5, 7.5, 10, 15, 20, 30, 60, 120, 180, 240, 360, 600)
"""Minutes of latitude that sheets span."""
_SIDE_OF_SCALE: Final = 15 / 50_000
"""Minutes for a scale of 1:1, by the sheets of a quarter of a degree that are usual at 1:50 000."""
_STEPS: Final = 32


class Extents:
    """Areas of sheets that somebody chooses by their middle."""

    def __init__(self, features: FeatureServices, finder: Finder, resources: Resources):
        """With the feature services with areas, and what all dialects share."""
        self._features = features
        self._finder = finder
        self._resources = resources

    def routes(self, service: str) -> list[BaseRoute]:
        """The route, below the context.

        Args:
            service: the path of a service.
        """
        return self._resources.at(
            f"{service}/calculateExtent", self.calculate, parameters=CALCULATE, document="Calculate extent"
        )

    async def calculate(self, call: Call) -> Answer:
        """Find the area of a sheet of a product: that of a layer in which a point lies, or one around the point."""
        service = self._finder.maker(call)
        given = call.parameters
        require_libraries()
        record = await self._finder.product(
            required(given, "productName", "send the name of one of the products")
        )
        asked = orders.read_asked_version(record, given)
        record, name = await self._finder.asked(record, asked.name)
        version = orders.version_of(record, name, asked)
        product, _ = orders.read_product(record, version, given)
        text = required(given, "inputGeometry", 'send a point such as {"x": 1.55, "y": 42.55}')
        place = await asyncio.to_thread(_middle, text)
        area = await self._area(call, place)
        said = await asyncio.to_thread(_calculated, product, place, area, given.get("outSpatialReference"))
        return Answer(
            {"productName": record.name, "productVersion": version.name, **said, "success": True},
            title="Calculate extent",
            crumbs=[
                *pages.above_jobs(call, service),
                ("Products", f"{service_path(call, service.name)}/products"),
            ],
        )

    async def _area(self, call: Call, place: tuple[float, float]) -> Area | None:
        """The area at a place, if a layer is named and has one there."""
        url = call.parameters.get("aoiLayer").strip()
        if not url:
            return None
        try:
            name = areas.layer_of(url, call.base)
            service, layer = await reading(
                areas.opened, self._features, name, call.person.username, sees_all=sees_all(call)
            )
            return await reading(areas.area_at, service, layer, *place)
        except (FeatureError, ValueError) as error:
            raise wrong("aoiLayer", f"{error}; or leave it out for an area around the point") from None


def _calculated(
    product: Product, place: tuple[float, float], area: Area | None, reference: str
) -> dict[str, Any]:
    # Only here: a server without the libraries must start.
    from milepost.servers.production.sheet.geometry import MM, SheetGeometry

    shown = area.geometry if area else shapely.box(*sides(product.scale, *place))
    try:
        sheet = SheetGeometry.of(shown, product.scale)
    except ValueError as error:
        raise wrong("aoiLayer" if area else "inputGeometry", str(error)) from None
    try:
        wkid = read_reference(reference) if reference.strip() else _WGS84
        # Parallels bow in a projection, and a sheet shows the degrees that its area spans.
        step = (sheet.east - sheet.west) / _STEPS if wkid != _WGS84 else 0
        box = shapely.box(sheet.west, sheet.south, sheet.east, sheet.north)
        ring = transform(array_of(shapely.segmentize(box, step) if step else box), _WGS84, wkid)
    except FeatureError as error:
        raise wrong("outSpatialReference", str(error)) from None
    _, [form], _, _ = to_esri(ring)
    if form is None:
        raise wrong("outSpatialReference", f"the sheet has no coordinates in {wkid}; choose another one")
    grid = sheet.grid
    return {
        "gridXml": (
            f'<Grid name="{grid.title}" type="MGRS" wkid="{grid.epsg}" interval="{product.grid.interval}"'
            f' convergence="{sheet.convergence:.4f}"/>'
        ),
        "layoutProperties": {
            "name": product.title,
            "width": round(sheet.width / MM, 1),
            "height": round(sheet.height / MM, 1),
            "uwkid": MILLIMETRES,
            "scale": product.scale,
        },
        "customAoi": [
            {
                "attributes": area.attributes if area else {},
                "geometry": {**form, "spatialReference": form_of(wkid)},
            },
        ],
    }


def sides(scale: int, longitude: float, latitude: float) -> tuple[float, float, float, float]:
    """West, south, east and north of the sheet around a place, in degrees.

    Sheets span as many minutes as is usual at their scale; towards the poles they are wider.
    """
    usual = max((each for each in _SIDES if each <= scale * _SIDE_OF_SCALE * 1.01), default=_SIDES[0]) / 60
    wide = usual * (1 if abs(latitude) < 60 else 2 if abs(latitude) < 76 else 4)
    middle = round(longitude * 3600) / 3600, round(latitude * 3600) / 3600
    south, north = max(middle[1] - usual / 2, -90.0), min(middle[1] + usual / 2, 90.0)
    return middle[0] - wide / 2, south, middle[0] + wide / 2, north


def _middle(text: str) -> tuple[float, float]:
    """Longitude and latitude of a point that a client sent."""
    name = "inputGeometry"
    if text.startswith("{"):
        form = json_of(name, text)
    else:
        x, _, y = text.partition(",")
        form = {"x": x, "y": y}
    try:
        point = {"x": float(form["x"]), "y": float(form["y"])}
        reference = form.get("spatialReference")
        wkid = number_of(reference) if reference else _WGS84
        [found] = transform(from_esri("esriGeometryPoint", [point]), wkid, _WGS84)
    except FeatureError as error:
        raise wrong(name, str(error)) from None
    except (KeyError, TypeError, ValueError):
        raise wrong(
            name, 'it is no point; send {"x": 1.55, "y": 42.55}, with a spatialReference if not in degrees'
        ) from None
    if found is None or found.is_empty or not (-180 <= found.x <= 180 and -90 <= found.y <= 90):
        raise wrong(name, "the point lies outside the world; see that its spatial reference is right")
    return float(found.x), float(found.y)
