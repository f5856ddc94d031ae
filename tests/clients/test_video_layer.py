"""A layer in a web map: VideoLayer of @arcgis/core, in a real browser and on a page of another origin."""

import functools
import json
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest
from playwright.sync_api import Page

from tests.browser.chromium import open_chromium, until
from tests.browser.flights import SECONDS, Site, open_site
from tests.clients.sites import HERE

pytestmark = pytest.mark.timeout(280)

MODULES = HERE / "node_modules"
CORE = MODULES / "@arcgis" / "core"

LOAD = """async ([url, token]) => {
  const [{default: VideoLayer}, {default: config}] = await Promise.all([
    import("@arcgis/core/layers/VideoLayer.js"),
    import("@arcgis/core/config.js"),
  ]);
  config.request.useIdentity = false;  // nobody is there to be asked for a password
  const before = ({requestOptions}) => { requestOptions.query = {...requestOptions.query, token}; };
  config.request.interceptors = token ? [{urls: url.split("/services/")[0], before}] : [];
  window.layer = new VideoLayer({url});
  try {
    await layer.load();
  } catch (error) {
    return {trouble: `${error.name}: ${error.message}`};
  }
  const {title, layerId, duration, fullExtent, posterUrl, frameCount, qualities, previewsInfo, coverage} = layer;
  return {
    title, layerId, posterUrl, frameCount, qualities,
    extent: fullExtent.toJSON(),
    previews: previewsInfo && [previewsInfo.width, previewsInfo.height],
    coverage: coverage && {area: coverage.area?.rings.length, path: coverage.path?.paths[0].length},
    start: layer.fullTimeExtent?.start?.valueOf(),
    capabilities: layer.capabilities.operations,
  };
}"""

PLAY = """async () => {
  layer.muted = true;
  document.body.append(layer.videoElement);
  layer.play();
}"""

TOLD = """() => ({
  time: layer.currentTime,
  state: layer.state,
  sensor: layer.telemetry?.sensorLocation?.toJSON() ?? null,
  outline: layer.telemetry?.frameOutline?.rings?.[0] ?? null,
})"""


class Quiet(SimpleHTTPRequestHandler):
    """Sends a page, and the packages that it imports."""

    protocol_version = "HTTP/1.1"
    extensions_map: ClassVar[dict[str, str]] = {
        **SimpleHTTPRequestHandler.extensions_map,
        ".mjs": "text/javascript",
    }

    def do_GET(self) -> None:
        if self.path != "/map.html":
            super().do_GET()
            return
        imports = json.dumps({"imports": where_modules_are()})
        text = f'<!doctype html><title>Map</title><script type="importmap">{imports}</script>'.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        pass


def where_modules_are() -> dict[str, str]:
    """The import map: how a browser finds the packages without a bundler."""
    toolkit = json.loads((MODULES / "@arcgis/toolkit/package.json").read_text())["exports"]
    parts = {
        f"@arcgis/toolkit{name[1:]}": told["import"] for name, told in toolkit.items() if "import" in told
    }
    return {
        "@arcgis/core/": "/@arcgis/core/",
        "tslib": "/tslib/tslib.es6.mjs",
        "luxon": "/luxon/build/es6/luxon.mjs",
        **{name: f"/@arcgis/toolkit/{path.removeprefix('./')}" for name, path in parts.items()},
    }


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    if not CORE.is_dir():
        pytest.skip("@arcgis/core is not installed; make test does it")
    with open_site(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(scope="module")
def page(site: Site) -> Iterator[Page]:
    """A page of somebody else's, on which the packages can be imported."""
    handler = functools.partial(Quiet, directory=str(MODULES))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as web, open_chromium() as browser:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        page = browser.new_page()
        page.goto(f"http://localhost:{web.server_port}/map.html")
        yield page
        page.close()
        web.shutdown()


@pytest.fixture(scope="module")
def loaded(site: Site, page: Page) -> Any:
    return page.evaluate(LOAD, [site.layer, site.server.token])


def test_without_a_token_it_is_refused(site: Site, page: Page) -> None:
    assert "trouble" in page.evaluate(LOAD, [site.layer, ""])
    page.reload()


def test_it_is_loaded_with_previews_and_coverage(loaded: Any, site: Site) -> None:
    assert "trouble" not in loaded
    assert (loaded["title"], loaded["layerId"]) == ("Flight", 0)
    assert loaded["posterUrl"].endswith("/content/poster.jpg")
    assert loaded["frameCount"] == round(SECONDS * 12)
    assert loaded["qualities"] == ["sd", "native"]
    assert loaded["previews"] == [160, 90]
    assert loaded["coverage"]["area"] >= 1
    assert loaded["coverage"]["path"] > 10
    assert loaded["start"] == round(site.flight.start.timestamp() * 1000)


def test_its_extent_is_what_the_flight_saw(loaded: Any, site: Site) -> None:
    corners = [each for moment in site.flight.moments for each in moment.corners]
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    extent = loaded["extent"]
    found = (extent["xmin"], extent["ymin"], extent["xmax"], extent["ymax"])
    assert found == pytest.approx((min(xs), min(ys), max(xs), max(ys)), abs=1e-3)
    assert extent["spatialReference"]["wkid"] == 4326


def test_it_plays_and_knows_where_the_camera_is(loaded: Any, site: Site, page: Page) -> None:
    page.evaluate(PLAY)
    until(page, "layer.currentTime > 1 && layer.telemetry?.sensorLocation")
    told = page.evaluate(TOLD)
    near = site.flight.at(told["time"])
    assert told["sensor"]["x"] == pytest.approx(near.sensor[0], abs=2e-3)
    assert told["sensor"]["y"] == pytest.approx(near.sensor[1], abs=2e-3)
    xs = [corner[0] for corner in told["outline"]]
    assert min(xs) == pytest.approx(min(x for x, _ in near.corners), abs=3e-3)
    until(page, f"layer.currentTime > {SECONDS - 0.5}")
