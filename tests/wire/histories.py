"""Jobs with any legal history."""

from typing import Any, get_args

from hypothesis import strategies as st

from milepost.jobs import Job, JobError, Kept, Level, Outcome, apply
from milepost.jobs import events as ev
from milepost.jobs.job import submit
from tests.jobs.test_job_properties import CHANGES, DELETED, KINDS

TIMES = st.integers(1_500_000_000_000, 1_900_000_000_000)
"""Milliseconds of this time: 13 digits."""

NAMES = st.sampled_from(["a", "b", "c"])
TEXTS = st.sampled_from(["", "Begun.", '<b>"ü"</b>\n', "Invalid"])
VALUES = st.sampled_from(
    [None, True, 0, -7, 0.5, "", "/a/admin/system/b", [1, ["a"]], {}, {"name": "x", "error": {"code": 1}}]
)
KEPT = VALUES.map(Kept)
INPUTS = st.sampled_from(["aoiLayer", "aoiFeatureId", "productName", "productVersion", "outputType", "error"])
FACTS = st.sampled_from(
    [
        "operationURI",
        "name",
        "resource",
        "type",
        "missionId",
        "savingToStorage",
        "newLayerId",
        "error",
        "code",
    ]
)

# Few and odd values for every field of every event: histories are long, so each draw must be cheap.
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "owner": NAMES,
    "service": st.sampled_from(["Folder/Tools.GPServer", "Tools.GPServer", "missions", ""]),
    "operation": NAMES,
    "inputs": st.dictionaries(INPUTS, KEPT, max_size=4),
    "priority": st.just(0),
    "key": TEXTS,
    "request": TEXTS,
    "attributes": st.dictionaries(FACTS, VALUES, max_size=3),
    "reason": TEXTS,
    "worker": NAMES,
    "pid": st.just(7),
    "born": st.just(1.5),
    "name": NAMES,
    "names": st.lists(NAMES, max_size=3),
    "result": KEPT,
    "results": st.dictionaries(NAMES, KEPT, max_size=3),
    "text": TEXTS,
    "level": st.sampled_from(get_args(Level)),
    "code": st.integers(-1, 2000),
    "fraction": st.floats(0, 1),
    "value": VALUES,
    "function": st.just("os:remove"),
    "arguments": st.just([]),
    "outcome": st.sampled_from(get_args(Outcome)),
    "number": st.integers(0, 2),
    "error": TEXTS,
    "crash": st.booleans(),
    "stop": st.booleans(),
    "by": NAMES,
}


@st.composite
def jobs(draw: st.DrawFn, times: st.SearchStrategy[int] = TIMES) -> Job:
    """A job and all that may have happened to it, in any order that ``apply`` allows."""

    def event(kind: type[ev.Event], attempt: int) -> ev.Event:
        known = {"at": times, "attempt": st.just(attempt)}
        if kind is ev.AttributeSet:
            known["name"] = FACTS
        return kind(**{name: draw({**FIELDS, **known}[name]) for name in kind.__struct_fields__})

    begin = event(ev.Submitted, 0)
    assert isinstance(begin, ev.Submitted)
    job = submit(draw(st.uuids()).hex, begin)
    for _ in range(draw(st.integers(0, 25))):
        if int(job.status) == DELETED:
            break
        kinds = [kind for kind in KINDS if kind not in CHANGES or int(job.status) in CHANGES[kind][0]]
        kind = draw(st.sampled_from(kinds))
        try:
            job = apply(job, event(kind, job.attempt + (kind is ev.Started)))
        except JobError:
            continue
    return job
