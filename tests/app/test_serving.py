"""Starting a server, what it says and writes, and stopping it."""

import json
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from milepost.security import ensure_certificate
from tests.running import PASSWORD, RunningServer, wait_for_job

OPERATIONS = Path(__file__).parent.parent / "servers" / "operations.py"
EVERY = "/rest/services/Tests/Every/GPServer"


def not_started(data: Path, *options: str, **environment: str) -> str:
    """What a server that does not start says."""
    command = [sys.executable, "-m", "milepost", "serve", "--data", str(data), "--port", "0", "--no-toolbox"]
    ended = subprocess.run(
        [*command, *options],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        timeout=120,
    )
    assert ended.returncode not in (0, -signal.SIGKILL)
    assert "Traceback" not in ended.stderr
    assert "Milepost serves" not in ended.stdout
    return ended.stderr


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    return tmp_path / "data"


def test_the_first_administrator_is_told_once(data: Path) -> None:
    server = RunningServer(data, OPERATIONS, environment={"MILEPOST_ADMIN_PASSWORD": ""})
    with server:
        told, ready = server.output
        assert told.startswith("Sign in as admin with the password ")
        assert told.endswith("(it is not shown again)")
        assert ready == f"Milepost serves {server.address}"
        password = told.split()[7]
        assert server.sign_in("admin", password)
        assert password not in server.errors.read_text()
    with server:
        assert server.output == [f"Milepost serves {server.address}"]
        assert server.sign_in("admin", password)


def test_a_password_that_was_made_is_not_lost_when_the_start_fails(data: Path) -> None:
    """Nobody would know it."""
    bad = data.parent / "bad.pem"
    bad.write_text("no certificate")
    options = ("--operations", str(OPERATIONS), "--certificate", str(bad), "--key", str(bad))
    assert "cannot be used" in not_started(data, *options, MILEPOST_ADMIN_PASSWORD="")
    with RunningServer(data, OPERATIONS, environment={"MILEPOST_ADMIN_PASSWORD": ""}) as server:
        assert server.output[0].startswith("Sign in as admin with the password ")


def test_the_administrator_can_be_given(data: Path) -> None:
    environment = {"MILEPOST_ADMIN_USERNAME": "chief", "MILEPOST_ADMIN_PASSWORD": "a good password"}
    with RunningServer(data, OPERATIONS, environment=environment) as server:
        assert server.output == [f"Milepost serves {server.address}"]
        assert server.sign_in("chief", "a good password")
    assert "too short" in not_started(
        data.parent / "other", "--operations", str(OPERATIONS), MILEPOST_ADMIN_PASSWORD="short"
    )


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_stopping_is_no_failure(data: Path, end: signal.Signals) -> None:
    server = RunningServer(data, OPERATIONS).start()
    with server.client() as client:
        assert client.get(f"{EVERY}/slow/submitJob?f=json").json()["jobId"]
    server.process.send_signal(end)
    assert server.process.wait(timeout=60) == 0
    assert "Traceback" not in server.errors.read_text()


@pytest.mark.parametrize(("context", "path"), [("", ""), ("/a.b/c-d/", "/a.b/c-d")])
def test_contexts(data: Path, context: str, path: str) -> None:
    with RunningServer(data, OPERATIONS, options=("--context", context)) as server:
        root = server.address.removesuffix(path) if path else server.address
        assert root.count("/") == 2
        with server.client() as client:
            job = client.post(f"{EVERY}/page/submitJob", data={"f": "json"}).json()["jobId"]
            url = f"{EVERY}/page/jobs/{job}"
            wait_for_job(client, url)
            file = client.get(f"{url}/results/result?f=json").json()["value"]["url"]
            assert file.startswith(f"{server.address}/rest/directories/jobs/")
            assert client.get(file).status_code == 200
            info = client.get("/rest/info?f=json").json()
            assert info["owningSystemUrl"] == server.address
            page = client.get(f"{EVERY}/talk").text
            assert f'href="{path}/rest/services' in page
        assert httpx.get(f"{root}/health", trust_env=False).json()["status"] == "ok"
        assert httpx.get(f"{root}/", trust_env=False).headers["location"] == f"{path}/rest"


@pytest.mark.parametrize("uri", ["maps.example.com", "https://*.example.com", "https://x/#a", "https:", "/x"])
def test_redirect_uris_that_cannot_be(data: Path, uri: str) -> None:
    assert "--redirect-uri" in not_started(data, "--operations", str(OPERATIONS), "--redirect-uri", uri)


@pytest.mark.parametrize("context", ["{x}", "a//b", "ä?"])
def test_contexts_that_cannot_be(data: Path, context: str) -> None:
    assert "cannot be part of a URL" in not_started(
        data, "--operations", str(OPERATIONS), "--context", context
    )


def test_health(data: Path) -> None:
    with RunningServer(data, OPERATIONS) as server:
        answer = httpx.get(server.address.replace("/arcgis", "/health"), trust_env=False)
        assert answer.json()["problems"] == []
        assert answer.headers["cache-control"] == "no-store"


def test_tls_with_a_certificate_of_its_own(data: Path) -> None:
    with RunningServer(data, OPERATIONS, options=("--tls", "--public-url", "https://gis.example")) as server:
        assert server.address.startswith("https://127.0.0.1:")
        certificate = data / "tls" / "certificate.pem"
        sees_it_work(server.address, certificate)
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            httpx.get(server.address, trust_env=False)
        port = server.address.rpartition(":")[2].partition("/")[0]
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False)
    first = certificate.read_bytes()
    with RunningServer(data, OPERATIONS, options=("--tls", "--public-url", "https://gis.example")) as server:
        sees_it_work(server.address, certificate)
    assert certificate.read_bytes() == first


def test_tls_with_given_files(data: Path) -> None:
    certificate, key = ensure_certificate(data.parent / "given")
    options = ("--certificate", str(certificate), "--key", str(key))
    with RunningServer(data, OPERATIONS, options=options) as server:
        sees_it_work(server.address, certificate)
    assert not (data / "tls").exists()


def sees_it_work(address: str, certificate: Path) -> None:
    """Sign in over TLS, with the certificate verified."""
    trusted = ssl.create_default_context(cafile=str(certificate))
    with httpx.Client(base_url=address, verify=trusted, trust_env=False) as client:
        form = {"username": "admin", "password": PASSWORD, "f": "json"}
        token = client.post("/sharing/rest/generateToken", data=form).json()
        assert token["ssl"] is True
        service = client.get(EVERY, params={"f": "json", "token": token["token"]})
        assert service.json()["tasks"]
        entered = client.post("/login", data={**form, "f": ""})
        assert "Secure" in entered.headers["set-cookie"]


def test_files_of_tls_that_cannot_be_used(data: Path) -> None:
    certificate, key = ensure_certificate(data.parent / "one")
    _, other = ensure_certificate(data.parent / "two")
    given = ("--operations", str(OPERATIONS), "--certificate", str(certificate))
    assert "belong together" in not_started(data, *given, "--key", str(other))
    assert "belong together" in not_started(data, *given, "--key", str(certificate))
    assert "--key" in not_started(data, *given)
    assert "does not exist" in not_started(data, *given, "--key", str(key) + "x")


def test_the_log_of_a_session_holds_no_secret(data: Path) -> None:
    """One JSON object a line; those about a job name it."""
    with RunningServer(data, OPERATIONS, options=("--log-format", "json")) as server:
        token = server.sign_in()
        with httpx.Client(base_url=server.address, timeout=60, trust_env=False) as client:
            client.post(
                "/sharing/rest/generateToken", data={"username": PASSWORD, "password": "x", "f": "json"}
            )
            client.get("/sharing/rest/generateToken", params={"username": "admin", "password": PASSWORD})
            client.post(f"/sharing/rest/generateToken?password={PASSWORD}", data={"f": "json"})
            client.post("/login", data={"username": "admin", "password": PASSWORD})
            client.post(f"/nothing/%0aforged?token={token}", data={"token": token})
            jobs = []
            for name, carrier in (
                ("talk", {"params": {"token": token, "f": "json"}}),
                ("fail", {"headers": {"Authorization": f"Bearer {token}"}, "params": {"f": "json"}}),
                ("slow", {"headers": {"Cookie": f"agstoken={token}"}, "params": {"f": "json"}}),
            ):
                answer = client.post(f"{EVERY}/{name}/submitJob", **carrier)  # type: ignore[arg-type]
                jobs.append(f"{EVERY}/{name}/jobs/{answer.json()['jobId']}")
            client.headers["X-Esri-Authorization"] = f"Bearer {token}"
            client.get(f"{jobs[-1]}/cancel", params={"token": token, "f": "json"})
            for job in jobs:
                wait_for_job(client, job)
    text = server.errors.read_text()
    assert token not in text
    assert token.rpartition(".")[2] not in text
    assert PASSWORD not in text
    lines = [json.loads(line) for line in text.splitlines()]
    assert all({"event", "level", "timestamp"} <= line.keys() for line in lines)
    for job in jobs:
        told = [line["event"] for line in lines if line.get("job") == job.rpartition("/")[2][1:]]
        assert told[0] == "submitted"
        assert len(told) >= 3
    assert {"cancel requested", "cancelled", "failed", "succeeded"} <= {line["event"] for line in lines}
    assert [line["username"] for line in lines if line["event"] == "sign-in refused"] == [None]
    assert not list(data.rglob("*.sqlite-journal"))
    for path in data.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert token.encode() not in content, path
            assert PASSWORD.encode() not in content, path
