"""Small videos for tests, made by the FFmpeg that is there."""

import subprocess
from pathlib import Path
from typing import Any

from milepost.operations import Notebook, Run
from milepost.servers.video.ingest import find_ffmpeg, make_files

PICTURE = "testsrc2=size={size}:rate={rate}:duration={seconds}"
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")


def film(
    path: Path, *options: str, size: str = "320x180", rate: str = "25", seconds: float = 3, sound: bool = True
) -> Path:
    """A video of a test picture, with a tone; ``options`` say how both are encoded."""
    picture = PICTURE.format(size=size, rate=rate, seconds=seconds)
    tone = ["-f", "lavfi", "-i", f"sine=frequency=440:duration={seconds}"] if sound else []
    encode("-f", "lavfi", "-i", picture, *tone, *(options or (*H264, "-c:a", "aac")), str(path))
    return path


def film_in_high_range(path: Path, transfer: str) -> Path:
    """A video of ten bits with a transfer function of HDR, by FFmpeg's name of it."""
    ten_bits = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le", "-g", "5")
    tags = ("-color_primaries", "bt2020", "-color_trc", transfer, "-colorspace", "bt2020nc")
    return film(path, *ten_bits, *tags, seconds=0.4, sound=False)


def encode(*arguments: str) -> None:
    """Run FFmpeg."""
    command = [find_ffmpeg(), "-hide_banner", "-nostdin", "-y", "-loglevel", "error", *arguments]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def ingest(source: Path, folder: Path, *resolutions: str, run: Run | None = None, **more: Any) -> Any:
    """The facts of a layer made of one file."""
    return make_files(run or Run(), [source], resolutions or ["native"], folder, **more)


def said(run_or_notebook: Run | Notebook) -> list[tuple[int, str]]:
    """The codes and texts of what was said."""
    notebook = run_or_notebook if isinstance(run_or_notebook, Notebook) else run_or_notebook.notebook
    return [(each.code, each.text) for each in notebook.events if type(each).__name__ == "MessageAdded"]
