"""generateToken, in both its places, and where clients find it."""

from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.routing import BaseRoute

from milepost.http import (
    Answer,
    Call,
    Field,
    Form,
    Resources,
    ServiceError,
    chosen_format,
    client_ip,
    invalid_token,
)
from milepost.security import DEFAULT_MINUTES, LONGEST_MINUTES, InvalidToken, Tokens
from milepost.servers.sharing.credentials import WRONG, Credentials, refusal, refuse_secrets_in_url
from milepost.servers.sharing.wire import PORTAL_VERSION

TOKEN_PARAMETERS: Final = (
    "username",
    "password",
    "client",
    "referer",
    "ip",
    "expiration",
    "serverUrl",
)
"""What generateToken reads; a ``token`` is exchanged for another one."""


class Sharing:
    """The resources by which programs sign in."""

    def __init__(
        self, credentials: Credentials, tokens: Tokens, resources: Resources, *, kubernetes: bool
    ) -> None:
        """With what all who sign people in share.

        Args:
            credentials: finds out who signs in.
            tokens: issues the tokens.
            resources: what all dialects share.
            kubernetes: whether the admin API is that of ArcGIS Enterprise on Kubernetes. It has no
                generateToken of its own; the one here then answers as that of the portal.
        """
        self._credentials = credentials
        self._tokens = tokens
        self._resources = resources
        self._kubernetes = kubernetes

    def routes(self) -> list[BaseRoute]:
        """The routes, below the context."""
        at = self._resources.at
        admin = self._resources if self._kubernetes else self._resources.with_errors(_server_error)
        return [
            *at(
                "/sharing/rest/generateToken",
                self.generate_token,
                parameters=TOKEN_PARAMETERS,
                document="Generate token",
            ),
            *admin.at(
                "/admin/generateToken",
                self.generate_token if self._kubernetes else self.generate_server_token,
                parameters=TOKEN_PARAMETERS,
                document="" if self._kubernetes else "Generate token (ArcGIS Server administrator API)",
            ),
            *at("/sharing/rest/info", self.info, document="Info"),
            *at("/sharing/rest", self.root, document="Root"),
        ]

    async def root(self, call: Call) -> Answer:
        """The version of the portal, and what there is in it."""
        below = {
            "Portal": "portals/self",
            "Users": "community/users",
            "My account": "community/self",
            "Generate token": "generateToken",
            "How to sign in": "info",
        }
        return Answer(
            {"currentVersion": PORTAL_VERSION},
            title="Portal",
            links={name: f"{call.path}/{path}" for name, path in below.items()},
        )

    async def info(self, call: Call) -> Answer:
        """How to sign in."""
        return Answer(authentication_info(call), title="Sign-in")

    async def generate_token(self, call: Call) -> Answer:
        """A token for a name and a password, or for another token."""
        if form := _form(call):
            return form
        token, expires = await self._issue(call)
        return Answer(
            {"token": token, "expires": expires, "ssl": call.base.startswith("https:")},
            title="Generate token",
        )

    async def generate_server_token(self, call: Call) -> Answer:
        """A token for a name and a password."""
        if form := _form(call):
            return form
        token, expires = await self._issue(call)
        return Answer({"token": token, "expires": str(expires)}, title="Generate token")

    async def _issue(self, call: Call) -> tuple[str, int]:
        given = call.parameters
        refuse_secrets_in_url(call)
        minutes = given.number("expiration", DEFAULT_MINUTES, least=0, most=2**31) or DEFAULT_MINUTES
        minutes = min(minutes, LONGEST_MINUTES)
        if not given.get("token") or given.get("password"):
            return await self._credentials.token(call, minutes)
        _refuse_foreign_server(call)
        try:
            return self._tokens.exchange(given.get("token"), minutes, ip=client_ip(call.scope))
        except InvalidToken as error:
            raise invalid_token(str(error)) from None


def authentication_info(call: Call) -> dict[str, Any]:
    """What clients must know to sign in."""
    return {
        "owningSystemUrl": call.base,
        "authInfo": {
            "isTokenBasedSecurity": True,
            "tokenServicesUrl": f"{call.base}/sharing/rest/generateToken",
            "shortLivedTokenValidity": DEFAULT_MINUTES,
        },
    }


def _form(call: Call) -> Answer | None:
    """The page with the form, when a person asks for it; None when a token is asked for.

    Raises:
        ServiceError: 405, credentials came in a URL.
    """
    if call.method == "POST":
        return None
    if chosen_format(call.parameters.get("f")) == "html" and not call.parameters.get("password"):
        return Answer({}, title="Generate token", forms=[_FORM])
    raise ServiceError(405, "generateToken takes POST only: a password does not belong in a URL")


def _refuse_foreign_server(call: Call) -> None:
    """Nothing, if a token is asked for a server of this portal, or for none in particular.

    Clients send the token to the server that they asked for. One that merely claims to belong to
    this portal must not come by a token of it.

    Raises:
        ServiceError: 400, the server is another one.
    """
    # The makers of clients disagree about the spelling.
    asked = call.parameters.get("serverUrl") or call.parameters.get("serverURL")
    if not asked:
        return
    host = dict(call.scope["headers"]).get(b"host", b"").decode("latin-1")
    own = {_host(call.base), _host(f"//{host}")}
    if _host(asked) not in own:
        raise refusal(f"'serverUrl': {asked[:120]!r} is no server of this portal.")


def _host(url: str) -> str:
    """The host and the port of a URL, the latter only where it is not the usual one; empty for none."""
    with suppress(ValueError):
        parts = urlsplit(url.strip())
        usual = {"http": 80, "https": 443}.get(parts.scheme)
        name = parts.hostname or ""
        return name if parts.port in (None, usual) else f"{name}:{parts.port}"
    return ""


def _server_error(error: ServiceError) -> dict[str, Any]:
    """An error as the administrator API of ArcGIS Server writes it."""
    wrong = error.details == (WRONG,)
    why = " ".join(error.details) or error.message
    return {
        "status": "error",
        "messages": [f"Failed to generate token. {why}"],
        "code": 401 if wrong else error.code,
    }


_FORM: Final = Form(
    action="generateToken",
    title="Generate token",
    fields=(
        Field(name="username", title="Username", required=True),
        Field(name="password", title="Password", kind="password", required=True),
        Field(name="expiration", title="Minutes", value=str(DEFAULT_MINUTES)),
    ),
)
