"""A run in a unit test, without any server: what an operation tells, keeps and undoes."""

import functools
import gc
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from milepost import Notebook, Run, Stop, operation
from milepost.jobs import events as ev
from milepost.operations.run import find_function, function_name
from milepost.types import FeatureSet


def told(run: Run) -> list[Any]:
    """What was told, without times."""
    return [(type(event).__name__, *told_fields(event)) for event in run.notebook.events]


def told_fields(event: ev.AttemptEvent) -> list[Any]:
    return [getattr(event, name) for name in type(event).__struct_fields__ if name not in ("at", "attempt")]


# -- stages --------------------------------------------------------------------------------------


def test_a_stage_starts_and_finishes() -> None:
    run = Run()
    with run.stage("reading"):
        run.message("half")
    assert told(run) == [
        ("StageStarted", "reading"),
        ("MessageAdded", "half", "info", 0),
        ("StageFinished", "reading"),
    ]
    assert all(event.attempt == 1 and event.at > 0 for event in run.notebook.events)


def test_a_stage_that_an_error_leaves_has_failed() -> None:
    run = Run()
    with pytest.raises(OSError, match="disk"), run.stage("reading"):
        raise OSError("disk")
    assert told(run) == [("StageStarted", "reading"), ("StageFailed", "reading")]


def test_a_stage_that_is_stopped_has_neither_failed_nor_finished() -> None:
    run = Run()
    with pytest.raises(Stop), run.stage("reading"):
        raise Stop("cancelled")
    assert told(run) == [("StageStarted", "reading")]


def test_stages_may_lie_in_each_other_but_not_in_themselves() -> None:
    run = Run()
    with run.stage("outer"), run.stage("inner"):
        pass
    with run.stage("outer"):
        pass
    with (
        run.stage("outer"),
        pytest.raises(ValueError, match="stage 'outer' is going on already"),
        run.stage("outer"),
    ):
        pass
    assert [each for each in told(run) if each[1] == "inner"] == [
        ("StageStarted", "inner"),
        ("StageFinished", "inner"),
    ]
    assert [kind for kind, name in told(run) if name == "outer"] == ["StageStarted", "StageFinished"] * 3


def test_stages_can_be_planned() -> None:
    run = Run()
    run.plan_stages("reading", "caf\udce9")
    with run.stage("reading"):
        run.plan_stages("sending")
    assert told(run) == [
        ("StagesPlanned", ["reading", "caf\\udce9"]),
        ("StageStarted", "reading"),
        ("StagesPlanned", ["sending"]),
        ("StageFinished", "reading"),
    ]


def test_a_stage_is_planned_once() -> None:
    run = Run()
    with pytest.raises(ValueError, match="a stage is planned twice; give each stage a name of its own"):
        run.plan_stages("reading", "writing", "reading")
    assert run.notebook.events == []


# -- steps ---------------------------------------------------------------------------------------


@dataclass
class Box:
    low: tuple[float, float]
    when: datetime | None = None


class Pair(NamedTuple):
    name: str
    sizes: dict[int, float]


def make_box() -> Box:
    return Box((0, 1))


def make_pair() -> Pair:
    return Pair("a", {1: 0.5})


def make_features() -> FeatureSet:
    return FeatureSet(features=[{"attributes": {"a": 1}}])


def make_paths() -> list[Path]:
    return [Path("a.tif"), Path("b.tif")]


def make_nothing() -> None: ...


def make_set() -> set[int]:
    return {3, 1}


def make_anything():  # type: ignore[no-untyped-def]
    return ({"a": (1, 2)},)


@pytest.mark.parametrize(
    ("function", "result"),
    [
        (make_box, Box((0.0, 1.0))),
        (make_pair, Pair("a", {1: 0.5})),
        (make_features, FeatureSet(features=[{"attributes": {"a": 1}}])),
        (make_paths, [Path("a.tif"), Path("b.tif")]),
        (make_nothing, None),
        (make_set, {1, 3}),
        (make_anything, [{"a": [1, 2]}]),
    ],
)
def test_a_step_comes_back_the_same_in_every_attempt(function: Callable[[], Any], result: Any) -> None:
    first = Run()
    assert first.step("make", function) == result
    (event,) = first.notebook.events
    assert isinstance(event, ev.StepFinished)
    assert event.name == "make"
    stored = ev.decode(ev.encode(event))
    assert isinstance(stored, ev.StepFinished)

    def never() -> None:
        raise AssertionError("a finished step is not done again")

    again = functools.wraps(function)(never)
    second = Run(steps={"make": stored.result.value})
    returned = second.step("make", again)
    assert returned == result
    assert type(returned) is type(result)
    assert second.notebook.events == []


def test_a_step_passes_arguments_on() -> None:
    def add(a: int, b: int = 0, *, c: int = 0) -> int:
        return a + b + c

    assert Run().step("add", add, 1, 2, c=3) == 6


def test_each_step_has_a_name_of_its_own() -> None:
    run = Run(steps={"kept": 1})
    run.step("fresh", make_nothing)
    run.step("kept", make_anything)
    for name in ("fresh", "kept"):
        with pytest.raises(ValueError, match=f"step '{name}' is done twice in one run"):
            run.step(name, make_nothing)


def test_a_step_that_failed_is_not_kept_and_may_be_tried_again() -> None:
    run = Run()

    def fetch(answers: list[bool]) -> str:
        if not answers.pop():
            raise OSError("no answer")
        return "data"

    answers = [True, False]
    with pytest.raises(OSError, match="no answer"):
        run.step("fetch", fetch, answers)
    assert run.notebook.events == []
    assert run.step("fetch", fetch, answers) == "data"


def test_steps_may_lie_in_each_other() -> None:
    run = Run()

    def outer() -> int:
        return run.step("inner", lambda: 5)

    assert run.step("outer", outer) == 5
    assert [name for _, name, _ in told(run)] == ["inner", "outer"]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (object(), "the result of step 'make' has no JSON form: a object cannot be written"),
        (np.int64(5), "has no JSON form"),
        ({(1, 2): 3}, "has no JSON form"),
        ("\ud800", "has no JSON form"),
    ],
)
def test_a_result_without_a_json_form_is_refused(value: Any, said: str) -> None:
    run = Run()
    with pytest.raises(TypeError, match=said):
        run.step("make", lambda: value)
    assert run.notebook.events == []


def test_a_result_that_is_not_as_annotated_is_refused_before_it_is_kept() -> None:
    def count() -> int:
        return "many"  # type: ignore[return-value]

    def measure() -> float:
        return float("nan")

    run = Run()
    for function in (count, measure):
        with pytest.raises(TypeError, match=f"{function.__name__} returned is not what it is annotated with"):
            run.step(function.__name__, function)
    assert run.notebook.events == []


def test_errors_of_the_function_itself_pass_unchanged() -> None:
    def broken() -> int:
        raise TypeError("Encoding objects of type Map is unsupported")

    with pytest.raises(TypeError, match=r"^Encoding objects of type Map is unsupported$"):
        Run().step("make", broken)


def test_anything_that_can_be_called_can_be_a_step() -> None:
    class Adder:
        def __call__(self, a: int) -> int:
            return a + 1

    run = Run()
    assert run.step("built in", len, [1, 2]) == 2
    assert run.step("partial", functools.partial(max, 5), 3) == 5
    assert run.step("object", Adder(), 1) == 2
    assert run.step("lambda", lambda: [1]) == [1]
    assert run.step("numpy", np.ndarray.tolist, np.array([1, 2])) == [1, 2]


# -- messages, progress, attributes --------------------------------------------------------------


def test_messages_have_levels_and_codes() -> None:
    run = Run()
    run.message("begun")
    run.message("odd", level="warning", code=np.int64(201))  # type: ignore[arg-type]
    run.message(Path("a"), level="error")  # type: ignore[arg-type]
    run.message("caf\udce9")
    assert told(run) == [
        ("MessageAdded", "begun", "info", 0),
        ("MessageAdded", "odd", "warning", 201),
        ("MessageAdded", "a", "error", 0),
        ("MessageAdded", "caf\\udce9", "info", 0),
    ]
    for event in run.notebook.events:
        assert ev.decode(ev.encode(event)) == event


def test_a_message_nobody_could_read_is_refused() -> None:
    run = Run()
    with pytest.raises(ValueError, match="no level 'warn'; use one of info, warning, error, empty, abort"):
        run.message("odd", level="warn")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="code of a message must be a whole number, not '201'"):
        run.message("odd", code="201")  # type: ignore[arg-type]
    assert run.notebook.events == []


def test_progress_that_comes_too_fast_is_left_out_but_never_the_first_and_the_last() -> None:
    run = Run()
    for number in range(10_001):
        run.progress(number / 10_000)
    fractions = [fraction for _, fraction, _ in told(run)]
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert len(fractions) < 10_001
    assert fractions == sorted(fractions)


def test_progress_stays_between_nothing_and_all() -> None:
    for given, reported in [(-1, 0.0), (2, 1.0), (float("inf"), 1.0), (np.float32(0.5), 0.5)]:
        run = Run()
        run.progress(given, "on the way")
        assert told(run) == [("Progressed", reported, "on the way")]
    with pytest.raises(ValueError, match="progress must be a number from 0 to 1"):
        Run().progress(float("nan"))


def test_the_same_progress_is_told_once() -> None:
    run = Run()
    for _ in range(3):
        run.progress(1.0, "done")
    assert told(run) == [("Progressed", 1.0, "done")]


def test_attributes_are_json() -> None:
    run = Run()
    value = {"tiles": [1, (2, 3)]}
    run.attribute("made", value)
    value["tiles"].append(4)
    assert told(run) == [("AttributeSet", "made", {"tiles": [1, [2, 3]]})]
    with pytest.raises(TypeError, match="the attribute 'bad' has no JSON form"):
        run.attribute("bad", object())


# -- stopping ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        lambda run: run.check(),
        lambda run: run.message("a"),
        lambda run: run.progress(0.5),
        lambda run: run.attribute("a", 1),
        lambda run: run.plan_stages("a"),
        lambda run: run.step("a", make_nothing),
        lambda run: run.stage("a").__enter__(),
        lambda run: run.on_rollback(os.remove, "a"),
    ],
)
def test_every_call_stops_work_that_must_stop(call: Callable[[Run], Any]) -> None:
    run = Run()
    assert not run.cancelled
    run.notebook.stop = "cancelled by ada"
    assert run.cancelled
    with pytest.raises(Stop, match="cancelled by ada"):
        call(run)
    assert run.notebook.events == []


def test_stop_passes_through_except_exception() -> None:
    run = Run()

    @operation(service="Tests/Run.GPServer")
    def stubborn(run: Run) -> str:
        while True:
            try:
                run.check()
                run.notebook.stop = "cancelled"
            except Exception:  # noqa: BLE001 - what careless operations do
                continue

    with pytest.raises(Stop):
        stubborn(run)


# -- rollbacks -----------------------------------------------------------------------------------

UNDONE: list[Any] = []


def undo(*what: Any) -> None:
    UNDONE.append(what)


def undo_badly(what: str) -> None:
    raise OSError(f"cannot undo {what}")


@functools.lru_cache
def undo_once(what: str) -> None:
    UNDONE.append(("once", what))


@operation(service="Tests/Run.GPServer")
def undo_as_job(run: Run, what: str) -> None:
    UNDONE.append(("job", what))


def loudly(function: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(function)
    def wrapper(*arguments: Any) -> None:
        UNDONE.append("loudly")
        function(*arguments)

    return wrapper


@loudly
def undo_loudly(what: str) -> None:
    UNDONE.append(what)


class Tool:
    def method(self) -> None: ...

    @staticmethod
    def static(what: str) -> None:
        UNDONE.append(("static", what))


@pytest.fixture(autouse=True)
def _nothing_undone() -> None:
    UNDONE.clear()
    undo_once.cache_clear()


def test_effects_are_undone_last_first() -> None:
    run = Run()
    run.on_rollback(undo, 1, {"a": [2]})
    run.on_rollback(undo, "b")
    run.on_rollback(Tool.static, "c")
    assert told(run) == [
        ("RollbackRecorded", f"{__name__}:undo", [1, {"a": [2]}]),
        ("RollbackRecorded", f"{__name__}:undo", ["b"]),
        ("RollbackRecorded", f"{__name__}:Tool.static", ["c"]),
    ]
    run.roll_back()
    assert UNDONE == [("static", "c"), ("b",), (1, {"a": [2]})]
    run.roll_back()
    assert len(UNDONE) == 3


def test_the_same_effect_is_recorded_once_whichever_attempt_recorded_it() -> None:
    run = Run(rollbacks=[(f"{__name__}:undo", ["earlier"])])
    run.on_rollback(undo, "earlier")
    run.on_rollback(undo, "now")
    run.on_rollback(undo, "now")
    assert len(run.notebook.events) == 1
    run.roll_back()
    assert UNDONE == [("now",), ("earlier",)]


def test_what_could_not_be_undone_does_not_keep_the_rest_from_it() -> None:
    run = Run()
    run.on_rollback(undo, "first")
    run.on_rollback(undo_badly, "second")
    with pytest.raises(OSError, match="cannot undo second"):
        run.roll_back()
    run.roll_back()
    assert UNDONE == [("first",)]


@pytest.mark.parametrize(
    "function",
    [undo, undo_once, undo_loudly, undo_as_job, Tool.static, os.remove, os.path.join],
    ids=lambda function: getattr(function, "__qualname__", "?"),
)
def test_a_function_of_a_module_is_found_again_decorated_or_not(function: Any) -> None:
    assert find_function(function_name(function)) is function


def test_a_decorated_function_is_undone_as_decorated() -> None:
    run = Run()
    run.on_rollback(undo_loudly, "x")
    run.on_rollback(undo_once, "y")
    run.roll_back()
    assert UNDONE == [("once", "y"), "loudly", "x"]


def test_a_function_that_cannot_be_imported_is_refused() -> None:
    def local() -> None: ...

    run = Run()
    for function in (lambda: None, local, functools.partial(undo, 1)):
        with pytest.raises(
            TypeError, match="cannot be imported by its name, which undoing after a crash needs"
        ):
            run.on_rollback(function)
    for function in (Tool().method, undo_loudly.__wrapped__):  # type: ignore[attr-defined]
        with pytest.raises(TypeError, match="names something else than"):
            run.on_rollback(function)
    assert run.notebook.events == []


def test_arguments_of_a_rollback_must_be_json() -> None:
    run = Run()
    for argument in (Path("a"), object(), "\ud800"):
        with pytest.raises(TypeError, match=r"an argument of .*:undo has no JSON form"):
            run.on_rollback(undo, argument)
    assert run.notebook.events == []


# -- workspace and channel -----------------------------------------------------------------------


def test_a_workspace_of_its_own_goes_with_the_run() -> None:
    run = Run()
    workspace = run.workspace
    (workspace / "a").write_text("b")
    assert run.workspace == workspace
    assert Run().workspace != workspace
    del run
    gc.collect()
    assert not workspace.exists()


def test_a_given_workspace_is_used_and_left_alone(tmp_path: Path) -> None:
    run = Run(workspace=tmp_path)
    assert run.workspace == tmp_path
    del run
    gc.collect()
    assert tmp_path.exists()


def test_a_run_talks_to_the_channel_it_is_given() -> None:
    channel = Notebook()
    channel.attempt = 3
    run = Run(channel)
    run.message("hello")
    assert [event.attempt for event in channel.events] == [3]
    assert run.notebook.events == []
