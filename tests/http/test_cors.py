"""Pages of other sites that call the server."""

from collections.abc import Iterator

import httpx
import pytest
from tests.running import RunningServer
from tests.servers.talking import EVERY, client_of, error_of, json_of

PAGE = "https://maps.example"


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A server that one site may call, also with cookies."""
    data = tmp_path_factory.mktemp("cors") / "data"
    with (
        RunningServer(data, "tests/servers/operations.py", options=("--cors", PAGE)) as running,
        running.client() as client,
    ):
        yield client


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"{EVERY}?f=json"),
        ("GET", f"{EVERY}?f=xml"),
        ("GET", f"{EVERY}/talk/submitJob?f=json"),
        ("GET", f"{EVERY}/talk/jobs/j{'0' * 32}?f=json"),
        ("POST", "/sharing/rest/generateToken?f=json"),
        ("GET", "/nothing?f=json"),
        ("PUT", f"{EVERY}?f=json"),
        ("GET", EVERY),
    ],
)
def test_every_answer_may_be_read(server: RunningServer, method: str, path: str) -> None:
    with client_of(server, server.sign_in()) as signed_in, client_of(server) as nobody:
        for client in (signed_in, nobody):
            answer = client.request(method, path, headers={"Origin": PAGE})
            assert answer.headers["access-control-allow-origin"] == "*"
            assert "access-control-allow-credentials" not in answer.headers
            assert "Origin" in answer.headers["vary"]


def test_a_poll_from_another_page(server: RunningServer, client: httpx.Client) -> None:
    job = json_of(client.get(f"{EVERY}/talk/submitJob?f=json"))["jobId"]
    url = f"{EVERY}/talk/jobs/{job}?f=json"
    assert client.get(url, headers={"Origin": PAGE}).headers["access-control-allow-origin"] == "*"


HEADERS = "authorization, content-type, x-esri-authorization"


def test_preflight(client: httpx.Client) -> None:
    asked = {
        "Origin": PAGE,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": HEADERS,
    }
    with httpx.Client(base_url=client.base_url, trust_env=False) as nobody:
        answer = nobody.options(f"{EVERY}/talk/submitJob", headers=asked)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-allow-headers"] == HEADERS
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "Origin" in answer.headers["vary"]


@pytest.mark.parametrize("path", [EVERY, f"{EVERY}/talk/submitJob"])
def test_options_that_is_no_preflight(client: httpx.Client, path: str) -> None:
    answer = client.options(path)
    assert answer.status_code in (200, 204)
    assert error_of(client.options("/nothing?f=json"))["code"] == 404


def test_named_sites_may_send_cookies_and_others_may_not(strict: httpx.Client) -> None:
    answer = strict.get(f"{EVERY}?f=json", headers={"Origin": PAGE})
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert answer.headers["access-control-allow-credentials"] == "true"
    other = strict.get(f"{EVERY}?f=json", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in other.headers
    preflight = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    refused = strict.options(EVERY, headers=preflight)
    assert "access-control-allow-origin" not in refused.headers
    preflight["Origin"] = PAGE
    allowed = strict.options(EVERY, headers=preflight)
    assert allowed.headers["access-control-allow-origin"] == PAGE


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE"])
def test_wrong_methods(client: httpx.Client, method: str) -> None:
    for path in (EVERY, f"{EVERY}/talk", f"{EVERY}/talk/submitJob", "/rest/services", "/rest/info"):
        error = error_of(client.request(method, f"{path}?f=json"))
        assert error["code"] == 405
        assert error["message"].startswith(f"{method} is not allowed here, only ")
