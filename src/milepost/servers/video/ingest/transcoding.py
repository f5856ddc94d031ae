"""The transcoding: one FFmpeg makes all rungs and the audio, in segments that begin at the same frames.

All in one, because the source is then decoded once: the time is that of the encoders alone.
"""

import os
import re
import shutil
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Final

from milepost.servers.video.ingest.colours import to_standard
from milepost.servers.video.ingest.ffmpeg import Encoder
from milepost.servers.video.ingest.fragments import INIT, Rendition, measure
from milepost.servers.video.ingest.ladder import SEGMENT_GOPS, Rung, frame_rate, gop_of
from milepost.servers.video.ingest.limits import Limits
from milepost.servers.video.ingest.probing import DEMUXERS, Source
from milepost.servers.video.ingest.watching import Died, watch

AUDIO: Final = "audio"
"""The folder of the audio rendition."""

PLAYLIST: Final = "ffmpeg.m3u8"
"""FFmpeg's own playlists, which are replaced by ones with what was measured."""

AUDIO_KILOBITS: Final = 128
AUDIO_RATE: Final = 48000

_TELLING: Final = 0.03
"""The share of the work after which it can be told how long the rest takes."""

_SPARE: Final = 2.0
"""Seconds by which FFmpeg may count otherwise than we do."""

_LOST: Final = 0.5
"""Seconds that may be missing from what a graphics processor made, before it is taken to have lost them."""

_DAMAGE: Final = re.compile(
    r"error|corrupt|invalid|conceal|missing|non-existing|unavailable|overread|exceeds", re.IGNORECASE
)


def transcode(
    source: Source,
    rungs: Sequence[Rung],
    folder: Path,
    *,
    ffmpeg: str,
    encoder: Encoder,
    audio: bool,
    limits: Limits,
    check: Callable[[], None],
    progress: Callable[[float, str], None],
) -> str:
    """Make the rungs and the audio, each in a folder of its name; what lay there is replaced.

    Args:
        source: what they are made of.
        rungs: which are made.
        folder: where their folders are.
        ffmpeg: the program.
        encoder: how they are encoded.
        audio: whether there is audio.
        limits: what FFmpeg may take.
        check: called often; what it raises kills FFmpeg.
        progress: is told the share that is done, and how long the rest takes.

    Returns:
        What is damaged in the source, in FFmpeg's words; empty when nothing is.

    Raises:
        Hung: FFmpeg did not get on, and was killed.
        Died: FFmpeg failed.
        ValueError: the source ends too early.
    """
    for name in (*(each.name for each in rungs), AUDIO):
        shutil.rmtree(folder / name, ignore_errors=True)
    for rung in rungs:
        (folder / rung.name).mkdir(parents=True)
    if audio:
        (folder / AUDIO).mkdir(parents=True)
    rate = frame_rate(source.video.rate)
    try:
        said = watch(
            command(source, rungs, ffmpeg=ffmpeg, encoder=encoder, audio=audio, limits=limits),
            line=_Progress(max(1.0, source.duration * float(rate)), progress),
            check=check,
            patience=limits.patience + source.empty,
            most=10 * limits.patience + source.empty + limits.pace * _end_of(source),
            memory=limits.memory,
            folder=folder,
        )
    except Died as error:
        raise Died(_last_word(str(error), source)) from None
    for rung in rungs:
        for init in (folder / rung.name).glob("init*.mp4"):  # FFmpeg numbers them when there are several
            init.rename(init.with_name(INIT))
    made = _measured([folder / each.name for each in rungs], encoder)
    _check_whole(source, made, encoder)
    if audio:
        _end_with_pictures(folder / AUDIO, min(each.duration for each in made))
    return _last_word(said, source) if _DAMAGE.search(said) else ""


def command(
    source: Source, rungs: Sequence[Rung], *, ffmpeg: str, encoder: Encoder, audio: bool, limits: Limits
) -> list[str]:
    """The command line, to be run in the folder where the renditions are to be."""
    from milepost.servers.video.ingest.reading import JUMP

    video = source.video
    rate = frame_rate(video.rate)
    gop = gop_of(rate)
    segment = _microseconds(SEGMENT_GOPS * gop / rate)
    demuxer = DEMUXERS[source.container]
    # As many as FFmpeg likes, which is one and a half for each core, unless these are too many.
    threads = str(limits.threads if (os.cpu_count() or 1) * 1.5 > limits.threads else 0)
    line = [
        *(ffmpeg, "-hide_banner", "-nostdin", "-y", "-loglevel", "error", "-nostats", "-progress", "pipe:1"),
        *encoder.before,
        # A clock that jumps by more goes on as if nothing had been between, as was told of the source.
        *("-dts_delta_threshold", f"{JUMP:g}", "-filter_complex_threads", threads),
        # Nothing but the one file is opened, whatever stands in it.
        *("-format_whitelist", demuxer, "-protocol_whitelist", "file", "-f", demuxer),
        *("-max_streams", str(limits.streams), "-max_pixels", str(limits.pixels)),
        *("-threads", threads),
        # The first picture is shown at zero, whatever else of the file begins before it.
        *("-itsoffset", f"{source.origin - video.start:.6f}"),
        *(
            "-i",
            f"file:{os.path.abspath(source.path)}",
            "-filter_complex",
            _filters(source, rungs, rate, encoder, ffmpeg),
        ),
    ]
    for number, rung in enumerate(rungs):
        line += ["-map", f"[v{number}]", f"-maxrate:v:{number}", f"{rung.kilobits}k"]
        line += [f"-bufsize:v:{number}", f"{2 * rung.kilobits}k"]
        if not encoder.capped:
            line += [f"-b:v:{number}", f"{rung.kilobits * 3 // 4}k"]
    line += [
        "-c:v",
        encoder.codec,
        *encoder.options,
        "-threads:v",
        threads,
        "-g",
        str(gop),
        "-keyint_min",
        str(gop),
    ]
    line += [*_hls(segment), "-var_stream_map", " ".join(f"v:{n},name:{r.name}" for n, r in enumerate(rungs))]
    line += ["-hls_fmp4_init_filename", INIT, "-hls_segment_filename", "%v/%05d.m4s", f"%v/{PLAYLIST}"]
    if audio and source.audio:
        # An output of its own: video does not wait for audio that never comes.
        line += [
            "-map",
            f"0:{source.audio.index}",
            "-t",
            f"{_end_of(source):.3f}",
            "-c:a",
            "aac",
            "-b:a",
            f"{AUDIO_KILOBITS}k",
            "-ac",
            "2",
        ]
        line += ["-af", f"aresample={AUDIO_RATE}:async=1:first_pts=0", *_hls(segment)]
        line += [
            "-hls_fmp4_init_filename",
            INIT,
            "-hls_segment_filename",
            f"{AUDIO}/%05d.m4s",
            f"{AUDIO}/{PLAYLIST}",
        ]
    return line


def _filters(source: Source, rungs: Sequence[Rung], rate: Fraction, encoder: Encoder, ffmpeg: str) -> str:
    first = ["bwdif=mode=send_frame:deint=interlaced"] if source.video.interlaced else []
    # What tells a time after the end would have the picture before it stand still until then.
    first.append(f"select=lt(t\\,{_end_of(source):.3f})")
    first.append(f"fps={rate.numerator}/{rate.denominator}:start_time=0")
    first += to_standard(source.video, ffmpeg)
    ends = "".join(f"[s{number}]" for number in range(len(rungs)))
    parts = [f"[0:{source.video.index}]{','.join(first)},split={len(rungs)}{ends}"]
    for number, rung in enumerate(rungs):
        last = encoder.upload or "format=yuv420p"
        scale = f"scale={rung.width}:{rung.height}:flags=bicubic"
        parts.append(f"[s{number}]{scale},setsar=1,{last}[v{number}]")
    return ";".join(parts)


def _end_of(source: Source) -> float:
    """Seconds after the first picture at which all is over, whatever is told later."""
    return max(source.duration, source.lasts) + _SPARE


def _hls(segment: str) -> list[str]:
    return [
        *("-map_metadata", "-1", "-map_chapters", "-1"),
        # Times that begin at zero by one edit, as players expect it; else FFmpeg delays video by its B-frames.
        *("-avoid_negative_ts", "disabled"),
        *("-f", "hls", "-hls_time", segment, "-hls_playlist_type", "vod", "-hls_segment_type", "fmp4"),
        *("-hls_flags", "independent_segments"),
    ]


def _microseconds(seconds: Fraction) -> str:
    """Never more than it is: a segment ends at the first key frame that is not before this."""
    whole = int(seconds * 1_000_000)
    return f"{whole // 1_000_000}.{whole % 1_000_000:06d}"


def _measured(folders: Sequence[Path], encoder: Encoder) -> list[Rendition]:
    """What was made.

    Raises:
        Died: the graphics processor made something that is not whole, and said nothing.
        ValueError: the CPU did.
    """
    try:
        return [measure(each) for each in folders]
    except ValueError as error:
        if encoder.where == "CPU":
            raise
        raise Died(str(error)) from error


def _check_whole(source: Source, made: Sequence[Rendition], encoder: Encoder) -> None:
    """See that all segments begin where they should, and the last one ends where the source does.

    Raises:
        Died: the encoder did not put key frames where it was told to, or the graphics processor lost frames.
        ValueError: the source ends before it says.
    """
    # Only so do those of all rungs begin together, and a player may change between them.
    whole = SEGMENT_GOPS * gop_of(frame_rate(source.video.rate))
    lengths = {tuple(each.frames for each in rung.segments) for rung in made}
    if len(lengths) > 1 or any(each != whole for each in lengths.pop()[:-1]):
        raise Died("it did not put its key frames where it was told to")
    lasted = min(each.duration for each in made)
    if encoder.where == "GPU" and lasted < source.duration - _LOST:
        # If it is the source that ends, the CPU comes no further, and that is told then.
        raise Died(f"it made {lasted:.1f} of {source.duration:.1f} seconds")
    if lasted < source.duration - max(2.0, 0.02 * source.duration):
        raise ValueError(
            f"the video ends after {lasted:.1f} seconds and should last {source.duration:.1f}: "
            "the file is cut off or damaged; send it again"
        )


def _last_word(said: str, source: Source) -> str:
    """The last telling line of what FFmpeg said, without addresses in memory and the place of the file."""
    lines = [each for each in said.splitlines() if each.strip() and each != "Conversion failed!"]
    line = re.sub(r"\[[^]]* @ 0x[0-9a-f]+\] ?", "", lines[-1] if lines else said)
    return line.replace(f"file:{os.path.abspath(source.path)}", Path(source.path).name)


def _end_with_pictures(folder: Path, end: float) -> None:
    """Remove audio that begins when the pictures are over; without any left the folder goes too.

    A player has no room for it, and one that waits for it never comes to the end.
    """
    found = measure(folder).segments if any(folder.glob("*.m4s")) else ()
    for each in found:
        if each.start > end - 0.001:
            (folder / each.name).unlink()
    if not any(folder.glob("*.m4s")):
        shutil.rmtree(folder)


class _Progress:
    """Reads FFmpeg's lines of progress."""

    def __init__(self, frames: float, report: Callable[[float, str], None]):
        self._frames, self._report = frames, report
        self._begun = time.monotonic()
        self._best = (0, 0)
        self._now = [0, 0]

    def __call__(self, line: bytes) -> bool:
        key, _, value = line.strip().partition(b"=")
        if key in (b"frame", b"out_time_us") and value.strip().isdigit():
            self._now[key == b"out_time_us"] = int(value)
        if key != b"progress":
            return False
        frames, out = self._now
        got_on = frames > self._best[0] or out > self._best[1]
        self._best = (max(frames, self._best[0]), max(out, self._best[1]))
        if got_on and frames:
            share = min(frames / self._frames, 0.999)
            left = (time.monotonic() - self._begun) * (1 - share) / share
            # The first frames tell nothing of those to come: the encoders are being filled.
            self._report(share, _in_words(left) if share > _TELLING else "")
        return got_on


def _in_words(seconds: float) -> str:
    """About how long something takes, rounded as people do."""
    if seconds < 50:
        return f"about {max(5, round(seconds / 5) * 5)} seconds left"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"about {max(minutes, 1)} minute{'s'[: minutes > 1]} left"
    return f"about {minutes // 60} h {minutes % 60:02d} min left"
