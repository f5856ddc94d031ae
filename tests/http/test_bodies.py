"""Bodies that are too large, too slow, too deep, broken or of the wrong kind."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from tests.running import RunningServer, wait_for_job
from tests.servers.talking import EVERY, count_jobs, error_of, json_of

SUBMIT = f"{EVERY}/everything/submitJob"
MIB = 2**20


@contextmanager
def connection_to(server: RunningServer) -> Iterator[socket.socket]:
    address = urlsplit(server.address)
    with socket.create_connection((str(address.hostname), address.port or 80), timeout=60) as connection:
        yield connection


def head(server: RunningServer, *lines: str, path: str = SUBMIT) -> bytes:
    """The head of a POST with these header lines."""
    first = [f"POST {urlsplit(server.address).path}{path} HTTP/1.1", "Host: x"]
    return "\r\n".join([*first, f"X-Esri-Authorization: Bearer {server.token}", *lines, "", ""]).encode()


def answer_on(connection: socket.socket) -> dict[str, dict[str, object]]:
    """The JSON of the answer that comes."""
    with connection.makefile("rb") as stream:
        assert stream.readline() == b"HTTP/1.1 200 OK\r\n"
        length = 0
        while line := stream.readline().strip().lower():
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        found: dict[str, dict[str, object]] = json.loads(stream.read(length))
        return found


FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize("kind", ["form", "json", "multipart field", "multipart file", "chunked", "no type"])
def test_a_hundred_megabytes(server: RunningServer, client: httpx.Client, kind: str) -> None:
    """The answer is an error that names the limit; the memory of the server does not grow by the body."""
    process = psutil.Process(server.process.pid)
    before, jobs = process.memory_info().rss, count_jobs(client)
    block = b"x" * MIB

    def body(first: bytes) -> Iterator[bytes]:
        yield first
        for _ in range(100):
            yield block

    mark = b'--m\r\nContent-Disposition: form-data; name="text"'
    headers, first = {
        "form": (FORM, b"f=json&text="),
        "json": ({"content-type": "application/json"}, b'{"f": "json", "text": "'),
        "multipart field": ({"content-type": "multipart/form-data; boundary=m"}, mark + b"\r\n\r\n"),
        "multipart file": (
            {"content-type": "multipart/form-data; boundary=m"},
            mark + b'; filename="a"\r\n\r\n',
        ),
        "chunked": (FORM, b"f=json&text="),
        "no type": ({}, b"text="),
    }[kind]
    if kind != "chunked":
        headers = {**headers, "content-length": str(len(first) + 100 * MIB)}
    answer = client.post(SUBMIT, content=body(first), headers=headers)
    error = error_of(answer)
    assert error["code"] == 400
    assert "larger than the 4 MiB this server accepts" in error["message"]
    assert process.memory_info().rss < before + 60 * MIB
    assert count_jobs(client) == jobs


def test_who_asks_first_is_told_before_sending(server: RunningServer, client: httpx.Client) -> None:
    with connection_to(server) as connection:
        connection.sendall(head(server, f"Content-Length: {100 * MIB}", "Expect: 100-continue"))
        assert "larger" in str(answer_on(connection)["error"]["message"])


def test_just_below_the_limit(client: httpx.Client) -> None:
    text = "x" * (4 * MIB - 100)
    assert json_of(client.post(SUBMIT, data={"f": "json", "text": text}))["jobStatus"] == "esriJobSubmitted"


@pytest.mark.parametrize(
    ("content", "kind", "words"),
    [
        (b'{"f": "json"', "application/json", "not valid JSON"),
        (b'[{"f": "json"}]', "application/json", "must be a JSON object"),
        (b"[" * 100_000 + b"]" * 100_000, "application/json", "nested too deeply"),
        (b'{"text": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "application/json", "nested too deeply"),
        (b'{"text": "\\ud800"}', "application/json", "not valid JSON"),
        (b'{"text": NaN}', "application/json", "not valid JSON"),
        (b'{"whole": ' + b"9" * 5000 + b', "text": "a"}', "application/json", ""),
        (b"\xff\xfe{", "application/json", "not valid JSON"),
        (b"text=\xff", "application/x-www-form-urlencoded", "not valid UTF-8"),
        (b"text=%ff", "application/x-www-form-urlencoded", "not valid UTF-8"),
        (b"text=%ED%A0%80", "application/x-www-form-urlencoded", "not valid UTF-8"),
        (
            b"&".join(b"p%d=1" % n for n in range(10_000)),
            "application/x-www-form-urlencoded",
            "more than 1000",
        ),
        (b"x", "multipart/form-data", "Missing boundary"),
        (b"x", "multipart/form-data; boundary=m", "multipart body cannot be read"),
        (b"--m\r\n\r\nx\r\n--m--\r\n", "multipart/form-data; boundary=m", "multipart body cannot be read"),
        (
            b'--m\r\nContent-Disposition: form-data; name="text"\r\n\r\n',
            "multipart/form-data; boundary=m",
            "",
        ),
        (b"<text>a</text>", "application/xml", "Content-Type 'application/xml' is not understood"),
        (b"text=a", "image/png", "Content-Type 'image/png' is not understood"),
    ],
)
@pytest.mark.parametrize("named", ["in the query", "nowhere"])
def test_bodies_that_cannot_be_read(
    client: httpx.Client, content: bytes, kind: str, words: str, named: str
) -> None:
    """A program gets JSON, also where the body would have said so; a browser gets a page."""
    before = count_jobs(client)
    query = {"f": "json"} if named == "in the query" else {}
    answer = client.post(SUBMIT, params=query, content=content, headers={"content-type": kind})
    if answer.headers["content-type"].startswith("text/html"):
        assert not words  # the body could be read, and does not name a format
    else:
        error = error_of(answer)
        assert error["code"] == 400
        assert words in error["message"]
        assert len(error["message"]) < 700
    assert count_jobs(client) == before
    if words:
        browser = {"content-type": kind, "accept": "text/html,*/*;q=0.8"}
        page = client.post(SUBMIT, content=content, headers=browser)
        assert (page.status_code, page.headers["content-type"]) == (400, "text/html; charset=utf-8")


def test_a_compressed_body(client: httpx.Client) -> None:
    error = error_of(client.post(SUBMIT, content=b"x", headers={**FORM, "content-encoding": "gzip"}))
    assert error["message"].startswith("Content-Encoding 'gzip' is not accepted")


def test_json_in_a_parameter_that_is_nested_deeply(client: httpx.Client) -> None:
    before = count_jobs(client)
    for depth in (300, 900, 100_000):
        deep = "[" * depth + "]" * depth
        for name, text in (
            ("features", f'{{"features": [{{"attributes": {{"a": {deep}}}}}]}}'),
            ("texts", deep),
            ("distance", f'{{"distance": {deep}}}'),
        ):
            error = error_of(client.post(SUBMIT, data={"f": "json", "text": "a", name: text}))
            assert f"Parameter '{name}'" in error["message"]
    assert count_jobs(client) == before


def test_numbers_that_no_computer_calculates_with(client: httpx.Client) -> None:
    huge = "1" + "0" * 400
    before = count_jobs(client)
    text = f'{{"features": [{{"geometry": {{"x": {huge}, "y": 1}}}}]}}'
    error = error_of(client.post(SUBMIT, data={"f": "json", "text": "a", "features": text}))
    assert "Parameter 'features'" in error["message"]
    assert count_jobs(client) == before
    # An attribute is the operation's business.
    text = f'{{"features": [{{"attributes": {{"a": {huge}}}, "geometry": {{"x": 1, "y": 1}}}}]}}'
    job = json_of(client.post(SUBMIT, data={"f": "json", "text": "a", "features": text}))["jobId"]
    assert wait_for_job(client, f"{EVERY}/everything/jobs/{job}")["jobStatus"] == "esriJobSucceeded"
    back = client.get(f"{EVERY}/everything/jobs/{job}/results/features_back?f=json")
    assert huge in back.text


@pytest.mark.parametrize(
    ("text", "kept"),
    [("%", "%"), ("%zz", "%zz"), ("100%", "100%"), ("a+b", "a b"), ("%2", "%2"), ("a%26b", "a&b")],
)
def test_escapes_that_are_none_are_texts(client: httpx.Client, text: str, kept: str) -> None:
    answer = json_of(client.post(SUBMIT, content=f"f=json&text={text}".encode(), headers=FORM))
    value = json_of(client.get(f"{EVERY}/everything/jobs/{answer['jobId']}/inputs/text?f=json"))
    assert value["value"] == kept


def test_a_client_that_goes_away_in_the_middle(server: RunningServer, client: httpx.Client) -> None:
    before = count_jobs(client)
    for lines in (["Content-Length: 1000"], ["Transfer-Encoding: chunked"]):
        with connection_to(server) as connection:
            connection.sendall(head(server, *lines) + b"f=json&text=a")
    assert count_jobs(client) == before


def test_a_body_that_comes_in_drops(server: RunningServer) -> None:
    with connection_to(server) as connection:
        body = b"f=json&text=drops"
        connection.sendall(head(server, f"Content-Length: {len(body)}"))
        for number in range(len(body)):
            connection.sendall(body[number : number + 1])
        assert answer_on(connection)["jobStatus"] == "esriJobSubmitted"


def test_headers_without_end(server: RunningServer) -> None:
    with connection_to(server) as connection:
        connection.sendall(head(server)[:-2] + b"X-Long: ")
        try:
            for _ in range(100):
                connection.sendall(b"x" * 65536)
        except ConnectionError:
            return  # the server has said its word and closed
        raise AssertionError("the server takes headers without end")


def test_large_headers_are_answered(server: RunningServer, client: httpx.Client) -> None:
    assert json_of(client.get(EVERY, params={"f": "json"}, headers={"X-Long": "x" * 60_000}))["tasks"]
    with connection_to(server) as connection:
        connection.sendall(head(server)[:-2] + b"X-Long: " + b"x" * 140_000)
        error = answer_on(connection)["error"]
        assert "URL and the headers of the request are larger than 128 KiB" in str(error["message"])


def test_the_server_is_well_after_all_that(client: httpx.Client) -> None:
    health = client.get(f"{str(client.base_url).removesuffix('/arcgis/')}/health")
    assert (health.status_code, health.json()["status"]) == (200, "ok")
