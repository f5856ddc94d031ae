"""Operations in a file whose annotations are texts, as many people write them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, NamedTuple

import pytest

from milepost import Run, operation
from milepost.types import Doc, FeatureSet, LinearUnit, Range

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class Report:
    size: Annotated[float, Doc("Square metres")]
    names: list[str]


class Pair(NamedTuple):
    first: int
    second: str | None


@operation(service="Tests/Future.GPServer")
def measure(run: Run, features: FeatureSet, reach: Annotated[float, Range(0, 10)] = 1.0) -> Report:
    return Report(len(features) * reach, ["a"])


@operation(service="Tests/Future.GPServer")
def pair(run: Run, distance: LinearUnit = "100 Meters") -> Pair:  # type: ignore[assignment]
    return Pair(int(distance.meters), None)


def test_inputs_and_outputs_are_found() -> None:
    assert [(each.name, each.kind) for each in measure.inputs] == [
        ("features", "features"),
        ("reach", "double"),
    ]
    assert [(each.name, each.doc) for each in measure.outputs] == [("size", "Square metres"), ("names", "")]
    assert [(each.name, each.required) for each in pair.outputs] == [("first", True), ("second", False)]


def test_operations_run() -> None:
    checked = measure.check({"features": '{"features": [{}]}', "reach": "2"})
    assert measure.perform(Run(), checked) == {"size": 2.0, "names": ["a"]}
    assert pair.perform(Run(), pair.check({})) == {"first": 100, "second": None}


def test_a_type_for_type_checkers_only_is_named() -> None:
    def work(run: Run, folder: Path) -> None: ...

    with pytest.raises(TypeError, match="name 'Path' is not defined; what a type hint names must be there"):
        operation(service="Tests/Future.GPServer")(work)


def test_a_step_annotated_for_type_checkers_only_keeps_plain_json() -> None:
    def find() -> Path:
        return "a/b"  # type: ignore[return-value]

    assert Run().step("find", find) == "a/b"  # type: ignore[comparison-overlap]
