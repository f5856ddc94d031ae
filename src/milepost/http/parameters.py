"""The parameters of a request, and what is read out of them with errors that name the parameter."""

from typing import Any, Final

import msgspec
from starlette.datastructures import UploadFile

from milepost.http.errors import ServiceError


class Parameters:
    """The parameters of a request. An empty text means that a parameter was not given."""

    def __init__(
        self,
        query: list[tuple[str, str]],
        body: list[tuple[str, str]],
        files: list[tuple[str, UploadFile]] | None = None,
    ):
        """From pairs of the query and of the body; the body goes before the query."""
        self._values: dict[str, list[str]] = {}
        for source in (body, query):
            mine: dict[str, list[str]] = {}
            for name, value in source:
                if value.strip():
                    mine.setdefault(name, []).append(value)
            for name, values in mine.items():
                self._values.setdefault(name, values)
        self._in_body: Final = frozenset(name for name, value in body if value.strip())
        self._emptied: Final = frozenset(name for name, _ in (*body, *query)) - self._values.keys()
        self._files: Final = files or []

    def get(self, name: str, default: str = "") -> str:
        """The value of a parameter; the last one when it was given several times."""
        values = self._values.get(name)
        return values[-1] if values else default

    def accept(self, alias: str, name: str) -> None:
        """Let what was given under an alias count as a parameter that was not given by its name."""
        if alias in self._values:
            self._values.setdefault(name, self._values[alias])

    def emptied(self, name: str) -> bool:
        """Whether a parameter was sent with an empty text, by which some changes clear a value."""
        return name in self._emptied

    def all(self, name: str) -> list[str]:
        """Every value of a parameter that may be given several times."""
        return self._values.get(name, [])

    def in_body(self, *names: str) -> bool:
        """Whether one of these was given in the body, and not only in the URL."""
        return not self._in_body.isdisjoint(names)

    def files(self, name: str) -> list[UploadFile]:
        """The files sent for a parameter. A form sends a file without a name where none was chosen."""
        return [file for field, file in self._files if field == name and file.filename]

    def flag(self, name: str, default: bool) -> bool:
        """A yes or no in any spelling that clients use.

        Raises:
            ServiceError: it is neither.
        """
        text = self.get(name).strip()
        if not text:
            return default
        flag = read_flag(text)
        if flag is None:
            raise wrong(name, f"{text[:40]!r} is neither true nor false")
        return flag

    def number(self, name: str, default: int, *, least: int, most: int) -> int:
        """A whole number within limits.

        Raises:
            ServiceError: it is none, or lies outside.
        """
        text = self.get(name).strip()
        if not text:
            return default
        try:
            number = int(text)
        except ValueError:
            raise wrong(name, f"{text[:40]!r} is not a whole number") from None
        if not least <= number <= most:
            raise wrong(name, f"it is not between {least} and {most}")
        return number

    def as_dict(self) -> dict[str, str]:
        """Every parameter with its last value."""
        return {name: values[-1] for name, values in self._values.items()}

    def close(self) -> None:
        """Remove the temporary files of what was sent."""
        for _, file in self._files:
            file.file.close()


def wrong(name: str, why: str) -> ServiceError:
    """The error of a parameter that does not do."""
    return ServiceError(400, f"Parameter '{name}': {why}")


def missing(name: str, cure: str = "") -> ServiceError:
    """The error of a parameter that must be there and is not; ``cure`` says what to send."""
    return ServiceError(400, f"Parameter '{name}' is required" + (f": {cure}" if cure else ""))


def required(given: Parameters, name: str, cure: str) -> str:
    """The text of a parameter that must be there.

    Raises:
        ServiceError: 400, it is not; the message says what to send.
    """
    text = given.get(name).strip()
    if not text:
        raise missing(name, cure)
    return text


def json_of(name: str, text: str) -> Any:
    """The JSON value of a parameter.

    Raises:
        ServiceError: 400, it is none.
    """
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise wrong(name, _broken(text, error)) from None


def object_of(name: str, text: str, example: str = "") -> dict[str, Any]:
    """The JSON object of a parameter.

    Args:
        name: of the parameter.
        text: what was sent.
        example: of such an object, for the message.

    Raises:
        ServiceError: 400, it is none; the message says where it is broken.
    """
    wanted = f"it must be a JSON object such as {example}" if example else "it must be a JSON object"
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.ValidationError:
        raise wrong(name, wanted) from None
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise wrong(name, f"{wanted}, and {_broken(text, error)}") from None


def _broken(text: str, error: Exception) -> str:
    """Where and why a text is no JSON."""
    if isinstance(error, msgspec.DecodeError):
        why = str(error).removeprefix("JSON is malformed: ")
        if "truncated" in why:
            why = f"it ends too early, after {len(text.encode())} bytes"
    elif isinstance(error, RecursionError):
        why = "it is nested too deeply"
    else:
        why = "it holds characters that no text has"
    return f"it is not valid JSON: {why}"


def read_flag(text: str) -> bool | None:
    """A yes or no in any spelling that clients use; None when it is neither."""
    word = text.strip().lower()
    return True if word in ("true", "1", "yes") else False if word in ("false", "0", "no") else None
