"""Parameters of operations: they check what clients send, and turn it into Python values and back."""

from datetime import datetime
from enum import Enum
from math import inf, isfinite
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from milepost.operations.checks import CHECKS, Kind, from_milliseconds, json_of, to_milliseconds
from milepost.operations.types import (
    DataFile,
    FeatureSet,
    LinearUnit,
    Range,
    Raster,
    RecordSet,
    plain_number,
    shown,
    sound_text,
)

_TYPES: Final[dict[Kind, Any]] = {
    "string": str,
    "long": int,
    "double": (int, float),
    "boolean": bool,
    "date": datetime,
    "linear_unit": LinearUnit,
    "features": FeatureSet,
    "records": RecordSet,
    "raster": Raster,
    "file": DataFile,
}
"""What an operation may return for each kind."""


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
        values = json_of(raw, "a JSON array") if isinstance(raw, str) else raw
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
        if value is None and not self.required:
            return None
        if not self.multiple:
            return self._dump_one(value, files)
        if not isinstance(value, list | tuple):
            raise TypeError(
                f"{self.name!r} should be a list, but the operation returned {type(value).__name__}"
            )
        return [self._dump_one(member, files) for member in value]

    def _check_one(self, raw: Any) -> Any:
        value = CHECKS[self.kind](raw)
        if self.choices and value not in self.choices:
            same = [choice for choice in self.choices if str(choice).lower() == str(value).lower()]
            if not same:
                raise ValueError(f"{shown(value)} is none of the choices {', '.join(map(str, self.choices))}")
            value = same[0]
        if self.range and not self.range.minimum <= value <= self.range.maximum:
            raise ValueError(f"{plain_number(value)} is not {_range_words(self.range)}")
        return value

    def _load_one(self, value: Any, files: Files | None) -> Any:
        match self.kind:
            case "date":
                return from_milliseconds(value)
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
        if getattr(value, "shape", None) == ():  # a NumPy scalar
            value = value.item()
        if not isinstance(value, _TYPES[self.kind]) or (
            self.kind in ("double", "long") and isinstance(value, bool)
        ):
            raise TypeError(
                f"{self.name!r} should be {self.kind}, but the operation returned {type(value).__name__}"
            )
        match self.kind:
            case "string":
                return sound_text(value)
            case "long":
                if not -(2**63) <= value < 2**63:
                    raise TypeError(f"{self.name!r} should fit into 64 bits, but the operation returned more")
                return int(value)
            case "double":
                # JSON has no NaN and no infinity: where there is no number there is none to give.
                return float(value) if isfinite(value) else None
            case "date":
                return to_milliseconds(value)
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
            case _:
                return value


def _range_words(limits: Range) -> str:
    if limits.minimum == -inf:
        return f"at most {plain_number(limits.maximum)}"
    if limits.maximum == inf:
        return f"at least {plain_number(limits.minimum)}"
    return f"between {plain_number(limits.minimum)} and {plain_number(limits.maximum)}"
