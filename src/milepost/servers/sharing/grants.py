"""What OAuth hands out: the sign-in that was begun, the code it ends in, and tokens for the code."""

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Literal

import msgspec

from milepost.security import BrokenSeal, InvalidToken, People, Person, Seals, Tokens

SIGN_IN_SECONDS: Final = 30 * 60.0
"""How long a person may take to sign in."""

CODE_SECONDS: Final = 5 * 60.0

ACCESS_MINUTES: Final = 30
"""How long the token for a code lasts; the next one is had for the refresh token."""

_SIGN_IN, _CODE, _REFRESH = "sign-in", "authorization code", "refresh token"


class Refused(Exception):  # noqa: N818 - says what happened
    """A request for a token is turned down."""

    def __init__(self, error: str, description: str):
        """``error``: in the words of RFC 6749, such as ``invalid_grant``."""
        super().__init__(description)
        self.error: Final = error


class Asked(msgspec.Struct, frozen=True):
    """What a program asks for when it sends a person to sign in."""

    client: str
    """Its name. Programs are not registered here: it says where a code belongs, and proves nothing."""
    redirect: str
    """Where the person is led to afterwards."""
    answer: Literal["token", "code"]
    minutes: int
    """How long the token, or with a code the refresh token, is to last."""
    state: str = ""
    """Given back as it came."""
    challenge: str = ""
    """SHA-256 of the verifier (PKCE), in URL-safe Base64; empty without one."""


class _Code(msgspec.Struct, frozen=True):
    asked: Asked
    sub: str
    ver: int
    session: str
    """Which all tokens for the code belong to; drawn at random."""


class _Refresh(msgspec.Struct, frozen=True):
    client: str
    sub: str
    ver: int
    session: str


class Grants:
    """Nothing of this is kept but the codes that were used: what is handed out is sealed."""

    def __init__(
        self, people: People, tokens: Tokens, seals: Seals, clock: Callable[[], float] = time.time
    ) -> None:
        """For these people; ``clock`` gives UTC seconds since the epoch."""
        self._people = people
        self._tokens = tokens
        self._seals = seals
        self._clock = clock
        self._used: dict[str, float] = {}

    def begin(self, asked: Asked) -> str:
        """What the sign-in page carries, and gives to ``begun``."""
        return self._seals.seal(_SIGN_IN, asked, SIGN_IN_SECONDS)

    def begun(self, oauth_state: str) -> Asked:
        """What was asked for when the sign-in was begun.

        Raises:
            BrokenSeal: it was not begun here, or too long ago.
        """
        return self._seals.unseal(_SIGN_IN, oauth_state, Asked)

    def code(self, person: Person, asked: Asked) -> str:
        """A code for who has just signed in."""
        session = secrets.token_urlsafe(12)
        what = _Code(asked, person.username, person.password_version, session)
        return self._seals.seal(_CODE, what, CODE_SECONDS)

    def is_code(self, text: str) -> bool:
        """Whether a text is a code, so that it may be shown as one."""
        try:
            self._seals.unseal(_CODE, text, _Code)
        except BrokenSeal:
            return False
        return True

    def redeem(self, code: str, *, client: str, redirect: str, verifier: str) -> dict[str, Any]:
        """Tokens for a code, once.

        Args:
            code: as handed out.
            client: the program it was handed out for.
            redirect: where it was sent to.
            verifier: proves that the program is the one that asked, if it made sure of that (PKCE).

        Raises:
            Refused: the code is not good, or not for this program.
        """
        try:
            granted = self._seals.unseal(_CODE, code, _Code)
        except BrokenSeal as error:
            raise Refused("invalid_grant", f"Invalid code. {error}") from None
        asked = granted.asked
        if not _same(asked.client, client):
            raise Refused("invalid_grant", "Invalid client_id: the code was made for another one.")
        if not _same(asked.redirect, redirect):
            raise Refused("invalid_grant", "Invalid redirect_uri: the code was sent to another one.")
        if asked.challenge and not _same(asked.challenge, digest(verifier)):
            raise Refused("invalid_grant", "Invalid code_verifier: it does not fit the code_challenge.")
        self._use_up(granted.session)
        person = self._still(granted)
        refresh = _Refresh(asked.client, granted.sub, granted.ver, granted.session)
        return {
            **self._access(person, granted.session),
            "refresh_token": self._seals.seal(_REFRESH, refresh, asked.minutes * 60),
            "refresh_token_expires_in": asked.minutes * 60,
        }

    def refresh(self, token: str, *, client: str) -> dict[str, Any]:
        """Another token for a refresh token.

        Raises:
            Refused: it is not good, or not for this program.
        """
        try:
            granted = self._seals.unseal(_REFRESH, token, _Refresh)
        except BrokenSeal as error:
            raise Refused("invalid_grant", f"Invalid refresh_token. {error}") from None
        if not _same(granted.client, client):
            raise Refused("invalid_grant", "Invalid client_id: the refresh token is for another one.")
        return self._access(self._still(granted), granted.session)

    def revoke(self, token: str) -> None:
        """Make a token or a refresh token void with its whole session; nothing, if it is none."""
        try:
            self._tokens.end_session(self._seals.unseal(_REFRESH, token, _Refresh).session)
        except BrokenSeal:
            with suppress(InvalidToken):
                self._tokens.revoke(token)

    def _access(self, person: Person, session: str) -> dict[str, Any]:
        token, _ = self._tokens.issue(person, ACCESS_MINUTES, session=session)
        return {"access_token": token, "expires_in": ACCESS_MINUTES * 60, "username": person.username}

    def _still(self, granted: _Code | _Refresh) -> Person:
        person = self._people.get(granted.sub)
        if person is None or person.password_version != granted.ver:
            raise Refused("invalid_grant", "The person or their password was changed; sign in again.")
        if self._people.has_ended(granted.session):
            raise Refused("invalid_grant", "The session was ended; sign in again.")
        return person

    def _use_up(self, session: str) -> None:
        now = self._clock()
        self._used = {each: until for each, until in self._used.items() if until > now}
        if session in self._used:
            # Somebody has a code that is not theirs, and nobody knows who.
            self._tokens.end_session(session)
            raise Refused("invalid_grant", "Invalid code. It was used already; sign in again.")
        self._used[session] = now + CODE_SECONDS


def digest(verifier: str) -> str:
    """The challenge of a verifier (method S256)."""
    found = hashlib.sha256(verifier.encode(errors="surrogatepass")).digest()
    return base64.urlsafe_b64encode(found).rstrip(b"=").decode()


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(errors="surrogatepass"), other.encode(errors="surrogatepass"))
