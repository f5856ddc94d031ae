"""Who sends a request: the token, from wherever a client carries it, and the person it stands for."""

import hmac
from typing import Final

from starlette.types import Scope

from milepost.http.errors import ServiceError, invalid_token, token_required
from milepost.http.forgery import needs_proof
from milepost.security import InvalidToken, Person, Seals, Tokens

COOKIE_NAME: Final = "agstoken"
"""The cookie in which clients of GIS servers carry a token."""

_NOTHING: Final = frozenset({"", "none", "null", "undefined"})
"""What clients send in place of a token when they have none."""

_FORMS: Final = "forms"


class Gate:
    """Finds and verifies the token of a request, and sees that nobody was made to send it."""

    def __init__(self, tokens: Tokens, seals: Seals, trusted: tuple[str, ...] = ()):
        """With the tokens of this server; ``trusted`` are origins whose pages may act for people."""
        self._tokens = tokens
        self._seals = seals
        self._trusted = trusted

    def person(self, scope: Scope, token: str) -> Person | None:
        """Who sends the request, or None without a token.

        Args:
            scope: of the request.
            token: the parameter ``token``, from the body or the query.

        Raises:
            ServiceError: 498, the token proves nothing.
        """
        carried, _, referer = _carried(scope, token)
        if not carried:
            return None
        try:
            return self._tokens.verify(carried, referer=referer or None, ip=client_ip(scope))
        except InvalidToken as error:
            raise invalid_token(str(error)) from None

    def form_token(self, scope: Scope) -> str:
        """What the forms of a page hold, to be told from those of other sites; empty without a session."""
        carried, by_cookie, _ = _carried(scope, "")
        return self._seals.mark(_FORMS, carried) if by_cookie else ""

    def refuse_forged(self, scope: Scope, token: str, form_token: str) -> None:
        """Nothing, unless a page of somebody else may have made the browser send the request.

        Args:
            scope: of the request, which changes something.
            token: the parameter ``token``.
            form_token: what a form of ours holds.

        Raises:
            ServiceError: 403, it may have.
        """
        carried, by_cookie, _ = _carried(scope, token)
        if by_cookie and needs_proof(scope, self._trusted):
            expected = self._seals.mark(_FORMS, carried)
            if not hmac.compare_digest(expected.encode(), form_token.encode(errors="surrogatepass")):
                raise ServiceError(
                    403,
                    "The request was not made by a page of your session",
                    ["Go back, reload the page and send its form again."],
                )

    def known_person(self, scope: Scope, token: str) -> Person:
        """Who sends the request.

        Raises:
            ServiceError: 499 without a token, 498 with one that proves nothing.
        """
        person = self.person(scope, token)
        if person is None:
            raise token_required()
        return person


def client_ip(scope: Scope) -> str:
    """The address the request comes from."""
    client = scope.get("client")
    return client[0] if client else ""


def _carried(scope: Scope, token: str) -> tuple[str, bool, str]:
    """The token of a request, empty when there is none; whether it came as a cookie; and the referer.

    Browsers send cookies by themselves; everything else was put there by who sends the request.
    """
    bearer = esri_bearer = cookie = referer = ""
    for name, value in scope["headers"]:
        if name == b"x-esri-authorization":
            esri_bearer = _bearer(value)
        elif name == b"authorization":
            bearer = _bearer(value)
        elif name == b"cookie":
            cookie = _cookie(value.decode("latin-1"))
        elif name == b"referer":
            referer = value.decode("latin-1")
    for carried in (token.strip(), esri_bearer, bearer):
        if carried.lower() not in _NOTHING:
            return carried, False, referer
    return ("", False, referer) if cookie.lower() in _NOTHING else (cookie, True, referer)


def _bearer(value: bytes) -> str:
    scheme, _, token = value.decode("latin-1").strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _cookie(header: str) -> str:
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE_NAME:
            return value.strip().strip('"').strip()
    return ""
