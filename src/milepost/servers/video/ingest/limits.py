"""How much of a source is taken, and how long is waited for it."""

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Beyond these a source is refused, or what reads it is ended."""

    side: int = 8192
    """Pixels of the longer side of a picture."""
    pixels: int = 35_651_584
    """Of a picture: the most that the levels of H.264, HEVC and AV1 know."""
    streams: int = 64
    longest: float = 24 * 60 * 60.0
    """Seconds that a video may last."""
    still: float = 2 * 60 * 60.0
    """Seconds of it during which its pictures may stand still: a layer has all of them, encoded again and again."""
    patience: float = 120.0
    """Seconds that a program may go without getting on."""
    pace: float = 100.0
    """Seconds that FFmpeg may take for one of the video, besides ten times its patience."""
    memory: int = 8 << 30
    """Bytes that FFmpeg may have in memory."""
    threads: int = 16
    """With which FFmpeg decodes, filters or encodes one stream: more cost more memory than they bring."""
