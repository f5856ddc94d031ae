"""Talking JSON to one server: requests, sign-in, and errors as exceptions."""

import functools
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, BinaryIO, Final
from urllib.parse import urlsplit

import httpx
import msgspec

from milepost.client.address import Address
from milepost.client.errors import BadAnswerError, ServerError, SignInError, UnreachableError
from milepost.client.views import one_line

LONGEST_ANSWER: Final = 64 * 2**20
"""Bytes of an answer that are read."""

TIMEOUT: Final = 30.0
"""Seconds to wait for a connection, and between two pieces of an answer."""

_TOKEN_MINUTES: Final = 60
_RENEW_BEFORE: Final = 30.0  # seconds

_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


class Token(msgspec.Struct, frozen=True):
    """A token, and when it ends in UTC milliseconds since the epoch; 0 when nobody said."""

    token: str
    expires: int = 0
    ssl: bool = False


class Session:
    """Requests to the server that ``home`` belongs to.

    A token goes into a header, never into an address, and to no other server than that one.
    """

    def __init__(
        self,
        home: Address,
        *,
        token: str = "",
        user: str = "",
        password: str = "",
        verify: ssl.SSLContext | bool = True,
    ):
        """A session that signs in when it first needs to.

        Args:
            home: any address of the server.
            token: a token that somebody got before; wins over user and password.
            user: whose name to sign in with; empty for none.
            password: the password of ``user``.
            verify: how to check the server's certificate; False accepts any.
        """
        self.home: Final = home
        self._given: Final = token or home.token
        self._user: Final = user
        self._password: Final = password
        self._token = Token(self._given)
        # No redirects: they would carry the token or a password to places nobody named.
        self._http: Final = httpx.Client(
            verify=_trusted() if verify is True else verify,
            timeout=TIMEOUT,
            headers={"Accept": "application/json", "Referer": home.server, "User-Agent": "milepost"},
        )

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def get(self, url: str, parameters: Mapping[str, str | Sequence[str]] | None = None) -> Any:
        """The JSON at ``url``, asked for with ``f=json`` and ``parameters``.

        Raises:
            UnreachableError: no usable answer came.
            BadAnswerError: the answer is no JSON, or the certificate is not trusted.
            ServerError: the server answered with an error.
            SignInError: a token is needed, or the one there is was refused.
        """
        return self._ask("GET", url, {"params": {"f": "json", **(parameters or {})}})

    def post(
        self,
        url: str,
        form: Mapping[str, str] | None = None,
        files: Mapping[str, tuple[str, BinaryIO]] | None = None,
        *,
        key: str = "",
    ) -> Any:
        """The JSON that a form brings, posted once; raises what ``get`` raises.

        Args:
            url: where to.
            form: the parameters; ``f=json`` is added.
            files: name, file name and content of the files to send along.
            key: the idempotency key; a server that knows of such keys does the same thing only once.
        """
        request = {"data": {"f": "json", **(form or {})}, "files": files}
        return self._ask("POST", url, request | ({"headers": {"Idempotency-Key": key}} if key else {}))

    def delete(self, url: str) -> Any:
        """The JSON that answers a DELETE; raises what ``get`` raises."""
        return self._ask("DELETE", url, {})

    def sign_in(self, minutes: int = _TOKEN_MINUTES) -> Token:
        """A new token for the user and password of this session.

        Raises:
            SignInError: the server does not accept them.
            UnreachableError, BadAnswerError, ServerError: as ``get``.
        """
        form = {
            "username": self._user,
            "password": self._password,
            "client": "referer",
            "referer": self.home.server,
            "expiration": str(minutes),
            "f": "json",
        }
        url = self._token_url()
        try:
            body = self._send("POST", url, {"data": form})
        except (ServerError, SignInError) as error:
            raise SignInError(
                f"cannot sign in as {self._user} at {url}: {error}; check the user name and the password"
            ) from error
        token = body.get("token") if isinstance(body, dict) else None
        if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
            raise BadAnswerError(f"{url} answered without a token; is it the address of a token service?")
        expires = body.get("expires")
        self._token = Token(token, expires if isinstance(expires, int) else 0, body.get("ssl") is True)
        return self._token

    def _token_url(self) -> str:
        """Where this server gives tokens: it says so itself, or else at the usual place."""
        usual = f"{self.home.server}/sharing/rest/generateToken"
        try:
            info = self._send("GET", f"{self.home.server}/rest/info", {"params": {"f": "json"}})
        except (BadAnswerError, ServerError, SignInError):
            return usual
        named = info.get("authInfo") if isinstance(info, dict) else None
        url = named.get("tokenServicesUrl") if isinstance(named, dict) else None
        try:
            found = Address(url) if isinstance(url, str) and url else None
        except ValueError:
            return usual
        if found is None:
            return usual
        if self.home.url.startswith("https:") and not found.url.startswith("https:"):
            raise BadAnswerError(
                f"the server wants the password sent to {found.url}, which is not encrypted; not sent"
            )
        return found.url

    def _ask(self, method: str, url: str, request: dict[str, Any]) -> Any:
        """Send with the token, where there is one; once more with a new one when it has run out."""
        if Address(url).origin != self.home.origin:
            return self._send(method, url, request)
        soon = (time.time() + _RENEW_BEFORE) * 1000
        if self._renewable and (not self._token.token or 0 < self._token.expires < soon):
            self.sign_in()
        try:
            return self._send(method, url, request, self._token.token)
        except SignInError:
            # A body with files was read to its end by now; only a form can be sent again.
            if not self._renewable or request.get("files"):
                raise
        self.sign_in()
        return self._send(method, url, request, self._token.token)

    @property
    def _renewable(self) -> bool:
        return bool(self._user and not self._given)

    def _send(self, method: str, url: str, request: dict[str, Any], token: str = "") -> Any:
        headers = {"X-Esri-Authorization": f"Bearer {token}"} if token else {}
        request = {**request, "headers": {**request.get("headers", {}), **headers}}
        with _transport_errors(url), self._http.stream(method, url, **request) as response:
            content = bytearray()
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > LONGEST_ANSWER:
                    raise BadAnswerError(f"the answer of {url} is longer than {LONGEST_ANSWER >> 20} MiB")
        return _read(response, bytes(content), url, signed_in=bool(token))


@functools.cache
def _trusted() -> ssl.SSLContext:
    """The certificate authorities that everybody trusts; reading them takes a while."""
    return httpx.create_ssl_context()


def _read(response: httpx.Response, content: bytes, url: str, *, signed_in: bool) -> Any:
    """The JSON of an answer, or the exception that it means."""
    status = response.status_code
    if status in _PASSING and not _is_json(response):
        wait = response.headers.get("Retry-After", "")
        raise UnreachableError(
            f"{url} answered with HTTP {status}", retry_after=float(wait) if wait.isdecimal() else 0.0
        )
    if response.is_redirect:
        target = one_line([response.headers.get("Location", "")])
        raise BadAnswerError(
            f"{url} redirects to {target or 'nowhere'}; use the address of the server itself"
        )
    if status == 204 or (not content and response.is_success):
        return {}
    try:
        body = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        if status in (401, 403):
            raise SignInError(_sign_in_text(status, "", signed_in=signed_in)) from error
        raise BadAnswerError(
            f"{url} did not answer with JSON (HTTP {status}); is it the address of a job or a task?"
        ) from error
    found = _error_in(body, status)
    if found is None:
        return body
    if found.code in (401, 403, 498, 499):
        raise SignInError(_sign_in_text(found.code, found.message, signed_in=signed_in))
    raise found


def _is_json(response: httpx.Response) -> bool:
    return "json" in response.headers.get("Content-Type", "")


def _error_in(body: Any, status: int) -> ServerError | None:
    """The error in an answer: an Esri object of either family, a problem document, or a bare HTTP status."""
    if isinstance(body, dict):
        error = body.get("error")
        if isinstance(error, dict):
            return _server_error(error.get("code"), error.get("message"), error.get("details"), status)
        if isinstance(error, str) and status >= 400:
            return _server_error(status, error, body.get("details"), status)
        if body.get("status") == "error" and ("messages" in body or "code" in body):
            return _server_error(body.get("code"), "", body.get("messages"), status)
        if status >= 400:
            return _server_error(
                status, body.get("title"), [body.get("detail"), body.get("description")], status
            )
    return ServerError(status, "", []) if status >= 400 else None


def _server_error(code: Any, message: Any, details: Any, status: int) -> ServerError:
    parts = details if isinstance(details, list) else [details]
    return ServerError(
        code if isinstance(code, int) else status if status >= 400 else 500,
        one_line([message]) if isinstance(message, str) else "",
        [one_line([part]) for part in parts if isinstance(part, str)],
    )


def _sign_in_text(code: int, message: str, *, signed_in: bool) -> str:
    said = f"{code} {message}".strip()
    if code == 403 and signed_in:
        return f"this user may not do that ({said}); sign in as somebody who may"
    if signed_in:
        return f"the server does not accept the token ({said}); get a new one, or sign in with --user"
    return f"the server wants a sign-in ({said}); give --token, or --user and a password"


@contextmanager
def _transport_errors(url: str) -> Iterator[None]:
    """Failures of the network in words of this module."""
    host = urlsplit(url).netloc
    try:
        yield
    except httpx.TimeoutException as error:
        raise UnreachableError(f"{host} did not answer within {TIMEOUT:.0f} s") from error
    except httpx.RequestError as error:
        causes = list(_causes(error))
        if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
            raise BadAnswerError(
                f"the certificate of {host} is not trusted; give --cacert with the certificate, or --insecure"
            ) from error
        if any("WRONG_VERSION_NUMBER" in str(cause) or "RECORD_LAYER" in str(cause) for cause in causes):
            raise BadAnswerError(
                f"{host} does not speak TLS; does the address begin with http://?"
            ) from error
        if isinstance(error, httpx.DecodingError):
            raise BadAnswerError(f"the answer of {url} is garbled ({error})") from error
        if isinstance(error, httpx.UnsupportedProtocol | httpx.TooManyRedirects):
            raise BadAnswerError(f"{url} cannot be asked: {error}") from error
        reason = getattr(causes[-1], "strerror", None) or str(causes[-1]) or type(causes[-1]).__name__
        if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError) and url.startswith("http:"):
            reason = f"{reason} (a server with TLS does so: use https://)"
        raise UnreachableError(f"{host} cannot be reached: {one_line([str(reason)])}") from error


def _causes(error: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__
