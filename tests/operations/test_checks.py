"""What clients send is either brought into its JSON form or refused with the parameter named."""

import json
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from milepost import Run, operation
from milepost.operations import InputError, Operation, Parameter
from milepost.types import Choices, DataFile, FeatureSet, LinearUnit, Range, Raster, RecordSet


class Colour(Enum):
    RED = "Red"
    GREEN = "Green"


@operation(service="Tests/Checks.GPServer")
def takes_all(
    run: Run,
    text: str | None = None,
    whole: int | None = None,
    number: float | None = None,
    flag: bool | None = None,
    moment: datetime | None = None,
    distance: LinearUnit | None = None,
    features: FeatureSet | None = None,
    records: RecordSet | None = None,
    raster: Raster | None = None,
    file: DataFile | None = None,
    texts: list[str] | None = None,
    wholes: list[int] | None = None,
    moments: list[datetime] | None = None,
    several: list[FeatureSet] | None = None,
    files: list[DataFile] | None = None,
    literal: Literal["Small", "Large"] | None = None,
    level: Literal[1, 2, 3] | None = None,
    colour: Colour | None = None,
    half: Annotated[float, Choices(0.5, 1.5)] | None = None,
    angle: Annotated[float, Range(0, 90)] | None = None,
    count: Annotated[list[int], Range(minimum=1)] | None = None,
) -> None:
    """Takes a value of every kind."""


PARAMETERS = {each.name: each for each in takes_all.inputs}


class Folder:
    """Files in a folder, as ``operations.Files`` wants them."""

    def __init__(self, path: Path):
        self.path = path

    def resolve(self, reference: dict[str, Any]) -> Path:
        return self.path / "input"

    def keep(self, path: Path) -> dict[str, Any]:
        return {"file": path.name}


def check(name: str, value: Any) -> Any:
    return takes_all.check({name: value})[name]


def problem(name: str, value: Any) -> str:
    with pytest.raises(InputError) as caught:
        takes_all.check({name: value})
    assert len(caught.value.problems) == 1
    said = caught.value.problems[0]
    assert said.startswith(f"Parameter '{name}': ")
    assert len(said) < 500
    return said.partition(": ")[2]


def label(value: Any) -> str:
    """An id for a parametrised case, whatever the value is."""
    if isinstance(value, list | dict):
        return type(value).__name__
    return "huge" if isinstance(value, int) and value.bit_length() > 64 else str(value)[:30]


DEEP = "[" * 5000 + "]" * 5000
DEEP_VALUE: Any = []
for _ in range(900):
    DEEP_VALUE = [DEEP_VALUE]


@pytest.mark.parametrize(
    ("name", "value", "form"),
    [
        ("text", "  a ", "  a "),
        ("text", 5, "5"),
        ("text", 1.5, "1.5"),
        ("whole", "12", 12),
        ("whole", " 12 ", 12),
        ("whole", "12.0", 12),
        ("whole", 12.0, 12),
        ("whole", "1e3", 1000),
        ("whole", "9223372036854775807", 2**63 - 1),
        ("whole", 2**53 + 1, 2**53 + 1),
        ("whole", "-9223372036854775808", -(2**63)),
        ("number", "1.5", 1.5),
        ("number", "-1e-3", -0.001),
        ("number", 7, 7.0),
        ("flag", True, True),
        ("flag", "true", True),
        ("flag", "True", True),
        ("flag", " TRUE ", True),
        ("flag", "1", True),
        ("flag", 1, True),
        ("flag", 1.0, True),
        ("flag", "false", False),
        ("flag", "FALSE", False),
        ("flag", "0", False),
        ("flag", 0, False),
        ("moment", 1000, 1000),
        ("moment", "1000", 1000),
        ("moment", "-1000", -1000),
        ("moment", "1000.7", 1000),
        ("moment", "1970-01-01T00:00:01Z", 1000),
        ("moment", "1970-01-01T01:00:01+01:00", 1000),
        ("moment", "1970-01-01 00:00:01.001", 1001),
        ("moment", "1970-01-02", 86_400_000),
        ("moment", "0001-01-01", -62_135_596_800_000),
        ("moment", "9999-12-31T23:59:59.999", 253_402_300_799_999),
        ("distance", "100 Meters", {"distance": 100.0, "units": "esriMeters"}),
        ("distance", "2.5 esriKilometers", {"distance": 2.5, "units": "esriKilometers"}),
        ("distance", "1 mile", {"distance": 1.0, "units": "esriMiles"}),
        ("distance", "1 foot", {"distance": 1.0, "units": "esriFeet"}),
        ("distance", "3 Nautical Miles", {"distance": 3.0, "units": "esriNauticalMiles"}),
        ("distance", ".5", {"distance": 0.5, "units": "esriMeters"}),
        ("distance", 5, {"distance": 5.0, "units": "esriMeters"}),
        ("distance", '{"distance": 5, "units": "esriFeet"}', {"distance": 5.0, "units": "esriFeet"}),
        ("distance", {"distance": "5"}, {"distance": 5.0, "units": "esriMeters"}),
        ("distance", {"distance": 5, "units": None}, {"distance": 5.0, "units": "esriMeters"}),
        ("raster", "i123", {"itemID": "i123"}),
        ("raster", '{"itemID": "i123", "format": "tif"}', {"itemID": "i123"}),
        ("file", "https://here/jobs/j1/a.csv", {"url": "https://here/jobs/j1/a.csv"}),
        ("texts", '["a", "b"]', ["a", "b"]),
        ("texts", [], []),
        ("wholes", ["1", 2], [1, 2]),
        ("literal", "Small", "Small"),
        ("literal", "small", "Small"),
        ("level", "2", 2),
        ("colour", "GREEN", "Green"),
        ("half", 1.5, 1.5),
        ("angle", "90", 90.0),
        ("count", "[1, 5]", [1, 5]),
    ],
)
def test_a_value_is_brought_into_its_json_form(name: str, value: Any, form: Any) -> None:
    checked = check(name, value)
    assert checked == form
    assert type(checked) is type(form)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("text", True, "must be a text"),
        ("text", ["a"], "must be a text"),
        ("text", {"a": 1}, "must be a text"),
        ("text", "a\x00b", "null character"),
        ("text", "\ud800", "valid characters"),
        ("text", 10**5000, "valid characters"),
        ("whole", "1.5", "'1.5' is not a whole number"),
        ("whole", 0.1, "0.1 is not a whole number"),
        ("whole", "9223372036854775808", "fit into 64 bits"),
        ("whole", 2**63, "fit into 64 bits"),
        ("whole", "abc", "'abc' is not a number"),
        ("whole", True, "must be a number"),
        ("whole", [1], "must be a number"),
        ("whole", "NaN", "finite number, not NaN or infinity"),
        ("whole", 10**5000, "finite number"),
        ("whole", "9" * 5000, "finite number"),
        ("whole", "\x00", "is not a number"),
        ("number", "NaN", "finite number, not NaN or infinity"),
        ("number", float("nan"), "finite number, not NaN or infinity"),
        ("number", "-Infinity", "finite number, not NaN or infinity"),
        ("number", "1e400", "finite number, not NaN or infinity"),
        ("number", 10**400, "finite number, not NaN or infinity"),
        ("number", "1,5", "'1,5' is not a number"),
        ("number", "\ud800", "is not a number"),
        ("number", {}, "must be a number"),
        ("flag", "yes", "'yes' is neither true nor false"),
        ("flag", 2, "2 is neither true nor false"),
        ("flag", float("nan"), "nan is neither true nor false"),
        ("flag", [], "an array is neither true nor false"),
        ("flag", DEEP_VALUE, "an array is neither true nor false"),
        ("moment", "tomorrow", "'tomorrow' is no date; give milliseconds since 1970 or ISO 8601"),
        ("moment", "2026-02-30", "is no date"),
        ("moment", "1e400", "is no date"),
        ("moment", "0001-01-01T00:00:00+01:00", "between the years 1 and 9999"),
        ("moment", 10**17, "between the years 1 and 9999"),
        ("moment", float("inf"), "finite number"),
        ("moment", True, "must be a number"),
        ("distance", "far", "'far' is not a distance such as '100 Meters'"),
        ("distance", "1.2.3 Meters", "is not a distance"),
        ("distance", "5 lightyears", "unknown unit 'lightyears'; use one of Meters"),
        ("distance", "1e400 Meters", "must be a finite number"),
        ("distance", '{"distance": NaN}', "not valid JSON"),
        ("distance", {"distance": float("nan")}, "finite number"),
        ("distance", {"units": "esriMeters"}, "must be a distance such as"),
        ("distance", {"distance": 5, "units": 9001}, "must be a distance such as"),
        ("distance", {"distance": 5, "units": [DEEP_VALUE]}, "must be a distance such as"),
        ("distance", [5], "must be a distance such as"),
        ("distance", 10**400, "finite number"),
        ("raster", "{}", "must be a file"),
        ("raster", {"itemID": "i1", "url": "https://here"}, "must be a file"),
        ("raster", {"url": ["a"]}, "must be a file"),
        ("raster", 5, "must be a file"),
        ("file", {"url": "a\x00b"}, "null character"),
        ("texts", "a;b", "must be a JSON array, but it is not valid JSON"),
        ("texts", '"a"', "must be a JSON array, such as"),
        ("texts", '["a"', "not valid JSON"),
        ("texts", DEEP, "nested too deeply"),
        ("texts", ["a", None], "value 2: it must be a text"),
        ("texts", ["a", True], "value 2: it must be a text"),
        ("wholes", [1, "x"], "value 2: 'x' is not a number"),
        ("moments", [None], "value 1: it must be a number"),
        ("literal", "Medium", "'Medium' is none of the choices Small, Large"),
        ("literal", "x" * 10_000_000, "is none of the choices Small, Large"),
        ("level", 4, "4 is none of the choices 1, 2, 3"),
        ("colour", "blue", "'blue' is none of the choices Red, Green"),
        ("half", 1, "1.0 is none of the choices 0.5, 1.5"),
        ("angle", 90.5, "90.5 is not between 0 and 90"),
        ("angle", "-1e6", "-1000000 is not between 0 and 90"),
        ("count", [1, 0], "value 2: 0 is not at least 1"),
    ],
    ids=label,
)
def test_a_value_that_does_not_fit_is_refused_with_its_reason(name: str, value: Any, said: str) -> None:
    assert said in problem(name, value)


def points(*geometries: Any, **more: Any) -> dict[str, Any]:
    return {"features": [{"geometry": each} for each in geometries], **more}


FLAT = [[0, 0], [0, 1], [1, 1], [0, 0]]


@pytest.mark.parametrize(
    "value",
    [
        {"features": []},
        {"features": [], "geometryType": None, "spatialReference": None, "fields": None},
        {"features": [{}]},
        {"features": [{"attributes": None, "geometry": None}]},
        {"features": [{"attributes": {"a": None, "b": [1]}}]},
        points({"x": 1, "y": 2}),
        points({"x": 1, "y": 2, "z": None, "m": "NaN"}, hasZ=True, hasM="true"),
        points({"xmin": 0, "ymin": 0, "xmax": 1, "ymax": 1}),
        points({"points": [[0, 0], [1, 2, 3]]}),
        points({"paths": [FLAT]}, geometryType="esriGeometryPolyline"),
        points({"rings": [FLAT]}, spatialReference={"wkid": 4326}),
        points({"rings": []}),
        {"features": [], "exceededTransferLimit": False, "objectIdFieldName": "id"},
    ],
)
def test_a_feature_set_as_clients_send_it_is_taken(value: Any) -> None:
    checked = check("features", value)
    assert check("features", json.dumps(value)) == checked
    assert len(PARAMETERS["features"].load(checked)) == len(value["features"])


def test_the_geometry_type_is_that_of_the_first_geometry() -> None:
    value = {"features": [{"geometry": None}, {"geometry": {"paths": [FLAT]}}]}
    assert check("features", value)["geometryType"] == "esriGeometryPolyline"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("", "must be a feature set"),
        ("{", "not valid JSON"),
        ("[]", "must be a feature set"),
        ("5", "must be a feature set"),
        (5, "must be a feature set"),
        ({}, "no list 'features'"),
        ({"features": {}}, "no list 'features'"),
        ({"features": [5]}, "feature 0 is not an object"),
        ({"features": [{"attributes": []}]}, "attributes of feature 0 are not an object"),
        ({"features": [], "fields": {}}, "'fields' must be a list"),
        ({"features": [], "fields": [1]}, "members does not fit"),
        ({"features": [], "hasZ": "perhaps"}, "members does not fit"),
        ({"features": [], "displayFieldName": 5}, "members does not fit"),
        ({"features": [], "spatialReference": 4326}, "'spatialReference' must be an object"),
        ({"features": [], "geometryType": "point"}, "unknown geometryType 'point'"),
        ({"features": [], "geometryType": []}, "unknown geometryType an array"),
        ({"url": "https://elsewhere/FeatureServer/0"}, "not fetched by this server"),
        (
            {
                "type": "FeatureCollection",
                "features": [{"geometry": {"type": "Point", "coordinates": [1, 2]}}],
            },
            "is GeoJSON; send an Esri feature set",
        ),
        (points("x"), "geometry of feature 0 is not an object"),
        (points({"lat": 5}), "set 'geometryType'"),
        (points({"x": 1}, geometryType="esriGeometryPoint"), "has no x and y"),
        (points({"x": 1, "y": "NaN"}), "x or y that is not a finite number"),
        (points({"x": 1, "y": float("nan")}), "x or y that is not a finite number"),
        (points({"x": 1, "y": 10**400}), "x or y that is not a finite number"),
        (points({"x": 1, "y": True}), "x or y that is not a finite number"),
        (points({"x": 1, "y": 2, "z": "high"}), "z or m that is no number"),
        (points({"x": 1, "y": 2}, {"rings": [FLAT]}), "geometry of feature 1 has no x and y"),
        (points({"xmin": 0}), "must have finite numbers xmin, ymin, xmax and ymax"),
        (points({"points": 5}), "no list 'points'"),
        (points({"points": [[1]]}), "not a list of at least two numbers"),
        (points({"points": [[1, 2, {}]]}), "z or m that is no number"),
        (points({"paths": [[[0, 0]]]}), "1 points; 2 are needed"),
        (points({"paths": [5]}), "member of 'paths' that is not a list of points"),
        (points({"rings": [FLAT[:2]]}), "2 points; 3 are needed"),
        (points({"rings": [[[0, 0], [1, "a"], [2, 2]]]}), "coordinate that is not a finite number"),
        (points({"curveRings": []}, geometryType="esriGeometryPolygon"), "no list 'rings'"),
        ({"features": [], "more": DEEP_VALUE}, "nested"),
        ({"features": [{"attributes": {"a": DEEP_VALUE}}]}, "nested"),
        ('{"features": ' + DEEP + "}", "nested too deeply"),
        ('{"features": [], "more": ' + "[" * 64 + "]" * 64 + "}", "nested more than 64 levels"),
        ({"features": [{"attributes": {"a": "\ud800"}}]}, "no JSON form"),
        ('{"features": [], "a": "\ud800"}', "no character"),
        ('{"features": [], "a": "\\ud800"}', "not valid JSON"),
    ],
    ids=label,
)
def test_a_feature_set_that_cannot_be_one_is_refused(value: Any, said: str) -> None:
    if value == "":
        with pytest.raises(ValueError, match=said):
            PARAMETERS["features"].check(value)
    else:
        assert said in problem("features", value)


def test_a_record_set_needs_no_geometry() -> None:
    checked = check("records", {"features": [{"attributes": {"a": 1}, "geometry": "ignored"}]})
    assert PARAMETERS["records"].load(checked).features[0]["attributes"] == {"a": 1}
    assert "no list 'features'" in problem("records", "{}")


@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize(
    "value", [DEEP, DEEP_VALUE, {"features": DEEP_VALUE}], ids=["text", "array", "object"]
)
def test_no_parameter_is_troubled_by_depth(name: str, value: Any) -> None:
    if isinstance(value, str) and name in ("text", "raster", "file"):
        assert takes_all.check({name: value})  # a text, or the id of an upload, like any other
    else:
        assert problem(name, value)


def test_what_was_sent_is_not_changed_and_not_shared() -> None:
    sent = {"features": [{"attributes": {"a": [1]}, "geometry": {"x": 1, "y": 2}}], "spatialReference": None}
    same = json.loads(json.dumps(sent))
    checked = check("features", sent)
    checked["features"][0]["attributes"]["a"].append(2)
    assert sent == same


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(InputError) as caught:
        takes_all.check({"whole": "x", "angle": 91, "literal": "?"})
    assert [each.split(":")[0] for each in caught.value.problems] == [
        "Parameter 'whole'",
        "Parameter 'literal'",
        "Parameter 'angle'",
    ]
    assert str(caught.value) == "; ".join(caught.value.problems)


def test_nothing_empty_and_nothing_unknown_is_taken_for_a_value() -> None:
    assert takes_all.check({"text": "", "whole": "  ", "flag": None, "Whole": 5, "shoe_size": 43}) == {}


@operation(service="Tests/Checks.GPServer")
def needs(run: Run, text: str, texts: list[str], size: int = 3, tags: list[str] = ["a"]) -> None:  # noqa: B006
    """Needs two of its parameters."""


def test_what_is_required_must_be_there() -> None:
    with pytest.raises(InputError) as caught:
        needs.check({"text": " "})
    assert caught.value.problems == ["Parameter 'text' is required", "Parameter 'texts' is required"]


def test_defaults_are_filled_in_and_belong_to_one_job() -> None:
    first = needs.check({"text": "a", "texts": []})
    assert first == {"text": "a", "texts": [], "size": 3, "tags": ["a"]}
    first["tags"].append("b")
    assert needs.check({"text": "a", "texts": []})["tags"] == ["a"]


# -- whatever is sent ----------------------------------------------------------------------------

TEXTS = st.text(max_size=20) | st.sampled_from(
    [
        "NaN",
        "Infinity",
        "1e400",
        "true",
        "1",
        "-0.0",
        "2026-11-22T10:00:00Z",
        "100 Meters",
        "null",
        "[]",
        "{}",
    ]
)
NUMBERS = st.integers() | st.floats() | st.just(10**400)
KEYS = st.sampled_from(
    [
        "features",
        "geometry",
        "attributes",
        "geometryType",
        "spatialReference",
        "fields",
        "hasZ",
        "x",
        "y",
        "z",
        "points",
        "paths",
        "rings",
        "xmin",
        "ymin",
        "xmax",
        "ymax",
        "distance",
        "units",
        "url",
        "itemID",
    ]
) | st.text(max_size=3)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=15,
)
POINTS = st.lists(st.lists(st.floats(-180, 180) | st.none() | TEXTS, min_size=1, max_size=4), max_size=5)
GEOMETRIES = (
    st.none()
    | st.fixed_dictionaries({"x": NUMBERS, "y": NUMBERS}, optional={"z": NUMBERS})
    | st.fixed_dictionaries({"rings": st.lists(POINTS, max_size=2)})
    | st.fixed_dictionaries({"paths": st.lists(POINTS, max_size=2)})
    | st.fixed_dictionaries({"points": POINTS})
    | VALUES
)
FEATURE_SETS = st.fixed_dictionaries(
    {
        "features": st.lists(
            st.fixed_dictionaries({}, optional={"geometry": GEOMETRIES, "attributes": VALUES}), max_size=3
        )
    },
    optional={
        "geometryType": st.sampled_from(["esriGeometryPoint", "esriGeometryPolygon", "", None]),
        "spatialReference": VALUES,
        "fields": st.lists(VALUES, max_size=2),
        "hasZ": VALUES,
        "displayFieldName": VALUES,
    },
)
DISTANCES = st.builds("{} {}".format, NUMBERS.map(lambda n: f"{n}"[:400]), TEXTS) | st.fixed_dictionaries(
    {"distance": VALUES}, optional={"units": st.sampled_from(["esriFeet", "meters"]) | VALUES}
)


def as_text(value: Any) -> str:
    return json.dumps(value)[:10_000]


SENT = st.one_of(VALUES, TEXTS, FEATURE_SETS, DISTANCES, st.dates().map(str), st.datetimes().map(str))


@given(sent=st.dictionaries(st.sampled_from(sorted(PARAMETERS)), SENT | SENT.map(as_text), max_size=5))
@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@example(sent={"features": {"features": [], "geometryType": None}})
@example(sent={"moment": "0001-01-01T00:00:00+23:59"})
def test_whatever_is_sent_is_taken_or_refused_by_name(sent: dict[str, Any]) -> None:
    problems: list[str] = []
    try:
        checked = takes_all.check(sent)
    except InputError as error:
        checked, problems = {}, error.problems
    for said in problems:
        assert said.startswith("Parameter '")
        assert said.split("'")[1] in sent
    assert set(checked) <= set(sent)
    assert takes_all.check(checked) == checked, "checking twice changes nothing"
    record = msgspec.json.encode(checked)
    assert msgspec.json.decode(record) == checked, "it is JSON"
    texts = {
        name: value if isinstance(value, str) else msgspec.json.encode(value).decode()
        for name, value in checked.items()
    }
    assert takes_all.check(texts) == checked, "sent as text it is the same"
    for name, value in checked.items():
        PARAMETERS[name].load(value, Folder(Path("inputs")))


@given(
    name=st.sampled_from(["text", "whole", "number", "flag", "moment", "distance", "texts", "moments"]),
    data=st.data(),
)
@settings(max_examples=200)
def test_a_value_goes_to_the_operation_and_comes_back_the_same(name: str, data: st.DataObject) -> None:
    finite = st.floats(allow_nan=False, allow_infinity=False)
    whole = st.integers(-(2**63), 2**63 - 1)
    moments = st.integers(-62_135_596_800_000, 253_402_300_799_999)
    text = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
    value = data.draw(
        {
            "text": text,
            "whole": whole,
            "number": finite,
            "flag": st.booleans(),
            "moment": moments,
            "distance": st.fixed_dictionaries({"distance": finite, "units": st.just("esriFeet")}),
            "texts": st.lists(text),
            "moments": st.lists(moments),
        }[name]
    )
    parameter = PARAMETERS[name]
    checked = parameter.check(value)
    assert checked == value
    assert parameter.dump(parameter.load(checked)) == checked


@given(
    distance=st.floats(allow_nan=False, allow_infinity=False),
    units=st.sampled_from(["Feet", "Miles", "Meters"]),
)
def test_a_distance_reads_its_own_text(distance: float, units: str) -> None:
    unit = LinearUnit(distance, units)
    assert LinearUnit(str(unit)) == unit
    assert eval(repr(unit)) == unit
    assert hash(LinearUnit(str(unit))) == hash(unit)


def test_a_distance_knows_its_metres() -> None:
    assert LinearUnit("2 Kilometers").meters == 2000
    assert LinearUnit(1, "esriMiles").meters == pytest.approx(1609.344)
    assert str(LinearUnit(1234567)) == "1234567 Meters"
    with pytest.raises(ValueError, match="finite"):
        LinearUnit(10**400)


def test_an_enum_member_goes_in_and_its_value_comes_out() -> None:
    parameter: Parameter = PARAMETERS["colour"]
    assert parameter.load(check("colour", "red")) is Colour.RED
    assert parameter.dump(Colour.RED) == "Red"


def test_files_are_found_and_kept_by_whoever_has_them(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    assert PARAMETERS["raster"].load({"itemID": "i1"}, folder) == Raster(tmp_path / "input")
    assert PARAMETERS["raster"].dump(Raster(tmp_path / "out.tif"), folder) == {"file": "out.tif"}
    with pytest.raises(ValueError, match="no files here"):
        PARAMETERS["raster"].load({"itemID": "i1"})


def test_names_for_people_and_types_for_operations() -> None:
    both: Operation[..., Any] = takes_all
    assert [each.title for each in both.inputs[:2]] == ["Text", "Whole"]
    assert {each.kind for each in both.inputs} == {
        "string",
        "long",
        "double",
        "boolean",
        "date",
        "linear_unit",
        "features",
        "records",
        "raster",
        "file",
    }
