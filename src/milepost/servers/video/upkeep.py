"""What is removed without anybody asking for it: what has expired, and what was left behind."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import structlog

from milepost.servers.video.exports.keeping import Exports
from milepost.servers.video.inbox import Inbox
from milepost.servers.video.library import remove_deleted
from milepost.servers.video.videos import Videos

log = structlog.get_logger("milepost.video")

_EVERY: Final = 3600.0
"""Seconds between two rounds."""

_AGAIN: Final = 60.0
"""Seconds until what failed is tried again."""

_SOON: Final = 5.0
"""Seconds between two looks at the exports, at most: those made meanwhile may expire before the ones there are."""


class Upkeep:
    """Keeps the files of a site's videos clean, as long as the server runs."""

    def __init__(self, inbox: Inbox, exports: Exports, videos: Videos, data: Path):
        """Of a site.

        Args:
            inbox: of the uploads.
            exports: of the layers.
            videos: the records of the layers.
            data: the data folder.
        """
        self._inbox, self._exports, self._videos, self._data = inbox, exports, videos, data
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Remove what nothing will come of any more, and go on with what is done in rounds."""
        try:
            # Before anything can be sent: what is being sent is not to be told from what was cut off.
            await asyncio.to_thread(self._inbox.discard_broken)
        except Exception as error:  # noqa: BLE001 - no file that is left over keeps a server from starting
            log.warning("broken uploads are still there", reason=str(error))
        self._tasks = [
            asyncio.create_task(self._in_rounds(work, complaint))
            for work, complaint in (
                (self._remove_uploads, "unused uploads are still there"),
                (self._remove_exports, "expired exports are still there"),
                (self._remove_layers, "files of deleted layers are still there"),
            )
        ]

    async def stop(self) -> None:
        """Let the rest be for the next start, once the rounds that have begun are done: they use the records."""
        self._stopping.set()
        await asyncio.gather(*self._tasks)

    async def _in_rounds(self, work: Callable[[], Awaitable[float]], complaint: str) -> None:
        while True:
            try:
                seconds = await work()
            except Exception as error:  # noqa: BLE001 - whatever keeps it from this may be gone the next time
                log.warning(complaint, reason=str(error))
                seconds = _AGAIN
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), seconds)
                return

    async def _remove_uploads(self) -> float:
        await self._inbox.remove_stale(time.time())
        return _EVERY

    async def _remove_exports(self) -> float:
        await asyncio.to_thread(self._exports.finish_deletions)
        left = await asyncio.to_thread(self._exports.remove_expired)
        return min(left, _SOON) + 0.05

    async def _remove_layers(self) -> float:
        await asyncio.to_thread(remove_deleted, self._videos, self._data)
        return _EVERY
