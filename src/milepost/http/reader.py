"""Reading many parameters at once: all that is wrong with them is told in one answer."""

import re
from typing import Any, Final

import msgspec

from milepost.http.errors import ServiceError
from milepost.http.parameters import Parameters, missing, object_of, read_flag, wrong

LONGEST_NAME: Final = 250
"""Characters of a name or a title."""
LONGEST_TEXT: Final = 64 * 1024
"""Characters of a description."""


class Reader:
    """Reads values out of parameters and the JSON objects in them, and gathers what is wrong.

    A value that does not do is read as if it were not there; ``end`` then refuses all of them.
    """

    def __init__(self, given: Parameters, *objects: str):
        """Values of an inner object go before those of the one around it.

        Args:
            given: the parameters.
            objects: names of a parameter that is a JSON object, and of objects that may be in it.

        Raises:
            ServiceError: 400, one of them is none: what it was to say is not known, and not missing.
        """
        self._given = given
        self._problems: list[tuple[str, ServiceError]] = []
        self._values: dict[str, Any] = dict(given.as_dict())
        for name in objects:
            inner = self._values.pop(name, None)
            if isinstance(inner, str):
                inner = object_of(name, inner)
            if isinstance(inner, dict):
                self._values |= {key: value for key, value in inner.items() if value is not None}
            elif inner is not None:
                raise wrong(name, "it must be a JSON object")

    def wrong(self, name: str, why: str) -> None:
        """Take note of what is wrong with a parameter."""
        self._problems.append((name, wrong(name, why)))

    def missing(self, name: str, cure: str = "") -> None:
        """Take note that a parameter is not there which must be; ``cure`` says what to send."""
        self._problems.append((name, missing(name, cure)))

    def problems_with(self, name: str) -> bool:
        """Whether something was found wrong with a parameter."""
        return any(each == name for each, _ in self._problems)

    def end(self) -> None:
        """Refuse all of it when something was wrong.

        Raises:
            ServiceError: 400; the message names every parameter that does not do.
        """
        said = [error.message for _, error in self._problems]
        if said:
            raise ServiceError(400, "; ".join(said), said)

    def emptied(self, name: str) -> bool:
        """Whether a parameter was sent with an empty text, by which some changes clear a value."""
        if name not in self._values:
            return self._given.emptied(name)
        value = self._values[name]
        return isinstance(value, str) and not value.strip()

    def text(self, name: str, longest: int = LONGEST_NAME) -> str:
        """A text without what is blank around it; empty when it is not given.

        Args:
            name: of the parameter.
            longest: characters that it may have.
        """
        value = self._values.get(name, "")
        if isinstance(value, bool | int | float):
            value = str(value)
        if not isinstance(value, str):
            self.wrong(name, "it must be text")
            return ""
        text = value.strip()
        if len(text) > longest:
            self.wrong(name, f"it has {len(text)} characters; {longest} are allowed")
        elif any(ord(each) < 32 and each not in "\t\r\n" for each in text) or not _is_unicode(text):
            self.wrong(name, "it holds control characters, which no text has")
        else:
            return text
        return ""

    def required(self, name: str, cure: str = "") -> str:
        """A text that must be there.

        Args:
            name: of the parameter.
            cure: what to send, for the message.
        """
        text = self.text(name)
        if not text and not self.problems_with(name):
            self.missing(name, cure)
        return text

    def matching(self, name: str, pattern: re.Pattern[str], what: str) -> str:
        """A text of a form; empty when it is not given.

        Args:
            name: of the parameter.
            pattern: that all of it must match.
            what: names the form, for the message.
        """
        text = self.text(name)
        if text and not pattern.fullmatch(text):
            self.wrong(name, f"{text[:40]!r} is not {what}")
            return ""
        return text

    def words(self, name: str, longest: int = LONGEST_TEXT) -> list[str]:
        """A list with commas, or a JSON array, as text or as it is.

        Args:
            name: of the parameter.
            longest: characters that the text may have.
        """
        value = self._values.get(name, "")
        if isinstance(value, str):
            value = self.text(name, longest)
            if value.startswith("["):
                try:
                    value = msgspec.json.decode(value, type=list[str])
                except (msgspec.DecodeError, UnicodeError):
                    value = None
            else:
                value = value.split(",")
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            self.wrong(name, "it must be words with commas between them")
            return []
        return [each.strip() for each in value if each.strip()]

    def flag(self, name: str) -> bool | None:
        """A yes or no in any spelling that clients use; None when it is not given."""
        text = str(self._values.get(name, "")).strip()
        flag = read_flag(text)
        if text and flag is None:
            self.wrong(name, f"{text[:40]!r} is neither true nor false")
        return flag

    def number(self, name: str, most: int) -> int | None:
        """A whole number from 0; None when it is not given.

        Args:
            name: of the parameter.
            most: the largest that does.
        """
        text = str(self._values.get(name, "")).strip()
        if not text:
            return None
        if not re.fullmatch(r"[0-9]{1,18}", text) or int(text) > most:
            self.wrong(name, f"{text[:40]!r} is no whole number from 0 to {most}")
            return None
        return int(text)

    def object(self, name: str, example: str = "") -> dict[str, Any]:
        """A JSON object; empty when it is not given.

        Args:
            name: of the parameter.
            example: of such an object, for the message.
        """
        text = self.text(name, LONGEST_TEXT)
        try:
            return object_of(name, text, example) if text else {}
        except ServiceError as error:
            self._problems.append((name, error))
            return {}


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
