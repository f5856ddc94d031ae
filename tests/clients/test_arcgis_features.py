"""Features with the package arcgis: FeatureLayer and FeatureLayerCollection."""

import pytest

from tests.clients.sites import Site, Told
from tests.clients.town import DAYS, town

__all__ = ["town"]


@pytest.fixture(scope="module")
def told(python_client: None, site: Site, town: None) -> Told:
    return site.run("arcgis_features.py", days=DAYS)


def test_a_service_has_its_layers(told: Told) -> None:
    assert told["collection_of_layers"] == {
        "layers": ["Sights", "streets", "districts", "summits"],
        "tables": ["remarks"],
        "capabilities": "Query,Create,Update,Delete,Editing",
    }
    layer = told["layer_explains_itself"]
    assert (layer["geometry"], layer["renderer"], layer["pages"]) == ("esriGeometryPoint", "simple", True)
    assert layer["fields"] == ["OBJECTID", "name", "kind", "height", "floors", "built", "GlobalID"]


def test_a_query_reads_every_page(told: Told) -> None:
    found = told["every_page_of_a_query"]
    assert found["names"] == sorted(f"Tree {number}" for number in range(450))
    assert found["in_order"] == list(range(450, 0, -1))
    assert found["reference"]["wkid"] == 4326
    assert found["first"]["y"] == 1


def test_queries_of_every_kind_are_answered(told: Told) -> None:
    found = told["query_of_all_kinds"]
    assert (found["count"], found["in_polygon"], found["in_envelope"], found["in_time"]) == (3, 4, 5, 3)
    assert found["ids"]["objectIds"] == [8, 9, 10]
    assert found["sorted"] == ["Sight 9", "Sight 8"]
    tops = {each["attributes"]["kind"]: each["attributes"]["top"] for each in found["statistics"]}
    assert tops == {"church": 13.5, "house": 12.0}
    assert found["distinct"] == 2
    assert found["extent"]["extent"]["xmax"] == pytest.approx(9 * 111319.490793)
    assert found["mercator"] == pytest.approx(111319.490793)


def test_features_are_edited(told: Told) -> None:
    seen = told["edits"]
    assert seen["added"]["addResults"][0]["success"] is True
    assert seen["changed"]["updateResults"][0]["success"] is True
    assert seen["height"] == 41
    assert seen["deleted"]["deleteResults"][0]["success"] is True
    assert seen["left"] == 0
    assert [each["success"] for each in told["delete_by_condition"]["deleteResults"]] == [True, True]


def test_what_does_not_fit_is_told(told: Told) -> None:
    first, second = told["bad_edit"]["addResults"]
    assert first["error"]["code"] == 1003
    assert "'many' is not a whole number" in second["error"]["description"]
    assert "the fields are OBJECTID, name" in told["bad_query"]


def test_others_read_but_do_not_edit(told: Told) -> None:
    other = told["edit_by_somebody_else"]
    assert other["count"] == 10
    assert "edited by its owner" in other["refusal"]
