"""Graphics processors that there are, that there are not, and that fail: played by a program, as machines differ."""

import shutil
import stat
import sys

import pytest

from milepost.operations import Run
from milepost.servers.video.encoders import encoders
from milepost.servers.video.ingest import Limits, find_ffmpeg
from tests.servers.video.ingest.filming import film, ingest, said

PROGRAM = """#!{python}
import os, sys, time
arguments = " ".join(sys.argv[1:])
if "h264_nvenc" in arguments:
    trial = "-progress" not in arguments
    {behaviour}
swaps = {{"h264_nvenc": "libx264", "p4": "ultrafast", "-no-scenecut": "-sc_threshold", "1": "0"}}
line = [swaps.get(each, each) if "h264_nvenc" in arguments else each for each in sys.argv[1:]]
os.execv({ffmpeg!r}, [{ffmpeg!r}, *line])
"""


# It goes on without a word, and loses frames.
LOSES = "if not trial: sys.argv[1:] = [each.replace('start_time=0', 'start_time=0,trim={}') for each in sys.argv[1:]]"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Makes a machine with a graphics processor whose encoder behaves in some way; its device files."""

    def make(behaviour):
        folder = tmp_path / "bin"
        folder.mkdir()
        program = folder / "ffmpeg"
        program.write_text(PROGRAM.format(python=sys.executable, behaviour=behaviour, ffmpeg=find_ffmpeg()))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        devices = tmp_path / "dev"
        devices.mkdir()
        (devices / "nvidiactl").touch()
        return devices

    return make


def told(run):
    return [text for code, text in said(run) if code in (159, 9003)]


def test_a_graphics_processor_that_encodes_is_used(machine, tmp_path, clip):
    run = Run()
    facts = ingest(clip, tmp_path / "layer", run=run, devices=machine("pass"))
    assert told(run) == ["Transcoding with GPU"]
    assert (facts.encoder, facts.frame_count) == ("GPU", 75)


def test_what_the_machine_encodes_is_tried_once_and_told(machine, tmp_path):
    count = f"open({str(tmp_path / 'trials')!r}, 'a').write('x')"
    devices = machine(count)
    for _ in range(2):
        said = encoders(devices)
        assert (said["supportsGpuTranscoding"], said["gpuInfo"]) == (True, [{"encoder": "h264_nvenc"}])
        assert (said["supportsH264"], said["supportsH265"]) == (True, False)
    assert (tmp_path / "trials").read_text() == "x"
    (devices / "nvidiactl").unlink()
    assert (encoders(devices)["supportsGpuTranscoding"], encoders(devices)["gpuInfo"]) == (False, [])


def test_one_that_cannot_be_opened_is_not(machine, tmp_path, clip):
    run = Run()
    devices = machine("sys.exit('Cannot load libcuda.so.1')")
    assert ingest(clip, tmp_path / "layer", run=run, devices=devices).encoder == "CPU"
    assert told(run) == ["Transcoding with CPU"]


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("if not trial: sys.exit('OpenEncodeSessionEx failed: out of memory (10)')", "out of memory"),
        (
            "if not trial: print('frame=3', 'progress=continue', sep='\\n', flush=True); time.sleep(600)",
            "get on",
        ),
        (LOSES.format("duration=1"), "it made 1.0 of 3.0 seconds"),
        (LOSES.format("start=9"), "is empty"),
    ],
    ids=["leaves", "hangs", "loses some", "loses all"],
)
def test_the_cpu_does_what_a_graphics_processor_fails_to_do(machine, tmp_path, clip, behaviour, reason):
    run = Run()
    facts = ingest(clip, tmp_path / "layer", run=run, devices=machine(behaviour), limits=Limits(patience=5))
    first, warning, last = told(run)
    assert (first, last) == ("Transcoding with GPU", "Transcoding with CPU")
    assert warning.startswith("The graphics processor failed (")
    assert reason in warning
    assert (facts.encoder, facts.frame_count) == ("CPU", 75)


def test_key_frames_in_the_wrong_places_are_a_failure(machine, tmp_path):
    clip = film(tmp_path / "clip.mp4", seconds=6, sound=False)
    run = Run()
    devices = machine(
        "if not trial: sys.argv[1:] = [each if each != '50' else '33' for each in sys.argv[1:]]"
    )
    facts = ingest(clip, tmp_path / "layer", run=run, devices=devices)
    assert facts.encoder == "CPU"
    assert "key frames" in told(run)[1]


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no FFmpeg is installed")
def test_a_device_file_alone_is_no_graphics_processor(tmp_path, clip):
    devices = tmp_path / "dev"
    (devices / "dri").mkdir(parents=True)
    (devices / "dri" / "renderD128").touch()
    (devices / "nvidiactl").touch()
    run = Run()
    assert ingest(clip, tmp_path / "layer", run=run, devices=devices).encoder == "CPU"
    assert told(run) == ["Transcoding with CPU"]
