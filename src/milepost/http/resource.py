"""Resources: a function from a call to an answer becomes an endpoint that speaks every format."""

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import quote

import structlog
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from milepost.http.answers import (
    FORMATS,
    Answer,
    Envelope,
    chosen_format,
    render,
    render_error,
    render_status,
)
from milepost.http.arriving import Arrival
from milepost.http.call import Call
from milepost.http.errors import ServiceError, bad_input, envelope, not_permitted, token_required
from milepost.http.forgery import FORM_FIELD
from milepost.http.gate import Gate
from milepost.http.guard import logged_path
from milepost.http.request import PublicAddress, parse_query, read_parameters
from milepost.operations import InputError
from milepost.security import Access, Person
from milepost.store import StoreError

log = structlog.get_logger("milepost.http")

MAX_BODY: Final = 64 * 2**20
"""Bytes a request may have, if the settings do not say otherwise."""

_UNSHARED: Final = frozenset({"f", "token", "password", FORM_FIELD})
"""Parameters that belong into no link: it has a format of its own, and nobody's secrets."""


Endpoint = Callable[[Call], Awaitable[Answer | Response]]

Follow = Callable[[Person, Mapping[str, str]], Arrival]
"""Gives what follows the files that somebody sends, for the parts of the path."""

METHODS: Final = ("GET", "POST")
"""What clients of GIS servers use for everything; what changes something says itself what it needs."""


class Resource(Route):
    """A route to a resource, with what there is to tell about it."""

    def __init__(
        self,
        path: str,
        endpoint: ASGIApp,
        *,
        methods: Sequence[str],
        pattern: str,
        access: Access,
        parameters: Sequence[str],
        document: str,
        summary: str,
    ):
        """Made by ``Resources``."""
        # Every method gets there, for the refusal to be written as the dialect writes its errors.
        super().__init__(path, endpoint)
        self.takes: Final = tuple(methods)
        """The methods that it takes."""
        self.pattern: Final = pattern
        """The path with its optional part in brackets."""
        self.access: Final = access
        self.parameters: Final = tuple(parameters)
        """Names of the parameters beside ``f`` and ``token``, which every resource takes."""
        self.document: Final = document
        """Title of the documentation that says what the resource must be like; empty without one."""
        self.summary: Final = summary
        """One sentence."""


class Resources:
    """Makes resources that share the gate, the limit of bodies, the base URL and the table of access."""

    def __init__(
        self,
        gate: Gate,
        address: PublicAddress,
        access: Mapping[str, Access],
        arriving: Path,
        max_body: int = MAX_BODY,
        write_error: Envelope = envelope,
        *,
        strict_post_token: bool = False,
    ):
        """Shared by all resources of a server.

        Args:
            gate: tells who sends a request.
            address: tells where clients find the server.
            access: who may use a resource, by its path.
            arriving: the folder where files lie that are being sent.
            max_body: bytes that the body of a request may have.
            write_error: gives the JSON of errors.
            strict_post_token: whether a POST to the admin API must hold its token in the body, as the
                documentation has it; or else it is taken from wherever a client carries it.
        """
        self.gate: Final = gate
        self.address: Final = address
        self.access: Final = access
        self._arriving = arriving
        self.max_body: Final = max_body
        self.strict_post_token: Final = strict_post_token
        self._write_error = write_error

    def with_errors(self, write_error: Envelope) -> "Resources":
        """The same for a dialect that writes its errors in another way."""
        return Resources(
            self.gate,
            self.address,
            self.access,
            self._arriving,
            self.max_body,
            write_error,
            strict_post_token=self.strict_post_token,
        )

    def at(
        self,
        path: str,
        function: Endpoint,
        *,
        methods: Sequence[str] = METHODS,
        acts: bool = False,
        max_file: int = 0,
        follow: Follow | None = None,
        formats: Sequence[str] = (),
        media: bool = False,
        parameters: Sequence[str] = (),
        document: str = "",
    ) -> list[BaseRoute]:
        """The routes to a resource.

        Args:
            path: below the context; a part in brackets is optional, as in ``/services/[{folder}/]{service}``.
            function: see ``endpoint``.
            methods: that it takes.
            acts: see ``endpoint``.
            max_file: see ``endpoint``.
            follow: see ``endpoint``.
            formats: see ``endpoint``.
            media: see ``endpoint``.
            parameters: names of those it reads, beside ``f`` and ``token``.
            document: title of the documentation that it follows.

        Raises:
            LookupError: the table of access does not name the path.
        """
        endpoint = self.endpoint(
            path,
            function,
            methods=methods,
            acts=acts,
            max_file=max_file,
            follow=follow,
            formats=formats,
            media=media,
        )
        before, bracket, rest = path.partition("[")
        optional, _, after = rest.partition("]")
        summary = (inspect.getdoc(function) or "").partition("\n")[0]
        return [
            Resource(
                each,
                endpoint,
                methods=methods,
                pattern=path,
                access=self.access[path],
                parameters=parameters,
                document=document,
                summary=summary,
            )
            for each in ([before + optional + after] if bracket else []) + [before + after]
        ]

    def sign_in_url(self, scope: Scope) -> str:
        """Where a person with a browser signs in to come back to the page they asked for."""
        return f"{self.address.home(scope)}/login?next={quote(self.address.path(scope))}"

    def endpoint(
        self,
        path: str,
        function: Endpoint,
        *,
        methods: Sequence[str] = METHODS,
        acts: bool = False,
        max_file: int = 0,
        follow: Follow | None = None,
        formats: Sequence[str] = (),
        media: bool = False,
    ) -> ASGIApp:
        """An endpoint from a function.

        Args:
            path: of the resource, by which the table of access tells who may use it.
            function: says what the resource says; its ``ServiceError`` is answered as one.
            methods: that it takes; HEAD comes with GET.
            acts: whether a call changes something, so that HEAD is refused.
            max_file: bytes that files may have, instead of the limit of the server for all bodies.
            follow: gives what follows such files while they come.
            formats: in which the function answers by itself, beside those of every resource. Errors are JSON there.
            media: whether players fetch it, which look at the status: who names no format gets errors by that.

        Raises:
            LookupError: the table of access does not name the path.
        """
        access = self.access[path]
        taken = {*methods, "HEAD"} if "GET" in methods and not acts else {*methods}
        allowed = ", ".join(sorted(methods))
        strict = self.strict_post_token and path.startswith("/admin") and not access.without_token

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["method"] == "OPTIONS":
                await Response(status_code=204, headers={"Allow": allowed})(scope, receive, send)
                return
            form = "json"  # what cannot be read at all comes from a program
            given: dict[str, str] = {}
            parameters = arrival = None
            try:
                query = parse_query(scope["query_string"])
                given = dict(query)
                form = _early_format(scope, given.get("f", ""))
                if scope["method"] not in taken:
                    raise ServiceError(405, f"{scope['method']} is not allowed here, only {allowed}")
                # Nobody may fill the disk before it is known who they are.
                sender = self._known(access, scope, given.get("token", "")) if max_file else None
                if sender is not None and follow is not None:
                    arrival = follow(sender, scope["path_params"])
                parameters, size = await read_parameters(
                    scope, receive, query, self.max_body, self._arriving, max_file if sender else 0, arrival
                )
                form = chosen_format(parameters.get("f"), formats)
                if acts:
                    self.gate.refuse_forged(scope, parameters.get("token"), parameters.get(FORM_FIELD))
                if strict and scope["method"] == "POST" and not parameters.in_body("token", FORM_FIELD):
                    raise token_required()
                person = self._admit(access, scope, parameters.get("token"))
                call = Call(scope, receive, parameters, size, person, self.address, arrival)
                answer = await function(call)
                response = answer if isinstance(answer, Response) else self._page(scope, answer, form)
            except ServiceError as error:
                asked = given.get("f") if parameters is None else parameters.get("f")
                if media and scope["method"] in ("GET", "HEAD") and not asked:
                    response = render_status(error, self._write_error)
                elif form == "html" and error.code in (498, 499) and scope["method"] == "GET":
                    response = RedirectResponse(self.sign_in_url(scope), 303)
                else:
                    response = self._refusal(scope, error, form)
            except InputError as error:
                response = self._refusal(scope, bad_input(error), form)
            except StoreError as error:
                log.error("store failed", reason=str(error), path=logged_path(scope))
                response = self._refusal(
                    scope,
                    ServiceError(500, "The server cannot store or read its jobs now; nothing was changed"),
                    form,
                )
            finally:
                if parameters is not None:
                    parameters.close()
                if arrival is not None:
                    await arrival.end()
            await response(scope, receive, send)

        return _Endpoint(serve)

    async def refuse(self, scope: Scope, receive: Receive | None, error: ServiceError) -> Response:
        """An error as an answer, in the format that the request asks for.

        Args:
            scope: of the request.
            receive: gives its body; None when that was read already.
            error: what to say.
        """
        form = "json"
        with suppress(ServiceError):
            query = parse_query(scope["query_string"])
            form = _early_format(scope, dict(query).get("f", ""))
            if receive is not None:
                parameters, _ = await read_parameters(scope, receive, query, self.max_body, self._arriving)
                form = chosen_format(parameters.get("f"))
                parameters.close()
        return self._refusal(scope, error, form)

    def _refusal(self, scope: Scope, error: ServiceError, form: str) -> Response:
        return render_error(
            error, form, self.address.path(scope), self.address.home(scope), self._write_error
        )

    def _page(self, scope: Scope, answer: Answer, form: str) -> Response:
        # What a form sent is no part of the address, and to follow a link to it would send it again.
        shared = None if scope["method"] == "POST" else _shared(parse_query(scope["query_string"]))
        address, token = self.address, self.gate.form_token(scope)
        return render(answer, form, address.path(scope), address.home(scope), token, shared)

    def _admit(self, access: Access, scope: Scope, token: str) -> Person | None:
        """Who calls, once it is clear that they may.

        Raises:
            ServiceError: 498 or 499, the token; 403, the resource is for others.
        """
        if access.ignores_token:
            return None
        if access.without_token:
            return self.gate.person(scope, token)
        person = self.gate.known_person(scope, token)
        if not person.may_use(access):
            raise not_permitted(access)
        return person

    def _known(self, access: Access, scope: Scope, token: str) -> Person | None:
        """Who calls, if they may, by what comes before the body."""
        try:
            return self._admit(access, scope, token)
        except ServiceError:
            return None


def _shared(query: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those parameters of a query that may stand in a link to the same resource."""
    return [(name, value) for name, value in query if name.lower() not in _UNSHARED]


class _Endpoint:
    """An ASGI application: Starlette takes a function for something else."""

    def __init__(self, serve: ASGIApp):
        self._serve = serve

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._serve(scope, receive, send)


def _early_format(scope: Scope, name: str) -> str:
    """The format as far as it is known before the body is read, for errors in the body."""
    if name.strip():
        return name.strip().lower() if name.strip().lower() in FORMATS else "json"
    asks_for_page = any(key == b"accept" and b"text/html" in value for key, value in scope["headers"])
    return "html" if asks_for_page or scope["method"] in ("GET", "HEAD") else "json"
