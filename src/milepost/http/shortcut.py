"""A way past middleware and routes for a resource that is asked for much."""

import re
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from milepost.http.guard import Guard


class Shortcut:
    """Leads what is sent to one resource straight to its endpoint.

    Middleware and the search for a route cost more than such an endpoint does. Requests that carry
    an ``Origin`` take the long way: what browsers need for pages of other sites is added there.
    """

    def __init__(self, path: str, endpoint: ASGIApp, server: ASGIApp):
        """In front of ``server``.

        Args:
            path: a regular expression; its named groups become the parts of the path.
            endpoint: of the resource.
            server: takes everything else.
        """
        self._path: Final = re.compile(path)
        self._endpoint = Guard(endpoint)
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["method"] in ("GET", "POST"):
            match = self._path.fullmatch(scope["path"])
            if match and not from_another_site(scope):
                scope["path_params"] = match.groupdict("")
                await self._endpoint(scope, receive, send)
                return
        await self._server(scope, receive, send)


def from_another_site(scope: Scope) -> bool:
    """Whether the request may come from a page of another site."""
    return any(name == b"origin" for name, _ in scope["headers"])
