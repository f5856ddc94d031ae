"""Features in a web page: the package @esri/arcgis-rest-feature-service."""

import pytest

from tests.clients.sites import Site, Told
from tests.clients.town import town

__all__ = ["town"]


@pytest.fixture(scope="module")
def told(node_client: None, site: Site, town: None) -> Told:
    return site.run("features.js")


def test_a_service_has_its_layers(told: Told) -> None:
    assert told["serviceAndLayer"] == {
        "layers": ["Sights", "streets", "districts", "summits"],
        "all": 5,
        "layer": ["Sights", "esriGeometryPoint"],
    }


def test_features_are_found(told: Told) -> None:
    assert told["queries"] == {
        "some": ["Sight 8", "Sight 7"],
        "all": 10,
        "count": 10,
        "geojson": {"type": "Point", "coordinates": [0, 0]},
        "feature": "Sight 2",
    }


def test_features_are_edited(told: Told) -> None:
    seen = told["edits"]
    assert seen["added"]["addResults"][0]["success"] is True
    assert seen["changed"]["updateResults"][0]["success"] is True
    assert seen["height"] == 41
    assert seen["deleted"]["deleteResults"][0]["success"] is True
    assert seen["undone"]["deleteResults"][0]["success"] is True


def test_what_cannot_be_asked_is_refused(told: Told) -> None:
    refusal = told["badQuery"]
    assert (refusal["name"], refusal["code"]) == ("ArcGISRequestError", 400)
    assert "the fields are OBJECTID, name" in refusal["message"]
    assert told["withoutToken"]["code"] == 499
