"""Which addresses the server connects to when somebody else chose the host.

A registry is named by an administrator, and it names the service that gives out its tokens. Neither
may lead into the network behind the server, unless whoever runs the server says so.
"""

import ipaddress
import socket
from collections.abc import Iterable, Sequence
from typing import Final

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_PUBLIC_IPV6: Final = ipaddress.IPv6Network("2000::/3")
"""All that is public lies in it; what was given up long ago, such as site-local addresses, does not."""

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
"""Addresses of IPv4 hosts in networks that have only IPv6."""


class NetworkError(Exception):
    """There is no way to a host; the text says why."""


def read_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Networks in CIDR notation, such as ``10.0.0.0/8`` or ``fd00::/8``.

    Raises:
        ValueError: one of them is none.
    """
    networks = []
    for text in texts:
        try:
            networks.append(ipaddress.ip_network(text.strip()))
        except ValueError as error:
            raise ValueError(f"{text!r} is no network: {error}; write one like 10.0.0.0/8") from None
    return tuple(networks)


def addresses_of(host: str, port: int, networks: Sequence[Network], *, listed_only: bool) -> list[str]:
    """The addresses of a host that may be connected to, in the order in which to try them.

    Args:
        host: a name or an address.
        port: that will be connected to.
        networks: where private addresses are allowed.
        listed_only: whether public addresses are not.

    Raises:
        NetworkError: the host is not known, or all its addresses are out of bounds.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "its name is no name of a host"
        raise NetworkError(f"there is no host {host} ({reason}); check the name") from None
    addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
    allowed = [each for each in addresses if _is_allowed(each, networks, listed_only)]
    if allowed:
        return allowed
    if listed_only and any(_is_allowed(each, networks, False) for each in addresses):
        raise NetworkError(
            f"{host} would be sent the password over plain HTTP; use https, or have the server started with"
            f" --registry-network and the network that {addresses[0]} belongs to"
        )
    raise NetworkError(
        f"{host} is at {addresses[0]}, which is no public address; if the registry is there, have the server"
        " started with --registry-network and the network that it belongs to"
    )


def _is_allowed(text: str, networks: Sequence[Network], listed_only: bool) -> bool:
    address = _plain(ipaddress.ip_address(text))
    if any(address in network for network in networks):
        return True
    if listed_only or (isinstance(address, ipaddress.IPv6Address) and address not in _PUBLIC_IPV6):
        return False
    return address.is_global and not address.is_multicast


def _plain(address: _Address) -> _Address:
    """The address of IPv4 that one of IPv6 only stands for."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
