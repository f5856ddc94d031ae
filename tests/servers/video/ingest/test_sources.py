"""Sources of all kinds, sound and broken."""

import shutil

import av
import pytest
from PIL import Image

from milepost.operations import Run
from milepost.servers.video.ingest import Limits, find_ffmpeg, make_files
from milepost.servers.video.ingest.fragments import measure
from tests.servers.video.ingest.filming import H264, encode, film, film_in_high_range, ingest, said

MPEG2 = ("-c:v", "mpeg2video", "-c:a", "mp2")

PARTS = ("init.mp4", "00000.m4s")
"""Of a rendition, which together can be played."""

WITHOUT_ZIMG = """#!/bin/sh
case "$*" in
*-filters*) "{ffmpeg}" "$@" | grep -v zscale ;;
*zscale*) echo "No such filter: 'zscale'" >&2; exit 1 ;;
*) exec "{ffmpeg}" "$@" ;;
esac
"""
"""An FFmpeg as it is when nobody built the library zimg into it."""


@pytest.mark.parametrize(
    ("name", "options", "container"),
    [
        ("clip.mp4", (*H264, "-c:a", "aac"), "mp4"),
        ("clip.mov", (*H264, "-c:a", "pcm_s16le"), "mov"),
        ("clip.avi", ("-c:v", "mpeg4", "-c:a", "mp3"), "avi"),
        ("clip.mpg", (*MPEG2, "-f", "vob"), "mpegps"),
        ("clip.m2ts", (*MPEG2, "-f", "mpegts", "-mpegts_m2ts_mode", "1"), "mpegts"),
        ("named-wrongly.avi", (*H264, "-c:a", "aac", "-f", "mp4"), "mp4"),
        ("fragmented.mp4", (*H264, "-movflags", "+frag_keyframe+empty_moov"), "mp4"),
    ],
)
def test_every_kind_of_file_becomes_a_layer(tmp_path, name, options, container):
    facts = ingest(film(tmp_path / name, *options, seconds=1), tmp_path / "layer")
    assert (facts.container, facts.width, facts.height, facts.qualities) == (container, 320, 180, ("native",))
    assert facts.duration == pytest.approx(1, abs=0.09)
    assert facts.audio_codec == "mp4a.40.2"


def test_a_source_without_sound_has_no_audio_rendition(tmp_path):
    facts = ingest(film(tmp_path / "mute.mp4", seconds=1, sound=False), tmp_path / "layer")
    assert facts.audio_codec == ""
    assert not (tmp_path / "layer/audio").exists()
    assert "AUDIO" not in (tmp_path / "layer/ABR.m3u8").read_text()


def test_a_turned_picture_is_shown_upright(tmp_path):
    # Stored with red on the left, and to be turned by a quarter against the clock, as telephones tell it.
    lying = film_colours(tmp_path / "lying.mp4", "hstack", "-metadata:s:v", "rotate=90")
    facts = ingest(lying, tmp_path / "layer")
    assert (facts.width, facts.height, facts.aspect_ratio) == (160, 240, "2:3")
    with Image.open(tmp_path / "layer/poster.jpg") as poster:
        assert poster.size == (160, 240)
        above, below = poster.getpixel((80, 40)), poster.getpixel((80, 200))
    assert above[2] > 200 > 60 > above[0]
    assert below[0] > 200 > 60 > below[2]


def film_colours(path, stack, *options):
    colours = [
        part for each in ("red", "blue") for part in ("-f", "lavfi", "-i", f"color={each}:s=120x160:d=1")
    ]
    plain = path.with_stem("plain")
    encode(*colours, "-filter_complex", f"[0][1]{stack}", *H264, str(plain))
    encode("-i", str(plain), "-c", "copy", *options, str(path))
    return path


def test_interlaced_pictures_with_oblong_pixels_become_square_frames(tmp_path):
    source = film(
        tmp_path / "tape.mpg",
        *("-vf", "tinterlace=interleave_top,setsar=16/15,setfield=tff", "-flags", "+ilme+ildct"),
        *("-c:v", "mpeg2video", "-b:v", "4M", "-an"),
        size="720x576",
        rate="50",
        seconds=2,
    )
    facts = ingest(source, tmp_path / "layer", "sd")
    assert (facts.width, facts.height, facts.aspect_ratio, facts.frame_rate) == (768, 576, "4:3", "25")
    rung = measure(tmp_path / "layer/sd")
    assert (rung.width, rung.height) == (640, 480)


@pytest.mark.parametrize("first", ["sound", "picture"])
def test_time_begins_with_the_first_picture(tmp_path, first):
    apart = ["-itsoffset", "1"]
    picture = ["-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=4"]
    tone = ["-f", "lavfi", "-i", "sine=d=3"]
    inputs = [*picture, *apart, *tone] if first == "picture" else [*tone, *apart, *picture]
    source = tmp_path / "late.ts"
    encode(*inputs, "-map", "0", "-map", "1", *H264, "-c:a", "aac", str(source))
    facts = ingest(source, tmp_path / "layer")
    assert facts.frame_count == 100
    # Silence comes before sound that begins late, and what sounds before the first picture is left out.
    sound = measure(tmp_path / "layer/audio")
    assert sound.duration == pytest.approx(4 if first == "picture" else 2, abs=0.1)


def test_the_frame_rate_of_a_layer_is_even_and_no_higher_than_players_like(tmp_path):
    run = Run()
    facts = ingest(film(tmp_path / "fast.mp4", rate="120", seconds=1), tmp_path / "layer", run=run)
    assert (facts.frame_rate, facts.frame_count) == ("60", 60)
    assert (9006, "The source has 120 frames a second; the layer has 60") in said(run)


def test_a_recording_whose_clock_was_reset_is_made_to_its_end(tmp_path, clip):
    twice = tmp_path / "twice.ts"
    twice.write_bytes(clip.read_bytes() * 2)
    run = Run()
    assert ingest(twice, tmp_path / "layer", run=run).duration == pytest.approx(6, abs=0.2)
    assert [code for code, _ in said(run) if code >= 9000] == [9007]


def test_damage_is_patched_over_and_told(tmp_path, clip):
    data = bytearray(clip.read_bytes())
    for packet in range(100, len(data) // 188, 40):
        data[packet * 188 + 20 : packet * 188 + 180] = bytes(160)
    (tmp_path / "noisy.ts").write_bytes(data)
    run = Run()
    facts = ingest(tmp_path / "noisy.ts", tmp_path / "layer", run=run)
    assert facts.duration == pytest.approx(3, abs=0.5)
    (told,) = [text for code, text in said(run) if code == 9004]
    assert told.startswith("Parts of the source are damaged and were patched over (")
    assert str(tmp_path) not in told


def test_pictures_that_came_incomplete_are_told_though_they_can_be_decoded(tmp_path, clip):
    data = bytearray(clip.read_bytes())
    middle = len(data) // 188 // 2
    # Three packets of one picture in a row, the second of which is out of its turn.
    found = next(n for n in range(middle, middle + 200) if _inner(data, n) == {True})
    data[(found + 1) * 188 + 3] ^= 0x0F
    (tmp_path / "torn.ts").write_bytes(data)
    run = Run()
    ingest(tmp_path / "torn.ts", tmp_path / "layer", run=run)
    (told,) = [text for code, text in said(run) if code == 9004]
    assert told == "Parts of the source are damaged and were patched over (1 of its pictures came incomplete)"


def _inner(data, first):
    """Whether packets of a transport stream are of the picture, and neither begin nor end one."""
    heads = [data[n * 188 : n * 188 + 4] for n in range(first, first + 4)]
    return {head[1] & 0x5F == 0x01 and head[2] == 0 and head[3] & 0x30 == 0x10 for head in heads}


def test_sound_that_is_left_out_is_told(tmp_path):
    tones = [part for n in (440, 880) for part in ("-f", "lavfi", "-i", f"sine=frequency={n}:duration=4")]
    picture = ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=1"]
    maps = ["-map", "0", "-map", "1", "-map", "2", "-c:a", "aac"]
    encode(*picture, *tones, *maps, *H264, str(tmp_path / "long.mp4"))
    run = Run()
    ingest(tmp_path / "long.mp4", tmp_path / "layer", run=run)
    assert [text for code, text in said(run) if code == 9002] == [
        "The source has 2 tracks of sound; the layer has the first one, and the others are left out",
        "The sound goes on for 3.0 s after the last picture, and is left out there",
    ]


@pytest.mark.parametrize(("transfer", "known"), [("arib-std-b67", "HLG"), ("smpte2084", "PQ")])
def test_a_high_dynamic_range_becomes_the_standard_one(tmp_path, transfer, known):
    source = film_in_high_range(tmp_path / "bright.mp4", transfer)
    run = Run()
    ingest(source, tmp_path / "layer", run=run)
    (told,) = [text for code, text in said(run) if code == 9008]
    assert told.startswith(f"The source has a high dynamic range ({known}); ")
    rung = tmp_path / "rung.mp4"
    rung.write_bytes(b"".join((tmp_path / "layer/native" / each).read_bytes() for each in PARTS))
    with av.open(str(rung)) as made, av.open(str(source)) as sent:
        sdr, hdr = next(made.decode(video=0)), next(sent.decode(video=0))
    # 1 is BT.709 in all of the tables of H.273.
    assert (sdr.color_primaries, sdr.color_trc, sdr.colorspace) == (1, 1, 1)
    assert sdr.to_ndarray(format="gray").mean() != pytest.approx(hdr.to_ndarray(format="gray").mean(), abs=1)


@pytest.mark.parametrize(
    ("size", "options"),
    [
        ("1280x720", ("-vf", "scale=out_color_matrix=bt709,format=yuv420p", "-c:v", "libx264")),
        ("320x180", ("-vf", "scale=out_color_matrix=bt601,format=yuv420p", "-c:v", "libx264")),
        ("320x180", ("-vf", "format=bgr24", "-c:v", "rawvideo")),
    ],
    ids=["HD", "SD", "RGB"],
)
def test_colours_are_the_same_in_every_rung_and_picture_when_the_file_does_not_tell_them(
    tmp_path, size, options
):
    wanted = (200, 100, 50)
    orange = f"color=c=0x{bytes(wanted).hex()}:size={size}:rate=5:duration=1,format=rgb24"
    source = tmp_path / "orange.avi"
    encode("-f", "lavfi", "-i", orange, *options, str(source))
    facts = ingest(source, tmp_path / "layer", *(("sd", "hd") if size == "1280x720" else ("native",)))
    for name in facts.qualities:
        rung = tmp_path / f"{name}.mp4"
        rung.write_bytes(b"".join((tmp_path / "layer" / name / each).read_bytes() for each in PARTS))
        with av.open(str(rung)) as made:
            picture = next(made.decode(video=0))
        # 2 is "untold", which each player guesses in its own way.
        assert picture.colorspace != 2
        assert middle(picture.to_image()) == pytest.approx(wanted, abs=6)
    with Image.open(tmp_path / "layer" / "poster.jpg") as poster:
        assert middle(poster) == pytest.approx(wanted, abs=6)


def middle(picture):
    return picture.convert("RGB").getpixel((picture.width // 2, picture.height // 2))


def test_without_the_filters_that_map_tones_it_is_told_that_the_layer_looks_pale(tmp_path, monkeypatch):
    program = tmp_path / "bin" / "ffmpeg"
    program.parent.mkdir()
    program.write_text(WITHOUT_ZIMG.format(ffmpeg=find_ffmpeg()))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    source = film_in_high_range(tmp_path / "bright.mp4", "smpte2084")
    run = Run()
    ingest(source, tmp_path / "layer", run=run)
    (told,) = [text for code, text in said(run) if code == 9008]
    assert told.endswith("looks pale: this FFmpeg cannot map tones; install one with zscale and tonemap")
    rung = tmp_path / "rung.mp4"
    rung.write_bytes(b"".join((tmp_path / "layer/native" / each).read_bytes() for each in PARTS))
    with av.open(str(rung)) as made:
        picture = next(made.decode(video=0))
    assert (picture.format.name, picture.color_trc, picture.colorspace) == ("yuv420p", 1, 1)


def refused(folder, *sources, resolutions=("native",), limits=None):
    """Why the ingest failed, and the code of the last message."""
    run = Run()
    with pytest.raises(RuntimeError) as caught:
        make_files(run, sources, resolutions, folder / "layer", limits=limits or Limits())
    code, text = said(run)[-1]
    assert text == str(caught.value)
    return code, text


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"#EXTM3U\n#EXTINF:4,\nfile://{secret}\n#EXT-X-ENDLIST\n", "is a playlist"),
        (b"ffconcat version 1.0\nfile {secret}\n", "is a playlist"),
        (b"concat:{secret}|{secret}\n", "is text"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0", "of a kind that is not read"),
        (b"\x47" * 100_000, "Probing Video Codec failed: sent.ts: it"),
        (b"\0\0\x01\xba" + b"\x44" * 100_000, "Probing Video Codec failed: sent.ts: it"),
    ],
)
def test_what_is_no_video_is_refused_and_opens_nothing_else(tmp_path, clip, content, reason):
    secret = tmp_path / "elsewhere" / "secret.ts"
    secret.parent.mkdir()
    shutil.copy(clip, secret)
    sent = tmp_path / "sent.ts"
    sent.write_bytes(content.replace(b"{secret}", str(secret).encode()))
    code, text = refused(tmp_path, sent)
    assert code == 9154
    assert reason in text
    assert not list((tmp_path / "layer").iterdir())


@pytest.mark.parametrize("share", [0.3, 0.9])
@pytest.mark.parametrize("options", [(), ("-movflags", "+faststart")])
def test_a_file_that_is_cut_off_is_refused(tmp_path, options, share):
    whole = film(tmp_path / "whole.mp4", *H264, *options).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: int(len(whole) * share)])
    code, text = refused(tmp_path, tmp_path / "cut.mp4")
    assert code == 9154
    assert "is cut off: it should have" in text
    assert text.endswith("send it again")


def test_pictures_that_are_missing_from_a_whole_file_fail_the_transcoding(tmp_path):
    data = film(tmp_path / "whole.mp4", *H264, "-bf", "0", "-g", "10").read_bytes()
    begin = data.index(b"mdat") + 4
    middle = (begin + data.index(b"moov")) // 2
    (tmp_path / "hollow.mp4").write_bytes(data[:middle] + bytes(len(data[middle:]) - 1) + data[-1:])
    code, text = refused(tmp_path, tmp_path / "hollow.mp4")
    assert code == 9154
    assert "damaged" in text


def test_a_picture_beyond_all_bounds_is_refused(tmp_path, clip):
    wide = film(tmp_path / "wide.mp4", *H264, size="9000x64", seconds=0.2, sound=False)
    code, text = refused(tmp_path, wide)
    assert code == 9154
    assert "9000 x 64 pixels; send one of at most 8192 a side, and 36 million in all" in text
    assert "320 x 180 pixels" in refused(tmp_path, clip, limits=Limits(pixels=57_599))[1]
    tiny = film(tmp_path / "tiny.mp4", *H264, size="8x8", seconds=0.2, sound=False)
    assert "8 x 8 pixels; send one of at least 16 x 16" in refused(tmp_path, tiny)[1]


def test_too_many_streams_are_refused(tmp_path):
    film(tmp_path / "one.mp4", sound=False, seconds=0.5)
    maps = [part for _ in range(5) for part in ("-map", "0")]
    encode("-i", str(tmp_path / "one.mp4"), *maps, "-c", "copy", str(tmp_path / "many.mp4"))
    assert "more than 3 streams" in refused(tmp_path, tmp_path / "many.mp4", limits=Limits(streams=3))[1]


def test_sound_alone_is_no_video(tmp_path):
    encode("-f", "lavfi", "-i", "sine=d=1", "-c:a", "aac", str(tmp_path / "sound.mp4"))
    assert "no video stream" in refused(tmp_path, tmp_path / "sound.mp4")[1]


def test_a_video_that_says_that_it_is_too_long_is_refused(tmp_path, clip):
    code, text = refused(tmp_path, clip, limits=Limits(longest=2))
    assert code == 9154
    assert "send it in parts" in text


def test_a_video_that_goes_on_after_it_says_that_it_ends_is_measured_to_its_end(tmp_path, clip):
    endless = tmp_path / "endless.ts"
    endless.write_bytes(clip.read_bytes() * 10)
    code, text = refused(tmp_path, endless, limits=Limits(longest=9))
    assert code == 9154
    assert "send it in parts" in text


def standing_still(folder, seconds):
    """A small file in which the next picture is long in coming."""
    path = folder / "still.mp4"
    late = f"setpts=PTS+gt(N\\,12)*{seconds}/TB"
    return film(path, "-vf", late, "-fps_mode", "passthrough", *H264, size="64x36", seconds=1, sound=False)


def test_pictures_that_stand_still_for_hours_are_refused(tmp_path):
    code, text = refused(tmp_path, standing_still(tmp_path, 3 * 3600))
    assert code == 9154
    assert "stand still for 3.0 hours in all" in text


def test_a_picture_stands_still_until_the_next_one_comes(tmp_path):
    still = standing_still(tmp_path, 15)
    assert ingest(still, tmp_path / "layer").frame_count == 25 + 15 * 25
    assert "stand still" in refused(tmp_path, still, limits=Limits(still=10))[1]


def test_a_single_wrong_time_makes_no_hours_of_pictures(tmp_path, clip):
    # One picture says that it is shown twenty hours later; it is decoded in its turn.
    source = tmp_path / "late.ts"
    late = "setts=pts=if(eq(N\\,30)\\,PTS+6480000000\\,PTS):dts=DTS"
    encode("-i", str(clip), "-map", "0:v", "-c", "copy", "-bsf:v", late, str(source))
    assert ingest(source, tmp_path / "layer").frame_count == 75


def test_there_is_one_video_and_it_is_named_what_else_was_sent(tmp_path, clip):
    other = tmp_path / "other.ts"
    shutil.copy(clip, other)
    assert "there are 2 videos (clip.ts, other.ts)" in refused(tmp_path, clip, other)[1]
    picture = tmp_path / "picture.csv"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    assert "picture.csv is of a kind that is not read" in refused(tmp_path, clip, picture)[1]
    table = tmp_path / "table.csv"
    table.write_text("a,b\n1,2\n")
    assert "table.csv is text, not a video" in refused(tmp_path, table)[1]


def test_an_unknown_resolution_is_refused_with_those_that_there_are(tmp_path, clip):
    code, text = refused(tmp_path, clip, resolutions=("4k",))
    assert code == 9157
    assert "ask for some of sd, hd, fhd, qhd, uhd, native" in text
