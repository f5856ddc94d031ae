"""What the tests of sheets share: a small product, areas, and how to ask for sheets."""

import json
from typing import Any, Final

import httpx

from tests.servers.talking import json_of

BASE: Final = "/rest/services/Topography/TopographicProductionServer"

PLAIN: Final[dict[str, Any]] = {
    "name": "Plain",
    "title": "Plain map 1:50 000",
    "scale": 50_000,
    "themes": ["Water", "Contours", "Roads"],
    "labelsTheme": "Names",
    "relief": {
        "contours": {
            "interval": 50,
            "line": {"type": "line", "color": "#a5652c", "width": 0.1},
            "index": {"type": "line", "color": "#a5652c", "width": 0.2},
            "label": {"type": "label", "text": "{height}", "placement": "line"},
        }
    },
    "layers": [
        {
            "name": "Streams",
            "theme": "Water",
            "geometry": "line",
            "rules": [
                {
                    "where": [{"waterway": ["river", "stream"]}],
                    "symbols": [{"type": "line", "color": "#1f78b4", "width": 0.2}],
                    "legend": "Stream",
                }
            ],
        },
        {
            "name": "Roads",
            "theme": "Roads",
            "geometry": "line",
            "rules": [
                {
                    "where": [{"highway": True}],
                    "symbols": [{"type": "line", "color": "#c8102e", "width": 0.4}],
                    "legend": "Road",
                }
            ],
        },
    ],
}
"""A product whose sheets are made quickly."""


async def add_product(client: httpx.AsyncClient, definition: dict[str, Any] = PLAIN) -> None:
    """Add a product, as somebody who may."""
    form = {"f": "json", "productDefinition": json.dumps(definition)}
    assert json_of(await client.post(f"{BASE}/addProduct", data=form))["success"]
