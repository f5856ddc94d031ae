"""From the files of a source to the files of a layer, step by step."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

import msgspec

from milepost.operations import Run
from milepost.servers.video.facts import COVERAGE, MASTER, POSTER, PREVIEW, TELEMETRY, Facts
from milepost.servers.video.ingest import codes, playlists
from milepost.servers.video.ingest.containers import HEAD, SUFFIXES, container_of, is_text, video_in
from milepost.servers.video.ingest.ffmpeg import CPU, Encoder, find_ffmpeg, gpu_encoder
from milepost.servers.video.ingest.fragments import INIT, Rendition, measure
from milepost.servers.video.ingest.ladder import Ladder, aspect_ratio, frame_rate, gop_of, ladder, quality_of
from milepost.servers.video.ingest.limits import Limits
from milepost.servers.video.ingest.pictures import SPRITE, make_poster, make_previews
from milepost.servers.video.ingest.probing import Source, probe
from milepost.servers.video.ingest.transcoding import AUDIO, transcode
from milepost.servers.video.ingest.watching import Died, Hung

if TYPE_CHECKING:
    from milepost.servers.video.telemetry.ingest import Telemetry

P = ParamSpec("P")
T = TypeVar("T")

STEPS: Final[dict[str, int]] = {
    "Probing Video Codec": codes.PROBING_VIDEO,
    "Probing Audio": codes.PROBING_AUDIO,
    "Probing Video Klv": codes.PROBING_KLV,
    "Generating Video Stream Info": codes.STREAM_INFO,
    "Generating Video Info": codes.VIDEO_INFO,
    "Transcoding": codes.TRANSCODING,
    "Extracting KLV Metadata": codes.TELEMETRY,
    "Generating HLS Service Files": codes.HLS,
    "Generating Poster Image": codes.POSTER,
    "Generating Preview Images": codes.PREVIEWS,
    "Generating ABR Info Files": codes.ABR,
    "Removing Temporary Files": codes.REMOVING,
    "Video Files Created": codes.CREATED,
}
"""What is done, in order, and the code by which it is said. Each is a stage and a step of the job."""

ENCODING: Final = (0.02, 0.95)
"""The shares of the progress at which the transcoding begins and ends: nearly all of the time is its."""

DONE: Final = 0.97

SCRATCH: Final = "ingest"
"""The folder below that of the job for what is needed only on the way."""

ORIGINAL: Final = "original"
"""The folder of the source."""

OTHERS: Final = ("telemetry.json", "telemetry.geojson", "telemetry.csv", ORIGINAL)
"""What else may lie in the folder of a layer."""

_PART: Final = 8 << 20
"""Bytes that are copied between two looks at whether to stop."""


class Transcoded(msgspec.Struct, frozen=True):
    """How the rungs were made."""

    encoder: str
    """``CPU`` or ``GPU``."""
    damage: str
    """What is wrong with the source; empty when nothing is."""


class Shape(msgspec.Struct, frozen=True):
    """What the rungs are to be."""

    ladder: Ladder
    rate: tuple[int, int]
    """Frames a second, as a fraction."""
    gop: int


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
    return _Making(run, sources, resolutions, folder, limits, devices).work()


class _Making:
    """One attempt at making the files of a layer."""

    def __init__(
        self,
        run: Run,
        sources: Sequence[Path],
        resolutions: Sequence[str],
        folder: Path,
        limits: Limits,
        devices: Path,
    ):
        self._run, self._sources, self._resolutions, self._folder = run, sources, resolutions, folder
        self._limits, self._devices = limits, devices

    def work(self) -> Facts:
        run = self._run
        run.plan_stages(*STEPS)
        ffmpeg = find_ffmpeg()
        source = self._step("Probing Video Codec", self._probe)
        audio = self._step("Probing Audio", self._probe_audio, source)
        klv = self._step("Probing Video Klv", self._probe_klv, source)
        shape = self._step("Generating Video Stream Info", self._plan, source)
        about = self._step("Generating Video Info", self._describe, source)
        made = self._transcode(ffmpeg, source, shape, audio)
        rungs = [measure(self._folder / each.name) for each in shape.ladder.rungs]
        sound = measure(self._folder / AUDIO) if (self._folder / AUDIO).is_dir() else None
        found = self._telemetry(source, klv)
        self._step("Generating HLS Service Files", self._package, source, rungs, sound, found)
        self._step("Generating Poster Image", make_poster, rungs[-1], self._folder)
        gop_seconds = float(shape.gop / Fraction(*shape.rate))
        self._step("Generating Preview Images", make_previews, rungs[0], gop_seconds, self._folder)
        self._step("Generating ABR Info Files", self._master, rungs, sound, source, shape)
        self._step("Removing Temporary Files", self._clean, rungs, sound)
        self._step("Video Files Created", _nothing)
        run.progress(DONE)
        return msgspec.structs.replace(
            about,
            video_codec=rungs[-1].codec,
            audio_codec=sound.codec if sound else "",
            frame_count=rungs[-1].frames,
            duration=round(rungs[-1].duration, 3),
            encoder=made.encoder,
            qualities=tuple(each.name for each in rungs),
            telemetry=found is not None,
            start=found.start if found else None,
            end=found.end if found else None,
            extent=found.extent if found else None,
        )

    def _step(self, name: str, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Say what is done, and do it; unless an earlier attempt did."""
        if self._run.has_done(name):
            return self._run.step(name, function, *args, **kwargs)
        with self._telling(name):
            self._run.message(name, code=STEPS[name])
            return self._run.step(name, function, *args, **kwargs)

    @contextmanager
    def _telling(self, name: str) -> Iterator[None]:
        """A stage which tells by its name why it fails."""
        with self._run.stage(name):
            try:
                yield
            except MemoryError:
                raise
            except Exception as error:
                text = f"{name} failed: {_cause(error)}"
                self._run.message(text, level="error", code=codes.FAILED + STEPS[name])
                raise RuntimeError(text) from error

    def _warn(self, text: str, code: int) -> None:
        self._run.message(text[:1].upper() + text[1:], level="warning", code=code)

    def _probe(self) -> Source:
        videos = [each for each in self._sources if _is_video(each)]
        if len(videos) > 1:
            names = ", ".join(each.name for each in videos)
            raise ValueError(
                f"there are {len(videos)} videos ({names}), and a layer has one; add a layer for each"
            )
        for each in self._sources:
            if each not in videos and (not videos or not is_text(each)):
                video_in(each)  # says what it is instead
        if not videos:
            raise ValueError("there is no video; send one")
        return probe(videos[0], check=self._run.check, limits=self._limits)

    def _probe_audio(self, source: Source) -> bool:
        """Whether the layer gets sound."""
        audio = source.audio
        if audio and not audio.decoded:
            self._warn(f"the {audio.codec} sound cannot be decoded and is left out", codes.AUDIO_LEFT_OUT)
        return audio is not None and audio.decoded

    def _probe_klv(self, source: Source) -> bool:
        """Whether there is telemetry in the video."""
        from milepost.servers.video.telemetry.ingest import find

        return find(Path(source.path)) is not None

    def _plan(self, source: Source) -> Shape:
        rate = frame_rate(source.video.rate)
        if abs(rate - source.video.rate) / rate > Fraction(1, 100):
            self._warn(
                f"the source has {_decimal(source.video.rate)} frames a second; the layer has {_decimal(rate)}",
                codes.FRAME_RATE_CHANGED,
            )
        width, height = source.video.shown
        planned = ladder(width, height, rate, self._resolutions)
        for each in planned.left_out:
            self._warn(each, codes.RESOLUTION_LEFT_OUT)
        return Shape(planned, (rate.numerator, rate.denominator), gop_of(rate))

    def _describe(self, source: Source) -> Facts:
        width, height = source.video.shown
        rate = frame_rate(source.video.rate)
        return Facts(
            container=source.container,
            video_codec="",
            width=width,
            height=height,
            frame_rate=_decimal(rate),
            frame_count=0,
            gop=gop_of(rate),
            aspect_ratio=aspect_ratio(width, height),
            duration=source.duration,
            source_quality=quality_of(width, height),
            qualities=(),
            encoder="",
            previews=True,
        )

    def _transcode(self, ffmpeg: str, source: Source, shape: Shape, audio: bool) -> Transcoded:
        if self._run.has_done("Transcoding"):
            return self._run.step("Transcoding", self._encode, ffmpeg, CPU, source, shape, audio)
        with self._telling("Transcoding"):
            self._run.progress(ENCODING[0])
            encoder = gpu_encoder(ffmpeg, self._devices, self._run.check)
            if encoder:
                self._run.message("Transcoding with GPU", code=codes.TRANSCODING)
                try:
                    return self._run.step("Transcoding", self._encode, ffmpeg, encoder, source, shape, audio)
                except (Died, Hung) as error:
                    self._warn(f"the graphics processor failed ({_cause(error)})", codes.GPU_GIVEN_UP)
            self._run.message("Transcoding with CPU", code=codes.TRANSCODING)
            return self._run.step("Transcoding", self._encode, ffmpeg, CPU, source, shape, audio)

    def _encode(self, ffmpeg: str, encoder: Encoder, source: Source, shape: Shape, audio: bool) -> Transcoded:
        begin, end = ENCODING

        def report(share: float, left: str) -> None:
            self._run.progress(
                begin + share * (end - begin), f"Transcoding with {encoder.where}{left and f': {left}'}"
            )

        damage = transcode(
            source,
            shape.ladder.rungs,
            self._folder,
            ffmpeg=ffmpeg,
            encoder=encoder,
            audio=audio,
            limits=self._limits,
            check=self._run.check,
            progress=report,
        )
        if damage:
            self._warn(
                f"parts of the source are damaged and were patched over ({damage})", codes.SOURCE_DAMAGED
            )
        return Transcoded(encoder.where, damage)

    def _telemetry(self, source: Source, klv: bool) -> "Telemetry | None":
        """The telemetry of the video, or of the files beside it; None when there is none."""
        from milepost.servers.video.telemetry.ingest import Telemetry, read

        beside = [each for each in self._sources if str(each) != source.path]
        if not klv and not beside:
            return None
        scratch = self._run.workspace / SCRATCH
        scratch.mkdir(exist_ok=True)

        def extract() -> Telemetry | None:
            found = read(Path(source.path), beside, workspace=scratch, tell=self._look)
            for each in found.warnings if found else ("There is no telemetry in it",):
                self._warn(each, codes.TELEMETRY_DOUBTFUL)
            return found if found and found.count else None

        return self._step("Extracting KLV Metadata", extract)

    def _look(self, _: float) -> None:
        self._run.check()

    def _package(
        self,
        source: Source,
        rungs: Sequence[Rendition],
        sound: Rendition | None,
        found: "Telemetry | None",
    ) -> None:
        for each in (*rungs, *([sound] if sound else [])):
            (self._folder / each.name / playlists.INDEX).write_text(playlists.media(each))
        if found:
            from milepost.servers.video.telemetry.ingest import write

            write(found, self._folder, [each.duration for each in rungs[-1].segments], tell=self._look)
        self._keep_original(source)

    def _keep_original(self, source: Source) -> None:
        path = Path(source.path)
        target = self._folder / ORIGINAL / f"source.{SUFFIXES[source.container]}"
        target.parent.mkdir(exist_ok=True)
        target.unlink(missing_ok=True)
        try:
            target.hardlink_to(path)
        except OSError:  # it lies on another disk
            with path.open("rb") as reading, target.open("wb") as writing:
                while part := reading.read(_PART):
                    writing.write(part)
                    self._run.check()

    def _master(
        self, rungs: Sequence[Rendition], sound: Rendition | None, source: Source, shape: Shape
    ) -> None:
        subtitles = self._folder / TELEMETRY
        text = playlists.master(
            rungs,
            sound,
            source.audio.language if source.audio else "",
            playlists.load_in(subtitles) if subtitles.is_file() else None,
            Fraction(*shape.rate),
        )
        (self._folder / MASTER).write_text(text)

    def _clean(self, rungs: Sequence[Rendition], sound: Rendition | None) -> None:
        """Remove what the steps left besides the files of the layer."""
        shutil.rmtree(self._run.workspace / SCRATCH, ignore_errors=True)
        keep = {MASTER, POSTER, PREVIEW, COVERAGE, str(Path(PREVIEW).with_name(SPRITE))}
        for each in (*rungs, *([sound] if sound else [])):
            keep.update(f"{each.name}/{name}" for name in (INIT, playlists.INDEX))
            keep.update(f"{each.name}/{segment.name}" for segment in each.segments)
        top = {*OTHERS, Path(TELEMETRY).parts[0]}
        for path in sorted(self._folder.rglob("*"), reverse=True):
            name = path.relative_to(self._folder)
            if name.parts[0] in top or str(name) in keep:
                continue
            if not path.is_dir():
                path.unlink()
            elif not any(path.iterdir()):
                path.rmdir()


def _nothing() -> None:
    """A step in which nothing is left to do but to say so."""


def _is_video(path: Path) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return container_of(file.read(HEAD)) is not None


def _decimal(rate: Fraction) -> str:
    return f"{float(rate):.3f}".rstrip("0").rstrip(".")


def _cause(error: Exception) -> str:
    """Why something failed, in words; a failure that nobody expected is told with its kind."""
    match error:
        case Hung():
            return f"FFmpeg was stopped, since {error}; try again, or send the file in another format"
        case Died():
            return f"FFmpeg gave up: {error}"
        case ValueError() | RuntimeError():
            return str(error)
    return f"{type(error).__name__}: {error}"
