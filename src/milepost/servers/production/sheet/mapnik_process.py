"""Draws one map with Mapnik. Run as a program: Mapnik changes settings of PROJ and GDAL in its process.

Reads a JSON object from standard input: ``style`` (XML), ``output`` (a PDF), ``width`` and ``height`` in points,
``box`` (left, bottom, right and top). Imports nothing of Milepost, so that it starts quickly.
"""

import json
import sys

import mapnik


def main() -> None:
    """Draw what is asked for on standard input."""
    request = json.load(sys.stdin)
    sheet = mapnik.Map(request["width"], request["height"])
    mapnik.load_map_from_string(sheet, request["style"], False, "")
    sheet.aspect_fix_mode = mapnik.aspect_fix_mode.RESPECT
    sheet.zoom_to_box(mapnik.Box2d(*request["box"]))
    mapnik.render_to_file(sheet, request["output"], "pdf")


if __name__ == "__main__":
    main()
