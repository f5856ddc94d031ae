"""generateToken, and where clients find it."""

from typing import Any, Final

import structlog
from starlette.routing import BaseRoute

from milepost.http import (
    Answer,
    Call,
    Field,
    Form,
    Resources,
    ServiceError,
    client_ip,
    invalid_token,
    parse_query,
)
from milepost.security import (
    DEFAULT_MINUTES,
    LONGEST_MINUTES,
    BindingError,
    InvalidToken,
    People,
    Tokens,
)
from milepost.servers.sharing.passwords import PasswordCheck, SignInPaused
from milepost.servers.sharing.wire import PORTAL_VERSION

log = structlog.get_logger("milepost.security")

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
    """The sign-in resources of a portal that consists of one server."""

    def __init__(self, people: People, tokens: Tokens, resources: Resources):
        """For these people."""
        self._people = people
        self._passwords = PasswordCheck(people)
        self._tokens = tokens
        self._resources = resources

    def routes(self) -> list[BaseRoute]:
        """The routes, below the context."""
        at = self._resources.at
        return [
            *at(
                "/sharing/rest/generateToken",
                self.generate_token,
                parameters=TOKEN_PARAMETERS,
                document="Generate token",
            ),
            *at("/sharing/rest/info", self.info, document="Info"),
            *at("/sharing/rest", self.root, document="Root"),
        ]

    async def root(self, _: Call) -> Answer:
        """The version."""
        return Answer({"currentVersion": PORTAL_VERSION}, title="Sharing")

    async def info(self, call: Call) -> Answer:
        """How to sign in."""
        return Answer(authentication_info(call), title="Sign-in")

    async def generate_token(self, call: Call) -> Answer:
        """A token for a name and a password, or for another token."""
        given = call.parameters
        if call.method != "POST":
            if given.get("f", "html") == "html" and not given.get("password"):
                return Answer({}, title="Generate token", forms=[_FORM])
            raise ServiceError(405, "generateToken takes POST only: a password does not belong in a URL")
        minutes = given.number("expiration", DEFAULT_MINUTES, least=0, most=2**31) or DEFAULT_MINUTES
        minutes = min(minutes, LONGEST_MINUTES)
        _refuse_secrets_in_url(call)
        if given.get("token") and not given.get("password"):
            token, expires = self._exchange(call, minutes)
        else:
            token, expires = await self.sign_in(call, minutes)
        return Answer(
            {"token": token, "expires": expires, "ssl": call.scope.get("scheme") == "https"},
            title="Generate token",
        )

    async def sign_in(self, call: Call, minutes: int) -> tuple[str, int]:
        """A token for the name and the password in a call, and when it expires.

        Raises:
            ServiceError: 400, they do not fit.
        """
        _refuse_secrets_in_url(call)
        given = call.parameters
        username, password = given.get("username"), given.get("password")
        if not username or not password:
            missing = [name for name in ("username", "password") if not given.get(name)]
            raise ServiceError(400, "Unable to generate token.", [f"Parameter '{missing[0]}' is required"])
        ip_here = client_ip(call.scope)
        try:
            person = await self._passwords.person(username, password, ip_here)
        except SignInPaused as error:
            raise ServiceError(
                400, f"Unable to generate token. {error} Try again in {error.seconds} s.", [str(error)]
            ) from None
        if person is None:
            known = self._people.get(username)
            # Some people type their password into the wrong field: other names are not logged.
            log.warning("sign-in refused", username=known.username if known else None, ip=ip_here)
            raise ServiceError(400, "Unable to generate token.", ["Invalid username or password."])
        referer = ip = None
        match given.get("client"):
            case "referer":
                referer = given.get("referer") or None
            case "requestip":
                ip = ip_here
            case "ip":
                ip = given.get("ip") or ip_here
            case "":
                pass
            case other:
                raise ServiceError(
                    400, f"Parameter 'client': {other[:40]!r} is none of referer, requestip and ip"
                )
        try:
            issued = self._tokens.issue(person, minutes, referer=referer, ip=ip)
        except BindingError as error:
            raise ServiceError(400, "Unable to generate token.", [str(error)]) from None
        log.info("signed in", username=person.username, ip=ip_here)
        return issued

    def _exchange(self, call: Call, minutes: int) -> tuple[str, int]:
        try:
            return self._tokens.exchange(call.parameters.get("token"), minutes, ip=client_ip(call.scope))
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


def _refuse_secrets_in_url(call: Call) -> None:
    """A URL ends up in logs and histories.

    Raises:
        ServiceError: there is a password or a token in it.
    """
    if {"password", "token"} & dict(parse_query(call.scope["query_string"])).keys():
        raise ServiceError(400, "Send the password or token in the body of the request, not in its URL")


_FORM: Final = Form(
    action="generateToken",
    title="Generate token",
    fields=(
        Field(name="username", title="Username", required=True),
        Field(name="password", title="Password", kind="password", required=True),
        Field(name="expiration", title="Minutes", value=str(DEFAULT_MINUTES)),
    ),
)
