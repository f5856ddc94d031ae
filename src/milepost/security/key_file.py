"""A key in a file: 32 random bytes, written as hexadecimal digits."""

import secrets
from pathlib import Path
from typing import Final

from milepost.security import files

_BYTES: Final = 32


class KeyFile:
    """A key that several processes share through its file, which is made when it is missing."""

    def __init__(self, path: Path, loss: str) -> None:
        """With the key in this file; ``loss`` ends the advice to have a new one made: "which ..."."""
        self._path = path
        self._loss = loss

    def state(self) -> object:
        """Something that is unequal after the key was replaced; costs microseconds to ask.

        Raises:
            PrivateFileError: the file cannot be reached.
        """
        try:
            with files.explained(self._path):
                found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def read(self) -> bytes:
        """The key; a new one when there is none.

        Raises:
            PrivateFileError: the file cannot be read or made, is damaged, or is open to all.
        """
        try:
            return self._parsed(files.read(self._path))
        except FileNotFoundError:
            pass
        with files.only_one(self._path.parent):
            try:
                # Another process may have been faster.
                return self._parsed(files.read(self._path))
            except FileNotFoundError:
                return self._replace()

    def rotate(self) -> None:
        """Put a new key in the place of the present one, which is kept nowhere.

        Raises:
            PrivateFileError: the file cannot be written.
        """
        with files.only_one(self._path.parent):
            self._replace()

    def _replace(self) -> bytes:
        text = secrets.token_hex(_BYTES).encode() + b"\n"
        files.write(self._path, text)
        return self._parsed(text)

    def _parsed(self, text: bytes) -> bytes:
        try:
            key = bytes.fromhex(text.decode("ascii"))
        except ValueError:
            key = b""
        if len(key) < _BYTES:
            raise files.PrivateFileError(
                f"{self._path} is damaged: a key is at least {2 * _BYTES} hexadecimal digits; put it back from"
                f" a backup, or delete it and a new one is made, {self._loss}"
            )
        return key


def signing_key(path: Path) -> KeyFile:
    """The key that tokens and seals are signed with."""
    return KeyFile(path, "which makes everybody sign in again")
