"""The search language of the sharing API, as far as people can be searched for by it."""

import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Final

from milepost.http import ServiceError, wrong
from milepost.security import Person
from milepost.servers.sharing.wire import PORTAL_ID, role_id

Test = Callable[[Person], bool]

LONGEST: Final = 2000
DEEPEST: Final = 20

_TOKEN: Final = re.compile(r'\s*(?:([()])|((?:\w+:)?(?:"[^"]*"|[^\s()"]+)))')

_FIELDS: Final[dict[str, Callable[[Person], tuple[str, ...]]]] = {
    "username": lambda who: (who.username,),
    "fullname": lambda who: (who.full_name,),
    "firstname": lambda who: (who.full_name.partition(" ")[0],),
    "lastname": lambda who: (who.full_name.partition(" ")[2],),
    "role": lambda who: (who.role, who.role.identifier, role_id(who.role)),
    "accountid": lambda _: (PORTAL_ID,),
    "orgid": lambda _: (PORTAL_ID,),
    "provider": lambda _: ("arcgis",),
}


def read_query(text: str) -> Test:
    """What a query looks for: words, ``field:value``, ``*`` as a wildcard, AND, OR, NOT and parentheses.

    Raises:
        ServiceError: 400, it cannot be understood.
    """
    if len(text) > LONGEST:
        raise _wrong(f"it is longer than {LONGEST} characters")
    return _Reader(text).whole()


class _Reader:
    """Reads a query by recursive descent: OR binds less than AND, which may be left out."""

    def __init__(self, text: str):
        self._tokens: list[str] = []
        at = 0
        text = text.strip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise _wrong(f"{text[at : at + 20]!r} cannot be read; is a quotation mark missing?")
            self._tokens.append(match[1] or match[2])
            at = match.end()
        self._depth = 0

    def whole(self) -> Test:
        if not self._tokens:
            return lambda _: True
        test = self._any()
        if self._tokens:
            raise _wrong(f"nothing is open that {self._tokens[0]!r} could close")
        return test

    def _any(self) -> Test:
        tests = [self._all()]
        while self._take("OR"):
            tests.append(self._all())
        return lambda who: any(test(who) for test in tests)

    def _all(self) -> Test:
        tests = [self._one()]
        while self._tokens and self._tokens[0] not in (")", "OR"):
            self._take("AND")
            tests.append(self._one())
        return lambda who: all(test(who) for test in tests)

    def _one(self) -> Test:
        if self._take("NOT"):
            test = self._one()
            return lambda who: not test(who)
        if self._take("("):
            self._depth += 1
            if self._depth > DEEPEST:
                raise _wrong(f"parentheses are nested deeper than {DEEPEST}")
            test = self._any()
            self._depth -= 1
            if not self._take(")"):
                raise _wrong("a parenthesis is not closed")
            return test
        if not self._tokens or self._tokens[0] in (")", "AND", "OR"):
            raise _wrong("something to look for is missing")
        return _term(self._tokens.pop(0))

    def _take(self, token: str) -> bool:
        found = bool(self._tokens) and self._tokens[0] == token
        if found:
            del self._tokens[0]
        return found


def _term(token: str) -> Test:
    field, colon, value = token.partition(":")
    if not colon or token.startswith('"'):
        word = f"*{_pattern(token)}*"
        return lambda who: any(fnmatchcase(each.casefold(), word) for each in (who.username, who.full_name))
    values = _FIELDS.get(field.lower())
    if values is None:
        raise _wrong(f"people cannot be searched for by {field[:40]!r}; use one of {', '.join(_FIELDS)}")
    pattern = _pattern(value)
    return lambda who: any(fnmatchcase(each.casefold(), pattern) for each in values(who))


def _pattern(value: str) -> str:
    """What ``fnmatch`` reads as the value, in which only ``*`` means something else than itself."""
    return re.sub(r"([\[?])", r"[\1]", value.strip('"').casefold())


def _wrong(why: str) -> ServiceError:
    return wrong("q", why)
