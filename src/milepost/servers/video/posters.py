"""The pictures that people send for their layers, or name by where they are elsewhere."""

import re
from io import BytesIO
from typing import Final
from urllib.parse import urlsplit

from milepost.http import ServiceError, wrong

LARGEST: Final = 10 * 2**20
"""Bytes of a picture."""

_SUFFIXES: Final = {"JPEG": "jpg", "PNG": "png"}
_MOST_PIXELS: Final = 16_000_000
"""About two screens of 4K; every one of them takes memory while a picture is looked at."""
_HOST: Final = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")


def check_picture(content: bytes) -> str:
    """What the name of a picture must end with, once all of it could be read.

    Args:
        content: of the file that was sent.

    Raises:
        ServiceError: 400, it is no picture that browsers show; 500, what reads pictures is not installed.
    """
    if len(content) > LARGEST:
        raise wrong("file", f"it is larger than {LARGEST >> 20} MiB")
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise ServiceError(
            500, "This server looks at no pictures: install 'milepost[video]', or send a 'url'"
        ) from None
    try:
        with Image.open(BytesIO(content), formats=tuple(_SUFFIXES)) as image:
            width, height = image.size
            if width * height <= _MOST_PIXELS:
                image.load()
            kind = image.format or ""
    except UnidentifiedImageError:
        raise wrong("file", "it is neither a JPEG nor a PNG picture") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise wrong("file", "the picture is damaged; send another one") from None
    if width * height > _MOST_PIXELS:
        raise wrong(
            "file", f"{width} x {height} pixels are too many; {_MOST_PIXELS // 10**6} million are allowed"
        )
    return _SUFFIXES[kind]


def check_url(url: str) -> str:
    """The address of a picture elsewhere, which browsers fetch and this server never does.

    Raises:
        ServiceError: 400, it is none.
    """
    begins = url.startswith(("https://", "http://"))
    if not begins or len(url) > 2000 or any(ord(each) <= 32 or each in "\"'<>\\" for each in url):
        raise wrong("url", "it must be an http or https address")
    if not origin_of(url):
        raise wrong("url", "write the name of its server in plain letters, without a user")
    return url


def origin_of(url: str) -> str:
    """The server that a picture is on, as a policy for browsers names it; empty for one on this server."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    # What is no plain host would be words of the policy itself.
    fits = parts.scheme in ("http", "https") and _HOST.fullmatch(parts.netloc)
    return f"{parts.scheme}://{parts.netloc}" if fits else ""
