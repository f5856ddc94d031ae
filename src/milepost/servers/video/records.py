"""What is recorded of video services, their layers and the files they are made of."""

from typing import Final, Literal

import msgspec

from milepost.servers.video.facts import POSTER, Facts

LAST_ID: Final = 2**31 - 1
"""The highest id that a layer may have."""


class RecordError(Exception):
    """Something cannot be recorded as it is wanted; the text is fit for whoever asked."""


class Service(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A video service: a name under which there are layers."""

    name: str
    item: str
    """Its id as an item of the portal: 32 hexadecimal digits."""
    owner: str
    created: int
    """UTC milliseconds since 1970."""
    description: str = ""
    access: Literal["private", "org"] = "private"
    """Whether only the owner sees it, or everybody who is signed in. Administrators always do."""


class Source(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file that a layer was made of."""

    id: str
    """Of the upload."""
    name: str
    size: int
    content_type: str


class Layer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A video that was published."""

    id: int
    key: str
    """Names its folder in the storage; no other layer ever has the same."""
    storage: str
    """The place where that folder lies."""
    name: str
    created: int
    """UTC milliseconds since 1970."""
    owner: str
    facts: Facts
    sources: tuple[Source, ...] = ()
    description: str = ""
    copyright: str = ""
    export_clip: bool = True
    export_frameset: bool = True
    poster: str = POSTER
    """Path of the picture in the folder."""


class Upload(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file that somebody sent, or said that they will."""

    id: str
    """``i`` and 32 hexadecimal digits, as the jobs of the site know it."""
    owner: str
    name: str
    """As it was sent."""
    file: str
    """The name of the file in its folder."""
    date: int
    """UTC milliseconds since 1970."""
    description: str = ""
    content_type: str = ""
    """What the content was found to be; empty until it was looked at."""
    committed: bool = False
    whole: bool = False
    """Whether the file comes in one request, and never comes when that breaks off."""
    size: int = 0
    """Bytes that it will have as its owner said; 0 when they did not."""
    used: int = 0
    """When a layer was last made of it, in UTC milliseconds since 1970; 0 for never."""
