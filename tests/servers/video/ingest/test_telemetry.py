"""Videos with telemetry, in the stream or beside it."""

import json
from datetime import UTC, datetime, timedelta

import m3u8
import pytest

from milepost.operations import Run
from milepost.servers.video.flight import make_clip
from milepost.servers.video.ingest import make_files
from tests.servers.video.ingest.filming import encode, film, ingest, said
from tests.servers.video.telemetry.webvtt import cues_of

STEPS = [154, 155, 156, 157, 158, 159, 160, 161, 174, 182, 162, 163, 205]


@pytest.fixture(scope="module")
def flown(tmp_path_factory):
    """The folder of a layer with telemetry, its facts, its run, and the flight."""
    folder = tmp_path_factory.mktemp("flown")
    flight = make_clip(folder / "flight.ts", seconds=5)
    run = Run(workspace=folder)
    return folder / "layer", ingest(folder / "flight.ts", folder / "layer", run=run), run, flight


def test_all_steps_are_told_in_the_documented_order(flown):
    _, _, run, _ = flown
    assert [code for code, _ in said(run)] == STEPS


def test_the_facts_tell_when_and_where(flown):
    _, facts, _, flight = flown
    assert facts.telemetry
    assert facts.start == round(flight.start.timestamp() * 1000)
    assert facts.end == facts.start + 4800
    west, south, east, north = facts.extent
    for moment in flight.moments:
        for x, y in moment.corners:
            assert west - 1e-4 <= x <= east + 1e-4
            assert south - 1e-4 <= y <= north + 1e-4


def test_the_telemetry_is_a_rendition_of_its_own_as_long_as_the_video(flown):
    folder, _, _, _ = flown
    master = m3u8.load(str(folder / "ABR.m3u8"))
    (subtitles,) = [each for each in master.media if each.type == "SUBTITLES"]
    assert (subtitles.uri, subtitles.default, subtitles.autoselect) == ("telemetry/index.m3u8", "NO", "NO")
    assert {each.stream_info.subtitles for each in master.playlists} == {subtitles.group_id}
    cues = m3u8.load(str(folder / subtitles.uri))
    pictures = m3u8.load(str(folder / "native/index.m3u8"))
    assert [each.duration for each in cues.segments] == [each.duration for each in pictures.segments]


def test_the_files_of_telemetry_are_there_and_those_on_the_way_are_gone(flown):
    folder, _, run, _ = flown
    for name in ("telemetry.json", "telemetry.geojson", "coverage.json"):
        assert json.loads((folder / name).read_text())
    assert (folder / "telemetry.csv").is_file()
    assert sorted(each.name for each in run.workspace.iterdir()) == ["flight.ts", "layer"]


def test_where_the_clock_of_a_recording_jumps_its_telemetry_stays_beside_its_pictures(tmp_path):
    whole = tmp_path / "twice.ts"
    start = datetime(2026, 6, 1, tzinfo=UTC)
    with whole.open("wb") as file:
        # The recorder was off for five minutes, and its clock went on.
        for part, later in enumerate((0, 300)):
            plain, moved = tmp_path / f"part{part}.ts", tmp_path / f"moved{part}.ts"
            make_clip(plain, seconds=2, klv="hybrid", start=start + timedelta(seconds=later))
            encode("-i", str(plain), "-map", "0", "-c", "copy", "-output_ts_offset", str(later), str(moved))
            file.write(moved.read_bytes())
    run = Run()
    facts = ingest(whole, tmp_path / "layer", run=run)
    assert (facts.frame_count, facts.duration) == (100, 4.0)
    (warning,) = [text for code, text in said(run) if code == 9007]
    assert warning.startswith("The clock of the source jumps: by +298.0 s after 2.0 s. ")
    cues = {each.start: each for each in cues_of(tmp_path / "layer/telemetry/segment_00000.vtt")}
    assert sorted(cues) == pytest.approx([each / 5 for each in range(20)], abs=0.1)
    after = cues[min(cues, key=lambda each: abs(each - 2))]
    assert after.values()[10002] == (start.timestamp() + 300) * 1_000_000


def test_what_is_wrong_with_the_telemetry_is_told(tmp_path):
    make_clip(tmp_path / "broken.ts", seconds=2, broken=[1, 2])
    run = Run()
    assert ingest(tmp_path / "broken.ts", tmp_path / "layer", run=run).telemetry
    (warning,) = [text for code, text in said(run) if code == 9005]
    assert "2 of the telemetry's sets had a wrong checksum" in warning


def test_telemetry_may_come_in_a_file_beside_the_video(tmp_path):
    video = film(tmp_path / "video.mp4", sound=False)
    table = tmp_path / "flight.csv"
    rows = [
        f"{1_780_304_400_000_000 + second * 1_000_000},42.5,{1.5 + second / 1000},1200" for second in range(4)
    ]
    header = "Precision Timestamp,Sensor Latitude,Sensor Longitude,Sensor True Altitude"
    table.write_text("\n".join([header, *rows]))
    run = Run()
    facts = make_files(run, [table, video], ["native"], tmp_path / "layer")
    assert [code for code, _ in said(run) if code < 9000] == STEPS
    assert facts.telemetry
    assert facts.start == 1_780_304_400_000


def test_a_file_beside_the_video_that_is_no_telemetry_fails_before_anything_is_encoded(tmp_path, clip):
    notes = tmp_path / "notes.csv"
    notes.write_text("Datum;Breite;Laenge\n2026-01-01;48;11\n")
    run = Run()
    with pytest.raises(RuntimeError, match=r"Probing Video Klv failed: notes\.csv has no column 'Precision"):
        make_files(run, [clip, notes], ["native"], tmp_path / "layer")
    assert [code for code, _ in said(run)] == [154, 155, 156, 9156]
