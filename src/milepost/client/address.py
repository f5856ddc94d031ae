"""Addresses of resources, as people paste them."""

import re
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import httpx

# The first of these segments of a path is where the address of the server ends.
_INNER: Final = re.compile(r"/(?:rest|admin|sharing|ogc|processes|jobs)(?:/|$)", re.IGNORECASE)


class Address:
    """The address of a resource."""

    def __init__(self, pasted: str):
        """Take ``pasted`` apart.

        A token in the query is taken out of it and kept; so are the format and the fragment.

        Raises:
            ValueError: it is no http or https address.
        """
        try:
            parts = urlsplit(pasted.strip())
            port = parts.port
        except ValueError as error:
            raise ValueError(f"{pasted!r} is no address ({error})") from error
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{pasted!r} is no address; it must begin with http:// or https://")
        if parts.username or parts.password:
            raise ValueError("an address must not hold a user name or password; use --user instead")
        try:
            # Looking up a name that has an empty or overlong part fails with this error, too.
            parts.hostname.encode("ascii", "ignore").decode().encode("idna")
            httpx.URL(pasted.strip())
        except (httpx.InvalidURL, UnicodeError) as error:
            raise ValueError(f"{pasted!r} is no address ({error})") from error
        query = parse_qsl(parts.query, keep_blank_values=True)
        self.token: Final = next((value for name, value in query if name == "token"), "")
        self.origin: Final = (parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80))
        kept = urlencode([pair for pair in query if pair[0] not in ("token", "f")])
        self.query: Final = f"?{kept}" if kept else ""
        self.url: Final = urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))
        inner = _INNER.search(parts.path)
        path = parts.path[: inner.start()] if inner else parts.path.rstrip("/")
        self.server: Final = urlunsplit((parts.scheme, parts.netloc, path, "", ""))
        """The address of the server that the resource belongs to, its context path included."""

    def __str__(self) -> str:
        return self.url + self.query
