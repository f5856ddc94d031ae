"""A where clause means what the same condition means in Python, and nothing else gets through."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milepost.features import Definition, FeatureServices, Selection, WhereError
from milepost.features.where import read_where
from tests.features.conftest import LAYERS, feature

POINTS = LAYERS[0]
NOW = datetime(2026, 9, 21, 12, 0, tzinfo=UTC)

NAMES = [None, "", "Zürich", "ZÜRICH", "a%b", "a_b", "it's", "[x]*?", "A", "a"]
WHOLES = [None, -3, 0, 1, 2, 2**31 - 1]
REALS = [None, -1.5, 0.0, 0.25, 1e10]
MOMENTS = [None, 0, 1_790_000_000_000, 1_790_000_000_001, -1]


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """A layer, and what is in it."""
    service = FeatureServices(tmp_path_factory.mktemp("where")).create(
        "s", Definition(owner="ann", layers=LAYERS)
    )
    values = [
        {
            "name": NAMES[number % len(NAMES)],
            "whole": WHOLES[number * 7 % len(WHOLES)],
            "real": REALS[number * 3 % len(REALS)],
            "seen": MOMENTS[number * 11 % len(MOMENTS)],
        }
        for number in range(120)
    ]
    service.add(0, [feature({"x": 0, "y": 0}, **each) for each in values])
    return service.layers[0], values


# A condition: its SQL, and what it says of a row; None is SQL's unknown.
Condition = tuple[str, Callable[[dict[str, Any]], bool | None]]

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def comparison(field: str, operator: str, literal: str, value: Any) -> Condition:
    def holds(row: dict[str, Any]) -> bool | None:
        return None if row[field] is None else OPERATORS[operator](row[field], value)

    return f"{field} {operator} {literal}", holds


def like(pattern: str) -> Condition:
    def matches(text: str, pattern: str) -> bool:
        if not pattern:
            return not text
        if pattern[0] == "%":
            return any(matches(text[start:], pattern[1:]) for start in range(len(text) + 1))
        return bool(text) and pattern[0] in ("_", text[0]) and matches(text[1:], pattern[1:])

    def holds(row: dict[str, Any]) -> bool | None:
        return None if row["name"] is None else matches(row["name"], pattern)

    return f"name LIKE {quoted(pattern)}", holds


def stamp(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"TIMESTAMP '{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}.{rest:03}'"


operators = st.sampled_from(sorted(OPERATORS))
texts = st.one_of(st.sampled_from([each for each in NAMES if each is not None]), st.text(max_size=3))
numbers = st.one_of(st.sampled_from([-3, 0, 1, 2, 0.25, -1.5]), st.integers(-(2**40), 2**40))
simple: st.SearchStrategy[Condition] = st.one_of(
    st.builds(
        lambda o, v: comparison("name", o, quoted(v), v), operators, texts.filter(lambda t: "\x00" not in t)
    ),
    st.builds(
        lambda f, o, v: comparison(f, o, f"{v}" if v >= 0 else f"({v})", v),
        st.sampled_from(["whole", "real"]),
        operators,
        numbers,
    ),
    st.builds(
        lambda o, v: comparison("seen", o, stamp(v), v),
        operators,
        st.sampled_from([m for m in MOMENTS if m is not None]),
    ),
    st.builds(like, st.text(alphabet="aAb%_*?[]xü'", max_size=4)),
    st.sampled_from(["name", "whole", "real", "seen"]).map(
        lambda f: (f"{f} IS NULL", lambda row: row[f] is None)
    ),
    st.sampled_from(["name", "whole"]).map(lambda f: (f"{f} IS NOT NULL", lambda row: row[f] is not None)),
    st.lists(numbers, min_size=1, max_size=3).map(
        lambda vs: (
            f"whole IN ({', '.join(map(str, vs))})",
            lambda row: None if row["whole"] is None else row["whole"] in vs,
        )
    ),
    st.tuples(numbers, numbers).map(
        lambda p: (
            f"real BETWEEN {p[0]} AND {p[1]}",
            lambda row: None if row["real"] is None else p[0] <= row["real"] <= p[1],
        )
    ),
    st.tuples(st.integers(-9, 9), st.integers(-9, 9)).map(
        lambda p: (
            f"whole * {p[0]} + 1 > {p[1]}",
            lambda row: None if row["whole"] is None else row["whole"] * p[0] + 1 > p[1],
        )
    ),
    st.sampled_from(["Zürich", "A", "x"]).map(
        lambda v: (
            f"UPPER(name) = UPPER({quoted(v)})",
            lambda row: None if row["name"] is None else row["name"].upper() == v.upper(),
        )
    ),
)


def both(a: Condition, b: Condition) -> Condition:
    def holds(row: dict[str, Any]) -> bool | None:
        told = a[1](row), b[1](row)
        return False if False in told else None if None in told else True

    return f"({a[0]}) AND ({b[0]})", holds


def either(a: Condition, b: Condition) -> Condition:
    def holds(row: dict[str, Any]) -> bool | None:
        told = a[1](row), b[1](row)
        return True if True in told else None if None in told else False

    return f"({a[0]}) OR ({b[0]})", holds


def neither(a: Condition) -> Condition:
    def holds(row: dict[str, Any]) -> bool | None:
        told = a[1](row)
        return None if told is None else not told

    return f"NOT ({a[0]})", holds


conditions = st.recursive(
    simple,
    lambda inner: st.one_of(
        st.builds(both, inner, inner), st.builds(either, inner, inner), inner.map(neither)
    ),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(condition=conditions)
def test_a_clause_finds_the_rows_that_the_same_condition_finds_in_python(rows, condition):
    layer, values = rows
    sql, holds = condition
    assert layer.ids(Selection(where=sql)) == [
        number for number, row in enumerate(values, 1) if holds(row) is True
    ]


@pytest.mark.parametrize(
    ("where", "count"),
    [
        ("1=1", 4),
        ("", 4),
        ("seen = DATE '2001-09-21'", 1),
        ("seen >= date '2001-09-21' AND seen < DATE '2001-09-22'", 2),
        ("seen > '2001-09-21 00:00:00'", 2),
        ("seen > CURRENT_TIMESTAMP - INTERVAL '7' DAY", 1),
        ("seen > CURRENT_TIMESTAMP - 1", 1),
        ("seen + INTERVAL '1' HOUR > TIMESTAMP '2001-09-22 00:00:00'", 2),
        ("day = DATE '2001-09-21'", 1),
        ("day = '2001-09-21'", 1),
        ("day < CURRENT_TIMESTAMP", 1),
        ("day <= seen", 1),
        ("OBJECTID = '2'", 1),
        ("objectid IN (1, '3')", 2),
        ("code = '9c5f1e4e-2b0c-4b5e-9b1a-0a3f6d7c8e91'", 1),
        ("code = '{9C5F1E4E-2B0C-4B5E-9B1A-0A3F6D7C8E91}'", 1),
        ("name = N'first'", 1),
        ("name LIKE 'f\\_%' ESCAPE '\\'", 0),
        ("name LIKE 'fi_st'", 1),
        ("name NOT LIKE 'f%'", 3),
        ("name || '!' = 'first!'", 1),
        ("CHAR_LENGTH(name) > 5", 2),
        ("ABS(whole) = 3", 1),
        ("whole % 2 = 1", 1),
        ("whole / 0 = 1", 0),
        ("\"name\" = 'first'", 1),
        ("name = NULL", 0),
        ("true", 4),
    ],
)
def test_what_clients_write_is_understood(service, where, count):
    moment = 1_001_030_400_000  # 2001-09-21
    service.add(
        0,
        [
            feature(
                name="first",
                whole=-3,
                seen=moment,
                day="2001-09-21",
                code="{9C5F1E4E-2B0C-4B5E-9B1A-0A3F6D7C8E91}",
            ),
            feature(name="second", whole=2, seen=moment + 86_399_999),
            feature(name="third one", whole=5, seen=4_102_444_800_000),
            feature(name="4", day="2100-01-01"),
        ],
    )
    assert service.layers[0].count(Selection(where=where)) == count


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("name = 'x'; DROP TABLE points", "no condition in SQL"),
        ("name = 'x' UNION SELECT 1", "no condition in SQL"),
        ("OBJECTID IN (SELECT 1)", "must not hold"),
        ("EXISTS (SELECT 1)", "must not hold"),
        ("load_extension('x') = 1", "must not hold"),
        ("randomblob(1000000000) = 1", "must not hold"),
        ("CASE WHEN 1=1 THEN 1 ELSE 0 END = 1", "must not hold"),
        ("name = ?", "must not hold"),
        ("name = :x", "must not hold"),
        ("sqlite_master.name = 'x'", "names 'sqlite_master.name'"),
        ("rowid = 1", "names 'rowid'"),
        ("shape IS NULL", "names 'shape'"),
        ("nobody = 1", "the fields are OBJECTID, name"),
        ("name", "where a comparison belongs"),
        ("1", "where a comparison belongs"),
        ("name = 5 + 'x'", "where a number belongs"),
        ("name = whole", "compares a number with text"),
        ("whole = 'many'", "where a number belongs"),
        ("seen = 'yesterday'", "where a date belongs"),
        ("seen > 5", "compares a date with time with a number"),
        ("seen > TIMESTAMP '2026-13-01'", "where a date belongs"),
        ("seen - INTERVAL '1' MONTH > seen", "an INTERVAL is in"),
        ("code = 'x'", "where a GUID belongs"),
        ("name LIKE name", "a text in quotes after LIKE"),
        ("name IN ()", "empty list"),
        ("whole = 'x", "no condition in SQL"),
        ("whole = (", "no condition in SQL"),
        ("(" * 3000 + "1=1" + ")" * 3000, "nested too deeply"),
        ("name = '" + "x" * 60_000 + "'", "more than 50000 characters"),
    ],
)
def test_anything_else_is_refused_with_the_reason(where, said):
    with pytest.raises(WhereError, match="where clause") as caught:
        read_where(where, POINTS, NOW)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 600


@settings(max_examples=300, deadline=None)
@given(
    where=st.one_of(
        st.text(max_size=40),
        st.lists(
            st.sampled_from(
                re.findall(
                    r"\S+",
                    "name whole seen day code ( ) , = <> < LIKE IN BETWEEN AND OR NOT IS NULL 'x' '2026-01-01' 1 -1 1e999 "
                    "99999999999999999999 * / % || + - UPPER( TIMESTAMP DATE INTERVAL DAY CURRENT_TIMESTAMP CAST( AS "
                    "SELECT FROM ; -- /* ? [ ] { } \" ` $1 :a @b ESCAPE '\\' CASE WHEN END EXTRACT( YEAR",
                )
            ),
            max_size=9,
        ).map(" ".join),
    )
)
def test_whatever_is_written_is_answered_or_refused(rows, where):
    layer, values = rows
    try:
        count = layer.count(Selection(where=where))
    except WhereError:
        return
    assert 0 <= count <= len(values)
