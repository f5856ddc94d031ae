"""Map sheets with the package arcgis, whose client of this service nobody has changed."""

from pathlib import Path

import pytest

from tests.clients.sites import Site, Told

# Not Mapnik itself: its import changes the settings of PROJ and GDAL of the process.
pytest.importorskip("reportlab", reason="sheets need the extra production")


@pytest.fixture(scope="module")
def told(python_client: None, site: Site, tmp_path_factory: pytest.TempPathFactory) -> Told:
    folder: Path = tmp_path_factory.mktemp("sheets")
    return site.run("arcgis_production.py", folder=str(folder))


def test_the_products(told: Told) -> None:
    saw = told["products"]
    assert saw["service"] == "Topography"
    assert {"MTM25", "MTM50", "OVR250"} <= {*saw["names"]}
    assert saw["scale"] == 50_000
    assert "Product name not found." in saw["unknown"]


def test_a_product_of_ones_own(told: Told) -> None:
    done = {"success": True, "productName": "Walks"}
    assert told["a_product_of_ones_own"] == {
        "added": done,
        "updated": done,
        "versions": ["1.0", "Bare"],
        "removed": done,
    }


def test_an_area_from_a_point(told: Told) -> None:
    assert told["an_area_from_a_point"] == {"success": True, "features": 1}


def test_a_sheet(told: Told) -> None:
    assert told["a_sheet"] == {
        "status": ["Completed", 4, 1],
        "product": ["MTM50", "1.0", "PDF"],
        "errors": [],
        "started": True,
        "said": "Starting to generate product MTM50.",
        "begins": "%PDF-",
    }


def test_what_fails(told: Told) -> None:
    saw = told["what_fails"]
    assert saw["status"] == ["Failed", 5]
    assert saw["errors"] == 2
    assert "Product name not found." in saw["unknown"]
    assert "send zip" in saw["output"]


def test_what_is_stopped(told: Told) -> None:
    assert told["what_is_stopped"] == {"success": True, "status": ["Canceled", 8], "found": True}
