"""Passwords: what is accepted as one, and how it is kept (Argon2id)."""

import base64
import os
import secrets
import threading
import unicodedata
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from milepost.security.errors import SecurityError

SHORTEST: Final = 8
"""Characters a password has at least."""
LONGEST: Final = 1024
"""Bytes a password has at most, in UTF-8."""

# Hashing one password takes 64 MiB and all cores on purpose. More at the same time would
# not be faster, and a burst of sign-ins must not exhaust the memory of the machine.
_AT_A_TIME: Final = threading.BoundedSemaphore(max(1, min(4, os.cpu_count() or 1)))

_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""None that look alike: a generated password is read from a terminal and typed."""


class PasswordError(SecurityError):
    """A password that cannot be accepted; the text says why and what would be."""


class Passwords:
    """Hashes passwords and compares them with hashes; at most four at a time in a process."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        """Use the parameters of ``hasher``; without one those that RFC 9106 recommends."""
        self._hasher = hasher or PasswordHasher()
        self._nobody = _hash_of_nothing(self._hasher)

    def hash(self, password: str) -> str:
        """The hash to keep for a new password, with its parameters and salt.

        Raises:
            PasswordError: the password is too short, too long, or not text.
        """
        secret = _encoded(password)
        if secret is None:
            raise PasswordError(
                f"the password is longer than {LONGEST} bytes or not valid text; choose another"
            )
        # Spelled another way, "é" is two characters: count what was hashed.
        if len(secret.decode()) < SHORTEST:
            raise PasswordError(f"the password is too short; use at least {SHORTEST} characters")
        with _AT_A_TIME:
            return self._hasher.hash(secret)

    def fits(self, password: str, kept: str | None) -> bool:
        """Whether ``kept`` is a hash of the password; it takes as long when nothing is kept.

        Raises:
            PasswordError: what is kept cannot be checked: it is damaged, or memory ran out.
        """
        secret = _encoded(password)
        if secret is None:
            return False
        try:
            with _AT_A_TIME:
                self._hasher.verify(self._nobody if kept is None else kept, secret)
        except VerifyMismatchError:
            return False
        except (VerificationError, InvalidHashError) as error:
            raise PasswordError(
                f"the password kept for this person cannot be checked ({error}); set a new one"
            ) from error
        return kept is not None

    def dated(self, kept: str) -> bool:
        """Whether a kept hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(kept)


def generate() -> str:
    """A password that nobody can guess (79 bits), in four groups of four."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4))


def _encoded(password: str) -> bytes | None:
    """The bytes that are hashed, or None when no password can look like this."""
    if len(password) > LONGEST:
        return None
    try:
        # One keyboard sends "é" as one character, another as two.
        secret = unicodedata.normalize("NFC", password).encode()
    except UnicodeEncodeError:
        return None
    return secret if len(secret) <= LONGEST else None


def _hash_of_nothing(hasher: PasswordHasher) -> str:
    """A hash that no password fits, and that takes as long to compare as a real one."""
    salt, value = (
        base64.b64encode(secrets.token_bytes(size)).decode().rstrip("=")
        for size in (hasher.salt_len, hasher.hash_len)
    )
    cost = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2{hasher.type.name.lower()}$v=19${cost}${salt}${value}"
