"""One server for all clients, and one that administers jobs as an ArcGIS Server does."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.clients.sites import ENVIRONMENT, NODE, OPERATIONS, TOOLS, Site, add_people, submit_ahead
from tests.running import RunningServer


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server with everything."""
    data = tmp_path_factory.mktemp("site") / "data"
    jobs = asyncio.run(submit_ahead(data))
    with RunningServer(data, *OPERATIONS, options=("--tls",), toolbox=True) as server:
        add_people(data)
        yield Site(server, jobs)


@pytest.fixture(scope="package")
def arcgis_server_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server that administers jobs as an ArcGIS Server does."""
    data = tmp_path_factory.mktemp("arcgis_server") / "data"
    options = ("--tls", "--gp-admin", "server")
    with RunningServer(data, TOOLS, options=options) as server:
        yield Site(server, {})


@pytest.fixture(scope="package")
def python_client() -> None:
    """The package ``arcgis`` is there."""
    if not (ENVIRONMENT / "python.done").exists():
        pytest.skip(f"{ENVIRONMENT.name} is not installed; make test does it")


@pytest.fixture(scope="package")
def node_client() -> None:
    """Node and its packages are there."""
    if not (ENVIRONMENT / "node.done").exists():
        pytest.skip(f"{ENVIRONMENT.name} is not installed; make test does it")
    if not NODE.exists():
        pytest.skip("there is no Node on this machine, and no wheel of it either")
