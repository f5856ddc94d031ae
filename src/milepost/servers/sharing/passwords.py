"""Checking passwords: few at a time, and ever more slowly for who keeps guessing."""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from milepost.security import People, Person
from milepost.security.people import LONGEST_USERNAME

AT_A_TIME: Final = 2
"""Passwords checked at the same time. Each check takes all cores and much memory on purpose."""

MAX_WAITING: Final = 1000
"""Sign-ins that may wait for their check, ``MAX_WAITING_SAME`` of them for one name from one address."""

MAX_WAITING_SAME: Final = 100

FREE: Final = 5
"""Failures in a row after which there is a pause."""

LONGEST_PAUSE: Final = 900.0
"""Seconds; the pause doubles from 1 s with each further failure."""

FORGOTTEN: Final = 3600.0
"""Seconds after which failures no longer count."""

REMEMBERED: Final = 10_000
"""Names and addresses whose failures are remembered."""


class SignInPaused(Exception):  # noqa: N818 - says what happened
    """The password was not even looked at."""

    def __init__(self, reason: str, seconds: float):
        """``seconds``: after which it is worth another try."""
        super().__init__(reason)
        self.seconds: Final = math.ceil(seconds)


class _Guesses:
    """The sign-ins for one name from one address; they are checked one after the other."""

    def __init__(self) -> None:
        self.failures = 0
        self.failed_at = 0.0
        self.turn: Final = asyncio.Lock()
        self.waiting = 0

    def pause(self, now: float) -> float:
        """Seconds until the next try is allowed."""
        if now - self.failed_at > FORGOTTEN:
            self.failures = 0
        if self.failures < FREE:
            return 0.0
        return self.failed_at + min(LONGEST_PAUSE, 2.0 ** (self.failures - FREE)) - now


class PasswordCheck:
    """Checks passwords in threads of its own, so that waiting sign-ins keep nothing else waiting.

    Who guesses is slowed down by name and address together: the person whose name is used for it
    signs in from another address as ever.
    """

    def __init__(self, people: People, clock: Callable[[], float] = time.monotonic):
        """For these people; ``clock`` gives seconds."""
        self._people = people
        self._clock = clock
        self._threads = ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="sign-in")
        self._guesses: OrderedDict[tuple[str, str], _Guesses] = OrderedDict()
        self._waiting = 0

    async def person(self, username: str, password: str, ip: str) -> Person | None:
        """The person, if the password is right.

        Raises:
            SignInPaused: too many failures, or too many people sign in at this moment.
        """
        key = (username[:LONGEST_USERNAME].casefold(), ip)
        guesses = self._guesses.setdefault(key, _Guesses())
        if self._waiting >= MAX_WAITING or guesses.waiting >= MAX_WAITING_SAME:
            raise SignInPaused("Too many people are signing in at this moment.", 5)
        self._guesses.move_to_end(key)
        self._waiting += 1
        guesses.waiting += 1
        try:
            async with guesses.turn:
                return await self._check(guesses, username, password)
        finally:
            self._waiting -= 1
            guesses.waiting -= 1
            self._forget(key, guesses)

    async def _check(self, guesses: _Guesses, username: str, password: str) -> Person | None:
        pause = guesses.pause(self._clock())
        if pause > 0:
            raise SignInPaused("Too many failed sign-ins with this name from this address.", pause)
        loop = asyncio.get_running_loop()
        person = await loop.run_in_executor(self._threads, self._people.authenticate, username, password)
        if person is None:
            guesses.failures += 1
            guesses.failed_at = self._clock()
        else:
            guesses.failures = 0
        return person

    def _forget(self, key: tuple[str, str], guesses: _Guesses) -> None:
        """Keep only who failed, and of those the latest."""
        if not guesses.failures and not guesses.waiting:
            self._guesses.pop(key, None)
        while len(self._guesses) > REMEMBERED:
            self._guesses.popitem(last=False)
