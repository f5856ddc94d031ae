"""Exports that are to be, as their jobs know them, and what comes of them."""

from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

Format = Literal["mov", "ts", "mp4"]

FRAMES: Final = "frameset.json"
"""The file beside the pictures of a frameset that tells of them."""


NOTHING_THERE: Final = 9307
"""The code of an export that failed since what was asked for has no picture: another part may have some."""


class NothingThereError(ValueError):
    """A part of a video, or a time in it, has no picture. The text says so, and what to ask for."""


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a video."""

    start: float
    end: float
    """Seconds since the first picture; a frame that begins at the end is no longer part of it."""
    quality: str
    """The name of its resolution; ``native`` for that of the source."""
    format: Format


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be exported of a layer: a part of it, or frames."""

    item: str
    layer: int
    key: str
    """Of the layer, which may be another one under the same number by the time of the job."""
    storage: str
    """The place where the layer lies."""
    original: str
    """The path of the file that it was made of."""
    seconds: int
    """For how long the export is kept once it is made."""
    url: str
    """Of the exports of this kind, without a slash at the end."""
    service: str
    cut: Cut | None = None
    name: str = ""
    """Of the file of a clip, without its suffix."""
    times: tuple[float, ...] = ()


class FrameOf(msgspec.Struct, frozen=True):
    """A frame of a frameset."""

    file: str
    timestamp: float
    """Seconds since the first picture."""
    corners: dict[str, Any]
    """Empty where nobody knows."""


class Frames(msgspec.Struct, frozen=True):
    """The frames of a frameset."""

    created: int
    expires: int
    """UTC milliseconds since the epoch."""
    frames: list[FrameOf]


class Named(msgspec.Struct, frozen=True):
    """What an export is called, and how long it is there."""

    export: str
    created: int
    expires: int
    """UTC milliseconds since the epoch."""


@dataclass
class Clip:
    """A part of a video that was exported."""

    created: int
    expiration: int
    """UTC milliseconds since the epoch."""
    url: str


@dataclass
class Frameset:
    """Frames that were exported; the resource at ``url`` tells of each."""

    framesetId: str  # noqa: N815 - as the document spells it
    created: int
    expires: int
    """UTC milliseconds since the epoch."""
    serviceName: str  # noqa: N815
    total: int
    url: str
