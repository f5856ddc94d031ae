"""The channel of a mission: a WebSocket on which people tell each other where they are and what they see.

What is said is kept in the layers of the mission before anybody gets it.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final

import msgspec
import structlog
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from milepost.features import FeatureError, FeatureServices
from milepost.http import Gate, ServiceError
from milepost.security import Person, SecurityError
from milepost.servers.mission.messages import FromClient, now_ms, read_first, read_message, told
from milepost.servers.mission.records import Missions
from milepost.servers.mission.services import ONE, may_see

log = structlog.get_logger("milepost.missions")

PATH: Final = f"{ONE}/channel"

RATE: Final = 20.0
"""Messages a second that one connection may send on average."""
BURST: Final = 60
"""Messages that it may send at once."""
PATIENCE: Final = 10.0
"""Seconds until a client must have said who it is."""
RECHECK: Final = 1.0
"""Seconds after which it is asked again whether somebody who listens still may."""
_WAITING: Final = 256
"""Messages that may wait for a client; one that reads no faster is let go."""
_MOST: Final = 500
"""Connections to one mission."""

_REFUSED: Final = 1008
_TOO_MUCH: Final = 1013


class _Refusal(Exception):  # noqa: N818 - a way out of the connection
    """The connection is over."""

    def __init__(self, reason: str, code: int = _REFUSED):
        super().__init__(reason)
        self.code = code


class _Connection:
    """Somebody who is there."""

    def __init__(self, socket: WebSocket, person: Person):
        self.socket = socket
        self.username: Final = person.username
        self.waiting: asyncio.Queue[str] = asyncio.Queue(_WAITING)
        self.slow = False
        self._tokens, self._at = float(BURST), time.monotonic()

    def tell(self, text: str) -> None:
        """Send something, soon."""
        try:
            self.waiting.put_nowait(text)
        except asyncio.QueueFull:
            self.slow = True

    def count(self) -> None:
        """Count a message that it sent.

        Raises:
            _Refusal: there were too many.
        """
        now = time.monotonic()
        self._tokens = min(BURST, self._tokens + (now - self._at) * RATE) - 1
        self._at = now
        if self._tokens < 0:
            raise _Refusal(f"more than {RATE:.0f} messages a second", _TOO_MUCH)


class Channels:
    """The channels of all missions, for those who are connected to this server."""

    def __init__(self, missions: Missions, features: FeatureServices, gate: Gate):
        """With what tells missions, keeps what is said, and knows who speaks."""
        self._missions = missions
        self._features = features
        self._gate = gate
        self._there: dict[str, set[_Connection]] = {}
        self._held: dict[str, Callable[[], None]] = {}
        """Lets go of the layers of each, which are held open as long as somebody is there: then much is kept in little time."""

    def routes(self) -> list[WebSocketRoute]:
        """The route, below the context."""
        return [WebSocketRoute(PATH, self._serve)]

    async def _serve(self, socket: WebSocket) -> None:
        await socket.accept()
        try:
            await self._talk(socket)
        except WebSocketDisconnect:
            pass
        except _Refusal as refusal:
            await _close(socket, refusal.code, str(refusal))
        except (SecurityError, sqlite3.Error, OSError) as error:
            log.error("a mission cannot be read or changed", reason=str(error))
            await _close(socket, 1011, "the server cannot read or change the mission now")

    async def _talk(self, socket: WebSocket) -> None:
        token = await self._token(socket)
        person = self._person(socket, token)
        mission_id = socket.path_params["mission"].strip().lower()
        service = await asyncio.to_thread(self._check, mission_id, person)
        there = self._there.setdefault(mission_id, set())
        if len(there) >= _MOST:
            raise _Refusal("too many are connected to this mission", _TOO_MUCH)
        me = _Connection(socket, person)
        _spread(there, {"type": "presence", "user": me.username, "present": True})
        there.add(me)
        me.tell(_encoded({"type": "joined", "missionId": mission_id, "present": _names(there)}))
        try:
            if len(there) == 1:
                self._held[mission_id] = await asyncio.to_thread(self._hold, service)
            async with asyncio.TaskGroup() as tasks:
                sending = tasks.create_task(self._send(me, mission_id, token))
                try:
                    await self._receive(me, mission_id, token)
                finally:
                    sending.cancel()
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            there.discard(me)
            if not there:
                self._there.pop(mission_id, None)
                if (release := self._held.pop(mission_id, None)) is not None:
                    # Nobody waits for that, least of all who is being cancelled.
                    asyncio.get_running_loop().run_in_executor(None, release)
            if me.username not in _names(there):
                _spread(there, {"type": "presence", "user": me.username, "present": False})

    async def _token(self, socket: WebSocket) -> str:
        """The token: of the query, the headers, or the first message."""
        # Cookies prove nothing here: browsers send them along for the pages of others.
        headers = [each for each in socket.scope["headers"] if each[0] != b"cookie"]
        socket.scope["headers"] = headers
        given = socket.query_params.get("token", "")
        if given or any(name in (b"authorization", b"x-esri-authorization") for name, _ in headers):
            return given
        try:
            async with asyncio.timeout(PATIENCE):
                return read_first(await _text(socket)).token
        except TimeoutError:
            raise _Refusal("Token Required: send it in the query, a header or the first message") from None
        except ValueError as error:
            raise _Refusal(f"Token Required: {error}") from None

    def _person(self, socket: WebSocket, token: str) -> Person:
        try:
            return self._gate.known_person(socket.scope, token)
        except ServiceError as error:
            raise _Refusal(error.message) from None

    def _check(self, mission_id: str, person: Person) -> str:
        """The feature service of the mission, if it is there for somebody."""
        about = self._missions.get(mission_id)
        if about is None or about.id != mission_id or not may_see(person, about):
            raise _Refusal("there is no such mission")
        return about.service

    async def _send(self, me: _Connection, mission_id: str, token: str) -> None:
        checked = time.monotonic()
        while True:
            text = await me.waiting.get()
            if me.slow:
                raise _Refusal("messages are not read as fast as they come", _TOO_MUCH)
            # Who only listens may have been let go meanwhile.
            if time.monotonic() - checked > RECHECK:
                await asyncio.to_thread(self._check, mission_id, self._person(me.socket, token))
                checked = time.monotonic()
            await me.socket.send_text(text)

    async def _receive(self, me: _Connection, mission_id: str, token: str) -> None:
        while True:
            text = await _text(me.socket)
            me.count()
            person = self._person(me.socket, token)
            try:
                message = read_message(text)
            except ValueError as error:
                me.tell(_encoded({"type": "error", "message": str(error)}))
                continue
            now = now_ms()
            try:
                object_id = await asyncio.to_thread(self._keep, mission_id, person, message, now)
            except FeatureError as error:
                me.tell(_encoded({"type": "error", "id": message.id, "message": str(error)}))
                continue
            me.tell(_encoded({"type": "accepted", "id": message.id, "objectId": object_id}))
            said = told(message, me.username, object_id, now)
            only = {each.lower() for each in said.get("recipients", ())}
            others = (each for each in self._there.get(mission_id, ()) if each is not me)
            _spread((each for each in others if not only or each.username.lower() in only), said)

    def _hold(self, service: str) -> Callable[[], None]:
        return self._features.open(service).hold()

    def _keep(self, mission_id: str, person: Person, message: FromClient, now: int) -> int:
        service = self._check(mission_id, person)
        [results] = self._features.open(service).apply([message.edits(person.username, now)])
        [added] = results.adds
        if added.object_id is None or not added.success:
            raise FeatureError(added.problem or "it could not be kept")
        return added.object_id


async def _text(socket: WebSocket) -> str | bytes:
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1005))
    text: str | bytes = message.get("text") or message.get("bytes") or ""
    return text


async def _close(socket: WebSocket, code: int, reason: str) -> None:
    with suppress(RuntimeError, OSError):  # gone meanwhile
        await socket.close(code, reason.encode()[:120].decode(errors="ignore"))


def _spread(to: Iterable[_Connection], said: dict[str, Any]) -> None:
    text = _encoded(said)
    for each in to:
        each.tell(text)


def _names(there: Iterable[_Connection]) -> list[str]:
    return sorted({each.username for each in there})


def _encoded(said: dict[str, Any]) -> str:
    return msgspec.json.encode(said).decode()
