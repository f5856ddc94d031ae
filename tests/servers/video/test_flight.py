"""The synthetic flight: picture, telemetry and truth agree, whatever carries the telemetry."""

from datetime import UTC, datetime

import av
import numpy as np
import pyproj
import pytest
from PIL import Image
from stanag4609.errors import ChecksumError
from stanag4609.st0601 import decode_uas_local_set
from stanag4609.transport import (
    KLVCarriage,
    MetadataStreamDecoder,
    PESStreamEvent,
    StreamKind,
    TransportDemuxer,
)
from stanag4609.verifier import VerificationStatus, verify_fmv_file

from milepost.servers.video.flight import Flight, Ground, draw_ground, make_clip


@pytest.mark.parametrize("klv", ["synchronous", "private", "unregistered", "hybrid", "none"])
def test_every_carriage_is_a_video_that_players_read(tmp_path, klv):
    path = tmp_path / "clip.ts"
    truth = make_clip(path, seconds=2, width=160, height=90, klv=klv)
    with av.open(str(path)) as clip:
        assert clip.streams.video[0].codec_context.name == "h264"
        assert clip.streams.audio[0].codec_context.name == "aac"
        assert sum(1 for _ in clip.decode(video=0)) == 50
    with av.open(str(path)) as clip:
        packets = [bytes(each) for each in clip.demux(clip.streams.data)] if clip.streams.data else []
    packets = [each for each in packets if each]
    assert len(packets) == len(truth.moments) == (0 if klv == "none" else 10)
    for packet, moment in zip(packets, truth.moments, strict=True):
        decoded = decode_uas_local_set(packet[packet.index(b"\x06\x0e\x2b\x34") :])
        assert decoded.value(13) == pytest.approx(moment.sensor[1], abs=1e-7)
        assert decoded.value(88) == pytest.approx(moment.corners[3][1], abs=1e-7)


@pytest.mark.parametrize(("klv", "carriage"), [("synchronous", KLVCarriage.SYNCHRONOUS), ("private", None)])
def test_a_strict_reader_takes_the_carriages_of_the_standard(tmp_path, klv, carriage):
    path = tmp_path / "clip.ts"
    truth = make_clip(path, seconds=1, width=160, height=90, klv=klv)
    demuxer, decoder = TransportDemuxer(), MetadataStreamDecoder()
    events = [*demuxer.feed(path.read_bytes()), *demuxer.finish()]
    found = [
        each
        for event in events
        if isinstance(event, PESStreamEvent) and event.kind is StreamKind.KLV
        for each in decoder.feed(event)
    ]
    assert len(found) == len(truth.moments)
    if carriage:
        assert {each.carriage for each in found} == {carriage}


def test_a_verifier_finds_no_fault_but_those_that_are_told(tmp_path):
    path = tmp_path / "clip.ts"
    make_clip(path, seconds=2, width=160, height=90)
    report = verify_fmv_file(path)
    faults = {each.code for each in report.findings if each.status is VerificationStatus.ERROR}
    assert faults == {"st1001.audio.frame", "st0604.timestamp.missing"}


def test_telemetry_is_beside_the_picture_that_it_describes(tmp_path):
    path = tmp_path / "clip.ts"
    truth = make_clip(path, seconds=1, width=160, height=90, klv="synchronous")
    with av.open(str(path)) as clip:
        video, data = clip.streams.video[0], clip.streams.data[0]
        packets = [each for each in clip.demux(video, data) if each.size]
    first = min(each.pts * each.time_base for each in packets if each.stream is video)
    times = [float(each.pts * each.time_base - first) for each in packets if each.stream is data]
    assert times == pytest.approx([each.time for each in truth.moments], abs=1e-4)


def test_the_picture_shows_the_footprint(tmp_path):
    ground = draw_ground()
    truth = make_clip(tmp_path / "clip.ts", seconds=0.2, width=320, height=180, ground=ground)
    with av.open(str(tmp_path / "clip.ts")) as clip:
        frame = next(clip.decode(video=0)).to_ndarray(format="rgb24").astype(float)
    corners = [(round(x), round(y)) for x, y in truth.moments[0].pixels]
    columns = [each for x, y in (corners[0], corners[3], corners[2], corners[1]) for each in (x, y)]
    expected = np.asarray(
        ground.image.transform((320, 180), Image.Transform.QUAD, columns, Image.Resampling.BILINEAR), float
    )
    # A bilinear quad is no perspective, so only what lies at the corners is the same ground.
    for rows, cols in ((slice(0, 8), slice(0, 8)), (slice(-8, None), slice(-8, None))):
        assert np.abs(frame[rows, cols].mean((0, 1)) - expected[rows, cols].mean((0, 1))).max() < 30


def test_footprints_stay_on_the_ground():
    ground = draw_ground()
    flight = Flight(ground, datetime(2026, 6, 1, tzinfo=UTC), 36, 21)
    pixels = np.array([flight.at(each).pixels for each in range(240)])
    assert pixels.min() > 0
    assert pixels.max() < ground.image.width


def test_any_picture_with_its_place_can_be_flown_over(tmp_path):
    drawn = draw_ground()
    # A sheet that is turned and lies in UTM, as a map does.
    turned = (3.9, 0.3, 430_000.0, 0.3, -3.9, 4_720_000.0)
    ground = Ground(drawn.image.crop((0, 0, 1400, 1000)), turned, "EPSG:32631", elevation=500)
    truth = make_clip(tmp_path / "clip.ts", seconds=0.2, width=64, height=36, ground=ground)
    to_utm = pyproj.Transformer.from_crs("EPSG:4326", "EPSG:32631", always_xy=True)
    for (x, y), (column, row) in zip(truth.moments[0].corners, truth.moments[0].pixels, strict=True):
        a, b, c, d, e, f = turned
        place = (a * column + b * row + c, d * column + e * row + f)
        assert to_utm.transform(x, y) == pytest.approx(place, abs=0.01)
        assert 0 < column < 1400
        assert 0 < row < 1000


def test_a_broken_checksum_is_broken(tmp_path):
    path = tmp_path / "clip.ts"
    make_clip(path, seconds=1, width=160, height=90, klv="hybrid", broken=[1])
    with av.open(str(path)) as clip:
        packets = [bytes(each) for each in clip.demux(clip.streams.data) if each.size]
    decode_uas_local_set(packets[0])
    with pytest.raises(ChecksumError):
        decode_uas_local_set(packets[1])
