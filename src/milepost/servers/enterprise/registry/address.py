"""Where a container registry is: what administrators write, taken apart."""

import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

import msgspec

_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?", re.IGNORECASE | re.ASCII)
_REPOSITORY: Final = re.compile(r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*", re.ASCII)
_LONGEST: Final = 255
_PORTS: Final = {"https": 443, "http": 80}

_DOCKER_HUB: Final = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})
_HUB_HOST: Final = "registry-1.docker.io"
_HUB_KEY: Final = "https://index.docker.io/v1/"
"""What Docker calls its own registry in the files of its clients."""


class Origin(msgspec.Struct, frozen=True):
    """Scheme, host and port of a server."""

    scheme: str
    """``https`` or ``http``."""
    host: str
    """A name or an address; one of IPv6 without brackets."""
    port: int

    @property
    def authority(self) -> str:
        """Host and port as they stand in URLs; the port only where it is not the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


class RegistryAddress(msgspec.Struct, frozen=True):
    """Where a registry is."""

    origin: Origin
    """Where its HTTP API is."""
    key: str
    """What it is called in the ``config.json`` of its clients."""


def read_registry_url(text: str) -> RegistryAddress:
    """The address of a registry, written as a host with or without port, or as an ``https`` or ``http`` URL.

    Raises:
        ValueError: it is none; the text says why.
    """
    url = text.strip()
    origin, rest = read_origin(url if "://" in url else f"https://{url}")
    if rest not in ("", "/"):
        raise ValueError("it has a path; what follows the host belongs into registryRepository")
    if origin.scheme == "https" and origin.host in _DOCKER_HUB and origin.port == _PORTS["https"]:
        return RegistryAddress(Origin("https", _HUB_HOST, origin.port), _HUB_KEY)
    return RegistryAddress(origin, origin.authority)


def read_origin(url: str) -> tuple[Origin, str]:
    """The origin of an ``https`` or ``http`` URL, and what follows it.

    Raises:
        ValueError: it is none; the text says why.
    """
    if len(url) > 2048 or re.search(r"[\s\x00-\x1f\x7f\\]", url):
        raise ValueError("it is no URL: it is too long, or holds spaces or control characters")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("it is no URL: its host or its port cannot be understood") from None
    if parts.scheme not in _PORTS:
        raise ValueError("it must be a host, such as registry.example.com:5000, or an https URL")
    if parts.username is not None or parts.password is not None:
        raise ValueError("it holds a user name; that and the password are properties of their own")
    host = (parts.hostname or "").removesuffix(".")
    if not _is_host(host):
        raise ValueError("it names no host that can exist")
    if port == 0:
        raise ValueError("there is no port 0")
    rest = parts.path + (f"?{parts.query}" if parts.query else "")
    return Origin(parts.scheme, host, port or _PORTS[parts.scheme]), rest


def read_repository(text: str) -> str:
    """The repository, a path such as ``gis/images``; empty for none.

    Raises:
        ValueError: it is none; the text says why.
    """
    path = text.strip().strip("/")
    if len(path) > _LONGEST or not all(_REPOSITORY.fullmatch(each) for each in path.split("/") if path):
        raise ValueError(
            "it is no repository; it is made of small letters and digits, with '.', '_' or '-' between them,"
            " in parts set apart by '/'"
        )
    return path


def _is_host(host: str) -> bool:
    if ":" in host:
        try:
            return ipaddress.IPv6Address(host).scope_id is None
        except ValueError:
            return False
    return len(host) <= _LONGEST and _HOST.fullmatch(host) is not None
