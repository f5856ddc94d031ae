"""The stores that the suite is run against."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from milepost.store import JobStore, SQLiteStore

OpenStore = Callable[[], AbstractAsyncContextManager[JobStore]]
"""Opens the store of a test; again and again the same one."""


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}  # as the server does


def sqlite_store(folder: Path) -> OpenStore:
    @asynccontextmanager
    async def opened() -> AsyncIterator[JobStore]:
        store = SQLiteStore(folder / "jobs.sqlite")
        try:
            yield store
        finally:
            await store.close()

    return opened


@pytest.fixture(params=[sqlite_store])
def new_store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], OpenStore]:
    """Makes empty stores. A second database is tested by one more parameter."""
    return lambda: request.param(tmp_path_factory.mktemp("store"))


@pytest.fixture
def open_store(new_store: Callable[[], OpenStore]) -> OpenStore:
    return new_store()


@pytest.fixture
async def store(open_store: OpenStore) -> AsyncIterator[JobStore]:
    async with open_store() as store:
        yield store
