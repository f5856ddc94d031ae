"""Chromium as the system has it, without a window, driven by Playwright."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")

OPTIONS = (
    "--no-sandbox",  # as root, and in containers
    "--use-angle=swiftshader",  # no graphics processor is needed
    "--enable-unsafe-swiftshader",
    "--autoplay-policy=no-user-gesture-required",
    "--mute-audio",
)

POLL = 50
"""Milliseconds between two looks at something that takes its time."""


@contextmanager
def open_chromium() -> Iterator[Browser]:
    """A browser; the test is skipped where there is none."""
    program = next((found for each in PROGRAMS if (found := shutil.which(each))), None)
    if program is None:
        pytest.skip("there is no Chromium on this machine; make test installs it where it may")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=OPTIONS)
        yield browser
        browser.close()


def until(page: Page, expression: str, *, seconds: float = 30) -> None:
    """Wait for JavaScript to be true. Pages allow no ``eval``, which Playwright's own way to wait needs."""
    for _ in range(round(seconds * 1000 / POLL)):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(POLL)
    raise AssertionError(f"not within {seconds} s: {expression}")


def watched(page: Page) -> list[str]:
    """A list that grows with everything that goes wrong on a page."""
    trouble: list[str] = []
    page.on("pageerror", lambda error: trouble.append(f"error: {error}"))
    page.on("console", lambda said: trouble.append(f"console: {said.text}") if _is_trouble(said) else None)
    failed: Callable[..., None] = lambda request: trouble.append(f"failed: {request.url} {request.failure}")  # noqa: E731
    page.on("requestfailed", failed)
    page.on(
        "response", lambda each: trouble.append(f"{each.status}: {each.url}") if each.status >= 400 else None
    )
    return trouble


def _is_trouble(said: ConsoleMessage) -> bool:
    # Browsers ask for an icon of their own accord.
    return said.type == "error" and not said.location.get("url", "").endswith("/favicon.ico")
