"""Layers answer what clients ask of them."""

import pytest

from tests.servers.features.town import MOMENT, PATH, ask, town

__all__ = ["ask", "town"]

pytestmark = pytest.mark.anyio


def names(answer):
    return [each["attributes"]["name"][-1] for each in answer["features"]]


async def test_a_service_tells_its_layers(ask, town):
    about = await ask("")
    assert [each["name"] for each in about["layers"]] == ["Sights", "streets", "districts", "summits"]
    assert [each["id"] for each in about["tables"]] == [4]
    assert about["capabilities"] == "Query,Create,Update,Delete,Editing"
    assert about["maxRecordCount"] == 5
    assert about["fullExtent"] == {
        "xmin": 0,
        "ymin": 0,
        "xmax": 9,
        "ymax": 6,
        "spatialReference": {"wkid": 4326, "latestWkid": 4326},
    }


async def test_a_layer_tells_what_clients_must_know(ask, town):
    about = await ask("/0")
    assert (about["type"], about["geometryType"]) == ("Feature Layer", "esriGeometryPoint")
    assert (about["objectIdField"], about["globalIdField"], about["displayField"]) == (
        "OBJECTID",
        "GlobalID",
        "name",
    )
    fields = {each["name"]: each for each in about["fields"]}
    assert fields["name"] | {"sqlType": ""} == {
        "name": "name",
        "type": "esriFieldTypeString",
        "alias": "Name",
        "sqlType": "",
        "length": 60,
        "nullable": False,
        "editable": True,
        "domain": None,
        "defaultValue": None,
    }
    assert fields["OBJECTID"]["editable"] is False
    assert about["timeInfo"]["startTimeField"] == "built"
    assert about["drawingInfo"]["renderer"]["symbol"]["type"] == "esriSMS"
    assert about["templates"][0]["prototype"]["attributes"]["kind"] == "house"
    assert about["extent"]["xmax"] == 9
    table = await ask("/4")
    assert table["type"] == "Table"
    assert not {"geometryType", "extent", "drawingInfo", "timeInfo"} & table.keys()


async def test_pages_of_features_follow_each_other(ask, town):
    seen = []
    while True:
        answer = await ask(
            "/0/query", where="1=1", outFields="name", resultOffset=len(seen), resultRecordCount=4
        )
        seen += names(answer)
        if not answer.get("exceededTransferLimit"):
            break
    assert seen == list("0123456789")
    first = await ask("/0/query", orderByFields="height DESC", resultRecordCount=1000)
    assert names(first) == list("98765")
    assert first["exceededTransferLimit"] is True
    assert (await ask("/0/query", returnExceededLimitFeatures=False))["features"] == []


@pytest.mark.parametrize(
    ("parameters", "found"),
    [
        ({"where": "floors = 1 AND height < 10"}, "15"),
        ({"where": "name LIKE '%3' OR kind = 'church'"}, "0369"),
        ({"objectIds": "2,4"}, "13"),
        ({"objectIds": [2, 4]}, "13"),
        ({"objectIds": "2,4", "where": "height > 3"}, "3"),
        ({"time": str(MOMENT)}, "0"),
        ({"time": f"{MOMENT},{MOMENT + 86_400_000}"}, "01"),
        ({"time": f"null,{MOMENT}"}, "0"),
        ({"geometry": "1,0,3,9"}, "123"),
        ({"geometry": "1,0.5", "geometryType": "esriGeometryPoint"}, "1"),
        (
            {
                "geometry": {"xmin": 1, "ymin": 0, "xmax": 3, "ymax": 1},
                "geometryType": "esriGeometryEnvelope",
            },
            "12",
        ),
        (
            {
                "geometry": {"rings": [[[0, 0], [0, 3], [3, 3], [0, 0]]]},
                "geometryType": "esriGeometryPolygon",
            },
            "0",
        ),
        (
            {
                "geometry": {"rings": [[[0, 0], [3, 3], [3, 0], [0, 0]]]},
                "spatialRel": "esriSpatialRelContains",
            },
            "0123",
        ),
        ({"geometry": {"paths": [[[0, 0], [8, 4]]]}, "resultRecordCount": 3}, "012"),
        ({"geometry": {"points": [[2, 1], [4, 2]]}}, "24"),
        ({"geometry": "111319.4,55660,333958.5,111330", "inSR": "102100"}, "12"),
        (
            {
                "geometry": {"x": 111319.490793, "y": 55660.6, "spatialReference": {"wkid": 3857}},
                "distance": "0",
            },
            "",
        ),
        ({"geometry": "1,0,3,9", "spatialRel": "esriSpatialRelEnvelopeIntersects"}, "123"),
    ],
)
async def test_features_are_found(ask, town, parameters, found):
    answer = await ask("/0/query", **parameters)
    assert "error" not in answer, answer
    assert "".join(names(answer)) == found
    count = await ask("/0/query", returnCountOnly=True, **parameters)
    if "resultRecordCount" not in parameters:
        assert count == {"count": len(found)}


async def test_a_place_within_a_district_is_found(ask, town):
    inside, hole = "3,3", "1.5,1.5"
    for place, found in ((inside, 1), (hole, 0)):
        asked = {"geometry": place, "geometryType": "esriGeometryPoint", "returnCountOnly": True}
        assert (await ask("/2/query", **asked)) == {"count": found}
        assert (await ask("/2/query", spatialRel="esriSpatialRelWithin", **asked)) == {"count": found}
    box = {"geometry": "1.2,1.2,1.8,1.8", "returnCountOnly": True}
    assert (await ask("/2/query", **box)) == {"count": 0}
    assert (await ask("/2/query", spatialRel="esriSpatialRelEnvelopeIntersects", **box)) == {"count": 1}


async def test_only_what_is_asked_comes(ask, town):
    answer = await ask("/0/query", outFields="NAME, height", returnGeometry=False, resultRecordCount=1)
    assert [each["name"] for each in answer["fields"]] == ["name", "height"]
    assert answer["features"] == [{"attributes": {"name": "Sight 0", "height": 0.0}}]
    assert "geometryType" not in answer
    ids = await ask("/0/query", returnIdsOnly=True, where="height > 10")
    assert ids == {"objectIdFieldName": "OBJECTID", "objectIds": [8, 9, 10]}
    every = await ask("/0/query", returnIdsOnly=True)
    assert len(every["objectIds"]) == 10  # the limit is for features


async def test_extents_are_told(ask, town):
    answer = await ask("/0/query", returnExtentOnly=True, where="OBJECTID > 5", outSR=102100)
    assert answer["count"] == 5
    assert answer["extent"]["xmin"] == pytest.approx(5 * 111319.490793)
    assert answer["extent"]["spatialReference"] == {"wkid": 102100, "latestWkid": 3857}
    nothing = await ask("/0/query", returnExtentOnly=True, where="1=0")
    assert (nothing["count"], nothing["extent"]["xmin"]) == (0, "NaN")


async def test_statistics_are_told(ask, town):
    wanted = [
        {"statisticType": kind, "onStatisticField": "height", "outStatisticFieldName": f"{kind}_height"}
        for kind in ("count", "sum", "min", "max", "avg", "stddev", "var")
    ]
    whole = await ask("/0/query", outStatistics=wanted)
    [row] = whole["features"]
    assert row["attributes"] == pytest.approx(
        {
            "count_height": 10,
            "sum_height": 67.5,
            "min_height": 0,
            "max_height": 13.5,
            "avg_height": 6.75,
            "stddev_height": 4.541475531146237,
            "var_height": 20.625,
        }
    )
    grouped = await ask(
        "/0/query",
        outStatistics=[
            {"statisticType": "max", "onStatisticField": "built", "outStatisticFieldName": "last"}
        ],
        groupByFieldsForStatistics="kind",
        orderByFields="last DESC",
    )
    assert [each["attributes"] for each in grouped["features"]] == [
        {"kind": "church", "last": MOMENT + 9 * 86_400_000},
        {"kind": "house", "last": MOMENT + 8 * 86_400_000},
    ]
    assert grouped["fields"][1]["type"] == "esriFieldTypeDate"


async def test_distinct_values_are_told(ask, town):
    answer = await ask("/0/query", returnDistinctValues=True, outFields="kind", returnGeometry=False)
    assert [each["attributes"] for each in answer["features"]] == [{"kind": "church"}, {"kind": "house"}]
    count = await ask("/0/query", returnDistinctValues=True, outFields="kind,floors", returnCountOnly=True)
    assert count == {"count": 8}


async def test_geometries_come_in_esris_json(ask, town):
    [street] = (await ask("/1/query"))["features"]
    assert street["geometry"] == {"paths": [[[0, 0], [5, 5]], [[6, 6], [7, 6]]]}
    [district] = (await ask("/2/query"))["features"]
    outer, inner = district["geometry"]["rings"]
    assert outer[0] == [0, 0]
    assert len(inner) == 5
    [summit] = (await ask("/3/query", returnZ=True))["features"]
    assert summit["geometry"] == {"x": 1, "y": 2, "z": 812.5}
    [flat] = (await ask("/3/query"))["features"]
    assert flat["geometry"] == {"x": 1, "y": 2}
    [remark] = (await ask("/4/query"))["features"]
    assert remark.keys() == {"attributes"}
    [near] = (await ask("/0/query", objectIds="2", outSR="3857", geometryPrecision=1))["features"]
    assert near["geometry"] == {"x": 111319.5, "y": 55660.5}


async def test_geometries_come_as_geojson(ask, town):
    answer = await ask.client.get(PATH + "/2/query", params={"f": "geojson", "where": "1=1"})
    assert answer.headers["content-type"].startswith("application/geo+json")
    [feature] = answer.json()["features"]
    assert (feature["id"], feature["properties"]["name"]) == (1, "Old Town")
    assert feature["geometry"]["type"] == "Polygon"
    assert len(feature["geometry"]["coordinates"]) == 2
    points = (await ask.client.get(PATH + "/0/query", params={"f": "geojson", "outSR": "3857"})).json()
    assert points["exceededTransferLimit"] is points["properties"]["exceededTransferLimit"] is True
    assert points["crs"]["properties"]["name"] == "EPSG:3857"
    refused = await ask.client.get(PATH + "/0/query", params={"f": "geojson", "where": "x"})
    assert refused.status_code == 200
    assert refused.json()["error"]["code"] == 400


async def test_several_layers_answer_at_once(ask, town):
    answer = await ask("/query", layerDefs={"0": "height > 10", "1": "1=1"})
    assert [(each["id"], len(each["features"])) for each in answer["layers"]] == [(0, 3), (1, 1)]
    answer = await ask("/query", layerDefs=[{"layerId": 2, "where": "1=1", "outFields": ["name"]}])
    assert answer["layers"][0]["features"][0]["attributes"] == {"name": "Old Town"}
    counts = await ask("/query", layerDefs="0:height > 10;2:1=1", returnCountOnly=True)
    assert counts == {"layers": [{"id": 0, "count": 3}, {"id": 2, "count": 1}]}


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"where": "1=1; DROP TABLE sights"}, "the where clause is no condition"),
        ({"where": "nobody = 1"}, "the fields are OBJECTID, name"),
        ({"outFields": "nobody"}, "has no field 'nobody'"),
        ({"orderByFields": "name; DROP"}, "Parameter 'orderByFields'"),
        ({"orderByFields": "nobody"}, "has no field 'nobody'"),
        ({"objectIds": "a,b"}, "Parameter 'objectIds'"),
        ({"geometry": "1,2,3"}, "Parameter 'geometry'"),
        ({"geometry": "{"}, "Parameter 'geometry'"),
        ({"geometry": {"rings": [[[0]]]}}, "Parameter 'geometry'"),
        ({"geometry": {}}, "Parameter 'geometry'"),
        ({"geometry": "1,2,3,4", "inSR": "99999999"}, "Parameter 'inSR'"),
        ({"geometry": "1,2,3,4", "spatialRel": "near"}, "Parameter 'spatialRel'"),
        ({"geometry": "1,2", "distance": "5"}, "Parameter 'distance'"),
        ({"time": "yesterday"}, "Parameter 'time'"),
        ({"time": "1e300"}, "the time is not understood"),
        ({"outSR": "moon"}, "Parameter 'outSR'"),
        ({"outStatistics": "5"}, "Parameter 'outStatistics'"),
        ({"outStatistics": [{"statisticType": "mood", "onStatisticField": "name"}]}, "no statistic 'mood'"),
        ({"outStatistics": [{"statisticType": "sum", "onStatisticField": "name"}]}, "holds no numbers"),
        ({"resultOffset": "-1"}, "Parameter 'resultOffset'"),
        ({"returnCountOnly": "perhaps"}, "Parameter 'returnCountOnly'"),
        ({"having": "1=1"}, "Parameter 'having'"),
    ],
)
async def test_what_is_not_understood_is_refused_with_the_reason(ask, town, parameters, said):
    error = (await ask("/0/query", **parameters))["error"]
    assert error["code"] == 400
    assert said in error["message"]


async def test_what_is_not_there_is_not_found(ask, town):
    assert (await ask("/9"))["error"]["code"] == 404
    assert (await ask("/x/query"))["error"]["code"] == 404
    nowhere = await ask.client.get("/rest/services/Maps/Nowhere/FeatureServer?f=json")
    assert nowhere.json()["error"]["code"] == 404


async def test_the_catalog_lists_it(ask, town):
    folder = (await ask.client.get("/rest/services/Maps?f=json")).json()
    assert folder["services"] == [
        {"name": "Maps/Town", "type": "FeatureServer", "description": "A small town"}
    ]
