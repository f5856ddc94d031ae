"""Parameters of operations: derived from type hints, they check what clients send."""

import inspect
import math
import types
import typing
from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Protocol, get_args, get_origin

import msgspec

from milepost.operations.types import (
    Choices,
    DataFile,
    Doc,
    FeatureSet,
    LinearUnit,
    Range,
    Raster,
    RecordSet,
    check_features,
)

Kind = Literal[
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
]
"""What a value is; each dialect has one small dictionary from these to its own words."""

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


class InputError(ValueError):
    """A value that a client sent does not fit; the text names the parameter, the cause and the cure."""

    def __init__(self, problems: list[str]):
        super().__init__("; ".join(problems))
        self.problems: Final = problems


class Files(Protocol):
    """Where files that clients refer to lie, and where those that operations write go."""

    def resolve(self, reference: dict[str, Any]) -> Path:
        """The file that ``{"itemID": ...}`` or ``{"url": ...}`` means.

        Raises:
            ValueError: there is none, or it may not be read; the text says why.
        """

    def keep(self, path: Path) -> dict[str, Any]:
        """Move an output out of the workspace to the job's results.

        Raises:
            ValueError: there is no such file, or it lies outside the workspace.
        """


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """One input or output of an operation."""

    name: str
    kind: Kind
    hint: Any
    """The Python type of one value."""
    multiple: bool = False
    required: bool = True
    default: Any = None
    """The default in its JSON form; None when there is none."""
    doc: str = ""
    choices: tuple[Any, ...] = ()
    range: Range | None = None

    @property
    def title(self) -> str:
        """The name for people: ``output_unit`` is ``Output unit``."""
        return self.name.replace("_", " ").strip().capitalize()

    def check(self, raw: Any) -> Any:
        """The JSON form of what a client sent, as text or as JSON.

        Raises:
            ValueError: it does not fit; the text says why, without the parameter's name.
        """
        if not self.multiple:
            return self._check_one(raw)
        values = _json_of(raw, "a JSON array") if isinstance(raw, str) else raw
        if not isinstance(values, list):
            raise ValueError('it must be a JSON array, such as ["a", "b"]')
        checked = []
        for number, value in enumerate(values):
            try:
                checked.append(self._check_one(value))
            except ValueError as error:
                raise ValueError(f"value {number + 1}: {error}") from error
        return checked

    def load(self, value: Any, files: Files | None = None) -> Any:
        """The Python value of a checked JSON form, as the operation gets it."""
        if value is None:
            return None
        if self.multiple:
            return [self._load_one(member, files) for member in value]
        return self._load_one(value, files)

    def dump(self, value: Any, files: Files | None = None) -> Any:
        """The JSON form of what an operation returned.

        Raises:
            TypeError: the operation returned something else than it declares.
        """
        if value is None:
            return None
        if self.multiple:
            return [self._dump_one(member, files) for member in value]
        return self._dump_one(value, files)

    def _check_one(self, raw: Any) -> Any:
        value = _CHECKS[self.kind](raw)
        if self.choices and value not in self.choices:
            same = [choice for choice in self.choices if str(choice).lower() == str(value).lower()]
            if not same:
                raise ValueError(f"{value!r} is none of the choices {', '.join(map(str, self.choices))}")
            value = same[0]
        if self.range and not self.range.minimum <= value <= self.range.maximum:
            raise ValueError(f"{value} is not {_range_words(self.range)}")
        return value

    def _load_one(self, value: Any, files: Files | None) -> Any:
        match self.kind:
            case "date":
                return datetime.fromtimestamp(value / 1000, UTC)
            case "linear_unit":
                return LinearUnit(value["distance"], value["units"])
            case "features" | "records":
                return msgspec.convert(value, self.hint, strict=False)
            case "raster" | "file":
                if files is None:
                    raise ValueError("there are no files here")
                return self.hint(files.resolve(value))
            case _ if isinstance(self.hint, type) and issubclass(self.hint, Enum):
                return self.hint(value)
            case _:
                return value

    def _dump_one(self, value: Any, files: Files | None) -> Any:
        if isinstance(value, Enum):
            value = value.value
        expected: Any = {"double": (int, float), "string": str}.get(self.kind, self.hint)
        if not isinstance(value, expected) or (self.kind in ("double", "long") and isinstance(value, bool)):
            raise TypeError(
                f"{self.name!r} should be {self.kind}, but the operation returned {type(value).__name__}"
            )
        match self.kind:
            case "date":
                return int(value.timestamp() * 1000)
            case "linear_unit":
                return {"distance": value.distance, "units": "esri" + value.units}
            case "features" | "records":
                plain = msgspec.to_builtins(value)
                if self.kind == "features":
                    plain.setdefault("geometryType", value.geometry_type)
                    plain.setdefault("spatialReference", value.spatial_reference)
                plain.setdefault("fields", value.fields)
                plain.setdefault("features", value.features)
                return plain
            case "raster" | "file":
                return files.keep(value.path) if files else {"url": str(value.path)}
            case "double":
                return float(value)
            case _:
                return value


def parameters_of(function: Callable[..., Any]) -> list[Parameter]:
    """The inputs of an operation from its signature; the first argument is the run.

    Raises:
        TypeError: a parameter has no type hint, one that no client could fill, or a bad default.
    """
    signature = inspect.signature(function)
    hints = typing.get_type_hints(function, include_extras=True)
    docs = _documented_arguments(inspect.getdoc(function) or "")
    found = []
    for name, argument in list(signature.parameters.items())[1:]:
        if argument.kind in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD):
            raise TypeError(f"{function.__qualname__}: *{name} cannot be a parameter of an operation")
        if name not in hints:
            raise TypeError(f"{function.__qualname__}: parameter {name!r} has no type hint")
        given = argument.default is not argument.empty
        found.append(
            _parameter(
                name, hints[name], default=argument.default if given else _REQUIRED, doc=docs.get(name, "")
            )
        )
    return found


def outputs_of(function: Callable[..., Any]) -> list[Parameter]:
    """The outputs of an operation from its return annotation.

    A ``NamedTuple`` or a dataclass gives one output a field; another type is the output ``result``; None is none.
    """
    hint = typing.get_type_hints(function, include_extras=True).get("return", type(None))
    if hint in (None, type(None)):
        return []
    fields = getattr(hint, "_fields", None) or tuple(getattr(hint, "__dataclass_fields__", ()))
    if fields:
        hints = typing.get_type_hints(hint, include_extras=True)
        return [_parameter(name, hints[name], default=_REQUIRED) for name in fields]
    return [_parameter("result", hint, default=_REQUIRED)]


_REQUIRED: Final = object()


def _parameter(name: str, hint: Any, *, default: Any, doc: str = "") -> Parameter:
    optional, multiple = False, False
    choices: tuple[Any, ...] = ()
    limits: Range | None = None
    while True:
        origin = get_origin(hint)
        if origin is Annotated:
            hint, *marks = get_args(hint)
            for mark in marks:
                if isinstance(mark, Range):
                    limits = mark
                elif isinstance(mark, Choices):
                    choices = tuple(mark)
                elif isinstance(mark, Doc):
                    doc = str(mark)
        elif origin in (typing.Union, types.UnionType):
            members = [member for member in get_args(hint) if member is not type(None)]
            if len(members) != 1 or len(members) == len(get_args(hint)):
                raise TypeError(f"parameter {name!r}: a union can only be one type or None, not {hint}")
            hint, optional = members[0], True
        elif origin is list:
            (hint,) = get_args(hint)
            multiple = True
        elif origin is Literal:
            choices = get_args(hint)
            hint = type(choices[0])
        else:
            break
    if isinstance(hint, type) and issubclass(hint, Enum):
        choices = tuple(member.value for member in hint)
        kind = _KINDS.get(type(choices[0]))
    else:
        kind = _KINDS.get(hint)
    if kind is None:
        known = ", ".join(each.__name__ for each in _KINDS)
        raise TypeError(f"parameter {name!r}: {hint} is no type that clients can fill; use one of {known}")
    parameter = Parameter(
        name=name,
        kind=kind,
        hint=hint,
        multiple=multiple,
        required=default is _REQUIRED and not optional,
        doc=doc,
        choices=choices,
        range=limits,
    )
    if default is _REQUIRED or default is None:
        return parameter
    try:
        plain = parameter.check(_plain_default(default))
    except ValueError as error:
        raise TypeError(f"the default of parameter {name!r} does not fit: {error}") from error
    return msgspec.structs.replace(parameter, default=plain)


def _plain_default(default: Any) -> Any:
    """A default of a signature in a form that ``check`` reads."""
    if isinstance(default, Enum):
        return default.value
    if isinstance(default, LinearUnit):
        return {"distance": default.distance, "units": default.units}
    if isinstance(default, datetime):
        return int(default.timestamp() * 1000)
    if isinstance(default, msgspec.Struct):
        return msgspec.to_builtins(default)
    return default


def _documented_arguments(doc: str) -> dict[str, str]:
    """What the ``Args:`` part of a docstring says about each argument."""
    said: dict[str, str] = {}
    lines = doc.splitlines()
    if "Args:" not in [line.strip() for line in lines]:
        return said
    start = [line.strip() for line in lines].index("Args:") + 1
    name = ""
    for line in lines[start:]:
        if not line.strip():
            continue
        indent = len(line) - len(line.lstrip())
        if indent == 0:
            break
        if indent <= 4 and ":" in line:
            name, _, text = line.strip().partition(":")
            said[name] = text.strip()
        elif name:
            said[name] += " " + line.strip()
    return said


def _range_words(limits: Range) -> str:
    if limits.minimum == -math.inf:
        return f"at most {limits.maximum:g}"
    if limits.maximum == math.inf:
        return f"at least {limits.minimum:g}"
    return f"between {limits.minimum:g} and {limits.maximum:g}"


def _json_of(text: str, wanted: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"it must be {wanted}, but it is not valid JSON ({error})") from error


def _object_of(raw: Any, wanted: str) -> dict[str, Any]:
    value = _json_of(raw, wanted) if isinstance(raw, str) else raw
    if not isinstance(value, dict):
        raise ValueError(f"it must be {wanted}")
    return value


def _check_string(raw: Any) -> str:
    if isinstance(raw, bool | list | dict):
        raise ValueError("it must be a text")
    text = str(raw)
    if "\x00" in text:
        raise ValueError("it contains a null character")
    return text


def _check_long(raw: Any) -> int:
    number = _check_double(raw)
    if number != int(number):
        raise ValueError(f"{raw} is not a whole number")
    # A text is read again as an integer: a double has only 53 bits for it.
    try:
        whole = int(str(raw).strip())
    except ValueError:
        whole = int(number)
    if not -(2**63) <= whole < 2**63:
        raise ValueError("it must fit into 64 bits")
    return whole


def _check_double(raw: Any) -> float:
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        raise ValueError("it must be a number")
    try:
        number = float(raw)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{_short(raw)} is not a number") from error
    if not math.isfinite(number):
        raise ValueError("it must be a finite number, not NaN or infinity")
    return number


def _check_boolean(raw: Any) -> bool:
    if isinstance(raw, bool):
        return raw
    match str(raw).strip().lower():
        case "true" | "1":
            return True
        case "false" | "0":
            return False
        case _:
            raise ValueError(f"{_short(raw)} is neither true nor false")


_FIRST_DATE: Final = -62_135_596_800_000  # 0001-01-01
_LAST_DATE: Final = 253_402_300_799_999  # 9999-12-31


def _check_date(raw: Any) -> int:
    if isinstance(raw, str) and not raw.strip().lstrip("+-").replace(".", "", 1).isdigit():
        try:
            moment = datetime.fromisoformat(raw.strip())
        except ValueError as error:
            raise ValueError(
                f"{_short(raw)} is no date; give milliseconds since 1970 or ISO 8601, such as 2026-11-22T10:00:00Z"
            ) from error
        milliseconds = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    else:
        milliseconds = int(_check_double(raw))
    if not _FIRST_DATE <= milliseconds <= _LAST_DATE:
        raise ValueError("it must lie between the years 1 and 9999")
    return milliseconds


def _check_linear_unit(raw: Any) -> dict[str, Any]:
    wanted = 'a distance such as {"distance": 100, "units": "esriMeters"}'
    if isinstance(raw, str) and not raw.lstrip().startswith("{"):
        distance = LinearUnit(raw)
    else:
        value = _object_of(raw, wanted)
        if "distance" not in value:
            raise ValueError(f"it must be {wanted}")
        distance = LinearUnit(_check_double(value["distance"]), str(value.get("units") or "esriMeters"))
    return {"distance": distance.distance, "units": "esri" + distance.units}


def _check_feature_set(raw: Any) -> dict[str, Any]:
    wanted = "a feature set: an object with geometryType, spatialReference and features"
    value = _object_of(raw, wanted)
    if "features" not in value and "url" in value:
        raise ValueError("features behind a URL are not fetched by this server; send the features themselves")
    kind = check_features(value)
    return value if not kind or value.get("geometryType") else {**value, "geometryType": kind}


def _check_record_set(raw: Any) -> dict[str, Any]:
    value = _object_of(raw, "a record set: an object with fields and features")
    check_features(value, geometry=False)
    return value


def _check_file(raw: Any) -> dict[str, Any]:
    wanted = 'a file: {"itemID": ...} of an upload or {"url": ...} of a result of this server'
    if isinstance(raw, str) and not raw.lstrip().startswith("{"):
        raw = {"url": raw.strip()} if "/" in raw else {"itemID": raw.strip()}
    value = _object_of(raw, wanted)
    known = {key: str(value[key]) for key in ("itemID", "url") if value.get(key)}
    if len(known) != 1:
        raise ValueError(f"it must be {wanted}")
    return known


_CHECKS: Final[dict[Kind, Callable[[Any], Any]]] = {
    "string": _check_string,
    "long": _check_long,
    "double": _check_double,
    "boolean": _check_boolean,
    "date": _check_date,
    "linear_unit": _check_linear_unit,
    "features": _check_feature_set,
    "records": _check_record_set,
    "raster": _check_file,
    "file": _check_file,
}


def _short(raw: Any) -> str:
    text = repr(raw)
    return text if len(text) <= 40 else text[:37] + "..."
