"""Telemetry out of videos, however it is carried and however broken it is."""

import av
import psutil
import pytest

from milepost.servers.video.flight.transport import insert_klv
from milepost.servers.video.ingest import Limits
from milepost.servers.video.ingest.probing import probe
from milepost.servers.video.telemetry import demuxing, ingest
from milepost.servers.video.telemetry.klv import Splitter
from tests.servers.video.ingest import filming


@pytest.mark.parametrize(
    ("klv", "carriage"),
    [
        ("synchronous", "synchronous"),
        ("private", "asynchronous"),
        ("unregistered", "asynchronous"),
        ("hybrid", "synchronous"),
    ],
)
def test_telemetry_is_read_from_every_carriage(film, read, klv, carriage):
    path, truth = film(klv=klv)
    stream = ingest.find(path)
    assert stream is not None
    assert stream.carriage == carriage
    found, samples = read(path)
    assert found.warnings == ()
    assert found.count == len(truth.moments)
    # Without time stamps a set belongs to the picture beside it.
    assert [each.time for each in samples] == pytest.approx([each.time for each in truth.moments], abs=0.05)
    for sample, moment in zip(samples, truth.moments, strict=True):
        assert sample.sensor == pytest.approx(moment.sensor, abs=0.2)
        assert sample.sensor[:2] == pytest.approx(moment.sensor[:2], abs=1e-7)
        assert sample.values[3] == "Synthetic"
        assert sample.security[1] == "UNCLASSIFIED"


def test_times_are_utc_when_the_leap_seconds_are_told(film, read):
    path, truth = film()
    found, _ = read(path)
    assert found.time_system == "UTC"
    assert found.start == round(truth.start.timestamp() * 1000)
    assert found.end == found.start + 1800


def test_times_without_leap_seconds_are_told_to_be_misp_time(film, read):
    path, truth = film(leap_seconds=None)
    found, _ = read(path)
    assert found.time_system == "MISP"
    assert found.start == round(truth.start.timestamp() * 1000)
    assert any("MISP time" in each for each in found.warnings)


@pytest.fixture
def late(film, tmp_path):
    """A video whose telemetry begins in its second half."""

    def late(carriage):
        plain, (path, _) = film(klv="none")[0], film()
        with av.open(str(path)) as clip:
            raw = b"".join(bytes(each) for each in clip.demux(clip.streams.data))
        sets = [(1.2 + number / 10, each) for number, (_, each) in enumerate(Splitter().feed(raw))]
        target = tmp_path / f"late-{carriage}.ts"
        insert_klv(plain, target, sets[:5], carriage)
        return target

    return late


@pytest.mark.parametrize("carriage", ["synchronous", "private", "unregistered"])
def test_telemetry_may_begin_late(late, monkeypatch, carriage):
    # However much comes before it in a transport stream, and whether its stream says what it is or not.
    monkeypatch.setattr(demuxing, "_LOOK", 2000)
    assert ingest.find(late(carriage)) is not None


def test_a_long_search_can_be_stopped(late, monkeypatch):
    monkeypatch.setattr(demuxing, "_CHECK", 2000)

    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest.find(late("unregistered"), stop)


def test_a_single_packet_of_data_is_not_looked_for_in_the_whole_file(tmp_path, monkeypatch):
    path = filming.film(
        tmp_path / "timed.mov",
        "-c:v",
        "mjpeg",
        "-q:v",
        "1",
        "-timecode",
        "01:00:00:00",
        size="640x360",
        sound=False,
    )
    monkeypatch.setattr(demuxing, "_LOOK", 200_000)
    before = psutil.Process().io_counters().read_chars
    assert ingest.find(path) is None
    assert psutil.Process().io_counters().read_chars - before < path.stat().st_size / 2


def test_of_two_pictures_that_is_taken_which_becomes_the_layer(tmp_path):
    path = tmp_path / "two.ts"
    small, large = (f"testsrc2=size={size}:rate=10:duration=1" for size in ("160x160", "320x180"))
    filming.encode(
        *("-f", "lavfi", "-i", small, "-itsoffset", "0.5", "-f", "lavfi", "-i", large),
        *("-map", "0", "-map", "1", *filming.H264, str(path)),
    )
    taken = probe(path, check=lambda: None, limits=Limits()).video
    picture = demuxing.Picture(path)
    assert (taken.index, taken.width) == (1, 320)
    assert (picture.aspect, picture.start) == (pytest.approx(16 / 9), pytest.approx(taken.start))


def test_a_video_without_telemetry_has_none(film, read):
    path, _ = film(klv="none")
    assert ingest.find(path) is None
    assert read(path) == (None, [])


def test_sets_with_a_wrong_checksum_are_counted_and_left_out(film, read):
    path, truth = film(broken=(2, 5))
    found, samples = read(path)
    assert found.warnings == ("2 of the telemetry's sets had a wrong checksum and were left out",)
    assert [round(each.time, 3) for each in samples] == [
        round(each.time, 3) for number, each in enumerate(truth.moments) if number not in {2, 5}
    ]


def test_a_video_whose_sets_are_all_broken_says_so(film, read):
    path, _ = film(broken=range(10))
    found, samples = read(path)
    assert samples == []
    assert found.extent is None
    assert found.warnings[0].startswith("10 of the telemetry's sets had a wrong checksum")


def test_a_file_that_is_no_video_is_refused(tmp_path):
    path = tmp_path / "a.ts"
    path.write_bytes(b"nothing")
    with pytest.raises(av.FFmpegError):
        ingest.find(path)


def test_a_playlist_is_not_opened(tmp_path, film):
    path, _ = film()
    playlist = tmp_path / "video.ts"
    playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:2,\nfile://{path}\n#EXT-X-ENDLIST\n")
    with pytest.raises(av.FFmpegError):
        ingest.find(playlist)


def test_values_that_are_not_told_again_hold_for_a_while(film, read, tmp_path):
    from stanag4609.st0601 import encode_uas_local_set

    from milepost.servers.video.flight.transport import insert_klv

    plain, truth = film(klv="none", seconds=4)
    path = tmp_path / "sparse.ts"
    time = int(truth.start.timestamp() * 1_000_000)
    sets = [
        (0.0, encode_uas_local_set({2: time, 3: "Told once", 13: 42.0, 14: 1.5, 65: 19, 136: 29})),
        (1.0, encode_uas_local_set({2: time + 1_000_000, 65: 19})),
        (3.5, encode_uas_local_set({2: time + 3_500_000, 65: 19})),
    ]
    insert_klv(plain, path, sets, "synchronous")
    _, samples = read(path)
    assert [each.values.get(3) for each in samples] == ["Told once"] * 3
    assert [each.sensor is not None for each in samples] == [True, True, False]
