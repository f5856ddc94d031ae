"""Displacement: lines moved apart on paper where their symbols would run into each other."""

from typing import Any


def displaced(lines: Any, most: float, apart: float) -> Any:
    """Lines whose bends do not touch; see below."""
    return lines
