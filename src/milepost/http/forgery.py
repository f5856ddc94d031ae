"""Requests that a page of somebody else made a browser send, in the name of who is signed in there."""

from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

FORM_FIELD: Final = "csrf_token"
"""The field that a form of ours proves itself with."""

_OWN: Final = frozenset({"same-origin", "none"})
"""What browsers say of requests from our own pages, and of addresses that a person typed."""


def needs_proof(scope: Scope, trusted: tuple[str, ...]) -> bool:
    """Whether a request that changes something, and for which only a cookie speaks, must hold the field.

    Programs need not: they are recognized by not saying what browsers say. A URL that somebody opens
    need not, as long as no other page made them.

    Args:
        scope: of the request.
        trusted: origins whose pages may act for people.
    """
    headers = Headers(scope=scope)
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if origin is not None and origin in trusted:
        return False
    if scope["method"] == "GET":
        return (site or "none") not in _OWN or origin is not None
    return origin is not None or (site or "none") != "none"


def from_elsewhere(scope: Scope, base: str) -> bool:
    """Whether a page of another server made the browser send a request, as far as it says so.

    Args:
        scope: of the request.
        base: public URL of the context.
    """
    headers = Headers(scope=scope)
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        return site not in _OWN
    # A page that tells nobody where it is, as ours, has an origin called null.
    return origin not in (None, "null") and urlsplit(origin).netloc != urlsplit(base).netloc
