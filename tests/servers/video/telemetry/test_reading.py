"""Telemetry out of videos, however it is carried and however broken it is."""

import av
import pytest

from milepost.servers.video.telemetry import ingest


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
