"""What is written of telemetry: subtitles, track, table and coverage."""

import csv
import itertools
import json

import m3u8
import pytest
import shapely

from milepost.servers.video.telemetry import ingest, load
from milepost.servers.video.telemetry.features import as_geojson
from milepost.servers.video.telemetry.klv import NAMES
from tests.servers.video.telemetry.webvtt import cues_of


@pytest.fixture
def written(film, tmp_path):
    """The folder of a layer, and the truth."""

    def written(segments=(0.8, 0.8, 0.4), **asked):
        path, truth = film(**asked)
        work, folder = tmp_path / "work", tmp_path / "layer"
        work.mkdir()
        folder.mkdir()
        summary = ingest.write(ingest.read(path, workspace=work), folder, segments)
        return folder, truth, summary

    return written


def test_there_are_subtitles_for_every_segment(written):
    folder, _, _ = written()
    playlist = m3u8.load(str(folder / "telemetry" / "index.m3u8"))
    assert playlist.is_endlist
    assert playlist.playlist_type == "vod"
    assert playlist.target_duration == 1
    assert [each.duration for each in playlist.segments] == [0.8, 0.8, 0.4]
    files = [each.uri for each in playlist.segments]
    assert sorted(each.name for each in (folder / "telemetry").glob("*.vtt")) == files


def test_cues_tell_what_the_camera_sees_without_a_gap(written):
    folder, truth, _ = written()
    cues = [each for file in sorted((folder / "telemetry").glob("*.vtt")) for each in cues_of(file)]
    assert [each.start for each in cues] == pytest.approx([each.time for each in truth.moments], abs=0.001)
    assert all(a.end == b.start for a, b in itertools.pairwise(cues))
    assert cues[-1].end == 2
    for cue, moment in zip(cues, truth.moments, strict=True):
        values = cue.values()
        assert values[10013] == pytest.approx(moment.sensor[1], abs=1e-7)
        assert values[10014] == pytest.approx(moment.sensor[0], abs=1e-7)
        assert values[90050] == pytest.approx(moment.center[1], abs=1e-6)
        corners = [(values[90053 + 2 * each], values[90052 + 2 * each]) for each in range(4)]
        for corner, true in zip(corners, moment.corners, strict=True):
            assert corner == pytest.approx(true, abs=1e-6)
        outline = values[90060]["geometry"]
        assert shapely.Polygon(outline["rings"][0]).equals(shapely.Polygon(corners))
        assert values[90061]["geometry"]["z"] == pytest.approx(moment.sensor[2], abs=0.2)
        assert values[20001] == "UNCLASSIFIED"
        assert values[10010] == "Synthetic <UAS> & camera"


def test_cue_times_are_utc_in_microseconds(written):
    folder, truth, _ = written()
    first = cues_of(folder / "telemetry" / "segment_00000.vtt")[0]
    assert first.values()[10002] == round(truth.start.timestamp() * 1_000_000)


def test_nothing_in_a_cue_is_markup(written):
    folder, _, _ = written()
    for file in (folder / "telemetry").glob("*.vtt"):
        for cue in cues_of(file):
            assert not set(cue.text) & set("<>&")


def test_a_cue_over_a_boundary_is_in_both_segments(written):
    folder, _, _ = written(segments=(0.5, 0.5, 1.0))
    first, second, _ = (cues_of(file) for file in sorted((folder / "telemetry").glob("*.vtt")))
    assert first[-1] == second[0]
    assert (first[-1].start, first[-1].end) == (0.4, 0.6)


def test_ten_cues_a_second_are_enough(written):
    folder, truth, _ = written(klv_rate=25, seconds=1, segments=(1.0,))
    assert len(truth.moments) == 25
    cues = cues_of(folder / "telemetry" / "segment_00000.vtt")
    assert 8 <= len(cues) <= 10
    # Nothing is lost of the table.
    assert len((folder / "telemetry.csv").read_text().splitlines()) == 26


def test_the_table_has_the_fields_that_arcgis_documents(written):
    folder, truth, _ = written()
    with (folder / "telemetry.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(truth.moments)
    for row, moment in zip(rows, truth.moments, strict=True):
        microseconds = round((truth.start.timestamp() + moment.time) * 1_000_000)
        assert int(row["Precision Timestamp"]) == microseconds
        assert float(row["Sensor Latitude"]) == pytest.approx(moment.sensor[1], abs=1e-7)
        assert float(row["Platform Heading Angle"]) == pytest.approx(moment.heading, abs=0.01)
        assert float(row["Sensor Relative Azimuth Angle"]) == pytest.approx(moment.relative_azimuth, abs=0.01)
        assert float(row["Sensor Horizontal Field of View"]) == pytest.approx(truth.horizontal_view, abs=0.01)


def test_the_table_has_all_that_is_told(written, film):
    folder, _, _ = written()
    with (folder / "telemetry.csv").open(newline="") as file:
        row = next(csv.DictReader(file))
    assert row["Security Classification"] == "UNCLASSIFIED"
    path, _ = film()
    told = next(ingest.read(path, workspace=folder).samples())
    for tag, value in told.values.items():
        # Places stand under names of their own, where they may be computed as well.
        if isinstance(value, int | float) and tag not in range(82, 90):
            assert float(row[NAMES[tag]]) == pytest.approx(value, abs=1e-6)
    assert len(told.values) > 12


def test_the_table_can_be_read_back_as_a_side_file(written, film, read):
    folder, _, summary = written()
    with (folder / "telemetry.csv").open(newline="") as file:
        first = next(csv.DictReader(file))
    mission = first["Mission ID"]
    assert mission
    plain, _ = film(klv="none")
    found, samples = read(plain, [folder / "telemetry.csv"])
    assert found.source == "telemetry.csv"
    assert found.time_system == "UTC"
    assert (found.start, found.end) == (summary.start, summary.end)
    assert len(samples) == 10
    assert samples[3].time == pytest.approx(0.6)
    assert samples[3].values[3] == mission
    assert len(samples[3].corners) == 4


def test_the_track_follows_the_camera(written):
    folder, truth, summary = written()
    track = load(folder / "telemetry.json")
    assert (track.start, track.end, track.extent) == (summary.start, summary.end, summary.extent)
    assert track.about["Security Classification"] == "UNCLASSIFIED"
    for seconds in (0.0, 0.3, 1.05, 1.8):
        place, true = track.at(seconds), truth.at(seconds)
        assert place.sensor == pytest.approx(true.sensor, abs=0.3)
        for mine, corner in zip(place.corners, true.corners, strict=True):
            assert mine == pytest.approx(corner, abs=2e-5)
    assert track.at(60) is None


def test_the_geojson_has_tracks_and_footprints(written):
    folder, truth, _ = written()
    content = json.loads((folder / "telemetry.geojson").read_text())
    roles = [each["properties"]["role"] for each in content["features"]]
    assert roles == ["sensor track", "center track", *["footprint"] * len(truth.moments)]
    for each in content["features"]:
        shape = shapely.geometry.shape(each["geometry"])
        assert shape.is_valid
        if shape.geom_type == "Polygon":
            assert shape.exterior.is_ccw
            assert each["properties"]["Security Classification"] == "UNCLASSIFIED"
            assert each["properties"]["Slant Range"] > 0
    assert content["footprints"] == {"shown": len(truth.moments), "every": 1, "sets": len(truth.moments)}
    assert content["about"] == load(folder / "telemetry.json").about


def test_the_geojson_says_when_it_has_not_every_footprint(written):
    folder, truth, _ = written()
    content = as_geojson(load(folder / "telemetry.json"), most=4)
    assert content["footprints"] == {"shown": 4, "every": 3, "sets": len(truth.moments)}
    assert sum(each["geometry"]["type"] == "Polygon" for each in content["features"]) == 4


def test_the_coverage_is_told_in_both_documented_shapes(written):
    folder, truth, summary = written()
    content = json.loads((folder / "coverage.json").read_text())
    telemetry = content["telemetry"]
    assert telemetry["start"]["frameCenter"] == telemetry["framCenter"]
    assert telemetry["start"]["frameOutline"] == telemetry["frameOutline"]
    assert telemetry["start"]["sensor"] == telemetry["sensor"]
    x, y, z = truth.moments[0].sensor
    assert [telemetry["sensor"][each] for each in "xyz"] == pytest.approx([x, y, z], abs=0.2)
    points = content["sensorPoints"]["points"]
    assert [each[3] for each in points] == [round(each.time * 1000) for each in truth.moments]
    area = shapely.Polygon(content["area"]["rings"][0])
    footprints = shapely.union_all([shapely.Polygon(each.corners) for each in truth.moments])
    assert area.symmetric_difference(footprints).area < 0.01 * footprints.area
    assert not shapely.LinearRing(content["area"]["rings"][0]).is_ccw
    assert shapely.box(*summary.extent).buffer(1e-6).contains(footprints)


def test_telemetry_with_nothing_to_see_is_written_all_the_same(written):
    folder, _, summary = written(broken=range(10))
    assert summary.extent is None
    assert json.loads((folder / "coverage.json").read_text())["telemetry"] == {}
    assert [len(cues_of(each)) for each in (folder / "telemetry").glob("*.vtt")] == [0, 0, 0]
    assert load(folder / "telemetry.json").at(0) is None
