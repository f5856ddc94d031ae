"""What the pages of videos show: the player of a layer, and the progress of a job; files that this server sends itself."""

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final
from urllib.parse import urlencode

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from msgspec.structs import replace
from starlette.responses import Response
from starlette.routing import BaseRoute

from milepost.http import Call, Exhibit, Resources, not_found
from milepost.servers.video.posters import origin_of

PATH: Final = "/video/player/{version}/{file}"

_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".mjs": "text/javascript"}
_environment: Final = Environment(
    loader=PackageLoader("milepost.servers.video", "player"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
)


class Playable(msgspec.Struct, frozen=True, kw_only=True):
    """What a player must know of a layer; all URLs but that of the poster are of this server."""

    title: str
    master: str
    """URL of the master playlist."""
    poster: str
    original: str
    """URL of the file that the video was made of."""
    duration: float
    """Seconds."""
    previews: str = ""
    """URL of the description of the previews; empty when there are none."""
    coverage: str = ""
    """URL of what was seen from where; empty when nobody knows."""
    telemetry: Mapping[str, str] = {}
    """Names and URLs of the telemetry as files; empty without telemetry."""
    clock: str = "UTC"
    """What the times of its telemetry are called."""
    extent: tuple[float, float, float, float] | None = None
    """West, south, east and north in degrees of all that was seen."""

    def carrying(self, token: str) -> "Playable":
        """The same with URLs that carry a token, for a page whose URL carries it; as it is without one."""
        if not token:
            return self

        def of(url: str) -> str:
            return with_token(url, token)

        return replace(
            self,
            master=of(self.master),
            poster=self.poster if "://" in self.poster else of(self.poster),
            original=of(self.original),
            previews=of(self.previews),
            coverage=of(self.coverage),
            telemetry={name: of(url) for name, url in self.telemetry.items()},
        )


class Player:
    """Sends the files of the player. They may be kept for ever: their URLs change when they do."""

    def __init__(self, resources: Resources):
        """With what all dialects share."""
        self._resources = resources

    def routes(self) -> list[BaseRoute]:
        """The routes, below the context."""
        return self._resources.at(PATH, self.file, methods=("GET",))

    async def file(self, call: Call) -> Response:
        """A file of the player of videos."""
        content = _contents().get(call.part("file"))
        if content is None or call.part("version") != version():
            raise not_found("This file of the player")
        return Response(
            content,
            media_type=_TYPES[_suffix(call.part("file"))],
            headers={
                "Cache-Control": "public, max-age=31536000, immutable",
                "X-Content-Type-Options": "nosniff",
            },
        )


def exhibit(home: str, layer: Playable) -> Exhibit:
    """The player for a page.

    Args:
        home: path of the context as clients know it.
        layer: what it plays.
    """
    told = msgspec.structs.asdict(layer) | {
        "extent": layer.extent or (),
        "length": _clock(round(layer.duration)),
    }
    return replace(_exhibit(home, "player", told), pictures=origin_of(layer.poster))


def with_token(url: str, token: str) -> str:
    """A URL of this server, which has no query yet, with a token; an empty one, or without a token, as it is."""
    return f"{url}?{urlencode({'token': token})}" if url and token else url


def progress_exhibit(home: str, url: str, fraction: float, text: str) -> Exhibit:
    """How far a job is, live, for its page.

    Args:
        home: path of the context as clients know it.
        url: of the job.
        fraction: the share of the work that is done.
        text: what it does now.
    """
    told = {"url": url, "fraction": round(fraction, 3), "percent": int(100 * fraction), "text": text}
    return _exhibit(home, "job", told)


def _exhibit(home: str, name: str, told: Mapping[str, object]) -> Exhibit:
    markup = _environment.get_template(f"{name}.html").render(told)
    folder = f"{home}{PATH}".format(version=version(), file="")
    return Exhibit(Markup(markup), f"{folder}{name}.css", f"{folder}{name}.js")  # noqa: S704 - escaped by the template


@cache
def version() -> str:
    """What tells the files of this release from those of others."""
    digest = hashlib.sha256()
    for name, content in sorted(_contents().items()):
        digest.update(name.encode() + content)
    return digest.hexdigest()[:16]


@cache
def _contents() -> dict[str, bytes]:
    folder: Traversable = files("milepost.servers.video") / "player"
    return {each.name: each.read_bytes() for each in folder.iterdir() if _suffix(each.name) in _TYPES}


def _suffix(name: str) -> str:
    return name[name.rfind(".") :]


def _clock(seconds: float) -> str:
    """As the bar of the player writes it."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
