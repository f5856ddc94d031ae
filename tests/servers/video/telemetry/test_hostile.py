"""Whatever is in a stream: nothing but a count comes of it, and what is sound is still found."""

import contextlib
import itertools
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stanag4609.klv.checksum import running_sum_16
from stanag4609.st0601 import encode_uas_local_set

from milepost.servers.video.flight.transport import insert_klv
from milepost.servers.video.telemetry import ingest
from milepost.servers.video.telemetry.cues import CueFiles, cue_text
from milepost.servers.video.telemetry.geometry import Seen
from milepost.servers.video.telemetry.klv import KEY, NAMES, SECURITY_NAMES, BrokenSetError, Splitter, decode
from milepost.servers.video.telemetry.samples import Sample
from tests.servers.video.telemetry.webvtt import cues_of

SET = encode_uas_local_set({2: 1_780_304_400_000_000, 3: "mission", 13: 42.5, 14: 1.5, 15: 3000.0, 65: 19})
RUBBISH = st.binary(max_size=40).filter(lambda each: KEY[:1] not in each)


def _head(length):
    return KEY + length


@given(st.lists(st.tuples(RUBBISH, st.booleans()), max_size=6), st.lists(st.integers(1, 90), max_size=30))
def test_sets_are_found_wherever_they_are_cut(parts, cuts):
    stream = b"".join(rubbish + (SET if sound else b"") for rubbish, sound in parts)
    splitter, found, at = Splitter(), [], 0
    for cut in [*cuts, len(stream)]:
        found += [each for _, each in splitter.feed(stream[at : at + cut])]
        at += cut
    assert found == [SET] * sum(sound for _, sound in parts)


def test_a_set_has_the_time_of_the_packet_in_which_it_began():
    splitter = Splitter()
    assert list(splitter.feed(SET[:20], 1.0)) == []
    assert list(splitter.feed(SET[20:] + SET, 2.0)) == [(1.0, SET), (2.0, SET)]
    assert list(splitter.feed(SET, 3.0)) == [(3.0, SET)]


@pytest.mark.parametrize(
    "torn",
    [
        _head(b"\x80"),
        _head(b"\xff"),
        _head(b"\x84\xff\xff\xff\xff"),
        _head(b"\x83\xff\xff\xff"),
        _head(b"\x7f"),
        SET[:40],
        KEY,
    ],
)
def test_a_torn_set_costs_only_itself(torn):
    splitter = Splitter()
    found = [each for _, each in splitter.feed(torn + SET)]
    found += [each for _, each in splitter.feed(SET)]
    assert SET in found
    assert splitter.torn >= 1 or len(found) == 2


def test_a_set_that_never_ends_needs_no_memory():
    splitter = Splitter()
    list(splitter.feed(_head(b"\x82\xff\xff")))
    for _ in range(1000):
        list(splitter.feed(bytes(1000)))
    assert len(splitter._rest) < 70_000


@given(st.binary(max_size=300))
def test_any_content_is_decoded_or_refused(content):
    packet = KEY + b"\x82" + len(content).to_bytes(2, "big") + content
    with contextlib.suppress(BrokenSetError):
        decode(packet)


@given(st.dictionaries(st.integers(1, 142), st.binary(max_size=30), max_size=12))
def test_any_items_with_a_right_checksum_are_decoded(items):
    items = {2: (1_780_304_400_000_000).to_bytes(8, "big"), **items}
    items.pop(1, None)
    content = b""
    for tag, value in items.items():
        number = bytes([tag]) if tag < 128 else bytes([0x80 | tag >> 7, tag & 0x7F])
        content += number + bytes([len(value)]) + value
    packet = KEY + b"\x82" + (len(content) + 4).to_bytes(2, "big") + content + b"\x01\x02"
    packet += running_sum_16(packet).to_bytes(2, "big")
    try:
        decoded = decode(packet)
    except BrokenSetError:
        return
    values = {**decoded.values, 2: None}
    seen = Seen(values, 16 / 9)
    sample = Sample(0.0, decoded.stamp, values, decoded.security, seen.sensor, seen.center, seen.corners)
    json.loads(cue_text(sample, decoded.stamp))


ANGLES = st.one_of(st.none(), st.floats(-400, 400), st.sampled_from([0.0, 90.0, -90.0, 180.0]))


@given(
    st.dictionaries(st.sampled_from([5, 6, 7, 16, 17, 18, 19, 20, 90, 91]), ANGLES),
    st.dictionaries(
        st.sampled_from([15, 21, 25, 75, 78, 104]), st.one_of(st.none(), st.floats(-1000, 100_000))
    ),
    st.dictionaries(st.sampled_from([13, 23]), st.floats(-90, 90)),
    st.dictionaries(st.sampled_from([14, 24]), st.floats(-180, 180)),
    st.floats(0.1, 10),
)
def test_any_geometry_has_a_footprint_on_the_earth_or_none(angles, heights, latitudes, longitudes, aspect):
    seen = Seen({**angles, **heights, **latitudes, **longitudes}, aspect)
    for x, y in seen.corners or ():
        assert -180 <= x <= 180
        assert -90 <= y <= 90
    for each in (seen.sensor, seen.center):
        assert each is None or all(number is None or math.isfinite(number) for number in each)


PLAIN = st.one_of(st.none(), st.integers(), st.floats(-1e9, 1e9), st.text())


@given(
    st.dictionaries(st.sampled_from(sorted(set(NAMES) - {1, 2, 48})), PLAIN, max_size=8),
    st.dictionaries(st.sampled_from(sorted(SECURITY_NAMES)), PLAIN, max_size=4),
)
def test_a_cue_is_one_line_of_json_without_markup(values, security):
    text = cue_text(Sample(0.0, None, values, security), None)
    assert text.isascii()
    assert not set(text) & set("<>&\n\r")
    (told,) = json.loads(text)["data"]
    found = {each["tagId"]: each["value"] for each in told["value"]}
    assert {tag: found[20_000 + tag] for tag in security} == security


@given(
    st.lists(st.floats(0.1, 6), min_size=1, max_size=8),
    st.lists(st.floats(-3, 50), max_size=30).map(sorted),
)
def test_cues_are_in_the_segments_that_show_them(tmp_path_factory, segments, times):
    folder = tmp_path_factory.mktemp("cues")
    files = CueFiles(folder, segments, 5.0)
    for time in times:
        files.add(time, Sample(time), None)
    files.finish()
    begin = 0.0
    shown = {}
    for number, seconds in enumerate(segments):
        cues = cues_of(folder / f"segment_{number:05d}.vtt")
        assert cues == sorted(cues)
        for cue in cues:
            assert cue.start < cue.end
            assert cue.start < begin + seconds + 0.001
            assert cue.end > begin - 0.001
            shown[cue.start] = cue
        begin += seconds
    in_order = [shown[each] for each in sorted(shown)]
    assert all(a.end <= b.start for a, b in itertools.pairwise(in_order))
    assert len(shown) == files.count


def test_a_stream_of_rubbish_is_a_video_with_warnings(film, tmp_path):
    plain, _ = film(klv="none")
    path = tmp_path / "rubbish.ts"
    sets = [
        (0.0, SET),
        (0.4, KEY + b"\x05hello"),
        (0.8, KEY + b"\x84\xff\xff\xff\xff"),
        (1.2, bytes(50)),
        (1.6, SET[:-1]),
    ]
    insert_klv(plain, path, [*sets, (1.9, SET)], "synchronous")
    found = ingest.read(path, workspace=tmp_path)
    assert found.count == 2
    assert "3 of the telemetry's sets could not be decoded and were left out" in found.warnings
    assert (
        "2 of the telemetry's sets have no footprint: it is neither told nor can it be computed"
        in found.warnings
    )


def test_a_flood_of_sets_at_one_moment_is_one_sample(film, tmp_path):
    plain, _ = film(klv="none")
    path = tmp_path / "flood.ts"
    insert_klv(plain, path, [(0.0, SET * 100), (0.4, SET)], "synchronous")
    found = ingest.read(path, workspace=tmp_path)
    assert found.count == 2


def test_a_reading_can_be_stopped_at_any_time(film, tmp_path):
    path, _ = film(broken=range(10))
    told = []
    ingest.read(path, workspace=tmp_path, tell=told.append)
    assert len(told) >= 1
    assert told == sorted(told)

    def stop(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest.read(path, workspace=tmp_path, tell=stop)
