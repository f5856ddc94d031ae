"""Answers: the same content as html, json or pjson."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import Response

from milepost.http.errors import ServiceError, envelope

JSON_TYPE: Final = "application/json;charset=UTF-8"
FORMATS: Final = ("html", "json", "pjson")
ROWS: Final = 200
"""Members of a list that a page shows."""


class Field(msgspec.Struct, frozen=True):
    """One field of a form on a page."""

    name: str
    title: str
    value: str = ""
    help: str = ""
    kind: str = "text"
    """``text``, ``long`` for several lines, ``password`` or ``file``."""
    choices: tuple[str, ...] = ()
    required: bool = False
    autocomplete: str = ""
    """What browsers may fill in, in the words of HTML, such as ``current-password``."""


class Form(msgspec.Struct, frozen=True):
    """A form on a page: an operation of the resource."""

    action: str
    title: str
    fields: tuple[Field, ...] = ()
    method: str = "post"


class Exhibit(msgspec.Struct, frozen=True):
    """What a page shows before its words, such as a video: markup, and what brings it to life."""

    markup: Markup
    """Rendered from a template that escapes what it is given."""
    styles: str = ""
    """URL of its style sheet, on this server."""
    script: str = ""
    """URL of its JavaScript module, on this server."""
    pictures: str = ""
    """Origin of another server of which it shows a picture, such as ``https://pictures.example.com``."""


class Answer(msgspec.Struct, frozen=True):
    """What a resource says, and how its page looks beyond that."""

    data: Any
    """What is sent as JSON; ``msgspec.Raw`` in it is sent as it is."""
    title: str = ""
    crumbs: Sequence[tuple[str, str]] = ()
    """Names and URLs of the pages above this one."""
    links: Mapping[str, str] = {}
    """Further pages: names and URLs."""
    forms: Sequence[Form] = ()
    notice: str = ""
    """What a person must read first."""
    window_title: str = ""
    """Title of the window, where programs read it; the title of the page if empty."""
    variables: Mapping[str, Any] = {}
    """JavaScript variables that programs read out of the text of the page. Nothing runs them."""
    exhibit: Exhibit | None = None
    leads_to: str = ""
    """Origin of another server that the forms of the page may lead to."""


_environment: Final = Environment(
    loader=PackageLoader("milepost.http"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)


def _is_moment(value: Any) -> bool:
    """Whether a number can only be milliseconds since the epoch: from 2001 to 2286."""
    return isinstance(value, int) and 10**12 <= value < 10**13


def _utc(milliseconds: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds // 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


_environment.tests["moment"] = _is_moment
_environment.filters["utc"] = _utc


def chosen_format(text: str, more: Sequence[str] = ()) -> str:
    """The format a client asks for; html when it asks for none.

    Args:
        text: its name.
        more: formats that there are beside html, json and pjson.

    Raises:
        ServiceError: there is no such format.
    """
    name = text.strip().lower() or "html"
    if name not in (*FORMATS, *more):
        *others, last = (*FORMATS, *more)
        raise ServiceError(
            400, f"Parameter 'f': {text[:40]!r} is no format; use {', '.join(others)} or {last}"
        )
    return name


def encode(data: Any, *, pretty: bool) -> bytes:
    """JSON text, in lines for people when ``pretty``."""
    encoded = msgspec.json.encode(data)
    return msgspec.json.format(encoded, indent=2) if pretty else encoded


def render(
    answer: Answer,
    form: str,
    path: str,
    home: str,
    form_token: str = "",
    query: Sequence[tuple[str, str]] | None = (),
) -> Response:
    """The answer in one of the formats.

    Args:
        answer: what to say.
        form: ``html``, ``json`` or ``pjson``.
        path: of the request.
        home: the path of the context, where all pages begin.
        form_token: what forms prove with that they are ours; empty when nobody is signed in.
        query: parameters that belong to the address of the page, so that its links to the other formats
            lead to the same content; None when no address does, as after a form was sent.
    """
    if form != "html":
        return _json({} if answer.data is None else answer.data, form)
    plain = msgspec.json.decode(msgspec.json.encode(answer.data))
    page = _environment.get_template("page.html").render(
        title=answer.title or path,
        crumbs=_trail(answer.crumbs, path, home),
        home=home,
        links=answer.links,
        forms=answer.forms,
        data=_Excerpt().of(plain),
        formats=_formats(path, query) if query is not None and answer.data is not None else {},
        notice=answer.notice,
        form_token=form_token,
        window_title=answer.window_title,
        variables=answer.variables,
        exhibit=answer.exhibit,
        error=None,
    )
    response = Response(page, media_type="text/html", headers=_PAGE_HEADERS)
    policy = _POLICY if answer.exhibit is None else _policy_of(answer.exhibit)
    # Browsers hold forms to it also when the answer to one redirects.
    response.headers["Content-Security-Policy"] = f"{policy} {answer.leads_to}".rstrip()
    return response


Envelope = Callable[[ServiceError], Any]
"""Gives the JSON of an error, as a dialect writes it."""


def render_error(
    error: ServiceError, form: str, path: str, home: str, write: Envelope = envelope
) -> Response:
    """An error: with status 200 to programs, which look into the body, and as a page to people."""
    if form != "html":
        return _json(write(error), form)
    page = _environment.get_template("page.html").render(
        title="Error",
        crumbs=_trail((), path, home),
        home=home,
        links={},
        forms=(),
        data=None,
        formats={},
        notice="",
        form_token="",
        window_title="",
        variables={},
        exhibit=None,
        error=error,
    )
    return Response(page, status_code=_status(error), media_type="text/html", headers=_PAGE_HEADERS)


def render_status(error: ServiceError, write: Envelope = envelope) -> Response:
    """An error to programs that look at the status and not into the body."""
    response = _json(write(error), "json")
    response.status_code = _status(error)
    return response


def _status(error: ServiceError) -> int:
    # Some clients know errors by codes of their own, which are none of HTTP.
    return {498: 401, 499: 401}.get(error.code, error.code) if error.code > 0 else 400


def _formats(path: str, query: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Where programs find what a page shows."""
    return {
        title: f"{path}?{urlencode([*query, ('f', name)], errors='replace')}"
        for title, name in (("JSON", "json"), ("formatted JSON", "pjson"))
    }


def _trail(crumbs: Sequence[tuple[str, str]], path: str, home: str) -> list[tuple[str, str]]:
    """The way from the front page to the page above this one."""
    front = f"{home}/rest"
    return [] if path == front else [("Home", front), *crumbs]


def _json(data: Any, form: str) -> Response:
    return Response(encode(data, pretty=form == "pjson"), media_type=JSON_TYPE, headers=JSON_HEADERS)


class _Excerpt:
    """What a page shows of a value: enough to recognize it. The whole is there as JSON."""

    DEPTH: Final = 8
    MEMBERS: Final = 5000
    CHARACTERS: Final = 20_000

    def __init__(self) -> None:
        self._left = self.MEMBERS

    def of(self, value: Any, depth: int = 0) -> Any:
        """The value, without what lies too deep or comes too late."""
        self._left -= 1
        if isinstance(value, str):
            return value if len(value) <= self.CHARACTERS else value[: self.CHARACTERS] + " ..."
        if not isinstance(value, dict | list) or not value:
            return value
        if depth == self.DEPTH or self._left <= 0:
            return "..."
        if isinstance(value, dict):
            first = islice(value.items(), ROWS)
            return {name: self.of(member, depth + 1) for name, member in first}
        # The page tells how many more there are.
        return [*(self.of(member, depth + 1) for member in value[:ROWS]), *value[ROWS:]]


# Answers are about this moment, and often nobody else's business.
JSON_HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

_ALWAYS: Final = "default-src 'none'; frame-ancestors 'none'; form-action 'self'"
_POLICY: Final = f"style-src 'unsafe-inline'; {_ALWAYS}"
# What plays a video fetches it piece by piece, puts the pieces together itself, and makes a track for cues.
_EXHIBIT_POLICY: Final = (
    "script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; media-src 'self' blob: data:; "
    "img-src 'self'"
)


def _policy_of(exhibit: Exhibit) -> str:
    return f"{f'{_EXHIBIT_POLICY} {exhibit.pictures}'.rstrip()}; {_ALWAYS}"


_PAGE_HEADERS: Final = {
    **JSON_HEADERS,
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
}
