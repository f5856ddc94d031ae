"""What is known of a published video: the facts of a layer, and where its files lie in its folder."""

from typing import Final

import msgspec

OPERATIONS: Final = "Video.VideoServer"
"""The service whose operations make layers."""

MASTER: Final = "ABR.m3u8"
POSTER: Final = "poster.jpg"
PREVIEW: Final = "preview/preview.json"
COVERAGE: Final = "coverage.json"
TELEMETRY: Final = "telemetry/index.m3u8"
TABLE: Final = "telemetry.csv"
"""Files in the folder of a layer, which is served as its ``content``. Every rung of the ladder has a folder
named after its quality with an ``index.m3u8``, so has the ``audio``; ``telemetry.json``,
``telemetry.geojson`` and ``telemetry.csv`` are beside them."""

ORIGINAL: Final = "original"
"""The folder with the file that a layer was made of, and"""
BESIDE: Final = f"{ORIGINAL}/telemetry"
"""with those that came beside it, each in a folder of its number: they may have the same name."""

RESOLUTIONS: Final[dict[str, tuple[int, int]]] = {
    "sd": (720, 480),
    "hd": (1280, 720),
    "fhd": (1920, 1080),
    "qhd": (2560, 1440),
    "uhd": (3840, 2160),
}
"""Width and height in pixels that the names of qualities stand for, ascending."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What the steps of an ingest found out of a video and made of it."""

    container: str
    """Format of the source, such as ``mpegts``."""
    video_codec: str
    """Codec string of the best rung, such as ``avc1.64001f``."""
    audio_codec: str = ""
    width: int
    height: int
    """Pixels of the source as it is shown."""
    frame_rate: str
    """Frames a second, such as ``29.97``."""
    frame_count: int
    gop: int
    """Frames from one key frame to the next."""
    aspect_ratio: str
    """Of the picture as it is shown, such as ``16:9``."""
    duration: float
    """Seconds."""
    source_quality: str
    """The name of the resolution of the source."""
    qualities: tuple[str, ...]
    """The rungs that were made, ascending; ``native`` is the resolution of the source, where it is none of the others."""
    encoder: str
    """``CPU`` or ``GPU``."""
    telemetry: bool = False
    """Whether there are telemetry, its subtitles and the coverage."""
    previews: bool = False
    start: int | None = None
    end: int | None = None
    """UTC milliseconds since the epoch of the first and last telemetry; None when nobody knows."""
    time_system: str = "UTC"
    """``MISP`` when the telemetry does not tell its leap seconds: then those times are of its clock, taken for UTC."""
    extent: tuple[float, float, float, float] | None = None
    """West, south, east, north in degrees (WGS 84) of all that is seen; None without telemetry."""
