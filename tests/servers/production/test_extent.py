"""calculateExtent: the area of a sheet around a point."""

import json
from typing import Any

import httpx
import pytest

from milepost.features import Definition, Field, GeometryType, Layer
from tests.servers.house import House
from tests.servers.production.sheets import BASE
from tests.servers.talking import error_of, json_of

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120, method="thread")]


async def ask(client: httpx.AsyncClient, **form: Any) -> httpx.Response:
    sent = {"productName": "MTM50", "productVersion": "1.0", "f": "json", **form}
    return await client.post(f"{BASE}/calculateExtent", data=sent)


async def test_a_sheet_around_a_point(ann: httpx.AsyncClient) -> None:
    point = json.dumps({"x": 1.55, "y": 42.55, "spatialReference": {"wkid": 4326}})
    said = json_of(await ask(ann, inputGeometry=point))
    assert (said["productName"], said["productVersion"], said["success"]) == ("MTM50", "1.0", True)
    [area] = said["customAoi"]
    x, y = zip(*area["geometry"]["rings"][0], strict=True)
    assert (min(x), max(x), min(y), max(y)) == pytest.approx((1.425, 1.675, 42.425, 42.675))
    assert area["geometry"]["spatialReference"] == {"wkid": 4326, "latestWkid": 4326}
    layout = said["layoutProperties"]
    assert (layout["uwkid"], layout["scale"]) == (1025, 50_000)
    assert 400 < layout["width"] < 420
    assert 550 < layout["height"] < 570
    assert 'wkid="32631"' in said["gridXml"]


async def test_the_area_of_a_layer_in_which_the_point_lies(house: House, ann: httpx.AsyncClient) -> None:
    layer = Layer(name="Sheets", geometry=GeometryType.POLYGON, fields=(Field(name="number"),))
    for name, private in (("Series", False), ("Drafts", True)):
        service = house.server.features.create(
            f"Maps/{name}", Definition(owner="root", layers=(layer,), private=private)
        )
        for west, number in ((1.5, "12-3"), (1.6, "12-4")):
            ring = [[west, 42.5], [west, 42.6], [west + 0.1, 42.6], [west + 0.1, 42.5], [west, 42.5]]
            service.add(0, [{"attributes": {"number": number}, "geometry": {"rings": [ring]}}])
    url = "/arcgis/rest/services/Maps/Series/FeatureServer/0"
    [area] = json_of(await ask(ann, inputGeometry="1.63,42.52", aoiLayer=url))["customAoi"]
    assert area["attributes"]["number"] == "12-4"
    x, y = zip(*area["geometry"]["rings"][0], strict=True)
    assert (min(x), max(x), min(y), max(y)) == pytest.approx((1.6, 1.7, 42.5, 42.6))
    # Beyond all areas it is the one around the point.
    [area] = json_of(await ask(ann, inputGeometry="1.9,42.52", aoiLayer=url))["customAoi"]
    assert area["attributes"] == {}
    hidden = error_of(await ask(ann, inputGeometry="1.63,42.52", aoiLayer=url.replace("Series", "Drafts")))
    assert "no feature service 'Maps/Drafts'" in hidden["message"]


async def test_the_area_may_be_in_another_reference(ann: httpx.AsyncClient) -> None:
    point = '{"x": 172545.2, "y": 5241000.0, "spatialReference": {"wkid": 102100}}'
    said = json_of(await ask(ann, inputGeometry=point, outSpatialReference="32631"))
    geometry = said["customAoi"][0]["geometry"]
    assert geometry["spatialReference"]["wkid"] == 32631
    # What comes out is what generateProduct takes: the same sheet, to the second.
    again = json_of(await ask(ann, inputGeometry=point))["customAoi"][0]["geometry"]["rings"][0]
    from milepost.servers.production.areas import area_drawn, bounds

    drawn = bounds(area_drawn({"geometry": geometry}))
    x, y = zip(*again, strict=True)
    assert drawn == pytest.approx((min(x), min(y), max(x), max(y)), abs=1e-4)


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({}, "'inputGeometry' is required"),
        ({"inputGeometry": "here"}, "it is no point"),
        ({"inputGeometry": "{}"}, "it is no point"),
        ({"inputGeometry": "[]"}, "it is no point"),
        ({"inputGeometry": "200,10"}, "outside the world"),
        ({"inputGeometry": "10,89.95"}, "89.9"),
        ({"inputGeometry": "1.5,42.5", "outSpatialReference": "7"}, "'outSpatialReference'"),
        ({"inputGeometry": "1.5,42.5", "aoiLayer": "https://x/0"}, "on another server"),
        ({"inputGeometry": "1.5,42.5", "productVersion": "3"}, "no version '3'"),
    ],
)
async def test_what_is_refused(ann: httpx.AsyncClient, form: dict[str, str], said: str) -> None:
    error = error_of(await ask(ann, **form))
    assert error["code"] == 400
    assert said in error["message"], error
