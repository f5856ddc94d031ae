"""The pages of a job that makes a video and of its layer, in a real browser: it plays and tells what the camera tells."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.chromium import until, watched
from tests.browser.flights import SECONDS, Site
from tests.videos import REST, add_layer, create_service, upload

pytestmark = pytest.mark.timeout(280)

VIDEO = "document.querySelector('video')"


@pytest.fixture
def page(site: Site, chromium: Browser) -> Iterator[Page]:
    page = site.signed_in(chromium, viewport={"width": 1280, "height": 900})
    yield page
    page.context.close()


def test_it_plays_to_the_end(site: Site, page: Page) -> None:
    trouble = watched(page)
    page.goto(site.layer)
    page.evaluate(f"{VIDEO}.playbackRate = 2")
    page.click("button.play")
    until(page, f"{VIDEO}.ended")
    assert page.evaluate(f"{VIDEO}.currentTime") == pytest.approx(SECONDS, abs=0.3)
    assert page.evaluate(f"{VIDEO}.duration") == pytest.approx(SECONDS, abs=0.3)
    assert page.is_hidden(".trouble")
    assert not trouble


def test_the_telemetry_is_that_of_the_flight(site: Site, page: Page) -> None:
    page.goto(site.layer)
    until(page, f"{VIDEO}.textTracks.length && {VIDEO}.textTracks[0].cues?.length > 30")
    for number in (7, 31):
        moment = site.flight.moments[number]
        page.evaluate(f"{VIDEO}.currentTime = {moment.time + 0.1}")
        longitude, latitude, _ = moment.sensor
        words = "document.querySelector('.values').innerText"
        until(page, f"{words}.includes('{latitude:.5f}° N, {longitude:.5f}° E')")
    shown = page.inner_text(".values")
    assert "Synthetic" in shown
    assert page.is_visible(".map svg")
    assert page.get_attribute(".map .footprint", "d")
    assert page.get_attribute(".map .seen", "d")
    page.click(".everything summary")
    until(page, "document.querySelectorAll('.everything tbody tr').length > 20")


def test_the_quality_can_be_chosen(site: Site, page: Page) -> None:
    page.goto(site.layer)
    until(page, "document.querySelectorAll('.quality option').length === 3")
    heights = {}
    for number in ("0", "1"):
        page.select_option(".quality select", number)
        page.evaluate(f"{VIDEO}.currentTime = 0")
        page.evaluate(f"{VIDEO}.play()")
        until(page, f"document.querySelector('.player').hls.currentLevel === {number}")
        heights[number] = page.evaluate(f"{VIDEO}.videoHeight")
    assert len(set(heights.values())) == 2
    assert page.is_hidden(".trouble")


def test_it_is_used_with_the_keyboard(site: Site, page: Page) -> None:
    page.goto(site.layer)
    until(page, f"{VIDEO}.readyState >= 2")
    page.focus(".seek")
    page.keyboard.press("ArrowRight")
    until(page, f"{VIDEO}.currentTime >= 5")
    page.keyboard.press("k")
    until(page, f"!{VIDEO}.paused")
    page.keyboard.press("k")
    until(page, f"{VIDEO}.paused")
    page.keyboard.press("m")
    until(page, "document.querySelector('.mute').ariaPressed === 'true'")
    page.keyboard.press("Tab")
    focused = "document.activeElement.className"
    assert page.evaluate(focused) == "mute"


def test_previews_show_where_one_points(site: Site, page: Page) -> None:
    page.goto(site.layer)
    until(page, "document.querySelector('.player').dataset.previewsReady === 'yes'")
    page.hover(".seek")
    page.wait_for_selector(".preview .picture", state="visible")
    style = page.evaluate("getComputedStyle(document.querySelector('.picture')).backgroundImage")
    assert "/content/preview/" in style
    assert page.inner_text(".preview .at") in ("0:03", "0:04")


def test_it_says_why_it_does_not_play(site: Site, page: Page) -> None:
    page.route("**/ABR.m3u8", lambda route: route.fulfill(status=401, body=""))
    page.goto(site.layer)
    page.wait_for_selector(".trouble", state="visible")
    assert "no longer signed in" in page.inner_text(".trouble")


def test_without_scripts_the_browser_plays_it(site: Site, chromium: Browser) -> None:
    page = site.signed_in(chromium, java_script_enabled=False)
    page.goto(site.layer)
    assert page.is_visible("video[controls]")
    assert page.get_attribute("video", "src").endswith("/content/ABR.m3u8")
    assert page.is_visible("a[href$='/content/telemetry.csv']")
    page.context.close()


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
