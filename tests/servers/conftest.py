"""One server for all tests of this folder, with operations for every case."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.running import RunningServer
from tests.servers.talking import Task, add_person, client_of

OPERATIONS = Path(__file__).with_name("operations.py")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    data = tmp_path_factory.mktemp("servers") / "data"
    with RunningServer(data, OPERATIONS, options=("--log-format", "json")) as running:
        add_person(running, "ann")
        yield running


@pytest.fixture(scope="session")
def client(server: RunningServer) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


@pytest.fixture(scope="session")
def ann(server: RunningServer) -> Iterator[httpx.Client]:
    """Somebody who is no administrator."""
    with client_of(server, server.sign_in("ann")) as client:
        yield client


@pytest.fixture(scope="session")
def nobody(server: RunningServer) -> Iterator[httpx.Client]:
    """Somebody who is not signed in."""
    with client_of(server) as client:
        yield client


@pytest.fixture(scope="session")
def task(client: httpx.Client) -> Task:
    return Task(client)
