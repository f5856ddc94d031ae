"""The vault: secrets that the server needs again, encrypted where they are kept."""

import base64
import secrets
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from milepost.security.errors import SecurityError
from milepost.security.key_file import KeyFile

FILE: Final = "secrets.key"
"""Name of the key in the data folder. It is not the one of the tokens: that may be replaced at any time."""

_NONCE: Final = 12
"""Bytes that make two encryptions of one secret differ."""


class VaultError(SecurityError):
    """A secret cannot be had any more; the text says why and what helps."""


class Vault:
    """Encrypts secrets with AES-GCM under a key of their own. Every method is safe in threads."""

    def __init__(self, key_path: Path) -> None:
        """With the key in this file, which is made with the first secret."""
        self._path = key_path
        self._key = KeyFile(key_path, "which makes it necessary to enter the secrets of the site again")

    def encrypt(self, purpose: str, secret: str) -> str:
        """The secret as a text of URL-safe characters.

        Args:
            purpose: what it is for; under another purpose it cannot be decrypted.
            secret: of any length.

        Raises:
            PrivateFileError: the key cannot be read or made.
        """
        nonce = secrets.token_bytes(_NONCE)
        sealed = AESGCM(self._key.read()[:32]).encrypt(nonce, secret.encode(), purpose.encode())
        return base64.urlsafe_b64encode(nonce + sealed).decode()

    def decrypt(self, purpose: str, text: str) -> str:
        """What was encrypted for this purpose.

        Raises:
            VaultError: it was not, or under another key.
            PrivateFileError: the key cannot be read.
        """
        try:
            sealed = base64.b64decode(text, altchars=b"-_", validate=True)
            plain = AESGCM(self._key.read()[:32]).decrypt(sealed[:_NONCE], sealed[_NONCE:], purpose.encode())
        except (ValueError, InvalidTag):
            raise VaultError(
                f"a secret was not encrypted with the key in {self._path}, or was damaged; put the key back"
                " from a backup, or enter the secret again"
            ) from None
        return plain.decode()
