"""GDAL through its C interface: rasters, algorithms, progress, and what it says when it fails."""

import json
import os
import threading

import geopandas as gpd
import numpy as np
import pytest
from pyproj import CRS

from milepost.gdal import libgdal
from milepost.gdal.rasters import GdalError, create_raster, open_raster, run_algorithm

PLACE = {"transform": (500_000.0, 30.0, 0.0, 4_000_000.0, 0.0, -30.0), "crs": CRS.from_epsg(32616)}


@pytest.fixture
def ramp(tmp_path):
    """A GeoTIFF whose pixels are the sum of their row and column, in a folder with an awkward name."""
    folder = tmp_path / "a, b [c] 'd'"
    folder.mkdir()
    pixels = np.add.outer(np.arange(60), np.arange(80)).astype("float32")
    with create_raster(
        folder / "ramp.tif", width=80, height=60, dtype="float32", nodata=-1, **PLACE
    ) as raster:
        raster.write(pixels)
    return folder / "ramp.tif"


def test_what_was_written_is_read(ramp):
    with open_raster(ramp) as raster:
        assert (raster.width, raster.height, raster.nodata) == (80, 60, -1)
        assert raster.transform == PLACE["transform"]
        assert raster.crs == PLACE["crs"]
        assert raster.scale_and_offset == (1, 0)
        assert (raster.read() == np.add.outer(np.arange(60), np.arange(80))).all()
        assert raster.read(10, 2, dtype="uint16")[:, 0].tolist() == [10, 11]
        assert raster.read(10, 2, left=70, columns=3).tolist() == [[80, 81, 82], [81, 82, 83]]


def test_an_algorithm_reports_progress_and_writes_its_output(ramp):
    shares = []
    with open_raster(ramp) as raster:
        run_algorithm("raster slope", {"input": raster, "output": ramp.parent / "slope.tif"}, shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1
    with open_raster(ramp.parent / "slope.tif") as slope:
        assert slope.read()[5, 5] == pytest.approx(np.degrees(np.arctan(np.hypot(1, 1) / 30)))


def test_arguments_of_every_type_arrive(ramp):
    output = ramp.parent / "lines.geojson"
    with open_raster(ramp) as raster:
        arguments = {
            "input": raster,
            "output": output,
            "levels": ["10", "20.5"],
            "elevation-name": "height",
            "band": 1,
        }
        run_algorithm("raster contour", {**arguments, "3d": True})
        view = {"position": [501_000, 3_999_000], "height": 2, "max-distance": 300.0}
        run_algorithm("raster viewshed", {"input": raster, "output": ramp.parent / "view.tif", **view})
    assert set(gpd.read_file(output)["height"]) == {10, 20.5}
    assert json.loads(output.read_text())["features"][0]["geometry"]["coordinates"][0][2] == 10
    with open_raster(ramp.parent / "view.tif") as seen:
        assert seen.width < 30


def test_what_progress_raises_stops_gdal_and_comes_back(ramp):
    output = ramp.parent / "stopped.tif"

    def stop(share):
        if share > 0.3:
            raise KeyboardInterrupt

    with open_raster(ramp) as raster, pytest.raises(KeyboardInterrupt):
        run_algorithm("raster slope", {"input": raster, "output": output}, stop)


def test_progress_is_told_in_the_thread_that_called(ramp):
    """GDAL looks around in threads of its own."""
    threads = set()
    with open_raster(ramp) as raster:
        arguments = {"input": raster, "output": ramp.parent / "view.tif", "position": [501_000, 3_999_000]}
        run_algorithm("raster viewshed", arguments, lambda _: threads.add(threading.get_ident()))
    assert threads == {threading.get_ident()}


def test_errors_carry_the_words_of_gdal_but_no_folders(ramp, capfd):
    with open_raster(ramp) as raster, pytest.raises(GdalError) as failure:
        run_algorithm("raster slope", {"input": raster, "output": ramp.parent / "nowhere" / "slope.tif"})
    assert "slope.tif' failed: slope.tif: No such file or directory" in str(failure.value)
    assert "nowhere" not in str(failure.value)
    with open_raster(ramp) as raster, pytest.raises(GdalError, match=r"'ramp.tif' already exists"):
        run_algorithm("raster slope", {"input": raster, "output": ramp})
    assert capfd.readouterr() == ("", "")


def test_a_file_that_cannot_be_written_is_an_error(tmp_path):
    with (
        pytest.raises(GdalError, match=r"a\.tif"),
        create_raster(tmp_path / "no" / "a.tif", width=1, height=1, dtype="uint8", **PLACE),
    ):
        pass


@pytest.mark.parametrize(
    ("name", "arguments", "cause"),
    [
        ("raster dance", {}, "no algorithm 'raster dance'"),
        ("raster slope", {"depth": 1}, "no argument 'depth'"),
        ("raster slope", {"unit": "gradian"}, "takes no 'gradian' as 'unit'"),
        ("raster slope", {"input": "/vsicurl/http://localhost/dem.tif"}, "takes no '/vsicurl/"),
    ],
)
def test_a_name_is_no_input(name, arguments, cause):
    with pytest.raises(ValueError, match=cause):
        run_algorithm(name, arguments)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("dem.vrt", '<VRTDataset rasterXSize="9" rasterYSize="9"></VRTDataset>'),
        ("dem.tif", '<VRTDataset rasterXSize="9" rasterYSize="9"></VRTDataset>'),
        ("dem.tif", '{"type": "gdal_streamed_alg", "command_line": "gdal raster convert /etc/passwd"}'),
        ("dem.tif", "II*\0broken"),
    ],
)
def test_formats_that_could_name_other_files_are_not_opened(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    with (
        pytest.raises(ValueError, match=f"{name} is no raster of the formats GTiff"),
        open_raster(tmp_path / name),
    ):
        pass


@pytest.mark.parametrize("name", ["/vsicurl/http://localhost/dem.tif", "GTIFF_DIR:1:dem.tif", "dem.tif"])
def test_only_files_that_are_there_are_opened(name):
    with (
        pytest.raises(ValueError, match=r"there is no raster file dem\.tif|no raster file GTIFF_DIR"),
        open_raster(name),
    ):
        pass


def test_a_library_without_the_algorithms_is_said_at_once(monkeypatch):
    monkeypatch.setitem(libgdal.FUNCTIONS, "GDALAlgorithmOfTomorrow", (None, []))
    with pytest.raises(ImportError, match=r"lacks GDALAlgorithmOfTomorrow; .* pip install 'milepost\[gp\]'"):
        libgdal.load()


def test_it_works_in_a_process_forked_from_a_warm_one(ramp):
    with open_raster(ramp) as raster:
        run_algorithm("raster hillshade", {"input": raster, "output": ramp.parent / "here.tif"})
    child = os.fork()
    if child == 0:
        failed = 1
        try:
            with open_raster(ramp) as raster:
                arguments = {"input": raster, "output": ramp.parent / "there.tif", "dst-crs": "EPSG:4326"}
                run_algorithm("raster reproject", arguments)
            failed = 0
        finally:
            os._exit(failed)
    assert os.waitpid(child, 0)[1] == 0
    with open_raster(ramp.parent / "there.tif") as raster:
        assert raster.crs == CRS.from_epsg(4326)
