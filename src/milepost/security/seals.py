"""Seals: what a browser or a program carries for the server, so that nobody else can make or change it."""

import hashlib
import hmac
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import jwt
import msgspec
from jwt.types import Options

from milepost.security.errors import SecurityError
from milepost.security.key_file import signing_key

_LONGEST: Final = 16_384
"""Characters; everything that is sealed is shorter."""
_ALGORITHM: Final = "HS256"
_OPTIONS: Final[Options] = {"require": ["exp"], "verify_exp": False, "verify_aud": False, "verify_iat": False}

_Sealed = TypeVar("_Sealed", bound=msgspec.Struct)


class BrokenSeal(SecurityError):  # noqa: N818 - says what is the matter
    """What came back was not sealed here for this purpose, or too long ago."""


class Seals:
    """Signs statements under the key of the tokens, for one purpose each. Every method is safe in threads.

    The content is signed and not hidden. A new signing key breaks all seals.
    """

    def __init__(self, key_path: Path, *, clock: Callable[[], float] = time.time) -> None:
        """With the key in this file; ``clock`` gives UTC seconds since the epoch."""
        self._key = signing_key(key_path)
        self._clock = clock

    def seal(self, purpose: str, what: msgspec.Struct, seconds: float) -> str:
        """A text of URL-safe characters that says ``what``.

        Args:
            purpose: what it is for; under another purpose the seal is broken.
            what: no member may be called ``exp``.
            seconds: how long it is good.

        Raises:
            PrivateFileError: the key cannot be read.
        """
        claims = {**msgspec.to_builtins(what), "exp": int(self._clock() + seconds)}
        return jwt.encode(claims, self._key_for(purpose), algorithm=_ALGORITHM)

    def unseal(self, purpose: str, text: str, kind: type[_Sealed]) -> _Sealed:
        """What was sealed for this purpose.

        Raises:
            BrokenSeal: it was not, or not lately enough.
            PrivateFileError: the key cannot be read.
        """
        try:
            if len(text) > _LONGEST or not text.isascii():
                raise jwt.InvalidTokenError
            claims = jwt.decode(text, self._key_for(purpose), algorithms=[_ALGORITHM], options=_OPTIONS)
            what = msgspec.convert(claims, kind)
        except (jwt.PyJWTError, msgspec.ValidationError):
            raise BrokenSeal("This was not made by the server, or its signing key was changed.") from None
        if not isinstance(claims["exp"], int) or self._clock() >= claims["exp"]:
            raise BrokenSeal("This was made too long ago.")
        return what

    def mark(self, purpose: str, text: str) -> str:
        """What only the server can tell about a text: the same for the same text, and good as long as the key.

        Raises:
            PrivateFileError: the key cannot be read.
        """
        return hmac.digest(self._key_for(purpose), text.encode(), hashlib.sha256).hex()

    def _key_for(self, purpose: str) -> bytes:
        """A key of its own for each purpose: none passes for another, nor for a token."""
        return hmac.digest(self._key.read(), f"milepost {purpose}".encode(), hashlib.sha256)
