"""Work that is cancelled, hangs, or is cut off and goes on later."""

import stat
import sys

import psutil
import pytest

from milepost.operations import Notebook, Run, Stop
from milepost.servers.video.ingest import Limits, find_ffmpeg, problems
from tests.servers.video.ingest.filming import film, ingest, said


class CutError(BaseException):
    """Stands for a crash: nothing that the work does catches it."""


class Cut(Notebook):
    """A notebook that ends the work when something is said."""

    def __init__(self, at: str):
        super().__init__()
        self._at = at

    def tell(self, event):
        super().tell(event)
        if getattr(event, "text", "") == self._at:
            raise CutError

    record = tell


class Cancelled(Notebook):
    """A notebook that has the work cancelled as soon as FFmpeg got on."""

    def tell(self, event):
        super().tell(event)
        if (
            getattr(event, "text", "").startswith("Transcoding with CPU")
            and type(event).__name__ == "Progressed"
        ):
            self.children = running()
            self.stop = "cancelled"

    record = tell


def command(folder, *lines):
    """A program in place of FFmpeg, which first of all says that it can encode."""
    folder.mkdir()
    path = folder / "ffmpeg"
    answer = 'case "$*" in *-encoders*) echo " V....D libx264 "; exit;; esac'
    path.write_text("\n".join(["#!/bin/sh", answer, *lines]) + "\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return folder


def instead(monkeypatch, folder):
    """Have the programs of a folder found before others."""
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def running():
    """The programs that this process started; servers of other tests may be among its children."""
    return [
        each
        for each in psutil.Process().children(recursive=True)
        if each.status() != psutil.STATUS_ZOMBIE and not each.name().startswith("python")
    ]


@pytest.fixture(autouse=True)
def nothing_is_left():
    yield
    assert running() == []


def test_a_cancel_kills_ffmpeg_at_once(tmp_path, clip):
    source = film(tmp_path / "long.mp4", size="960x540", seconds=6, sound=False)
    notebook = Cancelled()
    with pytest.raises(Stop, match="cancelled"):
        ingest(source, tmp_path / "layer", run=Run(notebook))
    assert [each.name() for each in notebook.children if each.is_running()] == []
    assert notebook.children


def test_an_ffmpeg_that_hangs_is_killed_with_all_that_it_started(tmp_path, clip, monkeypatch):
    instead(
        monkeypatch, command(tmp_path / "bin", "echo frame=7", "echo progress=continue", "sleep 600 & wait")
    )
    run = Run()
    with pytest.raises(RuntimeError) as caught:
        ingest(clip, tmp_path / "layer", run=run, limits=Limits(patience=4))
    assert str(caught.value) == (
        "Transcoding failed: FFmpeg was stopped, since it did not get on for 4 seconds; "
        "try again, or send the file in another format"
    )
    assert said(run)[-1] == (9159, str(caught.value))


def test_an_ffmpeg_that_repeats_itself_does_not_get_on(tmp_path, clip, monkeypatch):
    instead(
        monkeypatch,
        command(tmp_path / "bin", "while :; do echo frame=7; echo progress=continue; sleep 0.1; done"),
    )
    with pytest.raises(RuntimeError, match="did not get on"):
        ingest(clip, tmp_path / "layer", limits=Limits(patience=4))


def test_what_ffmpeg_complained_of_is_told_without_places_on_the_server(tmp_path, clip, monkeypatch):
    complaint = f"echo '[libx264 @ 0x5581c0] file:{clip}: Input/output error' >&2"
    instead(monkeypatch, command(tmp_path / "bin", complaint, "echo 'Conversion failed!' >&2", "exit 1"))
    with pytest.raises(RuntimeError) as caught:
        ingest(clip, tmp_path / "layer")
    assert str(caught.value) == "Transcoding failed: FFmpeg gave up: clip.ts: Input/output error"


def test_a_program_that_ends_without_a_word_fails_too(tmp_path, clip, monkeypatch):
    instead(monkeypatch, command(tmp_path / "bin", "exit 3"))
    with pytest.raises(RuntimeError, match="FFmpeg gave up: it ended with status 3"):
        ingest(clip, tmp_path / "layer")


@pytest.mark.parametrize(
    "at",
    [
        "Generating Video Stream Info",
        "Generating HLS Service Files",
        "Generating ABR Info Files",
        "Video Files Created",
    ],
)
def test_a_later_attempt_goes_on_where_an_earlier_one_was_cut_off(tmp_path, clip, monkeypatch, at):
    notebook = Cut(at)
    with pytest.raises(CutError):
        ingest(clip, tmp_path / "layer", run=Run(notebook, workspace=tmp_path))
    steps = {
        each.name: each.result.value for each in notebook.events if type(each).__name__ == "StepFinished"
    }
    encoded = {each: each.stat().st_mtime_ns for each in (tmp_path / "layer").rglob("*.m4s")}
    transcoded = "Transcoding" in steps
    assert transcoded == bool(encoded)
    if transcoded:
        # Nothing is encoded twice: whatever would do it now fails.
        instead(monkeypatch, command(tmp_path / "bin", "exit 1"))
    again = Run(workspace=tmp_path, steps=steps)
    facts = ingest(clip, tmp_path / "layer", run=again)
    assert facts == ingest(clip, tmp_path / "whole") if not transcoded else facts.frame_count == 75
    if transcoded:
        assert {each: each.stat().st_mtime_ns for each in (tmp_path / "layer").rglob("*.m4s")} == encoded
    told = [text for _, text in said(notebook)] + [text for _, text in said(again)]
    # Only the step that was cut off is told again.
    assert [each for each in set(told) if told.count(each) > 1] == [at]


def test_what_a_transcoding_that_was_cut_off_left_is_replaced(tmp_path, clip):
    left = tmp_path / "layer" / "native"
    left.mkdir(parents=True)
    (left / "00099.m4s").write_bytes(b"half")
    (tmp_path / "layer" / "00001.m4s.tmp").write_bytes(b"half")
    facts = ingest(clip, tmp_path / "layer")
    assert facts.frame_count == 75
    assert not (left / "00099.m4s").exists()
    assert not (tmp_path / "layer" / "00001.m4s.tmp").exists()


def test_what_is_missing_is_told(tmp_path, clip, monkeypatch):
    assert problems() == []
    poor = command(tmp_path / "bin")
    (poor / "ffmpeg").write_text("#!/bin/sh\necho ' V....D libopenh264 '\n")
    monkeypatch.setenv("PATH", str(poor))
    wheel = find_ffmpeg()
    assert "imageio_ffmpeg" in wheel
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    monkeypatch.setenv("PATH", f"{poor}:{tmp_path}")
    (problem,) = problems()
    assert problem.startswith("the FFmpeg of this machine has no H.264 encoder (libx264): install a full")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert problems()[0].startswith("no FFmpeg is installed: install the package ffmpeg, or pip install")
    with pytest.raises(RuntimeError, match="no FFmpeg is installed"):
        ingest(clip, tmp_path / "layer")


def test_the_ffmpeg_of_the_wheel_does_the_same_work(tmp_path, clip, monkeypatch):
    ours = ingest(clip, tmp_path / "system")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "imageio_ffmpeg" in find_ffmpeg()
    theirs = ingest(clip, tmp_path / "wheel")
    assert (theirs.frame_count, theirs.duration, theirs.gop) == (ours.frame_count, ours.duration, ours.gop)
