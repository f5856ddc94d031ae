"""What goes over the channel of a mission, as JSON text, one message each.

The documents tell where the channel is and nothing about what is said there; this is Milepost's own.
"""

import time
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import Meta

from milepost.features import LayerEdits
from milepost.servers.mission.layers import COMMUNICATIONS, TRACKS

Longitude = Annotated[float, Meta(ge=-180, le=180)]
Latitude = Annotated[float, Meta(ge=-90, le=90)]
Moment = Annotated[int, Meta(ge=0, le=253_402_300_799_999)]
"""UTC milliseconds since 1970."""


class Authenticate(msgspec.Struct, tag="authenticate", frozen=True):
    """The first message of a client that could not send its token with the request."""

    token: Annotated[str, Meta(max_length=4096)]


class Position(msgspec.Struct, tag="position", frozen=True, kw_only=True):
    """Where somebody is."""

    x: Longitude
    y: Latitude
    time: Moment | None = None
    device: Annotated[str, Meta(max_length=128)] = ""
    speed: float | None = None
    """Metres a second."""
    course: float | None = None
    """Degrees from north, clockwise."""
    altitude: float | None = None
    accuracy: float | None = None
    """Both in metres."""
    id: Annotated[str, Meta(max_length=64)] = ""
    """By which the client knows the answer."""

    def edits(self, username: str, now: int) -> LayerEdits:
        """What is kept of it."""
        attributes: dict[str, Any] = {
            "user_name": username,
            "device": self.device or None,
            "speed": self.speed,
            "course": self.course,
            "altitude": self.altitude,
            "accuracy": self.accuracy,
            "location_timestamp": now if self.time is None else self.time,
        }
        return LayerEdits(
            layer=TRACKS, adds=[{"attributes": attributes, "geometry": {"x": self.x, "y": self.y}}]
        )


class Chat(msgspec.Struct, tag="chat", frozen=True, kw_only=True):
    """Something that somebody says, to all or to a few."""

    message: Annotated[str, Meta(min_length=1, max_length=4000)]
    recipients: Annotated[tuple[Annotated[str, Meta(max_length=128)], ...], Meta(max_length=30)] = ()
    x: Longitude | None = None
    y: Latitude | None = None
    id: Annotated[str, Meta(max_length=64)] = ""

    def edits(self, username: str, now: int) -> LayerEdits:
        """What is kept of it."""
        feature: dict[str, Any] = {
            "attributes": {
                "sender": username,
                "recipients": ",".join(self.recipients) or None,
                "message": self.message,
                "sent": now,
            }
        }
        if self.x is not None and self.y is not None:
            feature["geometry"] = {"x": self.x, "y": self.y}
        return LayerEdits(layer=COMMUNICATIONS, adds=[feature])


FromClient = Position | Chat

T = TypeVar("T")

_first: Final = msgspec.json.Decoder(Authenticate)
_any: Final[msgspec.json.Decoder[FromClient]] = msgspec.json.Decoder(FromClient)


def read_first(text: str | bytes) -> Authenticate:
    """The first message.

    Raises:
        ValueError: it is something else.
    """
    return _decoded(_first, text)


def read_message(text: str | bytes) -> FromClient:
    """A message.

    Raises:
        ValueError: it is none; the text says why.
    """
    return _decoded(_any, text)


def _decoded(decoder: msgspec.json.Decoder[T], text: str | bytes) -> T:
    try:
        return decoder.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ValueError(f"the message is not understood: {error}") from None


def told(message: FromClient, username: str, object_id: int, now: int) -> dict[str, Any]:
    """A message as others get it."""
    said = msgspec.to_builtins(message)
    said.pop("id", None)
    kind: Literal["position", "chat"] = "position" if isinstance(message, Position) else "chat"
    if said.get("time") is None:
        said["time"] = now
    return {
        **{name: value for name, value in said.items() if value not in (None, "", ())},
        "type": kind,
        "from": username,
        "objectId": object_id,
    }


def now_ms() -> int:
    """Now, in UTC milliseconds since 1970."""
    return time.time_ns() // 1_000_000
