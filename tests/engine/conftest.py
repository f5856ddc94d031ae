"""A whole engine with real processes, and what tests ask of it."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from milepost.engine import Engine
from milepost.jobs import Job, Status
from milepost.manager import JobManager
from milepost.operations import Catalog, load_catalog
from milepost.store import FileStore, SQLiteStore

OPERATIONS = "tests.engine.operations_for_tests"


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}  # as the server does


_strangers: set[psutil.Process] = set()
"""What other tests have running, such as a server that they share."""


@pytest.fixture(scope="module", autouse=True)
def strangers() -> None:
    _strangers.clear()
    _strangers.update(psutil.Process().children())


def children(*, recursive: bool = False) -> list[psutil.Process]:
    """Processes that this module started, without the helper that Python's own multiprocessing starts once."""
    own = [each for each in psutil.Process().children() if each not in _strangers and not _is_helper(each)]
    return [*own, *(below for each in own for below in _below(each))] if recursive else own


def _below(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _is_helper(process: psutil.Process) -> bool:
    try:
        return "multiprocessing.resource_tracker" in " ".join(process.cmdline())
    except psutil.Error:  # a zombie, or gone
        return False


class House:
    """Store, engine and manager over one data folder."""

    def __init__(self, data: Path, source: str = OPERATIONS):
        self.data = data
        self.sources = [source]
        self.catalog: Catalog = load_catalog(self.sources)
        self.files = FileStore(data)
        self.store = SQLiteStore(data / "jobs.sqlite")
        self.engine = Engine(self.store, self.files, self.catalog, self.sources)
        self.manager = JobManager(self.store, self.engine, self.catalog, self.files)

    async def start(self) -> None:
        await self.engine.start()

    async def stop(self) -> None:
        await self.engine.stop()
        await self.store.close()

    async def submit(
        self, operation: str, *, owner: str = "ann", priority: int | None = None, **values: Any
    ) -> Job:
        found = next(each for each in self.catalog if each.name == operation)
        return (await self.manager.submit(found, values, owner=owner, priority=priority)).job

    async def run(self, operation: str, **values: Any) -> Job:
        """Submit a job and wait for its end."""
        return await self.manager.finished((await self.submit(operation, **values)).id)

    async def until(self, job_id: str, reached: Callable[[Job], bool]) -> Job:
        """The job once it is as wanted."""
        async for job in self.manager.watch(job_id):
            if reached(job):
                return job
        raise AssertionError(f"the job ended otherwise: {job}")

    async def result(self, job: Job, name: str = "result") -> Any:
        return await self.manager.value(job, job.results[name])

    def log(self, job: Job) -> str:
        return self.files.log(job.id).read_text()

    def processes(self) -> list[psutil.Process]:
        """All below this process."""
        return children(recursive=True)

    @property
    def template(self) -> psutil.Process:
        (template,) = children()
        return template


@asynccontextmanager
async def open_house(data: Path, source: str = OPERATIONS) -> AsyncIterator[House]:
    house = House(data, source)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(house.stop)
        await house.start()
        yield house


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """An engine at work for all tests of a module; nothing is left of it afterwards."""
    async with open_house(tmp_path_factory.mktemp("data")) as house:
        yield house
    assert children(recursive=True) == []


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where operations leave their traces."""
    folder = tmp_path / "traces"
    folder.mkdir()
    return folder


def lines(place: Path, name: str) -> list[str]:
    """The lines that operations wrote into a file."""
    path = place / name
    return path.read_text().splitlines() if path.exists() else []


async def appears(path: Path) -> None:
    """Wait for a line in a file that an operation writes."""

    def wait() -> None:
        pause = threading.Event()
        while not path.exists() or not path.read_text().endswith("\n"):
            pause.wait(0.005)

    await asyncio.to_thread(wait)


async def vanishes(path: Path) -> None:
    """Wait until a file or folder is removed."""

    def wait() -> None:
        pause = threading.Event()
        while path.exists():
            pause.wait(0.005)

    await asyncio.to_thread(wait)


def is_gone(pid: int) -> bool:
    """Whether no such process runs; one that nobody collected yet runs no more."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def assert_cancelled(job: Job) -> None:
    assert job.status is Status.CANCELLED, job
    assert job.undo_list() == []
