"""FFmpeg: which one there is, what is missing, and whether it can encode with a graphics processor."""

import contextlib
import functools
import importlib.util
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from milepost.servers.video.ingest.watching import Died, Hung, watch

_MODULES: Final = {"av": "av", "PIL": "pillow", "stanag4609": "stanag4609", "pyproj": "pyproj"}
"""What is imported, and the packages that have it."""

_SECONDS: Final = 20.0
"""FFmpeg has for an answer about itself, or for a few frames of a test."""


class Encoder(msgspec.Struct, frozen=True):
    """How H.264 is encoded."""

    codec: str
    """FFmpeg's name of the encoder."""
    options: tuple[str, ...]
    """What the encoder is told of each rung, besides rates and the distance of key frames."""
    before: tuple[str, ...] = ()
    """What comes first on the command line."""
    upload: str = ""
    """The filter by which pictures get to the encoder."""
    capped: bool = False
    """Whether it aims at a quality below the highest rate, instead of at a rate."""

    @property
    def where(self) -> str:
        """``CPU`` or ``GPU``."""
        return "CPU" if self == CPU else "GPU"


CPU: Final = Encoder(
    "libx264", ("-preset", "veryfast", "-crf", "22", "-profile:v", "high", "-sc_threshold", "0"), capped=True
)

GPUS: Final[tuple[tuple[str, Encoder], ...]] = (
    (
        "nvidia*",
        Encoder(
            "h264_nvenc", ("-preset", "p4", "-profile:v", "high", "-no-scenecut", "1", "-forced-idr", "1")
        ),
    ),
    (
        "dri/renderD*",
        Encoder("h264_qsv", ("-preset", "fast", "-profile:v", "high", "-forced_idr", "1")),
    ),
    (
        "dri/renderD*",
        Encoder(
            "h264_vaapi",
            ("-profile:v", "high"),
            ("-vaapi_device", "{device}"),
            "format=nv12,hwupload",
        ),
    ),
)
"""The devices without which there is no use in trying, and the encoder that works with them."""


def find_ffmpeg() -> str:
    """The path of an FFmpeg that encodes H.264: that of the system, else the one of imageio-ffmpeg's wheel.

    Raises:
        RuntimeError: there is none; the text says what to install.
    """
    found, why = _found()
    if not found:
        raise RuntimeError(why)
    return found


def has_filters(ffmpeg: str, *names: str) -> bool:
    """Whether an FFmpeg has filters of some names."""
    return _filters(ffmpeg, os.stat(ffmpeg).st_mtime_ns).issuperset(names)


def problems() -> list[str]:
    """What is missing on this machine for videos to be published, a sentence each; empty when nothing is.

    May wait for FFmpeg: an event loop asks in a thread.
    """
    missing = [package for module, package in _MODULES.items() if importlib.util.find_spec(module) is None]
    said = []
    if missing:
        said.append(f"{', '.join(missing)} not installed: pip install 'milepost[video]'")
    found, why = _found()
    return said if found else [*said, why]


def gpu_encoder(ffmpeg: str, devices: Path, check: Callable[[], None]) -> Encoder | None:
    """The first encoder of a graphics processor that really encodes, or None.

    That FFmpeg lists an encoder says nothing of the machine: so each is tried on a few frames.

    Args:
        ffmpeg: the program.
        devices: the folder of device files.
        check: called often; what it raises ends the work.
    """
    for pattern, encoder in GPUS:
        for device in sorted(devices.glob(pattern))[:1]:
            ready = msgspec.structs.replace(
                encoder, before=tuple(each.format(device=device) for each in encoder.before)
            )
            try:
                watch(_trial(ffmpeg, ready), line=lambda _: False, check=check, patience=_SECONDS)
            except (Died, Hung):
                continue
            return ready
    return None


def _trial(ffmpeg: str, encoder: Encoder) -> list[str]:
    picture = "color=size=256x256:rate=30:duration=0.5"
    filters = ["-vf", encoder.upload] if encoder.upload else ["-pix_fmt", "yuv420p"]
    return [
        *(ffmpeg, "-hide_banner", "-nostdin", "-loglevel", "error", *encoder.before),
        *("-f", "lavfi", "-i", picture, *filters, "-c:v", encoder.codec, *encoder.options),
        *("-f", "null", "-"),
    ]


def _found() -> tuple[str, str]:
    """The path, and when there is none the reason why."""
    system = shutil.which("ffmpeg")
    candidates = [system] if system else []
    if importlib.util.find_spec("imageio_ffmpeg") is not None:
        import imageio_ffmpeg

        with contextlib.suppress(RuntimeError):  # a wheel for another kind of machine carries none
            candidates.append(imageio_ffmpeg.get_ffmpeg_exe())
    for each in candidates:
        if _encodes(each, os.stat(each).st_mtime_ns):
            return each, ""
    if system:
        return "", (
            "the FFmpeg of this machine has no H.264 encoder (libx264): install a full build of it, "
            "or pip install 'milepost[video]', which brings one"
        )
    return (
        "",
        "no FFmpeg is installed: install the package ffmpeg, or pip install 'milepost[video]', which brings one",
    )


@functools.cache
def _encodes(ffmpeg: str, _: int) -> bool:
    """Whether a program encodes H.264; asked once as long as it has not changed, by the time of its last change."""
    return b" libx264 " in _answer(ffmpeg, "-encoders")


@functools.cache
def _filters(ffmpeg: str, _: int) -> frozenset[str]:
    """The names of all filters; asked once, as above."""
    lines = _answer(ffmpeg, "-filters").decode(errors="replace").splitlines()
    return frozenset(words[1] for line in lines if len(words := line.split()) > 2)


def _answer(ffmpeg: str, question: str) -> bytes:
    """What a program says of itself; nothing when it cannot be asked."""
    try:
        answer = subprocess.run(  # noqa: S603 - found by ourselves
            [ffmpeg, "-hide_banner", "-nostdin", question],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return b""
    return answer.stdout
