"""GDAL's reader of feature services goes through the pages of a layer."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from milepost.features import FeatureServices
from tests.running import RunningServer
from tests.servers.features.town import TOWN, fill

pyogrio = pytest.importorskip("pyogrio")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Of the town, and a token."""
    data: Path = tmp_path_factory.mktemp("gdal") / "data"
    fill(FeatureServices(data).create("Maps/Town", TOWN))
    with RunningServer(data) as server:
        yield f"{server.address}/rest/services/Maps/Town/FeatureServer", server.sign_in()


def read(address: tuple[str, str], layer: int, **parameters: str) -> Any:
    url, token = address
    asked = urlencode({"where": "1=1", "outFields": "*", "f": "json", "token": token, **parameters})
    return pyogrio.read_dataframe(f"ESRIJSON:{url}/{layer}/query?{asked}")


def test_every_page_is_read(address):
    frame = read(address, 0, orderByFields="OBJECTID")  # in pages of five
    assert list(frame["name"]) == [f"Sight {number}" for number in range(10)]
    assert (frame.crs.to_epsg(), frame.geometry.iloc[9].wkt) == (4326, "POINT (9 4.5)")
    assert str(frame["built"].iloc[0]) == "2026-09-21 14:13:20+00:00"


def test_geometries_of_every_kind_are_read(address):
    assert read(address, 1).geometry.iloc[0].geom_type == "MultiLineString"
    assert len(read(address, 2, outSR="3857").geometry.iloc[0].interiors) == 1
    assert read(address, 3, returnZ="true").geometry.iloc[0].wkt == "POINT Z (1 2 812.5)"
