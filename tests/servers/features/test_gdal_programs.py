"""GDAL's programs read the layer of a mission, thousands of features in pages."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from milepost.features import FeatureServices
from tests.running import RunningServer

MOST = 5000

pytestmark = pytest.mark.skipif(shutil.which("ogr2ogr") is None, reason="the programs of GDAL are missing")


@pytest.fixture(scope="module")
def layer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The URL of the events of a mission, and a token."""
    with RunningServer(tmp_path_factory.mktemp("gdal") / "data") as server, server.client() as client:
        form = {"title": "Flood", "f": "json"}
        made = client.post("/mission/rest/services/createMission", data=form).json()
        name = f"Missions/mission_{made['missionId']}"
        features = [
            {"attributes": {"summary": f"event {number}"}, "geometry": {"x": number / 100, "y": 42.5}}
            for number in range(MOST)
        ]
        FeatureServices(server.data).open(name).add(2, features)
        yield f"{server.address}/rest/services/{name}/FeatureServer/2", server.token


def address(layer: tuple[str, str], **parameters: str) -> str:
    url, token = layer
    more = "".join(f"&{name}={value}" for name, value in parameters.items())
    return f"ESRIJSON:{url}/query?where=1%3D1&outFields=*&f=json&token={token}{more}"


def run(*arguments: str) -> str:
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    return done.stdout


@pytest.mark.parametrize("page", ["", "700"])
def test_ogrinfo_counts_all(layer: tuple[str, str], page: str) -> None:
    more = {"resultRecordCount": page} if page else {}
    said = run("ogrinfo", "-ro", "-al", "-so", address(layer, orderByFields="OBJECTID", **more))
    assert f"Feature Count: {MOST}" in said
    assert "Geometry: Point" in said


def test_ogr2ogr_copies_all_once_and_in_order(layer: tuple[str, str], tmp_path: Path) -> None:
    copy = tmp_path / "events.geojson"
    run("ogr2ogr", str(copy), address(layer, resultRecordCount="300"))
    found = json.loads(copy.read_text())["features"]
    assert [each["properties"]["summary"] for each in found] == [f"event {n}" for n in range(MOST)]
    assert found[-1]["geometry"]["coordinates"] == [(MOST - 1) / 100, 42.5]


def test_a_part_of_them_is_asked_of_the_server(layer: tuple[str, str]) -> None:
    said = run(
        "ogrinfo",
        *("-ro", "-al", "-so"),
        address(layer).replace("where=1%3D1", "where=summary%20LIKE%20%27event%204%25%27"),
    )
    assert "Feature Count: 1111" in said
