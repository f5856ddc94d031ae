"""One server for all tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.running import RunningServer

OPERATIONS = Path(__file__).parent.parent / "servers" / "operations.py"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    data = tmp_path_factory.mktemp("http") / "data"
    with RunningServer(data, OPERATIONS, options=("--max-body", "4")) as running:
        yield running


@pytest.fixture(scope="session")
def client(server: RunningServer) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client
