"""Items that are sets or packs of their own, by the bytes that their standards print and by those that nobody can read."""

import json

import pytest
from stanag4609.klv.checksum import running_sum_16

from milepost.servers.video.flight.transport import insert_klv
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
    from milepost.servers.video.telemetry import ingest

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
