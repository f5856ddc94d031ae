"""Which rungs a source gets."""

from fractions import Fraction

import pytest

from milepost.servers.video.ingest.ladder import aspect_ratio, frame_rate, gop_of, ladder, quality_of

RATE = Fraction(25)


def sizes(width, height, *asked):
    return {each.name: (each.width, each.height) for each in ladder(width, height, RATE, asked).rungs}


@pytest.mark.parametrize(
    ("source", "asked", "made"),
    [
        ((1920, 1080), ["fhd", "sd", "hd"], {"sd": (854, 480), "hd": (1280, 720), "fhd": (1920, 1080)}),
        ((3840, 2160), ["qhd", "uhd"], {"qhd": (2560, 1440), "uhd": (3840, 2160)}),
        ((1280, 720), ["fhd", "hd"], {"hd": (1280, 720)}),
        ((1280, 720), ["fhd"], {"hd": (1280, 720)}),
        ((1920, 1080), ["native"], {"fhd": (1920, 1080)}),
        ((1280, 720), ["hd", "native"], {"hd": (1280, 720)}),
        ((1000, 562), ["sd", "native"], {"sd": (854, 480), "native": (1000, 562)}),
        ((640, 480), ["sd"], {"sd": (640, 480)}),
        ((720, 480), ["sd"], {"sd": (720, 480)}),
        ((853, 481), ["sd"], {"sd": (852, 480)}),
        ((1920, 804), ["fhd", "hd"], {"hd": (1280, 536), "fhd": (1920, 804)}),
        ((1080, 1920), ["hd"], {"hd": (720, 1280)}),
        ((321, 181), ["native"], {"native": (320, 180)}),
        ((320, 180), [" SD ", "Native"], {"native": (320, 180)}),
    ],
)
def test_rungs_keep_the_shape_and_are_never_above_the_source(source, asked, made):
    assert sizes(*source, *asked) == made


def test_what_is_left_out_is_told():
    told = ladder(1280, 720, RATE, ["native", "fhd", "hd"]).left_out
    assert told == (
        "Resolution fhd is above that of the source, 1280 x 720 pixels, and is left out",
        "Resolution native is the same as hd for this source, and is left out",
    )


@pytest.mark.parametrize("asked", [["4k"], ["hd", ""], []])
def test_unknown_resolutions_are_refused_with_those_that_there_are(asked):
    with pytest.raises(ValueError, match="ask for some of sd, hd, fhd, qhd, uhd, native"):
        ladder(1280, 720, RATE, asked)


def test_higher_rungs_take_more():
    rates = [each.kilobits for each in ladder(3840, 2160, RATE, ["sd", "hd", "fhd", "qhd", "uhd"]).rungs]
    assert rates == sorted(rates)


@pytest.mark.parametrize(
    ("size", "quality", "shape"),
    [
        ((320, 180), "sd", "16:9"),
        ((854, 480), "sd", "16:9"),
        ((640, 480), "sd", "4:3"),
        ((1280, 720), "hd", "16:9"),
        ((1920, 804), "fhd", "43:18"),
        ((1080, 1920), "fhd", "9:16"),
        ((3840, 2160), "uhd", "16:9"),
        ((1024, 1024), "hd", "1:1"),
    ],
)
def test_a_source_has_a_quality_and_a_shape(size, quality, shape):
    assert quality_of(*size) == quality
    assert aspect_ratio(*size) == shape


@pytest.mark.parametrize(
    ("told", "taken"),
    [
        (Fraction(30), Fraction(30)),
        (Fraction(2997, 100), Fraction(30000, 1001)),
        (Fraction(30000, 1001), Fraction(30000, 1001)),
        (Fraction(25001, 1000), Fraction(25)),
        (Fraction(15), Fraction(15)),
        (Fraction(120), Fraction(60)),
        (Fraction(1, 5), Fraction(1)),
    ],
)
def test_frame_rates_that_were_measured_become_the_ones_that_were_meant(told, taken):
    assert frame_rate(told) == taken


def test_key_frames_are_two_seconds_apart():
    assert [gop_of(each) for each in (Fraction(1), Fraction(25), Fraction(30000, 1001))] == [2, 50, 60]
