"""A server in this process, whose jobs tests submit without HTTP, and clients that speak to it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from milepost.app import BUILT_IN, Server
from milepost.jobs import Job
from milepost.operations import load_catalog
from milepost.security import Role
from milepost.settings import Settings
from tests.running import PASSWORD

SOURCES = [*BUILT_IN, "tests.servers.dialect_operations"]


class House:
    """The server, and a client for each person."""

    def __init__(self, data: Path, **options: Any):
        settings = Settings(data=data, toolbox=False, **options)
        self.server = Server(settings, load_catalog(SOURCES), SOURCES)
        self.manager = self.server.manager
        self.application = self.server.application()
        self.server.people.add("root", PASSWORD, Role.ADMINISTRATOR)
        for name in ("ann", "bob"):
            self.server.people.add(name, PASSWORD)
        self.server.people.add("pat", PASSWORD, Role.PUBLISHER)
        self.server.people.add("vera", PASSWORD, Role.VIEWER)

    @asynccontextmanager
    async def client(self, name: str = "") -> AsyncIterator[httpx.AsyncClient]:
        """A client of one person, or of nobody."""
        transport = httpx.ASGITransport(self.application)
        async with httpx.AsyncClient(transport=transport, base_url="http://gis.example.com/arcgis") as client:
            if name:
                form = {"username": name, "password": PASSWORD, "f": "json"}
                answer = (await client.post("/sharing/rest/generateToken", data=form)).json()
                client.headers["X-Esri-Authorization"] = f"Bearer {answer['token']}"
            yield client

    async def submit(self, service: str, name: str, *, owner: str = "ann", **values: Any) -> Job:
        """A new job."""
        operation = self.manager.catalog.get(service, name)
        assert operation is not None, (service, name)
        return (await self.manager.submit(operation, values, owner=owner)).job

    async def run(self, service: str, name: str, *, owner: str = "ann", **values: Any) -> Job:
        """A job that has ended."""
        return await self.manager.finished((await self.submit(service, name, owner=owner, **values)).id)

    async def until(self, job: Job, reached: Callable[[Job], bool]) -> Job:
        """The job once it is as wanted."""
        async for state in self.manager.watch(job.id):
            if reached(state):
                return state
        raise AssertionError(f"the job ended otherwise: {job}")


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}  # as the server does


@asynccontextmanager
async def opened(data: Path, **options: Any) -> AsyncIterator[House]:
    """A server with some settings."""
    async with AsyncExitStack() as stack:
        house = House(data, **options)
        stack.push_async_callback(house.server.stop)
        await house.server.start()
        yield house


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with opened(tmp_path_factory.mktemp("house")) as house:
        yield house


@pytest.fixture(scope="module")
async def ann(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with house.client("ann") as client:
        yield client


@pytest.fixture(scope="module")
async def bob(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with house.client("bob") as client:
        yield client


@pytest.fixture(scope="module")
async def pat(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with house.client("pat") as client:
        yield client


@pytest.fixture(scope="module")
async def root(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with house.client("root") as client:
        yield client
