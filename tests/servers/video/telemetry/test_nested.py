"""Items that are sets or packs of their own, by the bytes that their standards print and by those that nobody can read."""

import csv
import itertools
import json
import struct

import pytest
from stanag4609.klv.checksum import running_sum_16

from milepost.servers.video.flight.transport import insert_klv
from milepost.servers.video.telemetry import ingest
from milepost.servers.video.telemetry.klv import KEY, NAMES, STRUCTURED, decode
from tests.servers.video.telemetry.webvtt import cues_of

ITEMS = (73, 74, 94, 95, 97, 98, 99, 100, 101, 102)
"""The sets and packs among the tags up to 102."""

STAMP = (1_780_304_400_000_000).to_bytes(8, "big")

CORE = "0170 F592F02373364AF8AA9162C00F2EB2DA 16B74341000841A0BE365B5AB96A3645"
"""The example of ST 1204: two identifiers, of a sensor and a platform."""
CORE_TEXT = "0170:F592-F023-7336-4AF8-AA91-62C0-0F2E-B2DA/16B7-4341-0008-41A0-BE36-5B5A-B96A-3645:D3"

TARGETS = "09 01 0103064000 050150" + "09 02 0103064001 050132"
"""Two VTarget packs of ST 0903: length, identifier, pixel of the centroid, confidence in percent."""
DETECTIONS = f"030444454D4F 040106 05011C 060102 080207D0 65{len(bytes.fromhex(TARGETS)):02X}{TARGETS}"


def a_set(*items):
    """An ST 0601 set, put together by hand."""
    content = b"\x02\x08" + STAMP
    for tag, value in items:
        number = bytes([tag]) if tag < 128 else bytes([0x80 | tag >> 7, tag & 0x7F])
        content += number + bytes([len(value)]) + value
    length = len(content) + 4
    packet = KEY + (bytes([length]) if length < 128 else bytes([0x81, length])) + content + b"\x01\x02"
    return packet + running_sum_16(packet).to_bytes(2, "big")


def test_a_core_identifier_is_the_text_of_its_standard():
    assert decode(a_set((94, bytes.fromhex(CORE)))).values[94] == CORE_TEXT


def test_detections_are_objects_with_their_targets():
    told = decode(a_set((74, bytes.fromhex(DETECTIONS)))).values[74]
    first, second = told.pop("vTargetSeries")
    assert told == {
        "vmtiSystemName": "DEMO",
        "vmtiLsVersionNum": 6,
        "totalNumTargetsDetected": 28,
        "numTargetsReported": 2,
        "frameWidth": 2000,
        "targets": 2,
    }
    assert first == {"targetId": 1, "targetCentroid": 409600, "targetConfidenceLevel": 80}
    assert second == {"targetId": 2, "targetCentroid": 409601, "targetConfidenceLevel": 50}


def test_what_cannot_be_read_is_kept_as_it_is():
    latitude = bytes.fromhex("5595B66D")  # of the example in ST 0601
    for tag in STRUCTURED:
        told = decode(a_set((tag, b"\xff\xff\xff\xff\x7f"), (13, latitude)))
        # Some take any bytes for a list of numbers.
        assert told.values[tag] == "0xFFFFFFFF7F" or isinstance(told.values[tag], dict), NAMES[tag]
        assert isinstance(told.values[tag], str) or tag not in ITEMS
        assert told.values[13] == pytest.approx(60.176822966978335, abs=1e-7)
        assert told.unreadable == 0


def test_an_item_that_the_standard_does_not_know_is_kept_as_it_is():
    assert decode(a_set((200, b"\x01\xab"))).values[200] == "0x01AB"


def test_all_of_it_is_in_the_cues_beside_the_picture_that_it_is_of(film, read, tmp_path):
    plain, _ = film(klv="none")
    items = [(94, bytes.fromhex(CORE)), (74, bytes.fromhex(DETECTIONS)), (98, b"\xff\xff"), (200, b"\x07")]
    path = tmp_path / "detected.ts"
    insert_klv(plain, path, [(0.0, a_set(*items))], "synchronous")
    found, (sample,) = read(path)
    assert found.warnings[0].startswith("1 of the telemetry's sets have no footprint")
    assert sample.values[74]["targets"] == 2
    ingest.write(found, tmp_path, [2.0])
    (cue,) = cues_of(tmp_path / "telemetry/segment_00000.vtt")
    values = cue.values()
    assert values[10094] == CORE_TEXT
    assert values[10074]["vTargetSeries"][1]["targetId"] == 2
    assert (values[10098], values[10200]) == ("0xFFFF", "0x07")
    names = {each["tagId"]: each["name"] for each in json.loads(cue.text)["data"][0]["value"]}
    assert (names[10074], names[10098], names[10200]) == (NAMES[74], "Geo-Registration Local Set", "Item 200")
    about = json.loads((tmp_path / "telemetry.json").read_text())["about"]
    assert about["MIIS Core Identifier"] == CORE_TEXT


def places(*degrees):
    """Latitudes and longitudes in turn, as ST 0601 packs them."""
    spans = itertools.cycle((90, 180))
    return struct.pack(f">{len(degrees)}i", *(round(each / next(spans) * (2**31 - 1)) for each in degrees))


def test_a_horizon_and_a_list_arrive_everywhere(film, read, tmp_path):
    line = {"startX": 0, "startY": 40, "endX": 100, "endY": 42}
    ends = {"startLatitude": 42.5, "startLongitude": 1.5, "endLatitude": 42.6, "endLongitude": 1.7}
    corners = (43, 1, 43, 2, 42, 2, 42, 1)
    items = [
        *((82 + at, places(*corners)[4 * at : 4 * at + 4]) for at in range(8)),
        (81, bytes([0, 40, 100, 42]) + places(*ends.values())),
        (100, bytes.fromhex("810F0105 0D0410000000")),  # a part of a stream, and the latitude that it has
    ]
    plain, _ = film(klv="none")
    path = tmp_path / "horizon.ts"
    sets = [(0.0, a_set(*items)), (1.0, a_set((81, bytes([0, 40, 100, 42]))))]
    insert_klv(plain, path, sets, "synchronous")
    found, (first, second) = read(path)
    assert (first.values[81], second.values[81]) == (line | ends, line)
    ingest.write(found, tmp_path, [2.0])
    early, late = cues_of(tmp_path / "telemetry/segment_00000.vtt")
    # The one tag that players draw it by needs its ends on the ground.
    assert early.values()[90063] == line | ends
    assert (late.values()[10081], 90063 in late.values()) == (line, False)
    # They would look for entries in a list, and find none.
    assert early.values()[10100] == '[{"Sensor Latitude":11.25000001}]'
    assert not any(isinstance(each, list) for cue in (early, late) for each in cue.values().values())
    with (tmp_path / "telemetry.csv").open(newline="") as file:
        assert json.loads(next(csv.DictReader(file))[NAMES[81]]) == line | ends
    features = json.loads((tmp_path / "telemetry.geojson").read_text())["features"]
    assert features[0]["properties"][NAMES[81]] == line | ends
