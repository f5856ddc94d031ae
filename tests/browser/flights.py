"""A server with a flight on it that was published for real."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from milepost.servers.video.flight import Flight, make_clip
from tests.running import PASSWORD, RunningServer
from tests.videos import publish

SECONDS = 7.5


FRAMES = 12
"""Pictures a second."""


@dataclass
class Site:
    server: RunningServer
    layer: str
    """URL of the layer."""
    flight: Flight
    clip: Path
    """The video of it."""
    _signed_in: Any = field(default=None, init=False)

    def signed_in(self, browser: Browser, **options: Any) -> Page:
        """A page of somebody who signed in as people do; the first time really, then with what was kept of it."""
        context = browser.new_context(storage_state=self._signed_in, **options)
        page = context.new_page()
        if self._signed_in is None:
            page.goto(f"{self.server.address}/login")
            page.fill("input[name=username]", "admin")
            page.fill("input[name=password]", PASSWORD)
            page.press("input[name=password]", "Enter")
            page.wait_for_url(f"{self.server.address}/rest**")
            self._signed_in = context.storage_state()
        return page


@contextmanager
def open_site(folder: Path) -> Iterator[Site]:
    """A server with a flight of two qualities; its layer is made once for all tests."""
    clip = folder / "flight.ts"
    flight = make_clip(clip, seconds=SECONDS, width=960, height=540, fps=FRAMES)
    with RunningServer(folder / "data") as server, server.client() as client:
        layer = publish(client, clip, "Flight", "native,sd")
        yield Site(server, server.address + layer, flight, clip)
