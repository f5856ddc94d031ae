"""Tokens: signed, expiring proofs of who signed in, void as soon as that is no longer true."""

import base64
import hashlib
import ipaddress
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import jwt
import msgspec
from jwt.types import Options

from milepost.security.errors import SecurityError
from milepost.security.key_file import signing_key
from milepost.security.people import People, Person

DEFAULT_MINUTES: Final = 60
SHORTEST_MINUTES: Final = 1
LONGEST_MINUTES: Final = 14 * 24 * 60
GRACE: Final = 600.0
"""Seconds that a token is still taken after it expired: the ArcGIS API for Python renews its
own five minutes after, in the middle of a job it is watching."""

_RECHECK: Final = 1.0
"""Seconds after which it is asked again whether another process changed people or the key."""
_REMEMBERED: Final = 10_000
"""Verified tokens kept in memory at most."""
_LONGEST: Final = 4096
"""Characters; every token issued is shorter."""
_ALGORITHM: Final = "HS256"


class InvalidToken(SecurityError):  # noqa: N818 - reads as the refusal it is
    """The token proves nothing: not ours, expired, revoked, or used from elsewhere."""


class BindingError(SecurityError):
    """A token cannot be bound to the address that was given."""


class _Claims(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a token says: whose it is, under which password, until when, and for whose use."""

    sub: str
    ver: int
    exp: int
    """UTC seconds since the epoch."""
    sid: str
    """The session it belongs to, with all that are had in exchange for it."""
    ref: str = ""
    """What ``_page`` makes of the referer."""
    ip: str = ""


class _Verified(msgspec.Struct, frozen=True):
    person: Person
    claims: _Claims


class _Knowledge:
    """Tokens verified under one state of the people and the key; replaced whole when either changes.

    A token that is being verified while the state changes lands in the old one and is lost with it.
    """

    __slots__ = ("asked_at", "changes", "key", "state", "tokens")

    def __init__(self, state: object, changes: int, key: bytes, asked_at: float) -> None:
        self.state, self.changes, self.key, self.asked_at = state, changes, key, asked_at
        self.tokens: dict[str, _Verified] = {}


class Tokens:
    """Issues and verifies the tokens of one server. Every method may be called from any thread.

    To verify a token again costs a look into a dictionary. What revokes a token counts at once
    when it is done through the same ``People`` or ``Tokens``, and within one second when another
    process does it: a new password, removal of the person, a new signing key.
    """

    def __init__(
        self,
        key_path: Path,
        people: People,
        *,
        strict_referer: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Read the signing key, or make one, readable by its owner only.

        Args:
            key_path: the file of the key. Deleting it has the effect of ``rotate``.
            people: those who sign in.
            strict_referer: refuse a token bound to a referer when a request names another one.
                Off by default, since several clients bind to one and then send another.
            clock: UTC seconds since the epoch.

        Raises:
            PrivateFileError: the key cannot be read or made, is damaged, or is open to all.
        """
        self._key = signing_key(key_path)
        self._people = people
        self._strict_referer = strict_referer
        self._clock = clock
        self._asking = threading.Lock()
        self._knowledge = self._ask(None)

    def issue(
        self,
        person: Person,
        minutes: int = DEFAULT_MINUTES,
        *,
        referer: str | None = None,
        ip: str | None = None,
        session: str = "",
    ) -> tuple[str, int]:
        """A token for somebody who has just proved who they are.

        Args:
            person: as ``People.authenticate`` returned it.
            minutes: how long it lasts; brought between 1 minute and 14 days.
            referer: the page or program it is meant for, a URL or any word.
            ip: the only address it is taken from.
            session: which the token is to belong to; a new one if empty.

        Returns:
            The token, and when it expires in UTC milliseconds since the epoch.

        Raises:
            BindingError: ``ip`` is not an address.
        """
        minutes = max(SHORTEST_MINUTES, min(minutes, LONGEST_MINUTES))
        return self._sign(
            _Claims(
                sub=person.username,
                ver=person.password_version,
                exp=int(self._clock()) + 60 * minutes,
                ref=_page(referer) if referer else "",
                ip=_given_address(ip) if ip else "",
                sid=session or secrets.token_urlsafe(12),
            )
        )

    def verify(self, token: str, *, referer: str | None = None, ip: str | None = None) -> Person:
        """Whose token it is, with the role they have now.

        Args:
            token: as the request carries it.
            referer: the Referer header of the request; a missing one is always accepted.
            ip: the address the request comes from.

        Raises:
            InvalidToken: says why.
        """
        return self._verify(token, referer, ip).person

    def exchange(
        self,
        token: str,
        minutes: int = LONGEST_MINUTES,
        *,
        referer: str | None = None,
        ip: str | None = None,
    ) -> tuple[str, int]:
        """A token for a server of the site, in exchange for one of its portal.

        It is bound to the same things and never outlives the other: a token in wrong hands
        cannot be renewed for ever.

        Raises:
            InvalidToken: says why.
        """
        claims = self._verify(token, referer, ip).claims
        minutes = max(SHORTEST_MINUTES, min(minutes, LONGEST_MINUTES))
        until = min(claims.exp, int(self._clock()) + 60 * minutes)
        return self._sign(msgspec.structs.replace(claims, exp=until))

    def revoke(self, token: str) -> None:
        """Make a token void with its whole session, such as when somebody signs out.

        Raises:
            InvalidToken: it is not ours, or is void already.
        """
        self.end_session(_claims(token, self._up_to_date().key).sid)

    def end_session(self, session: str) -> None:
        """Make all tokens of a session void, those too that are still to be had for a refresh token."""
        now = self._clock()
        self._people.end_session(session, now, now + LONGEST_MINUTES * 60 + GRACE)

    def rotate(self) -> None:
        """Replace the signing key: every token issued before, by any process, becomes void.

        Raises:
            PrivateFileError: the key cannot be written.
        """
        self._key.rotate()
        with self._asking:
            self._knowledge = self._ask(None)

    def _verify(self, token: str, referer: str | None, ip: str | None) -> _Verified:
        now = self._clock()
        known = self._knowledge
        # Also asked again when the clock was set back.
        if known.changes != self._people.changes or not 0 <= now - known.asked_at < _RECHECK:
            known = self._up_to_date()
        verified = known.tokens.get(token)
        if verified is None:
            # Another process may have issued it a moment ago, under a new key.
            known = self._up_to_date()
            verified = self._read(token, known.key)
            if len(known.tokens) >= _REMEMBERED:
                known.tokens.clear()
            known.tokens[token] = verified
        claims = verified.claims
        if now >= claims.exp + GRACE:
            raise InvalidToken("The token has expired; sign in again.")
        if claims.ip and claims.ip != ip and claims.ip != _address(ip):
            raise InvalidToken("The token may only be used from the address it was issued to; sign in again.")
        if self._strict_referer and claims.ref and referer and claims.ref != _page(referer):
            raise InvalidToken("The token was issued to another page or program; sign in again.")
        return verified

    def _read(self, token: str, key: bytes) -> _Verified:
        """Check what the signature proves, and that the person is still the one it was issued to."""
        claims = _claims(token, key)
        person = self._people.get(claims.sub)
        if person is None:
            raise InvalidToken("The person whom the token was issued to is not known here any more.")
        if person.password_version != claims.ver:
            raise InvalidToken("The password was changed after the token was issued; sign in again.")
        if self._people.has_ended(claims.sid):
            raise InvalidToken("The session of the token was ended; sign in again.")
        return _Verified(person, claims)

    def _sign(self, claims: _Claims) -> tuple[str, int]:
        key = self._up_to_date().key
        return jwt.encode(msgspec.to_builtins(claims), key, algorithm=_ALGORITHM), claims.exp * 1000

    def _up_to_date(self) -> _Knowledge:
        with self._asking:
            self._knowledge = self._ask(self._knowledge)
            return self._knowledge

    def _ask(self, known: _Knowledge | None) -> _Knowledge:
        """What is known as of now: the same when nothing changed. State first, contents after."""
        now = self._clock()
        changes = self._people.changes
        state = (changes, self._people.version(), self._key.state())
        if known is not None and known.state == state:
            known.asked_at = now
            return known
        return _Knowledge(state, changes, self._key.read(), now)


def _claims(token: str, key: bytes) -> _Claims:
    """What a token says, if it is signed with the key."""
    if len(token) > _LONGEST or not token.isascii():
        raise _not_ours()
    options: Options = {"require": ["sub", "ver", "exp", "sid"], "verify_exp": False}
    try:
        decoded = jwt.decode_complete(token, key, algorithms=[_ALGORITHM], options=options)
        claims = msgspec.convert(decoded["payload"], _Claims)
    except (jwt.PyJWTError, msgspec.ValidationError):
        raise _not_ours() from None
    # Base64 can spell the same signature in several ways; only one of them was issued.
    spelled = base64.urlsafe_b64encode(decoded["signature"]).rstrip(b"=").decode()
    if token.rpartition(".")[2] != spelled:
        raise _not_ours()
    return claims


def _not_ours() -> InvalidToken:
    return InvalidToken(
        "The token was not issued by this server, or its signing key was changed; sign in again."
    )


def _page(referer: str) -> str:
    """A short name for what a referer stands for, to be compared.

    Of a URL only the origin counts, since that is all that browsers send to other sites.
    """
    with suppress(ValueError):  # no URL after all; any word will do
        parts = urlsplit(referer)
        default = {"http": 80, "https": 443}.get(parts.scheme)
        if default and parts.hostname:
            referer = f"{parts.scheme}://{parts.hostname}:{parts.port or default}"
    digest = hashlib.sha256(referer.encode(errors="surrogatepass")).digest()
    return base64.urlsafe_b64encode(digest[:15]).decode()


def _address(ip: str | None) -> str:
    """One spelling of an address, empty when it is none."""
    try:
        address = ipaddress.ip_address(ip or "")
    except ValueError:
        return ""
    # A socket for both families reports IPv4 clients this way.
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def _given_address(ip: str) -> str:
    address = _address(ip)
    if not address:
        raise BindingError("'ip' must be an IPv4 or IPv6 address, such as 192.0.2.7.")
    return address
