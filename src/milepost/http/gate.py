"""Who sends a request: the token, from wherever a client carries it, and the person it stands for."""

from typing import Final

from starlette.types import Scope

from milepost.http.errors import invalid_token, token_required
from milepost.security import InvalidToken, Person, Tokens

COOKIE_NAME: Final = "agstoken"
"""The cookie in which clients of GIS servers carry a token."""

_NOTHING: Final = frozenset({"", "none", "null", "undefined"})
"""What clients send in place of a token when they have none."""


class Gate:
    """Finds and verifies the token of a request."""

    def __init__(self, tokens: Tokens):
        """With the tokens of this server."""
        self._tokens = tokens

    def person(self, scope: Scope, token: str) -> Person | None:
        """Who sends the request, or None without a token.

        Args:
            scope: of the request.
            token: the parameter ``token``, from the body or the query.

        Raises:
            ServiceError: 498, the token proves nothing.
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
        for carried in (token.strip(), esri_bearer, bearer, cookie):
            if carried.lower() not in _NOTHING:
                break
        else:
            return None
        try:
            return self._tokens.verify(carried, referer=referer or None, ip=client_ip(scope))
        except InvalidToken as error:
            raise invalid_token(str(error)) from None

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


def _bearer(value: bytes) -> str:
    scheme, _, token = value.decode("latin-1").strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _cookie(header: str) -> str:
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE_NAME:
            return value.strip().strip('"').strip()
    return ""
