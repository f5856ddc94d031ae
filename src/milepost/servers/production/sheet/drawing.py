"""Mapnik's style of a theme, made from the product: which file is drawn with which strokes and fills."""

import hashlib
import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import quoteattr

import geopandas as gpd
import numpy as np
import pyogrio
import shapely

from milepost.servers.production.sheet.definition import Layer, Structures
from milepost.servers.production.sheet.geometry import MM
from milepost.servers.production.sheet.marks import marker_shapes, pattern_shapes, points_along
from milepost.servers.production.sheet.symbols import Fill, Line, Marker, Symbol

SUFFIX: Final = ".fgb"
"""Of files of features: FlatGeobuf, which Mapnik reads piece by piece."""


@dataclass(frozen=True)
class Drawn:
    """Features of one file and what is drawn of them.

    Attributes:
        file: of the features; its columns ``rule`` and ``level`` choose the strokes.
        rules: what is drawn where the filter holds, for one feature after the other.
    """

    file: Path
    rules: tuple[tuple[str, tuple[str, ...]], ...]


def file_name(name: str) -> str:
    """The name of a layer as that of a file, of its own for every name."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40]
    return f"{slug or 'layer'}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def write_features(frame: gpd.GeoDataFrame, path: Path) -> bool:
    """Write features to a file, in their order; whether there were any."""
    path.unlink(missing_ok=True)
    if frame.empty:
        return False
    with warnings.catch_warnings():
        # Sheet metres are no system that others know.
        warnings.filterwarnings("ignore", "'crs' was not provided")
        # Without an index the features stay in their order, in which they are drawn.
        pyogrio.write_dataframe(frame, path, driver="FlatGeobuf", SPATIAL_INDEX="NO", geometry_type="Unknown")
    return True


def style_of(drawn: Iterable[Drawn]) -> str:
    """The style of a theme as Mapnik's XML; what comes first is drawn first."""
    styles, layers = [], []
    for number, each in enumerate(drawn):
        rules = "".join(
            f"<Rule><Filter>{expression}</Filter>{''.join(symbols)}</Rule>"
            for expression, symbols in each.rules
        )
        styles.append(f'<Style name="s{number}">{rules}</Style>')
        layers.append(
            f'<Layer name="l{number}" srs="epsg:3857"><StyleName>s{number}</StyleName><Datasource>'
            f'<Parameter name="type">ogr</Parameter><Parameter name="file">{_text(str(each.file))}</Parameter>'
            f'<Parameter name="layer_by_index">0</Parameter></Datasource></Layer>'
        )
    return f'<Map srs="epsg:3857" buffer-size="256">{"".join(styles)}{"".join(layers)}</Map>'


def draw_layer(layer: Layer, frame: gpd.GeoDataFrame, folder: Path, scale: int) -> list[Drawn]:
    """What is drawn of a layer, the lowest first.

    Args:
        layer: of the product.
        frame: its generalised features, the least important first; kept beside as a file.
        folder: for the files.
        scale: of the sheet, the denominator.
    """
    path = folder / f"{file_name(layer.name)}{SUFFIX}"
    if not write_features(frame[["rule", "level", "geometry"]], path):
        return []
    levels = sorted({int(each) for each in frame["level"]})
    rules = sorted({int(each) for each in frame["rule"]})
    drawn = []
    for level in levels:
        structures = layer.structures if level else None
        strokes = _strokes(layer, rules, level, structures)
        drawn += [Drawn(path, stroke) for stroke in strokes if stroke]
    return drawn + _marks(layer, frame, folder, scale)


def _strokes(
    layer: Layer, rules: Sequence[int], level: int, structures: Structures | None
) -> list[tuple[tuple[str, tuple[str, ...]], ...]]:
    """Passes over the features of one level: parapets, casings, then fills and lines."""
    passes: list[list[tuple[str, tuple[str, ...]]]] = [[], [], []]
    for number in rules:
        where = f"[rule] = {number} and [level] = {level}"
        lines = [each for each in layer.rules[number].symbols if isinstance(each, Line)]
        if structures and level > 0 and lines:
            widest = max(each.width + 2 * (each.casing.width if each.casing else 0) for each in lines)
            below = Line(color="#ffffff", width=widest + 0.1, cap="butt")
            parapet = Line(color="#1a1a1a", width=widest + 0.1 + 2 * structures.parapet, cap="butt")
            passes[0].append((where, (_line(parapet), _line(below))))
        casings, inside = [], []
        for symbol in layer.rules[number].symbols:
            if isinstance(symbol, Line):
                if symbol.casing:
                    casings.append(_line(_casing(symbol, level, structures)))
                inside.append(_line(_tinted(symbol, structures) if structures and level < 0 else symbol))
            elif isinstance(symbol, Fill):
                inside += _fill(symbol)
        if casings:
            passes[1].append((where, tuple(casings)))
        if inside:
            passes[2].append((where, tuple(inside)))
    return [tuple(each) for each in passes]


def in_tunnel(symbols: Sequence[Symbol], structures: Structures) -> tuple[Line, ...]:
    """The lines among symbols as they are drawn in a tunnel, the lowest first."""
    lines = [symbol for symbol in symbols if isinstance(symbol, Line)]
    casings = [_casing(line, -1, structures) for line in lines if line.casing]
    return (*casings, *(_tinted(line, structures) for line in lines))


def _casing(line: Line, level: int, structures: Structures | None) -> Line:
    assert line.casing is not None
    width = line.width + 2 * line.casing.width
    if structures and level < 0:
        return Line(color=line.casing.color, width=width, dash=structures.tunnel_dash, cap="butt")
    return Line(color=line.casing.color, width=width, cap="butt" if level > 0 else "round")


def _tinted(line: Line, structures: Structures) -> Line:
    share = structures.tunnel_tint
    parts = [int(line.color[at : at + 2], 16) for at in (1, 3, 5)]
    color = "#" + "".join(f"{round(each + (255 - each) * share):02x}" for each in parts)
    dash = line.dash or (() if line.casing else structures.tunnel_dash)
    return Line(color=color if line.casing else line.color, width=line.width, dash=dash, cap="butt")


def _line(line: Line) -> str:
    dash = ",".join(f"{each * MM:.2f}" for each in line.dash)
    return (
        f'<LineSymbolizer stroke="{line.color}" stroke-width="{line.width * MM:.3f}" stroke-linejoin="round" '
        f'stroke-linecap="{line.cap}"'
        + (f' stroke-dasharray="{dash}"' if dash else "")
        + (f' stroke-opacity="{line.opacity}"' if line.opacity < 1 else "")
        + (f' offset="{-line.offset * MM:.3f}"' if line.offset else "")
        + "/>"
    )


def _fill(fill: Fill) -> list[str]:
    inside = (
        [f'<PolygonSymbolizer fill="{fill.color}" fill-opacity="{fill.opacity}" gamma="0.7"/>']
        if fill.color
        else []
    )
    return inside + ([_line(fill.outline)] if fill.outline else [])


def _marks(layer: Layer, frame: gpd.GeoDataFrame, folder: Path, scale: int) -> list[Drawn]:
    """Markers and patterns, each in a file of its own."""
    drawn = []
    for number, rule in reversed(list(enumerate(layer.rules))):
        shapes = np.asarray(frame.geometry[frame["rule"] == number].array)
        if not len(shapes):
            continue
        for place, symbol in enumerate(rule.symbols):
            path = folder / f"{file_name(layer.name)}-{number}-{place}{SUFFIX}"
            if isinstance(symbol, Marker):
                points = _places(shapes, symbol, scale)
                found, strokes = marker_shapes(points, symbol, scale), _marker(symbol)
            elif isinstance(symbol, Fill) and symbol.pattern:
                found = pattern_shapes(shapes, symbol.pattern, scale)
                pattern = symbol.pattern
                hatch = pattern.kind == "hatch"
                strokes = (
                    _line(Line(color=pattern.color, width=pattern.width)) if hatch else _plain(pattern.color),
                )
            else:
                continue
            if write_features(gpd.GeoDataFrame({"rule": [0] * len(found)}, geometry=found), path):
                drawn.append(Drawn(path, (("true", strokes),)))
    return drawn


def _places(shapes: Any, marker: Marker, scale: int) -> list[Any]:
    dimensions = shapely.get_dimensions(shapes)
    points = list(shapes[dimensions == 0])
    points += points_along(shapes[dimensions == 1], marker.spacing * scale / 1000)
    return points + list(shapely.point_on_surface(shapes[dimensions == 2]))


def _marker(marker: Marker) -> tuple[str, ...]:
    edge = (_line(Line(color=marker.outline, width=0.12)),) if marker.outline else ()
    return (_plain(marker.color), *edge)


def _plain(color: str) -> str:
    return f'<PolygonSymbolizer fill="{color}"/>'


def _text(value: str) -> str:
    return quoteattr(value)[1:-1]
