"""Where a sign-in may lead: pages that were let in, and never an address out of a link alone."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

OUT_OF_BAND: Final = "urn:ietf:wg:oauth:2.0:oob"
"""For programs that have no address: the person is shown what to carry over."""

LONGEST: Final = 2048

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_PORTS: Final = {"http": 80, "https": 443}


def is_allowed(uri: str, base: str, more: Sequence[str] = ()) -> bool:
    """Whether a sign-in may lead there.

    Args:
        uri: as a client asks for it.
        base: public URL of the context: every page of this server is allowed.
        more: what the settings allow beside programs on the person's own machine: an origin such as
            ``https://maps.example.com`` with all its pages, or any URI exactly.
    """
    if uri == OUT_OF_BAND or uri in more:
        return True
    # Browsers read what follows otherwise than Python does, or not as part of an address at all.
    if len(uri) > LONGEST or not uri.isascii() or not uri.isprintable() or set(uri) & set(' \\"<>#@'):
        return False
    asked = _origin(uri)
    if asked is None:
        return False
    page, own = urlsplit(uri), urlsplit(base)
    # A server behind a proxy may not know that it is spoken to in private; its clients do.
    if page.netloc.lower() == own.netloc.lower() and page.scheme in ("https", own.scheme):
        return True
    return asked[1] in _LOOPBACK or asked in [_origin(each) for each in more if _is_origin(each)]


def source(uri: str) -> str:
    """What stands for a redirect URI in a Content-Security-Policy."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else f"{parts.scheme}:"


def _origin(url: str) -> tuple[str, str, int] | None:
    """Scheme, host and port of a web page."""
    with suppress(ValueError):
        parts = urlsplit(url)
        if parts.scheme in _PORTS and parts.hostname:
            return parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme]
    return None


def _is_origin(uri: str) -> bool:
    parts = urlsplit(uri)
    return parts.path in ("", "/") and not parts.query
