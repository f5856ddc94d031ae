"""An operation is described by its signature; what could never work is refused at once."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, IntEnum
from functools import partial, wraps
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Optional

import pytest

from milepost import Run, operation
from milepost.operations import Operation, Parameter
from milepost.types import Choices, DataFile, Doc, FeatureSet, LinearUnit, Range, Raster, RecordSet

HERE = "Tests/Signatures.GPServer"


def declared(function: Callable[..., Any]) -> Operation[..., Any]:
    return operation(service=HERE)(function)


def only_input(function: Callable[..., Any]) -> Parameter:
    (parameter,) = declared(function).inputs
    return parameter


class Colour(Enum):
    RED = "red"
    GREEN = "green"


class Depth(IntEnum):
    SHALLOW = 1
    DEEP = 2


class Weight(Enum):
    LIGHT = 0.5
    HEAVY = 2.0


@pytest.mark.parametrize(
    ("hint", "kind"),
    [
        (str, "string"),
        (int, "long"),
        (float, "double"),
        (bool, "boolean"),
        (datetime, "date"),
        (LinearUnit, "linear_unit"),
        (FeatureSet, "features"),
        (RecordSet, "records"),
        (Raster, "raster"),
        (DataFile, "file"),
    ],
)
def test_every_type_has_its_kind_alone_in_a_list_and_optional(hint: Any, kind: str) -> None:
    def one(run: Run, value: hint) -> None: ...

    def several(run: Run, value: list[hint]) -> None: ...

    def perhaps(run: Run, value: hint | None) -> None: ...

    def perhaps_several(run: Run, value: Optional[list[hint]] = None) -> None: ...  # noqa: UP045

    told = [
        (p.kind, p.multiple, p.required) for p in map(only_input, (one, several, perhaps, perhaps_several))
    ]
    assert told == [(kind, False, True), (kind, True, True), (kind, False, False), (kind, True, False)]


@pytest.mark.parametrize(
    ("hint", "kind", "choices"),
    [
        (Literal["a", "b"], "string", ("a", "b")),
        (Literal[1, 2], "long", (1, 2)),
        (Literal[True], "boolean", (True,)),
        (Colour, "string", ("red", "green")),
        (Depth, "long", (1, 2)),
        (Weight, "double", (0.5, 2.0)),
        (Literal[Colour.GREEN], "string", ("green",)),
        (Annotated[str, Choices("a", "b")], "string", ("a", "b")),
        (Annotated[float, Choices(0.5, 1.0)], "double", (0.5, 1.0)),
        (list[Literal["a", "b"]], "string", ("a", "b")),
        (Literal["a", None], "string", ("a",)),
    ],
)
def test_choices_can_be_said_in_several_ways(hint: Any, kind: str, choices: tuple[Any, ...]) -> None:
    def choose(run: Run, value: hint) -> None: ...

    parameter = only_input(choose)
    assert (parameter.kind, parameter.choices) == (kind, choices)


def test_a_literal_with_none_is_optional() -> None:
    def choose(run: Run, value: Literal["a", None]) -> None: ...

    assert not only_input(choose).required


def test_marks_say_limits_and_words() -> None:
    def turn(run: Run, angle: Annotated[list[Annotated[float, Range(0, 90)]], Doc("In degrees")]) -> None:
        """Args:
        angle: not this
        """

    parameter = only_input(turn)
    assert (parameter.range, parameter.doc, parameter.multiple) == (Range(0, 90), "In degrees", True)


@pytest.mark.parametrize(
    ("hint", "default", "form"),
    [
        (str, "a", "a"),
        (str, "", ""),
        (int, 5, 5),
        (float, 5, 5.0),
        (bool, False, False),
        (datetime, datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC), 1000),
        (datetime, datetime(1970, 1, 1, 0, 0, 1), 1000),  # noqa: DTZ001 - without a zone it is UTC
        (datetime, "1970-01-01T00:00:01Z", 1000),
        (LinearUnit, LinearUnit("100 Meters"), {"distance": 100.0, "units": "esriMeters"}),
        (LinearUnit, "100 Meters", {"distance": 100.0, "units": "esriMeters"}),
        (Colour, Colour.GREEN, "green"),
        (Colour, "GREEN", "green"),
        (Depth, Depth.DEEP, 2),
        (Literal["a", "b"], "b", "b"),
        (list[str], [], []),
        (list[str], ("a", "b"), ["a", "b"]),
        (list[Colour], [Colour.RED], ["red"]),
        (list[LinearUnit], ["1 Feet"], [{"distance": 1.0, "units": "esriFeet"}]),
        (RecordSet, RecordSet(), {"fields": [], "features": []}),
        (
            FeatureSet,
            FeatureSet(),
            {"geometryType": "esriGeometryPoint", "spatialReference": {}, "fields": [], "features": []},
        ),
        (float | None, None, None),
        (int, None, None),
    ],
)
def test_a_default_has_a_json_form(hint: Any, default: Any, form: Any) -> None:
    def work(run: Run, value: hint = default) -> None: ...

    parameter = only_input(work)
    assert parameter.default == form
    assert not parameter.required


@pytest.mark.parametrize(
    ("hint", "default", "said"),
    [
        (int, "x", "the default of parameter 'value' does not fit: 'x' is not a number"),
        (LinearUnit, "5 lightyears", "unknown unit 'lightyears'"),
        (LinearUnit, datetime(2026, 1, 1, tzinfo=UTC), "should be linear_unit"),
        (Literal["a"], "b", "none of the choices"),
        (Annotated[int, Range(0, 5)], 6, "not between 0 and 5"),
        (float, float("nan"), "finite"),
        (DataFile, DataFile("/etc/passwd"), "a file has no default; use None"),
        (list[str], "a", "not valid JSON"),
    ],
)
def test_a_default_that_does_not_fit_is_refused(hint: Any, default: Any, said: str) -> None:
    def work(run: Run, value: hint = default) -> None: ...

    with pytest.raises(TypeError, match="'value'") as caught:
        declared(work)
    assert said in str(caught.value)


class Nothing(Enum):
    pass


class Mixed(Enum):
    ONE = 1
    TWO = "two"


@pytest.mark.parametrize(
    ("hint", "said"),
    [
        (bytes, "is no type that clients can use; use one of str, int"),
        (list, "is no type that clients can use"),
        (dict[str, int], "is no type that clients can use"),
        (Any, "is no type that clients can use"),
        (Nothing, "is no type that clients can use"),
        (Literal[None], "is no type that clients can use"),
        (int | str, "a union can only be one type or None"),
        (int | str | None, "a union can only be one type or None"),
        (list[list[int]], "a list cannot hold lists"),
        (list[int | None], "the values in a list cannot be None"),
        (Mixed, "not all of one type"),
        (Literal["a", 1], "not all of one type"),
        (Annotated[int, Choices("a", "b")], "not all of one type that fits"),
        (Annotated[LinearUnit, Choices(1, 2)], "there are no choices for LinearUnit"),
        (Annotated[LinearUnit, Range(0, 5)], "a Range is for int and float, not for LinearUnit"),
        (Annotated[str, Range(0, 5)], "a Range is for int and float, not for str"),
        (Annotated[int, Range(5, 0)], "no number lies in"),
        (Annotated[int, Range(float("nan"), 0)], "no number lies in"),
    ],
)
def test_a_type_that_no_client_could_fill_is_refused(hint: Any, said: str) -> None:
    def work(run: Run, value: hint) -> None: ...

    with pytest.raises(TypeError, match="'value'") as caught:
        declared(work)
    assert said in str(caught.value)


def test_each_argument_says_what_it_means() -> None:
    def work(run: Run, near: float, far: float, odd: str = "", bare: str = "") -> None:
        """Does it.

        More: about it.

        Args:
            run: The run.
            near (float): The near end: in metres,
                measured along the ground.

            far: The far end.
            odd: See https://example.org/odd.

        Returns:
            Nothing: at all.
        """

    assert {each.name: each.doc for each in declared(work).inputs} == {
        "near": "The near end: in metres, measured along the ground.",
        "far": "The far end.",
        "odd": "See https://example.org/odd.",
        "bare": "",
    }
    assert declared(work).summary == "Does it."
    assert declared(work).description == "Does it.\n\nMore: about it."


def test_a_docstring_may_hold_anything_or_be_missing() -> None:
    def quoting(run: Run) -> None:
        '''Says """hello""" in 'quotes' and Example: inline.

        Example:
            quoting()
        '''

    def silent(run: Run) -> None: ...

    def only_sections(run: Run, a: int = 0) -> None:
        """Args:
        a: A number.
        """

    assert declared(quoting).description == 'Says """hello""" in \'quotes\' and Example: inline.'
    assert (declared(silent).summary, declared(silent).description) == ("", "")
    assert declared(only_sections).description == ""


class Pair(NamedTuple):
    near: FeatureSet
    count: Annotated[int, Doc("How many")]


@dataclass
class Report:
    size: float
    note: str | None = None
    tags: list[str] = field(default_factory=list)
    shared: ClassVar[int] = 5


def test_outputs_are_the_fields_of_what_is_returned() -> None:
    def pair(run: Run) -> Pair: ...

    def report(run: Run) -> Report: ...

    def one(run: Run) -> Annotated[FeatureSet, Doc("The polygons")]: ...

    def nothing(run: Run) -> None: ...

    def silent(run): ...  # type: ignore[no-untyped-def]

    told = [(each.name, each.kind, each.doc, each.required) for each in declared(pair).outputs]
    assert told == [("near", "features", "", True), ("count", "long", "How many", True)]
    assert [(each.name, each.required) for each in declared(report).outputs] == [
        ("size", True),
        ("note", False),
        ("tags", True),
    ]
    assert [(each.name, each.doc) for each in declared(one).outputs] == [("result", "The polygons")]
    assert declared(nothing).outputs == []
    assert declared(silent).outputs == []


def test_an_output_that_no_client_could_read_is_refused() -> None:
    def work(run: Run) -> dict[str, int]: ...

    with pytest.raises(TypeError, match="'result'"):
        declared(work)


def test_the_first_argument_is_the_run() -> None:
    def nothing() -> None: ...

    def other(features: FeatureSet) -> None: ...

    def keyword(*, run: Run) -> None: ...

    def variadic(*run: Run) -> None: ...

    for function in (nothing, other, keyword, variadic):
        with pytest.raises(TypeError, match="the first argument must be the run: def"):
            declared(function)

    def bare(run, distance: float) -> None: ...  # type: ignore[no-untyped-def]

    def named(job: Run, distance: float) -> None: ...

    assert [each.name for each in declared(bare).inputs] == ["distance"]
    assert [each.name for each in declared(named).inputs] == ["distance"]


def test_arguments_that_cannot_be_named_are_refused() -> None:
    def several(run: Run, *values: int) -> None: ...

    def keywords(run: Run, **values: int) -> None: ...

    def by_place(run: Run, value: int, /) -> None: ...

    def bare(run: Run, value) -> None: ...  # type: ignore[no-untyped-def]

    for function in (several, keywords, by_place):
        with pytest.raises(TypeError, match="cannot be a parameter"):
            declared(function)
    with pytest.raises(TypeError, match="parameter 'value' has no type hint"):
        declared(bare)

    def by_name(run: Run, *, value: int) -> None: ...

    assert only_input(by_name).name == "value"


@pytest.mark.parametrize("name", ["f", "token", "context", "callback", "returnMessages", "gis", "future"])
def test_a_name_that_the_protocols_use_is_refused(name: str) -> None:
    scope: dict[str, Any] = {}
    exec(f"def work(run, {name}: int = 0): ...", scope)
    with pytest.raises(TypeError, match=f"parameter name '{name}' is taken"):
        declared(scope["work"])


def test_names_that_are_one_for_clients_are_refused() -> None:
    def inputs(run: Run, OutText: str, out_text: str) -> None: ...  # noqa: N803

    class Both(NamedTuple):
        OutText: str
        out_text: str

    def outputs(run: Run) -> Both: ...

    def keyword(run: Run, Class: str) -> None: ...  # noqa: N803

    for function in (inputs, outputs):
        with pytest.raises(TypeError, match="'OutText' and 'out_text' are the same in snake case"):
            declared(function)
    with pytest.raises(TypeError, match="'Class' is a word of Python in snake case"):
        declared(keyword)


def test_an_input_and_an_output_may_share_a_name() -> None:
    def work(run: Run, size: float, tags: list[str]) -> Report: ...

    assert [each.name for each in declared(work).inputs] == ["size", "tags"]


def test_what_is_no_plain_function_is_refused() -> None:
    async def waits(run: Run) -> None: ...

    async def yields_later(run: Run) -> AsyncIterator[int]:
        yield 1

    def yields(run: Run) -> Iterator[int]:
        yield 1

    class Tool:
        def method(self, run: Run) -> None: ...

        @staticmethod
        def static(run: Run) -> None: ...

    for function, said in [
        (waits, "is async; an operation has a process of its own"),
        (yields_later, "is async"),
        (yields, "is a generator"),
        (Tool.method, "is a method"),
        (Tool.static, "is a method"),
        (Tool().method, "is no function"),
        (Tool, "is no function"),
        (partial(yields), "is no function"),
        (len, "is no function"),
        (5, "is no function"),
        (lambda run: None, "a lambda has no name"),
        (declared(nothing_to_do), "is an operation already"),
    ]:
        with pytest.raises(TypeError, match=said):
            declared(function)  # type: ignore[arg-type]


def nothing_to_do(run: Run) -> None: ...


def test_a_decorated_function_keeps_its_parameters() -> None:
    def loud(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return f"{function(*args, **kwargs)}!"

        return wrapper

    @operation(service=HERE)
    @loud
    def greet(run: Run, name: str = "you") -> str:
        return f"Hello {name}"

    assert [each.name for each in greet.inputs] == ["name"]
    assert greet.perform(Run(), {"name": "Ada"}) == {"result": "Hello Ada!"}


def test_hints_that_are_not_there_at_run_time_are_refused() -> None:
    scope: dict[str, Any] = {}
    exec("def work(run, value: 'Missing'): ...", scope)
    with pytest.raises(
        TypeError, match="name 'Missing' is not defined; what a type hint names must be there"
    ):
        declared(scope["work"])
