"""Transport streams as recorders and receivers leave them: padded, cut anywhere, of several programs."""

from datetime import UTC, datetime

import pytest

from milepost.operations import Run
from milepost.servers.video.flight import make_clip
from milepost.servers.video.ingest import Limits, find_ffmpeg
from milepost.servers.video.ingest.ffmpeg import CPU
from milepost.servers.video.ingest.fragments import measure
from milepost.servers.video.ingest.planning import plan
from milepost.servers.video.ingest.probing import probe
from milepost.servers.video.ingest.transcoding import transcode
from milepost.servers.video.telemetry.ingest import find
from tests.servers.video.ingest.filming import encode, film, ingest, said

ZEROS = bytes(200_000)
"""More than FFmpeg looks through at once for the next packet."""


def test_zeros_that_a_recorder_has_filled_its_file_with_are_passed_over(tmp_path, clip):
    padded = tmp_path / "padded.ts"
    padded.write_bytes(clip.read_bytes() + ZEROS)
    run = Run()
    facts = ingest(padded, tmp_path / "layer", run=run)
    assert (facts.frame_count, facts.duration) == (75, 3.0)
    assert [each for each in said(run) if each[0] > 9000] == [
        (9004, "Parts of the source are no video but zeros or something else, and were passed over")
    ]


def test_ffmpeg_may_take_its_time_for_many_zeros(tmp_path):
    padded = film(tmp_path / "padded.ts", size="64x36", seconds=1, sound=False)
    with padded.open("ab") as file:
        file.truncate(padded.stat().st_size + (16 << 20))
    source = probe(padded, check=lambda: None, limits=Limits())
    rungs = plan(source, ["native"]).rungs
    told = {"check": lambda: None, "progress": lambda *_: None}
    # It rests for longer than this in all.
    brief = Limits(patience=2)
    transcode(source, rungs, tmp_path, ffmpeg=find_ffmpeg(), encoder=CPU, audio=False, limits=brief, **told)
    assert measure(tmp_path / "native").frames == 25


def test_what_comes_after_zeros_is_found(tmp_path, clip):
    data = clip.read_bytes()
    middle = len(data) // 376 * 188
    holed = tmp_path / "holed.ts"
    holed.write_bytes(data[:middle] + ZEROS + data[middle:])
    source = probe(holed, check=lambda: None, limits=Limits())
    assert source.lasts == pytest.approx(3, abs=0.1)
    assert source.lost > 0


def test_zeros_alone_are_told_as_what_they_are(tmp_path, clip):
    hollow = tmp_path / "hollow.ts"
    # What says which streams there are, and nothing of them.
    hollow.write_bytes(clip.read_bytes()[: 188 * 3] * 10 + ZEROS * 5)
    with pytest.raises(
        ValueError, match=r"hollow\.ts: no picture of its h264 video is found in it: it is damaged"
    ):
        probe(hollow, check=lambda: None, limits=Limits())


@pytest.mark.parametrize("at", [1, 100, 187])
def test_a_stream_that_begins_in_the_middle_of_a_packet_is_taken(tmp_path, clip, at):
    cut = tmp_path / "cut.ts"
    cut.write_bytes(clip.read_bytes()[at:])
    source = probe(cut, check=lambda: None, limits=Limits())
    assert source.container == "mpegts"
    assert source.lasts == pytest.approx(3, abs=0.1)


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """A stream of two flights, each a program with sound and telemetry; the second has the larger picture."""
    folder = tmp_path_factory.mktemp("programs")
    about = {"seconds": 1, "klv": "synchronous"}
    make_clip(folder / "a.ts", width=96, height=54, start=datetime(2026, 5, 1, tzinfo=UTC), **about)
    make_clip(folder / "b.ts", width=160, height=90, start=datetime(2026, 6, 1, tzinfo=UTC), **about)
    inputs = ["-i", str(folder / "a.ts"), "-i", str(folder / "b.ts"), "-map", "0", "-map", "1"]
    two = ["-program", "title=A:st=0:st=1:st=2", "-program", "title=B:st=3:st=4:st=5"]
    encode(*inputs, "-c", "copy", *two, str(folder / "two.ts"))
    return folder / "two.ts"


def test_sound_and_telemetry_are_of_the_program_of_the_picture(tmp_path, programs):
    source = probe(programs, check=lambda: None, limits=Limits())
    assert (source.video.index, source.audio.index, source.audio.tracks) == (3, 4, 1)
    assert find(programs).index == 5
    run = Run(workspace=tmp_path)
    facts = ingest(programs, tmp_path / "layer", run=run)
    assert facts.start == datetime(2026, 6, 1, tzinfo=UTC).timestamp() * 1000
    (told,) = [text for code, text in said(run) if code == 9002]
    assert told.startswith("The source has 2 programs; the layer has the one with the largest picture, ")


def test_a_program_without_sound_gets_none_of_another(tmp_path):
    parts = [
        film(tmp_path / "a.ts", seconds=0.4),
        film(tmp_path / "b.ts", seconds=0.4, size="640x360", sound=False),
    ]
    inputs = [part for each in parts for part in ("-i", str(each))]
    two = ["-program", "title=A:st=0:st=1", "-program", "title=B:st=2", "-c", "copy"]
    encode(*inputs, "-map", "0", "-map", "1", *two, str(tmp_path / "two.ts"))
    source = probe(tmp_path / "two.ts", check=lambda: None, limits=Limits())
    assert (source.video.index, source.audio, source.programs) == (2, None, 2)


def test_one_program_with_several_pictures_is_one(tmp_path):
    parts = [
        film(tmp_path / "a.ts", seconds=0.4),
        film(tmp_path / "b.ts", seconds=0.4, size="640x360", sound=False),
    ]
    inputs = [part for each in parts for part in ("-i", str(each))]
    encode(*inputs, "-map", "0", "-map", "1", "-c", "copy", str(tmp_path / "one.ts"))
    source = probe(tmp_path / "one.ts", check=lambda: None, limits=Limits())
    assert (source.video.index, source.audio.index, source.programs) == (2, 1, 1)
