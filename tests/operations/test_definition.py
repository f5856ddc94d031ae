"""An operation runs here and now as the function it is, and as a job on what clients sent."""

import copy
import pickle
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import pytest

from milepost import Run, Service, operation
from milepost.operations import Operation
from milepost.types import DataFile, FeatureSet, LinearUnit, Range

POINTS = {
    "features": [{"geometry": {"x": 1, "y": 2}, "attributes": {"name": "a"}}],
    "spatialReference": {"wkid": 4326},
}


@operation(service="Analysis/Proximity.GPServer")
def buffer(
    run: Run,
    features: FeatureSet,
    distance: LinearUnit = LinearUnit("100 Meters"),  # noqa: B008
) -> FeatureSet:
    """Polygons around features at a given distance.

    Args:
        features: What to surround.
        distance: How far.
    """
    run.message(f"{len(features)} features, {distance.meters:g} m")
    return features


@operation(service="Analysis/Proximity.GPServer", name="BufferByText")
def buffer_by_text(run: Run, features: FeatureSet, distance: LinearUnit = "100 Meters") -> FeatureSet:  # type: ignore[assignment]
    """The same with a default in words."""
    run.message(f"{len(features)} features, {distance.meters:g} m")
    return features


def said(run: Run) -> list[str]:
    return [event.text for event in run.notebook.events if hasattr(event, "text")]


@pytest.mark.parametrize("tool", [buffer, buffer_by_text])
def test_an_operation_is_called_like_its_function(tool: Operation[..., FeatureSet]) -> None:
    run = Run()
    features = FeatureSet(features=[{"geometry": {"x": 1, "y": 2}}])
    assert tool(run, features) is features
    tool(run, features=features, distance=LinearUnit(1, "Kilometers"))
    tool(run, features, "2 Kilometers")
    assert said(run) == ["1 features, 100 m", "1 features, 1000 m", "1 features, 2000 m"]


@pytest.mark.parametrize("tool", [buffer, buffer_by_text])
def test_an_operation_performs_on_what_clients_sent(tool: Operation[..., Any]) -> None:
    run = Run()
    results = tool.perform(run, tool.check({"features": POINTS}))
    assert results == {
        "result": {
            "geometryType": "esriGeometryPoint",
            "spatialReference": {"wkid": 4326},
            "fields": [],
            "features": POINTS["features"],
        }
    }
    # Inputs that were stored before a parameter came to be: the default of the function holds.
    tool.perform(run, {"features": tool.check({"features": POINTS})["features"]})
    assert said(run) == ["1 features, 100 m"] * 2


def test_an_operation_tells_what_it_is() -> None:
    assert (buffer.name, buffer.service.name, buffer.summary) == (
        "buffer",
        "Analysis/Proximity.GPServer",
        "Polygons around features at a given distance.",
    )
    assert [(each.name, each.kind, each.required, each.doc) for each in buffer.inputs] == [
        ("features", "features", True, "What to surround."),
        ("distance", "linear_unit", False, "How far."),
    ]
    assert buffer.inputs[1].default == buffer_by_text.inputs[1].default
    assert buffer.inputs[1].default == {"distance": 100.0, "units": "esriMeters"}
    assert (buffer_by_text.name, buffer_by_text.__name__) == ("BufferByText", "BufferByText")
    assert repr(buffer) == "<operation Analysis/Proximity.GPServer buffer>"
    assert (buffer.__module__, buffer.__qualname__, buffer.__doc__) == (
        __name__,
        "buffer",
        buffer.function.__doc__,
    )


def test_a_mistaken_call_fails_as_that_of_a_function_does() -> None:
    with pytest.raises(TypeError, match="missing a required argument: 'features'"):
        buffer(Run())
    with pytest.raises(TypeError, match="unexpected keyword argument 'distnace'"):
        buffer(Run(), FeatureSet(), distnace=1)
    with pytest.raises(ValueError, match="unknown unit"):
        buffer_by_text(Run(), FeatureSet(), "5 lightyears")


class Colour(Enum):
    RED = "red"
    GREEN = "green"


@operation(service="Tests/Definition.GPServer")
def gather(
    run: Run,
    colour: Colour,
    moment: datetime = "1970-01-01T00:00:01Z",  # type: ignore[assignment]
    reaches: list[LinearUnit] = ["1 Feet"],  # type: ignore[list-item]  # noqa: B006
    size: Annotated[int, Range(0, 5)] | None = None,
    mode: Literal["fast", "good"] = "good",
    missing: float | None = None,
) -> None:
    run.attribute(
        "got", [type(colour).__name__, colour.value, moment.timestamp(), str(reaches[0]), size, mode]
    )
    assert missing is None


def test_values_arrive_as_their_types_whether_sent_defaulted_or_given_as_text() -> None:
    run = Run()
    gather.perform(run, gather.check({"colour": "RED"}))
    gather(run, "red")  # type: ignore[arg-type]
    gather(run, Colour.RED, datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC), [LinearUnit(1, "Feet")])
    values = [event.value for event in run.notebook.events]  # type: ignore[attr-defined]
    assert values == [["Colour", "red", 1.0, "1 Feet", None, "good"]] * 3


def test_an_optional_parameter_without_a_default_is_none_when_not_given() -> None:
    @operation(service="Tests/Definition.GPServer")
    def work(run: Run, size: int | None, name: str) -> str:
        return f"{name} {size}"

    assert work.perform(Run(), work.check({"name": "a"})) == {"result": "a None"}


class Pair(NamedTuple):
    first: FeatureSet
    second: int


class Lonely(NamedTuple):
    result: float


@dataclass
class Report:
    size: float
    note: str | None
    when: datetime
    reach: LinearUnit
    colours: list[Colour]
    flag: bool
    level: Literal[1, 2]


def performed(function: Any) -> dict[str, Any]:
    return operation(service="Tests/Definition.GPServer")(function).perform(Run(), {})


def test_fields_of_a_tuple_or_dataclass_are_results_of_their_own() -> None:
    def pair(run: Run) -> Pair:
        return Pair(FeatureSet(), 5)

    def lonely(run: Run) -> Lonely:
        return Lonely(1)

    def report(run: Run) -> Report:
        moment = datetime(1970, 1, 1, 0, 0, 1, 999, tzinfo=UTC)
        return Report(1, None, moment, LinearUnit("5 Feet"), [Colour.RED], True, 2)

    assert performed(pair)["second"] == 5
    assert performed(pair)["first"]["features"] == []
    assert performed(lonely) == {"result": 1.0}
    assert performed(report) == {
        "size": 1.0,
        "note": None,
        "when": 1000,
        "reach": {"distance": 5.0, "units": "esriFeet"},
        "colours": ["red"],
        "flag": True,
        "level": 2,
    }


def test_an_operation_that_returns_nothing_has_no_results() -> None:
    def silent(run: Run) -> None: ...

    def talkative(run: Run):  # type: ignore[no-untyped-def]
        return 5

    assert performed(silent) == {}
    assert performed(talkative) == {}


@pytest.mark.parametrize(
    ("hint", "value", "form"),
    [
        (int, np.int64(5), 5),
        (float, np.float32(0.5), 0.5),
        (float, np.array(0.5), 0.5),
        (float, 5, 5.0),
        (float, float("nan"), None),
        (float, float("inf"), None),
        (bool, np.bool_(True), True),
        (str, np.str_("a"), "a"),
        (list[int], [np.int32(1), 2], [1, 2]),
        (list[int], (1, 2), [1, 2]),
        (str, "caf\udce9", "caf\\udce9"),
        (datetime, datetime(1970, 1, 1, 0, 0, 1), 1000),  # noqa: DTZ001 - without a zone it is UTC
        (float | None, None, None),
        (DataFile, DataFile("out.csv"), {"url": "out.csv"}),
    ],
)
def test_what_is_returned_has_a_json_form(hint: Any, value: Any, form: Any) -> None:
    def work(run: Run) -> hint:
        return value

    result = performed(work)["result"]
    assert result == form
    assert type(result) is type(form)


@pytest.mark.parametrize(
    ("hint", "value", "said"),
    [
        (FeatureSet, None, "'result' should be features, but the operation returned NoneType"),
        (FeatureSet, {"features": []}, "should be features, but the operation returned dict"),
        (int, 1.5, "should be long, but the operation returned float"),
        (int, True, "should be long, but the operation returned bool"),
        (float, True, "should be double, but the operation returned bool"),
        (float, "1", "should be double, but the operation returned str"),
        (int, 2**63, "should fit into 64 bits"),
        (list[str], "abc", "'result' should be a list, but the operation returned str"),
        (list[str], None, "'result' should be a list, but the operation returned NoneType"),
        (list[str], ["a", None], "should be string, but the operation returned NoneType"),
        (LinearUnit, "100 Meters", "should be linear_unit, but the operation returned str"),
        (Pair, None, "should return first, second, but it returned NoneType"),
        (Pair, (FeatureSet(), 5), "should return first, second, but it returned tuple"),
    ],
)
def test_what_is_returned_must_be_what_was_declared(hint: Any, value: Any, said: str) -> None:
    def work(run: Run) -> hint:
        return value

    with pytest.raises(TypeError, match=said):
        performed(work)


def test_an_operation_is_pickled_and_copied_by_its_name() -> None:
    assert pickle.loads(pickle.dumps(buffer)) is buffer
    assert pickle.loads(pickle.dumps(buffer_by_text)) is buffer_by_text
    assert copy.deepcopy([buffer])[0] is buffer


@pytest.mark.parametrize("name", ["make tiles", "../admin", "2d", "", "import"])
def test_an_operation_needs_a_name_that_clients_can_write(name: str) -> None:
    def work(run: Run) -> None: ...

    declare = operation(service="Tests/Definition.GPServer", name=name)
    if not name:
        assert declare(work).name == "work"
        return
    with pytest.raises(ValueError, match="must be a Python identifier"):
        declare(work)


@pytest.mark.parametrize(
    "settings", [{"retries": -1}, {"retries": 1.5}, {"retries": True}, {"priority": "high"}]
)
def test_settings_of_an_operation_must_mean_something(settings: dict[str, Any]) -> None:
    def work(run: Run) -> None: ...

    with pytest.raises(ValueError, match="operation work: "):
        operation(service="Tests/Definition.GPServer", **settings)(work)


def test_a_service_is_taken_apart_by_its_name() -> None:
    service = Service(name="Analysis/Proximity-2.GPServer")
    assert (service.folder, service.title, service.type) == ("Analysis", "Proximity-2", "GPServer")
    assert Service(name="Proximity.GPServer").folder == ""


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Proximity",
        "A/B/C.GPServer",
        "/B.GPServer",
        "A/.GPServer",
        "../B.GPServer",
        "A B.GPServer",
        "A.GPServer\n",
        5,
    ],
)
def test_a_service_needs_a_full_name(name: Any) -> None:
    with pytest.raises(ValueError, match=r"is not of the form Folder/Name\.Type"):
        Service(name=name)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"execution": "sync"}, "execution must be one of asynchronous, synchronous"),
        ({"min_instances": 3, "max_instances": 2}, "instances must satisfy"),
        ({"min_instances": 0, "max_instances": 0}, "instances must satisfy"),
        ({"min_instances": -1}, "instances must satisfy"),
        ({"max_instances": 2.5}, "max_instances must be a whole number"),
        ({"max_instances": "2"}, "max_instances must be a whole number"),
        ({"memory_limit": -1}, "memory_limit must be a number and not negative"),
        ({"max_usage_time": -1}, "max_usage_time must be a number and not negative"),
        ({"max_wait_time": float("nan")}, "max_wait_time must be a number and not negative"),
        ({"max_idle_time": "1 h"}, "max_idle_time must be a number and not negative"),
        ({"recycle_interval": -0.1}, "recycle_interval must be a number and not negative"),
        ({"grace_time": -5}, "grace_time must be a number and not negative"),
        ({"rollback_time": -5}, "rollback_time must be a number and not negative"),
    ],
)
def test_settings_of_a_service_must_mean_something(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=f"^service A/B.GPServer: {said}"):
        Service(name="A/B.GPServer", **settings)


def test_limits_may_be_off_or_endless() -> None:
    Service(name="A/B.GPServer", max_usage_time=0, max_idle_time=float("inf"), min_instances=0)
