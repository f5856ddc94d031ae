"""The ``where`` of a query: parsed, checked against a list of what may be said, and written anew.

What a client wrote is never a part of a statement: fields are looked up, values are bound. The
language is that of Esri's standardized queries, as far as a layer can answer it.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import sqlglot
from sqlglot import exp

from milepost.features.definition import Layer
from milepost.features.errors import WhereError
from milepost.features.fields import FieldType, milliseconds, written
from milepost.features.literals import (
    DAY,
    GUID,
    MOMENT,
    NOTHING,
    NUMBER,
    TEXT,
    Clause,
    Value,
    as_day,
    as_guid,
    as_moment,
    beginning,
    bound,
    glob,
    number_value,
    text_value,
)

LONGEST: Final = 50_000
"""Characters of a clause."""


_KINDS: Final = {
    FieldType.OBJECT_ID: NUMBER,
    FieldType.GLOBAL_ID: GUID,
    FieldType.GUID: GUID,
    FieldType.TEXT: TEXT,
    FieldType.SHORT: NUMBER,
    FieldType.LONG: NUMBER,
    FieldType.BIG: NUMBER,
    FieldType.SINGLE: NUMBER,
    FieldType.DOUBLE: NUMBER,
    FieldType.MOMENT: MOMENT,
    FieldType.DAY: DAY,
}
_COMPARISONS: Final = {exp.EQ: "=", exp.NEQ: "<>", exp.GT: ">", exp.GTE: ">=", exp.LT: "<", exp.LTE: "<="}
_ARITHMETIC: Final = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%"}
_UNITS: Final = {"SECOND": 1, "MINUTE": 60, "HOUR": 3600, "DAY": 86400}


def read_where(text: str, layer: Layer, now: datetime | None = None) -> Clause:
    """The condition that a client wrote; one that is always true if it wrote none.

    Args:
        text: in SQL.
        layer: whose fields it may name.
        now: what CURRENT_TIMESTAMP means; the present moment if None.

    Raises:
        WhereError: it is not understood, or says what may not be said.
    """
    if not text.strip():
        return Clause("1", ())
    if len(text) > LONGEST:
        raise WhereError(f"the where clause has more than {LONGEST} characters; send objectIds instead")
    try:
        tree = sqlglot.parse_one(text, into=exp.Condition)
        return _Reader(layer, now or datetime.now(UTC)).condition(tree)
    except sqlglot.errors.SqlglotError as error:
        raise WhereError(f"the where clause is no condition in SQL: {_reason(error)}") from None
    except RecursionError:
        raise WhereError("the where clause is nested too deeply") from None


def _reason(error: sqlglot.errors.SqlglotError) -> str:
    for each in getattr(error, "errors", None) or ():
        if each.get("description"):
            near = f"{each.get('start_context', '')[-30:]}{each.get('highlight', '')}".strip()
            return f"{each['description'].rstrip('.')} near {near!r}"
    return str(error).splitlines()[0][:200]


def _only(node: Any, *names: str) -> None:
    """Refuse a node that says more than these parts of it."""
    more = [name for name, part in node.args.items() if part not in (None, False, []) and name not in names]
    if more:
        raise _refused(node)


def _refused(node: Any) -> WhereError:
    shown = node.sql()
    return WhereError(f"the where clause must not hold {shown[:80]!r}: {_ALLOWED}")


_ALLOWED: Final = (
    "it may compare fields, numbers, texts and dates with =, <>, <, <=, >, >=, LIKE, IN, BETWEEN and IS NULL,"
    " join that with AND, OR and NOT, and use + - * / %, ||, UPPER, LOWER, CHAR_LENGTH, ABS, CURRENT_DATE,"
    " CURRENT_TIMESTAMP and INTERVAL"
)


class _Reader:
    """Writes a tree anew, for one layer and one moment."""

    def __init__(self, layer: Layer, now: datetime):
        self._layer = layer
        self._now = now

    def condition(self, node: Any) -> Clause:
        """What is true or false."""
        match node:
            case exp.Paren():
                _only(node, "this")
                return self.condition(node.this)
            case exp.And() | exp.Or():
                parts = [self.condition(each) for each in node.flatten(unnest=False)]
                word = " AND " if isinstance(node, exp.And) else " OR "
                return Clause(f"({word.join(each.sql for each in parts)})", _all(parts))
            case exp.Not():
                _only(node, "this")
                part = self.condition(node.this)
                return Clause(f"(NOT {part.sql})", part.values)
            case exp.Boolean():
                return Clause("1" if node.this else "0", ())
            case exp.EQ() | exp.NEQ() | exp.GT() | exp.GTE() | exp.LT() | exp.LTE():
                _only(node, "this", "expression")
                left, right = self._alike(self.value(node.this), self.value(node.expression))
                return Clause(
                    f"({left.sql} {_COMPARISONS[type(node)]} {right.sql})", left.values + right.values
                )
            case exp.Between():
                _only(node, "this", "low", "high")
                three = self._alike(*map(self.value, (node.this, node.args["low"], node.args["high"])))
                return Clause(f"({three[0].sql} BETWEEN {three[1].sql} AND {three[2].sql})", _all(three))
            case exp.In():
                _only(node, "this", "expressions")
                if not node.expressions:
                    raise WhereError("the where clause has an empty list after IN")
                sought, *given = all_of = self._alike(*map(self.value, (node.this, *node.expressions)))
                return Clause(f"({sought.sql} IN ({', '.join(each.sql for each in given)}))", _all(all_of))
            case exp.Is():
                _only(node, "this", "expression")
                if not isinstance(node.expression, exp.Null):
                    raise _refused(node)
                asked = self.value(node.this)
                return Clause(f"({asked.sql} IS NULL)", asked.values)
            case exp.Like() | exp.Escape():
                return self._like(node)
            case exp.Column() | exp.Literal():
                raise WhereError(f"the where clause has {node.sql()[:80]!r} where a comparison belongs")
            case _:
                raise _refused(node)

    def value(self, node: Any) -> Value:
        """What has a value."""
        match node:
            case exp.Paren():
                _only(node, "this")
                return self.value(node.this)
            case exp.Column():
                return self._field(node)
            case exp.Literal():
                return text_value(node.this) if node.is_string else number_value(node.this)
            case exp.National():
                return text_value(str(node.this))
            case exp.Null():
                return Value("NULL", (), NOTHING)
            case exp.Neg():
                part = self._of(NUMBER, node.this)
                return Value(f"(-{part.sql})", part.values, NUMBER)
            case exp.Cast():
                return self._date(node)
            case exp.CurrentTimestamp():
                _only(node)
                return bound(written(self._now), MOMENT)
            case exp.CurrentDate():
                _only(node)
                return bound(self._now.date().isoformat(), DAY)
            case exp.Add() | exp.Sub() | exp.Mul() | exp.Div() | exp.Mod():
                return self._arithmetic(node)
            case exp.DPipe():
                left, right = self._of(TEXT, node.this), self._of(TEXT, node.expression)
                return Value(f"({left.sql} || {right.sql})", left.values + right.values, TEXT)
            case exp.Upper():
                return self._changed(node, str.upper, "upper")
            case exp.Lower():
                return self._changed(node, str.lower, "lower")
            case exp.Length():
                _only(node, "this")
                part = self._of(TEXT, node.this)
                return Value(f"length({part.sql})", part.values, NUMBER)
            case exp.Abs():
                _only(node, "this")
                part = self._of(NUMBER, node.this)
                return Value(f"abs(1.0 * {part.sql})", part.values, NUMBER)
            case _:
                raise _refused(node)

    def _of(self, kind: str, node: Any) -> Value:
        return self._checked(self.value(node), kind, node)

    @staticmethod
    def _checked(part: Value, kind: str, node: Any) -> Value:
        if part.kind not in (kind, NOTHING):
            raise WhereError(
                f"the where clause has {node.sql()[:80]!r}, which is {part.kind}, where {kind} belongs"
            )
        return part

    def _field(self, node: exp.Column) -> Value:
        field = (
            None if len([part for part in node.args.values() if part]) > 1 else self._layer.field(node.name)
        )
        if field is None:
            names = ", ".join(each.name for each in self._layer.all_fields)
            raise WhereError(f"the where clause names {node.sql()[:80]!r}; the fields are {names}")
        return Value(f'"{field.name}"', (), _KINDS[field.type])

    def _changed(self, node: Any, change: Callable[[str], str], name: str) -> Value:
        _only(node, "this")
        part = self._of(TEXT, node.this)
        if part.known is not None:
            return text_value(change(part.known))
        return Value(f"{name}({part.sql})", part.values, TEXT)

    def _date(self, node: exp.Cast) -> Value:
        kind = node.to.this
        plain = isinstance(node.this, exp.Literal) and node.this.is_string and not node.to.expressions
        if not plain or kind not in (exp.DType.DATE, exp.DType.TIMESTAMP):
            raise _refused(node)
        text = str(node.this.this)
        return as_day(text) if kind == exp.DType.DATE and len(text.strip()) <= 10 else as_moment(text)

    def _arithmetic(self, node: Any) -> Value:
        left = self.value(node.this)
        if left.kind in (MOMENT, DAY) and isinstance(node, exp.Add | exp.Sub):
            return self._later(left, node)
        _only(node, "this", "expression", "typed", "safe")
        left = self._checked(left, NUMBER, node.this)  # not read twice: what is nested would be so 2^n times
        right = self._of(NUMBER, node.expression)
        return Value(
            f"({left.sql} {_ARITHMETIC[type(node)]} {right.sql})", left.values + right.values, NUMBER
        )

    def _later(self, moment: Value, node: Any) -> Value:
        """A date, and so many days or hours before or after it."""
        _only(node, "this", "expression")
        span, unit = node.expression, 86400
        if isinstance(span, exp.Interval):
            name = str(span.args.get("unit") or "").upper().rstrip("S")
            if name not in _UNITS:
                raise WhereError(
                    f"the where clause has {span.sql()[:80]!r}; an INTERVAL is in {', '.join(_UNITS)}"
                )
            span, unit = span.this, _UNITS[name]
        if not isinstance(span, exp.Literal):
            raise _refused(node)
        try:
            seconds = float(span.this) * unit * (-1 if isinstance(node, exp.Sub) else 1)
            step = timedelta(seconds=seconds)
            start = beginning(moment)
            if start.known is not None:
                then = (
                    datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds(start.known)) + step
                )
                return bound(written(then), MOMENT)
        except (ValueError, OverflowError):
            raise WhereError(f"the where clause has {node.sql()[:80]!r}, which is no date") from None
        sql = f"strftime('%Y-%m-%dT%H:%M:%fZ', {start.sql}, ?)"
        return Value(sql, (*start.values, f"{seconds:+.3f} seconds"), MOMENT)

    def _like(self, node: exp.Like | exp.Escape) -> Clause:
        escape = ""
        if isinstance(node, exp.Escape):
            escape = str(node.expression.this) if isinstance(node.expression, exp.Literal) else ""
            if len(escape) != 1 or not isinstance(node.this, exp.Like):
                raise WhereError("the where clause must have one character after ESCAPE")
            node = node.this
        _only(node, "this", "expression", "negate")
        left, pattern = self.value(node.this), self._of(TEXT, node.expression)
        if pattern.known is None:
            raise WhereError("the where clause must have a text in quotes after LIKE")
        if left.kind not in (TEXT, GUID, NOTHING):
            raise WhereError(
                f"the where clause has {node.this.sql()[:80]!r} before LIKE, which is {left.kind}, no text"
            )
        # GLOB tells capitals from small letters, as LIKE does in standard SQL.
        word = "NOT GLOB" if node.args.get("negate") else "GLOB"
        return Clause(f"({left.sql} {word} ?)", (*left.values, glob(pattern.known, escape)))

    def _alike(self, *parts: Value) -> Sequence[Value]:
        """The parts of a comparison as values of one kind."""
        kinds = {each.kind for each in parts if each.kind != NOTHING}
        if len(kinds) <= 1:
            return parts
        for kind, convert in ((GUID, as_guid), (NUMBER, number_value), (MOMENT, as_moment), (DAY, as_day)):
            if kind in kinds and kinds <= {kind, TEXT}:
                return [self._read(each, kind, convert) for each in parts]
        if kinds <= {MOMENT, DAY, TEXT}:
            return [beginning(self._read(each, MOMENT, as_moment)) for each in parts]
        raise WhereError(f"the where clause compares {' with '.join(sorted(kinds))}")

    @staticmethod
    def _read(part: Value, kind: str, convert: Callable[[str], Value]) -> Value:
        """A text in quotes as what it stands for."""
        if part.kind != TEXT:
            return part
        if part.known is None:
            raise WhereError(f"the where clause compares {kind} with text")
        return convert(part.known)


def _all(parts: Sequence[Clause | Value]) -> tuple[Any, ...]:
    return tuple(value for part in parts for value in part.values)
