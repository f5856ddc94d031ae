"""How much of a source is taken, and how long is waited for it."""

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Beyond these a source is refused, or what reads it is ended."""

    side: int = 8192
    """Pixels of the longer side of a picture."""
    streams: int = 64
    longest: float = 24 * 60 * 60.0
    """Seconds that a video may last."""
    patience: float = 120.0
    """Seconds that a program may go without getting on."""
