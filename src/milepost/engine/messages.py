"""What the engine and an instance say to each other over the instance's private pipe."""

import socket
from typing import Any, Final

import msgspec

from milepost.jobs.events import AnyEvent

HEADER: Final = 4
"""Bytes before each message: its length, unsigned, big-endian."""

LIMIT: Final = 256 * 2**20
"""Bytes of a message at most: what is larger is no matter for a database, but for files."""


class _Message(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """Base of all messages."""


class Perform(_Message, frozen=True):
    """Engine: run an operation."""

    job_id: str
    service: str
    operation: str
    attempt: int
    inputs: dict[str, bytes]
    """As JSON text, like all values: the engine passes on what it need not understand."""
    steps: dict[str, bytes]
    rollbacks: list[tuple[str, list[Any]]]
    output_reference: dict[str, Any] | None = None
    """The Esri ``spatialReference`` in which features should come back."""


class Undo(_Message, frozen=True):
    """Engine: run one recorded rollback."""

    job_id: str
    function: str
    arguments: list[Any]


class StopWork(_Message, frozen=True):
    """Engine: the work must stop."""

    reason: str


class Recorded(_Message, frozen=True):
    """Engine: what the instance asked to record is durable."""


class Reconfigured(_Message, frozen=True):
    """Engine: a service is as configured; or, with an error, it cannot be."""

    settings: dict[str, Any] = {}
    """In force now, by name."""
    error: str = ""


class Tell(_Message, frozen=True):
    """Instance: something happened."""

    event: AnyEvent


class Record(_Message, frozen=True):
    """Instance: something happened, and it waits until that is durable."""

    event: AnyEvent
    value: bytes = b""
    """The result of a step as JSON text; the event comes without it."""


class Reconfigure(_Message, frozen=True):
    """Instance: do as is configured of a service; it waits until that is so."""

    service: str


class Returned(_Message, frozen=True):
    """Instance: the operation returned; or, for an ``Undo``, the rollback is done."""

    results: dict[str, bytes] = {}
    """As JSON text."""


class Raised(_Message, frozen=True):
    """Instance: the operation or the rollback failed."""

    error: str


class Stopped(_Message, frozen=True):
    """Instance: the operation stopped as it was asked to."""


ToInstance = Perform | Undo | StopWork | Recorded | Reconfigured
FromInstance = Tell | Record | Reconfigure | Returned | Raised | Stopped

_encoder: Final = msgspec.msgpack.Encoder()
_to_instance: Final[msgspec.msgpack.Decoder[ToInstance]] = msgspec.msgpack.Decoder(ToInstance)
_from_instance: Final[msgspec.msgpack.Decoder[FromInstance]] = msgspec.msgpack.Decoder(FromInstance)


def frame(message: ToInstance | FromInstance) -> bytes:
    """The message as it goes through the pipe.

    Raises:
        ValueError: it is too large.
    """
    body = _encoder.encode(message)
    if len(body) > LIMIT:
        raise ValueError(
            f"the values take {len(body) >> 20} MiB, of which a job can keep {LIMIT >> 20} MiB; write them to a file"
        )
    return len(body).to_bytes(HEADER, "big") + body


def from_instance(body: bytes) -> FromInstance:
    """What an instance said.

    Raises:
        msgspec.DecodeError: it is no message.
    """
    return _from_instance.decode(body)


def receive(pipe: socket.socket) -> ToInstance | None:
    """In an instance: wait for what the engine says; None when the engine is gone."""
    header = _exactly(pipe, HEADER)
    body = header and _exactly(pipe, int.from_bytes(header, "big"))
    return _to_instance.decode(body) if body else None


def _exactly(pipe: socket.socket, size: int) -> bytes | None:
    parts = []
    while size:
        part = pipe.recv(min(size, 1 << 20))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
