"""Checking passwords: how long who guesses has to wait."""

import asyncio
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from milepost.security import People
from milepost.servers.sharing.passwords import FREE, PasswordCheck, SignInPaused

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def people(tmp_path: Path) -> People:
    made = People(tmp_path / "people.sqlite", hasher=CHEAP)
    made.add("ann", "long enough")
    return made


async def pause(check: PasswordCheck, ip: str = "192.0.2.1") -> float:
    """Seconds to wait after another failure."""
    assert await check.person("ann", "wrong", ip) is None
    try:
        await check.person("ann", "wrong", ip)
    except SignInPaused as paused:
        return paused.seconds
    return 0.0


def test_pauses_grow_and_end(people: People) -> None:
    async def go() -> None:
        clock = Clock()
        check = PasswordCheck(people, clock)
        for _ in range(FREE - 1):
            assert await check.person("ann", "wrong", "192.0.2.1") is None
        pauses = []
        for _ in range(14):
            pauses.append(await pause(check))
            clock.now += pauses[-1]
        assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900, 900]
        # A right password is not looked at before the pause is over; then it ends all pauses.
        assert await check.person("ann", "wrong", "192.0.2.1") is None
        with pytest.raises(SignInPaused):
            await check.person("ann", "long enough", "192.0.2.1")
        assert await check.person("ANN", "long enough", "192.0.2.2")
        clock.now += 900
        assert await check.person("ann", "long enough", "192.0.2.1")
        assert await check.person("ann", "wrong", "192.0.2.1") is None
        assert await check.person("ann", "long enough", "192.0.2.1")

    asyncio.run(go())


def test_failures_are_forgotten(people: People) -> None:
    async def go() -> None:
        clock = Clock()
        check = PasswordCheck(people, clock)
        for _ in range(FREE):
            assert await check.person("ann", "wrong", "192.0.2.1") is None
        clock.now += 3601
        for _ in range(FREE):
            assert await check.person("ann", "wrong", "192.0.2.1") is None

    asyncio.run(go())


def test_guesses_at_the_same_time_count_like_any_others(people: People) -> None:
    async def go() -> None:
        check = PasswordCheck(people, Clock())
        tries = [check.person("ann", "wrong", "192.0.2.1") for _ in range(50)]
        ends = await asyncio.gather(*tries, return_exceptions=True)
        assert sum(end is None for end in ends) == FREE
        # Right ones are all let in, however many.
        tries = [check.person("ann", "long enough", "192.0.2.3") for _ in range(50)]
        assert all(await asyncio.gather(*tries))

    asyncio.run(go())


def test_a_crowd_is_told_to_come_back(people: People) -> None:
    async def go() -> None:
        check = PasswordCheck(people, Clock())
        tries = [check.person("ann", "long enough", "192.0.2.1") for _ in range(150)]
        ends = await asyncio.gather(*tries, return_exceptions=True)
        assert sum(isinstance(end, SignInPaused) for end in ends) == 50

    asyncio.run(go())
