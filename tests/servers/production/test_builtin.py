"""What sheets are made from where nobody has configured anything."""

import json
from pathlib import Path

import numpy as np
import pytest

# Not Mapnik itself: its import changes the settings of PROJ and GDAL of the process.
pytest.importorskip("reportlab", reason="sheets need the extra production")

import pyogrio
import shapely

from milepost.gdal.rasters import open_raster
from milepost.servers.production.sheet import builtin, drainage


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("builtin")
    builtin.built_in_sources(folder)
    return folder


def height(folder: Path, longitude: float, latitude: float) -> float:
    with open_raster(folder / "sample_elevation.tif") as raster:
        left, width, _, top, _, depth = raster.transform
        return float(raster.read()[int((latitude - top) / depth), int((longitude - left) / width)])


@pytest.mark.parametrize(
    ("longitude", "latitude", "metres"),
    [
        (-84.1838, 36.3301, 325),  # Jacksboro
        (-84.1541, 36.2179, 263),  # Rocky Top
        (-84.2316, 36.1987, 1077),  # Cross Mountain, the highest of all
    ],
)
def test_the_heights_are_where_they_are_on_earth(folder, longitude, latitude, metres) -> None:
    assert height(folder, longitude, latitude) == pytest.approx(metres, abs=12)


def test_streams_run_down_to_lakes_and_edges(folder) -> None:
    streams = pyogrio.read_dataframe(folder / "sample_features.gpkg", layer="lines")
    lakes = pyogrio.read_dataframe(folder / "sample_features.gpkg", layer="multipolygons")
    assert {*streams["waterway"]} == {"river", "stream"}
    water = shapely.union_all(np.asarray(lakes.geometry))
    assert shapely.length(shapely.intersection(np.asarray(streams.geometry), water)).sum() < 1e-6
    falls = [
        height(folder, *line.coords[0]) - height(folder, *line.coords[-1])
        for line in streams.geometry
        if line.geom_type == "LineString"
    ]
    # Water breaks through where the survey saw trees.
    assert np.mean(np.array(falls) >= -10) > 0.98


def test_lakes_are_level(folder) -> None:
    lakes = pyogrio.read_dataframe(folder / "sample_features.gpkg", layer="multipolygons")
    assert len(lakes) > 5
    for lake in lakes.geometry:
        middle = lake.representative_point()
        assert height(folder, middle.x, middle.y) == pytest.approx(305, abs=20)


def test_water_finds_its_way_out_of_a_hollow() -> None:
    # A bowl with a rim of 9 that is lowest, at 5, in the middle of the right side.
    heights = np.full((7, 7), 9.0, dtype=np.float32)
    heights[1:-1, 1:-1] = 3.0
    heights[3, 3] = 1.0
    heights[3, 6] = 5.0
    receiver, order = drainage.drained(heights)
    area = drainage.gathered(receiver, order, np.ones(49))
    outlet = 3 * 7 + 6
    assert receiver[outlet] == outlet
    assert area[outlet] == 26  # itself and the bowl
    assert area.sum() >= 49
    place = {cell: number for number, cell in enumerate(order.tolist())}
    assert all(place[int(to)] <= place[cell] for cell, to in enumerate(receiver))


def test_water_keeps_to_the_middle_of_a_plain() -> None:
    # A level valley floor with slopes on all sides, and its way out in the middle of the lower one.
    across = np.abs(np.arange(31) - 15)
    heights = np.tile(np.maximum(across - 8, 0).astype(np.float32) * 10 + 1, (40, 1))
    heights[[0, -1]] = 90.0
    heights[-1, 15] = 0.0
    receiver, order = drainage.drained(heights)
    area = drainage.gathered(receiver, order, np.ones(heights.size)).reshape(heights.shape)
    main = area[10:-2].argmax(axis=1)
    assert np.abs(main - 15).max() <= 2


def test_every_name_has_its_source(folder) -> None:
    document = json.loads(builtin.PLACES.read_text())
    assert "GeoNames" in document["source"]
    assert document["licence"].startswith("CC BY 4.0")
    places = pyogrio.read_dataframe(folder / "sample_features.gpkg", layer="points")
    assert set(places["name"]) == {each["properties"]["name"] for each in document["features"]}


def test_files_that_are_there_are_not_made_again(folder) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    vectors, elevation = builtin.built_in_sources(folder)
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    assert Path(vectors[0].path).is_file()
    assert "GeoNames" in vectors[0].credit
    assert "Shuttle Radar" in elevation[0].credit
