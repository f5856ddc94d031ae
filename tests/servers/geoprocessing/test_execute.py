"""execute: a job whose results come in the answer."""

import socket
from urllib.parse import urlsplit

import httpx

from tests.running import RunningServer, wait_for_job
from tests.servers.talking import AT_ONCE, EVERY, count_jobs, error_of, json_of


def test_results_and_messages(client: httpx.Client) -> None:
    expected = {
        "results": [{"paramName": "result", "dataType": "GPDouble", "value": 3.5}],
        "messages": [{"type": "esriJobMessageTypeInformative", "description": "adding 1.5"}],
    }
    form = {"a": "2", "b": "1.5", "f": "json"}
    assert json_of(client.get(f"{AT_ONCE}/add/execute", params=form)) == expected
    assert json_of(client.post(f"{AT_ONCE}/add/execute/", data=form)) == expected
    # An asynchronous service executes, too.
    assert json_of(client.post(f"{EVERY}/slow/execute", data={"seconds": "0", "f": "json"}))["results"] == [
        {"paramName": "result", "dataType": "GPString", "value": "done"}
    ]


def test_a_synchronous_service_also_takes_jobs(client: httpx.Client) -> None:
    job = json_of(client.get(f"{AT_ONCE}/add/submitJob", params={"a": 1, "f": "json"}))["jobId"]
    assert wait_for_job(client, f"{AT_ONCE}/add/jobs/{job}")["jobStatus"] == "esriJobSucceeded"


def test_a_failure_is_an_error_that_names_the_cause(client: httpx.Client) -> None:
    error = error_of(client.post(f"{EVERY}/fail/execute", data={"reason": "no bridge", "f": "json"}))
    assert error == {
        "code": 400,
        "message": "Error executing tool fail: no bridge",
        "details": ["so far so good", "No bridge"],
    }


def test_bad_input(client: httpx.Client) -> None:
    before = count_jobs(client)
    error = error_of(client.post(f"{AT_ONCE}/add/execute", data={"b": "x", "f": "json"}))
    assert error["code"] == 400
    assert "Parameter 'a' is required" in error["message"]
    assert "Parameter 'b'" in error["message"]
    assert count_jobs(client) == before


def test_a_client_that_hangs_up_ends_the_job(server: RunningServer, client: httpx.Client) -> None:
    mark = "hang up on this one"
    body = f"f=json&mark={mark.replace(' ', '+')}".encode()
    address = urlsplit(server.address)
    assert address.port
    with socket.create_connection((str(address.hostname), address.port)) as connection:
        connection.sendall(
            f"POST {address.path}{AT_ONCE}/linger/execute HTTP/1.1\r\nHost: x\r\n"
            f"X-Esri-Authorization: Bearer {server.token}\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        job = find(client, "linger")
        assert json_of(client.get(f"{job}/inputs/mark?f=json"))["value"] == mark
        wait_for_job(client, job, until=("Executing",))
    assert wait_for_job(client, job)["jobStatus"] == "esriJobCancelled"


def find(client: httpx.Client, operation: str) -> str:
    """The latest job of an operation."""
    while not (jobs := json_of(client.get(f"/rest/jobs?f=json&num=1&operation={operation}"))["jobs"]):
        pass
    url: str = jobs[0]["url"]
    return url
