"""Names and passwords, as they come in requests: one way to check them for all who sign in."""

from typing import Final

import structlog

from milepost.http import Call, ServiceError, client_ip, parse_query, wrong
from milepost.security import BindingError, People, Person, Tokens
from milepost.servers.sharing.passwords import PasswordCheck, SignInPaused

log = structlog.get_logger("milepost.security")

REFUSED: Final = "Unable to generate token."
"""Clients know these words."""

WRONG: Final = "Invalid username or password."


class Credentials:
    """Finds out who signs in. All who ask share the memory of what was guessed."""

    def __init__(self, people: People, tokens: Tokens):
        """For these people."""
        self._people = people
        self._tokens = tokens
        self._passwords = PasswordCheck(people)

    async def person(self, call: Call, *needed: str) -> Person:
        """Whose name and password a request carries.

        Args:
            call: the request.
            needed: further parameters that it must have.

        Raises:
            ServiceError: 400, they do not fit; the details say why.
        """
        refuse_secrets_in_url(call)
        given = call.parameters
        missing = [name for name in ("username", "password", *needed) if not given.get(name)]
        if missing:
            raise refusal(*(f"'{name}' must be specified." for name in missing))
        return await self.check(call, given.get("username"), given.get("password"))

    async def check(self, call: Call, username: str, password: str) -> Person:
        """The person of that name, if the password is right.

        Raises:
            ServiceError: 400, it is not, or was not even looked at.
        """
        ip = client_ip(call.scope)
        try:
            person = await self._passwords.person(username, password, ip)
        except SignInPaused as error:
            raise ServiceError(
                400, f"{REFUSED} {error} Try again in {error.seconds} s.", [str(error)]
            ) from None
        if person is None:
            known = self._people.get(username)
            # Some people type their password into the wrong field: other names are not logged.
            log.warning("sign-in refused", username=known.username if known else None, ip=ip)
            raise refusal(WRONG)
        return person

    async def token(self, call: Call, minutes: int) -> tuple[str, int]:
        """A token for whose name and password a request carries, and when it expires.

        It is bound to the referer or the address that the request asks for.

        Raises:
            ServiceError: 400, they do not fit.
        """
        given = call.parameters
        client = given.get("client") or "referer"
        if client not in ("referer", "ip", "requestip"):
            raise wrong("client", f"{client[:40]!r} is none of referer, requestip and ip")
        needed = [client] if given.get("client") and client != "requestip" else []
        person = await self.person(call, *needed)
        referer = given.get("referer") if client == "referer" else ""
        ip = {"ip": given.get("ip"), "requestip": client_ip(call.scope)}.get(client, "")
        try:
            issued = self._tokens.issue(person, minutes, referer=referer or None, ip=ip or None)
        except BindingError as error:
            raise refusal(str(error)) from None
        log.info("signed in", username=person.username, ip=client_ip(call.scope))
        return issued


def refusal(*details: str) -> ServiceError:
    """The error of a sign-in that failed."""
    return ServiceError(400, REFUSED, details)


def refuse_secrets_in_url(call: Call) -> None:
    """Nothing, if the URL holds no password and no token: it ends up in logs and histories.

    Raises:
        ServiceError: 400, it does.
    """
    if {"password", "token"} & dict(parse_query(call.scope["query_string"])).keys():
        raise refusal(
            "POST request should not contain username and password in the query string; send them, or the"
            " token, in its body."
        )
