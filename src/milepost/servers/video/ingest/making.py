"""From the files of a source to the files of a layer, step by step."""

import importlib
import shutil
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from milepost.operations import Run
from milepost.servers.video.facts import (
    BESIDE,
    COVERAGE,
    MASTER,
    ORIGINAL,
    POSTER,
    PREVIEW,
    TABLE,
    TELEMETRY,
    Facts,
)
from milepost.servers.video.ingest import codes, playlists
from milepost.servers.video.ingest.containers import SUFFIXES
from milepost.servers.video.ingest.ffmpeg import CPU, Encoder, find_ffmpeg, gpu_encoder
from milepost.servers.video.ingest.fragments import INIT, Rendition, measure
from milepost.servers.video.ingest.keeping import link_or_copy
from milepost.servers.video.ingest.limits import Limits
from milepost.servers.video.ingest.looking import find_video, has_klv, has_sound, plan_rungs
from milepost.servers.video.ingest.pictures import SPRITE, make_poster, make_previews
from milepost.servers.video.ingest.planning import Plan, describe
from milepost.servers.video.ingest.probing import Source
from milepost.servers.video.ingest.steps import TRANSCODING, Steps, cause
from milepost.servers.video.ingest.transcoding import AUDIO, transcode
from milepost.servers.video.ingest.watching import Died, Hung

if TYPE_CHECKING:
    from milepost.servers.video.telemetry.ingest import Telemetry

ENCODING: Final = (0.02, 0.95)
"""The shares of the progress at which the transcoding begins and ends: nearly all of the time is its."""

DONE: Final = 0.97
"""The share at which the files are made."""

SCRATCH: Final = "ingest"
"""The folder below that of the job for what is needed only on the way."""

_OTHERS: Final = ("telemetry.json", "telemetry.geojson", TABLE, ORIGINAL, Path(TELEMETRY).parts[0])
"""What else may lie in the folder of a layer, besides what is named after what was made."""

_TELEMETRY: Final = "milepost.servers.video.telemetry.ingest"
"""Takes long to import."""


def make_files(
    run: Run,
    sources: Sequence[Path],
    resolutions: Sequence[str],
    folder: Path,
    *,
    limits: Limits = Limits(),  # noqa: B008 - it is frozen
    devices: Path = Path("/dev"),
) -> Facts:
    """Make the files of a layer out of a video, as ``facts`` names them.

    Each step is kept: a later attempt at the job goes on after the last one that was finished. The progress
    is told up to 0.97; the rest is for what the caller does with the files.

    Args:
        run: of the job.
        sources: one video, and files of telemetry that belong to it.
        resolutions: which are asked for, by their names.
        folder: where the files are to be. It is theirs alone, and outlives an attempt.
        limits: what is taken of a source.
        devices: the folder of device files, where graphics processors are looked for.

    Raises:
        RuntimeError: a step failed; the text names it, the cause and what helps.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ffmpeg = find_ffmpeg()
    # While other processes look into the source and encode it, this one has nothing else to do.
    threading.Thread(target=importlib.import_module, args=[_TELEMETRY], daemon=True).start()
    steps = Steps(run)
    source = steps.do("Probing Video Codec", find_video, run, sources, limits)
    audio = steps.do("Probing Audio", has_sound, steps, source)
    beside = [each for each in sources if str(each) != source.path]
    klv = steps.do("Probing Video Klv", has_klv, source, beside, run.check)
    planned = steps.do("Generating Video Stream Info", plan_rungs, steps, source, resolutions, ffmpeg)
    about = steps.do("Generating Video Info", describe, source)
    encoder = _Transcoding(run, steps, ffmpeg, source, planned, audio, folder, limits).work(devices)
    rungs = [measure(folder / each.name) for each in planned.rungs]
    sound = measure(folder / AUDIO) if (folder / AUDIO).is_dir() else None
    found = _extract(run, steps, source, beside) if klv or beside else None
    steps.do("Generating HLS Service Files", _package, run, source, beside, rungs, sound, found, folder)
    steps.do("Generating Poster Image", make_poster, rungs, folder)
    steps.do("Generating Preview Images", make_previews, rungs[0], planned.gop_seconds, folder)
    steps.do("Generating ABR Info Files", _write_master, rungs, sound, source, planned, folder)
    steps.do("Removing Temporary Files", _clean, run.workspace / SCRATCH, rungs, sound, folder)
    steps.do("Video Files Created", _nothing)
    run.progress(DONE)
    return msgspec.structs.replace(
        about,
        video_codec=rungs[-1].codec,
        audio_codec=sound.codec if sound else "",
        frame_count=rungs[-1].frames,
        duration=round(rungs[-1].duration, 3),
        qualities=tuple(each.name for each in rungs),
        encoder=encoder,
        telemetry=found is not None,
        previews=True,
        start=found.start if found else None,
        end=found.end if found else None,
        time_system=found.time_system if found else "UTC",
        extent=found.extent if found else None,
    )


class _Transcoding:
    """The step that takes nearly all of the time."""

    def __init__(
        self,
        run: Run,
        steps: Steps,
        ffmpeg: str,
        source: Source,
        planned: Plan,
        audio: bool,
        folder: Path,
        limits: Limits,
    ):
        self._run, self._steps, self._ffmpeg, self._source = run, steps, ffmpeg, source
        self._rungs, self._audio, self._folder, self._limits = planned.rungs, audio, folder, limits

    def work(self, devices: Path) -> str:
        """Encode with the graphics processor where there is one that works, else with the CPU; which it was."""
        run = self._run
        if run.has_done(TRANSCODING):
            return run.step(TRANSCODING, self._encode, CPU)
        with self._steps.told(TRANSCODING):
            run.progress(ENCODING[0])
            encoder = gpu_encoder(self._ffmpeg, devices, run.check)
            if encoder:
                try:
                    return run.step(TRANSCODING, self._encode, encoder)
                except (Died, Hung) as error:
                    self._steps.warn(f"The graphics processor failed ({cause(error)})", codes.GPU_GIVEN_UP)
            return run.step(TRANSCODING, self._encode, CPU)

    def _encode(self, encoder: Encoder) -> str:
        begin, end = ENCODING
        doing = f"Transcoding with {encoder.where}"
        self._run.message(doing, code=codes.TRANSCODING)

        def report(share: float, left: str) -> None:
            self._run.progress(begin + share * (end - begin), f"{doing}: {left}" if left else doing)

        damage = transcode(
            self._source,
            self._rungs,
            self._folder,
            ffmpeg=self._ffmpeg,
            encoder=encoder,
            audio=self._audio,
            limits=self._limits,
            check=self._run.check,
            progress=report,
        )
        if not damage and self._source.damaged:
            damage = f"{self._source.damaged} of its pictures came incomplete"
        if damage:
            text = f"Parts of the source are damaged and were patched over ({damage})"
            self._steps.warn(text, codes.SOURCE_DAMAGED)
        if self._source.lost:
            text = "Parts of the source are no video but zeros or something else, and were passed over"
            self._steps.warn(text, codes.SOURCE_DAMAGED)
        self._run.progress(end)
        return encoder.where


def _extract(run: Run, steps: Steps, source: Source, beside: Sequence[Path]) -> "Telemetry | None":
    """The telemetry of the video, or else of the files beside it; None when there is none."""
    from milepost.servers.video.telemetry.ingest import Telemetry, read

    scratch = run.workspace / SCRATCH
    scratch.mkdir(exist_ok=True)

    def extract() -> Telemetry | None:
        found = read(Path(source.path), beside, workspace=scratch, tell=lambda _: run.check())
        for each in found.warnings if found else ["There is no telemetry in what was sent"]:
            steps.warn(each, codes.TELEMETRY_DOUBTFUL)
        return found if found and found.count else None

    return steps.do("Extracting KLV Metadata", extract)


def _package(
    run: Run,
    source: Source,
    beside: Sequence[Path],
    rungs: Sequence[Rendition],
    sound: Rendition | None,
    found: "Telemetry | None",
    folder: Path,
) -> None:
    """Write the playlists of all renditions, with the telemetry as one of them, and keep what was sent."""
    for each in (*rungs, *([sound] if sound else [])):
        (folder / each.name / playlists.INDEX).write_text(playlists.media(each))
    if found:
        from milepost.servers.video.telemetry.ingest import write

        write(found, folder, [each.duration for each in rungs[-1].segments], tell=lambda _: run.check())
    _keep_original(source, beside, folder, run.check)


def _keep_original(source: Source, beside: Sequence[Path], folder: Path, check: Callable[[], None]) -> None:
    path = Path(source.path)
    target = folder / ORIGINAL / f"source.{SUFFIXES[source.container]}"
    link_or_copy(path, target, check)
    for number, each in enumerate(beside):
        link_or_copy(each, folder / BESIDE / f"{number:02}" / each.name, check)


def _write_master(
    rungs: Sequence[Rendition], sound: Rendition | None, source: Source, planned: Plan, folder: Path
) -> None:
    subtitles = folder / TELEMETRY
    text = playlists.master(
        rungs,
        sound,
        source.audio.language if source.audio else "",
        playlists.load_in(subtitles) if subtitles.is_file() else None,
        planned.frame_rate,
    )
    (folder / MASTER).write_text(text)


def _clean(scratch: Path, rungs: Sequence[Rendition], sound: Rendition | None, folder: Path) -> None:
    """Remove what the steps left besides the files of the layer."""
    shutil.rmtree(scratch, ignore_errors=True)
    keep = {MASTER, POSTER, PREVIEW, COVERAGE, str(Path(PREVIEW).with_name(SPRITE))}
    for each in (*rungs, *([sound] if sound else [])):
        keep.update(f"{each.name}/{name}" for name in (INIT, playlists.INDEX))
        keep.update(f"{each.name}/{segment.name}" for segment in each.segments)
    for path in sorted(folder.rglob("*"), reverse=True):
        name = path.relative_to(folder)
        if name.parts[0] in _OTHERS or str(name) in keep:
            continue
        if not path.is_dir():
            path.unlink()
        elif not any(path.iterdir()):
            path.rmdir()


def _nothing() -> None:
    """What is left to do when all is made."""
