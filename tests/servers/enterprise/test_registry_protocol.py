"""Signing in to a registry: whatever it answers, the cause and the cure are told, and nothing leaks."""

import base64
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from milepost.servers.enterprise.registry import protocol
from milepost.servers.enterprise.registry.address import read_registry_url
from milepost.servers.enterprise.registry.credentials import Credentials, docker_config, read_docker_config
from milepost.servers.enterprise.registry.network import NetworkError, addresses_of, read_networks
from milepost.servers.enterprise.registry.protocol import RegistryError, sign_in
from tests.servers.enterprise.registry_peers import LOOPBACK, answering, certificate

HERE = read_networks([LOOPBACK])
ALICE = Credentials("alice", "open-sesame")
VERSION = {"Docker-Distribution-Api-Version": "registry/2.0"}
BASIC = {"WWW-Authenticate": 'Basic realm="here"', **VERSION}


def sign_in_at(address: str, scheme: str = "http") -> str:
    return sign_in(read_registry_url(f"{scheme}://{address}"), ALICE, HERE)


def refusal(address: str, scheme: str = "http") -> str:
    """Why signing in failed; the password is not part of it."""
    with pytest.raises(RegistryError) as caught:
        sign_in_at(address, scheme)
    text = str(caught.value)
    assert ALICE.password not in text
    assert ALICE.basic() not in text
    return text


class Registry:
    """Answers the first request of a client, and those that carry proof, as told."""

    def __init__(
        self,
        first: tuple[int, Mapping[str, str], bytes],
        proved: tuple[int, Mapping[str, str], bytes] = (200, VERSION, b"{}"),
    ):
        self.first, self.proved = first, proved
        self.seen: list[tuple[str, str]] = []

    def __call__(self, request: BaseHTTPRequestHandler) -> tuple[int, Mapping[str, str], bytes]:
        proof = request.headers.get("Authorization", "")
        self.seen.append((request.path, proof))
        return self.proved if proof else self.first


@pytest.mark.parametrize(
    ("first", "proved", "said"),
    [
        ((404, {}, b""), None, "answered 404: it is no registry of version 2"),
        ((200, {}, b"<html>welcome</html>"), None, "answered, but it is no registry of version 2"),
        ((301, {"Location": "https://example.com/v2/"}, b""), None, "leads to another place (301)"),
        ((503, {}, b""), None, "cannot tell now (503); try again later"),
        ((429, {}, b""), None, "cannot tell now (429)"),
        ((401, {}, b""), None, "without a way to sign in that is known"),
        ((401, {"WWW-Authenticate": "Negotiate abc"}, b""), None, "without a way to sign in"),
        ((401, {"WWW-Authenticate": "Bearer service=x"}, b""), None, "without a way to sign in"),
        ((401, BASIC, b""), (401, BASIC, b'{"errors":[{"code":"UNAUTHORIZED"}]}'), "(401 UNAUTHORIZED)"),
        ((401, BASIC, b""), (403, VERSION, b'{"errors":[{"code":"<b>no</b>"}]}'), "or the password (403)"),
        ((401, BASIC, b""), (200, {}, b"welcome"), "but it is no registry of version 2"),
        ((401, BASIC, b""), (302, {"Location": "/login"}, b""), "leads to another place (302)"),
        ((401, BASIC, b""), (200, {}, b"[" * 60_000), "but it is no registry of version 2"),
        ((200, VERSION, b"x" * 70_000), None, "answered with more than a registry has to say"),
    ],
)
def test_what_a_server_answers_is_told_apart(first, proved, said) -> None:
    registry = Registry(first, proved or (200, VERSION, b"{}"))
    with answering(registry) as address:
        text = refusal(address)
    assert said in text
    assert text.startswith(f"the registry {address} ")
    assert "example.com" not in text


def test_how_a_registry_asks_is_told() -> None:
    with answering(Registry((200, VERSION, b""))) as address:
        assert sign_in_at(address) == "none"
    registry = Registry((401, BASIC, b""))
    with answering(registry) as address:
        assert sign_in_at(address) == "basic"
    assert registry.seen == [("/v2/", ""), ("/v2/", f"Basic {ALICE.basic()}")]


# -- Bearer ------------------------------------------------------------------------------------


@contextmanager
def bearer(
    answer: tuple[int, Mapping[str, str], bytes], realm: str = "http://{address}/token?account=1"
) -> Iterator[tuple[Registry, Registry, str]]:
    """A registry that names a token service, the service, and the address of the registry."""
    service = Registry((401, {}, b""), answer)
    with answering(service) as there:
        named = realm.format(address=there)
        asks = {"WWW-Authenticate": f'Bearer realm="{named}", service="a b&c", scope="x:y", Basic realm="z"'}
        registry = Registry((401, asks, b""))
        with answering(registry) as here:
            yield registry, service, here


@pytest.mark.parametrize("name", ["token", "access_token"])
def test_a_token_is_fetched_and_used(name) -> None:
    with bearer((200, {}, json.dumps({name: "t.o.k"}).encode())) as (registry, service, address):
        assert sign_in_at(address) == "bearer"
    assert service.seen == [("/token?account=1&service=a+b%26c&scope=x%3Ay", f"Basic {ALICE.basic()}")]
    assert registry.seen == [("/v2/", ""), ("/v2/", "Bearer t.o.k")]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((401, {}, b"{}"), "refuses the user name or the password (401)"),
        ((403, {}, b'{"errors":[{"code":"DENIED"}]}'), "refuses the user name or the password (403 DENIED)"),
        ((302, {"Location": "http://169.254.169.254/"}, b""), "leads to another place (302)"),
        ((500, {}, b""), "cannot tell now (500)"),
        ((200, {}, b"{}"), "answered without a token"),
        ((200, {}, b'{"token": "a\\r\\nHost: x"}'), "answered without a token"),
        ((200, {}, b"[]"), "answered without a token"),
        ((200, {}, b"x" * 70_000), "more than a registry has to say"),
    ],
)
def test_what_the_token_service_answers_is_told_apart(answer, said) -> None:
    with bearer(answer) as (registry, service, address):
        text = refusal(address)
    assert said in text
    assert text.startswith("the token service 127.0.0.1:")
    assert len(service.seen) == 1
    assert len(registry.seen) == 1


def test_a_token_that_its_own_registry_refuses() -> None:
    with bearer((200, {}, b'{"token": "t"}')) as (registry, _, address):
        registry.proved = (401, {}, b"")
        assert "does not accept the token that its own token service gave" in refusal(address)


@pytest.mark.parametrize(
    ("realm", "said"),
    [
        ("file:///etc/passwd", "names no token service that can be used"),
        ("/token", "names no token service that can be used"),
        ("https://user:x@example.com/", "it holds a user name"),
        ("https://169.254.169.254/latest", "is at 169.254.169.254, which is no public address"),
        ("https://10.0.0.1/", "no public address"),
        ("https://[::ffff:192.168.0.1]/", "no public address"),
        ("https://[64:ff9b::a00:1]/", "no public address"),
        ("http://2130706434:1/", "refused the connection"),  # 127.0.0.2, which is allowed
        ("http://1.1.1.1/", "would be sent the password over plain HTTP"),
        ("https://nowhere.invalid/", "there is no host nowhere.invalid"),
    ],
)
def test_a_realm_leads_only_where_it_may(realm, said) -> None:
    with bearer((200, {}, b'{"token": "t"}'), realm) as (registry, service, address):
        assert said in refusal(address)
    assert service.seen == []
    assert len(registry.seen) == 1


def test_a_registry_with_tls_cannot_have_the_password_sent_without(tmp_path: Path, trusting) -> None:
    asks = {"WWW-Authenticate": 'Bearer realm="http://127.0.0.1:9/token"'}
    with answering(Registry((401, asks, b"")), trusting) as address:
        assert "would have the password sent to 127.0.0.1:9 over plain HTTP" in refusal(address, "https")


# -- the way there -----------------------------------------------------------------------------


@pytest.fixture
def trusting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A certificate that is trusted, and its key."""
    made = certificate(tmp_path / "tls")
    monkeypatch.setenv("SSL_CERT_FILE", str(made[0]))
    return made


def test_a_trusted_certificate_is_that_of_the_host(trusting) -> None:
    with answering(Registry((401, BASIC, b"")), trusting) as address:
        assert sign_in_at(address, "https") == "basic"
        assert sign_in_at(address.replace("127.0.0.1", "localhost"), "https") == "basic"
        text = refusal(address.replace("127.0.0.1", "127.0.0.2"), "https")
    assert "nothing listens there" in text or "certificate" in text


def test_a_certificate_that_nobody_signed(tmp_path: Path) -> None:
    with answering(Registry((401, BASIC, b"")), certificate(tmp_path)) as address:
        text = refusal(address, "https")
    assert f"the certificate of the registry {address} is not to be trusted (self-signed certificate)" in text
    assert "SSL_CERT_FILE" in text


def test_tls_where_there_is_none_and_the_other_way_round(tmp_path: Path) -> None:
    with answering(Registry((401, BASIC, b""))) as address:
        assert "does not speak TLS" in refusal(address, "https")
    with answering(Registry((401, BASIC, b"")), certificate(tmp_path)) as address:
        assert "hung up or did not answer in HTTP" in refusal(address)


def test_nothing_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert "refused the connection: nothing listens there" in refusal(f"127.0.0.1:{port}")


def test_who_says_nothing_sensible() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for answer in (b"", b"SSH-2.0-OpenSSH\r\n"):
                connection, _ = server.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        for _ in range(2):
            assert "hung up or did not answer in HTTP" in refusal(f"127.0.0.1:{server.getsockname()[1]}")
        thread.join()


def test_an_answer_that_comes_too_slowly_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "ALL_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            pause = threading.Event()
            with connection, suppress(OSError):
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                while True:
                    connection.sendall(b"a")
                    pause.wait(0.05)

        thread = threading.Thread(target=serve)
        thread.start()
        assert "did not answer in time" in refusal(f"127.0.0.1:{server.getsockname()[1]}")
        thread.join()


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.1", "0x7f.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1"),
        *("169.254.169.254", "224.0.0.1", "255.255.255.255", "192.0.2.1", "::1", "::", "fe80::1", "fd00::1"),
        *(
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "ff02::1",
            "localhost",
            "fec0::1",
            "::10.0.0.1",
            "240.0.0.1",
        ),
    ],
)
def test_addresses_that_are_not_public_are_out_of_bounds(address) -> None:
    with pytest.raises(NetworkError, match="which is no public address"):
        addresses_of(address, 443, (), listed_only=False)


def test_public_addresses_and_networks_that_are_named_are_not() -> None:
    assert addresses_of("1.1.1.1", 443, (), listed_only=False) == ["1.1.1.1"]
    assert addresses_of("2606:4700::1111", 443, (), listed_only=False) == ["2606:4700::1111"]
    assert addresses_of("64:ff9b::101:101", 443, (), listed_only=False) == ["64:ff9b::101:101"]
    named = read_networks(["10.0.0.0/8", "fd00::/8"])
    assert addresses_of("10.1.2.3", 80, named, listed_only=True) == ["10.1.2.3"]
    assert addresses_of("::ffff:10.1.2.3", 80, named, listed_only=True) == ["::ffff:10.1.2.3"]
    with pytest.raises(NetworkError, match="over plain HTTP"):
        addresses_of("1.1.1.1", 80, named, listed_only=True)
    with pytest.raises(NetworkError, match="no public address"):
        addresses_of("192.168.0.1", 443, named, listed_only=False)
    with pytest.raises(ValueError, match=r"'10\.0\.0\.1/8' is no network"):
        read_networks(["10.0.0.1/8"])


# -- what is written down ----------------------------------------------------------------------


def test_docker_reads_what_is_written() -> None:
    for credentials in (ALICE, Credentials("_json_key", '{"a":\n"b:c"}\n'), Credentials("ä", "ö:ü😀")):
        content = docker_config("registry.example.com:5000", credentials)
        auth = json.loads(content)["auths"]["registry.example.com:5000"]["auth"]
        assert base64.b64decode(auth).decode() == f"{credentials.username}:{credentials.password}"
        assert read_docker_config(content, "registry.example.com:5000") == credentials
    for bad in (b"", b"{", b"[]", b'{"auths": {}}', b'{"auths": {"x": {"auth": "eA=="}}}'):
        with pytest.raises(ValueError, match="the file holds no credentials for x"):
            read_docker_config(bad, "x")


def test_credentials_do_not_show_their_password() -> None:
    assert repr(ALICE) == "Credentials(username='alice')"


@pytest.mark.parametrize(
    ("url", "origin", "key"),
    [
        ("registry.example.com", "https registry.example.com 443", "registry.example.com"),
        ("Registry.Example.com:5000/", "https registry.example.com 5000", "registry.example.com:5000"),
        ("https://registry.example.com:443", "https registry.example.com 443", "registry.example.com"),
        ("http://10.0.0.1:5000", "http 10.0.0.1 5000", "10.0.0.1:5000"),
        ("https://[fd00::1]:5000", "https fd00::1 5000", "[fd00::1]:5000"),
        ("docker.io", "https registry-1.docker.io 443", "https://index.docker.io/v1/"),
        ("https://index.docker.io/", "https registry-1.docker.io 443", "https://index.docker.io/v1/"),
    ],
)
def test_urls_of_registries(url, origin, key) -> None:
    read = read_registry_url(url)
    assert f"{read.origin.scheme} {read.origin.host} {read.origin.port}" == origin
    assert read.key == key
