"""Recorded telemetry of a real flight, and a second decoder that must agree."""

import statistics
from pathlib import Path

import av
import klvdata
import pytest
import shapely

from milepost.servers.video.flight.transport import insert_klv
from milepost.servers.video.telemetry.geometry import Seen
from milepost.servers.video.telemetry.klv import Splitter, decode

RECORDED = Path(__file__).parents[5] / "shared" / "data" / "Cheyenne.bin"

recorded = pytest.mark.skipif(
    not RECORDED.is_file(),
    reason="there is no ../shared/data beside this checkout with Cheyenne.bin of paretech/klvdata (commit 5a3306f0)",
)


def _agrees(told, values):
    """Every number and text that both decoders know is the same."""
    compared = 0
    for tag, (_, _, _, text) in told.items():
        if tag in {1, 2, 48, 72} or values.get(tag) is None:
            continue
        if isinstance(values[tag], str):
            assert text == values[tag]
        else:
            assert float(text) == pytest.approx(values[tag], abs=1e-7)
        compared += 1
    return compared


def test_a_second_decoder_agrees_on_the_synthetic_flight(film, read):
    path, truth = film()
    _, samples = read(path)
    with av.open(str(path)) as clip:
        raw = b"".join(bytes(each) for each in clip.demux(clip.streams.data))
    sets = [each.MetadataList() for each in klvdata.StreamParser(raw)]
    assert len(sets) == len(truth.moments) == len(samples)
    for told, sample in zip(sets, samples, strict=True):
        assert _agrees(told, sample.values) >= 25


@recorded
def test_every_recorded_set_is_decoded_as_a_second_decoder_does():
    raw = RECORDED.read_bytes()
    decoded = [decode(each) for _, each in Splitter().feed(raw)]
    sets = [each.MetadataList() for each in klvdata.StreamParser(raw)]
    assert len(decoded) == len(sets) == 407
    for told, mine in zip(sets, decoded, strict=True):
        assert _agrees(told, mine.values) >= 28
        assert mine.unreadable == 0
        assert mine.security[3] == "//CA"
        assert mine.values[3] == "ESRI_Metadata_Collect"


@recorded
def test_a_recorded_flight_is_followed(film, read, tmp_path):
    plain, _ = film(klv="none", seconds=86, fps=2, width=64, height=36)
    packets = [each for _, each in Splitter().feed(RECORDED.read_bytes())]
    first = decode(packets[0]).stamp
    path = tmp_path / "cheyenne.ts"
    insert_klv(plain, path, [((decode(each).stamp - first) / 1e6, each) for each in packets], "synchronous")
    found, samples = read(path)
    assert found.count == 407
    assert samples[-1].time == pytest.approx(84.9, abs=0.1)
    west, south, east, north = found.extent
    assert -104.85 < west < east < -104.70
    assert 41.10 < south < north < 41.20
    assert all(each.corners for each in samples)
    assert [each for each in found.warnings if "MISP" not in each] == []


@recorded
def test_computed_footprints_are_about_those_that_were_recorded():
    shares = []
    for _, packet in Splitter().feed(RECORDED.read_bytes()):
        values = decode(packet).values
        told = shapely.Polygon(Seen(values, 16 / 9).corners)
        angles = {tag: value for tag, value in values.items() if tag not in range(26, 34)}
        mine = shapely.Polygon(Seen(angles, 16 / 9).corners)
        shares.append(told.intersection(mine).area / told.union(mine).area)
    # The recorder neglected the roll of the aircraft, and the ground is not flat.
    assert statistics.median(shares) > 0.9
    assert min(shares) > 0.8
