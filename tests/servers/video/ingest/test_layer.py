"""The files of a layer, as other readers see them."""

import json
import shutil
import subprocess

import m3u8
import pytest
from PIL import Image

from tests.servers.video.ingest.filming import said

needs_ffprobe = pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffprobe is not installed")


def probe(path, *entries):
    command = ["ffprobe", "-v", "error", "-print_format", "json", *entries, str(path)]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def test_the_steps_are_told_in_their_order_with_their_codes(layer):
    _, _, run = layer
    told = [code for code, _ in said(run) if code < 9000]
    assert told == [154, 155, 156, 157, 158, 159, 161, 174, 182, 162, 163, 205]
    assert (159, "Transcoding with CPU") in said(run)
    assert [text for code, text in said(run) if code == 9001] == [
        "Resolution hd is above that of the source, 960 x 540 pixels, and is left out",
        "Resolution fhd is above that of the source, 960 x 540 pixels, and is left out",
    ]


def test_the_facts_are_those_of_the_source_and_of_what_was_made(layer):
    _, facts, _ = layer
    assert (facts.width, facts.height, facts.aspect_ratio) == (960, 540, "16:9")
    assert (facts.container, facts.frame_rate, facts.gop) == ("mpegts", "29.97", 60)
    assert (facts.source_quality, facts.qualities, facts.encoder) == ("sd", ("sd", "native"), "CPU")
    assert facts.frame_count == 135
    assert facts.duration == pytest.approx(4.5045, abs=0.001)
    assert (facts.video_codec, facts.audio_codec) == ("avc1.64001f", "mp4a.40.2")
    assert facts.previews
    assert not facts.telemetry


def test_the_folder_has_these_files_and_no_others(layer):
    folder, _, _ = layer
    segments = {f"{rung}/{number:05}.m4s" for rung in ("sd", "native", "audio") for number in range(2)}
    others = {f"{rung}/{name}" for rung in ("sd", "native", "audio") for name in ("init.mp4", "index.m3u8")}
    others |= {"ABR.m3u8", "poster.jpg", "preview/preview.json", "preview/preview.jpg", "original/source.ts"}
    assert {
        str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file()
    } == segments | others


@needs_ffprobe
@pytest.mark.parametrize(("rung", "width", "height"), [("sd", 854, 480), ("native", 960, 540)])
def test_ffprobe_reads_every_rung(layer, rung, width, height):
    folder, facts, _ = layer
    found = probe(folder / rung / "index.m3u8", "-show_streams", "-show_format", "-count_frames")
    (stream,) = found["streams"]
    assert (stream["codec_name"], stream["width"], stream["height"]) == ("h264", width, height)
    assert (stream["r_frame_rate"], stream["pix_fmt"], stream["profile"]) == ("30000/1001", "yuv420p", "High")
    assert int(stream["nb_read_frames"]) == facts.frame_count
    assert float(stream["start_time"]) == 0
    assert float(found["format"]["duration"]) == pytest.approx(facts.duration, abs=0.01)


@needs_ffprobe
def test_every_rung_has_its_key_frames_at_the_same_even_distances(layer):
    folder, facts, _ = layer
    times = {}
    for rung in facts.qualities:
        found = probe(folder / rung / "index.m3u8", "-show_packets")["packets"]
        times[rung] = [float(each["pts_time"]) for each in found if each["flags"].startswith("K")]
    assert times["sd"] == times["native"]
    assert times["native"] == pytest.approx([number * 2.002 for number in range(3)], abs=0.001)


@needs_ffprobe
def test_ffprobe_reads_the_whole_as_one_presentation(layer):
    folder, _, _ = layer
    found = probe(folder / "ABR.m3u8", "-show_streams", "-show_format")
    assert sorted(each["codec_name"] for each in found["streams"]) == ["aac", "h264", "h264"]
    # Sound begins with the frame by which a decoder of AAC gets going.
    assert all(-0.022 < float(each["start_time"]) <= 0 for each in found["streams"])
    assert float(found["format"]["duration"]) == pytest.approx(4.5, abs=0.05)


def test_the_master_playlist_tells_what_was_measured(layer):
    folder, facts, _ = layer
    master = m3u8.load(str(folder / "ABR.m3u8"))
    assert master.is_variant
    assert master.is_independent_segments
    assert [each.uri for each in master.playlists] == ["sd/index.m3u8", "native/index.m3u8"]
    (sound,) = master.media
    assert (sound.type, sound.uri, sound.default, sound.channels) == ("AUDIO", "audio/index.m3u8", "YES", "2")
    for rung, size in zip(master.playlists, ((854, 480), (960, 540)), strict=True):
        told = rung.stream_info
        parts = [_load(folder / rung.uri), _load(folder / sound.uri)]
        assert told.resolution == size
        assert told.frame_rate == 29.97
        assert told.audio == "audio"
        assert told.closed_captions == "NONE"
        assert told.codecs == (f"{facts.video_codec},mp4a.40.2")
        # RFC 8216, 4.3.4.2: the sums over the renditions that are played together.
        assert told.bandwidth == pytest.approx(sum(map(_peak, parts)), rel=0.01)
        assert told.average_bandwidth == pytest.approx(sum(map(_average, parts)), rel=0.01)
        assert told.average_bandwidth <= told.bandwidth


def _load(index):
    """The target duration of a rendition, and of each segment the seconds and the bits on the disk."""
    playlist = m3u8.load(str(index))
    sizes = [8 * (index.parent / each.uri).stat().st_size for each in playlist.segments]
    return playlist.target_duration, [each.duration for each in playlist.segments], sizes


def _average(load):
    _, seconds, bits = load
    return sum(bits) / sum(seconds)


def _peak(load):
    """The highest rate of segments in a row that together last from a half to one and a half target durations."""
    target, seconds, bits = load
    runs = [slice(a, b + 1) for a in range(len(bits)) for b in range(a, len(bits))]
    return max(sum(bits[run]) / sum(seconds[run]) for run in runs if 0.5 <= sum(seconds[run]) / target <= 1.5)


@pytest.mark.parametrize("rung", ["sd", "native", "audio"])
def test_the_playlist_of_a_rendition_names_its_segments_and_their_durations(layer, rung):
    folder, facts, _ = layer
    playlist = m3u8.load(str(folder / rung / "index.m3u8"))
    assert playlist.is_endlist
    assert playlist.is_independent_segments
    assert (playlist.playlist_type, playlist.target_duration) == ("vod", 4)
    assert playlist.segments[0].init_section.uri == "init.mp4"
    assert [each.uri for each in playlist.segments] == ["00000.m4s", "00001.m4s"]
    assert sum(each.duration for each in playlist.segments) == pytest.approx(facts.duration, abs=0.05)
    if rung != "audio":
        assert [each.duration for each in playlist.segments] == pytest.approx([4.004, 0.5005], abs=1e-4)


def test_no_playlist_names_a_place_outside_the_layer(layer):
    folder, _, _ = layer
    for playlist in folder.rglob("*.m3u8"):
        assert ":/" not in playlist.read_text()
        assert "../" not in playlist.read_text()


def test_the_previews_are_told_as_players_read_them(layer):
    folder, _, _ = layer
    told = json.loads((folder / "preview/preview.json").read_text())
    assert told["preview"] == "preview.jpg"
    assert (told["frameCount"], told["frameInterval"]) == (3, 2002)
    assert [each["offset"] for each in told["frames"]] == [0, 2002, 4004]
    assert (told["width"], told["height"]) == (160, 90)
    with Image.open(folder / "preview/preview.jpg") as sheet:
        assert sheet.size == (told["nCol"] * told["width"], told["nRow"] * told["height"])
        small = [sheet.crop((number * 160, 0, number * 160 + 160, 90)).tobytes() for number in range(3)]
    assert len(set(small)) == 3


def test_the_poster_has_the_size_of_the_best_rung(layer):
    folder, _, _ = layer
    with Image.open(folder / "poster.jpg") as poster:
        assert (poster.format, poster.size) == ("JPEG", (960, 540))


def test_progress_grows_and_tells_how_long_the_rest_takes(layer):
    _, _, run = layer
    told = [each for each in run.notebook.events if type(each).__name__ == "Progressed"]
    shares = [each.fraction for each in told]
    assert shares == sorted(shares)
    # What comes too fast is left out, so the last ones need not be among them; the end is not for a step to tell.
    assert 0.5 < shares[-1] <= 0.97
    assert {each.text.partition(":")[0] for each in told} == {"", "Transcoding with CPU"}
    assert any(
        each.text.startswith("Transcoding with CPU: about ") and each.text.endswith("left") for each in told
    )


def test_each_step_is_a_stage_that_was_planned_and_ended(layer):
    _, _, run = layer
    events = [(type(each).__name__, getattr(each, "name", "")) for each in run.notebook.events]
    planned = next(each for each in run.notebook.events if type(each).__name__ == "StagesPlanned").names
    ended = [name for kind, name in events if kind == "StageFinished"]
    assert ended == [each for each in planned if each != "Extracting KLV Metadata"]
