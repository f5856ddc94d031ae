"""Cutting a part out of a video: frame by frame exact, and without encoding again where that can be."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av

from milepost.servers.video.exports.carrying import carry_klv
from milepost.servers.video.exports.joining import Strand, join
from milepost.servers.video.exports.plans import Cut, NothingThereError
from milepost.servers.video.exports.seeking import reading
from milepost.servers.video.exports.surveying import Part, survey
from milepost.servers.video.ingest.colours import to_standard
from milepost.servers.video.ingest.ladder import ladder
from milepost.servers.video.ingest.limits import Limits
from milepost.servers.video.ingest.probing import DEMUXERS, Source
from milepost.servers.video.ingest.watching import watch
from milepost.servers.video.telemetry.samples import KlvStream

_QUALITY: Final = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "18", "-pix_fmt", "yuv420p")
"""Hardly to be told from the source, since a part is cut out once."""
_SOUND: Final = ("-c:a", "aac", "-b:a", "160k")
_PLAYED: Final = ("yuv420p", "yuvj420p")
"""The formats of pixels that all players of H.264 know."""
_JOINING: Final = 0.05
"""Share of the progress that is for putting together what is encoded."""


@dataclass(frozen=True)
class Made:
    """What became of a part."""

    encoded: bool
    """Whether its pictures had to be encoded again."""
    pictures: int
    expected: int | None
    """How many pictures the part has in the video; None when the file does not tell."""


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

    def cut(self, wanted: Cut, target: Path) -> Made:
        """Write a part to a file.

        Raises:
            Hung, Died: FFmpeg did not do it.
            NothingThereError: the video has no picture in that part that can be decoded.
        """
        part = survey(self._source, wanted)
        file = target
        if self._klv is not None and wanted.format == "ts":
            file = target.with_name(f"pictures-{target.name}")
        pictures = self._copied(wanted, part, file)
        encoded = pictures is None
        if pictures is None:
            pictures = self._encoded(wanted, part, file)
        if not pictures:
            raise NothingThereError(
                f"the video has no picture from {wanted.start:g} s to {wanted.end:g} s that can be decoded; ask for "
                "another part"
            )
        if self._klv is not None and file != target:
            carry_klv(self._source, self._klv, part, file, target)
            file.unlink()
        return Made(encoded, pictures, part.pictures)

    def _copied(self, wanted: Cut, part: Part, target: Path) -> int | None:
        """Take over the pictures as they are; how many there are, None when that cannot be.

        Only of whole groups of pictures, and only H.264 of eight bits and the standard range, which all can play.
        """
        video = self._source.video
        same = video.codec == "h264" and video.pixel_format in _PLAYED and wanted.quality == "native"
        same = same and not video.high_range
        # A transport stream cannot tell that its pictures are to be turned.
        if not part.whole or not part.pictures or not same or (video.rotation and wanted.format == "ts"):
            return None
        zero = part.begin + video.start
        pictures = self._strand(video.index, zero, packets=part.pictures)
        made = target.with_name("made.mp4")
        try:
            if self._sound_is_encoded():
                self._run(part, made)
            self._join([pictures, *self._sound(part, made, 0)], wanted, part, target)
            return part.pictures if _count(target) == part.pictures else None
        except av.FFmpegError:
            return None  # its time stamps are not in order
        finally:
            made.unlink(missing_ok=True)

    def _encoded(self, wanted: Cut, part: Part, target: Path) -> int:
        """Encode the pictures; how many there are."""
        made = target.with_name("made.mp4")
        try:
            self._run(part, made, wanted.quality)
            if not _count(made):
                return 0
            pictures = Strand(made, "mov", 0, 0.0, end=float("inf"))
            self._join([pictures, *self._sound(part, made, 1)], wanted, part, target)
            return _count(target)
        finally:
            made.unlink(missing_ok=True)

    def _sound_is_encoded(self) -> bool:
        audio = self._source.audio
        return audio is not None and audio.decoded and audio.codec != "aac"

    def _sound(self, part: Part, made: Path, index: int) -> list[Strand]:
        """The sound of a part: of the video as it is, or that which was encoded."""
        audio, length = self._source.audio, part.end - part.begin
        if audio is None or not audio.decoded:
            return []
        if self._sound_is_encoded():
            return [Strand(made, "mov", index, 0.0, end=length)] if _streams(made) > index else []
        zero = part.begin + self._source.video.start
        return [self._strand(audio.index, zero, end=zero + length)]

    def _strand(self, index: int, begin: float, *, end: float = 0.0, packets: int = 0) -> Strand:
        source = self._source
        return Strand(Path(source.path), DEMUXERS[source.container], index, begin, end=end, packets=packets)

    def _join(self, strands: list[Strand], wanted: Cut, part: Part, target: Path) -> None:
        def tell(seconds: float) -> None:
            self._check()
            self._progress(min(0.99, 1 - _JOINING + _JOINING * max(0.0, seconds) / (part.end - part.begin)))

        join(strands, wanted.format, target, tell)

    def _run(self, part: Part, target: Path, quality: str | None = None) -> None:
        """Encode sound that not all can play, and with a quality the pictures, with the beginning of the part at 0."""
        inputs, first = reading(self._source, part.begin)
        zero, length = first + part.begin, part.end - part.begin
        streams = [] if quality is None else self._pictures(quality, zero, length)
        if self._source.audio is not None and self._sound_is_encoded():
            trim = f"atrim=start={zero:.6f}:end={zero + length:.6f},asetpts=PTS-{zero:.6f}/TB"
            streams += ["-map", f"0:{self._source.audio.index}", "-af", trim, *_SOUND]
        quiet = ["-hide_banner", "-nostdin", "-y", "-loglevel", "error", "-nostats"]
        clean = ["-map_metadata", "-1", "-map_chapters", "-1", "-progress", "pipe:1"]
        watch(
            [self._ffmpeg, *quiet, *inputs, *streams, *clean, "-f", "mp4", f"file:{target.resolve()}"],
            line=_Progress(length, lambda share: self._progress(share * (1 - _JOINING))),
            check=self._check,
            patience=self._limits.patience + self._source.empty,
        )

    def _pictures(self, quality: str, zero: float, length: float) -> list[str]:
        """The options by which FFmpeg encodes the pictures from the time ``zero`` on."""
        video = self._source.video
        rung = ladder(*video.shown, video.rate, [quality]).rungs[0]
        # From half a frame before: so it is always clear whether a picture belongs to it.
        begin = zero - 0.5 / float(video.rate)
        filters = [
            *(["bwdif=mode=send_frame:deint=interlaced"] if video.interlaced else []),
            f"trim=start={begin:.6f}:end={begin + length:.6f}",
            f"setpts=PTS-{zero:.6f}/TB",
            *to_standard(video, self._ffmpeg),
            f"scale={rung.width}:{rung.height}:flags=bicubic",
            "setsar=1",
        ]
        return ["-map", f"0:{video.index}", "-vf", ",".join(filters), "-fps_mode", "vfr", *_QUALITY]


def _count(path: Path) -> int:
    with av.open(str(path)) as container:
        video = container.streams.video
        return sum(1 for each in container.demux(video[0]) if each.size) if video else 0


def _streams(path: Path) -> int:
    with av.open(str(path)) as container:
        return len(container.streams)


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
