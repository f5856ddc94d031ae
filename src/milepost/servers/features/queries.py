"""Queries: what clients ask of layers, and the answers."""

from typing import Any, Final

import msgspec
import numpy as np
import shapely

from milepost.features import (
    Bounds,
    FeatureError,
    FeatureLayer,
    FeatureService,
    form_of,
    read_reference,
    transform,
)
from milepost.http import Parameters, wrong
from milepost.servers.features import shaping
from milepost.servers.features.asking import (
    read_names,
    read_order,
    read_selection,
    read_statistics,
)
from milepost.servers.features.shaping import Shape
from milepost.servers.places import read_json, told

PARAMETERS: Final = (
    "where",
    "objectIds",
    "geometry",
    "geometryType",
    "inSR",
    "spatialRel",
    "time",
    "outFields",
    "orderByFields",
    "groupByFieldsForStatistics",
    "outStatistics",
    "resultOffset",
    "resultRecordCount",
    "resultType",
    "returnCountOnly",
    "returnIdsOnly",
    "returnExtentOnly",
    "returnDistinctValues",
    "returnExceededLimitFeatures",
    "returnGeometry",
    "returnZ",
    "outSR",
    "geometryPrecision",
    "maxAllowableOffset",
)
"""What a query is made of. Others that clients send mean nothing here, and are passed over."""

_LAST: Final = 2**53
_RESULT_TYPES: Final = ("", "none", "standard", "tile")


def answer(service: FeatureService, layer: FeatureLayer, given: Parameters, *, geojson: bool) -> bytes:
    """The answer to a query of one layer, as JSON.

    Raises:
        ServiceError: a parameter does not do.
        FeatureError: the layer cannot be asked that.
    """
    wkid = service.definition.wkid
    selection = read_selection(given, wkid)
    order = read_order(given.get("orderByFields"))
    _check(given)
    names = read_names(given.get("outFields") or "*")
    distinct = given.flag("returnDistinctValues", False)
    offset = given.number("resultOffset", 0, least=0, most=_LAST)
    most = service.definition.max_records
    limit = min(given.number("resultRecordCount", 0, least=0, most=_LAST) or most, most)
    wanted = _shape(given, 4326 if geojson else wkid)
    extent, count = given.flag("returnExtentOnly", False), given.flag("returnCountOnly", False)
    if given.get("outStatistics"):
        found = layer.statistics(
            read_statistics(given),
            selection,
            groups=read_names(given.get("groupByFieldsForStatistics")) or [],
            order=order,
            offset=offset,
            limit=limit,
        )
        return shaping.table(found)
    if extent:
        number, bounds = layer.extent(selection)
        return msgspec.json.encode({"count": number, "extent": _box(bounds, wkid, wanted.wkid)})
    if count:
        columns = [each.name for each in layer.definition.all_fields] if names is None else names
        return msgspec.json.encode({"count": layer.count(selection, distinct=columns if distinct else None)})
    if given.flag("returnIdsOnly", False):
        ids = layer.ids(selection, order=order)
        if given.get("resultRecordCount"):
            ids = ids[offset : offset + limit]
        return msgspec.json.encode({"objectIdFieldName": layer.definition.object_id, "objectIds": ids})
    found = layer.features(
        selection,
        names=names,
        order=order,
        offset=offset,
        limit=limit,
        shapes=given.flag("returnGeometry", True),
        distinct=distinct,
    )
    if found.more and not given.flag("returnExceededLimitFeatures", True):
        found = msgspec.structs.replace(found, rows=[], geometries=None)
    write = shaping.geojson if geojson else shaping.esri
    return write(layer.definition, found, wkid, wanted)


def feature(service: FeatureService, layer: FeatureLayer, number: int, given: Parameters) -> Any:
    """One feature, as Esri's JSON; None when there is none of that id.

    Raises:
        ServiceError: a parameter does not do.
        FeatureError: the layer cannot be asked that.
    """
    asked = {name: given.get(name) for name in ("outFields", "outSR", "returnGeometry", "returnZ")}
    said = answer(service, layer, Parameters([], [*asked.items(), ("objectIds", str(number))]), geojson=False)
    found = msgspec.json.decode(said)["features"]
    return found[0] if found else None


def answer_layers(service: FeatureService, given: Parameters) -> bytes:
    """The answers to a query of several layers, as JSON.

    Raises:
        ServiceError: a parameter does not do.
        FeatureError: a layer cannot be asked that.
    """
    answers = []
    for number, changes in _layer_queries(service, given):
        each = Parameters([], list((given.as_dict() | changes).items()))
        said = answer(service, service.layers[number], each, geojson=False)
        answers.append({"id": number, **msgspec.json.decode(said, type=dict[str, msgspec.Raw])})
    return msgspec.json.encode({"layers": answers})


def _layer_queries(service: FeatureService, given: Parameters) -> list[tuple[int, dict[str, str]]]:
    """For each layer that is asked, the parameters that are its own."""
    text = given.get("layerDefs").strip()
    if not text:
        return [(each.id, {}) for each in service.layers]
    if text[0] not in "{[":
        pairs = [each.partition(":") for each in text.split(";") if each.strip()]
        asked: list[tuple[Any, Any]] = [(number.strip(), where) for number, _, where in pairs]
    else:
        read = read_json(given, "layerDefs", dict[str, str] | list[dict[str, Any]])
        asked = (
            list(read.items()) if isinstance(read, dict) else [(each.get("layerId"), each) for each in read]
        )
    return [(_layer_number(service, number), _own(said)) for number, said in asked]


def _own(said: Any) -> dict[str, str]:
    if isinstance(said, str):
        return {"where": said}
    fields = said.get("outFields", said.get("outfields", "*"))
    return {
        "where": str(said.get("where") or ""),
        "outFields": ",".join(map(str, fields)) if isinstance(fields, list) else str(fields),
    }


def _layer_number(service: FeatureService, named: Any) -> int:
    text = str(named)
    if not (text.isascii() and text.isdigit()) or len(text) > 9 or int(text) >= len(service.layers):
        raise wrong("layerDefs", f"the service has no layer {text[:20]!r}")
    return int(text)


def _check(given: Parameters) -> None:
    if given.get("having"):
        raise wrong("having", "it is not supported")
    if given.get("resultType").strip().lower() not in _RESULT_TYPES:
        raise wrong("resultType", "it is not one of none, standard and tile")


def _shape(given: Parameters, default: int) -> Shape:
    named = given.get("outSR")
    tolerance = given.get("maxAllowableOffset")
    try:
        off = float(tolerance or 0)
    except ValueError:
        raise wrong("maxAllowableOffset", "it is not a number") from None
    return Shape(
        wkid=told("outSR", lambda: read_reference(named)) if named else default,
        with_z=given.flag("returnZ", False),
        precision=given.number("geometryPrecision", 0, least=0, most=20)
        if given.get("geometryPrecision")
        else None,
        tolerance=off,
    )


def _box(bounds: Bounds | None, source: int, target: int) -> dict[str, Any]:
    values: tuple[Any, ...] = ("NaN",) * 4
    if bounds is not None:
        # Where lines of the one are curves in the other, the corners alone do not say how far it reaches.
        xs, ys = (np.linspace(bounds[at], bounds[at + 2], 9) for at in (0, 1))
        grid = shapely.multipoints(np.column_stack([np.repeat(xs, 9), np.tile(ys, 9)]))
        [moved] = transform(np.array([grid]), source, target)
        if moved is None:
            raise FeatureError(f"the features lie where spatial reference {target} has no coordinates")
        values = moved.bounds if source != target else bounds
    return {
        **dict(zip(("xmin", "ymin", "xmax", "ymax"), values, strict=True)),
        "spatialReference": form_of(target),
    }
