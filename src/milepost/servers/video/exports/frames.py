"""Single frames of a video, as pictures."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from milepost.servers.video.exports.plans import NothingThereError
from milepost.servers.video.exports.seeking import reading
from milepost.servers.video.ingest.colours import TO_JPEG, to_standard
from milepost.servers.video.ingest.limits import Limits
from milepost.servers.video.ingest.probing import Source
from milepost.servers.video.ingest.watching import watch

_FINE: Final = "2"
"""FFmpeg's scale of JPEG goes from 2, the best, to 31."""


def take_frames(
    source: Source,
    times: Sequence[float],
    folder: Path,
    *,
    ffmpeg: str,
    check: Callable[[], None],
    progress: Callable[[float], None],
    limits: Limits,
) -> list[str]:
    """Write the frames that are shown at given times; their names, in the order of the times.

    Args:
        source: the video.
        times: seconds since the first picture.
        folder: where the pictures are to be.
        ffmpeg: the program.
        check: called often; what it raises kills FFmpeg.
        progress: is told the share that is done.
        limits: how long FFmpeg may take for one.

    Raises:
        Hung, Died: FFmpeg did not do it.
        NothingThereError: there is no frame at one of the times.
    """
    width, height = source.video.shown
    frame = float(1 / source.video.rate)
    whole = ["bwdif=mode=send_frame:deint=interlaced"] if source.video.interlaced else []
    shape = [
        *to_standard(source.video, ffmpeg),
        f"scale={width}:{height}:flags=bicubic:{TO_JPEG}",
        "setsar=1",
    ]
    names = []
    for number, time in enumerate(times):
        name = f"frame-{number + 1:04d}.jpg"
        # The frame that is shown at a time began at most one frame before.
        shown = max(0.0, min(time, source.duration - frame) - frame / 2)
        inputs, first = reading(source, shown)
        part = f"trim=start={first + shown:.6f},setpts=PTS-STARTPTS"
        watch(
            [
                *(ffmpeg, "-hide_banner", "-nostdin", "-y", "-loglevel", "error"),
                *inputs,
                *(
                    "-map",
                    f"0:{source.video.index}",
                    "-frames:v",
                    "1",
                    "-vf",
                    ",".join([*whole, part, *shape]),
                ),
                *("-map_metadata", "-1", "-q:v", _FINE, "-f", "image2", "-update", "1", name),
            ],
            line=lambda _: True,
            check=check,
            patience=limits.patience + source.empty,
            folder=folder,
        )
        if not (folder / name).exists():
            raise NothingThereError(
                f"the video has no frame at {time:g} s that can be decoded; ask for another time"
            )
        names.append(name)
        progress((number + 1) / len(times))
    return names
