"""Telemetry from files beside a video."""

import pytest

from milepost.servers.video.telemetry import ingest

TABLE = """\
Precision Timestamp;Sensor Latitude;Sensor Longitude;Sensor True Altitude;Note
1780304400000000;42.5;1.5;3000;first
1780304401000000;42.51;1.51;;second
"""

GPX = """<?xml version="1.0"?>
<gpx xmlns="http://www.topografix.com/GPX/1/1" version="1.1"><trk><trkseg>
<trkpt lat="42.5" lon="1.5"><ele>1200.5</ele><time>2026-06-01T09:00:00Z</time></trkpt>
<trkpt lat="42.6" lon="1.5"><ele>1201</ele><time>2026-06-01T09:00:01.500Z</time></trkpt>
<trkpt lat="93" lon="1.5"><time>2026-06-01T09:00:01.600Z</time></trkpt>
</trkseg></trk></gpx>
"""


@pytest.fixture
def beside(film, read, tmp_path):
    """What is read of a file beside a video without telemetry."""

    def beside(name, content):
        side = tmp_path / name
        side.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read(film(klv="none")[0], [side])

    return beside


@pytest.mark.parametrize(
    "content",
    [
        TABLE,
        "\ufeff" + TABLE.replace(";", ","),
        TABLE.replace(";", "\t"),
        TABLE.replace("1780304400000000", "2026-06-01T09:00:00Z").replace(
            "1780304401000000", "2026-06-01T09:00:01Z"
        ),
        TABLE.replace("1780304400000000", "1780304400000").replace("1780304401000000", "1780304401000"),
        TABLE.replace("Precision Timestamp", "TimeStamp").replace("Sensor Latitude", "sensorlatitude"),
    ],
    ids=["semicolons", "commas", "tabs", "dates", "milliseconds", "other names"],
)
def test_tables_are_read_however_they_are_written(beside, content):
    found, samples = beside("flight", content)
    assert found.source == "flight"
    assert (found.start, found.end) == (1780304400000, 1780304401000)
    assert [each.time for each in samples] == [0, 1]
    assert samples[0].sensor == (1.5, 42.5, 3000.0)
    assert samples[1].sensor[:2] == (1.51, 42.51)


@pytest.mark.parametrize("name", ["flight.gpx", "Flight.txt", "upload"])
def test_a_gpx_is_read(beside, name):
    found, samples = beside(name, GPX)
    assert [each.time for each in samples] == [0, 1.5]
    assert samples[0].sensor == (1.5, 42.5, 1200.5)
    assert found.extent == (1.5, 42.5, 1.5, 42.6)
    assert found.warnings[0] == "1 rows of the telemetry have no readable time or position and were left out"


def test_rows_that_cannot_be_read_are_counted(beside):
    found, samples = beside("flight.csv", TABLE + "soon;1;1;1;\n1780304402000000;north;1;1;\n\n")
    assert len(samples) == 2
    assert found.warnings[0].startswith("2 rows")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", "no column 'Precision Timestamp'"),
        ("a.csv", "TimeStamp,Sensor Latitude\n1,2\n", "no column 'Sensor Longitude'"),
        ("a.csv", "x" * 100_000, "more than 65536 characters"),
        ("a.gpx", "", "no column"),
        ("a.gpx", "<gpx><trk>", "no sound GPX"),
        ("a.gpx", "<gpx/>", "no point of a track"),
        ("a.gpx", '<!DOCTYPE a [<!ENTITY b "c">]><gpx>&b;</gpx>', "declares entities"),
        (
            "a.gpx",
            '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><gpx>&b;</gpx>',
            "declares entities",
        ),
        ("a.txt", b"\0\xff\xfe\0" * 10, "no column"),
    ],
)
def test_what_is_no_telemetry_is_refused_with_the_cause(beside, name, content, message):
    with pytest.raises(ingest.SideFileError, match=message):
        beside(name, content)


def test_telemetry_of_the_video_comes_first(film, read, tmp_path):
    side = tmp_path / "flight.csv"
    side.write_text(TABLE)
    found, samples = read(film()[0], {"what I uploaded.csv": side})
    assert found.source == "synchronous KLV"
    assert len(samples) == 10
    assert found.warnings == ("what I uploaded.csv was not used: telemetry is from synchronous KLV",)


def test_a_side_file_stands_in_when_no_set_can_be_used(film, read, tmp_path):
    side = tmp_path / "flight.csv"
    side.write_text(TABLE)
    found, samples = read(film(broken=range(10))[0], [side])
    assert found.source == "flight.csv"
    assert len(samples) == 2
    assert found.warnings[0].startswith("10 of the telemetry's sets had a wrong checksum")


def test_rows_after_the_end_of_the_video_are_left_out(beside):
    _, samples = beside("flight.csv", TABLE + "1780304500000000;42.5;1.5;3000;late\n")
    assert len(samples) == 2


def test_of_several_files_the_one_with_telemetry_counts(film, read, tmp_path):
    notes, side, other = (tmp_path / each for each in ("notes.txt", "flight.csv", "again.csv"))
    notes.write_text("filmed on Monday\n")
    side.write_text(TABLE)
    other.write_text(TABLE)
    found, samples = read(film(klv="none")[0], [notes, side, other])
    assert found.source == "flight.csv"
    assert len(samples) == 2
    assert any(each.startswith("notes.txt has no column") for each in found.warnings)
    assert "again.csv was not used: telemetry is from flight.csv" in found.warnings


def test_a_track_that_breaks_off_is_used_up_to_there(beside):
    found, samples = beside("flight.gpx", GPX[: GPX.index('<trkpt lat="93"')])
    assert len(samples) == 2
    assert any("no sound GPX" in each for each in found.warnings)
