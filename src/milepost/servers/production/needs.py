"""What sheets are made with beyond what every server has: the extra ``production``."""

import importlib.util
from typing import Final

NEEDS: Final = (
    "contourpy",
    "geopandas",
    "mapnik",
    "matplotlib",
    "pikepdf",
    "PIL",
    "pygeomag",
    "pyogrio",
    "pypdfium2",
    "pyproj",
    "reportlab",
)
"""Modules."""


def missing() -> list[str]:
    """Those modules that are not installed."""
    return [name for name in NEEDS if importlib.util.find_spec(name) is None]
