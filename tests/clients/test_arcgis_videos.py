"""Video services with the package arcgis, whose own models read the answers."""

import pytest

from tests.clients.sites import Site, Told


@pytest.fixture(scope="module")
def told(python_client: None, site: Site) -> Told:
    return site.run("arcgis_videos.py")


def test_the_server(told: Told) -> None:
    assert told["the_server"] == {"version": True, "signing_in": True}


def test_the_life_of_a_service(told: Told) -> None:
    saw = told["life_of_a_service"]
    assert "there is a video service" in saw.pop("again")
    assert saw == {
        "before": False,
        "made": [True, "Flights_arcgis"],
        "about": ["Flights_arcgis", "VideoServer", []],
        "item": True,
        "listed": True,
        "deleted": True,
        "after": False,
        "types": ["VideoServer"],
    }


def test_uploads(told: Told) -> None:
    saw = told["uploads"]
    assert saw["mine"] == ["admin", "flight.ts", "video/mp2t", True]
    assert saw["deleted"]["status"] == "success"
    assert saw["left"] == []
