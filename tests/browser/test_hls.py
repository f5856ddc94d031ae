"""hls.js as its makers ship it, on a page of its own: what is published gives it nothing to complain about."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from milepost.servers.video.playing import version
from tests.browser.chromium import until, watched
from tests.browser.flights import SECONDS, Site

pytestmark = pytest.mark.timeout(280)

LEVELS = (-1, 0, 1)
"""As hls.js counts them: that of its own choice, then each."""

PAGE = "<!doctype html><title>hls.js alone</title><video muted playsinline></video>"

LOAD = """async ([library, url, level]) => {
  const {default: Hls} = await import(library);
  const video = document.querySelector("video");
  // How long a busy machine takes to decode says nothing about the stream.
  const hls = new Hls({startLevel: level, detectStallWithCurrentTimeMs: 60_000});
  const seen = window.seen = {errors: [], levels: [], sound: 0, cues: []};
  hls.on(Hls.Events.ERROR, (_, {type, details, fatal, error}) =>
    seen.errors.push(`${type} ${details} ${fatal ? "fatal" : ""}: ${error?.message}`));
  hls.on(Hls.Events.MANIFEST_PARSED, () => {
    if (level >= 0) hls.currentLevel = level;
  });
  hls.on(Hls.Events.FRAG_BUFFERED, (_, {frag}) => {
    if (frag.type === "main" && frag.sn !== "initSegment") seen.levels.push(frag.level);
    if (frag.type === "audio" && frag.sn !== "initSegment") seen.sound += frag.duration;
  });
  video.textTracks.addEventListener("addtrack", ({track}) => {
    track.mode = "hidden";  // chosen, as with the menu of the browser
    track.addEventListener("cuechange", () => {
      for (const cue of track.activeCues) seen.cues.push([video.currentTime, cue.startTime, cue.text]);
    });
  });
  window.hls = hls;
  hls.loadSource(url);
  hls.attachMedia(video);
}"""

VIDEO = "document.querySelector('video')"
LOADED = f"""{VIDEO}.buffered.length && {VIDEO}.buffered.end(0) > {SECONDS - 0.3}
  && {VIDEO}.textTracks[0]?.cues?.length > 30"""

TOLD = """() => {
  const video = document.querySelector("video");
  const {buffered, videoHeight, webkitAudioDecodedByteCount: sound} = video;
  return {...seen, buffered: buffered.length, height: videoHeight, heard: sound, at: video.currentTime,
    heights: hls.levels.map(({height}) => height), tracks: hls.audioTracks.length};
}"""


@pytest.fixture
def page(site: Site, chromium: Browser) -> Iterator[Page]:
    page = site.signed_in(chromium)
    page.route("**/alone", lambda route: route.fulfill(body=PAGE, content_type="text/html"))
    page.goto(f"{site.server.address}/alone")
    yield page
    page.context.close()


def played(page: Page, site: Site, url: str, level: int) -> Any:
    """What was seen of a playlist that was loaded as a whole and then played to its end."""
    trouble = watched(page)
    library = f"{site.server.address}/video/player/{version()}/hls.min.mjs"
    page.evaluate(LOAD, [library, url, level])
    until(page, f"seen.errors.length || ({LOADED})")
    page.evaluate(f"{VIDEO}.playbackRate = 2; {VIDEO}.play()")
    until(page, f"seen.errors.length || {VIDEO}.ended")
    told = page.evaluate(TOLD)
    assert told["errors"] == []
    assert trouble == []
    return told


@pytest.mark.parametrize("level", LEVELS)
def test_it_plays_to_the_end_without_any_error(site: Site, page: Page, level: int) -> None:
    told = played(page, site, f"{site.layer}/content/ABR.m3u8", level)
    assert told["at"] == pytest.approx(SECONDS, abs=0.2)
    assert told["buffered"] == 1  # without a hole
    if level >= 0:
        assert {*told["levels"]} == {level}
        assert told["height"] == told["heights"][level]
    assert len({*told["heights"]}) == 2
    # The sound comes as a rendition of its own, all of it, and is decoded.
    assert told["tracks"] == 1
    assert told["sound"] == pytest.approx(SECONDS, abs=0.2)
    assert told["heard"] > 0
    telemetry_is_in_step(site, told["cues"])


def telemetry_is_in_step(site: Site, cues: list[tuple[float, float, str]]) -> None:
    """Each cue is there at its time, and tells where the camera was then."""
    assert len({start for _, start, _ in cues}) > 0.8 * len(site.flight.moments)
    for now, start, text in cues:
        assert start <= now <= start + 1
        values = {each["tagId"]: each["value"] for each in json.loads(text)["data"][0]["value"]}
        longitude, latitude, _ = site.flight.at(start).sensor
        assert values[10013] == pytest.approx(latitude, abs=2e-6)
        assert values[10014] == pytest.approx(longitude, abs=2e-6)
