"""A server with a flight on it that was published for real."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page

from milepost.servers.video.flight import Flight, make_clip
from tests.running import PASSWORD, RunningServer
from tests.videos import publish

SECONDS = 7.5


@dataclass
class Site:
    server: RunningServer
    layer: str
    """URL of the layer."""
    flight: Flight

    def signed_in(self, browser: Browser, **options: object) -> Page:
        """A page of somebody who signed in as people do."""
        page = browser.new_context(**options).new_page()  # type: ignore[arg-type]
        page.goto(f"{self.server.address}/login")
        page.fill("input[name=username]", "admin")
        page.fill("input[name=password]", PASSWORD)
        page.press("input[name=password]", "Enter")
        page.wait_for_url(f"{self.server.address}/rest**")
        return page


@contextmanager
def open_site(folder: Path) -> Iterator[Site]:
    """A server with a flight of two qualities; its layer is made once for all tests."""
    clip = folder / "flight.ts"
    flight = make_clip(clip, seconds=SECONDS, width=960, height=540, fps=12)
    with RunningServer(folder / "data") as server, server.client() as client:
        layer = publish(client, clip, "Flight", "native,sd")
        yield Site(server, server.address + layer, flight)
