"""What this machine can encode: found out by trying, and tried again only when the machine has changed."""

import functools
import threading
from pathlib import Path
from typing import Any, Final

from milepost.servers.video.ingest.ffmpeg import GPUS, find_ffmpeg, gpu_encoder

_DEVICES: Final = sorted({pattern for pattern, _ in GPUS})

_trying: Final = threading.Lock()


def encoders(devices: Path = Path("/dev")) -> dict[str, Any]:
    """The encoders of this machine as the ``self`` resource tells them. The first call may take seconds.

    Layers are H.264 whatever else FFmpeg could encode, so there is no H.265 for clients to ask for.

    Args:
        devices: the folder of device files, where graphics processors are looked for.
    """
    try:
        ffmpeg = find_ffmpeg()
    except RuntimeError:
        ffmpeg = ""
    gpu = ""
    if ffmpeg:
        there = tuple(sorted(str(each) for kind in _DEVICES for each in devices.glob(kind)))
        with _trying:  # whoever asks meanwhile waits for the same answer
            gpu = _encoder(ffmpeg, Path(ffmpeg).stat().st_mtime_ns, there, devices)
    return {
        "supportsGpuTranscoding": bool(gpu),
        "supportsH264": bool(ffmpeg),
        "supportsH265": False,
        "gpuInfo": [{"encoder": gpu}] if gpu else [],
    }


@functools.cache
def _encoder(ffmpeg: str, _: int, there: tuple[str, ...], devices: Path) -> str:
    """The encoder of a graphics processor that really encodes, by its name; empty without one."""
    found = gpu_encoder(ffmpeg, devices, lambda: None) if there else None
    return found.codec if found else ""
