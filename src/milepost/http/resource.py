"""Resources: a function from a call to an answer becomes an endpoint that speaks every format."""

from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import quote, urlsplit

import structlog
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from milepost.http.answers import Answer, chosen_format, render, render_error
from milepost.http.errors import ServiceError, bad_input
from milepost.http.gate import Gate
from milepost.http.request import BaseURL, Parameters, parse_query, read_parameters
from milepost.operations import InputError
from milepost.security import Person
from milepost.store import StoreError

log = structlog.get_logger("milepost.http")

MAX_BODY: Final = 64 * 2**20
"""Bytes a request may have, if the settings do not say otherwise."""


class Call:
    """One request, as a resource sees it."""

    def __init__(self, scope: Scope, parameters: Parameters, size: int, person: Person | None, base: str):
        """Made by ``Resources``."""
        self.scope: Final = scope
        self.parameters: Final = parameters
        self.size: Final = size
        """Bytes of the body."""
        self.caller: Final = person
        """Who calls, or None."""
        self.base: Final = base
        """Public URL of the context, without a slash at the end."""

    @property
    def method(self) -> str:
        """The HTTP method."""
        return str(self.scope["method"])

    @property
    def path(self) -> str:
        """The path of the request without a slash at the end, the context included."""
        return str(self.scope["path"]).rstrip("/")

    @property
    def request_id(self) -> str:
        """The id of the request, as in the log."""
        return str(self.scope.get("state", {}).get("request_id", ""))

    @property
    def person(self) -> Person:
        """Who calls. Only for resources that ask for a token."""
        assert self.caller is not None
        return self.caller

    def part(self, name: str) -> str:
        """A part of the path, as named in the route; empty when the route has none."""
        return str(self.scope["path_params"].get(name, ""))


Endpoint = Callable[[Call], Awaitable[Answer | Response]]


class Resources:
    """Makes endpoints that share the gate, the limit of bodies and the base URL."""

    def __init__(self, gate: Gate, base: BaseURL, max_body: int = MAX_BODY):
        """Shared by all resources of a server."""
        self.gate: Final = gate
        self.base: Final = base
        self.max_body: Final = max_body

    def sign_in_url(self, scope: Scope) -> str:
        """Where a person with a browser signs in to come back to the page they asked for."""
        context = urlsplit(self.base(scope)).path
        return f"{context}/login?next={quote(scope['path'])}"

    def endpoint(
        self, function: Endpoint, *, anonymous: bool = False, post_only: bool = False, max_body: int = 0
    ) -> ASGIApp:
        """An endpoint from a function.

        Args:
            function: says what the resource says; its ``ServiceError`` is answered as one.
            anonymous: whether the resource may be called without a token.
            post_only: whether GET is refused, since the parameters do not belong in a URL.
            max_body: instead of the limit of the server.
        """
        limit = max_body or self.max_body

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            form = "html"
            try:
                form = _early_format(scope["query_string"])
                parameters, size = await read_parameters(scope, receive, limit)
                form = chosen_format(parameters.get("f"))
                if post_only and scope["method"] != "POST":
                    raise ServiceError(
                        405, "This operation takes POST only: its parameters do not belong in a URL"
                    )
                person = self.gate.person(scope, parameters.get("token"))
                if person is None and not anonymous:
                    person = self.gate.known_person(scope, "")
                answer = await function(Call(scope, parameters, size, person, self.base(scope)))
                response = answer if isinstance(answer, Response) else render(answer, form, scope["path"])
            except ServiceError as error:
                if form == "html" and error.code in (498, 499) and scope["method"] == "GET":
                    response = RedirectResponse(self.sign_in_url(scope), 303)
                else:
                    response = render_error(error, form, scope["path"])
            except InputError as error:
                response = render_error(bad_input(error), form, scope["path"])
            except StoreError as error:
                log.error("store failed", reason=str(error), path=scope["path"])
                response = render_error(
                    ServiceError(500, "The server cannot store or read its jobs now; nothing was changed"),
                    form,
                    scope["path"],
                )
            await response(scope, receive, send)

        return _Endpoint(serve)


class _Endpoint:
    """An ASGI application: Starlette takes a function for something else."""

    def __init__(self, serve: ASGIApp):
        self._serve = serve

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._serve(scope, receive, send)


def _early_format(query: bytes) -> str:
    """The format as far as the query tells, for errors in the body. A wrong one means a program: JSON."""
    try:
        pairs: dict[str, Any] = dict(parse_query(query))
        return chosen_format(pairs.get("f", ""))
    except ServiceError:
        return "json"
