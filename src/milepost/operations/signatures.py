"""Parameters read from the signature of an operation: its type hints, defaults and docstring."""

import inspect
import types
import typing
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Annotated, Any, Final, Literal, get_args, get_origin

import msgspec

from milepost.operations.checks import CHECKS, Kind
from milepost.operations.parameters import Parameter
from milepost.operations.run import Run
from milepost.operations.types import Choices, DataFile, Doc, FeatureSet, LinearUnit, Range, Raster, RecordSet

_KINDS: Final[dict[Any, Kind]] = {
    str: "string",
    int: "long",
    float: "double",
    bool: "boolean",
    datetime: "date",
    LinearUnit: "linear_unit",
    FeatureSet: "features",
    RecordSet: "records",
    Raster: "raster",
    DataFile: "file",
}

_NOT_GIVEN: Final = object()


def parameters_of(function: Callable[..., Any]) -> list[Parameter]:
    """The inputs of an operation from its signature; the first argument is the run.

    Raises:
        TypeError: a parameter has no type hint, one that no client could fill, or a bad default.
    """
    name = function.__qualname__
    arguments = list(inspect.signature(function).parameters.values())
    hints = _hints_of(function)
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if (
        not arguments
        or arguments[0].kind not in positional
        or hints.get(arguments[0].name, Run) not in (Run, Any)
    ):
        raise TypeError(f"{name}: the first argument must be the run: def {function.__name__}(run: Run, ...)")
    docs = _documented_arguments(inspect.getdoc(function) or "")
    found = []
    for argument in arguments[1:]:
        if argument.kind not in (argument.POSITIONAL_OR_KEYWORD, argument.KEYWORD_ONLY):
            raise TypeError(f"{name}: {argument} is given by position only and cannot be a parameter")
        if argument.name not in hints:
            raise TypeError(f"{name}: parameter {argument.name!r} has no type hint")
        default = _NOT_GIVEN if argument.default is argument.empty else argument.default
        parameter = _parameter(argument.name, hints[argument.name], docs.get(argument.name, ""), default)
        found.append(parameter)
    return found


def outputs_of(function: Callable[..., Any]) -> list[Parameter]:
    """The outputs of an operation from its return annotation.

    A ``NamedTuple`` or a dataclass gives one output a field; another type is the output ``result``; None is none.

    Raises:
        TypeError: an output has a type that no client could read.
    """
    hint = _hints_of(function).get("return", type(None))
    if hint is type(None):
        return []
    names = _fields_of(hint)
    if names is None:
        return [_parameter("result", hint)]
    hints = _hints_of(hint)
    return [_parameter(name, hints[name]) for name in names]


def returns_fields(function: Callable[..., Any]) -> bool:
    """Whether the outputs are the fields of what the function returns, not the returned value itself."""
    return _fields_of(_hints_of(function).get("return")) is not None


def _fields_of(hint: Any) -> tuple[str, ...] | None:
    if is_dataclass(hint):
        return tuple(field.name for field in fields(hint))
    if isinstance(hint, type) and issubclass(hint, tuple) and hasattr(hint, "_fields"):
        return tuple(hint._fields)
    return None


def _hints_of(thing: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(thing, include_extras=True)
    except NameError as error:
        raise TypeError(
            f"{thing.__qualname__}: {error}; what a type hint names must be there when the module is imported, "
            "not only for type checkers or inside a function"
        ) from error


class _Reading:
    """A type hint taken apart: the type of one value and all that narrows it."""

    def __init__(self, name: str, hint: Any, doc: str):
        self.name = name
        self.doc = doc
        self.optional = False
        self.multiple = False
        self.choices: tuple[Any, ...] = ()
        self.range: Range | None = None
        self.hint = self._core(hint)
        self.kind = self._kind()

    def _core(self, hint: Any) -> Any:
        origin = get_origin(hint)
        if origin is Annotated:
            hint, *marks = get_args(hint)
            for mark in marks:
                if isinstance(mark, Range):
                    self.range = mark
                elif isinstance(mark, Choices):
                    self.choices = tuple(mark)
                elif isinstance(mark, Doc):
                    self.doc = str(mark)
            return self._core(hint)
        if origin in (typing.Union, types.UnionType):
            members = [member for member in get_args(hint) if member is not type(None)]
            if len(members) != 1:
                raise self._wrong(f"a union can only be one type or None, not {hint}")
            if self.multiple:
                raise self._wrong("the values in a list cannot be None")
            self.optional = True
            return self._core(members[0])
        if origin is list:
            if self.multiple:
                raise self._wrong("a list cannot hold lists")
            self.multiple = True
            return self._core(get_args(hint)[0])
        if origin is Literal:
            values = [value for value in get_args(hint) if value is not None]
            self.optional = self.optional or len(values) < len(get_args(hint))
            self.choices = tuple(value.value if isinstance(value, Enum) else value for value in values)
            return type(values[0]) if values else None
        return hint

    def _kind(self) -> Kind:
        kind = _KINDS.get(self.hint)
        if isinstance(self.hint, type) and issubclass(self.hint, Enum):
            self.choices = self.choices or tuple(member.value for member in self.hint)
            kind = _KINDS.get(type(self.choices[0])) if self.choices else None
        if kind is None:
            known = ", ".join(each.__name__ for each in _KINDS)
            raise self._wrong(f"{self.hint} is no type that clients can use; use one of {known}")
        if self.choices:
            if kind not in ("string", "long", "double", "boolean"):
                raise self._wrong(f"there are no choices for {self.hint.__name__}")
            for choice in self.choices:
                if type(choice) is not type(self.choices[0]) or not _fits(kind, choice):
                    raise self._wrong(f"the choices {self.choices} are not all of one type that fits")
        if self.range:
            if kind not in ("long", "double"):
                raise self._wrong(f"a Range is for int and float, not for {self.hint.__name__}")
            if not self.range.minimum <= self.range.maximum:
                raise self._wrong(f"no number lies in {self.range}")
        return kind

    def _wrong(self, why: str) -> TypeError:
        return TypeError(f"{self.name!r}: {why}")


def _fits(kind: Kind, choice: Any) -> bool:
    try:
        return bool(CHECKS[kind](choice) == choice)
    except ValueError:
        return False


def _parameter(name: str, hint: Any, doc: str = "", default: Any = _NOT_GIVEN) -> Parameter:
    read = _Reading(name, hint, doc)
    parameter = Parameter(
        name=name,
        kind=read.kind,
        hint=read.hint,
        multiple=read.multiple,
        required=default is _NOT_GIVEN and not read.optional,
        doc=read.doc,
        choices=read.choices,
        range=read.range,
    )
    if default is _NOT_GIVEN or default is None:
        return parameter
    if read.kind in ("raster", "file"):
        raise TypeError(f"{name!r}: a file has no default; use None")
    try:
        plain = parameter.check(_plain_default(parameter, default))
    except (ValueError, TypeError) as error:
        raise TypeError(f"the default of parameter {name!r} does not fit: {error}") from error
    return msgspec.structs.replace(parameter, default=plain)


def _plain_default(parameter: Parameter, default: Any) -> Any:
    """A default of a signature in a form that ``check`` reads: Python values and what clients may send both do."""
    if isinstance(default, list | tuple):
        one = msgspec.structs.replace(parameter, multiple=False)
        return [_plain_default(one, each) for each in default]
    if isinstance(default, str | int | float | dict) and not isinstance(default, Enum):
        return default
    return msgspec.structs.replace(parameter, multiple=False).dump(default)


def _documented_arguments(doc: str) -> dict[str, str]:
    """What the ``Args:`` part of a docstring says about each argument."""
    said: dict[str, str] = {}
    lines = iter(doc.splitlines())
    if not any(line.strip() == "Args:" for line in lines):
        return said
    name, margin = "", 0
    for line in lines:
        text = line.strip()
        indent = len(line) - len(line.lstrip())
        if not text:
            continue
        if indent == 0:
            break
        margin = margin or indent
        if indent == margin and ":" in text:
            name, _, text = text.partition(":")
            name = name.partition("(")[0].strip()
            said[name] = text.strip()
        elif name:
            said[name] += " " + text
    return said
