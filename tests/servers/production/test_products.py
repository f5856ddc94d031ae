"""Products: listed, added, changed, removed and put back, by those who may."""

import json
from typing import Any

import httpx
import msgspec
import pytest

from milepost.servers.production.orders import Wanted
from tests.servers.house import House
from tests.servers.production.sheets import BASE, PLAIN, add_product
from tests.servers.talking import error_of, json_of

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120, method="thread")]

HUT = "http://gis.example.com/arcgis/rest/services/Hut/FeatureServer/0"
BUILT_IN = ("MTM25", "MTM50", "OVR250")


async def post(client: httpx.AsyncClient, operation: str, **form: Any) -> Any:
    sent = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in form.items()
        if value is not None
    }
    return await client.post(f"{BASE}/{operation}", data={"f": "json", **sent})


async def product(client: httpx.AsyncClient, name: str, **asked: Any) -> dict[str, Any]:
    said: dict[str, Any] = json_of(await client.get(f"{BASE}/products/{name}", params={"f": "json", **asked}))
    return said


async def test_the_products_that_come_with_the_server(ann: httpx.AsyncClient) -> None:
    listed = json_of(await ann.get(f"{BASE}/products", params={"f": "json"}))["products"]
    assert {each["name"] for each in listed} >= {*BUILT_IN}
    assert listed == json_of(await ann.post(f"{BASE}/jobs/products", data={"f": "json"}))["products"]
    about = await product(ann, "MTM50")
    assert about in listed
    assert about.keys() == {
        "name",
        "description",
        "type",
        "definitionType",
        "gridType",
        "sheetIDField",
        "productVersions",
        "enabled",
        "raster",
        "ancillaryLayers",
        "lastModified",
    }
    assert about["productVersions"] == [{"name": "1.0", "template": ""}]
    assert about["enabled"] is True
    whole = await product(ann, "mtm50", includeDef="true", includeDataTypes="true")
    assert whole["productDefinition"]["scale"] == 50_000
    assert whole["productDefinition"]["relief"]["contours"]["interval"] == 20
    assert "$defs" in whole["dataTypes"]
    of_type = json_of(await ann.get(f"{BASE}/products?f=json&definitionType=Nothing"))["products"]
    assert of_type == listed


async def test_a_product_that_there_is_not(ann: httpx.AsyncClient, pat: httpx.AsyncClient) -> None:
    for answer in (
        await ann.get(f"{BASE}/products/MTM49", params={"f": "json"}),
        await post(ann, "generateProduct", productName="MTM49"),
        await post(pat, "updateProduct", productName="MTM49", description="x"),
        await post(pat, "removeProduct", productName="MTM49"),
    ):
        error = error_of(answer)
        assert (error["code"], error["message"]) == (-2147211775, "Product name not found.")
    page = await ann.get(f"{BASE}/products/MTM49")
    assert page.status_code == 400
    assert "Product name not found." in page.text


async def test_a_product_is_added_changed_and_removed(ann: httpx.AsyncClient, pat: httpx.AsyncClient) -> None:
    layers = [{"layer": HUT, "featureClass": "Roads"}]
    added = await post(
        pat, "addProduct", productDefinition={**PLAIN, "name": "Walks"}, ancillaryLayers=layers
    )
    assert json_of(added) == {"success": True, "productName": "Walks"}
    about = await product(ann, "Walks", includeDef="true")
    assert about["lastModified"] > "2020"
    assert about["productDefinition"]["scale"] == PLAIN["scale"]
    assert about["ancillaryLayers"][0]["featureClass"] == "Roads"
    # What is told of it is what it can be added with.
    again = {**about["productDefinition"], "name": "Walks again"}
    assert json_of(await post(pat, "addProduct", productDefinition=again))["success"]
    twice = error_of(await post(pat, "addProduct", productDefinition={**PLAIN, "name": "walks"}))
    assert "there is a product 'walks' already" in twice["message"]
    fine = {
        "name": "Fine",
        "template": "wall.pagx",
        "operationOverrides": [{"id": "contours", "parameters": [{"name": "interval", "value": 5}]}],
        "excludedOperations": ["Roads"],
    }
    await change(pat, "Walks", productVersions={"operation": "add", "versions": [fine]})
    await change(pat, "Walks", description="For walking", sheetIDField="number", enabled="false")
    about = await product(ann, "Walks")
    assert [each["name"] for each in about["productVersions"]] == ["1.0", "Fine"]
    assert about["productVersions"][1] == fine
    assert (about["description"], about["sheetIDField"], about["enabled"]) == ("For walking", "number", False)
    await change(pat, "Walks", description="", sheetIDField=" ")
    about = await product(ann, "Walks")
    assert (about["description"], about["sheetIDField"], about["enabled"]) == ("", "", False)
    await change(pat, "Walks", productVersions={"operation": "update", "versions": [{"name": "Fine"}]})
    await change(pat, "Walks", productVersions={"operation": "remove", "versions": ["1.0"]})
    await change(
        pat, "Walks", ancillaryLayers={"operation": "remove", "layers": [{"layer": layers[0]["layer"]}]}
    )
    about = await product(ann, "Walks")
    assert about["productVersions"] == [{"name": "Fine", "template": ""}]
    assert about["ancillaryLayers"] == []
    for name in ("Walks", "Walks again"):
        assert json_of(await post(pat, "removeProduct", productName=name))["success"]
    assert error_of(await ann.get(f"{BASE}/products/Walks?f=json"))["code"] == -2147211775


async def change(client: httpx.AsyncClient, name: str, **form: Any) -> None:
    answer = json_of(await post(client, "updateProduct", productName=name, **form))
    assert answer == {"success": True, "productName": name}


async def test_a_built_in_product_comes_back(ann: httpx.AsyncClient, pat: httpx.AsyncClient) -> None:
    before = await product(ann, "MTM25")
    await change(pat, "MTM25", enabled="false", description="Ours")
    assert (await product(ann, "MTM25"))["description"] == "Ours"
    listed = json_of(await ann.get(f"{BASE}/products", params={"f": "json"}))["products"]
    assert [each["name"] for each in listed].count("MTM25") == 1
    disabled = await post(ann, "generateProduct", productName="MTM25", productVersion="1.0")
    assert "is disabled" in error_of(disabled)["message"]
    assert json_of(await post(pat, "removeProduct", productName="MTM25"))["success"]
    assert await product(ann, "MTM25") == before
    error = error_of(await post(pat, "removeProduct", productName="MTM25"))
    assert "comes with the server and cannot be removed; disable it" in error["message"]
    error = error_of(await post(pat, "addProduct", productDefinition={**PLAIN, "name": "mtm25"}))
    assert "already" in error["message"]


async def test_what_a_product_was_stays_there(
    house: House, ann: httpx.AsyncClient, pat: httpx.AsyncClient
) -> None:
    def every(interval: int) -> dict[str, Any]:
        return {
            "name": "Fine",
            "operationOverrides": [
                {"id": "contours", "parameters": [{"name": "interval", "value": interval}]}
            ],
        }

    await add_product(pat, {**PLAIN, "name": "Changing", "productVersions": [every(10)]})
    box = [{"geometry": {"xmin": -84.2, "ymin": 36.25, "xmax": -84.1, "ymax": 36.35}}]
    form = {"productName": "Changing", "outputType": "pdf", "customAoi": box}

    async def made_with(version: str) -> tuple[str, float, str]:
        """What a job tells of its version, and what it makes its sheet with, whatever came later."""
        said = json_of(await post(ann, "generateProduct", **form, productVersion=version))
        job = await house.manager.get(said["jobId"].replace("-", "").lower())
        await house.manager.cancel(job.id, "root")
        order = msgspec.json.decode(await house.manager.value(job, job.inputs["order"]), type=Wanted)
        about = json_of(await ann.get(said["statusUrl"], params={"f": "json"}))
        contours = order.product.relief.contours
        assert contours is not None
        return about["productVersion"], contours.interval, order.made_by

    assert await made_with("Fine") == ("Fine", 10, "Fine")
    await change(pat, "Changing", productVersions={"operation": "update", "versions": [every(40)]})
    await change(pat, "Changing", productVersions={"operation": "add", "versions": ["Other"]})
    await change(pat, "Changing", productVersions={"operation": "remove", "versions": ["Fine"]})
    assert await made_with("Fine@1") == ("Fine@1", 10, "Fine")
    assert await made_with("fine@3") == ("fine@3", 40, "Fine@3")
    assert await made_with("Other") == ("Other", 50, "Other@4")
    history = (await product(ann, "Changing", includeHistory="true"))["history"]
    assert [each["revision"] for each in history] == [4, 3, 2, 1]
    assert {each["changedBy"] for each in history} == {"pat"}
    assert [[one["name"] for one in each["productVersions"]] for each in history] == [
        ["Other"],
        ["Fine", "Other"],
        ["Fine"],
        ["Fine"],
    ]
    assert history[2]["productVersions"][0]["operationOverrides"][0]["parameters"][0]["value"] == 40
    for version, said in (("Fine@7", "has no revision 7"), ("Fine@4", "no version 'Fine'; it has Other")):
        error = error_of(await post(ann, "generateProduct", **form, productVersion=version))
        assert said in error["message"]
    # A later product of the same name begins where this one ended.
    assert json_of(await post(pat, "removeProduct", productName="Changing"))["success"]
    await add_product(pat, {**PLAIN, "name": "Changing"})
    assert (await product(ann, "Changing", includeHistory="true"))["history"][0]["revision"] == 5
    assert await made_with("Fine@1") == ("Fine@1", 10, "Fine")


async def test_a_product_that_is_based_on_another(ann: httpx.AsyncClient, pat: httpx.AsyncClient) -> None:
    await add_product(pat, {"name": "Hills", "basedOn": "MTM25", "scale": 20_000})
    about = await product(ann, "Hills", includeDef="true")
    base = await product(ann, "MTM25", includeDef="true")
    assert about["productDefinition"]["layers"] == base["productDefinition"]["layers"]
    assert about["productDefinition"]["scale"] == 20_000
    # What is taken over names no scale that it has not.
    assert about["productDefinition"]["title"] == "Topographic map 1:20 000"
    assert about["description"] == "Topographic map at 1:20 000 with street names and buildings."
    await add_product(
        pat, {"name": "Fells", "basedOn": "MTM25", "scale": 20_000, "title": "Fells, once 1:25 000"}
    )
    assert (await product(ann, "Fells", includeDef="true"))["productDefinition"][
        "title"
    ] == "Fells, once 1:25 000"
    error = error_of(await post(pat, "addProduct", productDefinition={"name": "X", "basedOn": "Nothing"}))
    assert "there is no product 'Nothing'" in error["message"]


@pytest.mark.parametrize(
    ("definition", "said"),
    [
        (None, "is required"),
        ("{", "not valid JSON"),
        ([], "must be a JSON object"),
        ({"name": "X"}, "missing required field"),
        ({**PLAIN, "scale": 10}, "scale"),
        ({**PLAIN, "colour": "red"}, "colour"),
        ({**PLAIN, "name": "Wanderkarte / 1"}, "letters, digits, space, _ . -, at most 64"),
        ({**PLAIN, "productVersions": [{"name": "1", "overrides": []}]}, "takes no 'overrides'"),
        ({**PLAIN, "raster": "/etc/passwd"}, "no file of the disk of the server"),
        ({**PLAIN, "productVersions": [{"name": "1", "extractionDatabase": "db"}]}, "extractionDatabase"),
        ({**PLAIN, "productVersions": ["1", "1"]}, "same name"),
        ({**PLAIN, "productVersions": [{"name": "1", "excludedOperations": ["Ships"]}]}, "no layer 'Ships'"),
        (
            {
                **PLAIN,
                "productVersions": [{"name": "1", "operationOverrides": {"id": "Ships", "parameters": {}}}],
            },
            "no part 'Ships'",
        ),
        (
            {
                **PLAIN,
                "productVersions": [
                    {"name": "1", "operationOverrides": [{"id": "contours", "parameters": {"interval": -1}}]}
                ],
            },
            "interval",
        ),
    ],
)
async def test_definitions_that_do_not_do(pat: httpx.AsyncClient, definition: Any, said: str) -> None:
    error = error_of(await post(pat, "addProduct", productDefinition=definition))
    assert error["code"] == 400
    assert said in error["message"]
    assert "'productDefinition'" in error["message"]


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({}, "send one of description, enabled, sheetIDField, productVersions, ancillaryLayers"),
        ({"productVersions": {"operation": "add", "version": ["2"]}}, "takes no 'version'"),
        (
            {"ancillaryLayers": {"operation": "add", "layers": [{"layer": "http://evil.example/x"}]}},
            "another server",
        ),
        (
            {"ancillaryLayers": {"operation": "add", "layers": [{"layer": HUT, "featureClass": "nope"}]}},
            "no layer 'nope'",
        ),
        ({"enabled": "perhaps"}, "'enabled'"),
        ({"raster": "/etc/passwd"}, "'raster'"),
        ({"productVersions": {"operation": "destroy", "versions": ["1.0"]}}, "add, update or remove"),
        ({"productVersions": {"operation": "add", "versions": ["1.0"]}}, "already; update it"),
        ({"productVersions": {"operation": "update", "versions": ["7"]}}, "no version '7'; add it"),
        ({"productVersions": {"operation": "remove", "versions": ["7"]}}, "no version '7'"),
        ({"productVersions": {"operation": "remove", "versions": ["1.0"]}}, "leave it one"),
        ({"ancillaryLayers": {"operation": "remove", "layers": [{"layer": "x"}]}}, "no ancillary layer"),
        ({"ancillaryLayers": {"operation": "add", "layers": [{"layer": "x", "map": "Inset"}]}}, "BaseMap"),
        (
            {"ancillaryLayers": {"operation": "add", "layers": [{"layer": "x", "layerIndex": 3}]}},
            "layerIndex",
        ),
    ],
)
async def test_changes_that_do_not_do(
    ann: httpx.AsyncClient, pat: httpx.AsyncClient, form: dict[str, Any], said: str
) -> None:
    before = await product(ann, "MTM50", includeDef="true")
    error = error_of(await post(pat, "updateProduct", productName="MTM50", **form))
    assert error["code"] == 400
    assert said in error["message"]
    assert await product(ann, "MTM50", includeDef="true") == before


async def test_only_publishers_change_products(ann: httpx.AsyncClient) -> None:
    for operation in ("addProduct", "updateProduct", "removeProduct"):
        error = error_of(await post(ann, operation, productName="MTM50", description="x"))
        assert error["code"] == 403
    page = (await ann.get(f"{BASE}/products/MTM50")).text
    assert "generateProduct" in page
    assert "removeProduct" not in page


async def test_other_services_have_no_products(ann: httpx.AsyncClient) -> None:
    other = BASE.replace("Topography", "SampleService")
    error = error_of(await ann.get(f"{other}/products", params={"f": "json"}))
    assert error["code"] == 404
    assert "Topography" in error["details"][0]
