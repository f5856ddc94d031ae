"""generateProduct as far as the request itself: what is refused before there is a job, and what the job gets."""

import json
from typing import Any

import httpx
import msgspec
import pytest

from milepost.features import Definition, Field, GeometryType, Layer
from milepost.jobs import Job
from milepost.servers.production import wire
from milepost.servers.production.areas import LayerName
from milepost.servers.production.finding import MAKER
from milepost.servers.production.orders import Wanted
from milepost.store import StoreError
from tests.servers.house import House
from tests.servers.production.sheets import BASE
from tests.servers.talking import error_of, json_of

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120, method="thread")]

SITE = "http://gis.example.com/arcgis"
AREAS = f"{SITE}/rest/services/Maps/Areas/FeatureServer/0"
HIDDEN = f"{SITE}/rest/services/Maps/Hidden/FeatureServer/0"
BOX = [{"geometry": {"xmin": -84.2, "ymin": 36.25, "xmax": -84.1, "ymax": 36.35}}]

GOOD: dict[str, Any] = {
    "productName": "MTM50",
    "productVersion": "1.0",
    "aoiLayer": AREAS,
    "aoiFeatureId": "1",
    "outputType": "PDF",
}


@pytest.fixture(scope="module", autouse=True)
def services(house: House) -> None:
    areas = Layer(
        name="Areas", geometry=GeometryType.POLYGON, fields=(Field(name="number"), Field(name="name"))
    )
    roads = Layer(name="Tracks", geometry=GeometryType.POLYLINE, fields=(Field(name="highway"),))
    features = house.server.features
    ring = [[1, 42], [1, 42.1], [1.1, 42.1], [1.1, 42], [1, 42]]
    bow = [[1, 42], [1.2, 42.2], [1.2, 42], [1, 42.1], [1, 42]]
    for name, definition in (
        ("Maps/Areas", Definition(owner="root", layers=(areas, roads))),
        ("Maps/Hidden", Definition(owner="root", layers=(areas,), private=True)),
    ):
        large = [[1, 42], [1, 42.4], [1.5, 42.4], [1.5, 42], [1, 42]]
        forms = [*[ring] * 5, bow, large]
        features.create(name, definition).add(0, [{"geometry": {"rings": [each]}} for each in forms])


async def ask(client: httpx.AsyncClient, **form: Any) -> httpx.Response:
    sent = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in {**GOOD, **form}.items()
        if value is not None
    }
    return await client.post(f"{BASE}/generateProduct", data={"f": "json", **sent})


async def wanted(house: House, answer: httpx.Response) -> tuple[Job, Wanted]:
    """The job that was started, which is not let go on, and what it is to make."""
    job = await house.manager.get(json_of(answer)["jobId"].replace("-", "").lower())
    await house.manager.cancel(job.id, "root")
    order = await house.manager.value(job, job.inputs["order"])
    return job, msgspec.json.decode(order, type=Wanted)


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"productName": None}, "'productName' is required"),
        ({"productVersion": None}, "product MTM50 has 1.0"),
        ({"productVersion": "7"}, "no version '7'; it has 1.0"),
        ({"productVersion": {"name": "1.0", "extractionDatabase": "db"}}, "extractionDatabase"),
        ({"productVersion": ["1.0", "1.0"]}, "send one version"),
        ({"productVersion": {"name": "1.0", "excludedOperations": ["Ships"]}}, "no layer 'Ships'"),
        (
            {"productVersion": {"name": "1.0", "operationOverrides": {"id": "grid", "parameters": {"x": 1}}}},
            "`x`",
        ),
        ({"layerExclusion": ["Ships"]}, "no layer 'Ships'; it has"),
        ({"aoiLayer": None}, "'aoiLayer' is required"),
        (
            {"aoiLayer": "https://elsewhere.example.com/arcgis/rest/services/A/FeatureServer/0"},
            "is on another server, from which nothing is fetched; publish the layer in a feature service of this one",
        ),
        ({"aoiLayer": f"{SITE}/rest/services/Maps/Areas/ImageServer/0"}, "or draw the area: 'customAoi'"),
        ({"aoiLayer": f"{SITE}/rest/services/Nothing/MapServer/5"}, "no feature service 'Nothing'"),
        ({"aoiLayer": f"{SITE}/rest/services/Nothing/FeatureServer/0"}, "no feature service 'Nothing'"),
        ({"aoiLayer": HIDDEN}, "no feature service 'Maps/Hidden'"),
        ({"aoiLayer": AREAS[:-1] + "7"}, "no layer 7"),
        ({"aoiLayer": AREAS[:-1] + "1"}, "cover no areas"),
        ({"aoiFeatureId": None}, "'aoiFeatureId' is required"),
        ({"aoiFeatureId": "9"}, "layer Areas of Maps/Areas has no feature 9"),
        ({"aoiFeatureId": "4,99,5"}, "no feature 99"),
        ({"aoiFeatureId": "6"}, "must not cross itself"),
        ({"aoiFeatureId": "north"}, "'north' is no object id"),
        ({"aoiFeatureId": list(range(300))}, "name 1 to 200 features"),
        ({"customAoi": "{"}, "not valid JSON"),
        ({"customAoi": BOX * 2}, "one feature"),
        ({"outputType": None}, "'outputType' is required"),
        ({"outputType": "aprx"}, "send zip"),
        ({"outputType": "ppkx"}, "send zip"),
        ({"outputType": "pagx"}, "send pdf"),
        ({"outputType": "gif"}, "send pdf, tiff, zip"),
        ({"outputType": {"outputType": "pdf", "outputFiles": ["Project"]}}, "Geodatabase"),
        ({"outputSettings": "Large_CMYK.pdfx"}, "there is no file of settings 'Large_CMYK.pdfx'"),
        ({"outputType": "tiff", "outputSettings": {"resolution": 5}}, "from 72 to 600"),
        ({"outputSettings": {"resolution": 300}}, "none is made; let 'outputType' be tiff"),
        ({"outputType": "zip", "outputSettings": {"zip": {"resolution": 300}}}, "none is made"),
        ({"outputSettings": {"pdf": {"imageQuality": 5}}}, "from 50 to 100"),
        ({"outputType": {"outputType": "pdf", "files": ["Raster"]}}, "takes no 'files'"),
        ({"productVersion": {"name": "1.0", "excluded": ["Roads"]}}, "takes no 'excluded'; there are name,"),
        (
            {"productVersion": {"name": "1.0", "operationOverrides": [{"id": "grid", "values": {}}]}},
            "an override takes no 'values'; there are id, parameters",
        ),
        ({"ancillaryLayers": [{"layer": AREAS, "featureclass": "Roads"}]}, "takes no 'featureclass'"),
        ({"outputSettings": {"layers": "all"}}, "'imageQuality'"),
        ({"outputName": "../../etc/passwd"}, "no name of a file"),
        ({"outputName": "道" * 100}, "more than 200 bytes"),
        (
            {
                "productVersion": {
                    "name": "1.0",
                    "operationOverrides": {"id": "contours", "parameters": {"interval": 1e-7}},
                }
            },
            "relief.contours.interval",
        ),
        (
            {
                "productName": "MTM25",
                "customAoi": [{"geometry": {"xmin": -84.3, "ymin": 36, "xmax": -83.8, "ymax": 36.35}}],
                "outputType": "tiff",
                "outputSettings": {"resolution": 600},
            },
            "pixels, too many: choose fewer dpi",
        ),
        (
            {
                "productName": "MTM25",
                "aoiFeatureId": "5,7",
                "outputType": "tiff",
                "outputSettings": {"resolution": 600},
            },
            "of feature 7: at 600 dpi the map has",
        ),
        ({"ancillaryLayers": [{"layer": AREAS}]}, "name one with 'featureClass'"),
        ({"ancillaryLayers": [{"layer": HIDDEN, "featureClass": "Roads"}]}, "no feature service"),
        ({"ancillaryLayers": [{"featureClass": "Roads"}]}, '{"layer": '),
    ],
)
async def test_what_is_refused(house: House, ann: httpx.AsyncClient, form: dict[str, Any], said: str) -> None:
    error = error_of(await ask(ann, **form))
    assert error["code"] == 400
    assert said in error["message"], error


async def test_who_only_looks_on_makes_no_sheets(house: House) -> None:
    async with house.client("vera") as vera:
        assert error_of(await ask(vera))["code"] == 403


async def test_the_job_gets_what_was_asked_for(house: House, ann: httpx.AsyncClient, root) -> None:
    answer = await ask(
        ann,
        productVersion={
            "name": "1.0",
            "operationOverrides": {"id": "contours", "parameters": {"name": "interval", "value": 10}},
            "excludedOperations": ["spotHeights"],
        },
        layerExclusion=["woods"],
        ancillaryLayers=[
            {"layer": f"{AREAS[:-1]}1", "featureClass": "roads", "map": "BaseMap", "layerIndex": 0}
        ],
        outputType={"outputType": "PDF", "outputFiles": ["Geodatabase", "Raster"]},
        # Of what is not made, settings are passed over.
        outputSettings={"pdf": {"imageQuality": 80}, "tiff": {"resolution": 150}, "zip": {"resolution": 9}},
        outputName="Sheet one",
    )
    said = json_of(answer)
    assert said.keys() == {"success", "jobId", "statusUrl"}
    assert said["success"] is True
    assert said["statusUrl"] == f"{SITE}{BASE}/jobs/job/{said['jobId']}"
    job, order = await wanted(house, answer)
    status = json_of(await ann.get(said["statusUrl"], params={"f": "json"}))
    assert (status["productName"], status["productVersion"]) == ("MTM50", "1.0")
    assert (status["aoiLayer"], status["aoiFeatureId"], status["outputType"]) == (AREAS, 1, "PDF")
    assert (job.owner, order.username) == ("ann", "ann")
    assert order.product.relief.contours is not None
    assert order.product.relief.contours.interval == 10
    assert order.product.relief.spot_heights is None
    assert order.excluded == ("Woods",)
    assert (order.layer.service, order.layer.layer, order.feature) == ("Maps/Areas", 0, 1)
    assert [(name.service, name.layer, into) for name, into in order.ancillary] == [
        ("Maps/Areas", 1, "Roads")
    ]
    assert (order.output.type, order.output.files, order.output.dpi) == ("zip", ("data", "raster"), 150)
    assert order.output.jpeg_quality == 80
    assert order.output_name == "Sheet one"
    # Who may read everything may also make sheets of it.
    _, order = await wanted(house, await ask(root, aoiLayer=HIDDEN))
    assert order.layer == LayerName("Maps/Hidden", 0)


async def test_layers_are_read_with_the_rights_of_that_moment(house: House, root: httpx.AsyncClient) -> None:
    """As if an administrator had become somebody else between the wish and the work."""
    _, order = await wanted(house, await ask(root, aoiLayer=HIDDEN))
    generate = house.manager.catalog.get(MAKER, "generate_product")
    assert generate is not None
    values = {"productName": "MTM50", "productVersion": "1.0", "outputType": "pdf"}
    changed = msgspec.json.encode(msgspec.structs.replace(order, username="bob")).decode()
    job = (await house.manager.submit(generate, {**values, "order": changed}, owner="bob")).job
    job = await house.manager.finished(job.id)
    assert "there is no feature service 'Maps/Hidden'" in job.error


@pytest.mark.parametrize("kind", ["MapServer", "TopographicProductionServer"])
async def test_a_layer_may_be_named_as_that_of_a_map_or_production_service(
    house: House, ann: httpx.AsyncClient, kind: str
) -> None:
    url = AREAS.replace("FeatureServer", kind)
    job, order = await wanted(house, await ask(ann, aoiLayer=f"{url}?f=json&token=secret#top"))
    assert order.layer == LayerName("Maps/Areas", 0)
    status = json_of(await ann.get(f"{BASE}/jobs/job/{job.id}", params={"f": "json"}))
    # What else a client puts into the URL, such as a token, is nobody's business.
    assert status["aoiLayer"] == url


async def test_labels_and_the_hatch_of_unknown_ground_are_left_out(
    house: House, ann: httpx.AsyncClient
) -> None:
    answer = await ask(ann, layerExclusion="names, No elevation data")
    _, order = await wanted(house, answer)
    assert order.excluded == ("Names", "No elevation data")


async def test_a_sheet_at_another_scale_is_not_titled_as_if_it_were_not(
    house: House, ann: httpx.AsyncClient
) -> None:
    override = {"id": "sheet", "parameters": {"scale": 40_000}}
    version = {"name": "1.0", "operationOverrides": [override]}
    _, order = await wanted(house, await ask(ann, productVersion=version))
    assert order.product.title == "Topographic map 1:40 000"
    override["parameters"] |= {"title": "Once 1:50 000"}
    _, order = await wanted(house, await ask(ann, productVersion=version))
    assert order.product.title == "Once 1:50 000"


async def test_an_area_that_is_drawn_goes_before_a_feature(house: House, ann: httpx.AsyncClient) -> None:
    elsewhere = "https://machine.domain.com/server/rest/services/S/MapServer/0"
    answer = await ann.get(
        f"{BASE}/generateProduct",
        params={"f": "json", **GOOD, "aoiLayer": elsewhere, "customAoi": json.dumps(BOX)},
    )
    job, order = await wanted(house, answer)
    assert (order.drawn, order.feature, order.layer) == (BOX[0], None, None)
    status = json_of(await ann.get(f"{BASE}/jobs/job/{job.id}", params={"f": "json"}))
    assert (status["aoiLayer"], status["aoiFeatureId"]) == (elsewhere, None)


async def test_several_areas_are_several_jobs(house: House, ann: httpx.AsyncClient) -> None:
    said = json_of(await ask(ann, aoiFeatureId="[4, 5,4]"))
    assert (said["success"], said["count"]) == (True, 2)
    assert [each["aoiFeatureId"] for each in said["jobs"]] == [4, 5]
    assert said["jobs"][0]["jobId"] == said["jobId"]
    for each in said["jobs"]:
        record = json_of(await ann.get(each["statusUrl"], params={"f": "json"}))
        assert record["aoiFeatureId"] == each["aoiFeatureId"]
    ids = ",".join(each["jobId"] for each in said["jobs"])
    await ann.post(f"{BASE}/jobs/cancel", data={"f": "json", "jobId": ids})


async def test_when_not_all_areas_become_jobs_it_is_said_which_did(
    house: House, ann: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit, begun = house.manager.submit, []

    async def full(*args: Any, **more: Any) -> Any:
        if len(begun) == 2:
            raise StoreError("the disk is full")
        submission = await submit(*args, **more)
        begun.append(wire.job_id(submission.job))
        return submission

    monkeypatch.setattr(house.manager, "submit", full)
    error = error_of(await ask(ann, aoiFeatureId="1,3,4,5"))
    assert error["code"] == 500
    assert error["message"].startswith("Only 2 of 4 sheets were begun: the server cannot begin jobs now")
    assert error["message"].endswith("4, 5")
    assert error["details"] == [
        f"aoiFeatureId {n} is job {job}" for n, job in zip((1, 3), begun, strict=True)
    ]
    await ann.post(f"{BASE}/jobs/cancel", data={"f": "json", "jobId": ",".join(begun)})


async def test_people_are_led_to_the_job(house: House, ann: httpx.AsyncClient) -> None:
    answer = await ann.post(f"{BASE}/generateProduct", data=GOOD)
    assert answer.status_code == 303
    page = await ann.get(answer.headers["location"])
    assert "MTM50" in page.text
    await house.manager.cancel(answer.headers["location"].rpartition("/")[2].replace("-", "").lower(), "ann")
