"""Whatever a client sends, it gets features or the reason why not, never a fault of the server."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from milepost.features import FeatureError, FeatureService, FeatureServices, LayerEdits
from milepost.http import Parameters, ServiceError
from milepost.servers.features import changes, queries
from tests.servers.features.town import TOWN, fill

numbers: st.SearchStrategy[Any] = st.one_of(
    st.integers(-200, 200),
    st.floats(),
    st.sampled_from([None, "NaN", "x", True, 1e308, -1e308, 10**400, [], {}]),
)
positions = st.lists(numbers, max_size=5)
parts = st.lists(st.lists(positions, max_size=5), max_size=3)
geometries = st.one_of(
    st.fixed_dictionaries({}, optional={"x": numbers, "y": numbers, "z": numbers, "m": numbers}),
    st.fixed_dictionaries({"paths": parts}, optional={"hasZ": st.booleans(), "hasM": st.booleans()}),
    st.fixed_dictionaries({"rings": parts}),
    st.fixed_dictionaries({"points": st.lists(positions, max_size=4)}),
    st.fixed_dictionaries({"xmin": numbers, "ymin": numbers, "xmax": numbers, "ymax": numbers}),
    st.fixed_dictionaries({"curveRings": parts}),
    numbers,
)
references = st.sampled_from(
    ["4326", "102100", "25832", "0", "-1", "x", '{"wkid": 2056}', "{", '{"wkt": "x"}', "[1]"]
)


def as_json(value: Any) -> str:
    return json.dumps(value)


texts: dict[str, st.SearchStrategy[str]] = {
    "where": st.one_of(
        st.text(max_size=20), st.sampled_from(["1=1", "height > 3", "name LIKE '%1'", "floors / 0 > 1"])
    ),
    "objectIds": st.one_of(st.sampled_from(["1,2", "[3]", "-1", "9" * 40, ",", "1,,2"]), st.text(max_size=5)),
    "geometry": st.one_of(
        geometries.map(as_json), st.lists(numbers, max_size=5).map(lambda given: ",".join(map(str, given)))
    ),
    "geometryType": st.sampled_from(
        ["esriGeometryPoint", "esriGeometryEnvelope", "esriGeometryPolygon", "x"]
    ),
    "inSR": references,
    "outSR": references,
    "spatialRel": st.sampled_from(
        [*(f"esriSpatialRel{each}" for each in ("Within", "Touches", "Overlaps")), "x"]
    ),
    "time": st.sampled_from(["0", "null,1", "1,null", "1e300", "nan", "inf,inf", "1,2,3", "[1,2]"]),
    "outFields": st.sampled_from(["*", "name", "name,NAME", "x", "shape", '"name"', ","]),
    "orderByFields": st.sampled_from(["name", "name desc,height", "x", "1", "name name", "shape"]),
    "outStatistics": st.sampled_from(
        [
            '[{"statisticType":"sum","onStatisticField":"floors","outStatisticFieldName":"a"}]',
            '[{"statisticType":"min","onStatisticField":"built"}]',
            '[{"statisticType":"sum","onStatisticField":"floors","outStatisticFieldName":"a\\"b"}]',
            "[]",
            "[{}]",
            "x",
        ]
    ),
    "groupByFieldsForStatistics": st.sampled_from(["kind", "a", "shape", "*"]),
    "resultOffset": st.sampled_from(["0", "3", "9" * 15, "9" * 30, "x"]),
    "resultRecordCount": st.sampled_from(["0", "1", "100", "x"]),
    "returnCountOnly": st.sampled_from(["true", "false"]),
    "returnIdsOnly": st.sampled_from(["true", "false"]),
    "returnExtentOnly": st.sampled_from(["true", "false"]),
    "returnDistinctValues": st.sampled_from(["true", "false"]),
    "returnGeometry": st.sampled_from(["true", "false"]),
    "returnZ": st.sampled_from(["true", "false"]),
    "geometryPrecision": st.sampled_from(["0", "3", "20", "-1"]),
    "maxAllowableOffset": st.sampled_from(["0", "1", "1e300", "nan", "-1", "x"]),
}
asked = st.fixed_dictionaries({}, optional=texts)

attributes = st.dictionaries(
    st.sampled_from(["name", "kind", "height", "floors", "built", "OBJECTID", "GlobalID", "shape", "x"]),
    st.one_of(numbers, st.text(max_size=5), st.binary(max_size=1).map(str)),
    max_size=4,
)
features = st.one_of(
    st.fixed_dictionaries({"attributes": attributes}, optional={"geometry": geometries}),
    numbers,
    st.lists(numbers, max_size=2),
)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> FeatureService:
    service = FeatureServices(tmp_path_factory.mktemp("any")).create("Town", TOWN)
    fill(service)
    return service


def said_by(query: Callable[[], bytes]) -> Any:
    """What a query answers, or the reason why it does not."""
    try:
        return json.loads(query())
    except (ServiceError, FeatureError) as error:
        refusal = {"message": str(error)}
    assert 10 < len(refusal["message"]) < 700
    return refusal


patient = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@patient
@given(given=asked, layer=st.integers(0, 4), geojson=st.booleans())
def test_every_query_is_answered_or_refused(town, given, layer, geojson):
    parameters = Parameters([], list(given.items()))
    said = said_by(lambda: queries.answer(town, town.layers[layer], parameters, geojson=geojson))
    assert isinstance(said, dict)


@patient
@given(
    given=asked,
    definitions=st.one_of(
        geometries.map(as_json), st.sampled_from(["0:1=1", "0", ":", "9:x", '{"0":"1=1"}'])
    ),
)
def test_every_query_of_several_layers_is_answered_or_refused(town, given, definitions):
    parameters = Parameters([], [*given.items(), ("layerDefs", definitions)])
    said = said_by(lambda: queries.answer_layers(town, parameters))
    assert isinstance(said.get("layers", []), list)


@patient
@given(
    adds=st.lists(features, max_size=3),
    updates=st.lists(features, max_size=3),
    layer=st.integers(0, 4),
    together=st.booleans(),
)
def test_every_edit_is_done_or_refused(town, adds, updates, layer, together):
    before = town.layers[layer].count()
    done = changes.apply(
        town,
        [LayerEdits(layer=layer, adds=adds, updates=updates)],
        Parameters([], [("rollbackOnFailure", str(together))]),
    )[0]
    assert (len(done.adds), len(done.updates)) == (len(adds), len(updates))
    added = sum(each.success for each in done.adds)
    assert town.layers[layer].count() == before + added
    assert all(10 < len(each.problem) < 700 for each in (*done.adds, *done.updates) if not each.success)
    town.layers[layer].features()
    # What got in comes out again.
    queries.answer(
        town, town.layers[layer], Parameters([], [("outSR", "3857"), ("returnZ", "true")]), geojson=True
    )
