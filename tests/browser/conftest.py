"""A server with a published flight, and a browser, both shared by all tests of this folder."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import open_chromium
from tests.browser.flights import Site, open_site


@pytest.fixture(scope="package")
def site(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    # Asks for the browser first: without one, nothing needs to be published.
    with open_site(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    # Closed with this folder: as long as it is open, no other test can run an event loop.
    with open_chromium() as browser:
        yield browser
