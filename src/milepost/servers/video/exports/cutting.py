"""Cutting a part out of a video: frame by frame exact, and without encoding again where that can be."""

from collections.abc import Callable, Sequence
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from milepost.servers.video.exports.carrying import carry_klv
from milepost.servers.video.exports.plans import Cut, Format
from milepost.servers.video.exports.seeking import beginning_for, open_source
from milepost.servers.video.ingest.ladder import ladder
from milepost.servers.video.ingest.limits import Limits
from milepost.servers.video.ingest.probing import DEMUXERS, Source
from milepost.servers.video.ingest.watching import watch
from milepost.servers.video.telemetry.samples import KlvStream

_MUXERS: Final[dict[Format, str]] = {"mov": "mov", "ts": "mpegts", "mp4": "mp4"}
_HALF_A_FRAME: Final = Fraction(1, 2)
_QUALITY: Final = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "18", "-pix_fmt", "yuv420p")
"""Hardly to be told from the source, since a part is cut out once."""


class Cutter:
    """Cuts parts out of one video."""

    def __init__(
        self,
        source: Source,
        klv: KlvStream | None,
        *,
        ffmpeg: str,
        check: Callable[[], None],
        progress: Callable[[float], None],
        limits: Limits,
    ):
        """Of a video.

        Args:
            source: the video.
            klv: its telemetry, if it has any.
            ffmpeg: the program.
            check: called often; what it raises kills FFmpeg.
            progress: is told the share that is done.
            limits: how long FFmpeg may go without getting on.
        """
        self._source, self._klv, self._ffmpeg = source, klv, ffmpeg
        self._check, self._progress, self._limits = check, progress, limits

    def cut(self, wanted: Cut, target: Path) -> bool:
        """Write a part to a file; whether its pictures had to be encoded again.

        Raises:
            Hung, Died: FFmpeg did not do it.
        """
        frames = self._as_they_are(wanted)
        how = ["-c:v", "copy", "-frames:v", str(frames)] if frames else self._encoded(wanted)
        if self._klv is None or wanted.format != "ts":
            self._run(wanted, how, target)
        else:
            pictures = target.with_name(f"pictures-{target.name}")
            self._run(wanted, how, pictures)
            carry_klv(self._source, self._klv, wanted, pictures, target)
            pictures.unlink()
        return not frames

    def _run(self, wanted: Cut, pictures: list[str], target: Path) -> None:
        source = self._source
        streams = ["-map", f"0:{source.video.index}", *pictures]
        if source.audio and source.audio.decoded:
            same = source.audio.codec == "aac"
            streams += ["-map", f"0:{source.audio.index}"]
            streams += ["-c:a", "copy"] if same else ["-c:a", "aac", "-b:a", "160k"]
        begin = beginning_for(source, wanted.start)
        inputs = self._inputs(DEMUXERS[source.container], Path(source.path), ["-ss", f"{begin:.6f}"])
        part = [
            "-ss",
            f"{self._on_file(wanted.start) - begin:.6f}",
            "-t",
            _length(wanted),
            "-copypriorss",
            "0",
        ]
        self._watch([*inputs, *streams, *part, *self._outputs(wanted, target)], wanted)

    def _on_file(self, seconds: float) -> float:
        """A time of the video as FFmpeg counts it: from where the first stream of the file begins."""
        return seconds + self._source.video.start - self._source.origin

    def _watch(self, arguments: list[str], wanted: Cut) -> None:
        watch(
            [self._ffmpeg, "-hide_banner", "-nostdin", "-y", "-loglevel", "error", "-nostats", *arguments],
            line=_Progress(wanted.end - wanted.start, self._progress),
            check=self._check,
            patience=self._limits.patience,
        )

    def _inputs(self, demuxer: str, path: Path, part: Sequence[str] = ()) -> list[str]:
        # Nothing but the one file is opened, whatever stands in it.
        safe = ["-format_whitelist", demuxer, "-protocol_whitelist", "file", "-f", demuxer]
        return [*safe, *part, "-i", f"file:{path.resolve()}"]

    def _outputs(self, wanted: Cut, target: Path) -> list[str]:
        quick = [] if wanted.format == "ts" else ["-movflags", "+faststart"]
        clean = ["-map_metadata", "-1", "-map_chapters", "-1", "-progress", "pipe:1"]
        return [*clean, *quick, "-f", _MUXERS[wanted.format], f"file:{target.resolve()}"]

    def _encoded(self, wanted: Cut) -> list[str]:
        video = self._source.video
        width, height = video.shown
        rung = ladder(width, height, video.rate, [wanted.quality]).rungs[0]
        filters = ["bwdif=mode=send_frame:deint=interlaced"] if video.interlaced else []
        filters += [f"scale={rung.width}:{rung.height}:flags=bicubic", "setsar=1"]
        return ["-vf", ",".join(filters), *_QUALITY]

    def _as_they_are(self, wanted: Cut) -> int:
        """How many frames a part has that can be taken over as they are; 0 when it cannot.

        Only from a key frame to before another one, or to the end; and only H.264, which all can play.
        """
        source = self._source
        if source.video.codec != "h264" or wanted.quality != "native" or source.video.interlaced:
            return 0
        with closing(open_source(source)) as container:
            return _whole_groups(container, source, wanted)


def _whole_groups(container: Any, source: Source, wanted: Cut) -> int:
    """The number of frames of a part, when it consists of whole groups of pictures; else 0."""
    video = container.streams[source.video.index]
    tolerance = float(_HALF_A_FRAME / source.video.rate)
    begin, end = wanted.start + source.video.start, wanted.end + source.video.start
    container.seek(max(0, int((begin - 1) / video.time_base)), stream=video)
    frames, begun = 0, False
    for packet in container.demux(video):
        if packet.pts is None:
            continue
        shown = float(packet.pts * video.time_base)
        if not begun:
            begun = packet.is_keyframe and abs(shown - begin) < tolerance
            if not begun and shown > begin + tolerance:
                return 0
            frames = int(begun)
            continue
        if packet.is_keyframe and shown > end - tolerance:
            return frames if shown < end + tolerance else 0
        if not begin - tolerance < shown < end - tolerance:
            return 0  # of a group that is open, or cut in the middle
        frames += 1
    return frames


def _length(wanted: Cut) -> str:
    return f"{wanted.end - wanted.start:.6f}"


class _Progress:
    """Reads FFmpeg's lines of progress."""

    def __init__(self, seconds: float, report: Callable[[float], None]):
        self._seconds, self._report = max(seconds, 0.001), report
        self._best = -1

    def __call__(self, line: bytes) -> bool:
        key, _, value = line.strip().partition(b"=")
        if key != b"out_time_us" or not value.strip().isdigit() or int(value) <= self._best:
            return False
        self._best = int(value)
        self._report(min(0.99, self._best / 1e6 / self._seconds))
        return True
