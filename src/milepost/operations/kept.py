"""What a job keeps between its attempts: values that JSON can carry, read back as the types they had."""

from collections.abc import Callable
from pathlib import PurePath
from typing import Any, Final, get_type_hints

import msgspec


class Reader:
    """Reads a kept result as the type that a function is annotated with."""

    def __init__(self, name: str, hint: Any):
        """For the results of the function ``name``."""
        self._name: Final = name
        self._decoder: Final = msgspec.json.Decoder(hint, dec_hook=_text_as_path)

    def read(self, record: bytes) -> Any:
        """The value that ``json_of`` wrote.

        Raises:
            TypeError: it is no value of the type.
        """
        try:
            return self._decoder.decode(record)
        except (msgspec.ValidationError, NotImplementedError) as error:
            raise TypeError(
                f"what {self._name} returned is not what it is annotated with: {error}"
            ) from error


def reader_for(function: Callable[..., Any]) -> Reader:
    """The reader of what ``function`` returns; of plain JSON when its annotations do not tell.

    Raises:
        TypeError: there is no way from JSON to the type it is annotated with.
    """
    name = str(getattr(function, "__qualname__", repr(function)))
    try:
        hint = get_type_hints(function).get("return", Any)
    except (NameError, TypeError, AttributeError):
        hint = Any  # built in, an object that can be called, or annotated for type checkers only
    try:
        return Reader(name, Any if hint in (type(None), object) else hint)
    except TypeError as error:
        raise TypeError(f"what {name} returns cannot be kept: {error}") from error


def json_of(value: Any, what: str, *, paths: bool = False) -> bytes:
    """The value as JSON; ``what`` names it in the error.

    Args:
        value: the value.
        what: how to call it.
        paths: whether it may hold paths, which become text.

    Raises:
        TypeError: it has no JSON form.
    """
    try:
        return msgspec.json.encode(value, enc_hook=_path_as_text if paths else None)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise TypeError(f"{what} has no JSON form: {error}") from error


def plain(record: bytes) -> Any:
    """The plain JSON value in what ``json_of`` wrote."""
    return msgspec.json.decode(record)


def _path_as_text(value: Any) -> str:
    if isinstance(value, PurePath):
        return str(value)
    raise TypeError(f"a {type(value).__name__} cannot be written as JSON")


def _text_as_path(kind: Any, value: Any) -> Any:
    if isinstance(kind, type) and issubclass(kind, PurePath) and isinstance(value, str):
        return kind(value)
    raise NotImplementedError(f"no {kind} can be read from JSON")
