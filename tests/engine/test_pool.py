"""How many instances stand ready, and how long. The clock is set by hand."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from milepost.engine import StartError
from milepost.engine.instances import Template
from milepost.engine.pool import Pool
from milepost.operations import Service
from tests.engine.conftest import OPERATIONS, is_gone

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60, method="thread")]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
async def template(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Template]:
    template = Template(tmp_path_factory.mktemp("data"), [OPERATIONS])
    yield template
    await template.stop()


def service(**settings: float) -> Service:
    return Service(name="Test/Pool.GPServer", **settings)  # type: ignore[arg-type]


async def settled(pool: Pool) -> list[int]:
    """Pids of the instances that stand ready, once all are started that shall be."""
    while pool._tasks:
        await asyncio.gather(*pool._tasks)
    return [instance.pid for instance in pool.ready]


async def test_the_least_number_stands_ready(template: Template) -> None:
    pool = Pool(service(min_instances=2, max_instances=3), template)
    pool.refill()
    assert len(await settled(pool)) == 2
    taken = await pool.take()
    pool.refill()
    # As many as there is room for, the one at work included.
    assert len(await settled(pool)) == 2
    second = await pool.take()
    pool.refill()
    assert len(await settled(pool)) == 1
    for instance in (taken, second):
        await instance.retire()
        pool.give_back()
    await settled(pool)
    await pool.close()
    assert pool.ready == []


async def test_none_is_kept_when_none_is_asked_for(template: Template) -> None:
    pool = Pool(service(min_instances=0, max_instances=2, max_idle_time=10), template, clock := Clock())
    pool.refill()
    assert await settled(pool) == []
    await (await pool.take()).retire()
    pool.give_back()
    assert len(await settled(pool)) == 1  # warm for the next
    clock.now += 11
    pool.tend()
    assert await settled(pool) == []
    await pool.close()


async def test_a_pool_grows_with_its_work_and_shrinks_when_idle(template: Template) -> None:
    pool = Pool(service(min_instances=1, max_instances=3, max_idle_time=60), template, clock := Clock())
    pool.refill()
    await settled(pool)
    taken = [await pool.take() for _ in range(3)]
    assert pool.full
    for instance in taken:
        await instance.retire()
        pool.give_back()
    assert len(await settled(pool)) == 3
    clock.now += 59
    pool.tend()
    ready = await settled(pool)
    assert len(ready) == 3
    clock.now += 2
    pool.tend()
    kept = await settled(pool)
    assert len(kept) == 1
    assert set(kept) < set(ready)
    pool.tend()
    assert await settled(pool) == kept
    await pool.close()


async def test_instances_are_recycled(template: Template) -> None:
    pool = Pool(service(min_instances=2, recycle_interval=100), template, clock := Clock())
    pool.refill()
    before = await settled(pool)
    clock.now += 99
    pool.tend()
    assert await settled(pool) == before
    clock.now += 2
    old = pool.ready
    pool.tend()
    after = await settled(pool)
    assert len(after) == 2
    assert not set(after) & set(before)
    for instance in old:
        await instance.ended()
        assert is_gone(instance.pid)
    await pool.close()


async def test_instances_are_kept_for_ever_when_the_service_says_so(template: Template) -> None:
    pool = Pool(service(min_instances=1, recycle_interval=0), template, clock := Clock())
    pool.refill()
    before = await settled(pool)
    clock.now += 10**9
    pool.tend()
    assert await settled(pool) == before
    await pool.close()


async def test_a_dead_instance_is_replaced(template: Template) -> None:
    pool = Pool(service(min_instances=1), template)
    pool.refill()
    await settled(pool)
    (instance,) = pool.ready
    instance.kill()
    await instance.ended()
    assert pool.ready == []
    pool.tend()
    assert len(await settled(pool)) == 1
    await pool.close()


async def test_an_instance_that_was_just_forked_can_be_killed(template: Template) -> None:
    for _ in range(100):
        instance = await template.fork()
        assert await instance.retire() == -9


async def test_operations_that_cannot_be_loaded_are_named(tmp_path: Path) -> None:
    source = tmp_path / "broken.py"
    source.write_text("1 / 0\n")
    template = Template(tmp_path, [str(source)])
    with pytest.raises(StartError, match=r"broken\.py cannot be loaded: ZeroDivisionError"):
        await template.fork()
    source.write_text("import os; os._exit(1)\n")
    with pytest.raises(StartError, match="the process that imports the operations died"):
        await template.fork()
    await template.stop()


async def test_nothing_is_started_after_the_end(tmp_path: Path) -> None:
    template = Template(tmp_path, [OPERATIONS])
    await template.fork()
    await template.stop()
    with pytest.raises(StartError, match="being stopped"):
        await template.fork()
