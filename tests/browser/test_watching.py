"""The page of a job that makes a video, in a real browser: it tells how far the job is, live, and then what it made."""

import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import until, watched
from tests.browser.flights import Site
from tests.videos import REST, add_layer, create_service, upload

pytestmark = pytest.mark.timeout(280)


def test_a_job_is_watched_until_its_layer_is_there(site: Site, chromium: Browser) -> None:
    page = site.signed_in(chromium)
    trouble = watched(page)
    with site.server.client() as client:
        create_service(client, "Watched")
        job = add_layer(client, "Watched", upload(client, site.clip))
    page.goto(f"{site.server.address}{REST}/jobs/job/{job}")
    until(page, "document.querySelector('.going progress')?.value > 0")
    assert page.inner_text(".going [role=status]")
    layer = "a[href$='/services/Watched/VideoServer/0']"
    page.wait_for_selector(layer, timeout=200_000)  # the page has loaded itself anew
    assert trouble == []
    page.click(layer)
    page.wait_for_selector("button.play")
    page.context.close()
