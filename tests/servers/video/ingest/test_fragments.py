"""What is measured of segments."""

import shutil

import pytest

from milepost.servers.video.ingest.fragments import measure


def test_a_rendition_is_measured_from_its_boxes(layer):
    folder, facts, _ = layer
    made = measure(folder / "native")
    assert (made.name, made.codec, made.width, made.height) == ("native", facts.video_codec, 960, 540)
    assert [each.frames for each in made.segments] == [120, 15]
    assert [each.start for each in made.segments] == pytest.approx([0, 4.004])
    assert sum(each.size for each in made.segments) == sum(
        each.stat().st_size for each in (folder / "native").glob("*.m4s")
    )
    sound = measure(folder / "audio")
    assert (sound.codec, sound.width) == ("mp4a.40.2", 0)
    assert sound.duration == pytest.approx(facts.duration, abs=0.05)


@pytest.mark.parametrize("left", [0, 6, 100, -1])
def test_a_segment_that_was_not_written_whole_is_noticed(layer, tmp_path, left):
    shutil.copytree(layer[0] / "sd", tmp_path / "sd")
    last = tmp_path / "sd/00001.m4s"
    last.write_bytes(last.read_bytes()[:left])
    with pytest.raises(ValueError, match=r"sd/00001\.m4s is (cut off|empty)"):
        measure(tmp_path / "sd")


def test_a_folder_without_segments_is_no_rendition(tmp_path):
    with pytest.raises(ValueError, match="has no segments"):
        measure(tmp_path)
