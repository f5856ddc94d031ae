"""A layer in a web map: VideoLayer of @arcgis/core, in a real browser and on a page of another origin."""

import functools
import io
import json
import math
import re
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Request

from tests.browser.chromium import until, watched
from tests.browser.flights import FRAMES, SECONDS, Site

MODULES = Path(__file__).parents[1] / "clients" / "node_modules"
INSIDE = re.compile(r"(http://(localhost|127\.0\.0\.1):|blob:|data:)")

pytestmark = [
    pytest.mark.timeout(280),
    pytest.mark.skipif(
        not (MODULES / "@arcgis" / "core").is_dir(), reason="@arcgis/core is not installed; make test does it"
    ),
]

NO_BUTTONS = b"export const assetPathChanged = true, setAssetPath = () => {};"
"""In place of each component that buttons are made of: they are not installed, and the map shows none."""

PAGE = """<!doctype html><title>Map</title><link rel="icon" href="data:,">
<script>var process = {{env: {{NODE_ENV: "production"}}}};  // which bundlers put in</script>
<script type="importmap">{imports}</script>"""

LOAD = """async ([url, token]) => {
  const [{default: VideoLayer}, {default: config}] = await Promise.all([
    import("@arcgis/core/layers/VideoLayer.js"),
    import("@arcgis/core/config.js"),
  ]);
  config.assetsPath = "/@arcgis/core/assets";  // else they come from the net
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

SHOW = """async () => {
  const [{default: Map}, {default: MapView}] = await Promise.all([
    import("@arcgis/core/Map.js"),
    import("@arcgis/core/views/MapView.js"),
  ]);
  const style = document.createElement("link");
  style.rel = "stylesheet";
  style.href = "/@arcgis/core/assets/esri/themes/light/main.css";
  document.head.append(style);
  const container = document.createElement("div");
  container.style.cssText = "width: 800px; height: 600px";
  layer.muted = true;
  document.body.append(container, layer.videoElement);
  layer.videoElement.style.width = "320px";
  const map = new Map({layers: [layer]});  // without a basemap nothing comes from elsewhere
  window.view = new MapView({container, map, extent: layer.fullExtent.clone().expand(2), ui: {components: []}});
  await view.when();
  window.layerView = await view.whenLayerView(layer);
  return layerView.suspended;
}"""

DRAWN = """() => {
  const shapes = layerView.graphicsView.graphics.toArray().map(({geometry}) => geometry).filter(Boolean);
  const {x, y} = view.toScreen(layer.telemetry.sensorLocation);
  return {
    time: layer.currentTime,
    sensor: layer.telemetry.sensorLocation.toJSON(),
    outline: layer.telemetry.frameOutline.rings[0],
    kinds: [...new Set(shapes.map(({type}) => type))].sort(),
    footprints: shapes.filter(({type}) => type === "polygon").map(({rings}) => rings[0]),
    screen: [x, y],
  };
}"""


class Quiet(SimpleHTTPRequestHandler):
    """Sends a page, and the packages that it imports."""

    protocol_version = "HTTP/1.1"
    extensions_map: ClassVar[dict[str, str]] = {
        **SimpleHTTPRequestHandler.extensions_map,
        ".mjs": "text/javascript",
    }

    def do_GET(self) -> None:
        if self.path == "/map.html":
            imports = json.dumps({"imports": where_modules_are()})
            self._send("text/html", PAGE.format(imports=imports).encode())
        elif self.path.startswith("/no-buttons/"):
            self._send("text/javascript", NO_BUTTONS)
        else:
            super().do_GET()

    def _send(self, kind: str, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

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
        "@esri/calcite-components/": "/no-buttons/",
        "@esri/arcgis-html-sanitizer": "/@esri/arcgis-html-sanitizer/dist/esm/index.js",
        "tslib": "/tslib/tslib.es6.mjs",
        "luxon": "/luxon/build/es6/luxon.mjs",
        **{name: f"/@arcgis/toolkit/{path.removeprefix('./')}" for name, path in parts.items()},
    }


@pytest.fixture(scope="module")
def page(site: Site, chromium: Browser) -> Iterator[Page]:
    """A page of somebody else's, on which the packages can be imported."""
    handler = functools.partial(Quiet, directory=str(MODULES))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        page = chromium.new_page(viewport={"width": 1000, "height": 900})
        page.goto(f"http://localhost:{web.server_port}/map.html")
        yield page
        page.close()
        web.shutdown()


@pytest.fixture(scope="module")
def trouble(page: Page) -> list[str]:
    """What went wrong since the layer was loaded, and what was asked of the world outside."""
    trouble = watched(page)
    outside: Callable[[Request], None] = lambda each: (  # noqa: E731
        trouble.append(f"outside: {each.url}") if not INSIDE.match(each.url) else None
    )
    page.on("request", outside)
    return trouble


@pytest.fixture(scope="module")
def loaded(site: Site, page: Page, trouble: list[str]) -> Any:
    return page.evaluate(LOAD, [site.layer, site.server.token])


@pytest.fixture(scope="module")
def shown(loaded: Any, page: Page) -> None:
    """The layer is in a map that people look at, and plays."""
    assert not page.evaluate(SHOW), "the layer is not drawn"
    page.evaluate("layer.play()")


def test_without_a_token_it_is_refused(site: Site, page: Page) -> None:
    assert "trouble" in page.evaluate(LOAD, [site.layer, ""])
    page.reload()


def test_it_is_loaded_with_previews_and_coverage(loaded: Any, site: Site, trouble: list[str]) -> None:
    assert "trouble" not in loaded
    assert (loaded["title"], loaded["layerId"]) == ("Flight", 0)
    assert loaded["posterUrl"].endswith("/content/poster.jpg")
    assert loaded["frameCount"] == round(SECONDS * FRAMES)
    assert loaded["qualities"] == ["sd", "native"]
    assert loaded["previews"] == [160, 90]
    assert loaded["coverage"]["area"] >= 1
    assert loaded["coverage"]["path"] > 10
    assert loaded["start"] == round(site.flight.start.timestamp() * 1000)
    assert trouble == []


def test_its_extent_is_what_the_flight_saw(loaded: Any, site: Site) -> None:
    corners = [each for moment in site.flight.moments for each in moment.corners]
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    extent = loaded["extent"]
    found = (extent["xmin"], extent["ymin"], extent["xmax"], extent["ymax"])
    assert found == pytest.approx((min(xs), min(ys), max(xs), max(ys)), abs=1e-3)
    assert extent["spatialReference"]["wkid"] == 4326


def test_a_map_draws_where_the_camera_is_and_what_it_sees(
    shown: None, site: Site, page: Page, trouble: list[str]
) -> None:
    places = []
    for moment in (1, SECONDS - 0.6):
        until(page, f"layer.currentTime > {moment} && layer.telemetry?.sensorLocation")
        drawn = page.evaluate(DRAWN)
        near = site.flight.at(drawn["time"])
        assert drawn["kinds"] == ["point", "polygon", "polyline"]
        assert (drawn["sensor"]["x"], drawn["sensor"]["y"]) == pytest.approx(near.sensor[:2], abs=2e-3)
        (footprint,) = drawn["footprints"]
        # A ring of the map may begin at any corner, and goes round as it likes.
        for longitude, latitude in near.corners:
            assert min(math.dist((longitude, latitude), each) for each in footprint) < 4e-3
        places.append((drawn["sensor"]["x"], drawn["sensor"]["y"], *drawn["screen"]))
    assert math.dist(places[0][:2], places[1][:2]) > 1e-3
    assert is_marked(page, *places[1][2:])
    assert trouble == []


def is_marked(page: Page, x: float, y: float) -> bool:
    """Whether anything is drawn at a place of the map, in pixels; the camera has moved on a little."""
    box = {"x": x - 20, "y": y - 20, "width": 40, "height": 40}
    with Image.open(io.BytesIO(page.screenshot(clip=box))) as picture:
        return len(picture.convert("RGB").getcolors(1600) or ()) > 1
