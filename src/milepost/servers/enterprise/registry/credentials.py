"""A name and a password, and the ``config.json`` in which clients of registries keep them."""

import base64
import binascii

import msgspec


class Credentials(msgspec.Struct, frozen=True):
    """What somebody signs in with."""

    username: str
    password: str

    def __repr__(self) -> str:
        # Whoever prints or logs it must not print the password.
        return f"Credentials(username={self.username!r})"

    def basic(self) -> str:
        """As HTTP's Basic authentication encodes them."""
        return base64.b64encode(f"{self.username}:{self.password}".encode()).decode()


def docker_config(key: str, credentials: Credentials) -> bytes:
    """A ``config.json`` that holds the credentials for one registry.

    Args:
        key: what the registry is called in such files.
        credentials: for it.
    """
    config = {"auths": {key: {"auth": credentials.basic()}}}
    return msgspec.json.format(msgspec.json.encode(config), indent=2) + b"\n"


def read_docker_config(content: bytes, key: str) -> Credentials:
    """The credentials for a registry, as a client that pulls from it finds them.

    Raises:
        ValueError: there are none.
    """
    try:
        auth = msgspec.json.decode(content)["auths"][key]["auth"]
        username, colon, password = base64.b64decode(auth, validate=True).decode().partition(":")
    except (msgspec.DecodeError, binascii.Error, UnicodeError, KeyError, TypeError):
        colon = ""
    if not colon:
        raise ValueError(f"the file holds no credentials for {key}")
    return Credentials(username, password)
