"""The HTTP API of container registries, as far as signing in goes: Basic and Bearer.

What answers is not trusted: it gets a few seconds and a few kilobytes, leads nowhere else, and its
words are not repeated.
"""

import asyncio
import os
import re
import ssl
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, urlencode

import httpx
import msgspec

from milepost.servers.enterprise.registry.address import Origin, RegistryAddress, read_origin
from milepost.servers.enterprise.registry.credentials import Credentials
from milepost.servers.enterprise.registry.network import Network, NetworkError, addresses_of

Scheme = Literal["none", "basic", "bearer"]
"""How a registry asks who is there."""

_SECONDS: Final = 10.0
"""To connect, and between two parts of an answer."""
ALL_SECONDS: Final = 30.0
"""For a whole answer, however slowly it comes."""
_MOST: Final = 64 * 1024
"""Bytes of an answer."""
_LONGEST_TARGET: Final = 8000

_VERSION: Final = ("docker-distribution-api-version", "registry/2.0")
_PARAMETER: Final = re.compile(r'(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')


class RegistryError(Exception):
    """The credentials could not be proved; the text says why and what helps, and holds no secret."""


class _Answer(msgspec.Struct, frozen=True):
    status: int
    headers: httpx.Headers
    body: bytes

    def json(self) -> Any:
        """The body as JSON; None when it is something else."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return None


def sign_in(address: RegistryAddress, credentials: Credentials, networks: Sequence[Network]) -> Scheme:
    """Sign in to a registry as its clients do.

    Args:
        address: of the registry.
        credentials: to prove.
        networks: where private addresses are allowed.

    Returns:
        How it asked; ``none`` if it let everybody in, which proves nothing about the credentials.

    Raises:
        RegistryError: they are wrong, or nobody there can tell.
    """
    origin = address.origin
    name = f"the registry {origin.authority}"
    answer = _get(name, origin, "/v2/", networks)
    if answer.status == 200:
        _check_version(name, answer)
        return "none"
    if answer.status != 401:
        raise _unexpected(name, answer)
    scheme, asked = _challenge(name, answer)
    if scheme == "basic":
        proof = f"Basic {credentials.basic()}"
    else:
        proof = f"Bearer {_token(origin, asked, credentials, networks)}"
    answer = _get(name, origin, "/v2/", networks, proof)
    if answer.status in (401, 403):
        if scheme == "bearer":
            raise RegistryError(
                f"{name} does not accept the token that its own token service gave; ask who runs it"
            )
        raise RegistryError(f"{name} refuses the user name or the password ({_told(answer)})")
    if answer.status != 200:
        raise _unexpected(name, answer)
    _check_version(name, answer)
    return scheme


def _challenge(name: str, answer: _Answer) -> tuple[Literal["basic", "bearer"], dict[str, str]]:
    """How a registry wants to be signed in to."""
    for header in answer.headers.get_list("www-authenticate"):
        scheme, _, rest = header.strip().partition(" ")
        asked: dict[str, str] = {}
        for key, quoted, plain in _PARAMETER.findall(rest):
            # The first one counts: another challenge may follow in the same line.
            asked.setdefault(key.lower(), re.sub(r"\\(.)", r"\1", quoted) or plain)
        match scheme.lower():
            case "basic":
                return "basic", asked
            case "bearer" if "realm" in asked:
                return "bearer", asked
    raise RegistryError(
        f"{name} answered 401 without a way to sign in that is known (Basic or Bearer): it is no registry"
        " of version 2"
    )


def _token(
    registry: Origin, asked: Mapping[str, str], credentials: Credentials, networks: Sequence[Network]
) -> str:
    """A token from the service that a registry names."""
    try:
        origin, rest = read_origin(asked["realm"])
    except ValueError as error:
        raise RegistryError(
            f"the registry {registry.authority} names no token service that can be used: {error}"
        ) from None
    if origin.scheme == "http" and registry.scheme == "https":
        raise RegistryError(
            f"the registry {registry.authority} would have the password sent to {origin.authority} over plain"
            " HTTP; ask who runs it to give its token service an https URL"
        )
    path, _, query = rest.partition("?")
    pairs = parse_qsl(query, keep_blank_values=True)
    pairs += [(key, asked[key]) for key in ("service", "scope") if key in asked]
    target = f"{path or '/'}?{urlencode(pairs)}" if pairs else path or "/"
    name = f"the token service {origin.authority}"
    if len(target) > _LONGEST_TARGET:
        raise RegistryError(f"{name} is asked for more than fits into a URL; ask who runs the registry")
    answer = _get(name, origin, target, networks, f"Basic {credentials.basic()}")
    if answer.status in (401, 403):
        raise RegistryError(f"{name} refuses the user name or the password ({_told(answer)})")
    if answer.status != 200:
        raise _unexpected(name, answer)
    said = answer.json()
    token = (said.get("token") or said.get("access_token")) if isinstance(said, dict) else None
    if not isinstance(token, str) or not re.fullmatch(r"[\x21-\x7e]+", token):
        raise RegistryError(f"{name} answered without a token; ask who runs it")
    return token


def _check_version(name: str, answer: _Answer) -> None:
    """Any web server may say 200 to anything."""
    key, version = _VERSION
    if version not in answer.headers.get(key, "") and not isinstance(answer.json(), dict):
        raise RegistryError(f"{name} answered, but it is no registry of version 2; check the URL")


def _unexpected(name: str, answer: _Answer) -> RegistryError:
    if 300 <= answer.status < 400:
        return RegistryError(f"{name} leads to another place ({answer.status}); give the URL of that one")
    if answer.status == 429 or answer.status >= 500:
        return RegistryError(f"{name} cannot tell now ({answer.status}); try again later")
    return RegistryError(f"{name} answered {answer.status}: it is no registry of version 2; check the URL")


def _told(answer: _Answer) -> str:
    """The status and the code of the error, if it is one of those that registries know."""
    said = answer.json()
    errors = said.get("errors") if isinstance(said, dict) else None
    first = errors[0] if isinstance(errors, list) and errors else None
    code = first.get("code") if isinstance(first, dict) else None
    known = isinstance(code, str) and re.fullmatch(r"[A-Z_]{1,40}", code)
    return f"{answer.status} {code}" if known else str(answer.status)


# -- one request -------------------------------------------------------------------------------


def _get(
    name: str, origin: Origin, target: str, networks: Sequence[Network], authorization: str = ""
) -> _Answer:
    """What a server answers. It is connected to at an address that was checked, not by its name.

    Raises:
        RegistryError: there is no answer, or none that can be used.
    """
    # Plain HTTP shows the password to everybody on the way.
    plain = origin.scheme == "http"
    try:
        addresses = addresses_of(origin.host, origin.port, networks, listed_only=plain)
    except NetworkError as error:
        raise RegistryError(f"{name} cannot be reached: {error}") from None
    headers = {"Host": origin.authority, "Accept-Encoding": "identity", "User-Agent": "milepost"}
    if authorization:
        headers["Authorization"] = authorization
    try:
        return asyncio.run(_fetch_in_time(name, origin, addresses, target, headers))
    except httpx.TransportError as error:
        raise RegistryError(_reason(name, error)) from None


async def _fetch_in_time(
    name: str, origin: Origin, addresses: Sequence[str], target: str, headers: dict[str, str]
) -> _Answer:
    """The answer at the first address where somebody listens, if it is there in time."""
    failure: httpx.TransportError = httpx.ConnectError("there is no address")
    try:
        async with asyncio.timeout(ALL_SECONDS):
            for address in addresses:
                host = f"[{address}]" if ":" in address else address
                url = httpx.URL(f"{origin.scheme}://{host}:{origin.port}{target}")
                try:
                    return await _fetch(name, url, headers, origin.host)
                except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                    failure = error
    except TimeoutError:
        raise httpx.ReadTimeout("it took too long as a whole") from None
    raise failure


async def _fetch(name: str, url: httpx.URL, headers: dict[str, str], host: str) -> _Answer:
    # Each request has a client of its own, whose connection nobody else's certificate was checked for.
    trusting = _trusting(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))
    async with (
        httpx.AsyncClient(verify=trusting, trust_env=False, timeout=_SECONDS) as client,
        # The certificate must be that of the name.
        client.stream("GET", url, headers=headers, extensions={"sni_hostname": host}) as response,
    ):
        body = b""
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > _MOST:
                raise RegistryError(f"{name} answered with more than a registry has to say; check the URL")
        return _Answer(response.status_code, response.headers, body)


@cache
def _trusting(_file: str | None, _folder: str | None) -> ssl.SSLContext:
    """The certificate authorities that everybody trusts, or those that the environment names."""
    return httpx.create_ssl_context()


def _reason(name: str, error: httpx.TransportError) -> str:
    """Why there was no answer, in words."""
    if isinstance(error, httpx.TimeoutException):
        return f"{name} did not answer in time; check the URL, and whether a firewall is between"
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return (
                f"the certificate of {name} is not to be trusted ({cause.verify_message}); for a certificate"
                " authority of your own, start the server with SSL_CERT_FILE naming its certificates"
            )
        if isinstance(cause, ssl.SSLError):
            return f"{name} does not speak TLS; check the port, and whether it is meant to be http://"
        if isinstance(cause, ConnectionRefusedError):
            return f"{name} refused the connection: nothing listens there; check the host and the port"
    if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError):
        return f"{name} hung up or did not answer in HTTP; check the port, and whether it is meant to be https://"
    reason = getattr(causes[-1], "strerror", None) or type(error).__name__
    return f"{name} cannot be reached ({reason}); check the host and the port"


def _causes(error: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__
